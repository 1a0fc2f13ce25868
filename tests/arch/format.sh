#!/bin/sh
# ./bazelw run //:format [-- FILE...]
# Lays out all C code, or the files named, by .clang-format, with the pinned clang-format.
set -eu
format=$PWD/../pypi_lint/site/clang_format/data/bin/clang-format
cd "${BUILD_WORKSPACE_DIRECTORY:?use ./bazelw run //:format}"
[ $# -gt 0 ] || set -- '*.c' '*.h'
# Files that git does not know yet, too.
git ls-files -z --cached --others --exclude-standard -- "$@" | xargs -0 -r "$format" -i
