#!/bin/sh
# What `./bazelw run //tests/view:pictures` starts: makes the pictures of the README in its docs folder anew.
set -eu
root=$(cd "$0.runfiles/mtrace" && pwd -P)
MTRACE=$root/src/cli/mtrace
MTRACE_HOME=$(readlink -f "$root/src/python")
python=$(cut -f 1 "$root/tests/view/tools.txt")
PYTHONS_ALL=$python
PYTHONPATH=$root:$(readlink -f "$root/../$(cut -f 2 "$root/tests/view/tools.txt")")
export MTRACE MTRACE_HOME PYTHONS_ALL PYTHONPATH PYTHONDONTWRITEBYTECODE=1
docs=${BUILD_WORKSPACE_DIRECTORY:?is set by bazel run}/docs
unset BUILD_WORKING_DIRECTORY BUILD_WORKSPACE_DIRECTORY PYTHONHOME
cd "$root"
"$python" -m tests.perfetto.picture "$docs/timeline.png"
"$python" -m tests.view.picture "$docs/view.png"
