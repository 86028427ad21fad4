# Clips of 16 months in random order from a warm store of 400 scenes of 45 months, four bands and
# 112 x 112 px, against a loop of pread over a flat file of the same scenes; run by
# bench/run.sh loader [READERS] [ROUNDS]. Takes 3.7 GB of disk and of memory.
set -euo pipefail
readers=${1:-2} rounds=${2:-9} n=400
cd "$BENCH_DIR"
cmake -S "$C3D_SOURCE" -B programs -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo >programs.log
cmake --build programs --target bench_gpu_input bench_loader >>programs.log ||
    { tail -n 30 programs.log >&2; exit 1; }
bin=$PWD/programs/bin

trap 'rm -rf "$BENCH_DIR/loader"' EXIT
rm -rf loader
"$bin/bench_gpu_input" make loader/store 45 112 $n
"$bin/bench_loader" flat loader/store loader/flat
# Each clip begins in another month: the first of a scene would be read only as a special case.
awk -F, -v OFS=, 'NR == 1 { print; next }
    { m = ($1 * 7919) % 30; $3 = sprintf("%d-%02d", 2000 + int(m / 12), 1 + m % 12)
      $4 = 16; $7 = "train"; print }' loader/store/samples.csv >loader/samples
mv loader/samples loader/store/samples.csv
"$bin/bench_loader" run loader/store loader/flat "$readers" "$rounds"
