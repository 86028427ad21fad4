#!/usr/bin/env bash
# The same two networks as in jobs/paper on all scenes, whole blocks of land held out for validation
# and test: what the study could not do.
#   jobs/full/run.sh [OPTIONS]
# Meant for GPUs (slurm/compare.sbatch deals the trainings to a cluster). On a CPU:
# --set model.width=8 --set model.fc=128 --set train.global_batch=16
. "$(dirname "$0")/../common.sh"
seeds="1"
parse_options "$@"
build_programs
prepare_data configs/dataset-demo.yaml
for seed in $seeds; do
    for network in 3d 2d; do
        say "$network, seed $seed"
        run=$root/$network/seed$seed
        train "$run" "configs/full-$network.yaml" --set "data.seed=$seed"
        score "$run" "$run"
    done
done
say "comparison"
alone c3d-evaluate --compare "$root/3d" "$root/2d" --out "$root/comparison"
alone c3d-report "$root/3d/seed${seeds%% *}" "$root/2d/seed${seeds%% *}" \
    --comparison "$root/comparison" --out "$root/report.html"
say "done: $root/comparison/comparison.txt and the page $root/report.html"
