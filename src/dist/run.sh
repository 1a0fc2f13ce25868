#!/bin/sh
# What `./bazelw run //:mtrace -- ARGS` starts: the program, in the caller's folder, with the home
# that was built.  It is replaced by the program, so signals and the exit status are the program's.
set -eu

# The runfiles lie beside the name that Bazel started; the name itself may be a link to this script.
self=$0
while ! [ -d "$self.runfiles" ]; do
  if ! [ -L "$self" ]; then
    echo "mtrace: this is the launcher of ./bazelw run //:mtrace, and runs only there" >&2
    exit 2
  fi
  link=$(readlink "$self")
  case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
# A path with no link in it: it must stay good for programs that outlive this command.
root=$(readlink -f "$self.runfiles/mtrace")

[ -z "${BUILD_WORKING_DIRECTORY-}" ] || cd "$BUILD_WORKING_DIRECTORY"
# Traced programs shall see the caller's environment, not Bazel's.
unset BUILD_WORKING_DIRECTORY BUILD_WORKSPACE_DIRECTORY OLDPWD
MTRACE_HOME=$root/src/python
export MTRACE_HOME
exec "$root/src/cli/mtrace" "$@"
