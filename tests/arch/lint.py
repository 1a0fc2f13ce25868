"""Runs a program that reads sources over those that the rule c_sources has listed, and fails if it says anything.

    lint.py format FILE.json...     clang-format: is the layout that of .clang-format?
    lint.py tidy FILE.json...       clang-tidy, with .clang-tidy
    lint.py analyze FILE.json...    clang-tidy's analyzer alone, which takes minutes
    lint.py headers FILE.json...    GCC: does each header say all that it needs?
    lint.py cppcheck FILE.json...   cppcheck, with cppcheck.txt
    lint.py python                  ruff, with ruff.toml, over all that is below this folder
    lint.py shell                   shellcheck, with .shellcheckrc, likewise

Run by Bazel, at the top of the runfiles; programs from PyPI are in the folder that PYTHONPATH names.
"""
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# Flags of GCC that clang does not know, and what only costs time.
GCC_ONLY = ("-flto", "-fno-semantic-interposition", "-O")


def program(name):
    """From PyPI, or the machine's."""
    for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        for path in (name.replace("-", "_") + "/data/bin/" + name, "bin/" + name):
            if os.path.exists(os.path.join(folder, path)):
                return os.path.join(folder, path)
    path = shutil.which(name)
    if not path:
        sys.exit("%s is not installed: ./bazelw test installs it on Debian" % name)
    return path


def run(*command):
    """Whether the command found nothing; else what it said is shown."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding="utf-8", errors="replace")
    if done.returncode != 0:
        print(done.stdout.replace(os.getcwd() + "/", ""), end="")
    return done.returncode == 0


def listed(paths):
    """[(file, flags)] of the sources and [header], each once."""
    sources, headers = {}, {}
    for path in paths:
        with open(path, encoding="utf-8") as f:
            lists = json.load(f)
        for source in lists["sources"]:
            sources[source["file"]] = source["flags"]
        for header in lists["headers"]:
            headers[header] = lists["sources"][0]["flags"]
    if not sources:
        sys.exit("nothing to look at")
    return list(sources.items()), list(headers.items())


def for_clang(flags):
    return [flag for flag in flags if not flag.startswith(GCC_ONLY)]


def lint_format(paths):
    sources, headers = listed(paths)
    files = [file for file, _ in sources + headers]
    if run(program("clang-format"), "--dry-run", "-Werror", *files):
        return True
    print("./bazelw run //:format puts this right")
    return False


def lint_tidy(paths, *options):
    tidy = program("clang-tidy")
    return all([run(tidy, "--quiet", *(options or ["--checks=-clang-analyzer-*"]), file, "--", *for_clang(flags))
                for file, flags in listed(paths)[0]])


def lint_analyze(paths):
    # Of the others, too, where the analyzer finds out more.
    return lint_tidy(paths, "--checks=")


def lint_headers(paths):
    cc = os.environ.get("CC") or "gcc"
    return all([run(cc, *flags, "-fsyntax-only", "-x", "c", "-include", header, os.devnull)
                for header, flags in listed(paths)[1]])


def lint_python(_):
    return run(program("ruff"), "check", "--no-cache", "--output-format=concise", ".")


def lint_shell(_):
    scripts = [os.path.join(folder, name) for folder, _, names in os.walk(".", followlinks=True) for name in names
               if name.endswith(".sh")] + ["bazelw", ".ci/failures", ".ci/run"]
    with_shebang = [path for path in scripts if first_line(path).startswith("#!")]
    others = sorted(set(scripts) - set(with_shebang))
    shellcheck = program("shellcheck")
    return all([run(shellcheck, *with_shebang), run(shellcheck, "--shell=bash", *others)])


def first_line(path):
    with open(path, encoding="utf-8") as f:
        return f.readline()


def lint_cppcheck(paths):
    """The house's headers are found by their names; those of libraries are not looked at."""
    cppcheck = program("cppcheck")
    version = subprocess.run([cppcheck, "--version"], stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
    print("with " + version.strip())
    # Not the tests, and not matters of style: each version has other ones, and clang-tidy has them, too.
    files = [file for file, _ in listed(paths)[0] if file.startswith("src/")]
    return run(cppcheck, "--quiet", "--error-exitcode=1", "--std=c11", "--library=posix",
               "--enable=warning,performance,portability", "--suppressions-list=tests/arch/cppcheck.txt",
               "-Iinclude", "-Isrc", "-D__x86_64__", "-DPY_VERSION_HEX=0x030d0000", "-DPyAPI_FUNC(type)=type", *files)


def main(what, *paths):
    if not globals()["lint_" + what](paths):
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
