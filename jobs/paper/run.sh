#!/usr/bin/env bash
# The published study's protocol: 500 scenes a class drawn at random, 10 epochs, Adam at 0.001, a
# score above 0.9 is a mine; the 3D network and its 2D twin. Its '100 samples for test' is read both
# ways, 100 a class and 100 in all, and the whole test split is scored beside.
#   jobs/paper/run.sh [OPTIONS]
# Meant for a GPU. On a CPU: --set model.width=8 --set model.fc=128
. "$(dirname "$0")/../common.sh"

# A folder a reading, a folder a network in it, a folder a seed in that.
score_as() { # READING NETWORK SEED OPTIONS of c3d-evaluate...
    local run=$root/$2/seed$3 dir=$root/$1/$2/seed$3
    go mkdir -p "$dir"
    score "$run" "$dir" "${@:4}"
    go cp "$run/config.yaml" "$run/cost.json" "$dir"
}

parse_options "$@"
build_programs
prepare_data configs/dataset-demo.yaml --set data.split=random --set "data.split_shares=[0.6, 0.1, 0.3]"
for seed in $seeds; do
    for network in 3d 2d; do
        say "$network, seed $seed"
        run=$root/$network/seed$seed
        train "$run" "configs/paper-$network.yaml" --set "data.seed=$seed"
        score "$run" "$run"
        score_as 100-a-class $network "$seed" --max-per-class 100
        score_as 100-in-all $network "$seed" --max-per-class 50
    done
done
for folder in "$root/100-a-class" "$root/100-in-all" "$root"; do
    say "comparison: $folder/comparison"
    alone c3d-evaluate --compare "$folder/3d" "$folder/2d" --out "$folder/comparison"
done
alone c3d-report "$root/3d/seed${seeds%% *}" "$root/2d/seed${seeds%% *}" \
    --comparison "$root/comparison" --out "$root/report.html"
say "done: comparison.txt in the three folders, and the page $root/report.html"
