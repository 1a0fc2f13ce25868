# What `mtrace run` starts, with which arguments and environment, and what it exits with.
. "$(dirname "$0")/run_helper.sh"

run() { "$MTRACE" run -q --python "$PYTHON" "$@"; }
cat >show.py <<'PY'
import os, sys
print("|".join(sys.argv))
PY
cat >env.py <<'PY'
import os, sys
for name in sys.argv[1:]:
    print(name, os.environ.get(name, "(unset)"))
PY

# --- what a command may be
same "a .py file" "$(run show.py a '' 'b c')" 'show.py|a||b c'
same "options behind the command are its own" "$(run show.py -q --no-c -d x -- -o)" \
  'show.py|-q|--no-c|-d|x|--|-o'
same "-- ends the options" "$(run -- show.py -- a)" 'show.py|--|a'
same "-m" "$(run -m show -q -- x | sed 's#.*/##')" 'show.py|-q|--|x'
same "-m behind options" "$(run --no-c -d d1 -m show -m | sed 's#.*/##')" 'show.py|-m'
same "-c" "$(run -c 'import sys; print(sys.argv)' -c)" "['-c', '-c']"
same "a program" "$("$MTRACE" run -q sh -c 'echo "$0:$*"' name a 'b c')" 'name:a b c'
printf 'echo script "$@"\n' >plain && chmod +x plain
same "a script without a first line, as execvp has it" "$("$MTRACE" run -q ./plain a)" 'script a'
mkdir bin && ln -s "$PYTHON" bin/python3
same "python3 of PATH" "$(PATH=$work/bin:$PATH "$MTRACE" run -q -c 'import sys; print(sys.executable)')" \
  "$work/bin/python3"
same "PATH and argv are not rewritten" \
  "$("$MTRACE" run -q sh -c 'echo "$PATH"; tr "\0" " " </proc/$$/cmdline')" \
  "$PATH
sh -c echo \"\$PATH\"; tr \"\\0\" \" \" </proc/\$\$/cmdline "

# --- its status
status() { "$@" >out.txt 2>err.txt; echo $?; }
same "the program's status" "$(status run -c 'import sys; sys.exit(7)')" 7
same "128 + the signal" "$(status "$MTRACE" run -q sh -c 'kill -9 $$')" 137
same "a program that is not there" "$(status "$MTRACE" run no-such-program)" 127
has "says so" "$(cat err.txt)" 'no-such-program: program not found'
touch data
same "a program that is none" "$(status "$MTRACE" run ./data)" 126
has "says so" "$(cat err.txt)" './data: cannot be executed: Permission denied'
same "nothing was left behind" "$(status "$MTRACE" run -d made -o x.json ./data)-$(ls -d made x.json 2>&- | wc -l)" 126-0
printf '#!/no/such/interpreter\n' >bad && chmod +x bad
same "an interpreter that is not there" "$(status "$MTRACE" run ./bad)" 127
has "says so" "$(cat err.txt)" 'first line'

# --- wrong usage, and what cannot begin
same "no command" "$(status "$MTRACE" run)" 2
same "no command behind options" "$(status "$MTRACE" run -d x)" 2
same "an unknown option" "$(status "$MTRACE" run --nonsense true)" 2
same "--python for what is no Python" "$(status "$MTRACE" run --python "$PYTHON" true)" 2
same "-o -" "$(status "$MTRACE" run -o - true)" 2
same "no such parent" "$(status "$MTRACE" run -d no/such true)" 1
has "says so" "$(cat err.txt)" 'no/such: ' 'make it first'
same "-d is a file" "$(status "$MTRACE" run -d data true)" 1
same "-o is a directory" "$(status "$MTRACE" run -o bin true)" 1
same "-o in no directory" "$(status "$MTRACE" run -o no/such.json true)" 1
cp "$MTRACE" lonely
same "no home" "$(MTRACE_HOME=/no/home status ./lonely run true)" 1
has "says so" "$(cat err.txt)" '/no/home' 'sitecustomize.py'
mkdir -p prefix/bin prefix/lib && cp "$MTRACE" prefix/bin/mtrace && ln -s "$MTRACE_HOME" prefix/lib/mtrace
same "the home of an installed mtrace" \
  "$(env -u MTRACE_HOME prefix/bin/mtrace run -q sh -c 'echo "$MTRACE_HOME"')" "$(realpath "$MTRACE_HOME")"

# --- its environment
home=$(realpath "$MTRACE_HOME")
variables() { "$MTRACE" run -q "$@" sh -c 'env' | grep -E '^(MTRACE_|PYTHONPATH)' | sort; }
export MTRACE_PARENT=00000000000000000000000000000001 MTRACE_OPTIONS=no-c
got=$(variables)
has "the variables" "$got" "MTRACE_DIR=$work" "MTRACE_HOME=$home" "PYTHONPATH=$home/boot"
same "an outer run's variables do not come through" \
  "$(grep -cE 'MTRACE_PARENT|MTRACE_OPTIONS' <<<"$got")" 0
unset MTRACE_PARENT MTRACE_OPTIONS
has "--no-c" "$(variables --no-c)" 'MTRACE_OPTIONS=no-c'
has "--engine" "$(variables --engine frame)" 'MTRACE_OPTIONS=engine=frame'
has "both" "$(variables --no-c --engine setprofile)" 'MTRACE_OPTIONS=engine=setprofile,no-c'
has "--all-calls" "$(variables --all-calls --engine monitoring)" 'MTRACE_OPTIONS=engine=monitoring,all-calls'
same "--engine auto is the default" "$(variables --engine auto | grep -c OPTIONS)" 0
same "no such engine: the program runs" "$(status "$MTRACE" run --engine core sh -c 'exit 7')" 7
has "says so" "$(cat err.txt)" 'there is no engine core' 'taking the one that fits best'
has "a random id" "$(variables)" 'MTRACE_RUN=????????????????????????????????'
has "-d is absolute" "$(variables -d rel)" "MTRACE_DIR=$work/rel"
same "PYTHONPATH unset" "$(variables | grep PYTHONPATH)" "PYTHONPATH=$home/boot"
same "PYTHONPATH empty is unset" "$(PYTHONPATH='' variables | grep PYTHONPATH)" "PYTHONPATH=$home/boot"
same "PYTHONPATH is kept" "$(PYTHONPATH=/a::/b: variables | grep PYTHONPATH)" \
  "PYTHONPATH=$home/boot:/a::/b:"
same "a run inside a run has the boot directory once" \
  "$(PYTHONPATH=$home/boot:/a variables | grep PYTHONPATH)" "PYTHONPATH=$home/boot:/a"
same "the rest" "$(A='x  y' "$MTRACE" run -q sh -c 'echo "$A"')" 'x  y'

# --- its directory
"$MTRACE" run -q -d dir1 true
if [ "$(id -u)" -eq 0 ]; then
  same "root makes a drop box" "$(stat -c %a dir1)" 1733
else
  same "a made directory is private" "$(stat -c %a dir1)" 700
fi
mkdir -m 750 dir2 && "$MTRACE" run -q -d dir2 true
same "an existing directory is left as it is" "$(stat -c %a dir2)" 750
mkdir gone && cd gone && rmdir ../gone
"$MTRACE" run true 2>"$work/err.txt"
same "no current directory" "$?" 1
has "says so" "$(cat "$work/err.txt")" 'the current directory'

finish
