"""Repositories that Bazel's own @bazel_tools loads, served without a network.

Offline, Bazel does not build even one C file without these (they are named in its built-in
WORKSPACE, which ours overrides):

* @rules_cc and @rules_java: generated stand-ins that give the native rules the names that
  @bazel_tools asks for, nothing more.  Debian's package of rules_cc does not fit its Bazel 4.2.3.
* @remote_coverage_tools: our own coverage.py, else `bazel coverage` wants a Java program.
* @bazel_skylib and @rules_python: Bazel 7 alone loads them, for its Java toolchains.  They come
  from /usr/share/bazel, where Debian's Bazel 7 installs them; Bazel 4 never asks for them.
"""

_NATIVE = {
    "rules_cc": ("cc", ["cc_binary", "cc_import", "cc_library", "cc_test", "cc_toolchain", "cc_toolchain_suite"]),
    "rules_java": ("java", ["java_binary", "java_import", "java_library", "java_runtime", "java_test", "java_toolchain"]),
}

def _native_rules_impl(rctx):
    package, symbols = _NATIVE[rctx.attr.rules]
    rctx.file("WORKSPACE", 'workspace(name = "%s")\n' % rctx.attr.rules)
    rctx.file("BUILD", "")
    rctx.file(package + "/BUILD", 'exports_files(["defs.bzl"])\n')
    rctx.file(package + "/defs.bzl", "".join(["%s = native.%s\n" % (s, s) for s in symbols]))

_native_rules = repository_rule(
    implementation = _native_rules_impl,
    attrs = {"rules": attr.string(mandatory = True)},
)

_COVERAGE_BUILD = """\
package(default_visibility = ["//visibility:public"])

sh_binary(
    name = "lcov_merger",
    srcs = ["coverage.py"],
)

sh_binary(
    name = "coverage_report_generator",
    srcs = ["coverage.py"],
)
"""

def _coverage_tools_impl(rctx):
    rctx.symlink(rctx.path(Label("//third_party/bazel:coverage.py")), "coverage.py")
    rctx.file("WORKSPACE", 'workspace(name = "remote_coverage_tools")\n')
    rctx.file("BUILD", _COVERAGE_BUILD)

_coverage_tools = repository_rule(implementation = _coverage_tools_impl)

def _system_rules_impl(rctx):
    system = rctx.path(rctx.attr.path)
    if not system.exists:
        fail("this Bazel needs @%s, which Debian's bazel-bootstrap 7 installs in %s, and that does not exist: install Debian's Bazel, or put %s there" %
             (rctx.name, rctx.attr.path, rctx.name))
    for entry in system.readdir():
        rctx.symlink(entry, entry.basename)

_system_rules = repository_rule(
    implementation = _system_rules_impl,
    attrs = {"path": attr.string(mandatory = True)},
    local = True,
)

def bazel_repositories():
    """Call this from WORKSPACE before anything else."""
    for rules in _NATIVE:
        _native_rules(name = rules, rules = rules)
    _coverage_tools(name = "remote_coverage_tools")
    _system_rules(name = "bazel_skylib", path = "/usr/share/bazel/tools/skylib")
    _system_rules(name = "rules_python", path = "/usr/share/bazel/rules/python")
