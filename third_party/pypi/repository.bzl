"""Packages from PyPI, by pinned and hashed lists, one repository per CPython of @pythons.

    @pypi_py311//:packages          what tests.txt locks, for CPython 3.11
    @pypi_deep_py311//:packages     what deep.txt locks, for those with a GIL
    @pypi_tools//:packages          what tools.txt locks, for TOOLS; so @pypi_node, @pypi_viewer and @pypi_lint
    @pypi_bench_py311//:packages    what bench.txt locks, for those of COMMON

A launcher_test names them in `deps`.  Each is fetched when a target that needs it is built, and again
when its lock file or the pinned pip changes.  The pinned pip is run by the interpreter itself, for
markers and wheel tags to be its own; so the interpreter needs no pip.
"""

load("@pythons//:versions.bzl", "COMMON", "PYTHONS", "TOOLS")
load("//third_party/bazel:again.bzl", "execute_again")

_ENVIRON = ["PIP_CERT", "PIP_CONFIG_FILE", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"]

def _pip_impl(rctx):
    bootstrap = rctx.path(Label("//third_party/pypi:bootstrap.py"))
    lock = rctx.path(Label("//third_party/pypi:pip.txt"))
    result = execute_again(rctx, [rctx.attr.pythons[0], "-I", bootstrap, lock] + rctx.attr.pythons, timeout = 600)
    if result.return_code != 0:
        fail("PyPI: " + result.stderr[-3000:])
    rctx.file("WORKSPACE", 'workspace(name = "%s")\n' % rctx.name)
    rctx.file("BUILD", "")

_pip_repository = repository_rule(
    implementation = _pip_impl,
    attrs = {"pythons": attr.string_list(mandatory = True)},
    environ = _ENVIRON,
)

_BUILD = """\
load("@mtrace//third_party/bazel:launcher.bzl", "python_packages")

# A folder is one input: as 3000 files it takes twice as long to test.
python_packages(
    name = "packages",
    srcs = ["site", "stamp"],
    path = "site",
    visibility = ["@//tests:__subpackages__", "@//bench:__subpackages__"],
)
"""

def _packages_impl(rctx):
    pip = rctx.path(Label("@pypi_pip//:site/pip/__main__.py")).dirname
    lock = rctx.path(rctx.attr.lock)
    result = execute_again(rctx, [
        rctx.attr.python,
        "-IB",
        pip,
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--no-compile",
        "--no-deps",
        "--no-warn-script-location",
        "--prefer-binary",
        "--require-hashes",
        "--root-user-action=ignore",
        "--target",
        "site",
        "-r",
        lock,
    ], timeout = 1800)
    if result.return_code != 0:
        fail("PyPI: " + result.stderr[-3000:])
    rctx.file("WORKSPACE", 'workspace(name = "%s")\n' % rctx.name)

    # Bazel does not look into the folder `site`: this is what makes tests run again.
    rctx.file("stamp", rctx.attr.full_version + "\n" + rctx.read(lock))
    rctx.file("BUILD", _BUILD)

_packages_repository = repository_rule(
    implementation = _packages_impl,
    attrs = {
        "lock": attr.label(allow_single_file = True, mandatory = True),
        "python": attr.string(mandatory = True),
        "full_version": attr.string(mandatory = True),  # a new 3.13.x: fetch again
    },
    environ = _ENVIRON,
)

def pypi_repositories():
    """Call this from WORKSPACE after pythons_repository(name = "pythons")."""
    _pip_repository(name = "pypi_pip", pythons = [p.executable for p in PYTHONS])
    groups = [("pypi_" + p.tag, p, "tests") for p in PYTHONS]
    groups += [("pypi_deep_" + p.tag, p, "deep") for p in PYTHONS if not p.tag.endswith("t")]
    groups += [("pypi_bench_" + p.tag, p, "bench") for p in COMMON]
    groups += [("pypi_" + group, TOOLS, group) for group in ["tools", "node", "viewer", "lint"]]
    for name, python, group in groups:
        _packages_repository(
            name = name,
            lock = "//third_party/pypi:%s.txt" % group,
            python = python.executable,
            full_version = python.full_version,
        )
