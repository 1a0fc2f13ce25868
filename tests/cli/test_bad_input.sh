# Input that is no trace, or not a whole one: one clear sentence for each file, with its name and where it is
# wrong; the good files are used; the exit status is 1. For every command that reads traces.
. "$(dirname "$0")/run_helper.sh"

golden=$here/../golden
mkdir good && cp -L "$golden"/*.trace good && chmod u+w good/*
commands="merge report info check"
formats=$("$MTRACE" merge --help | sed -n '/^usage/,/^options/s/^  \([a-z][a-z-]*\) .*/\1/p')
has "this test reads the formats" "$formats" chrome

# told STATUS MESSAGES PATH: what each command says of it, and how it ends
told() {
  local wanted=$1 messages=$2 command format
  shift 2
  for command in $commands; do
    "$MTRACE" "$command" "$@" >out.txt 2>err.txt
    same "$command $*: the end" "$?" "$wanted"
    same "$command $*" "$(cat err.txt)" "$messages"
  done
  "$MTRACE" diff "$@" good >out.txt 2>err.txt
  same "diff $* good: the end" "$?" "$wanted"
  same "diff $* good" "$(cat err.txt)" "$messages"
  "$MTRACE" diff good "$@" >out.txt 2>err.txt
  same "diff good $*: the end" "$?" "$wanted"
  same "diff good $*" "$(cat err.txt)" "$messages"
  for format in $formats; do
    "$MTRACE" merge -f "$format" "$@" >out.txt 2>err.txt
    same "merge -f $format $*: the end" "$?" "$wanted"
    same "merge -f $format $*" "$(cat err.txt)" "$messages"
  done
}
# cut BYTES: the first BYTES of a good file, as cut.trace
cut() { head -c "$1" good/parent.100.trace >cut.trace; }
# poke OFFSET BYTE: the good file with another byte, as poked.trace
poke() {
  cp good/parent.100.trace poked.trace
  # shellcheck disable=SC2059
  printf "\\x$2" | dd of=poked.trace bs=1 seek="$1" conv=notrunc 2>/dev/null
}

told 0 "" good

# --- not a trace
told 1 "mtrace: gone.trace: cannot be opened: No such file or directory" gone.trace
echo "#!/bin/sh" >script.trace
told 1 "mtrace: script.trace: is not an mtrace file (at byte 0)" script.trace
mkfifo pipe.trace
told 1 "mtrace: pipe.trace: is not a regular file" pipe.trace
: >empty.trace
head -c 9000 /dev/zero >zeros.trace

# --- directories
mkdir none texts mixed
echo text >texts/notes.txt
told 1 "mtrace: none: has no .trace files" none
told 1 "mtrace: texts: has no .trace files" texts
cp good/*.trace texts/notes.txt script.trace mixed
mkdir mixed/folder.trace
told 1 "mtrace: mixed/folder.trace: is not a regular file
mtrace: mixed/script.trace: is not an mtrace file (at byte 0)" mixed
rm -r mixed/folder.trace mixed/script.trace
told 0 "" mixed

# --- another version
poke 8 02
told 1 "mtrace: poked.trace: has format version 2.0, this mtrace reads 1.x; use the mtrace that wrote it \
(at byte 8)" poked.trace
poke 10 09
told 0 "" poked.trace

# --- cut anywhere (every length is tried in tests/unit/test_damage.c)
cut 1
told 1 "mtrace: cut.trace: ends within its header (at byte 1)" cut.trace
cut 4095
told 1 "mtrace: cut.trace: ends within its header (at byte 4095)" cut.trace
cut 4101
told 1 "mtrace: cut.trace: ends within a chunk's header (at byte 4101)" cut.trace
cut 4200
told 1 "mtrace: cut.trace: ends within the chunk at offset 4096 (at byte 4200)" cut.trace
cut 10000
told 1 "mtrace: cut.trace: ends within the chunk at offset 8192 (at byte 10000)" cut.trace

# --- damaged
poke 4096 00
told 1 "mtrace: poked.trace: no chunk begins where one should (at byte 4096)" poked.trace
poke 4101 01
told 1 "mtrace: poked.trace: a chunk has the impossible size of 256 bytes (at byte 4100)" poked.trace

# --- still growing: chunks that are announced and empty, a header that is not complete
for pages in 1 2 3; do
  cut $((pages * 4096))
  "$MTRACE" merge cut.trace >out.txt 2>err.txt
  same "a file of $pages pages: the end" "$?" 0
  same "a file of $pages pages" "$(cat err.txt)" ""
done
for file in empty.trace zeros.trace; do
  "$MTRACE" merge "$file" >out.txt 2>err.txt
  same "$file: the end" "$?" 0
  same "$file" "$(cat err.txt)" "mtrace: note: $file: nothing is recorded in it"
done

# --- twice: noted, and counted once
whole=$("$MTRACE" merge good)
cp good/child.101.trace copy.trace
ln -s good link
for paths in "good good" "good link" "good good/child.101.trace" "good/parent.100.trace copy.trace good"; do
  # shellcheck disable=SC2086
  "$MTRACE" merge $paths >out.txt 2>err.txt
  same "$paths: the end" "$?" 0
  same "$paths: once" "$(cat out.txt)" "$whole"
  same "$paths: said so" "$(grep -cvE '^mtrace: note: [a-z]+/[a-z0-9.]+: (was given twice|is the same file as [a-z0-9./]+); used once$' err.txt)" 0
done
"$MTRACE" merge good/child.101.trace good/child.101.trace copy.trace >out.txt 2>err.txt
same "each time" "$(cat err.txt)" "mtrace: note: good/child.101.trace: was given twice; used once
mtrace: note: copy.trace: is the same file as good/child.101.trace; used once"

cut 4200
"$MTRACE" merge cut.trace good/child.101.trace good/parent.100.trace >out.txt 2>err.txt
same "of two copies the longer one" "$(cat out.txt)" "$whole"
same "and says so" "$(cat err.txt)" "mtrace: cut.trace: ends within the chunk at offset 4096 (at byte 4200)
mtrace: note: good/parent.100.trace: is the same file as cut.trace, but longer; used instead"

# --- names chosen to meet in a table: minutes of CPU time, were there no secret; 40 ms as it is
"$PYTHON" "$here/colliding_names.py" colliding.trace 300000
(ulimit -t 30 && exec "$MTRACE" info colliding.trace) >out.txt 2>err.txt
same "names that meet: the end" "$?" 0
has "names that meet: all of them" "$(cat out.txt)" "300,000 functions"

# --- the good ones are used, whatever else there is
"$MTRACE" merge gone.trace good/parent.100.trace script.trace none good/child.101.trace pipe.trace >out.txt 2>err.txt
same "with the bad ones between: the end" "$?" 1
same "a sentence for each" "$(wc -l <err.txt)" 4
same "the good ones" "$(cat out.txt)" "$whole"
"$MTRACE" merge -o new.json script.trace good 2>/dev/null
same "into a file, too: the end" "$?" 1
same "which is there" "$(grep -c '"ph":"B"' new.json)" "$(grep -c '"ph":"B"' <<<"$whole")"
"$MTRACE" merge -o none.json script.trace gone.trace 2>/dev/null
same "nothing good: the end" "$?" 1
same "nothing good: no file" "$(ls none.json 2>&1 | grep -c '^none.json$')" 0

finish
