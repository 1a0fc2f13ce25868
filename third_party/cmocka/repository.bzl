"""The system's cmocka as @cmocka, for C tests alone: see README.md."""

load("//third_party/bazel:pkg_config.bzl", "pkg_config")

_BUILD = """\
cc_library(
    name = "cmocka",
    hdrs = glob(["include/*.h"]),
    includes = ["include"],
    linkopts = {linkopts},
    testonly = True,
    visibility = ["@//tests:__subpackages__"],
)
"""

def _cmocka_impl(rctx):
    include = rctx.path(pkg_config(rctx, "cmocka", "libcmocka-dev", "--variable=includedir"))
    for entry in include.readdir():
        if entry.basename.startswith("cmocka"):
            rctx.symlink(entry, "include/" + entry.basename)
    linkopts = pkg_config(rctx, "cmocka", "libcmocka-dev", "--libs").split(" ")
    rctx.file("WORKSPACE", 'workspace(name = "%s")\n' % rctx.name)
    rctx.file("BUILD", _BUILD.format(linkopts = repr(linkopts)))

cmocka_repository = repository_rule(
    implementation = _cmocka_impl,
    environ = ["PATH", "PKG_CONFIG_PATH"],
    local = True,
    configure = True,
)
