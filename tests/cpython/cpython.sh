#!/bin/sh
# What `./bazelw run //tests/cpython` starts: tells compare.py where everything is.
set -eu
root=$(cd "$0.runfiles/mtrace" && pwd -P)
pythons=$root/tests/cpython/pythons.txt
MTRACE=$root/src/cli/mtrace
MTRACE_HOME=$(readlink -f "$root/src/python")
PYTHONS_ALL=$(tail -n +2 "$pythons" | paste -sd :)
export MTRACE MTRACE_HOME PYTHONS_ALL PYTHONDONTWRITEBYTECODE=1
unset BUILD_WORKING_DIRECTORY BUILD_WORKSPACE_DIRECTORY PYTHONPATH PYTHONHOME
cd "$root"
exec "$(head -n 1 "$pythons")" -m tests.cpython "$@"
