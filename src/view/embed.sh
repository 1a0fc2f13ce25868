#!/bin/sh
# Makes C of the page: page.html with page.css and all scripts in it, cut in two where the data comes.
#
#   embed.sh FOLDER > page.c
#
# The page's policy lets nothing run and nothing style it but what has the hashes that are put into it here.
set -eu
folder=$1

# Not by pipes alone: what fails at the left of one is not noticed.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# page.html; a line "@NAME@" becomes the file NAME of the folder, and ends at "@data@" or begins there.
part() {
  awk -v folder="$folder" -v wanted="$1" '
    /^@data@$/ { at = 1; next }
    at != wanted { next }
    /^@[a-z.]+@$/ {
      path = folder "/" substr($0, 2, length($0) - 2)
      while ((status = (getline line < path)) > 0) print line
      if (status < 0) { print "embed.sh: " path " cannot be read" > "/dev/stderr"; exit 1 }
      close(path)
      next
    }
    { print }' "$folder/page.html"
}

# What a browser computes of the element, whose tags are on lines of their own: base64 of SHA-256.
hash_of() {
  awk -v element="$1" '
    $0 == "</" element ">" { inside = 0 }
    inside { print }
    $0 == "<" element ">" { inside = 1; print "" }' "$work/0" | sha256sum | awk '
    {
      digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
      hex = $1 "00" # 256 bits are 42 characters and a part of one
      for (i = 1; i <= 64; i += 3) {
        bits = 0
        for (k = 0; k < 3; k++) bits = bits * 16 + index("123456789abcdef", substr(hex, i + k, 1))
        text = text substr(digits, int(bits / 64) + 1, 1) substr(digits, bits % 64 + 1, 1)
      }
      print substr(text, 1, 43) "="
    }'
}

array() {
  echo "const unsigned char $2[] = {"
  sed "s|@script-hash@|$script|; s|@style-hash@|$style|" "$work/$1" | od -An -v -tu1 |
    sed 's/  *\([0-9][0-9]*\)/\1,/g'
  echo "};"
  echo "const size_t $2_bytes = sizeof $2;"
}

part 0 >"$work/0"
part 1 >"$work/1"
script=$(hash_of script) style=$(hash_of style)
echo '#include "view/page.h"'
array 0 mt_view_before
array 1 mt_view_behind
