# Signals: each reaches the program once, whoever sends it to whomever.
. "$(dirname "$0")/run_helper.sh"
set -m # a job has a process group of its own, as at a prompt

counts=$here/run_counts_signals.py
# start [ARG...]: sets m to mtrace's pid, p to the program's
start() {
  : >out.txt
  "$MTRACE" run -q --python "$PYTHON" "$counts" "$@" >out.txt 2>err.txt &
  m=$!
  until_true grep -q ready out.txt || finish
  p=$(sed -n 's/^ready //p' out.txt)
}
# send SIGNAL PID: the next one only when this one was counted, or the kernel would make one of two
send() {
  local n
  # shellcheck disable=SC2034 # used below, in quotes
  n=$(wc -l <counts.log)
  kill -"$1" -- "$2"
  until_true eval '[ "$(wc -l <counts.log)" -gt "$n" ]'
}
# stop: sets got
stop() {
  sleep 0.1
  kill -USR2 "$p"
  wait "$m" 2>/dev/null
  status=$?
  got=$(sed -n 's/^got *//p' out.txt)
}
signals="HUP INT QUIT ABRT USR1 ALRM TERM CONT WINCH TTIN TTOU IO URG PROF RTMIN+3"
each_once="ABRT=1 ALRM=1 CONT=1 HUP=1 INT=1 IO=1 PROF=1 QUIT=1 RT3=1 TERM=1 TTIN=1 TTOU=1 URG=1 USR1=1 WINCH=1"

start
for s in $signals; do send "$s" "$m"; done
stop
same "sent to mtrace" "$got" "$each_once"
same "status" "$status" 0

start
for s in $signals; do send "$s" "-$m"; done
stop
same "sent to the group" "$got" "$each_once"

start
for s in $signals; do send "$s" "$p"; done
stop
same "sent to the program" "$got" "$each_once"

# The child of mtrace that is not the program: it has a new one, and only that, when it has dealt with a signal of
# the group.
witness() { pids_with 4 "$m" | grep -vx "$p"; }
has_new_witness() {
  local pid
  pid=$(witness)
  [[ $pid =~ ^[0-9]+$ ]] && [ "$pid" != "$former" ]
}

start
# Of one number, and each when the one before was dealt with: what comes within milliseconds may be made one.
for ((i = 0; i < 10; i++)); do
  former=$(witness)
  send INT "-$m"
  until_true has_new_witness
  send INT "$m"
done
stop
same "sent to either in turn" "$got" "INT=20"

start setpgrp
send INT "-$m"
stop
same "a program that would be the group's leader but for mtrace" "$got" "INT=1"

set +m # jobs of this group now
start
send INT "$m"
stop
same "sent to mtrace from its own group" "$got" "INT=1"
set -m

start
kill -KILL "$m"
wait "$m" 2>/dev/null
same "SIGKILL of mtrace" $? 137
program_is_gone() { [ ! -e "/proc/$p" ] || grep -q '^State:.*Z' "/proc/$p/status"; }
until_true program_is_gone
witness_is_gone() { [ -z "$(pids_with 5 "$m")" ]; }
until_true witness_is_gone

"$MTRACE" run -q sh -c 'echo started; exec sleep 100' >out.txt &
m=$!
until_true grep -q started out.txt
kill "$m"
wait "$m" 2>/dev/null
same "a program that dies of it" $? 143
nohup "$MTRACE" run -q --python "$PYTHON" -c 'import time; print("ready", flush=True); time.sleep(1)' >out.txt 2>&1 &
m=$!
until_true grep -q ready out.txt
kill -HUP "$m"
wait "$m"
same "SIGHUP under nohup" $? 0
same "stopped by SIGSTOP alone: mtrace waits on, and SIGCONT is enough" "$(
  "$MTRACE" run -q sh -c 'echo $$ >stopped.pid; kill -STOP $$; exit 6' &
  m=$!
  until_true grep -q 'State:.*T' "/proc/$(until_true test -s stopped.pid; cat stopped.pid)/status"
  kill -CONT "$(cat stopped.pid)"
  wait "$m"
  echo $?)" 6
same "a signal of the program to its parent does not come back" \
  "$("$MTRACE" run -q sh -c 'kill -USR1 $PPID; sleep 0.2; echo on')" on

# --- a terminal
cat >keys <<KEYS
"$MTRACE" run -q --python $PYTHON "$counts"\n => ready
\x03 => .
\x03 => .
\x1a => Stopped
jobs\n => Stopped +.*mtrace[^ ]* run
fg\n => mtrace
\x03 => .
\x1a => Stopped
bg\n => &
kill -INT %1\n => PROMPT
kill -TERM \$(jobs -p)\n => PROMPT
sleep 0.2; kill -USR2 \$(cat counts.pid)\n => got CONT=2 INT=4 TERM=1
wait; "$MTRACE" run -q --python $PYTHON -c 'import time; print("re" + "ady"); time.sleep(60)'\n => ready
\x03 => KeyboardInterrupt
echo status \$?\n => status 130
"$MTRACE" run -q cat\n => 
hello\n => hello
\x04 => PROMPT
echo status \$?\n => status 0
"$MTRACE" run -q bash --norc --noediting -i\n => PROMPT
sleep 60\n => 
\x03 => PROMPT
exit\n => PROMPT
echo "ba"ck\n => back
"$MTRACE" run -q --python $PYTHON "$counts" >hangup.txt\n => 
HANGUP => hangup.txt
KEYS
: >hangup.txt
"$PYTHON" "$here/run_terminal.py" keys || { same "a terminal" wrong right; finish; }
until_true grep -q HUP counts.log
kill -USR2 "$(sed -n 's/^ready //p' hangup.txt)" || finish
until_true grep -q got hangup.txt
has "the terminal is closed" "$(cat hangup.txt)" "HUP=[12]"
finish
