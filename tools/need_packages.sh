#!/bin/sh
# Makes sure that what the named Debian packages bring is there. Where something is missing and
# apt-get may be used without a password, it is installed; the system's own supervisord is neither
# started nor enabled. Otherwise one sentence says what to install.
#
# Usage: need_packages.sh PACKAGE...
set -eu

# Whether the thing that we want the package for is there, wherever it came from.
has() {
  case $1 in
  supervisor) command -v supervisord ;;
  python3-aiosmtpd) /usr/bin/python3 -c 'import aiosmtpd' ;;
  qemu-user-static) command -v qemu-aarch64-static ;;
  libc6-arm64-cross) test -e /usr/aarch64-linux-gnu/lib/libc.so.6 ;;
  libgcc-s1-arm64-cross) test -e /usr/aarch64-linux-gnu/lib/libgcc_s.so.1 ;;
  gcc-aarch64-linux-gnu) command -v aarch64-linux-gnu-gcc ;;
  xz-utils) command -v xz ;;
  *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

missing=
for package in "$@"; do has "$package" || missing="$missing $package"; done
[ -n "$missing" ] || exit 0
missing=${missing# }

sudo=
if [ "$(id -u)" -ne 0 ]; then
  sudo='sudo -n'
  if ! sudo -n true 2>/dev/null; then
    echo "Cannot go on: install the Debian package(s) $missing, or run this as root" >&2
    exit 1
  fi
fi
if ! command -v apt-get >/dev/null; then
  echo "Cannot go on: there is no apt-get here; install $missing yourself" >&2
  exit 1
fi

echo "Installing $missing with apt-get (about half a minute)"
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
own_policy=no
clean_up() {
  rm -f "$log"
  [ "$own_policy" = no ] || $sudo rm -f "$policy"
}
trap clean_up EXIT
# Debian starts a service as soon as it is installed, unless this file exists and answers 101. An
# existing one may allow the start; whether something started is looked at below.
if [ ! -e "$policy" ]; then
  own_policy=yes
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod 755 "$policy"
fi
run_apt() {
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" \
    </dev/null >"$log" 2>&1 || { tail -n 20 "$log" >&2; return 1; }
}
# The lists may be old or absent; a failing update is only fatal when the install then fails too.
run_apt update || true
# shellcheck disable=SC2086
if ! run_apt install -y --no-install-recommends $missing; then
  echo "Cannot install $missing with apt-get; install it yourself and run this again" >&2
  exit 1
fi

case $missing in
*supervisor*)
  # Not at the next boot either: nobody asked for a service.
  $sudo update-rc.d supervisor disable >/dev/null 2>&1 || true
  pid=$(cat /run/supervisord.pid 2>/dev/null || true)
  if [ -n "$pid" ] && [ -d "/proc/$pid" ]; then
    echo "The installation started a supervisord (pid $pid); stop it: service supervisor stop" >&2
    exit 1
  fi
  ;;
esac
