# For test_run_*.sh: a folder to work in, an interpreter, comparisons.  To be sourced.
set -u

# shellcheck disable=SC2034 # for those that source this
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=${PYTHONS_ALL##*:}
export PYTHON
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/mtrace-test.XXXXXX")
work=$(cd "$work" && pwd -P)
trap 'cd /; rm -rf "$work"' EXIT
cd "$work" || exit 1
n_wrong=0

# With a sanitizer's runtime preloaded (.bazelrc) these would be stopped by faults of their own.
dd() { env -u LD_PRELOAD dd "$@"; }
groff() { env -u LD_PRELOAD groff "$@"; }

# same WHAT GOT WANTED
same() {
  if [ "$2" != "$3" ]; then
    printf 'WRONG: %s\n  is:     %s\n  wanted: %s\n' "$1" "$2" "$3"
    n_wrong=$((n_wrong + 1))
  fi
}

# has WHAT TEXT PATTERN...: each pattern is one of `case`
has() {
  local what=$1 text=$2 pattern
  shift 2
  for pattern; do
    # shellcheck disable=SC2254
    case $text in
      *$pattern*) ;;
      *) printf 'WRONG: %s\n  is:     %s\n  wanted: ...%s...\n' "$what" "$text" "$pattern"
         n_wrong=$((n_wrong + 1)) ;;
    esac
  done
}

# until_true COMMAND...: waits for it, 20 s
until_true() {
  local i
  for ((i = 0; i < 1000; i++)); do
    "$@" 2>/dev/null && return 0
    sleep 0.02
  done
  printf 'WRONG: never came true: %s\n' "$*"
  n_wrong=$((n_wrong + 1))
  return 1
}

# stat_fields PID: what /proc says from the third field on (the state), nothing if it is gone
stat_fields() {
  sed 's/.*) //' "/proc/$1/stat" 2>/dev/null
}

# pids_with FIELD VALUE: of the processes that are not zombies; 4 is the parent, 5 the group
pids_with() {
  local dir fields
  for dir in /proc/[0-9]*; do
    read -r -a fields < <(stat_fields "${dir#/proc/}") || continue
    [ "${fields[$(($1 - 3))]}" != "$2" ] || [ "${fields[0]}" = Z ] || echo "${dir#/proc/}"
  done
}

# To be the last command of a test.
finish() {
  [ "$n_wrong" -eq 0 ] || { echo "$n_wrong wrong"; exit 1; }
  exit 0
}
