#!/bin/sh
# Copies mtrace out of Bazel's runfiles: ./bazelw run //:install -- --prefix DIR
set -eu

usage() {
  cat <<'TEXT'
usage: ./bazelw run //:install -- --prefix DIR

Installs under DIR, which is made if needed; a relative DIR means the folder you are in:
  DIR/bin/mtrace            the program
  DIR/lib/mtrace            its home: the Python package, with an extension for every CPython found
  DIR/share/man/man1        the manual pages
  DIR/share/doc/mtrace      documents
An mtrace that is there already is replaced.
TEXT
}

wrong() {
  echo "install: $*" >&2
  usage >&2
  exit 2
}

die() {
  echo "install: $*" >&2
  exit 1
}

prefix=
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --prefix) [ $# -ge 2 ] || wrong "--prefix needs a folder"; prefix=$2; shift 2 ;;
    --prefix=*) prefix=${1#*=}; shift ;;
    *) wrong "unknown argument: $1" ;;
  esac
  [ -n "$prefix" ] || wrong "--prefix needs a folder"
done
[ -n "$prefix" ] || wrong "--prefix DIR is missing"
case $prefix in /*) ;; *) prefix=${BUILD_WORKING_DIRECTORY:-$PWD}/$prefix ;; esac

self=$0
[ -d "$self.runfiles" ] || self=${BUILD_WORKSPACE_DIRECTORY-}/.bazel/bin/install
cd "$self.runfiles/mtrace" 2>/dev/null || die "this script runs by ./bazelw run //:install only"

mkdir -p "$prefix" || die "cannot make $prefix"
prefix=$(cd "$prefix" && pwd)

# The home is put together beside its place and then moved there: traced programs may be running with
# the old one mapped, and no file of an older version is to stay.
lib=$prefix/lib/mtrace
new=$lib/.new.$$
trap 'rm -rf "$new"' EXIT
mkdir -p "$new" || die "cannot write in $lib"
# -L: the runfiles are links into the checkout and Bazel's folders.
(cd src/python && find -L boot mtrace -type f ! -name '*.pyc') >"$new/files"
while read -r file; do
  mode=0644
  case $file in *.so) mode=0755 ;; esac
  install -D -m "$mode" "src/python/$file" "$new/$file"
done <"$new/files"
for part in boot mtrace; do
  find "$new/$part" -type d -exec chmod 0755 {} +
  [ ! -e "$lib/$part" ] || mv "$lib/$part" "$new/old.$part"
  mv "$new/$part" "$lib/$part"
done
chmod 0755 "$lib"

# `install` removes the old file first, so a running mtrace keeps its own.
install -D -m 0755 src/cli/mtrace "$prefix/bin/mtrace"
find -L docs -name '*.1' -type f 2>/dev/null | while read -r page; do
  install -D -m 0644 "$page" "$prefix/share/man/man1/$(basename "$page")"
done
find -L . -maxdepth 1 \( -name '*.md' -o -name LICENSE \) -type f | while read -r file; do
  install -D -m 0644 "$file" "$prefix/share/doc/mtrace/$(basename "$file")"
done
find -L docs -type f ! -name '*.1' 2>/dev/null | while read -r file; do
  install -D -m 0644 "$file" "$prefix/share/doc/mtrace/$file"
done

echo "mtrace is installed: $prefix/bin/mtrace"
echo "It holds extensions for the CPythons that the build found:"
sed 's/^/  /' ../pythons/found.txt
