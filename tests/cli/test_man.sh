# The manual pages say what `--help` says: commands, synopses, options, formats, the variables. One
# page for each command, and mtrace.1 for all of them.
pages=$(cd "$(dirname "$0")/../../docs/man" && pwd)
. "$(dirname "$0")/run_helper.sh"

# A page's lines without fonts; section and subsection headings stay.
text() {
  sed -E 's/\\f.//g; s/\\-/-/g; s/\\ / /g; s/^\.(B|I|BR|IR|RB|RI|BI|IB) //; s/^\.\\".*//' "$pages/$1"
}
# section HEADING: what is below .SH or .SS HEADING, up to the next one
section() {
  awk -v heading="$1" '
    /^\.S[HS] / { name = $0; sub(/^\.S[HS] /, "", name); gsub(/"/, "", name); inside = name == heading; next }
    inside'
}
# What stands behind each .TP of the standard input.
tags() { awk 'tag { print; tag = 0 } /^\.TP/ { tag = 1 }'; }
# "mtrace COMMAND ..." of each .SY
synopses() { section SYNOPSIS | awk '/^\.SY / { sub(/^\.SY /, ""); gsub(/"/, ""); name = $0; next } !/^\./ { print name " " $0 }'; }
# Those of a --help: its first paragraph, on one line.
usage() { awk '!NF { exit } { $1 = $1; printf "%s%s", sep, $0; sep = " " }' | sed 's/^usage: //'; }
# The left column of the options in a --help, without wrapped lines.
options() { sed -n '/^options:/,$p' | sed -nE 's/^ {2,6}(-.*[^ ]) {2,}.*/\1/p'; }
# "NAME SUFFIX" of the formats that a --help lists
formats() { sed -nE 's/^  ([a-z-]+) +(\.[a-z.-]+) .*/\1 \2/p'; }

help=$("$MTRACE" --help)
commands=$(sed -n '/^commands:/,/^$/p' <<<"$help" | sed -nE 's/^  ([a-z]+) .*/\1/p')
has "this test reads --help" " ${commands//$'\n'/ } " ' run ' ' merge '

# ---- the page of each command
all_synopses=
slicing=
for command in $commands; do
  page=mtrace-$command.1
  same "$command has a page" "$(ls "$pages/$page" 2>&1)" "$pages/$page"
  help=$("$MTRACE" "$command" --help)
  same "$command --help, and its end" "$?" 0
  same "lines of $command --help above 100 columns" "$(awk 'length > 100' <<<"$help")" ""
  wanted=$(usage <<<"$help")
  same "the synopsis of $command" "$(text "$page" | synopses)" "$wanted"
  all_synopses+=$wanted$'\n'
  wanted=$(options <<<"$help")
  has "this test reads the options of $command" "$wanted" '-h, --help'
  same "the options of $command" "$({ text "$page" | section OPTIONS; text "$page" | section 'Slice options'; } | tags)" "$wanted"
  has "the name of $command" "$(text "$page" | section NAME)" "mtrace-$command - "
  for heading in DESCRIPTION EXAMPLES 'EXIT STATUS' 'SEE ALSO'; do
    has "$heading of $command" "$(text "$page" | section "$heading")" ' '
  done
  if [[ $help == *"[SLICE OPTION...]"* ]]; then
    found=$(text "$page" | section 'Slice options')
    same "the slice options of $command, word for word" "$found" "${slicing:=$found}"
  fi
done
has "this test reads slice options" "$slicing" '--max-depth N'

wanted=$("$MTRACE" merge --help | formats)
has "this test reads formats" "$wanted" 'chrome .json' 'perfetto .perfetto-trace'
same "the formats" "$(text mtrace-merge.1 | section FORMATS | tags)" "$wanted"
for suffix in $("$MTRACE" merge --help | sed -n 's/^  \(\..*\) behind any .*/\1/p' | sed 's/ or / /g'); do
  has "a suffix of compressed files" "$(text mtrace-merge.1 | section FORMATS)" "$suffix"
done

# ---- the page of all
same "the synopses" "$(text mtrace.1 | synopses)" "${all_synopses}mtrace --help"$'\n'"mtrace --version"
same "the commands" \
  "$(text mtrace.1 | section COMMANDS | awk '/^mtrace-.* \(1\)/ { name = $1; next } name { print name ": " $0; name = "" }')" \
  "$("$MTRACE" --help | sed -n '/^commands:/,/^$/p' | sed -nE 's/^  ([a-z]+) +/mtrace-\1: /p')"
same "what all commands have" "$(text mtrace.1 | section OPTIONS | tags)" \
  "$("$MTRACE" --help | sed -nE 's/^  (-.*[^ ]) {2,}.*/\1/p')"
described=$(text mtrace.1 | section ENVIRONMENT | tags)
for name in $("$MTRACE" run -q --no-c sh -c env | grep -oE '^(MTRACE_[A-Z]+|PYTHONPATH)') \
  $(grep -oE 'MTRACE_[A-Z]+' "$MTRACE_HOME/boot/sitecustomize.py" | sort -u); do
  has "a variable in ENVIRONMENT" "$described" "$name"
done

# ---- every page
for page in "$pages"/*; do
  name=$(basename "$page" .1)
  case " mtrace ${commands//$'\n'/ } " in *" ${name#mtrace-} "*) ;; *) same "a page without a command" "$name" "" ;; esac
  same "the heading of $name" "$(grep '^\.TH ' "$page")" ".TH ${name^^} 1 \"\" \"$("$MTRACE" --version)\" \"User Commands\""
  same "pages that $name names" "$(grep -oE '^\.BR mtrace(\\-[a-z]+)? \(1\)' "$page" | sed -E 's/^\.BR (.*) \(1\)/\1/; s/\\//g' |
    while read -r other; do [ -e "$pages/$other.1" ] || echo "$other"; done)" ""
  same "what groff says of $name" "$(groff -man -Tutf8 -ww -z "$page" 2>&1)" ""
  same "a quotation mark in $name that would be curved" "$(sed '/^\.nf/,/^\.fi/!d' "$page" | grep "'")" ""
done

finish
