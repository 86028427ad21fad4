#!/usr/bin/env bash
# Five folds of the mining chips: import, train the 2D network on each, score, put together.
#   jobs/mining-chips/run.sh DIR      the folder with manifest.tsv and galleries/
# What is finished is not done again; stopped in the middle, the same command goes on.
set -euo pipefail
chips=${1:?usage: jobs/mining-chips/run.sh DIR, the folder with manifest.tsv and galleries/}
chips=$(cd "$chips" && pwd)
cd "$(dirname "$0")/../.."
root=${C3D_RUNS:-runs/mining-chips}
bin=${C3D_BIN:-build/release/bin}
ranks=${C3D_RANKS:-1}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

say() { printf '\n== %s\n' "$1"; }
mpi() { if [ "$ranks" = 1 ]; then "$@"; else mpirun -np "$ranks" --bind-to none --oversubscribe "$@"; fi; }

say "import"
"$bin/c3d-dataset" import --config configs/dataset-mining-chips.yaml --set "data.root=$chips" \
    --out "$root/data" ${C3D_IMPORT_SETS:-}
"$bin/c3d-dataset" verify "$root/data"
for fold in 0 1 2 3 4; do
    say "fold $fold"
    mpi "$bin/c3d-train" configs/mining-chips-2d.yaml --set "data.store=$root/data" \
        --set "data.fold=$fold" --set "run.dir=$root/fold-$fold" ${C3D_TRAIN_SETS:-}
    if [ "$root/fold-$fold/scores-test.csv" -nt "$root/data/samples.csv" ]; then
        echo "$root/fold-$fold/scores-test.csv: kept"
    else
        "$bin/c3d-evaluate" "$root/fold-$fold" --split test --checkpoint last
    fi
done
say "all folds together"
# sample_id,frame_id,first_month,label,score
tail -qn +2 "$root"/fold-[0-4]/scores-test.csv | awk -F, '{ print $5 "," $4 "," $2 }' | sort -g -t, -k1,1 |
    awk -F, -v threshold=0.5 -f jobs/mining-chips/pool.awk "$root/data/import.csv" - | tee "$root/results.txt"
