#!/bin/sh
# Installs the packages that packages.txt lists: `install_packages.sh build` those to build and run,
# `install_packages.sh test` those for tests and benchmarks too. Does nothing if all are there.
set -eu
cd "$(dirname "$0")/.."

case "${1:-}" in
  build) wanted=$(sed '/^# --- tests/,$d; /^#/d' packages.txt) ;;
  test) wanted=$(sed '/^#/d' packages.txt) ;;
  *) echo "usage: $0 build|test" >&2; exit 2 ;;
esac

missing=
for package in $wanted; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
    missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
echo "installing:$missing"
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
