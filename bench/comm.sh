#!/usr/bin/env bash
# The gradient sum inside a host against MPI_Allreduce, in turns; run by bench/run.sh comm [RANKS].
set -euo pipefail
cd "$BENCH_DIR"
ranks=${1:-2}

cmake -S "$C3D_SOURCE" -B comm -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo >comm.log &&
    cmake --build comm --target bench_comm >>comm.log || { tail -n 30 comm.log >&2; exit 1; }
exec mpirun --bind-to none --oversubscribe -np "$ranks" comm/bin/bench_comm
