# The manual page says what `--help` says: commands, synopses, options, the version, the variables.
page=$(cd "$(dirname "$0")/../../docs/man" && pwd)/mtrace.1
. "$(dirname "$0")/run_helper.sh"

# The page's lines without fonts; section and subsection headings stay.
text=$(sed -E 's/\\f.//g; s/\\-/-/g; s/^\.(B|I|BR|IR|RB|RI|BI|IB) //; s/^\.\\".*//' "$page")
# section HEADING: what is below .SH or .SS HEADING, up to the next one
section() {
  awk -v heading="$1" '
    /^\.S[HS] / { name = $0; sub(/^\.S[HS] /, "", name); gsub(/"/, "", name); inside = name == heading; next }
    inside' <<<"$text"
}
# What stands behind each .TP of the standard input.
tags() { awk 'tag { print; tag = 0 } /^\.TP/ { tag = 1 }'; }
# The left column of the options in a --help.
options() { sed -n '/^options:/,$p' | sed -nE 's/^ +(-.*[^ ]) {2,}.*/\1/p'; }

has "this test reads the page" "$text" '.SH SYNOPSIS' 'mtrace run [-d DIR]'

commands=$("$MTRACE" --help | sed -n '/^commands:/,/^$/p' | sed -nE 's/^  ([a-z]+) .*/\1/p')
has "this test reads --help" " ${commands//$'\n'/ } " ' run ' ' merge '
same "the commands" "$(sed -nE 's/^\.SS "?mtrace ([a-z]+)"?$/\1/p' <<<"$text")" "$commands"

synopses=$(section SYNOPSIS | grep '^mtrace ')
for command in $commands; do
  help=$("$MTRACE" "$command" --help)
  same "$command --help, and its end" "$?" 0
  same "the synopsis of $command" "$(grep "^mtrace $command " <<<"$synopses")" \
    "$(sed -n '1s/^usage: //p' <<<"$help")"
  found=$(options <<<"$help")
  has "this test reads the options of $command" "$found" '-h, --help'
  described=$(section "mtrace $command" | tags)
  if [[ $help == *"[SLICE OPTION...]"* ]]; then
    described+=${described:+$'\n'}$(section "Slice options" | tags)
  fi
  same "the options of $command" "$described" "$(grep -vx -e '-h, --help' <<<"$found")"
done
same "as many synopses as commands" "$(wc -l <<<"$synopses")" "$(wc -l <<<"$commands")"
same "what all commands have" "$(section 'All commands' | tags)" $'-h, --help\n--version'
has "the version" "$(grep '^\.TH ' "$page")" "\"$("$MTRACE" --version)\""

described=$(section ENVIRONMENT | tags)
for name in $("$MTRACE" run -q --no-c sh -c env | grep -oE '^(MTRACE_[A-Z]+|PYTHONPATH)') \
  $(grep -oE 'MTRACE_[A-Z]+' "$MTRACE_HOME/boot/sitecustomize.py" | sort -u); do
  has "a variable in ENVIRONMENT" "$described" "$name"
done

finish
