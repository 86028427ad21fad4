#!/bin/sh
# Unpacks what tests/gpu/pack.sh made, anywhere, without installing it.
#   tests/gpu/unpack.sh FILE.deb DIR        then C3D_DEPS=DIR tests/gpu/run.sh
set -eu
[ $# = 2 ] || { echo "usage: tests/gpu/unpack.sh FILE.deb DIR" >&2; exit 2; }
command -v dpkg-deb >/dev/null || { echo "unpack: dpkg-deb is not there" >&2; exit 1; }
mkdir -p "$2"
part=$(mktemp -d "$2/.part.XXXXXX")
trap 'rm -rf "$part"' EXIT
dpkg-deb -x "$1" "$part"
cp -a "$part/opt/c3d-deps/." "$2/"
[ -f "$2/env.sh" ] || { echo "unpack: $1: not made by pack.sh" >&2; exit 1; }
echo "unpack: $2; C3D_DEPS=$2 tests/gpu/run.sh, or sh $2/env.sh COMMAND"
