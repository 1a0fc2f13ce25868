"""Programs whose calls are the same in every run, for comparing engines (test_engines.py):
`corpus.py NAME` runs the function NAME, `corpus.py unittest MODULE...` tests of CPython's.

Nothing here may depend on time, chance or addresses. The collector of cycles is off, since an
engine that makes frame objects brings its runs forward; and a thread keeps the GIL until it waits.
"""
import gc
import random
import sys


# ---- generators

def generators():
    def count(n):
        for i in range(n):
            try:
                got = yield i
                if got:
                    len((got,))
            except KeyError:
                yield -1
            finally:
                abs(-i)
        return n

    def outer(n):
        yield "first"
        result = yield from count(n)
        yield from [len("ab"), abs(-1)]
        yield result

    def stubborn():
        try:
            yield 1
        except GeneratorExit:
            len("clean up")
            raise

    def deaf():
        while True:
            try:
                yield
            except GeneratorExit:
                pass
            except ValueError:
                return

    def attempt(function, *args):
        try:
            return function(*args)
        except BaseException as error:
            return repr(error)

    print(list(outer(3)), sum(count(4)), max(count(3)), sorted(count(3)), dict(zip(count(2), outer(2))))
    g = outer(3)
    print(next(g), g.send(None), g.send("value"), g.throw(KeyError), attempt(g.throw, IndexError()))
    print(attempt(next, g), g.close())
    g = stubborn()
    next(g)
    print(g.close(), attempt(next, g))
    g = stubborn()                      # never begun
    print(g.close(), attempt(g.throw, ValueError("new")))
    g = stubborn()
    print(attempt(g.throw, ValueError("unstarted")))
    g = stubborn()
    next(g)
    del g                               # closed by its end
    g = deaf()
    next(g)
    print(attempt(g.close), attempt(g.throw, ValueError), attempt(g.send, 1))
    g = count(1)
    print(next(g), attempt(g.send, 5), attempt(next, g), g.close())
    g = (abs(-i) for i in range(3))
    print(list(g), [len(str(i)) for i in range(3)], {i: abs(i) for i in range(2)}, {abs(i) for i in range(2)})

    def recursive(n):
        if n:
            yield from recursive(n - 1)
        yield n
    print(list(recursive(8)))

    class Delegate:
        """An iterator of Python's, with throw() and close() of its own."""
        def __iter__(self):
            return self

        def __next__(self):
            return len("next")

        def send(self, value):
            return len("send")

        def throw(self, *args):
            return len("throw")

        def close(self):
            len("close")

    def delegating():
        return (yield from Delegate())
    g = delegating()
    print(next(g), g.send(1), g.throw(ValueError), g.close())

    def running():
        yield attempt(next, itself)
    itself = running()
    print(next(itself))

    def raising():
        yield 1
        raise LookupError("inside")

    def stopping():
        yield 1
        raise StopIteration
    print(attempt(list, raising()), attempt(list, stopping()))


def closed_at_yield():
    """Generators that are closed, or freed, while they wait at a plain yield."""
    def plain():
        yield 1
        yield 2

    def delegate():
        yield from plain()

    def nested():
        yield from delegate()

    for make in plain, delegate, nested:
        g = make()
        next(g)
        g.close()
        g = make()
        next(g)
        del g
        make().close()
        for _ in make():
            break


def delegates_that_end():
    """Generators whose delegate ends in throw() or close(), and which go on by themselves."""
    def inner():
        try:
            yield 1
        except ValueError:
            return len("returned")
        except KeyError:
            raise LookupError

    def outer():
        try:
            got = yield from inner()
            yield got
        except LookupError:
            yield abs(-2)

    def outermost():
        yield from outer()
        yield from iter([3])

    for error in ValueError, KeyError:
        for make in outer, outermost:
            g = make()
            next(g)
            print(g.throw(error), list(g))


# ---- coroutines

def coroutines():
    import types

    @types.coroutine
    def pause(value):
        got = yield value
        return got

    class Awaitable:
        def __await__(self):
            yield "awaitable"
            return len("awaited")

    class Context:
        async def __aenter__(self):
            return await pause("enter")

        async def __aexit__(self, kind, error, traceback):
            await pause("exit")
            return kind is KeyError

    async def leaf(n):
        return await pause(n)

    async def ticks(n):
        try:
            for i in range(n):
                await pause(i)
                yield i
        finally:
            await pause("closed")

    async def work():
        total = 0
        async with Context() as value:
            total += value or 0
        async with Context():
            raise KeyError
        async for tick in ticks(3):
            total += tick + await leaf(tick)
        found = [i async for i in ticks(2) if await leaf(i) is not None]
        it = ticks(3)
        await it.__anext__()
        await it.aclose()
        it = ticks(3)
        await it.asend(None)
        try:
            await it.athrow(ValueError())
        except ValueError:
            total += len(found)
        try:
            await leaf("throw here")
        except ValueError:
            total += 1
        return total + await Awaitable()

    def drive(coroutine):
        value, seen = None, []
        while True:
            try:
                got = coroutine.throw(ValueError()) if value == "throw here" else coroutine.send(
                    None if value is None else 1)
            except StopIteration as stop:
                return seen, stop.value
            seen.append(got)
            value = got
    print(drive(work()))
    unfinished = work()
    unfinished.send(None)
    unfinished.close()
    unused = leaf(1)
    unused.close()


def event_loop():
    import asyncio

    async def producer(queue, n):
        for i in range(n):
            await queue.put(i)
            await asyncio.sleep(0)
        await queue.put(None)

    async def consumer(queue):
        found = []
        while True:
            item = await queue.get()
            if item is None:
                return found
            found.append(item)

    async def failing():
        await asyncio.sleep(0)
        raise ValueError("task")

    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            len("cancelled")

    async def ticks():
        for i in range(3):
            yield i
            await asyncio.sleep(0)

    async def main():
        queue = asyncio.Queue(2)
        results = await asyncio.gather(producer(queue, 5), consumer(queue), failing(),
                                       return_exceptions=True)
        task = asyncio.get_running_loop().create_task(forever())
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            results.append("cancelled")
        async for tick in ticks():
            results.append(tick)
        async with asyncio.Lock():
            await asyncio.wait_for(asyncio.sleep(0), None)
        return results
    print(asyncio.run(main()))


# ---- exceptions

def exceptions():
    class Bad:
        def __init__(self, n=0):
            self.n = n

        def __lt__(self, other):
            raise ValueError("compared")

        def __hash__(self):
            raise TypeError("hashed")

        def __len__(self):
            return -1

        def __repr__(self):
            raise RuntimeError("shown")

        def __iter__(self):
            raise KeyError("iterated")

        def __getattr__(self, name):
            raise AttributeError(name)

        def __del__(self):
            len("gone")

        def __bool__(self):
            raise OSError("asked")

        def __index__(self):
            raise ZeroDivisionError("index")

        def __enter__(self):
            return self

        def __exit__(self, *args):
            abs(-1)

    class Quiet:
        def __enter__(self):
            return self

        def __exit__(self, *args):
            return True

    def key(x):
        if x == 3:
            raise LookupError(x)
        return -x

    def deep(n):
        try:
            if n == 0:
                raise ValueError("bottom")
            deep(n - 1)
        finally:
            len("finally")

    def reraised():
        try:
            deep(3)
        except ValueError as error:
            raise KeyError("above") from error

    def swallowed():
        try:
            reraised()
        except KeyError:
            return len("swallowed")
        finally:
            abs(-1)

    def returned_in_finally():
        for i in range(2):
            try:
                int("x")
            finally:
                if i:
                    break
                continue
        return 1

    bad = Bad()
    attempts = [
        lambda: sorted([Bad(), Bad()]), lambda: {Bad(): 1}, lambda: len(Bad()), lambda: repr(bad),
        lambda: list(bad), lambda: bad.missing, lambda: getattr(bad, "missing", len("default")),
        lambda: hasattr(bad, "missing"), lambda: bool(bad), lambda: [1][bad], lambda: range(bad),
        lambda: sorted([1, 2, 3, 4], key=key), lambda: list(map(key, [1, 2, 3])), lambda: max([1, 3], key=key),
        lambda: [].pop(), lambda: {}["missing"], lambda: {}.pop("missing"), lambda: "".join([1]),
        lambda: int("x"), lambda: len(), lambda: len(1, 2), lambda: len(1), lambda: [].append(),
        lambda: [].append(1, 2), lambda: "a".split(sep=1), lambda: abs(x=1), lambda: bad(),
        lambda: list.append(), lambda: list.append(1, 2), lambda: str.join("", 1), lambda: dict.fromkeys(1),
        lambda: None.x(), lambda: key(), lambda: key(1, 2), lambda: key(nothing=1), lambda: undefined,
        lambda: 1 // 0, lambda: deep(3), reraised, swallowed, returned_in_finally,
        lambda: exec("raise SystemExit(3)"), lambda: eval("key(3)", {"key": key}), lambda: __import__("no.such"),
        lambda: open("/no/such/file"), lambda: "%d" % "x", lambda: "{0.x}".format(1), lambda: b"".decode("none"),
        lambda: print(*[1, 2], file=bad), lambda: sum([[], 1]), lambda: next(iter([])), lambda: iter(1),
        lambda: print(*bad), lambda: print(**{"no": 1}), lambda: len(*[[1, 2]]), lambda: len(**{}),
        lambda: compile("(", "f", "exec"), lambda: isinstance(1, 1), lambda: object().__init__(1),
    ]
    for attempt in attempts:
        try:
            print(attempt())
        except BaseException as error:
            print(type(error).__name__, type(error.__cause__).__name__)
    with Quiet():
        raise ValueError
    try:
        with Bad(), Quiet(), Bad():
            raise LookupError
        with Bad():
            raise LookupError
    except LookupError:
        len("after with")
    del bad, attempts


def recursion():
    def deep(n):
        return 1 + deep(n - 1) if n else 0

    def through_c(n):
        return max([n], key=lambda x: through_c(x - 1) if x else 0)

    def endless(n):
        return endless(n + 1)

    class Node:
        def __init__(self, left):
            self.left = left

        def __repr__(self):
            return "(%r)" % (self.left,)

        def __eq__(self, other):
            return self.left == other.left

    print(deep(800), through_c(60))
    sys.setrecursionlimit(6000)
    print(deep(5000))
    sys.setrecursionlimit(700)
    try:
        endless(0)
    except RecursionError as error:
        print(type(error))
    sys.setrecursionlimit(1000)
    node = other = None
    for _ in range(50):
        node, other = Node(node), Node(other)
    print(len(repr(node)), node == other)


# ---- classes

def classes():
    import collections
    import enum
    import functools
    import io
    import operator

    class Words(dict):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.n = len(self)

        def __missing__(self, key):
            self[key] = len(key)
            return self[key]

        def __setitem__(self, key, value):
            super().__setitem__(key, value)

        def get(self, key, default=None):
            return super().get(key, default)

    class Numbers(list):
        def append(self, item):
            list.append(self, item)
            super().append(item)

        def __getitem__(self, i):
            return super().__getitem__(i)

        def __contains__(self, item):
            return list.__contains__(self, item)

    class Number(int):
        def __new__(cls, value):
            return super().__new__(cls, value)

        def __add__(self, other):
            return Number(int.__add__(self, other))

        __radd__ = __add__

        def __hash__(self):
            return int.__hash__(self)

        def __eq__(self, other):
            return int(self) == int(other)

        def __lt__(self, other):
            return int(self) < int(other)

    class Error(ValueError):
        def __init__(self, *args):
            super().__init__(*args)

        def __str__(self):
            return super().__str__().upper()

    class Stream(io.StringIO):
        def write(self, text):
            return super().write(text.strip())

    class Pair(collections.namedtuple("Pair", "a b")):
        __slots__ = ()

        def total(self):
            return self.a + self.b

    class Meta(type):
        def __new__(mcs, name, bases, space, **options):
            return super().__new__(mcs, name, bases, space)

        def __init__(cls, name, bases, space, **options):
            super().__init__(name, bases, space)

        def __call__(cls, *args):
            return super().__call__(*args)

        @classmethod
        def __prepare__(mcs, name, bases, **options):
            return dict(prepared=len(name))

        def __instancecheck__(cls, other):
            return True

        def __getitem__(cls, item):
            return cls

    class Named:
        def __set_name__(self, owner, name):
            self.name = name

        def __get__(self, instance, owner):
            return len(self.name)

        def __set__(self, instance, value):
            abs(value)

        def __delete__(self, instance):
            pass

    class Made(metaclass=Meta, option=1):
        field = Named()

        def __init_subclass__(cls, **options):
            super().__init_subclass__()

        def __class_getitem__(cls, item):
            return cls

        def __call__(self, *args):
            return len(args)

        @property
        def value(self):
            return abs(-1)

        @value.setter
        def value(self, value):
            abs(value)

        @classmethod
        def of(cls, *args):
            return cls()

        @staticmethod
        def static(*args):
            return len(args)

        @functools.lru_cache(None)
        def cached(self, n):
            return self.static(n)

        @functools.cached_property
        def once(self):
            return len("once")

        def __getattribute__(self, name):
            return super().__getattribute__(name)

        partial = functools.partialmethod(of, 1)

    class Sub(Made):
        def __call__(self, *args):
            return super().__call__(*args)

    words = Words(a=1)
    print(words["b"], words["b"], words.get("c"), dict.get(words, "a"), words.setdefault("z", 3), words.n)
    words.update(q=1)
    words |= {"r": 2}
    numbers = Numbers([3, 1])
    numbers.append(2)
    print(numbers[0], 3 in numbers, sorted(numbers), numbers.index(1), len(numbers), numbers.copy())
    print(Number(1) + 2, 2 + Number(1), sum([Number(1)] * 3), {Number(1): 1}[Number(1)], max(Number(1), Number(2)))
    print(sorted([Number(3), Number(1), Number(2)]), Number.from_bytes(b"a", "big"))
    try:
        raise Error("text")
    except Error as error:
        print(str(error), error.with_traceback(None))
    stream = Stream()
    print("a", "b", file=stream)
    stream.writelines([" x ", " y "])
    print(stream.getvalue(), Pair(1, 2).total(), Pair._make([1, 2])._replace(a=3)._asdict())
    made = Sub()
    made.field, made.value = 2, 3
    del made.field
    print(made.field, made.value, made.cached(1), made.cached(1), made.once, made.once, made(1),
          callable(made.partial()))
    print(isinstance(1, Made), Made[1] is Made, callable(Sub.of()), Sub.static(1, 2), callable(made))
    print(type("Dynamic", (Sub,), {"f": lambda self: len("f")})().f())

    # What is callable and written in C
    first, name, upper = operator.itemgetter(0), operator.attrgetter("a"), operator.methodcaller("upper")
    print(first(numbers), first([1]), name(Pair(1, 2)), upper("x"), list(map(upper, "ab")))
    add = functools.partial(lambda a, b: len((a, b)), 1)
    print(add(2), functools.partial(len, [1])(), functools.reduce(lambda a, b: a + b, numbers))
    print(sorted("ba", key=functools.cmp_to_key(lambda a, b: (a > b) - (a < b))))
    print(len.__call__([1]), "a".__add__("b"), (1).__lt__(2), str.upper("a"), list(map(str.upper, "ab")))
    bound = [].append
    bound(1)
    type.__call__(Words)
    print(object.__new__(Sub)(1), (lambda *a, **k: len(a))(*[1, 2], **{"k": 1}), len(*[[1]]), max(*[1, 2]))
    print(max([1, 2], key=lambda x: -x), min(2, 1, key=abs), "{}".format(Number(2)), "%s" % Number(1))

    @functools.wraps(print)
    def wrapper(*args):
        return len(args)

    @functools.singledispatch
    def dispatched(x):
        return len(str(x))

    @dispatched.register(int)
    def _(x):
        return abs(x)

    @functools.total_ordering
    class Ordered:
        def __init__(self, n):
            self.n = n

        def __lt__(self, other):
            return self.n < other.n

        def __eq__(self, other):
            return self.n == other.n

    class Color(enum.IntFlag):
        RED = 1
        BLUE = 2
    print(wrapper(1), dispatched("x"), dispatched(-1), Ordered(1) >= Ordered(2), sorted([Ordered(2), Ordered(1)])[0].n)
    print(int(Color.RED | Color.BLUE), Color(1).name, collections.Counter("abca").most_common(1))
    print(collections.OrderedDict(a=1).popitem(), collections.defaultdict(lambda: len("x"))["k"])


def attribute_hooks():
    """Classes whose slots are written in Python."""
    class All:
        def __init__(self):
            object.__setattr__(self, "items", {})

        def __getattr__(self, name):
            return len(name)

        def __setattr__(self, name, value):
            self.items[name] = value

        def __delattr__(self, name):
            self.items.pop(name)

        def __getitem__(self, i):
            if isinstance(i, int) and i > 2:
                raise IndexError
            return i

        def __setitem__(self, i, value):
            self.items[i] = value

        def __delitem__(self, i):
            del self.items[i]

        def __contains__(self, i):
            return i in self.items

        def __len__(self):
            return len(self.items)

        def __iter__(self):
            yield from list(self.items)

        def __reversed__(self):
            return iter([1])

        def __call__(self, *args, **kwargs):
            return len(args) + len(kwargs)

        def __eq__(self, other):
            return len(self.items) == 1

        def __hash__(self):
            return len("hash")

        def __format__(self, spec):
            return str(len(spec))

        def __int__(self):
            return len("int")

        __index__ = __int__

        def __neg__(self):
            return abs(-1)

        def __matmul__(self, other):
            return NotImplemented

        def __rmatmul__(self, other):
            return abs(-2)

        def __iadd__(self, other):
            return self

        def __enter__(self):
            return self

        def __exit__(self, *args):
            return len(args)

        def __dir__(self):
            return ["a"]

        def __str__(self):
            return "%d" % len("str")

    o = All()
    o.x = 1
    o.y = 2
    del o.x
    o[1] = 2
    o[2] = 3
    del o[1]
    o += 1
    print(o.missing, o[0], 1 in o, len(o), list(o), list(reversed(o)), o(1, a=2), o == 1, {o: 1}[o], o != o)
    print("{:abc}".format(o), f"{o!s:>3}", int(o), [1, 2, 3, 4][o:], -o, dir(o), str(o), bool(o), hex(o))
    print(1 @ o, getattr(o, "abc"), setattr(o, "n", 1), hasattr(o, "q"), range(o), bytes([1]) * o)
    with o as p, p:
        len("with")
    for item in o:
        abs(1)
    a, *b = o
    first, *rest = o.items
    print(*o, sep=str(a))


def method_objects():
    """Methods around C functions, called in several ways."""
    import types
    length, add = types.MethodType(len, [1]), [].append
    print(length(), length(*()), length(*(), **{}), list(map(lambda f: f(), [length])))
    print(add(1), add(*(1,)), add.__call__(1), types.MethodType(list.append, [])(1))


# ---- threads

def threads():
    import threading

    def work(n):
        for i in range(n):
            len(str(i))
        return sum(abs(i) for i in range(n))

    class Worker(threading.Thread):
        def run(self):
            work(5)

    started = []
    for i in range(4):
        thread = threading.Thread(target=work, args=(10 + i,), name="plain-%d" % i)
        thread.start()
        thread.join()
        started.append(thread.is_alive())
    worker = Worker(name="subclass")
    worker.start()
    worker.join()

    def nested():
        inner = threading.Thread(target=work, args=(3,), name="inner")
        inner.start()
        inner.join()
    outer = threading.Thread(target=nested, name="outer")
    outer.start()
    outer.join()

    def failing():
        work(2)
        raise ValueError("in a thread")
    threading.excepthook = lambda args: print(len(args), args.exc_type.__name__)
    thread = threading.Thread(target=failing, name="failing")
    thread.start()
    thread.join()
    local = threading.local()
    local.x = 1
    thread = threading.Thread(target=lambda: hasattr(local, "x"), name="local")
    thread.start()
    thread.join()
    print(started)


def raw_threads():
    import _thread

    def work(lock, n):
        for i in range(n):
            len(str(i))
        lock.release()

    def failing(lock):
        try:
            abs("x")
        except TypeError:
            lock.release()

    def exiting(lock):
        lock.release()
        _thread.exit()
    for function, args in (work, (20,)), (failing, ()), (exiting, ()):
        lock = _thread.allocate_lock()
        lock.acquire()
        _thread.start_new_thread(function, (lock,) + args)
        lock.acquire()


def handed_over():
    """Two threads by turns."""
    import _thread
    import threading
    mine, theirs = _thread.allocate_lock(), _thread.allocate_lock()
    mine.acquire()
    theirs.acquire()

    def ping(n):
        for i in range(n):
            theirs.acquire()
            len(str(i))
            mine.release()

    def values():
        for i in range(50):
            theirs.release()
            mine.acquire()
            yield abs(i)
    thread = threading.Thread(target=ping, args=(50,), name="ping")
    thread.start()
    print(sum(values()))
    thread.join()


def pool():
    import concurrent.futures

    def work(n):
        if n == 3:
            raise LookupError(n)
        return sum(abs(i) for i in range(n))
    with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="pool") as executor:
        for n in range(6):
            future = executor.submit(work, n)
            print(repr(future.exception()) if n == 3 else future.result())


# ---- CPython's own tests

def unittest(*names):
    """Tests by their names; "-TEXT" leaves out those with TEXT in their id. Those that start processes
    or threads skip themselves: what their own work is depends on when the others do theirs."""
    import subprocess
    import threading
    import unittest
    from test import support

    def skip(*args, **kwargs):
        raise unittest.SkipTest("more than one at a time")
    subprocess.Popen.__init__ = threading.Thread.start = skip
    support.use_resources = []
    without = [name[1:] for name in names if name[0] == "-"]

    def tests(suite):
        for test in suite:
            if isinstance(test, unittest.TestSuite):
                yield from tests(test)
            elif not any(text in test.id() for text in without):
                yield test
    found = unittest.TestLoader().loadTestsFromNames([name for name in names if name[0] != "-"])
    result = unittest.TestResult()
    unittest.TestSuite(tests(found)).run(result)
    print(result.testsRun, [test.id() for test, _ in result.errors + result.failures])


if __name__ == "__main__":
    gc.disable()
    random.seed(0)
    sys.setswitchinterval(1000)
    name, *arguments = sys.argv[1:]
    del sys.argv[1:]
    globals()[name](*arguments)
