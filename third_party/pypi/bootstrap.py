"""Installs the pinned pip into ./site, by whatever pip this machine has; standard library only.

    bootstrap.py LOCK EXECUTABLE...
"""
import glob
import subprocess
import sys


def bundled_pips(exe):
    """The wheels of ensurepip, which Debian leaves out, and of Debian's python3-pip-whl."""
    probe = subprocess.run([exe, "-I", "-c", "import ensurepip; print(ensurepip.__path__[0])"],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True)
    folders = [probe.stdout.strip() + "/_bundled"] if probe.returncode == 0 else []
    for folder in folders + ["/usr/share/python-wheels"]:
        yield from glob.glob(folder + "/pip-*.whl")


def commands(executables):
    """Command lines that may run some pip, installed ones first."""
    for exe in executables:
        yield [exe, "-I", "-m", "pip"]
    for exe in executables:
        for wheel in bundled_pips(exe):
            yield [exe, "-I", wheel + "/pip"]  # a wheel is a zip file, and can be run


def main(lock, *executables):
    for command in commands(executables):
        # "list": "--version" also passes for a pip that is too old for its interpreter.
        probe = subprocess.run(command + ["list", "--disable-pip-version-check"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if probe.returncode == 0:
            break
    else:
        sys.exit("no pip on this machine: install python3-pip-whl (Debian), or an interpreter with pip")
    sys.exit(subprocess.run(command + [
        "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--no-deps",
        "--only-binary=:all:", "--require-hashes", "--target", "site", "-r", lock]).returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
