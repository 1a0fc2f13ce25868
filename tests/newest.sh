#!/bin/sh
# Runs the interpreter tests on Debian sid, which has CPythons that nothing stable has yet.
#
#   ./bazelw run //tests:newest [-- BAZEL_TEST_OPTIONS_AND_TARGETS]
#
# They run in a system of their own with Bazel's output inside it, a folder that stays:
# ~/.cache/mtrace/sid ($MTRACE_SID).  It is brought up to date once a week.  Needs root or sudo; where the machine cannot do that the exit
# status is 77, else Bazel's.
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
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends debootstrap; } >&2 ||
    die 1 "debootstrap is missing, and apt-get could not install it"
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

packages="bazel-bootstrap ca-certificates libcmocka-dev libuv1-dev pkg-config python3-all-dev python3-pip-whl"
export root workspace packages
# In namespaces of its own: nothing stays mounted or running, however this ends.
exec unshare --mount --propagation private --pid --fork --kill-child sh -euc '
  new=
  if [ -z "$(find "$root/.made" -mtime -7 2>/dev/null)" ]; then
    new=1
    if [ ! -e "$root/.made" ]; then
      echo "newest: making $root (a few minutes)" >&2
      rm -rf --one-file-system "$root"
      mkdir -p "$root"
      touch "$root/.mtrace-sid"
      debootstrap --variant=minbase --include=ca-certificates sid "$root" >&2
    fi
    # What this machine has of its own: name servers, certificates, package indexes, proxies.
    cp /etc/resolv.conf "$root/etc/"
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || :
    cp /etc/pip.conf "$root/etc/" 2>/dev/null || :
    apt-config dump Acquire | grep -E "^Acquire::(Check|http|Retries)" >"$root/etc/apt/apt.conf.d/90host" || :
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
    inside apt-get update -q >&2
    inside apt-get dist-upgrade -q -y >&2
    inside apt-get install -q -y --no-install-recommends $packages >&2
    # CPython has its own tests in a package for each version.
    inside sh -c "apt-get install -q -y --no-install-recommends \$(
      ls /usr/bin | sed -n \"s/^python\\(3[.][0-9]*\\)\$/libpython\\1-testsuite/p\")" >&2
    inside apt-get clean
    touch /.made
  fi

  # Not ./bazelw: it would want the browser, whose tests are not about interpreters.
  bazel="cd /mtrace && bazel --bazelrc=third_party/bazel/bazel7.bazelrc"
  status=0
  inside sh -c "$bazel test \"\$@\"" - --symlink_prefix=/ --build_tests_only \
    --test_tag_filters=python,core,unit,-browser "$@" || status=$?
  inside sh -c "$bazel shutdown" 2>/dev/null || :
  exit $status
' - "$@" $targets
