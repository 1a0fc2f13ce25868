# `mtrace report` over files made by hand (tests/golden, made by tests/unit/test_golden.c).
. "$(dirname "$0")/run_helper.sh"

golden=$here/../golden
report() { "$MTRACE" report "$@"; }
status() { "$@" >out.txt 2>err.txt; echo $?; }
mkdir traces && cp -L "$golden"/*.trace traces && chmod u+w traces/*

# --- whole outputs; MT_GOLDEN_WRITE=DIRECTORY rewrites them when a change is meant
several() {
  local arguments
  for arguments in "" "-p --width 70 -n 4" "--by process" "--by thread -s cumtime" "--by file -s file" \
    "--callers step" "--callees work.*" "--slowest 3" "-f markdown -n 3" "-f markdown --slowest 2" \
    "-f json -n 2" "-f json --slowest 1" "-f json --callers *append*" "-f json --by thread" \
    "-f csv -s ncalls" "-f csv --by process"; do
    echo "--- report $arguments"
    # shellcheck disable=SC2086
    (set -f; report $arguments traces)
  done
}
same "the reports" "$(several >out.txt 2>err.txt; cat err.txt)" ""
[ -z "${MT_GOLDEN_WRITE:-}" ] || cp out.txt "$MT_GOLDEN_WRITE/report.txt"
same "their text" "$(cat out.txt)" "$(cat "$golden/report.txt")"

# --- for any number of threads
same "-j 1" "$(report -j 1 -f json traces)" "$(report -f json traces)"
same "-j 7" "$(report -j7 -f json traces)" "$(report -f json traces)"

# --- order
first() { report -f csv -n 1 -s "$1" traces | tail -n 1 | sed -E 's/^([^,]*,){16}//; s/,.*//' | tr -d '\r'; }
same "by calls" "$(first ncalls)" work.\<locals\>.step
same "as pstats calls it" "$(first calls)" work.\<locals\>.step
same "by self time" "$(first tottime)" posix.fork
same "by cumulative time" "$(first cumtime)" "<module>"
same "by mean" "$(first mean)" posix.fork
same "by p50" "$(first p50)" posix.fork
same "by max" "$(first max)" work.\<locals\>.step
same "by name" "$(first name)" "(unnamed)"

# --- names
n_rows() { report -f csv "$@" traces | tail -n +2 | wc -l; }
same "by qualified name" "$(n_rows --callers 'work.<locals>.step')" 2
same "by its last part" "$(n_rows --callers step)" 2
same "by glob" "$(n_rows --callers 's*p')" 2
same "of a C function" "$(n_rows --callers list.append)" 2
same "as it is shown" "$(n_rows --callers '*app.py:12*')" 2
same "of nobody" "$(n_rows --callers nobody)" 0

# --- what programs read
"$PYTHON" - <<'PY' || n_wrong=$((n_wrong + 1))
import csv, io, json, os, subprocess
data = bytearray(open("traces/parent.100.trace", "rb").read())
at = data.index(b"numbers")
data[at:at + 7] = b'\x1b",\n\xff|\x00'
open("odd.trace", "wb").write(data)
def report(*options):
    return subprocess.run([os.environ["MTRACE"], "report", *options, "odd.trace"], stdout=subprocess.PIPE, check=True).stdout
rows = json.loads(report("-f", "json").decode())["rows"]
assert {row["function"] for row in rows} >= {'\x1b",\n\ufffd|\0'}, rows
text = report("-f", "csv").decode()
table = list(csv.DictReader(io.StringIO(text, newline="")))
assert len(table) == len(rows) and '\ufffd",\n\ufffd|\ufffd' in [row["function"] for row in table], table
assert all(None not in row and None not in row.values() for row in table)
assert [int(row["tottime_ns"]) for row in table] == [row["tottime_ns"] for row in rows]
for style in "table", "markdown":
    shown = report("-f", style).decode()
    assert not {c for c in shown if ord(c) < 32} - {"\n"}, shown
assert '(?",????)' in report("-f", "table").decode().replace("|", "?"), shown
PY

# --- into a file, and to a terminal
same "-o" "$(status report -o out.json -f json traces)" 0
same "the file" "$(cat out.json)" "$(report -f json traces)"
same "a full disk" "$("$MTRACE" report traces >/dev/full 2>err.txt; echo $?)" 1
has "says so" "$(cat err.txt)" "standard output: cannot be written: No space left"
same "no line is longer than the terminal" "$("$PYTHON" - <<'PY'
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 66, 0, 0))
    os.execv(os.environ["MTRACE"], ["mtrace", "report", "-q", "-n", "3", "traces"])
out = b""
while True:
    try:
        piece = os.read(fd, 4096)
    except OSError:
        piece = b""
    if not piece:
        break
    out += piece
os.waitpid(pid, 0)
rows = [line for line in out.decode().splitlines() if "0.0" in line and "calls in" not in line]
print(len(rows), max(map(len, rows)))
PY
)" "3 66"

# --- wrong usage
same "no path" "$(status report)" 2
for wrong in "-s odd" "--by odd" "-f odd" "-n odd" "-j 0" "--slowest 0" "--width x" "--callers a --callees b"; do
  # shellcheck disable=SC2086
  same "$wrong" "$(status report $wrong traces)" 2
done
has "and says so" "$(cat err.txt)" "different reports"

# --- trouble with traces
same "not there" "$(status report traces gone.trace)" 1
has "says so" "$(cat err.txt)" "mtrace: gone.trace: cannot be opened"
same "the others are in it" "$(cat out.txt)" "$(report traces)"
same "nothing but trouble" "$(status report gone.trace)" 1
same "gives no report" "$(cat out.txt)" ""
mkdir fresh && : >fresh/new.trace
same "a file in which nothing is yet" "$(status report -q fresh)" 0
has "is an empty report" "$(cat out.txt)" "0 function calls in 0.000000 seconds, 0 processes, 0 threads"

finish
