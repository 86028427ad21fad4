#!/usr/bin/env bash
# What communication costs on the ranks of one host: training steps with the three placements of
# Adam's state, then the gradient sum against MPI_Allreduce, in turns; run by
# bench/run.sh comm [RANKS...].
set -euo pipefail
cd "$BENCH_DIR"
[ $# -gt 0 ] || set -- 2 4

cmake -S "$C3D_SOURCE" -B programs -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo >programs.log
cmake --build programs --target c3d-dataset c3d-train bench_comm >>programs.log ||
    { tail -n 30 programs.log >&2; exit 1; }
export PATH=$PWD/programs/bin:$PATH
mkdir -p comm-data
cd comm-data
cat >train.yaml <<'YAML'
data: {store: store, allow_leaking_split: true}
model: {network: cnn2d}
train: {epochs: 1, global_batch: 8, micro_batch: 2}
run: {dir: placement}
YAML
if [ ! -f store/ready ]; then
    rm -rf archive store
    c3d-dataset demo archive --kind one_frame --size tiny --seed 5 >demo.log
    c3d-dataset build "$C3D_SOURCE/tests/data-configs/one-frame.yaml" \
        --set data.frame_size_px=64 --set data.stride_px=16 --set "data.split_shares=[0.8, 0.1, 0.1]" \
        --out store >build.log
    touch store/ready
fi
python3 "$C3D_SOURCE/bench/comm_placements.py" c3d-train train.yaml "$@"
exec mpirun --bind-to none --oversubscribe -np "$1" bench_comm
