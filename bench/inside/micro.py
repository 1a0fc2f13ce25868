"""The micro workloads: each a function that makes about ten thousand events, a *slice*, so that most
slices of a traced run do not take a chunk, and the slices' sum has all that recording costs.
"""


def _fib(n):
    return n if n < 2 else _fib(n - 1) + _fib(n - 2)


def python_calls():
    _fib(17)  # 5 167 calls


def c_calls():
    items = []
    append = items.append
    for _ in range(1600):
        len(items)
        len("abc")
        append(1)


class _Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def length(self):
        return (self.x * self.x + self.y * self.y) ** 0.5


def mixed():
    total = 0
    names = []
    for i in range(800):
        point = _Point(i, i + 1)
        total += point.length()
        names.append(str(i).rjust(5))
        if isinstance(point, _Point):
            total += max(i, 3)
    sorted(names, key=lambda name: name[::-1])
    return total


def _countdown(n):
    while n:
        yield n
        n -= 1


def _doubled(values):
    for value in values:
        yield 2 * value


def generators():
    total = 0
    for value in _doubled(_countdown(2000)):
        total += value
    return total


def _descend(n):
    return _descend(n - 1) + 1 if n else 0


def deep_recursion():
    for _ in range(12):
        _descend(400)


def _fails(value):
    raise LookupError(value)


def _passes_on(value):
    return _fails(value)


def exceptions():
    caught = 0
    for _ in range(1200):
        try:
            _passes_on("x")
        except LookupError:
            caught += 1
        try:
            [].pop()  # a C function that raises
        except IndexError:
            caught += 1
    return caught


WORKLOADS = [python_calls, c_calls, mixed, generators, deep_recursion, exceptions]
