"""The macro workloads: programs of the public pyperformance suite by their own names, a Flask request
loop and a multiprocessing pool. All in this process, one after another, each for some 20 to 90 ms
untraced.
"""
import os
import runpy
import sys
from time import perf_counter

HERE = os.path.dirname(os.path.abspath(__file__))

# Folder without "bm_", loops, arguments. A folder may define several benchmarks; those of a program
# called LOGGING are named by the argument.
PROGRAMS = [
    ("chaos", 1, []),
    ("coroutines", 1, []),
    ("deepcopy", 80, []),
    ("deltablue", 8, []),
    ("django_template", 1, []),
    ("float", 1, []),
    ("generators", 1, []),
    ("go", 1, []),
    ("hexiom", 4, []),
    ("json_dumps", 2, []),
    ("logging", 200, ["format"]),
    ("nqueens", 1, []),
    ("pathlib", 1, []),
    ("raytrace", 1, ["--width", "40", "--height", "40"]),
    ("regex_compile", 1, []),
    ("richards", 1, []),
    ("telco", 4, []),
    ("pickle", 5, ["--pure-python", "pickle"]),
]
# Too short beside their siblings at the same number of loops.
LEFT_OUT = {"deepcopy_reduce", "deepcopy_memo"}


def _program(suite, folder, loops, arguments, measure):
    import pyperf
    path = os.path.join(suite, "bm_" + folder, "run_benchmark.py")
    argv = sys.argv
    # --pure-python wants to import pickle anew, without its accelerator.
    modules = {name: sys.modules.pop(name) for name in ("pickle", "_pickle") if name in sys.modules}
    pyperf.loops = loops
    pyperf.measure = lambda name, once: None if name in LEFT_OUT else measure(name, once)
    sys.argv = [path] + arguments
    sys.path.insert(0, os.path.dirname(path))
    try:
        runpy.run_path(path, run_name="__main__")
    finally:
        sys.path.remove(os.path.dirname(path))
        sys.argv = argv
        sys.modules.update(modules)


def _flask(measure):
    import flask
    app = flask.Flask("bench")

    @app.route("/hello/<name>")
    def hello(name):
        return flask.render_template_string("<h1>Hello {{ name }}</h1>{% for i in range(9) %}{{ i }}"
                                            "{% endfor %}", name=name)

    @app.route("/sum", methods=["POST"])
    def total():
        return flask.jsonify(total=sum(flask.request.get_json()["values"]))

    client = app.test_client()

    def once():
        start = perf_counter()
        for i in range(25):
            assert client.get("/hello/%d" % i).status_code == 200
            assert client.post("/sum", json={"values": [1, 2, i]}).get_json()["total"] == 3 + i
        return perf_counter() - start
    measure("flask_requests", once)


def _fib(n):
    return n if n < 2 else _fib(n - 1) + _fib(n - 2)


def _pool(measure):
    import multiprocessing
    context = multiprocessing.get_context("fork")

    def once():
        start = perf_counter()
        with context.Pool(2) as pool:
            assert pool.map(_fib, [13] * 80, chunksize=4)[0] == 233
        return perf_counter() - start
    measure("multiprocessing_pool", once)


def run(suite, measure):
    """Calls measure(name, once) for each program that this interpreter has the packages for."""
    sys.path.insert(0, os.path.join(HERE, "shim"))
    try:
        _flask(measure)
    except ImportError:
        pass
    _pool(measure)
    for folder, loops, arguments in PROGRAMS:
        try:
            if suite:
                _program(suite, folder, loops, arguments, measure)
        except ImportError as error:
            print("%s: %s" % (folder, error), file=sys.stderr)
