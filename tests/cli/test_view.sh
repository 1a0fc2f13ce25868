# `mtrace view`: where the page goes, who may read it, what opens it, and what is too much for it. What
# is on the page: tests/view.
. "$(dirname "$0")/run_helper.sh"

golden=$here/../golden
status() { "$@" >out.txt 2>err.txt; echo $?; }
mkdir traces tmp bin && cp -L "$golden"/*.trace traces
export TMPDIR=$work/tmp
unset BROWSER DISPLAY WAYLAND_DISPLAY

# --- a file of one's own choice
same "-o" "$(status "$MTRACE" view -o page.html traces; cat out.txt err.txt)" 0
has "is a page" "$(cat page.html)" "<!doctype html>*</html>" "Content-Security-Policy*default-src 'none'" " id=head " " id=overview "
same "no address in it but its own" "$(grep -oE '(https?|ftp|wss?)://' page.html | head -n 1)" ""
"$MTRACE" view -o - traces >stdout.html
same "-o -" "$(cmp page.html stdout.html; echo $?)" 0
same "nothing else is written" "$(ls tmp)" ""
same "the number of threads makes no difference" \
  "$("$MTRACE" view -j1 -o - traces | cksum)" "$("$MTRACE" view -j5 -o - traces | cksum)"

# --- a private one, and nothing to open it with
same "no browser" "$(status "$MTRACE" view traces)" 0
path=$(cat out.txt)
has "the path is printed" "$path" "$work/tmp/mtrace-view-??????/timeline.html"
has "and why nothing opens" "$(cat err.txt)" "there is no browser to open it with: BROWSER is not set, and there is no display"
BROWSER=no-such-program:/none/x status "$MTRACE" view traces >/dev/null
has "or why BROWSER does not" "$(cat err.txt)" "there is no browser to open it with: no command in BROWSER can be started"
ln -s "$(readlink -f "$MTRACE")" bin/mtrace
DISPLAY=:77 PATH=$work/bin status mtrace view traces >/dev/null
has "or xdg-open" "$(cat err.txt)" "there is no browser to open it with: BROWSER is not set, and xdg-open not there"
same "it is private" "$(stat -c %a "$path" "$(dirname "$path")" | xargs)" "600 700"
same "and whole" "$(cmp page.html "$path"; echo $?)" 0
same "-q" "$(status "$MTRACE" view -q traces; cat err.txt)" 0

# --- a browser: it is not waited for, and may stay
cat >bin/browser <<'TEXT'
#!/bin/bash
printf '%s\n' "$@" >"$OPENED.new"
readlink /proc/$$/fd/{0,1,2} | xargs >>"$OPENED.new"
echo $$ >"$OPENED.pid"
mv "$OPENED.new" "$OPENED"
[ "$1" != stay ] || exec sleep 1000
TEXT
chmod +x bin/browser
export OPENED=$work/opened.txt
export BROWSER="no-such-program:bin/browser stay --new %s --last:bin/browser second"
same "BROWSER" "$(status "$MTRACE" view traces; cat err.txt)" 0
until_true test -e opened.txt
same "what it is given" "$(sed -n 1,4p opened.txt)" $'stay\n--new\nfile://'"$(cat out.txt)"$'\n--last'
same "its input and outputs are nowhere" "$(sed -n 5p opened.txt)" "/dev/null /dev/null /dev/null"
same "and it stays" "$(kill "$(cat opened.txt.pid)"; echo $?)" 0
rm -f opened.txt
mkdir "tmp/a b%ü"
BROWSER=bin/browser TMPDIR="$work/tmp/a b%ü" "$MTRACE" view traces >out.txt
until_true test -e opened.txt
same "an address" "$(sed -n 1p opened.txt)" "file://$work/tmp/a%20b%25%C3%BC/$(sed 's|.*/\(mtrace-view.*\)|\1|' out.txt)"
rm -f opened.txt
ln -s "$work/bin/browser" bin/xdg-open
same "a display" "$(env -u BROWSER DISPLAY=:77 PATH="$work/bin:$PATH" "$MTRACE" view traces >out.txt; echo $?)" 0
until_true test -e opened.txt
same "xdg-open" "$(sed -n 1p opened.txt)" "file://$(cat out.txt)"
unset BROWSER

# --- trouble
n_before=$(ls tmp | wc -l)
same "no such file" "$(status "$MTRACE" view nothing.trace)" 1
same "no folder for it" "$(TMPDIR=$work/none status "$MTRACE" view traces)" 1
has "is told" "$(cat err.txt)" "$work/none/mtrace-view-*cannot be made: No such file"
same "nothing is left behind" "$(ls tmp | wc -l)" "$n_before"
same "no path" "$(status "$MTRACE" view)" 2
same "a wrong -j" "$(status "$MTRACE" view -j x traces)" 2
same "a wrong slice" "$(status "$MTRACE" view --from x traces)" 2
same "a full disk" "$(status "$MTRACE" view -o /dev/full traces)" 1
head -c 5000 traces/child.101.trace >traces/half.trace
same "nor is a part of it served" "$(ulimit -f 1; trap '' XFSZ; status "$MTRACE" view --perfetto traces; cat out.txt)" 1
has "a full disk there" "$(cat err.txt)" "mtrace: the timeline: cannot be written: "
same "a damaged trace" "$(status "$MTRACE" view -o half.html traces)" 1
has "is shown all the same" "$(tail -n 1 half.html)" "</html>"

finish
