#!/usr/bin/env bash
# The published study's protocol: 500 scenes a class drawn at random, 10 epochs, Adam at 0.001, a
# score above 0.9 is a mine; the 3D network and its 2D twin. Its '100 samples for test' is read both
# ways, 100 a class and 100 in all, and the whole test split is scored beside. A dataset of yours (--data)
# must have a split drawn at random; with too few scenes for a reading its folder tells how many it has.
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

check_split() {
    local rule
    [ -z "$dry" ] || [ -e "$data/dataset.json" ] || return 0
    rule=$(sed -n 's/^ *"split": "\([a-z]*\)",\{0,1\}$/\1/p' "$data/dataset.json")
    [ "$rule" = random ] || fail 2 "$data: its split is by ${rule:-a rule that dataset.json does not tell}, \
and the study's is drawn at random; make one with c3d-dataset build --set data.split=random --set data.buffer_m=0"
}

# READING, or what it comes to where the run's test list has fewer than LIMIT of a class.
reading_of() { # READING LIMIT RUN
    awk -F, -v reading="$1" -v limit="$2" '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
        { n[$column["label"] > 0]++ }
        END {
            for (i = 0; i < 2; i++) {
                is_short = is_short || NR > 1 && n[i] < limit
                if (n[i] > limit) n[i] = limit
            }
            print is_short ? n[1] + 0 "-mines-and-" n[0] + 0 "-others" : reading
        }' "$3/scores-test.csv"
}

readings=()
name_readings() { # RUN: all runs score the same list
    local limit names=(100-a-class 100-in-all)
    readings=()
    for limit in 100 50; do
        [ -n "$dry" ] || names[limit < 100]=$(reading_of "${names[limit < 100]}" "$limit" "$1")
    done
    readings=("${names[@]}")
    [ "${names[*]}" = "100-a-class 100-in-all" ] || echo "too few test scenes for 100 a class, 50 a class: ${names[*]}"
}

parse_options "$@"
[ -z "$data" ] || check_split
build_programs
prepare_data configs/dataset-demo.yaml --set data.split=random --set "data.split_shares=[0.6, 0.1, 0.3]"
for seed in $seeds; do
    for network in 3d 2d; do
        say "$network, seed $seed"
        run=$root/$network/seed$seed
        train "$run" "configs/paper-$network.yaml" --set "data.seed=$seed"
        score "$run" "$run"
        [ ${#readings[@]} -gt 0 ] || name_readings "$run"
        score_as "${readings[0]}" $network "$seed" --max-per-class 100
        [ "${readings[0]}" = "${readings[1]}" ] || score_as "${readings[1]}" $network "$seed" --max-per-class 50
    done
done
[ "${readings[0]}" != "${readings[1]}" ] || unset "readings[1]"
for folder in "${readings[@]/#/$root/}" "$root"; do
    say "comparison: $folder/comparison"
    alone c3d-evaluate --compare "$folder/3d" "$folder/2d" --out "$folder/comparison"
done
alone c3d-report "$root/3d/seed${seeds%% *}" "$root/2d/seed${seeds%% *}" \
    --comparison "$root/comparison" --out "$root/report.html"
say "done: comparison.txt in $root/comparison and of ${readings[*]}, and the page $root/report.html"
