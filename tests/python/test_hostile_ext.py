"""Extensions in C that do to the interpreter what C can do: leave calls by longjmp, run Python on C
stacks of their own, make and free method definitions, and call Python when objects are freed."""
import sys
import unittest

from tests.python import compared, harness

V = sys.version_info


class Jumps(compared.Case):
    def test_over_python_calls(self):
        """The calls that were left have no end; all others have, and nest around them."""
        for run in self.run_text("""
            def inner(n):
                leaf()
                hostile.jump(n)
            def outer(n):
                inner(n)
            def jumping(n):
                return hostile.catch(lambda: outer(n))
            print([jumping(n) for n in range(1, 51)])
            def around():
                return hostile.catch(lambda: hostile.catch(lambda: outer(7)))
            print([around() for _ in range(50)])
            step()
            """, nested=False):
            self.assert_calls(run, {"leaf": 101, "step": 1, "inner": (100, 0), "outer": (100, 0), "jumping": 50,
                                    "around": 50, "hostile.catch": 150, "hostile.jump": (100, 0)})

    def test_in_c(self):
        """Within one C function there is nothing to see."""
        for run in self.run_text("""
            def jumping():
                return hostile.jump_inside()
            print([jumping() for _ in range(50)])
            """):
            self.assert_calls(run, {"jumping": 50, "hostile.jump_inside": 50})

    def test_out_of_a_signal_handler(self):
        """A bad access in C, which a handler on a stack of its own catches."""
        for run in self.run_text("""
            print([hostile.fault(step) for _ in range(50)], hostile.fault(None))
            step()
            """):
            self.assert_calls(run, {"step": 51, "leaf": 51, "hostile.fault": 51})

    @unittest.skipIf(V >= (3, 14), "from 3.14 on CPython ends a process whose stack pointer is elsewhere")
    def test_on_other_stacks(self):
        """Coroutines of C in turns, each with Python calls open: as many begins as ends."""
        for run in self.run_text("""
            def deep(n):
                if n:
                    return deep(n - 1)
                leaf()
                return hostile.turn()
            def strand():
                return [deep(n) for n in range(20)]
            print(hostile.run_strands(strand, strand, strand))
            step()
            """, nested=False):
            self.assert_calls(run, {"deep": 3 * 210, "leaf": 61, "strand": 3, "step": 1,
                                    "hostile.turn": 60, "hostile.run_strands": 1})


class Definitions(compared.Case):
    def test_made_anew_at_the_same_place(self):
        """Another function under the same addresses: other code, or only another name, also one that
        differs in the middle or at its end."""
        names = ["f", "g", "same_code_1", "same_code_2", "a_long_name_that_differs_in_the_1_middle_of_it",
                 "a_long_name_that_differs_in_the_2_middle_of_it", "short", "shorter", "a_name_", "a_name", "a_name_of",
                 "12345678", "1234567", "123456789", "abcdefghijklmnop", "abcdefghijklmnoq", "abcdefghijklmno"]
        for run in self.run_text("""
            names = %r
            places = set()
            def call(name, other):
                function = hostile.make(name, other)
                for _ in range(3):
                    places.add(function())
            for _ in range(3):
                for name in names:
                    call(name, False)
            for name in names:
                call(name, True)
                call(name, False)
            print(len(places))
            """ % names):
            self.assertEqual(run.output, "1\n")
            if run.engine == "frame":
                continue
            self.assert_calls(run, {"PyCapsule." + name: 15 for name in names})


class Objects(compared.Case):
    def test_methods_of_a_type(self):
        for run in self.run_text("""
            def work():
                o = hostile.Object()
                print(o.no_arguments(), o.fast(1, 2), o.with_names(a=1), o.of_class(), o.of_the_class(), o.static(),
                      o(1, 2, 3), type(o).fast(o, 1), type(o).of_the_class())
            for _ in range(20):
                work()
            """):
            self.assert_calls(run, {"work": 20, "hostile.Object": 0, "Object.no_arguments": 20, "Object.fast": 40,
                                    "Object.with_names": 20, "Object.of_class": 20, "Object.of_the_class": 40,
                                    "Object.static": 20} if run.engine != "frame" else {"work": 20})

    def test_python_when_objects_are_freed(self):
        """By C, __del__, weak references and the trashcan; while an exception is on its way, too."""
        for run in self.run_text("""
            import gc, weakref
            gc.disable()
            def freed():
                leaf()
            class Python:
                def __del__(self):
                    leaf()
            def forgotten(reference):
                leaf()
            def drop():
                o = hostile.Object(freed)
                r = weakref.ref(o, forgotten)
                return 1
            def fail():
                o = hostile.Object(freed)
                p = Python()
                raise KeyError(1)
            for _ in range(30):
                drop()
                try:
                    fail()
                except KeyError as e:
                    print(e, end=" ")
            class Failing:
                def __del__(self):
                    raise ValueError("in __del__")
            sys.unraisablehook = lambda u: print(u.exc_value)
            Failing()
            # Deep enough for the trashcan: each object holds the next, and the last one calls Python.
            chain = hostile.Object(freed)
            for _ in range(5000):
                chain = hostile.Object(chain)
            del chain
            """):
            forgotten = compared.calls(run.traces, "forgotten")[0]  # which local goes first is the interpreter's choice
            self.assert_calls(run, {"freed": 61, "forgotten": forgotten, "leaf": 61 + 30 + forgotten})

    def test_python_in_collections(self):
        """Callbacks of the collector, finalizers of cycles, and generators that it closes, in another
        thread too."""
        for run in self.run_text("""
            import gc, threading
            gc.disable()
            def on_gc(phase, info):
                leaf()
            gc.callbacks.append(on_gc)
            class Cycle:
                def __init__(self):
                    self.self = self
                def __del__(self):
                    step()
            def generate():
                try:
                    yield 1
                finally:
                    step()
            def litter():
                for _ in range(10):
                    Cycle()
                    g = generate()
                    next(g)
                    box = [g]
                    box.append(box)
            litter()
            thread = threading.Thread(target=gc.collect)
            thread.start()
            thread.join()
            litter()
            gc.freeze()
            gc.unfreeze()
            gc.collect()
            gc.callbacks.clear()
            """):
            self.assert_calls(run, {"on_gc": 4, "Cycle.__del__": 20, "litter": 2})


if __name__ == "__main__":
    harness.main()
