"""The exact sequence of events of generators and coroutines: each resumption is a begin and each
yield or await that suspends is an end. How sequences are written: shapes.py."""
import sys

from tests.python import harness, shapes

V = sys.version_info


class Generators(shapes.Case):
    def test_iteration(self):
        """Two elements: resumed three times, the last time for the end."""
        self.assert_events("""
            def g():
                yield 1
                yield None
            def case():
                for _ in g():
                    len("")
            """, """(case:5 (g:2 )g [builtins.len ]builtins.len (g:2 )g [builtins.len ]builtins.len
                (g:2 )g )case""")

    def test_next_and_send(self):
        """next() is a C function, and so is a generator's send."""
        self.assert_events("""
            def g():
                x = yield 1
                return x
            def case():
                i = g()
                next(i)
                try:
                    i.send(5)
                except StopIteration as end:
                    assert end.value == 5
            """, """(case:5 [builtins.next (g:2 )g ]builtins.next
                [generator.send (g:2 )g ?generator.send )case""")

    def test_yield_from(self):
        """Each step goes through every generator of the chain."""
        self.assert_events("""
            def inner():
                yield
                yield
            def outer():
                yield from inner()
            def case():
                list(outer())
            """, """(case:7 (outer:5 (inner:2 )inner )outer (outer:5 (inner:2 )inner )outer
                (outer:5 (inner:2 )inner )outer )case""")

    def test_throw(self):
        """Caught inside, and again at the same yield; then not caught."""
        self.assert_events("""
            def g():
                while True:
                    try:
                        yield
                    except KeyError:
                        pass
            def case():
                i = g()
                next(i)
                i.throw(KeyError())
                i.throw(KeyError())
                try:
                    i.throw(ValueError())
                except ValueError:
                    pass
            """, """(case:8 [builtins.next (g:2 )g ]builtins.next
                [generator.throw (g:2 )g ]generator.throw [generator.throw (g:2 )g ]generator.throw
                [generator.throw (g:2 !g ?generator.throw )case""")

    def test_throw_before_the_start(self):
        """The frame is entered to be left: begin and end on every version."""
        self.assert_events("""
            def g():
                yield
            def case():
                i = g()
                try:
                    i.throw(ValueError())
                except ValueError:
                    pass
            """, "(case:4 [generator.throw (g:2 !g ?generator.throw )case")

    def test_throw_through_yield_from(self):
        """The chain is not resumed from outside in: throw() starts at the innermost."""
        self.assert_events("""
            def inner():
                yield
            def outer():
                yield from inner()
            def case():
                i = outer()
                next(i)
                try:
                    i.throw(ValueError())
                except ValueError:
                    pass
            """, """(case:6 [builtins.next (outer:4 (inner:2 )inner )outer ]builtins.next
                [generator.throw (inner:2 !inner (outer:4 !outer ?generator.throw )case""")

    def test_close(self):
        """At a plain yield 3.13 does not enter the frame at all; in a try block every version does.
        Before the first step versions up to 3.11 do. After the last nobody does."""
        unstarted = "(g:2 !g" if V < (3, 12) else ""
        plain = "" if V[:2] == (3, 13) else "(g:2 !g"
        self.assert_events("""
            def g():
                yield
            def h():
                try:
                    yield
                finally:
                    len("")
            def case():
                i = g()
                i.close()
                i = g()
                next(i)
                i.close()
                i.close()
                i = h()
                next(i)
                i.close()
            """, """(case:9 [generator.close %s ]generator.close
                [builtins.next (g:2 )g ]builtins.next [generator.close %s ]generator.close
                [generator.close ]generator.close
                [builtins.next (h:4 )h ]builtins.next
                [generator.close (h:4 [builtins.len ]builtins.len !h ]generator.close )case"""
            % (unstarted, plain))

    def test_dropped(self):
        """The collector closes a generator, too: here, at once, inside case()."""
        plain = "" if V[:2] == (3, 13) else "(g:2 !g"
        self.assert_events("""
            def g():
                yield
            def case():
                i = g()
                next(i)
                del i
                len("")
            """, """(case:4 [builtins.next (g:2 )g ]builtins.next %s
                [builtins.len ]builtins.len )case""" % plain)

    def test_exception_inside(self):
        self.assert_events("""
            def g():
                yield
                raise ValueError
            def case():
                try:
                    for _ in g():
                        pass
                except ValueError:
                    pass
            """, "(case:5 (g:2 )g (g:2 !g )case")

    def test_none_is_told_from_an_exception(self):
        """3.12 reports both as None: every way to leave a frame with None, and none at all."""
        self.assert_events("""
            def constant(): pass
            def variable(x): return x
            def generator(x):
                yield x
                yield None
                return x
            def raises(x): raise x
            def asserts(x): assert x
            def calls(x): x()
            def indexes(x): return x[0]
            class Indexed:
                def __getitem__(self, key): raise KeyError
            def case():
                constant()
                variable(None)
                list(generator(None))
                for f, x in (raises, ValueError), (asserts, 0), (calls, None), (indexes, Indexed()):
                    try:
                        f(x)
                    except Exception:
                        pass
            """, """(case:14 (constant:2 )constant (variable:3 )variable
                (generator:4 )generator (generator:4 )generator (generator:4 )generator
                (raises:8 !raises (asserts:9 !asserts (calls:10 !calls
                (indexes:11 (Indexed.__getitem__:13 !Indexed.__getitem__ !indexes )case""")

    def test_settrace_does_not_disturb_it(self):
        """Line tracing replaces instructions, on 3.12 also those that tell how a frame ends."""
        self.assert_events("""
            import sys
            def constant(): pass
            def variable(x):
                return x
            def generator():
                yield
                yield
            def raises():
                raise ValueError
            def case():
                def tracer(frame, event, arg):
                    return tracer if frame.f_code.co_name != "tracer" else None
                sys.settrace(tracer)
                constant()
                variable(None)
                list(generator())
                try:
                    raises()
                except ValueError:
                    pass
                sys.settrace(None)
            """, """(case:11 [sys.settrace ]sys.settrace (constant:3 )constant (variable:4 )variable
                (generator:6 )generator (generator:6 )generator (generator:6 )generator
                (raises:9 !raises [sys.settrace ]sys.settrace )case""")


class Coroutines(shapes.Case):
    def steps(self, source):
        """The events of the program's own functions only: asyncio's differ by version."""
        self.run_script(source)
        self.assert_nested()
        return shapes.words(r for r in self.read_one().thread().records
                            if r.function and r.function.file == self.folder + "/script.py"
                            and r.function.name not in ("<module>", "Manager"))

    def test_await(self):
        """sleep(0) suspends once: the chain ends and begins again, from the outside in."""
        self.assertEqual(self.steps("""
            import asyncio
            async def inner():
                await asyncio.sleep(0)
                return 1
            async def outer():
                return await inner()
            asyncio.run(outer())
            """), shapes.expected("""
            (outer:6 (inner:3 )inner )outer (outer:6 (inner:3 )inner )outer"""))

    def test_await_of_what_is_ready(self):
        """No suspension: plain nesting."""
        self.assertEqual(self.steps("""
            import asyncio
            async def inner(): return 1
            async def outer(): return await inner() + await inner()
            asyncio.run(outer())
            """), shapes.expected("""
            (outer:4 (inner:3 )inner (inner:3 )inner )outer"""))

    def test_tasks_alternate(self):
        self.assertEqual(self.steps("""
            import asyncio
            async def a():
                await asyncio.sleep(0)
            async def b():
                await asyncio.sleep(0)
            async def both():
                await asyncio.gather(a(), b())
            asyncio.run(both())
            """), shapes.expected("""
            (both:7 )both (a:3 )a (b:5 )b (a:3 )a (b:5 )b (both:7 )both"""))

    def test_exception_and_cancellation(self):
        self.assertEqual(self.steps("""
            import asyncio
            async def fails():
                await asyncio.sleep(0)
                raise ValueError
            async def waits():
                await asyncio.Event().wait()
            async def main():
                task = asyncio.ensure_future(waits())
                try:
                    await fails()
                except ValueError:
                    pass
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            asyncio.run(main())
            """), shapes.expected("""
            (main:8 (fails:3 )fails )main (waits:6 )waits (main:8 (fails:3 !fails )main
            (waits:6 !waits (main:8 )main"""))

    def test_async_generator(self):
        """One that is used up, and one that is left: its end is asyncio's doing."""
        self.assertEqual(self.steps("""
            import asyncio
            async def numbers():
                try:
                    yield 1
                    await asyncio.sleep(0)
                    yield 2
                finally:
                    done()
            def done(): pass
            async def main():
                async for _ in numbers():
                    pass
                i = numbers()
                async for _ in i:
                    break
                await i.aclose()
            asyncio.run(main())
            """), shapes.expected("""
            (main:11 (numbers:3 )numbers (numbers:3 )numbers )main
            (main:11 (numbers:3 )numbers (numbers:3 (done:10 )done )numbers
            (numbers:3 )numbers (numbers:3 (done:10 )done !numbers )main"""))

    def test_async_with_and_comprehension(self):
        """An asynchronous comprehension suspends in a frame of its own up to 3.11."""
        listed = ("(<listcomp>:9 (g:6 )g (g:6 )g )<listcomp>" if V < (3, 11) else
                  "(main.<locals>.<listcomp>:9 (g:6 )g (g:6 )g )main.<locals>.<listcomp>"
                  if V < (3, 12) else "(g:6 )g (g:6 )g")
        self.assertEqual(self.steps("""
            import asyncio
            class Manager:
                async def __aenter__(self): pass
                async def __aexit__(self, *details): pass
            async def g(): yield 1
            async def main():
                async with Manager():
                    [x async for x in g()]
            asyncio.run(main())
            """), shapes.expected("""
            (main:7 (Manager.__aenter__:4 )Manager.__aenter__ %s
            (Manager.__aexit__:5 )Manager.__aexit__ )main""" % listed))


if __name__ == "__main__":
    harness.main()
