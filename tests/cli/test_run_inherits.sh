# A program finds the same signals, descriptors and limits under `mtrace run` as without it.
. "$(dirname "$0")/run_helper.sh"

show=$here/run_shows_inherited.py
cp "$show" show.py
export GROUP
GROUP=$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f3)
export PYTHONDONTWRITEBYTECODE=1

# both WHAT PREFIX REDIRECTIONS: runs it without and with mtrace
both() {
  eval "$2 $PYTHON show.py $3 >one.txt" 2>err1.txt
  eval "$2 \"\$MTRACE\" run -q $PYTHON show.py $3 >two.txt" 2>err2.txt
  # The pipe or file of standard output is the test's.
  sed -i '/^1 /d; s/err[12]/err/; /^2 .*err/s/flags [0-9]*//' one.txt two.txt
  [ -s one.txt ] || same "$1: shows something" nothing something
  same "$1" "$(cat two.txt)" "$(cat one.txt)"
}

both "plain" "" ""
both "nohup" "nohup" ""
grep -q 'SigIgn.*1$' two.txt || same "SIGHUP is still ignored under nohup" no yes
both "ignored signals" "$PYTHON -c 'import os, signal, sys
for n in (1, 2, 3, 10, 17, 20, 21, 28, 40): signal.signal(n, signal.SIG_IGN)
signal.signal(signal.SIGPIPE, signal.SIG_DFL); signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])'" ""
both "blocked signals" "$PYTHON -c 'import os, signal, sys
signal.pthread_sigmask(signal.SIG_SETMASK, {2, 10, 12, 15, 17, 18, 20, 28, 45})
os.execvp(sys.argv[1], sys.argv[1:])'" ""
both "closed standard input" "" "<&-"
both "closed standard error" "" "2>&-"
both "closed standard input and error" "" "<&- 2>&-"
both "further descriptors" "" "5</dev/null 17<show.py 9>&-"
both "many descriptors" "" "3</dev/null 4</dev/null 6</dev/null 7</dev/null 8</dev/null 10</dev/null \
  11</dev/null 12</dev/null 13</dev/null 14</dev/null 15</dev/null 16</dev/null 200</dev/null"
mkfifo fifo
both "a standard input that does not block" "$PYTHON -c 'import os, sys
fd = os.open(\"fifo\", os.O_RDONLY | os.O_NONBLOCK); os.dup2(fd, 0); os.close(fd)
os.execvp(sys.argv[1], sys.argv[1:])'" ""
both "limits" "ulimit -c 0; ulimit -n 64; umask 027; nice -n 3" ""

# SIGPIPE is the program's again, though mtrace ignores it for itself; whoever runs this may ignore it, too.
env --default-signal=PIPE "$MTRACE" run -q sh -c 'yes; echo "status $?" >&2' 2>err.txt | head -1 >out.txt
same "SIGPIPE ends what writes to a closed pipe" "$(cat err.txt)" "status 141"

# CPython ignores both by itself, so that the program above cannot tell.
ignored='import os, signal, sys
signal.signal(signal.SIGPIPE, getattr(signal, sys.argv[1])); signal.signal(signal.SIGXFSZ, getattr(signal, sys.argv[1]))
os.execvp(sys.argv[2], sys.argv[2:])'
for how in SIG_IGN SIG_DFL; do
  same "SIGPIPE and SIGXFSZ, $how" \
    "$("$PYTHON" -c "$ignored" $how "$MTRACE" run -q grep SigIgn /proc/self/status)" \
    "$("$PYTHON" -c "$ignored" $how grep SigIgn /proc/self/status)"
done

# mtrace is not ended by a summary that it cannot print, and gives the program's status.
"$MTRACE" run sh -c 'exit 5' 2>&-
same "closed standard error" $? 5
"$MTRACE" run sh -c 'exit 5' >&- 2>&- <&-
same "everything closed" $? 5
{ "$MTRACE" run sh -c 'sleep 0.3; exit 5' 2>&1 >/dev/null; echo $? >status.txt; } | true
same "a broken pipe" "$(cat status.txt)" 5
"$MTRACE" run sh -c 'exit 5' 2>/dev/full
same "a full disk" $? 5

# Nothing stays behind: neither the witness of loop.c nor anything else.
"$MTRACE" run -q sh -c 'echo $PPID' >pid.txt
same "no child of mtrace is left" "$(pids_with 4 "$(cat pid.txt)")" ""

finish
