"""Flags of every C target.

One list for all: a function of the core that is compiled without -fvisibility=hidden is exported
from the extension, and -flto works only where both sides have it.
"""

# Warnings are errors: .bazelrc has -Werror, and says how to do without.  Only what GCC and clang both
# know.  Left out are -Wnull-dereference (at -O3 GCC takes "returns NULL or" for "may be NULL here"),
# -Wswitch-enum (which asks for cases that `default` is there for) and what clang-tidy says as well.
WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wcast-align",
    "-Wconversion",
    "-Wdate-time",  # the same sources give the same program
    "-Wdouble-promotion",
    "-Wformat=2",
    "-Wimplicit-fallthrough",
    "-Wmissing-prototypes",
    "-Wold-style-definition",
    "-Wpointer-arith",
    "-Wshadow",
    "-Wsign-conversion",
    "-Wstrict-prototypes",
    "-Wundef",
    "-Wvla",  # stacks of traced threads may be tiny
    "-Wwrite-strings",
]

COPTS = [
    "-std=gnu11",
    # By -I and not by `includes`, which becomes -isystem and silences warnings in our own headers.
    "-Iinclude",
    "-Isrc",
    "-fvisibility=hidden",
    "-pthread",
] + WARNINGS + select({
    # Not in every mode: these come after --copt, so -O3 here would beat the sanitizers' -O0.
    "//:opt_clang": [
        "-O3",
        "-fomit-frame-pointer",
        "-fno-semantic-interposition",
    ],
    "//:opt": [
        "-O3",
        "-flto=auto",
        "-fomit-frame-pointer",  # Bazel says -fno-omit-frame-pointer
        "-fno-semantic-interposition",
    ],
    "//conditions:default": [],
})

LINKOPTS = ["-pthread"] + select({
    # Clang's own LTO needs a linker plugin that few machines have.
    "//:opt_clang": [],
    "//:opt": [
        "-O3",
        "-flto=auto",
    ],
    "//conditions:default": [],
})
