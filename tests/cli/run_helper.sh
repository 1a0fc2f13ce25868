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

# wrong WHAT GOT WANTED: says so, as shortly as the end of a log is
wrong() {
  n_wrong=$((n_wrong + 1))
  if [ "$(wc -l <<<"$2$3")" -gt 6 ]; then
    printf 'WRONG: %s: is (-), wanted (+)\n' "$1"
    diff -U1 <(echo "$2") <(echo "$3") | tail -n +3 | head -n 12 | cut -c 1-300
  else
    printf 'WRONG: %s\n  is:     %.1500s\n  wanted: %.1500s\n' "$@"
  fi
}

# same WHAT GOT WANTED
same() { [ "$2" = "$3" ] || wrong "$@"; }

# has WHAT TEXT PATTERN...: each pattern is one of `case`
has() {
  local what=$1 text=$2 pattern
  shift 2
  for pattern; do
    # shellcheck disable=SC2254
    case $text in
      *$pattern*) ;;
      *) printf 'WRONG: %s\n  is:     %.1500s\n  wanted: ...%.1500s...\n' "$what" "$text" "$pattern"
         n_wrong=$((n_wrong + 1)) ;;
    esac
  done
}

# until_true COMMAND...: waits for it, two minutes (a busy machine needs many seconds)
until_true() {
  local end=$((SECONDS + 120))
  while ((SECONDS < end)); do
    "$@" 2>/dev/null && return 0
    sleep 0.02
  done
  printf 'WRONG: never came true: %s\n' "$*"
  n_wrong=$((n_wrong + 1))
  return 1
}

# pids_with FIELD VALUE: of the processes that are not zombies; 4 is the parent, 5 the group
pids_with() {
  local dir line fields
  for dir in /proc/[0-9]*; do
    line= # a name may have any character
    { read -r -d '' line <"$dir/stat"; } 2>/dev/null
    [ -n "$line" ] || continue
    read -r -a fields <<<"${line##*) }" # from the third on, the state
    [ "${fields[$(($1 - 3))]}" != "$2" ] || [ "${fields[0]}" = Z ] || echo "${dir#/proc/}"
  done
}

# To be the last command of a test.
finish() {
  [ "$n_wrong" -eq 0 ] || { echo "$n_wrong wrong"; exit 1; }
  exit 0
}
