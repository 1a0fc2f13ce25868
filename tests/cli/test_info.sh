# `mtrace info` over files made by hand (tests/golden), and the program's own options.
. "$(dirname "$0")/run_helper.sh"

golden=$here/../golden
status() { "$@" >out.txt 2>err.txt; echo $?; }
cp -L "$golden"/*.trace . && chmod u+w ./*.trace
export TZ=UTC

# --- what it tells; MT_GOLDEN_WRITE=DIRECTORY rewrites it when a change is meant
same "info" "$(status "$MTRACE" info parent.100.trace child.101.trace)" 0
same "nothing on standard error" "$(cat err.txt)" ""
[ -z "${MT_GOLDEN_WRITE:-}" ] || cp out.txt "$MT_GOLDEN_WRITE/info.txt"
same "its text" "$(cat out.txt)" "$(cat "$golden/info.txt")"
same "records" "$(status "$MTRACE" info --records parent.100.trace child.101.trace)" 0
[ -z "${MT_GOLDEN_WRITE:-}" ] || cp out.txt "$MT_GOLDEN_WRITE/records.txt"
same "their text" "$(cat out.txt)" "$(cat "$golden/records.txt")"

# Shells complete a directory with a slash.
mkdir folder && cp parent.100.trace folder
has "a directory" "$("$MTRACE" info folder/)" "  files      folder/parent.100.trace,"
rm -r folder

# --- trouble
same "no path" "$(status "$MTRACE" info)" 2
echo "no trace" >bad.trace
same "not a trace" "$(status "$MTRACE" info . )" 1
has "says so" "$(cat err.txt)" "bad.trace: is not an mtrace file"
has "tells of the others" "$(cat out.txt)" "process 100 app" "process 101 child"
same "a full disk" "$("$MTRACE" info parent.100.trace 2>err.txt >/dev/full; echo $?)" 1
has "says so" "$(cat err.txt)" "standard output: cannot be written"

# Names come from the program: nothing of them may reach the terminal's control.
"$PYTHON" - <<'PY'
data = bytearray(open("parent.100.trace", "rb").read())
at = data.index(b"MainThread")
data[at:at + 4] = b"\x1b[2J"
open("escape.trace", "wb").write(data)
PY
same "control characters" "$("$MTRACE" info escape.trace | grep -c "$(printf '\033')")" 0
has "become question marks" "$("$MTRACE" info escape.trace)" "?[2JThread"

# --- the program itself
same "no command" "$(status "$MTRACE")" 2
same "an unknown command" "$(status "$MTRACE" odd)" 2
has "says so" "$(cat err.txt)" "there is no command odd"
has "--help" "$("$MTRACE" --help)" "usage: mtrace COMMAND" "run " "merge " "info " "check "
has "--version" "$("$MTRACE" --version)" "mtrace 0."
for command in run merge report diff info check; do
  same "$command --help" "$(status "$MTRACE" $command --help)" 0
  has "tells its usage" "$(cat out.txt)" "usage: mtrace $command" "options:" "--help"
  same "$command with an unknown option" "$(status "$MTRACE" $command --no-such-option)" 2
  same "$command with an option without a name" "$(status "$MTRACE" $command --=x)" 2
done
same "help on a full disk" "$("$MTRACE" --help 2>/dev/null >/dev/full; echo $?)" 1

finish
