# `mtrace diff` over files made by hand (tests/golden), and changed copies of them.
. "$(dirname "$0")/run_helper.sh"

golden=$here/../golden
diff_of() { "$MTRACE" diff "$@"; }
status() { "$@" >out.txt 2>err.txt; echo $?; }
mkdir before after && cp -L "$golden"/*.trace before && chmod u+w before/* && cp before/* after

# The second run: a function has moved within its file, one has another name.
"$PYTHON" - <<'PY' || n_wrong=$((n_wrong + 1))
import struct
for name in "parent.100", "child.101":
    data = bytearray(open("before/%s.trace" % name, "rb").read())
    at = data.index(b"work.<locals>.step") - 12  # struct mt_def_code: first_line
    assert data[at:at + 4] == struct.pack("<I", 12), data[at:at + 4]
    data[at:at + 4] = struct.pack("<I", 15)
    with open("after/%s.trace" % name, "wb") as f:
        f.write(data.replace(b"fork", b"farm"))
PY

# --- whole outputs; MT_GOLDEN_WRITE=DIRECTORY rewrites them when a change is meant
several() {
  local arguments
  for arguments in "before after" "before before -n 2" "--processes 100 101 before" "--width 80 before after -n 3" \
    "-f markdown before after -n 2" "-f csv before after" "-f json -n 1 before after"; do
    echo "--- diff $arguments"
    # shellcheck disable=SC2086
    diff_of $arguments
  done
}
same "the comparisons" "$(several >out.txt 2>err.txt; cat err.txt)" ""
[ -z "${MT_GOLDEN_WRITE:-}" ] || cp out.txt "$MT_GOLDEN_WRITE/diff.txt"
same "their text" "$(cat out.txt)" "$(cat "$golden/diff.txt")"
same "-j" "$(diff_of -j 5 -f json before after)" "$(diff_of -j 1 -f json before after)"

# --- functions that are the same
mkdir elsewhere
"$PYTHON" - <<'PY' || n_wrong=$((n_wrong + 1))
import os
for name in os.listdir("after"):
    with open("elsewhere/" + name, "wb") as f:
        f.write(open("after/" + name, "rb").read().replace(b"/srv/", b"/opt/"))
PY
states() { diff_of -f csv "$@" | tr -d '\r' | tail -n +2 | sed -E 's/.*,(both|new|gone),([^,]*),.*/\1 \2/' | LC_ALL=C sort | tr '\n' ';'; }
same "moved within its file" "$(states before after)" \
  'both (unnamed);both <module>;both list.append;both numbers;both work.<locals>.step;gone posix.fork;new posix.farm;'
same "in another directory, and moved" "$(states before elsewhere)" "$(states before after)"

# --- for CI
same "nothing has changed" "$(status diff_of --fail-above 0 --min-time 0 before before)" 0
same "and nothing is said" "$(cat err.txt)" ""
same "fewer calls are fine" "$(status diff_of --fail-above 0 --measure calls before after/child*)" 0
same "more are not" "$(status diff_of --fail-above 10% --measure calls --min-time 0 after/child* before)" 1
has "says so" "$(cat err.txt)" "mtrace: all functions together: calls +1500.0%, from 1 to 16, is above 10%"
has "of functions, too" "$(cat err.txt)" "mtrace: /srv/app.py:12(work.<locals>.step): calls +600.0%, from 1 to 7, is above 10%"
same "but for a lower bar" "$(status diff_of --fail-above 1500 --measure calls after/child* before)" 0
same "self time" "$(status diff_of --fail-above 20 --min-time 5us after/child* before)" 1
has "says so" "$(cat err.txt)" "all functions together: tottime +" "step): tottime +"
same "small functions do not count" "$(diff_of --fail-above 20 --min-time 1 after/child* before 2>&1 >/dev/null | grep -c step)" 0
same "cumulative time" "$(status diff_of --fail-above 20 --measure cumtime --min-time 0 after/child* before)" 1
same "the comparison is written in any case" "$(cat out.txt)" "$(diff_of after/child* before)"

# --- wrong usage
for wrong in "" "before" "before after before" "--processes 100 101" "--processes 100 x before" "-f odd before after" \
  "--fail-above x before after" "--fail-above -1 before after" "--fail-above 1 --min-time 1h before after" "--measure odd before after"; do
  # shellcheck disable=SC2086
  same "diff $wrong" "$(status diff_of $wrong)" 2
done

# --- trouble
same "not there" "$(status diff_of before gone)" 1
has "says so" "$(cat err.txt)" "mtrace: gone: cannot be opened"
same "compares nothing" "$(cat out.txt)" ""
same "no such process" "$(status diff_of --processes 100 7 before)" 1
has "says so" "$(cat err.txt)" "there is no process 7"
cp before/parent.100.trace cut.trace && truncate -s 17000 cut.trace
same "a cut file" "$(status diff_of cut.trace before)" 1
has "is used up to there" "$(cat out.txt)" "calls " "posix.fork"
same "a full disk" "$("$MTRACE" diff before after >/dev/full 2>err.txt; echo $?)" 1
same "-o" "$(status diff_of -o out.json -f json before after)" 0
same "the file" "$(cat out.json)" "$(diff_of -f json before after)"

finish
