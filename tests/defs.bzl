"""The tests' macros.  To add a test, add a file:

    tests/unit/test_*.c         C (cmocka): base, reader, sink
    tests/core/test_*.c         C (cmocka): the core with its test points, and the reader
    tests/python/test_*.py      Python (unittest), once for every CPython found
    tests/cli/test_*.sh         shell (bash), of the program
    tests/perfetto/test_*.py    Python (unittest), once, with the packages of @pypi_tools and a browser
    tests/view/test_*.py        the same, of the page of `mtrace view`
    tests/formats/test_*.py     the same with other readers; a browser where the row below says so
    tests/top/test_*.py         Python (unittest), once, with the packages of @pypi_tools: a terminal
    tests/arch/test_*.py        Python (unittest), once, with the sources and the documents

The other files of these folders are there for each test of the folder: C files beside C tests are
linked into them, each tests/python/*.c becomes a shared library tests/python/*.so (for ctypes).
A test that needs more than the defaults has a row in TESTS.

Python tests are run as modules, from the top: `from tests.python import helper`.  Python and shell
tests find in the environment, all absolute:

    MTRACE          the program
    MTRACE_HOME     the home: boot/ and mtrace/ with every extension
    PYTHONS_ALL     the interpreters found, with ":" between them, in version order

Nothing of mtrace is on PYTHONPATH, as nothing is in a user's venv.
"""

load("@pythons//:versions.bzl", "PYTHONS", "TOOLS")
load("//src:copts.bzl", "COPTS", "LINKOPTS")
load("//third_party/bazel:c_sources.bzl", "c_sources")
load("//third_party/bazel:launcher.bzl", "launcher_test")
load("//third_party/python:defs.bzl", "python_test")

# By the file's name without its suffix:
#   size    "small" (a minute), "medium" (five, the default) or "large" (fifteen)
#   tags    "no-sandbox" for what the sandbox forbids, "exclusive" for what must run alone, "block-network" for
#           a loopback of its own
#   pypi    "tests" for the packages of //third_party/pypi:tests.txt, of the test's own CPython; "deep" for
#           those of deep.txt, and the CPythons with a GIL
TESTS = {
    # These change their user or mount something.  The sandbox of Bazel has one user, and its root may not.
    "test_containers": dict(tags = ["no-sandbox"]),
    "test_disk_full": dict(tags = ["no-sandbox"]),
    "test_hostile_disk": dict(tags = ["no-sandbox"]),
    "test_hostile_limits": dict(tags = ["no-sandbox"]),
    "test_hostile_sandbox": dict(tags = ["no-sandbox"]),
    "test_hostile_start": dict(tags = ["no-sandbox"]),
    "test_gunicorn": dict(pypi = "tests", tags = ["no-sandbox"]),
    "test_packages": dict(pypi = "deep"),
    "test_setuid": dict(tags = ["no-sandbox"]),
    # Perfetto's page asks for port 9001, which something else may have.
    "test_view_perfetto": dict(tags = ["block-network"]),
    # Half a minute where there is nothing else to do, but some minutes on a machine with ten times the work.
    "test_ends": dict(size = "large"),
    "test_kill": dict(size = "large"),
    "test_packets": dict(size = "large"),
    "test_stdlib": dict(size = "large"),
    # Chromium does not start with a sanitizer's runtime.
    "test_speedscope": dict(tags = ["browser"]),
    "test_trace_viewer": dict(tags = ["browser"]),
}

_ROW = dict(size = "medium", tags = [], pypi = "")

_PYPI = {"deep": "@pypi_deep_%s//:packages", "tests": "@pypi_%s//:packages"}

_DATA = [
    "//:documents",
    "//:examples",
    "//src/cli:mtrace",
    "//src/python:home",
    "//tests:golden",
    "//tests:package",
]

_ENVIRONMENT = {"PYTHONS_ALL": ":".join([p.executable for p in PYTHONS])}

_PATHS = {
    "MTRACE": "src/cli/mtrace",
    "MTRACE_HOME": "src/python",
}

def _row(name):
    row = dict(_ROW)
    for key, value in TESTS.get(name, {}).items():
        if key not in _ROW:
            fail("tests/defs.bzl: %s has an unknown key: %s" % (name, key))
        row[key] = value
    return struct(**row)

def _names(suffix):
    return [f[:-len(suffix)] for f in native.glob(["test_*" + suffix])]

def _helpers(suffixes):
    return native.glob(["**/*" + s for s in suffixes], exclude = ["test_*" + s for s in suffixes])

def traced_test(
        name,
        src,
        data = [],
        deps = [],
        paths = {},
        size = "medium",
        tags = [],
        pypi = "",
        pythons = PYTHONS):
    """A Python test, of every interpreter, with the program and the home in its environment.

    Args:
      name: the tests are called <name>_py39 and so on.
      src: the file.
      data: further files.
      deps: further python_packages.
      paths: further variables with a path below the workspace's runfiles.
      size: of the test.
      tags: of the test.
      pypi: a key of _PYPI: with these packages on PYTHONPATH.
      pythons: the interpreters.
    """
    for py in pythons:
        if pypi == "deep" and py.tag.endswith("t"):
            continue
        python_test(
            name = name,
            src = src,
            size = size,
            data = _DATA + data,
            environment = _ENVIRONMENT,
            paths = dict(_PATHS, **paths),
            python = py,
            tags = tags,
            deps = deps + ([_PYPI[pypi] % py.tag] if pypi else []),
        )

def _scripts():
    """What //tests/arch:python and :shell look at in the package."""
    if not native.existing_rule("scripts"):
        native.filegroup(
            name = "scripts",
            srcs = native.glob(["**/*.py", "**/*.sh"]),
            visibility = ["//tests/arch:__pkg__"],
        )

def python_tests(data = [], deps = [], paths = {}, tags = [], pythons = PYTHONS):
    """A traced_test for each test_*.py of the package."""
    _scripts()
    for name in _names(".py"):
        row = _row(name)
        traced_test(
            name = name,
            src = name + ".py",
            size = row.size,
            data = data,
            paths = paths,
            pypi = row.pypi,
            pythons = pythons,
            tags = tags + row.tags,
            deps = deps,
        )

def browser_tests(data = [], paths = {}):
    """A traced_test for each test_*.py of the package, with @pypi_tools, under one interpreter."""
    python_tests(
        data = data + [":helpers", "//tests/python:helpers"],
        paths = paths,
        pythons = [TOOLS],
        tags = ["browser"],
        deps = ["@pypi_tools//:packages"],
    )

def screen_tests():
    """A traced_test for each test_*.py of the package, with @pypi_tools, under one interpreter."""
    python_tests(
        data = [":helpers", "//tests/python:helpers"],
        pythons = [TOOLS],
        tags = ["cli"],
        deps = ["@pypi_tools//:packages"],
    )

def reader_tests(data, deps, paths):
    """A traced_test for each test_*.py of the package, with @pypi_tools and what is given, under one interpreter."""
    python_tests(
        data = data + [":helpers", "//tests/perfetto:helpers", "//tests/python:helpers"],
        paths = paths,
        pythons = [TOOLS],
        tags = ["reader"],
        deps = deps + ["@pypi_tools//:packages"],
    )

def shell_tests():
    """A test for each test_*.sh of the package."""
    _scripts()
    for name in _names(".sh"):
        row = _row(name)
        launcher_test(
            name = name,
            src = name + ".sh",
            command = ["/bin/bash", "{file}"],
            size = row.size,
            data = _DATA + [":helpers"],
            environment = _ENVIRONMENT,
            paths = _PATHS,
            tags = row.tags + ["cli"],
        )

def c_test(name, srcs, deps, size = "medium", tags = [], **kwargs):
    """A cmocka test."""
    native.cc_test(
        name = name,
        srcs = srcs,
        # -c opt brings NDEBUG, and tests use assert().  Numbers of tests are small.
        copts = COPTS + ["-UNDEBUG", "-Wno-conversion", "-Wno-sign-conversion"],
        linkopts = LINKOPTS,
        linkstatic = True,
        size = size,
        tags = tags,
        deps = deps + ["@cmocka"],
        **kwargs
    )

def c_tests(tag, deps):
    """A c_test for each test_*.c of the package."""
    for name in _names(".c"):
        row = _row(name)
        c_test(
            name = name,
            srcs = [name + ".c"] + _helpers([".c", ".h"]),
            data = ["//tests:golden"],
            size = row.size,
            tags = row.tags + [tag],
            deps = deps,
        )
    c_sources(
        name = "sources",
        testonly = True,
        targets = [":" + name for name in _names(".c")],
        visibility = ["//tests/arch:__pkg__"],
    )
