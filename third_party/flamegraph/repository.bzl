"""The system's flamegraph.pl as @flamegraph//:flamegraph.pl, for tests alone: see README.md."""

_BUILD = """\
filegroup(
    name = "flamegraph",
    srcs = ["flamegraph.pl"],
    visibility = ["@//tests:__subpackages__"],
)
"""

# Where Debian's libdevel-nytprof-perl has it.
_DEBIAN = "/usr/share/perl5/Devel/NYTProf/flamegraph.pl"

def _flamegraph_impl(rctx):
    found = rctx.which("flamegraph.pl") or rctx.path(_DEBIAN)
    if not found.exists:
        fail("flamegraph.pl is not on PATH: install libdevel-nytprof-perl (Debian), or put it there")
    rctx.symlink(found, "flamegraph.pl")
    rctx.file("WORKSPACE", 'workspace(name = "%s")\n' % rctx.name)
    rctx.file("BUILD", _BUILD)

flamegraph_repository = repository_rule(
    implementation = _flamegraph_impl,
    environ = ["PATH"],
    local = True,
    configure = True,
)
