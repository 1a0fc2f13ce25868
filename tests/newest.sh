#!/bin/sh
# Runs the interpreter tests on Debian sid, which has CPythons that nothing stable has yet.
#
#   ./bazelw run //tests:newest [-- BAZEL_TEST_OPTIONS_AND_TARGETS]
#
# They run in a system of their own with Bazel's output inside it, a folder that stays:
# ~/.cache/mtrace/sid ($MTRACE_SID).  It is brought up to date once a week.  Needs root or sudo.
#
# Where the machine cannot do that, or where sid cannot be had (no network, packages that do not fit
# together today), the exit status is 77 and the last line says why.  Else it is Bazel's.
set -eu
PATH=$PATH:/usr/sbin:/sbin

die() {
  status=$1
  shift
  echo "newest: $*" >&2
  exit "$status"
}

root=${MTRACE_SID:-${XDG_CACHE_HOME:-$HOME/.cache}/mtrace/sid}
workspace=${BUILD_WORKSPACE_DIRECTORY:-$PWD}
[ -e "$workspace/WORKSPACE" ] || die 2 "not in the checkout: use ./bazelw run //tests:newest"
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || die 77 "a system in a folder needs root, and there is no sudo"
  sudo -n true 2>/dev/null || [ -t 0 ] || die 77 "a system in a folder needs root, and sudo wants a password"
  exec sudo env MTRACE_SID="$root" BUILD_WORKSPACE_DIRECTORY="$workspace" "$0" "$@"
fi
unshare --mount --pid --fork true 2>/dev/null || die 77 "this machine does not let root make mount and pid namespaces"
if ! command -v debootstrap >/dev/null; then
  echo "newest: installing debootstrap with apt-get" >&2
  { apt-get -o Acquire::Retries=5 update -q && DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 install -q -y --no-install-recommends debootstrap; } >&2 ||
    die 77 "debootstrap is missing, and apt-get could not install it (see above)"
fi

# The folder is removed when a first run was cut short, so it must be one of ours.
[ -e "$root/.mtrace-sid" ] || [ -z "$(ls -A "$root" 2>/dev/null)" ] ||
  die 2 "$root holds something else: empty it, or set MTRACE_SID to another folder"

# Bazel's own lock does not reach across pid namespaces.
mkdir -p "$(dirname "$root")"
exec 9>"$root.lock"
flock -n 9 || { echo "newest: another run is using $root; waiting" >&2; flock 9; }

targets=//...
for arg; do
  case $arg in -*) ;; *) targets= ;; esac
done

packages="bazel-bootstrap ca-certificates libcmocka-dev libisal-dev libuv1-dev libzstd-dev pkg-config python3-all-dev python3-pip-whl zlib1g-dev"
contents="$packages libpython-testsuite"
export root workspace packages contents
# In namespaces of its own: nothing stays mounted or running, however this ends.
exec unshare --mount --propagation private --pid --fork --kill-child sh -euc '
  # Until the tests begin, what goes wrong is no failure of theirs.
  doing="starting"
  # Nor may a network that hangs hold up a whole CI run.
  deadline=$(($(date +%s) + 900))
  limit() {
    left=$((deadline - $(date +%s)))
    echo "timeout --foreground -k 10 $((left > 0 ? left : 1))"
  }
  finish() {
    status=$?
    [ -n "$doing" ] || exit "$status"
    [ "$status" -ne 124 ] || echo "newest: given up after 15 minutes" >&2
    echo "newest: no tests were run: $doing Debian sid in $root did not work (see above)" >&2
    exit 77
  }
  trap finish EXIT

  new=
  # It says what was installed: a newer version of this script may want more.
  if [ -z "$(find "$root/.made" -mtime -7 2>/dev/null)" ] || [ "$(cat "$root/.made")" != "$contents" ]; then
    new=1
    if [ ! -e "$root/.made" ]; then
      doing="making"
      echo "newest: making $root (a few minutes)" >&2
      rm -rf --one-file-system "$root"
      mkdir -p "$root"
      touch "$root/.mtrace-sid"
      $(limit) debootstrap --variant=minbase --include=ca-certificates sid "$root" >&2
    else
      doing="bringing up to date"
    fi
    # What this machine has of its own: name servers, certificates, package indexes, proxies.
    cp /etc/resolv.conf "$root/etc/"
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || :
    cp /etc/pip.conf "$root/etc/" 2>/dev/null || :
    { echo "Acquire::Retries \"5\";" && apt-config dump Acquire; } | grep -E "^Acquire::(Check|http|Retries)" >"$root/etc/apt/apt.conf.d/90host" || :
  fi

  mkdir -p "$root/mtrace"
  find "$root/tmp" -mindepth 1 -delete
  mount --bind "$root" "$root"
  mount --bind "$workspace" "$root/mtrace"
  mount -o remount,bind,ro "$root/mtrace"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  # Not chroot, in which neither tests nor the sandbox of Bazel may make namespaces.  The old root is
  # then on top of the new one, until it is unmounted.
  cd "$root"
  pivot_root . .
  umount -l .
  cd /
  inside() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
      ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
      ${PIP_INDEX_URL:+"PIP_INDEX_URL=$PIP_INDEX_URL"} \
      "$@"
  }
  if [ -n "$new" ]; then
    inside update-ca-certificates >&2
    if inside $(limit) apt-get -o APT::Update::Error-Mode=any update -q >&2; then
      rm -f /.made # made anew, should this be cut short
    elif [ -e /.made ]; then
      echo "newest: there is no package index; going on with the packages of $(date -r /.made +%F)" >&2
      new=
    else
      exit 1
    fi
  fi
  if [ -n "$new" ]; then
    inside $(limit) apt-get dist-upgrade -q -y >&2
    inside $(limit) apt-get install -q -y --no-install-recommends $packages >&2
    # CPython has its own tests in a package for each version.
    inside $(limit) sh -c "apt-get install -q -y --no-install-recommends \$(
      ls /usr/bin | sed -n \"s/^python\\(3[.][0-9]*\\)\$/libpython\\1-testsuite/p\")" >&2
    inside apt-get clean
    echo "$contents" >/.made
  fi

  # Not ./bazelw: it would want the browser and other readers, whose tests are not about interpreters, as
  # those of the program are not.
  bazel="cd /mtrace && bazel --bazelrc=third_party/bazel/bazel7.bazelrc"
  # -Wno-error: sid has another compiler every few weeks, and its new warnings are no reason to test nothing.
  # They are errors again by `./bazelw run //tests:newest -- --copt=-Werror`.
  status=0 doing=
  inside sh -c "$bazel test \"\$@\"" - --symlink_prefix=/ --build_tests_only --copt=-Wno-error \
    --test_tag_filters=python,core,unit,-browser,-cli,-reader "$@" || status=$?
  inside sh -c "$bazel shutdown" 2>/dev/null || :
  exit $status
' - "$@" $targets
