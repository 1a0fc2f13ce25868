"""Recorders that are broken on purpose, and a test for each that demands of test_storm.c to say so."""

load("//src:copts.bzl", "COPTS", "LINKOPTS")

# The functions of break.sh.
BROKEN = [
    "chunk_before_header",
    "chunk_before_zeros",
    "definition_before_text",
    "fork_not_noticed",
    "head_before_payload",
    "magic_before_header",
    "name_after_record",
    "record_in_halves",
    "record_late",
]

def _copts(name):
    # The copy's headers come before those of src/core.  Not optimized: it is compiled once for each.
    return ["-I$(BINDIR)/src/core/broken/" + name] + COPTS + ["-O1", "-fno-lto"]

def broken_cores(deps):
    """For src/core: a core_broken_<name> for each, with the test points."""
    sources = native.glob(["*.c", "*.h"])
    for name in BROKEN:
        folder = "broken/%s/core/" % name
        native.genrule(
            name = "break_" + name,
            testonly = True,
            srcs = sources,
            outs = [folder + s for s in sources],
            cmd = "$(location //tests/core/broken:break.sh) %s $(SRCS) $(RULEDIR)/%s" % (name, folder),
            tools = ["//tests/core/broken:break.sh"],
        )
        native.cc_library(
            name = "core_broken_" + name,
            testonly = True,
            srcs = [folder + s for s in sources if s.endswith(".c")],
            hdrs = [folder + s for s in sources if s.endswith(".h")],
            copts = _copts(name),
            defines = ["MT_TESTPOINTS"],
            linkstatic = True,
            visibility = ["//tests/core:__pkg__"],
            deps = deps,
        )

def broken_tests(srcs, deps):
    """For tests/core: a test_broken_<name> for each."""
    for name in BROKEN:
        native.cc_test(
            name = "test_broken_" + name,
            srcs = srcs,
            copts = _copts(name) + ["-UNDEBUG", "-DMT_BROKEN=\\\"%s\\\"" % name],
            linkopts = LINKOPTS,
            linkstatic = True,
            tags = ["broken", "core"],
            deps = deps + ["//src/core:core_broken_" + name, "@cmocka"],
        )
