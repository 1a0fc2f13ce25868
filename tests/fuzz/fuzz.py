#!/usr/bin/env python3
"""Runs the fuzz targets with libFuzzer.

    ./bazelw run --config=fuzz //tests/fuzz -- TARGET... [-LIBFUZZER_FLAG...]
    ./bazelw run --config=fuzz //tests/fuzz -- --keep TARGET...

TARGET is one of targets.c, or "all": one after the other.  Flags go to libFuzzer; without
-max_total_time, 60 seconds each.  What is found stays in ~/.cache/mtrace/fuzz/TARGET (inputs that reach
something new) and below it in crashes/.  The exit status is 1 if there was a crash.

--keep puts into tests/fuzz/corpus as few of the inputs found as reach every line that all of them reach
together: TARGET.txt, or scripts.txt for all targets that take scripts.  With "all", what was there and reaches
nothing new any more is dropped, but for the lines above the generated ones: written by hand, or once a fault.
"""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))  # in the checkout, not what Bazel made of it
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "mtrace", "fuzz")
LIBFUZZER = os.path.abspath("tests/fuzz/libfuzzer")  # `bazel run` starts in the runfiles
# Inputs this long say all that can be said; longer ones are only slower.
MAX_LEN = {"header": 1200, "trace": 40960, "records": 4096, "definitions": 4096}
MAX_LEN_OF_SCRIPTS = 1500
# A reader's time and memory are bounded by its input.  Inputs that are read quickly are changed more often:
# three times as many runs.
LIMITS = ["-entropic_scale_per_exec_time=1", "-timeout=20", "-rss_limit_mb=2048", "-malloc_limit_mb=600"]
MAX_CORPUS_BYTES = 60000
GENERATED = "# What the fuzzer found: tests/fuzz/fuzz.py --keep"


def targets():
    with open(os.path.join(HERE, "targets.c"), encoding="utf-8") as f:
        return re.findall(r'^    \{"([a-z-]+)", FUZZ_', f.read(), re.M)


def is_words(target):
    return target in MAX_LEN


def pack(target, data):
    """A line of a corpus; see replay.c."""
    if not is_words(target):
        return data.decode("latin-1")
    line = ""
    for part in re.findall(rb"\0{5,}|(?:(?!\0{5}).)+", data, re.S):
        line += " +%d " % len(part) if part.startswith(b"\0" * 5) else part.hex()
    return line.strip()


def unpack(target, line):
    if not is_words(target):
        return line.encode("latin-1")
    return b"".join(bytes(int(word[1:])) if word.startswith("+") else bytes.fromhex(word)
                    for word in line.split())


def corpus_path(target):
    return os.path.join(HERE, "corpus", (target if is_words(target) else "scripts") + ".txt")


def read_corpus(target):
    """The lines written by hand, with their comments, and the generated ones."""
    try:
        with open(corpus_path(target), encoding="latin-1") as f:
            lines = f.read().split("\n")[:-1]
    except FileNotFoundError:
        return [], []
    at = lines.index(GENERATED) if GENERATED in lines else len(lines)
    return lines[:at], lines[at + 1:]


def write_inputs(target, folder, lines):
    os.makedirs(folder, exist_ok=True)
    for i, line in enumerate(lines):
        if line and not line.startswith("#"):
            with open(os.path.join(folder, "%04d" % i), "wb") as f:
                f.write(unpack(target, line))


def libfuzzer(target, arguments):
    environment = dict(os.environ, MTRACE_FUZZ_TARGET=target)
    max_len = "-max_len=%d" % MAX_LEN.get(target, MAX_LEN_OF_SCRIPTS)
    return subprocess.run([LIBFUZZER, max_len] + LIMITS + arguments, env=environment, check=False).returncode


def fuzz(target, flags):
    found = os.path.join(CACHE, target)
    crashes = os.path.join(CACHE, "crashes", target)
    os.makedirs(found, exist_ok=True)
    os.makedirs(crashes, exist_ok=True)
    with tempfile.TemporaryDirectory() as seeds:
        write_inputs(target, seeds, sum(read_corpus(target), []))
        return libfuzzer(target, flags + ["-artifact_prefix=%s/" % crashes, found, seeds])


def shortest(lines):
    """As many of them as a file of the tree may hold."""
    kept, n_bytes = [], 0
    for line in sorted(lines, key=len):
        n_bytes += len(line) + 1
        if n_bytes > MAX_CORPUS_BYTES:
            break
        kept.append(line)
    return sorted(kept)


def keep(target, anew):
    """anew: what was generated before is only kept where it still reaches something."""
    by_hand, generated = read_corpus(target)
    with tempfile.TemporaryDirectory() as top:
        few, more = os.path.join(top, "few"), os.path.join(top, "more")
        write_inputs(target, few, by_hand + ([] if anew else generated))
        write_inputs(target, more, generated)
        found = os.path.join(CACHE, target)
        folders = [more] + ([found] if os.path.isdir(found) else [])
        # Which lines are reached, not how often: few are enough then.
        if libfuzzer(target, ["-merge=1", "-use_counters=0", few] + folders) != 0:
            return 1
        lines = set()
        for name in os.listdir(few):
            with open(os.path.join(few, name), "rb") as f:
                lines.add(pack(target, f.read()))
    lines = shortest(line for line in lines - set(by_hand) if line and not line.startswith("#"))
    with open(corpus_path(target), "w", encoding="latin-1") as f:
        f.write("".join(line + "\n" for line in by_hand + [GENERATED] + lines))
    print("%s: %d inputs" % (corpus_path(target), len(lines)))
    return 0


def main():
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    flags = [a for a in sys.argv[1:] if a.startswith("-") and a != "--keep"]
    known = targets()
    if not names or not all(n in known + ["all"] for n in names):
        sys.exit("fuzz: which of them? all %s" % " ".join(known))
    if not any(f.startswith("-max_total_time") or f.startswith("-runs") for f in flags):
        flags.append("-max_total_time=60")
    worst = 0
    names = known if "all" in names else names
    for name in names:
        print("fuzz: %s" % name, flush=True)
        if "--keep" in sys.argv:
            before = [corpus_path(n) for n in names[:names.index(name)]]
            status = keep(name, names == known and corpus_path(name) not in before)
        else:
            status = fuzz(name, flags)
        worst = max(worst, min(abs(status), 1))
    sys.exit(worst)


main()
