# `mtrace check` over files made by hand (tests/golden).
. "$(dirname "$0")/run_helper.sh"

golden=$here/../golden
check() { "$MTRACE" check "$@"; }
status() { "$@" >out.txt 2>err.txt; echo $?; }
cp -L "$golden"/*.trace . && chmod u+w ./*.trace

# poke FILE OFFSET BYTES: as printf has them
# shellcheck disable=SC2059
poke() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }

same "good files" "$(status check parent.100.trace child.101.trace)" 0
same "are told" "$(cat out.txt)" "parent.100.trace: ok, 28 events, 3 threads, 5 functions, 5 chunks, 12 events lost
child.101.trace: ok, 2 events, 1 threads, 2 functions, 2 chunks"
same "a directory" "$(status check .)" 0
has "has each of them" "$(cat out.txt)" "./child.101.trace: ok" "./parent.100.trace: ok"
same "-q" "$(check -q .)" ""

cp parent.100.trace bad.trace
poke bad.trace 8280 '\005'
same "a fault" "$(status check bad.trace parent.100.trace)" 1
same "is told with its place" "$(cat err.txt)" \
  "mtrace: bad.trace: a record of a Python frame has the id 5 of a C function (at byte 8280)"
has "the good one is told, too" "$(cat out.txt)" "parent.100.trace: ok"
same "-q tells faults" "$(status check -q .)" 1
has "as before" "$(cat err.txt)" "bad.trace: a record of a Python frame"

: >new.trace
same "a file in which nothing is yet" "$(check new.trace)" "new.trace: ok, nothing is recorded in it"
truncate -s 4096 new.trace
same "the same with the space for its header" "$(check new.trace)" \
  "new.trace: ok, nothing is recorded in it"
echo x >text.trace
same "not a trace" "$(status check text.trace)" 1
same "not there" "$(status check gone.trace)" 1
has "says so" "$(cat err.txt)" "gone.trace: cannot be opened: No such file"
mkdir empty
same "an empty directory" "$(status check empty)" 1
same "no path" "$(status check)" 2

finish
