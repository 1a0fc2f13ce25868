"""Flags of every C target.

One list for all: a function of the core that is compiled without -fvisibility=hidden is exported
from the extension, and -flto works only where both sides have it.
"""

COPTS = [
    "-std=gnu11",
    # By -I and not by `includes`, which becomes -isystem and silences warnings in our own headers.
    "-Iinclude",
    "-Isrc",
    "-Wall",
    "-Wextra",
    "-Werror=implicit-function-declaration",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wshadow",
    "-fvisibility=hidden",
    "-pthread",
] + select({
    # Not in every mode: these come after --copt, so -O3 here would beat the sanitizers' -O0.
    "//:opt": [
        "-O3",
        "-flto=auto",
        "-fomit-frame-pointer",  # Bazel says -fno-omit-frame-pointer
        "-fno-semantic-interposition",
    ],
    "//conditions:default": [],
})

LINKOPTS = ["-pthread"] + select({
    "//:opt": [
        "-O3",
        "-flto=auto",
    ],
    "//conditions:default": [],
})
