#!/usr/bin/env python3
"""Writes compile_commands.json, for clangd and clang-tidy; run it at the top of the checkout.

    third_party/bazel/compile_commands.py [BAZEL OPTIONS ...]

It asks `bazel aquery`, since a compiler wrapper cannot see what Bazel's server starts.
"""
import json
import os
import subprocess
import sys

# What GCC or Bazel's toolchain for it has and clang does not know, and what only costs time.
GCC_ONLY = ("-fno-canonical-system-headers", "-Wunused-but-set-parameter", "-Wno-free-nonheap-object",
            "-fno-semantic-interposition", "-flto", "-frandom-seed")


def bazel(*args):
    return subprocess.run(["./bazelw", *args], check=True, stdout=subprocess.PIPE).stdout


def main(options):
    root = os.getcwd()
    # The folder that external/, the generated headers' home, lies in.
    execution_root = bazel("info", "execution_root").decode().strip()
    actions = json.loads(bazel("aquery", *options, "--output=jsonproto",
                               "mnemonic('CppCompile', //...)"))["actions"]
    entries = {}
    for action in actions:
        args = action["arguments"]
        source = args[args.index("-c") + 1]
        if source.startswith("external/"):
            continue
        keep = [a for a in args if not a.startswith(GCC_ONLY)]
        # Our own files by their real path, the rest below Bazel's execution root.
        keep[keep.index(source)] = os.path.join(root, source)
        # A source that several targets compile (one extension per CPython) is listed once.
        entries.setdefault(source, {
            "directory": execution_root, "file": os.path.join(root, source), "arguments": keep})
    with open("compile_commands.json", "w") as out:
        json.dump([entries[s] for s in sorted(entries)], out, indent=1)
        out.write("\n")
    print("%d files" % len(entries))


if __name__ == "__main__":
    main(sys.argv[1:])
