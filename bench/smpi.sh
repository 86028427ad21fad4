#!/usr/bin/env bash
# The communicator on up to 64 hosts that SimGrid plays; run by bench/run.sh smpi [RANKS...].
# Everything is a thousandth of its size, speed of the links included, so that seconds stay. With whole
# buffers 64 ranks would take 40 GB: hence also the limit.
set -euo pipefail
for tool in smpicc smpirun python3; do
    command -v "$tool" >/dev/null || { echo "smpi: skipped, no $tool (Debian: libsimgrid-dev)"; exit 77; }
done
work_s=0.0356 update_s=0.00054 gbit=200 # 64 scenes at 1,800 a second, Adam, a link of each host
mkdir -p "$BENCH_DIR/smpi"
cd "$BENCH_DIR/smpi"

# the sources as they are, but for the number of floats that goes through MPI at a time
rm -rf src
mkdir -p src/train
cp -r "$C3D_SOURCE/src/base" "$C3D_SOURCE/src/comm" src
cp "$C3D_SOURCE"/src/train/cut.[ch] src/train
sed -i 's/^\(#define C3D_WINDOW_FLOATS *\).*/\1((size_t)64)/' src/comm/window.h
grep -q '^#define C3D_WINDOW_FLOATS *((size_t)64)$' src/comm/window.h || { echo "smpi: window.h has changed" >&2; exit 1; }
left_out='nccl.c|nccl_open.c|place.c|cores.*|launch.c' # of GPUs, and where ranks run
mapfile -t sources < <(ls src/base/*.c src/comm/*.c src/train/*.c | grep -Ev "/($left_out)\$")
smpicc -O2 -std=gnu17 -D_GNU_SOURCE -I"$C3D_SOURCE/include" -Isrc -o bench_smpi "$C3D_SOURCE/bench/smpi.c" \
    "${sources[@]}" -ljansson -lxxhash -lpthread -lm -lrt

cat >platform.xml <<END
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="c" prefix="host-" suffix="" radical="0-63" speed="1Gf" bw="$((gbit * 1000 / 8))kBps" lat="1us"/>
</platform>
END
for i in {0..63}; do echo "host-$i"; done >hosts
options=(--cfg=smpi/simulate-computation:no --log=root.thres:critical
    --cfg=network/model:CM02 --cfg=network/crosstraffic:0 --cfg=network/TCP-gamma:0
    --cfg=smpi/allreduce:lr --cfg=smpi/allgather:ring --cfg=smpi/bcast:scatter_LR_allgather)
ulimit -v 12000000
: >steps.txt
[ $# -gt 0 ] || set -- 1 2 4 8 16 32 64
for n in "$@"; do
    smpirun -np "$n" -platform platform.xml -hostfile hosts "${options[@]}" \
        ./bench_smpi 78002 6554 $work_s $update_s >>steps.txt
done
echo "step in ms, one rank a host on links of $gbit Gb/s, c3d, nothing hidden; sums were right on all ranks"
python3 "$C3D_SOURCE/bench/scaling.py" --smpi steps.txt --svg steps.svg --gbit $gbit --work $work_s --update $update_s
echo "curve: $PWD/steps.svg"
