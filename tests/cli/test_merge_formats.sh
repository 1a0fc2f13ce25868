# `mtrace merge`: which format is written, compressed or not, by how many threads, and where to.
. "$(dirname "$0")/run_helper.sh"

golden=$here/../golden
merge() { "$MTRACE" merge "$@"; }
status() { "$@" >out.txt 2>err.txt; echo $?; }
mkdir traces && cp -L "$golden"/*.trace traces && chmod u+w traces/*
# Enough for many tickets: 40 processes with a few threads, and 300,000 events of one.
"$PYTHON" "$here/many_traces.py" many 40 300000

unpack() {
  case $1 in
    *.gz) "$PYTHON" -c 'import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())' "$1" ;;
    *.zst) zstd -dcq "$1" ;;
  esac
}
# What is packed by gzip differs now and then (src/cli/codec_igzip.c), never what comes out.
content() {
  case $1 in
    *.gz) "$PYTHON" -c 'import gzip, sys; sys.stdout.buffer.write(gzip.GzipFile(fileobj=sys.stdin.buffer).read())' ;;
    *) cat ;;
  esac
}

set -o pipefail

# --- any number of threads writes the same, in every format
formats=$(merge --help | sed -nE 's/^  ([a-z-]+) +\.[a-z.]+ .*/\1/p')
has "this test reads --help" " ${formats//$'\n'/ } " ' chrome ' ' chrome-complete '
for format in $formats; do
  for codec in "" .gz .zst; do
    merge -f "$format$codec" -j1 many traces | content "$codec" >one || n_wrong=$((n_wrong + 1))
    for jobs in 2 5 16; do
      merge -f "$format$codec" -j "$jobs" many traces | content "$codec" >several || n_wrong=$((n_wrong + 1))
      cmp one several || { echo "WRONG: $format$codec by $jobs threads"; n_wrong=$((n_wrong + 1)); }
    done
  done
done
same "as many as there are cores" "$(merge many | cksum)" "$(merge -j1 many | cksum)"
same "all events are there" "$(merge many | grep -c '"ph":"[BE]"')" 300000

# --- compressed
merge -o all.json many traces
suffixes=.gz
command -v zstd >/dev/null && suffixes=".gz .zst"
for suffix in $suffixes; do
  same "-o $suffix" "$(status merge -o "all.json$suffix" many traces)" 0
  unpack "all.json$suffix" >unpacked
  cmp all.json unpacked || n_wrong=$((n_wrong + 1))
  same "it is smaller" "$(($(stat -c %s "all.json$suffix") * 4 < $(stat -c %s all.json)))" 1
  merge -f "chrome$suffix" many traces | content "$suffix" >piped
  content "$suffix" <"all.json$suffix" | cmp - piped || n_wrong=$((n_wrong + 1))
done
gzip -t all.json.gz || n_wrong=$((n_wrong + 1))

# --- which format
kind() { head -c 2 "$1" | od -An -tx1 | tr -d ' '; }
same "the suffix says gzip" "$(status merge -o x.json.gz traces; kind x.json.gz)" $'0\n1f8b'
same "the suffix says zstd" "$(status merge -o x.json.zst traces; kind x.json.zst)" $'0\n28b5'
same "no suffix: chrome" "$(status merge -o x traces; cat x)" $'0\n'"$(cat "$golden/merged.json")"
same "another suffix: chrome" "$(status merge -o x.txt traces; cat x.txt)" $'0\n'"$(cat "$golden/merged.json")"
same "-f wins" "$(status merge -f chrome-complete -o x.json traces; cat x.json)" \
  $'0\n'"$(cat "$golden/merged_complete.json")"
same "and the suffix still says gzip" "$(status merge -f chrome -o y.gz traces; kind y.gz)" $'0\n1f8b'
same "-f with a codec" "$(status merge -f chrome.gz -o z traces; kind z)" $'0\n1f8b'
same "--events and a codec" "$(merge --events complete -f chrome.gz traces | gzip -dc)" "$(cat "$golden/merged_complete.json")"
same "an unknown format" "$(status merge -f jpeg traces)" 2
has "is told" "$(cat err.txt)" "there is no format jpeg" "merge --help" "chrome-complete  .json"
same "an unknown codec" "$(status merge -f chrome.xz traces)" 2
same "only a codec" "$(status merge -f .gz traces)" 2
for wrong in 0 -1 x 2x ""; do
  same "-j '$wrong'" "$(status merge -j "$wrong" traces)" 2
done
has "is told" "$(cat err.txt)" "-j is a number from 1 on"

# --- the output's end
for format in chrome chrome.gz chrome-complete; do
  same "| head, $format" "$(
    { merge -j2 -f "$format" many 2>err.txt; echo $? >status.txt; } | head -c 1000 | wc -c
    cat status.txt err.txt
  )" $'1000\n0'
done
same "a full disk" "$(status merge -j2 -o /dev/full many)" 1
has "is told" "$(cat err.txt)" "/dev/full: cannot be written: No space left"
echo precious >kept.json.gz
same "a limit in the middle" "$( (ulimit -f 100; merge -j2 -o kept.json.gz many 2>err.txt); echo $?)" 1
has "is told" "$(cat err.txt)" "kept.json.gz: cannot be written: File too large"
same "the former file is still there" "$(cat kept.json.gz)" precious
same "and nothing beside it" "$(echo kept*)" kept.json.gz

# --- run -o
"$PYTHON" - <<'PY' || n_wrong=$((n_wrong + 1))
import gzip, json, os, subprocess
subprocess.run([os.environ["MTRACE"], "run", "-q", "-o", "run.json.gz", "--", os.environ["PYTHON"], "-c", "len('')"], check=True)
assert any(e["name"] == "<module>" for e in json.loads(gzip.open("run.json.gz").read().decode()) if e["ph"] == "B")
PY

# --- progress: on a terminal only, after half a second, and gone at the end
same "no progress without a terminal" "$(status merge -o x.json many; cat err.txt out.txt)" 0
"$PYTHON" - <<'PY' || n_wrong=$((n_wrong + 1))
import os, pty, select, subprocess, sys, time

def shown(*options):
    """What a terminal sees while a reader of the output is slow: for a second from the first byte on; and how long
    all of it took."""
    screen, terminal = pty.openpty()
    start = time.monotonic()
    merge = subprocess.Popen([os.environ["MTRACE"], "merge", *options, "many"], stdout=subprocess.PIPE, stderr=terminal)
    os.close(terminal)
    text, fast, output = b"", None, merge.stdout.fileno()
    while True:
        slow = fast is None or time.monotonic() < fast
        ready = select.select([screen, output], [], [])[0]
        if screen in ready:
            try:
                text += os.read(screen, 4096)
            except OSError:  # nobody has the terminal any more
                break
        elif output in ready:
            if not os.read(output, 1 << 16):
                output = screen
            fast = fast or time.monotonic() + 1
            if slow:
                time.sleep(0.1)
    assert merge.wait() == 0
    os.close(screen)
    return text, time.monotonic() - start

text, seconds = shown("-j2")
assert b" %, " in text and b"B/s, " in text and b" s left" in text, text
assert text.endswith(b"\r\33[K") and b"\n" not in text, text
assert text.count(b" left") <= 1 + seconds / 0.1, (seconds, text)
assert shown("-j2", "-q")[0] == b""
PY

finish
