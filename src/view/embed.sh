#!/bin/sh
# Makes C of the page: page.html with page.css and all scripts in it, cut in two where the data comes.
#
#   embed.sh FOLDER > page.c
set -eu
folder=$1

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

array() {
  echo "const unsigned char $2[] = {"
  part "$1" | od -An -v -tu1 | sed 's/  *\([0-9][0-9]*\)/\1,/g'
  echo "};"
  echo "const size_t $2_bytes = sizeof $2;"
}

echo '#include "view/page.h"'
array 0 mt_view_before
array 1 mt_view_behind
