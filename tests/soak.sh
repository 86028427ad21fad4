#!/usr/bin/env bash
# Long fault tests: tests/soak.sh KIND [COUNT]. Kinds are the scripts in tests/soak, and say what they
# do. Prints a line a round and last "soak KIND: passed" or what went wrong (exit 1).
#   C3D_BIN          folder of the programs (default build/release/bin)
#   C3D_SOAK_SEED    of what is drawn, printed at the start (default: another one each time)
#   C3D_SOAK_LIMIT_S a start that takes longer hangs (default 120)
#   C3D_SOAK_DIR     an empty or new folder for the files, which stay (default: one that is removed)
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
kind=${1:-}
count=${2:-}
there=
for script in "$here"/tests/soak/*.sh; do there="$there $(basename "$script" .sh)"; done
usage() { echo "usage: tests/soak.sh KIND [COUNT]; kinds:$there" >&2; exit 2; }

case $kind in
    */* | "") usage ;;
esac
[ -f "$here/tests/soak/$kind.sh" ] || usage
case $count in *[!0-9]* | 0) usage ;; esac

export C3D_SOURCE=$here C3D_BIN=${C3D_BIN:-$here/build/release/bin}
for program in c3d-train c3d-dataset compare_tensors; do
    [ -x "$C3D_BIN/$program" ] || { echo "soak: $C3D_BIN/$program: not there; build first, or set C3D_BIN" >&2; exit 2; }
done
seed=${C3D_SOAK_SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
limit_s=${C3D_SOAK_LIMIT_S:-120}
. "$here/tests/support/soak.sh"
# shellcheck disable=SC1090
. "$here/tests/soak/$kind.sh"
