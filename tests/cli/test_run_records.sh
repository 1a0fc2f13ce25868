# What `mtrace run` leaves behind and says about it: files, the timeline of -o, the summary.
. "$(dirname "$0")/run_helper.sh"

# A .py file, -m or -c; any program
run() { run_any --python "$PYTHON" "$@"; }
run_any() { "$MTRACE" run "$@" 2>err.txt; }
fresh() { cd "$work" && rm -rf box && mkdir box && cd box || exit 1; }
n_traces() { find "${1:-.}" -name '*.trace' | wc -l; }
# calls FILE NAME: how often it begins in the timeline
calls() {
  "$PYTHON" - "$@" <<'PY'
import json, sys
with open(sys.argv[1]) as file:
    print(sum(e.get("name") == sys.argv[2] and e.get("ph") == "B" for e in json.load(file)))
PY
}
cat >"$work/work.py" <<'PY'
import os, sys, threading
def work():
    len("")
def main():
    for _ in range(int(sys.argv[1])):
        work()
thread = threading.Thread(target=main)
thread.start(); thread.join()
if "fork" in sys.argv:
    if os.fork() == 0:
        main()
        os._exit(0)
    os.wait()
PY
export TMPDIR=$work/tmp
mkdir "$TMPDIR"
temporary() { find "$TMPDIR" -mindepth 1 -maxdepth 1 | wc -l; }

# --- the current directory
fresh
run ../work.py 1000
same "status" $? 0
same "one file" "$(ls)" "$(printf 'err.txt\n%s' work.*.trace)"
same "private" "$(stat -c %a work.*.trace)" 600
"$MTRACE" check work.*.trace >check.txt 2>&1
same "check" $? 0
"$MTRACE" merge ./*.trace >all.json
same "all calls" "$(calls all.json work)" 1000
has "the summary" "$(cat err.txt)" "mtrace: 1 process, 2 threads, " ",??? Python calls, " " C calls" \
  "files     1, " "in the current directory" "timeline  mtrace merge *.trace > all.json" perfetto "browser   mtrace view *.trace"
same "it is short" "$(wc -l <err.txt)" 4
run ../work.py 5
has "an earlier run's files do not count" "$(cat err.txt)" "mtrace: 1 process, " "files     1, "
same "they stay" "$(n_traces)" 2
run --no-c ../work.py 5
same "--no-c" "$(grep -c ' C call' err.txt)" 0
run -q ../work.py 5
same "-q" "$(cat err.txt)" ""

# --- -d
fresh
run -d "a b" ../work.py 5 fork
same "-d" "$(n_traces "a b")" 2
has "-d" "$(cat err.txt)" "2 processes" "in a b" "mtrace merge 'a b'/*.trace"
eval "$(sed -n 's/^ *timeline *mtrace\(.*>\).*/"$MTRACE"\1 all.json/p' err.txt)"
same "the command of the summary works" "$(calls all.json work)" 10

# --- -o
fresh
run -o all.json ../work.py 100 fork
same "-o" "$(ls)" "$(printf 'all.json\nerr.txt')"
same "-o: all calls" "$(calls all.json work)" 200
same "-o: nothing is left" "$(temporary)" 0
has "-o" "$(cat err.txt)" "removed after merging" "timeline  all.json, merged in "
run -d traces -o all.json ../work.py 5
same "-o and -d" "$(calls all.json work)-$(n_traces traces)" 5-1
run -q -o all.json -c 'import os
def kill(): os.kill(os.getpid(), 9)
kill()'
same "-o after SIGKILL" $? 137
same "-o after SIGKILL: the timeline" "$(calls all.json kill)" 1
rm all.json
run_any -o all.json true
same "-o, but nothing was traced" "$?-$(ls all.json 2>&-)-$(temporary)" 1--0
has "says so" "$(cat err.txt)" "no process was traced: "
run_any -o all.json sh -c 'exit 3'
same "the program's status comes first" $? 3
mkfifo pipe
timeout 20 cat pipe >from_pipe.json &
run -o pipe ../work.py 5
wait $!
same "-o into a pipe" "$(test -p pipe && calls from_pipe.json work)" 5
run -o /dev/full ../work.py 5
same "-o cannot be written" $? 1
same "then the files are kept" "$(temporary)-$(n_traces "$TMPDIR")" 1-1
has "and it says where" "$(cat err.txt)" "in $TMPDIR/mtrace-"
rm -rf "${TMPDIR:?}"/*

# --- several programs
fresh
pythons=${PYTHONS_ALL//:/ }
for p in $pythons; do echo "$p ../work.py 10"; done >script
run_any -o all.json sh script
n=$(wc -w <<<"$pythons")
same "a shell script" "$(calls all.json work)" "$((10 * n))"
has "a shell script" "$(cat err.txt)" "mtrace: $n process"
fresh
run_any sh -c "$PYTHON -E -S ../work.py 1; $PYTHON ../work.py 1"
has "one that cannot be followed" "$(cat err.txt)" "mtrace: 1 process, "
fresh
run_any "$PYTHON" -I ../work.py 1
has "none that can be followed" "$(cat err.txt)" "no process was traced: " "-E, -I or -S"
fresh
run_any sh -c "exec $PYTHON ../work.py 3"
has "exec" "$(cat err.txt)" "mtrace: 1 process, 2 threads"
fresh
run_any -d outer "$MTRACE" run -q -d inner "$PYTHON" ../work.py 7
same "a run inside a run" "$(n_traces inner)-$(n_traces outer)" 1-0

# --- processes that the program leaves behind
fresh
cat >daemon.py <<'PY'
import os, sys, time
if os.fork() == 0:
    with open("daemon.pid", "w") as file:
        file.write(str(os.getpid()))
    os.closerange(0, 3)
    time.sleep(300)
while not os.path.exists("daemon.pid"):
    time.sleep(0.01)
PY
SECONDS=0
run -o all.json daemon.py
same "it is not waited for" "$((SECONDS < 100))" 1
pid=$(cat daemon.pid)
has "it is named" "$(cat err.txt)" "1 process still running, and recording (pid $pid)" "in $TMPDIR/"
same "its file stays" "$(find "$TMPDIR" -name "daemon.$pid.trace" | wc -l)" 1
kill "$pid"
rm -rf "${TMPDIR:?}"/*

# --- what could not be traced
fresh
echo "of an earlier run" >old.1.untraced
touch -d yesterday old.1.untraced
sleep 0.1
run_any sh -c 'echo "/opt/python: it is too old." >a.7.untraced; cp a.7.untraced b.8.untraced
  printf "other\033[31m reason" >c.9.untraced; sleep 0.1'
has "reasons" "$(cat err.txt)" "no process was traced" \
  "untraced  a.7 and 1 more: /opt/python: it is too old" "untraced  c.9: other [31m reason"
same "the notes are gone, but not an older one" "$(echo ./*.untraced)" ./old.1.untraced

# --- losses
fresh
run_any sh -c "$PYTHON ../work.py 5; $PYTHON ../work.py 5; for file in *.trace; do
  printf '\007' | env -u LD_PRELOAD dd of=\$file bs=1 seek=256 conv=notrunc status=none  # header.n_lost
  printf '\001' | env -u LD_PRELOAD dd of=\$file bs=1 seek=264 conv=notrunc status=none  # header.loss_reason
done"
has "a loss" "$(cat err.txt)" "lost      14 events in 2 processes: no space left on the device"
fresh
(ulimit -f 200; exec "$MTRACE" run --python "$PYTHON" ../work.py 100000 2>/dev/full)
same "the file-size limit does not end mtrace either" $? 0

# --- another uid
fresh
chmod 711 "$work" "$PWD"
# Not where a folder above is root's alone.
reach='import os; os.setuid(65534); os.stat(os.path.abspath("no"))'
if [ "$(id -u)" -eq 0 ] && "$PYTHON" -c "$reach" 2>&1 | grep -q NotFound; then
  run -d drop -c 'import os; os.setgid(65534); os.setuid(65534); os.fork(); (lambda: 0)()'
  same "files of two uids" "$(stat -c %u drop/*.trace | sort | tr '\n' ' ')" "0 65534 "
  has "both count" "$(cat err.txt)" "mtrace: 2 processes"
fi
finish
