# From the start of c3d-train to the end of its first training step, with the demo configuration on
# the demo dataset; run by bench/run.sh start. The other's time is the second that is allowed.
set -euo pipefail
rounds=${1:-7}
cd "$BENCH_DIR"
cmake -S "$C3D_SOURCE" -B programs -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo >programs.log
cmake --build programs --target c3d-dataset c3d-train >>programs.log ||
    { tail -n 30 programs.log >&2; exit 1; }
export PATH=$PWD/programs/bin:$PATH
mkdir -p start
cd start
[ -f runs/demo/archive/ready ] || { c3d-dataset demo runs/demo/archive >demo.log && touch runs/demo/archive/ready; }
[ -f runs/demo/data/dataset.json ] ||
    c3d-dataset build "$C3D_SOURCE/configs/dataset-demo.yaml" --out runs/demo/data >build.log

echo "c3d-train configs/demo-3d.yaml, train.max_steps 1, its checkpoint at the end included"
echo "   round   seconds"
for i in $(seq "$rounds"); do
    rm -rf runs/demo/3d
    begin=$EPOCHREALTIME
    c3d-train "$C3D_SOURCE/configs/demo-3d.yaml" --set train.max_steps=1 >train.log
    awk -v i="$i" -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%8d %9.3f\n", i, b - a }'
done | tee rounds.txt
awk '{ print $2 }' rounds.txt | sort -n |
    awk '{ s[NR] = $1 } END { printf "start ratio=%.3f\n", s[int((NR + 1) / 2)] }'
