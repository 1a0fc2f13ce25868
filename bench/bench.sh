#!/bin/sh
# What `./bazelw run //bench` starts: tells bench.py where everything is.
set -eu
root=$(cd "$0.runfiles" && pwd -P)
[ -z "${BUILD_WORKING_DIRECTORY-}" ] || cd "$BUILD_WORKING_DIRECTORY"
tab=$(printf '\t')
PYTHONS_ALL='' BENCH_PACKAGES=''
while IFS=$tab read -r exe packages; do
  PYTHONS_ALL=${PYTHONS_ALL:+$PYTHONS_ALL:}$exe
  [ -z "$packages" ] || BENCH_PACKAGES=${BENCH_PACKAGES:+$BENCH_PACKAGES:}$exe=$root/$packages
done <"$root/mtrace/bench/pythons.txt"
MTRACE=$root/mtrace/src/cli/mtrace
MTRACE_HOME=$(readlink -f "$root/mtrace/src/python")
EMIT_BENCH=$root/mtrace/bench/emit_bench
export PYTHONS_ALL BENCH_PACKAGES MTRACE MTRACE_HOME EMIT_BENCH
exec "${PYTHONS_ALL%%:*}" "$root/mtrace/bench/bench.py" "$@"
