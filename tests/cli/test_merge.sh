# `mtrace merge` over files made by hand (tests/golden, made by tests/unit/test_golden.c).
. "$(dirname "$0")/run_helper.sh"

golden=$here/../golden
merge() { "$MTRACE" merge "$@"; }
status() { "$@" >out.txt 2>err.txt; echo $?; }
mkdir traces && cp -L "$golden"/*.trace traces && chmod u+w traces/*

# --- what comes out
same "files" "$(merge traces/*.trace)" "$(cat "$golden/merged.json")"
same "a directory" "$(merge traces)" "$(cat "$golden/merged.json")"
same "complete events" "$(merge --events complete traces)" "$(cat "$golden/merged_complete.json")"
same "begin and end events" "$(merge --events=begin-end traces)" "$(cat "$golden/merged.json")"
for format in speedscope:.speedscope.json collapsed:.collapsed; do
  same "${format%%:*}" "$(merge -f "${format%%:*}" traces)" "$(cat "$golden/merged${format#*:}")"
  same "${format%%:*} by its suffix" "$(merge -o "by${format#*:}" traces; cat "by${format#*:}")" \
    "$(cat "$golden/merged${format#*:}")"
done
"$PYTHON" - <<'PY' || n_wrong=$((n_wrong + 1))
import json, os, subprocess
for style in "begin-end", "complete":
    text = subprocess.run([os.environ["MTRACE"], "merge", "--events", style, "traces"], stdout=subprocess.PIPE, check=True).stdout
    events = json.loads(text.decode())
    assert {e["ph"] for e in events} >= {"M", "B", "s", "f", "i"}, style
    assert min(e["ts"] for e in events if e["ph"] != "M") == 0
PY

# --- into a file
same "-o" "$(status merge -o all.json traces)" 0
same "says nothing" "$(cat out.txt err.txt)" ""
same "the file" "$(cat all.json)" "$(cat "$golden/merged.json")"
same "nothing else is left" "$(echo all.json*)" all.json
echo old >old.json && chmod 640 old.json && ln -s old.json link.json
same "-o over a file, by a link" "$(status merge -qolink.json traces/parent*)" 0
same "the link stays" "$(readlink link.json)" old.json
same "the mode stays" "$(stat -c %a old.json)" 640
for mask in 000 022 077; do
  same "whatever the umask $mask" "$(umask $mask; "$MTRACE" merge -o old.json traces; stat -c %a old.json)" 640
done
same "another kind of file is written to as it is" "$(status merge -o /dev/null traces)" 0
same "- is standard output" "$(merge -o - traces)" "$(cat "$golden/merged.json")"

# --- wrong usage
same "no path" "$(status merge)" 2
has "and says so" "$(cat err.txt)" "there is no PATH" "mtrace merge --help"
same "an unknown style" "$(status merge --events odd traces)" 2
same "an unknown option" "$(status merge --odd traces)" 2
has "names it" "$(cat err.txt)" "no option --odd"
same "an option without its value" "$(status merge traces -o)" 2
has "help" "$(merge --help)" "usage: mtrace merge" "--events STYLE" "--output FILE"

# --- trouble with traces: the others are merged
same "not there" "$(status merge traces/*.trace gone.trace)" 1
has "says so" "$(cat err.txt)" "mtrace: gone.trace: cannot be opened"
same "the rest is merged" "$(cat out.txt)" "$(cat "$golden/merged.json")"
echo "no trace" >bad.trace
same "not a trace" "$(status merge bad.trace traces)" 1
has "says so" "$(cat err.txt)" "mtrace: bad.trace: is not an mtrace file (at byte 0)"
same "the rest is merged, too" "$(cat out.txt)" "$(cat "$golden/merged.json")"
same "nothing but trouble" "$(status merge -o none.json bad.trace)" 1
same "gives no file" "$(echo none*)" "none*"
mkdir empty
same "a directory without traces" "$(status merge empty)" 1
has "says so" "$(cat err.txt)" "empty: has no .trace files"
: >new.trace
same "a file in which nothing is yet" "$(status merge traces new.trace)" 0
has "is noted" "$(cat err.txt)" "mtrace: note: new.trace: nothing is recorded in it"
same "a file twice" "$(status merge traces traces/child.101.trace)" 0
has "is noted" "$(cat err.txt)" "mtrace: note: traces/child.101.trace: was given twice; used once"
same "-q: no notes" "$(status merge -q traces new.trace traces/child.101.trace)" 0
same "at all" "$(cat err.txt)" ""
cp traces/parent.100.trace cut.trace && truncate -s 17000 cut.trace
same "a cut file" "$(status merge cut.trace)" 1
has "says where" "$(cat err.txt)" \
  "mtrace: cut.trace: ends within the chunk at offset 16384 (at byte 17000)"
has "and is used up to there" "$(cat out.txt)" '"name":"posix.fork"'
cp traces/parent.100.trace newer.trace && printf '\002' | dd of=newer.trace bs=1 seek=8 conv=notrunc 2>/dev/null
same "a newer version" "$(status merge newer.trace)" 1
has "says so" "$(cat err.txt)" "newer.trace: has format version 2.0"
mkfifo pipe.trace
same "a pipe does not keep it waiting" "$(status timeout 20 "$MTRACE" merge pipe.trace)" 1
has "says so" "$(cat err.txt)" "pipe.trace: is not a regular file"

# --- trouble with the output
same "a full disk" "$("$MTRACE" merge traces >/dev/full 2>err.txt; echo $?)" 1
has "says so" "$(cat err.txt)" "standard output: cannot be written: No space left"
same "a full disk, by -o" "$(status merge -o /dev/full traces)" 1
echo precious >kept.json
same "a limit" "$( (ulimit -f 1; "$MTRACE" merge -o kept.json traces 2>err.txt); echo $?)" 1
has "says so" "$(cat err.txt)" "kept.json: cannot be written: File too large"
same "the former file is still there" "$(cat kept.json)" precious
same "and nothing beside it" "$(echo kept*)" kept.json
same "no such directory" "$(status merge -o no/such/file traces)" 1
has "says so" "$(cat err.txt)" "no/such/file: cannot be written"
exec 9> >(exit 0)
wait $!
same "nobody reads" "$("$MTRACE" merge traces >&9 2>err.txt; echo $?)" 0
same "which is no error" "$(cat err.txt)" ""
exec 9>&-

finish
