"""Finds the CPythons of this machine and makes one repository of them.

    @pythons//:versions.bzl     PYTHONS, a list of structs in version order; DEFAULT and TOOLS, each
                                one of them; COMMON, a list of some of them
    @pythons//:found.txt        the same for people: what was found, what was left out and why
    @pythons//py311:headers     cc_library with Python.h
    @pythons//py311:python      the interpreter, as a small launcher script

Looked at, in this order, the first of each ABI winning: $MTRACE_PYTHON; python3 and python3.9 to
python3.15 on PATH; every pyenv version; $MTRACE_EXTRA_PYTHONS (paths, with ":" between them).
$MTRACE_PYTHON_VERSIONS ("3.9 3.11") narrows the choice.  A free-threaded CPython is a version of its
own, py313t.

DEFAULT is the first one looked at.  COMMON are those for which compiled packages on PyPI can be
expected: with a GIL, up to 3.14.  TOOLS, which runs what is needed only once (the browser tests), is
DEFAULT if that is one of them, else the newest of them.

A change of these variables is noticed at once, a newly installed interpreter when Bazel's server
starts or by `./bazelw sync --configure`.
"""

_MINORS = range(9, 16)
_COMMON_MINOR = 14

# One value per line; the first line tells our output from a broken shim's.
_PROBE = """
import os, sys, sysconfig
v = sysconfig.get_config_var
gil = "t" if v("Py_GIL_DISABLED") else ""
debug = "d" if hasattr(sys, "gettotalrefcount") else ""
include = sysconfig.get_path("include")
print("\\n".join(["mtrace-probe",
    sys.implementation.name,
    "%d.%d" % sys.version_info[:2],
    sys.version.split()[0],
    "%d%d%s%s" % (sys.version_info[0], sys.version_info[1], gil, debug),
    v("EXT_SUFFIX"),
    include if os.path.exists(os.path.join(include, "Python.h")) else "",
    sysconfig.get_platform().replace("-", "_").replace(".", "_"),
    sys.executable]))
"""

_BUILD = """\
package(default_visibility = ["@//src:__subpackages__", "@//tests:__subpackages__", "@//bench:__subpackages__"])

cc_library(
    name = "headers",
    hdrs = glob(["include/**/*.h"]),
    includes = ["include"],
)

exports_files(["python"])
"""

def _candidates(rctx):
    env = rctx.os.environ
    found = []
    if env.get("MTRACE_PYTHON"):
        exe = env["MTRACE_PYTHON"]
        path = rctx.path(exe) if exe.startswith("/") else rctx.which(exe)
        if not path or not path.exists:
            fail("MTRACE_PYTHON: no such interpreter: " + exe)
        found.append(path)
    names = ["python3"] + ["python3.%d" % m for m in _MINORS] + ["python3.%dt" % m for m in _MINORS]
    found += [path for path in [rctx.which(name) for name in names] if path]
    pyenv = env.get("PYENV_ROOT") or (env["HOME"] + "/.pyenv" if env.get("HOME") else "")
    if pyenv:
        versions = rctx.path(pyenv + "/versions")
        if versions.exists:
            exes = [entry.get_child("bin").get_child("python3") for entry in versions.readdir()]
            found += [path for path in exes if path.exists]
    for exe in env.get("MTRACE_EXTRA_PYTHONS", "").split(":"):
        if exe:
            if not exe.startswith("/") or not rctx.path(exe).exists:
                fail("MTRACE_EXTRA_PYTHONS: no such interpreter (absolute paths, please): " + exe)
            found.append(rctx.path(exe))
    return found

def _probe(rctx, path):
    # pyenv's shims of versions that are not "global" fail here; the versions folder supplies them.
    result = rctx.execute([path, "-I", "-S", "-c", _PROBE], timeout = 30)
    lines = result.stdout.splitlines()
    if result.return_code != 0 or len(lines) != 9 or lines[0] != "mtrace-probe" or lines[1] != "cpython":
        return None
    major, minor = lines[2].split(".")
    if major != "3" or int(minor) not in _MINORS:
        return None
    return struct(
        tag = "py" + lines[4],
        abi = lines[4],
        version = lines[2],
        minor = int(minor),
        full_version = lines[3],
        ext_suffix = lines[5],
        include = lines[6],
        platform = lines[7],
        executable = lines[8],
        # No free-threaded and no debug build: those have more than "39", "311".
        plain = lines[4] == "3" + minor,
    )

def _in_order(pythons):
    return [pythons[tag] for _, tag in sorted([(p.minor, p.tag) for p in pythons.values()])]

def _title(python):
    flavour = python.abi.lstrip("0123456789")
    return python.full_version + (" (%s)" % flavour if flavour else "")

def _pythons_impl(rctx):
    wanted = rctx.os.environ.get("MTRACE_PYTHON_VERSIONS", "").replace(",", " ").split(" ")
    wanted = [w for w in wanted if w]
    pythons = {}
    headerless = {}
    for path in _candidates(rctx):
        python = _probe(rctx, path)
        if python and (not wanted or python.version in wanted):
            found = pythons if python.include else headerless
            if python.tag not in found:
                found[python.tag] = python
    # The headers of one 3.11 build the extension for all of them.
    headerless = {tag: p for tag, p in headerless.items() if tag not in pythons}
    without = ", ".join(["%s (%s)" % (_title(p), p.executable) for p in _in_order(headerless)])
    if not pythons:
        fail("no CPython 3.9 to 3.15 with headers found%s: install python3-dev, or name one in MTRACE_PYTHON" %
             ("; without headers: " + without if without else ""))

    default = pythons.values()[0].tag
    ordered = _in_order(pythons)
    common = [p.tag for p in ordered if p.plain and p.minor <= _COMMON_MINOR]
    tools = default if default in common or not common else common[-1]

    lines = ['"""Generated by //third_party/python:repository.bzl."""', "", "PYTHONS = ["]
    found = []
    for p in ordered:
        rctx.symlink(p.include, p.tag + "/include")
        rctx.file(p.tag + "/python", '#!/bin/sh\nexec "%s" "$@"\n' % p.executable, executable = True)
        rctx.file(p.tag + "/BUILD", _BUILD)
        lines.append(
            ("    struct(tag = %r, abi = %r, version = %r, minor = %r, full_version = %r, ext_suffix = %r, " +
             "platform = %r, executable = %r, plain = %r),") %
            (p.tag, p.abi, p.version, p.minor, p.full_version, p.ext_suffix, p.platform, p.executable, p.plain),
        )
        found.append("CPython %s\t%s" % (_title(p), p.executable))
    lines += ["]", ""]
    lines += ["DEFAULT = [p for p in PYTHONS if p.tag == %r][0]" % default, ""]
    lines += ["COMMON = [p for p in PYTHONS if p.tag in %r]" % common, ""]
    lines += ["TOOLS = [p for p in PYTHONS if p.tag == %r][0]" % tools, ""]
    found += ["no headers, left out: CPython %s\t%s" % (_title(p), p.executable) for p in _in_order(headerless)]
    rctx.file("WORKSPACE", 'workspace(name = "%s")\n' % rctx.name)
    rctx.file("BUILD", 'exports_files(["versions.bzl", "found.txt"])\n')
    rctx.file("versions.bzl", "\n".join(lines))
    rctx.file("found.txt", "\n".join(found) + "\n")

    summary = "mtrace: building for CPython " + ", ".join([_title(p) for p in ordered])
    if without:
        summary += "; left out, no headers: " + without
    # Unlike print(), this has no file and line in front.
    rctx.execute(["sh", "-c", 'echo "$1" >&2', "-", summary], quiet = False)

pythons_repository = repository_rule(
    implementation = _pythons_impl,
    environ = ["MTRACE_PYTHON", "MTRACE_EXTRA_PYTHONS", "MTRACE_PYTHON_VERSIONS", "PYENV_ROOT", "HOME", "PATH"],
    local = True,
    configure = True,
)
