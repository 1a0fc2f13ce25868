# The options that slice, over the golden traces; what exactly is left is tested in tests/unit.
. "$(dirname "$0")/run_helper.sh"

golden=$here/../golden
status() { "$@" >out.txt 2>err.txt; echo $?; }
mkdir traces && cp -L "$golden"/*.trace traces && chmod u+w traces/*
# lines OPTION...: the begins and ends, in short
lines() {
  "$MTRACE" merge "$@" traces |
    sed -nE 's/^\{"ph":"([BE])","ts":([0-9.]+),"pid":([0-9]+),"tid":([0-9]+)(,"name":"([^"]*)".*)?\},?$/\1 \2 \3.\4 \6/p' |
    sed -E 's/ $//'
}
names() { "$MTRACE" merge "$@" traces | sed -nE 's/.*"ph":"B".*"name":"([^"]*)".*/\1/p' | sort -u | paste -sd,; }

whole=$("$MTRACE" merge traces)
same "a slice that leaves nothing out" "$("$MTRACE" merge --from 0 --to 1s --min-duration 0ns traces)" "$whole"
same "a time" "$(lines --from 4.5us --to 7.5us --tid 100)" "$(cat <<'END'
B 4.500 100.100 <module>
B 4.500 100.100 work.<locals>.step
B 4.500 100.100 numbers
E 5.300 100.100
B 6.300 100.100 numbers
E 7.300 100.100
E 7.500 100.100
E 7.500 100.100
END
)"
same "which has units" "$(lines --from=4500ns --to 0.0000075 --tid=100)" "$(lines --from 0.0045ms --to 7.5us --tid 100)"
has "what was open is marked" "$("$MTRACE" merge --from 4.5us --to 7us traces)" \
  '"ts":4.500,"pid":100,"tid":100,"name":"<module>","cat":"python","args":{"file":"/srv/app.py:1","open":true}}'
same "a process" "$(lines --pid 101 | cut -d' ' -f3 | sort -u)" 101.101
same "by its name" "$(lines --process 'child*')" "$(lines --pid 101)"
same "nothing of the others" "$("$MTRACE" merge --pid 101 traces | grep -c '"pid":100')" 0
same "two threads of one number" "$(lines --tid 110 | wc -l)" 6
same "a thread's name" "$(lines --thread 'work[a-z]r' | wc -l)" 4
same "long calls" "$(names --min-duration 5ms)" '<module>,numbers,posix.fork,work.<locals>.step'
same "outer calls" "$(names --max-depth 1 --pid 100)" '<module>,numbers,work.<locals>.step'
same "functions" "$(names --include 'num*' --include posix.fork,nothing -q)" 'numbers,posix.fork'
same "not these" "$(names --exclude 'list.*,(*,posix.*' --exclude numbers)" '<module>,work.<locals>.step'
same "of a file" "$(names --include app.py)" '<module>,work.<locals>.step'
same "all together" "$(lines --pid 100 --include 'work.*' --to 1ms --max-depth 1 --min-duration 5us)" "$(cat <<'END'
B 1.300 100.100 work.<locals>.step
E 10.300 100.100
B 10.800 100.100 work.<locals>.step
E 1000.000 100.100
END
)"
same "complete events are sliced, too; those that begin at one time are pairs" \
  "$("$MTRACE" merge --events complete --tid 100 --from 4.5us --to 7.5us traces |
    sed -nE 's/.*"ph":"([BEX])".*/\1/p' | sort | paste -sd "")" BBEEXX

for slice in "--from 4us --to 9ms" "--min-duration 1us --pid 100" "--exclude numbers --max-depth 2"; do
  # shellcheck disable=SC2086
  same "any number of threads: $slice" "$("$MTRACE" merge -j 3 $slice traces)" "$("$MTRACE" merge -j 1 $slice traces)"
done

# --- every format: what is left out is not even named
formats=$("$MTRACE" merge --help | sed -n '/^usage/,/^options/s/^  \([a-z][a-z-]*\) .*/\1/p')
has "this test reads the formats" "$formats" chrome
for format in $formats; do
  "$MTRACE" merge -f "$format" --pid 101 traces >part.txt
  same "$format: nothing of another process" "$(grep -acE 'worker|numbers.*lost|"app"|^cmd: app' part.txt)" 0
  "$MTRACE" merge -q -f "$format" --pid 7 traces >none.txt
  same "$format: an empty slice" "$?" 0
  same "$format: is smaller" "$(($(wc -c <none.txt) < $(wc -c <part.txt)))" 1
done

# --- numbers: those of what is left
# report OPTION...: calls, ns of their own and ns of each function
report() { "$MTRACE" report -f csv -s name "$@" traces | sed 1d | cut -d, -f1,3,5; }
same "a report of a slice" "$(report --tid 100 --from 4.5us --to 7.5us)" "$(cat <<'END'
0,0,3000
1,1800,1800
0,1200,3000
END
)"
same "of some functions" "$(report --pid 100 --include numbers | cut -d, -f1)" 4
same "a diff of one process with another" \
  "$("$MTRACE" diff --processes -f csv --include 'work.*' 100 101 traces | sed 1d | cut -d, -f1,2)" "6,1"
has "losses outside of it are not counted" "$("$MTRACE" report --tid 100 traces)" "12 events were lost" "1 process, 1 thread"
same "here there is none" "$("$MTRACE" report --pid 100 --to 9ms traces | grep -c "lost")" 0
for command in report "diff traces"; do
  # shellcheck disable=SC2086
  same "$command: wrong usage" "$(status "$MTRACE" $command --from soon traces)" 2
done

# --- notes and wrong usage
same "nothing is left" "$(status "$MTRACE" merge --pid 7,100 --include x traces)" 0
same "is told" "$(cat err.txt)" \
  "$(printf 'mtrace: note: no process has the number 7\nmtrace: note: no function matches '"'x'")"
# wrong OPTIONS MESSAGE
wrong() {
  # shellcheck disable=SC2086
  same "$1" "$(status "$MTRACE" merge $1 traces)" 2
  same "$1 says so" "$(head -n 1 err.txt)" "mtrace: $2"
  same "$1 writes nothing" "$(cat out.txt)" ""
}
time_wanted="wants a time such as 1.5s, 20ms, 300us or 10ns, not"
wrong "--from soon" "--from $time_wanted 'soon'"
wrong "--from -1s" "--from $time_wanted '-1s'"
wrong "--to 3m" "--to $time_wanted '3m'"
wrong "--min-duration ." "--min-duration $time_wanted '.'"
wrong "--to 99999999999s" "--to $time_wanted '99999999999s'"
wrong "--from 2s --to 2000ms" "--to 2000ms is not after 2s"
wrong "--to 0" "--to 0 is not after the beginning"
wrong "--max-depth 0" "--max-depth wants a number from 1 on, not '0'"
wrong "--max-depth 1.5" "--max-depth wants a number from 1 on, not '1.5'"
wrong "--pid 100,x" "--pid wants numbers, not 'x'"
wrong "--tid 4294967296" "--tid wants numbers, not '4294967296'"
wrong "--tid 1 --tid=" "--tid wants numbers, not ''"
wrong "--include a,,b" "--include has an empty name in its list"

finish
