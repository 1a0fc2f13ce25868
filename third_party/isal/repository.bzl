"""The header of the system's isa-l as @isal//:igzip, if it has one, for src/cli alone: see README.md.

Defines MT_HAVE_ISAL for whoever depends on it where the header is there.
"""

_BUILD = """\
cc_library(
    name = "igzip",
    hdrs = glob(["include/**/*.h"], allow_empty = True),
    defines = {defines},
    includes = ["include"],
    visibility = ["@//src/cli:__pkg__"],
)
"""

def _isal_impl(rctx):
    exe = rctx.which("pkg-config") or rctx.which("pkgconf")
    result = rctx.execute([exe, "--variable=includedir", "libisal"]) if exe else None
    found = result and result.return_code == 0
    if found:
        rctx.symlink(result.stdout.strip() + "/isa-l", "include/isa-l")
    rctx.file("WORKSPACE", 'workspace(name = "%s")\n' % rctx.name)
    rctx.file("BUILD", _BUILD.format(defines = repr(["MT_HAVE_ISAL"] if found else [])))

isal_repository = repository_rule(
    implementation = _isal_impl,
    environ = ["PATH", "PKG_CONFIG_PATH"],
    local = True,
    configure = True,
)
