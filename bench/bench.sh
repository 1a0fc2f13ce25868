#!/bin/sh
# What `./bazelw run //bench` starts: tells bench.py where everything is.
set -eu
BENCH_ROOT=$(cd "$0.runfiles" && pwd -P)
BENCH_PYTHONS=$BENCH_ROOT/mtrace/bench/pythons.txt
BENCH_TOOLS=$BENCH_ROOT/mtrace/bench/tools.txt
EMIT_BENCH=$BENCH_ROOT/mtrace/bench/emit_bench
MAKE_TRACES=$BENCH_ROOT/mtrace/bench/make_traces
WRITE_TRACES=$BENCH_ROOT/mtrace/bench/write_traces
MTRACE=$BENCH_ROOT/mtrace/src/cli/mtrace
MTRACE_HOME=$(readlink -f "$BENCH_ROOT/mtrace/src/python")
export BENCH_ROOT BENCH_PYTHONS BENCH_TOOLS EMIT_BENCH MAKE_TRACES WRITE_TRACES MTRACE MTRACE_HOME
# Files that are named on the command line are the caller's.
[ -z "${BUILD_WORKING_DIRECTORY-}" ] || cd "$BUILD_WORKING_DIRECTORY"
unset BUILD_WORKING_DIRECTORY BUILD_WORKSPACE_DIRECTORY PYTHONPATH PYTHONHOME
exec "$(head -n 1 "$BENCH_PYTHONS" | cut -f 1)" -B "$BENCH_ROOT/mtrace/bench/bench.py" "$@"
