# The commands that the README, the documents and the manual pages show can be run as they stand, one
# after the other in one folder, and write the files that they name. Programs that they start
# are stubs, and so are readers of what they write.
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$(dirname "$0")/run_helper.sh"

mkdir bin .venv .venv/bin
cat >bin/gunicorn <<TEXT
#!$PYTHON
import os
if os.fork() == 0:
    sum([1, 2])
    os._exit(0)
os.wait()
TEXT
printf '#!/bin/sh\ncat "$1" "$2" 2>/dev/null\n' >bin/flamegraph.pl
printf '#!/bin/sh\ncat\n' >bin/jq
chmod +x bin/*
ln -s "$PYTHON" bin/python3
ln -s "$PYTHON" .venv/bin/python
ln -s "$MTRACE" bin/mtrace
PATH=$work/bin:$PATH
export TMPDIR=$work # pages without a name
unset BROWSER DISPLAY WAYLAND_DISPLAY
cat >app.py <<'TEXT'
def work(n):
    return [sum(range(i)) for i in range(n)]
work(50)
TEXT
cp app.py pytest.py
mtrace run -q -d traces app.py
same "recording" "$?" 0
for folder in yesterday today web1 web2; do cp -r traces $folder; done
for folder in web1 web2; do cp -r traces $folder/traces; done

# `top` is run without its screen, and what waits for a browser is not: both have tests of their own.
# Of a manual page: what stands between .nf and .fi. Of a document: what is indented by four columns.
examples() {
  case $1 in
    *.1) sed -n '/^\.nf/,/^\.fi/p' "$1" | sed 's/\\-/-/g; s/\\(aq/'"'/g" ;;
    *) sed -nE 's/^    (\$ )?//p' "$1" ;;
  esac | grep '^mtrace ' | grep -v -e ' --perfetto ' | sed -E 's/^(mtrace top [a-z]+)( *#.*)?$/\1 --once/'
}

n=0
for document in "$top"/README.md "$top"/docs/{formats,slicing,report,top,view}.md "$top"/docs/man/*.1; do
  name=${document#"$top/"}
  while read -r line; do
    n=$((n + 1))
    output=$(sed -nE 's/ +#.*//; s/.*( -o|>) ([^ ]+).*/\2/p' <<<"$line")
    [ -z "$output" ] || rm -f "$output"
    bash -c "set -o pipefail; $line" >out.txt 2>err.txt </dev/null
    rc=$?
    same "$name: $line: its end" "$rc $([ $rc -eq 0 ] || cat err.txt)" "0 "
    [ -z "$output" ] || [ -s "$output" ] || same "$name: $line: writes" "" "$output"
  done < <(examples "$document")
done
[ "$n" -ge 40 ] || same "this test finds the examples" "$n" "40 or more"
echo "$n examples"

finish
