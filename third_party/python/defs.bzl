"""python_extension and python_test, each for one interpreter of @pythons."""

load("//third_party/bazel:launcher.bzl", "launcher_test")

def python_extension(name, module, python, deps = [], visibility = None, **kwargs):
    """A CPython extension module for one interpreter.

    Args:
      name: an alias of the file, which is called <module><EXT_SUFFIX>.
      module: path of the module below this package, "mtrace/_tracer".
      python: one of PYTHONS.
      deps: as of cc_binary, beside the interpreter's headers.
      visibility: of the file and the alias.
      **kwargs: as of cc_binary.
    """
    shared = module + python.ext_suffix
    native.cc_binary(
        name = shared,
        linkshared = True,
        linkstatic = True,
        visibility = visibility,
        deps = deps + ["@pythons//%s:headers" % python.tag],
        **kwargs
    )
    native.alias(name = name, actual = shared, visibility = visibility)

def python_test(name, src, python, tags = [], **kwargs):
    """Runs one .py file as a module, under one interpreter: `python -m tests.python.test_x`.

    By -m, since given a file name CPython resolves the runfiles' symlink and puts the *source* folder
    on sys.path, where undeclared helpers import happily.

    Args:
      name: the test is called <name>_<tag>, "test_fork_py311".
      src: the file.
      python: one of PYTHONS.
      tags: further tags; "python" and the interpreter's own are always there.
      **kwargs: as of launcher_test.
    """
    launcher_test(
        name = "%s_%s" % (name, python.tag),
        src = src,
        command = [python.executable, "-m", "{module}"],
        key = python.full_version,
        tags = tags + ["python", python.tag],
        **kwargs
    )
