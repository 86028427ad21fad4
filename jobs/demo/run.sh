#!/usr/bin/env bash
# The whole way on drawn data: set up, build, draw an archive, cut scenes out of it, train the 3D
# network and its 2D twin on two ranks, score both on the same test list, write a report.
# What is finished is not done again; stopped in the middle, the same command goes on.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=runs/demo
bin=build/release/bin
ranks=${C3D_RANKS:-2}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
started=$SECONDS

say() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - started)); }
# Cores are shared by the ranks as the program deals them; more ranks than cores is fine here.
mpi() { mpirun -np "$ranks" --bind-to none --oversubscribe "$@"; }
build() {
    local log=build/demo-build.log
    mkdir -p build
    [ -f build/release/build.ninja ] || cmake --preset release >"$log" 2>&1 || { tail -20 "$log"; return 1; }
    cmake --build --preset release --target c3d-dataset c3d-train c3d-evaluate c3d-report >"$log" 2>&1 ||
        { grep -E 'error|FAILED' -A5 "$log" | head -40; return 1; }
}

say "1 of 7: packages"
jobs/setup.sh
say "2 of 7: build"
build
say "3 of 7: draw 45 months of a landscape with mines, in Planet's and MapBiomas' layout"
$bin/c3d-dataset demo $root/archive
say "4 of 7: cut scenes out of it and deal them to training, validation and test by blocks"
mpi $bin/c3d-dataset build configs/dataset-demo.yaml --out $root/data
for net in 2d 3d; do
    say "5 of 7: train, $net, $ranks ranks"
    mpi $bin/c3d-train configs/demo-$net.yaml
done
for net in 2d 3d; do
    say "6 of 7: score on the test split, $net"
    if [ $root/$net/evaluation-test.json -nt $root/$net/best.safetensors ]; then
        echo "$root/$net/evaluation-test.json is newer than the network: kept"
    else
        mpi $bin/c3d-evaluate $root/$net --split test
    fi
done
say "7 of 7: report"
$bin/c3d-report $root/2d $root/3d --out $root/report.html
printf '\ndone in %d s; open %s in a browser\n' $((SECONDS - started)) "$PWD/$root/report.html"
