"""A library of the system as @NAME//:LIBRARY, for src/cli alone.

The static archive where the system has one, so that the program needs libc only; else shared.
"""

load("//third_party/bazel:pkg_config.bzl", "pkg_config")

_BUILD = """\
cc_library(
    name = "{name}",
    srcs = {srcs},
    hdrs = glob(["include/**/*.h"]),
    includes = ["include"],
    linkopts = {linkopts},
    visibility = ["@//src/cli:__pkg__"],
)
"""

def _system_library_impl(rctx):
    name, package = rctx.attr.pkg_config, rctx.attr.package
    include = rctx.path(pkg_config(rctx, name, package, "--variable=includedir"))
    libdir = pkg_config(rctx, name, package, "--variable=libdir")
    for header in rctx.attr.headers:
        if include.get_child(header).exists:  # else below the machine's triplet, where compilers look
            rctx.symlink(include.get_child(header), "include/" + header)
    srcs = []
    linkopts = pkg_config(rctx, name, package, "--libs").split(" ")
    # Debian's libzstd.pc forgets the machine's triplet.
    machine = rctx.execute(["uname", "-m"]).stdout.strip()
    for folder in [libdir, libdir + "/" + machine + "-linux-gnu"]:
        archive = rctx.path(folder + "/" + rctx.attr.archive)
        if archive.exists:
            rctx.symlink(archive, "lib/" + rctx.attr.archive)
            srcs = ["lib/" + rctx.attr.archive]
            linkopts = []
            break
    rctx.file("WORKSPACE", 'workspace(name = "%s")\n' % rctx.name)
    rctx.file("BUILD", _BUILD.format(name = rctx.attr.library, srcs = repr(srcs), linkopts = repr(linkopts)))

system_library = repository_rule(
    implementation = _system_library_impl,
    attrs = {
        "library": attr.string(mandatory = True, doc = "the target's name"),
        "pkg_config": attr.string(mandatory = True, doc = "pkg-config's name"),
        "package": attr.string(mandatory = True, doc = "the Debian package"),
        "headers": attr.string_list(mandatory = True, doc = "files and folders below includedir"),
        "archive": attr.string(mandatory = True, doc = "its file below libdir"),
    },
    environ = ["PATH", "PKG_CONFIG_PATH"],
    local = True,
    configure = True,
)
