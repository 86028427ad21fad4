#!/usr/bin/env bash
# Runs one comparison: prints a table and last a line "NAME ratio=R", R = our time over the other's
# (below 1 is faster).  bench/README.md says how to read it.
#   bench/run.sh NAME [ARGUMENTS]
#   BENCH_DIR=DIR             where to build and install (default build/bench)
#   BENCH_BUILD=DIR           a build to take programs from, where the comparison knows it
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
names=$(cd "$here" && ls ./*.sh | sed -n 's|^\./\(.*\)\.sh$|\1|p' | grep -vx run | tr '_\n' '- ')
name=${1:-}
script=$here/${name//-/_}.sh
if [ -z "$name" ] || [ "$name" = run ] || [ ! -f "$script" ]; then
    echo "usage: bench/run.sh NAME, NAME one of: $names" >&2
    exit 2
fi
shift
export C3D_SOURCE=${C3D_SOURCE:-$(dirname "$here")} BENCH_DIR=${BENCH_DIR:-$(dirname "$here")/build/bench}
mkdir -p "$BENCH_DIR"
# scripts change to other directories
BENCH_DIR=$(realpath "$BENCH_DIR")
if [ -n "${BENCH_BUILD:-}" ]; then
    BENCH_BUILD=$(realpath -e "$BENCH_BUILD")
    export BENCH_BUILD
fi
case ${BENCH_PYTHON:-} in */*)
    BENCH_PYTHON=$(realpath -s "$BENCH_PYTHON")
    export BENCH_PYTHON
    ;;
esac
exec bash "$script" "$@"
