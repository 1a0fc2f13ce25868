"""The system's libuv as @libuv//:uv, for src/cli alone: see README.md.

The static archive where the system has one, so that the program needs libc only; else shared.
"""

load("//third_party/bazel:pkg_config.bzl", "pkg_config")

_BUILD = """\
cc_library(
    name = "uv",
    srcs = {srcs},
    hdrs = glob(["include/**/*.h"]),
    includes = ["include"],
    linkopts = {linkopts},
    visibility = ["@//src/cli:__pkg__"],
)
"""

def _libuv_impl(rctx):
    include = rctx.path(pkg_config(rctx, "libuv", "libuv1-dev", "--variable=includedir"))
    libdir = pkg_config(rctx, "libuv", "libuv1-dev", "--variable=libdir")
    rctx.symlink(include.get_child("uv.h"), "include/uv.h")
    rctx.symlink(include.get_child("uv"), "include/uv")
    srcs = []
    linkopts = pkg_config(rctx, "libuv", "libuv1-dev", "--libs").split(" ")
    for name in ["libuv.a", "libuv_a.a"]:  # the second is Debian 12's
        archive = rctx.path(libdir + "/" + name)
        if archive.exists:
            rctx.symlink(archive, "lib/libuv.a")
            srcs = ["lib/libuv.a"]
            linkopts = ["-lpthread", "-ldl", "-lrt"]
            break
    rctx.file("WORKSPACE", 'workspace(name = "%s")\n' % rctx.name)
    rctx.file("BUILD", _BUILD.format(srcs = repr(srcs), linkopts = repr(linkopts)))

libuv_repository = repository_rule(
    implementation = _libuv_impl,
    environ = ["PATH", "PKG_CONFIG_PATH"],
    local = True,
    configure = True,
)
