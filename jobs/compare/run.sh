#!/usr/bin/env bash
# What does time add? Nine ways of looking at the same scenes, trained on the same lists for the same
# number of scenes with several seeds each, scored on one test list and compared in pairs.
#   jobs/compare/run.sh [OPTIONS]
#   --networks "NAMES"  some of them; the first is what the others are compared with
#   --quick             a small archive, two seeds, tiny networks: does it run? Not: what comes out?
. "$(dirname "$0")/../common.sh"
. jobs/compare/networks.sh
networks="c3d cnn2d tcnn cnn2d-every cnn2d-stack cnn2d-matched c2plus1d c3d-shuffled forest"
forest_options=()
own_option() { # NAME VALUE
    case $1 in
        --networks) networks=$2 ;;
        --quick)
            size=small seeds="1 2"
            sets+=(--set model.width=2 --set model.fc=16 --set train.epochs=2)
            forest_options+=(--trees 10 --pixels 4)
            ;;
        *) return 1 ;;
    esac
}

# The forest has no key that takes some of the samples: then its lists would not be the same.
check_networks() {
    local network
    read -ra networks <<<"$networks"
    [ "${#networks[@]}" -ge 2 ] || fail 2 "--networks: at least two are compared"
    for network in "${networks[@]}"; do
        if [ "$network" != forest ]; then
            network_options "$network" || fail 2 "--networks: $network: unknown; jobs/compare/networks.sh has them"
        elif [[ " ${sets[*]} " =~ \ data\.(max_per_class|fold|folds)= ]]; then
            fail 2 "${BASH_REMATCH[0]# }: the forest takes all training samples; leave it out by --networks"
        fi
    done
    [ "${networks[0]}" != forest ] || fail 2 "--networks: the first is what the others are compared with: not forest"
}

has_sklearn() { # PYTHON
    "$1" -c "import numpy, h5py, sklearn.ensemble" 2>/dev/null
}

# scikit-learn, in a virtual environment of this folder unless C3D_PYTHON is a Python that has it.
# Before anything is drawn or trained: can it be had?
check_python() {
    local ways="set C3D_PYTHON to a Python with numpy, h5py and scikit-learn, or leave the forest out by --networks"
    python=${C3D_PYTHON:-$root/venv/bin/python}
    if [ -n "$dry" ]; then
        return 0
    elif [ -n "${C3D_PYTHON:-}" ]; then
        has_sklearn "$python" || fail 3 "C3D_PYTHON=$python has no numpy, h5py or scikit-learn: $ways"
    elif ! has_sklearn "$python"; then
        python3 -c "import venv, ensurepip" 2>/dev/null ||
            fail 3 "the forest's Python is made by python3 -m venv (Debian: python3-venv), not there: install it, $ways"
    fi
}

prepare_python() {
    [ -z "${C3D_PYTHON:-}" ] && ! has_sklearn "$python" || return 0
    say "scikit-learn and h5py, for the forest"
    go python3 -m venv "$root/venv"
    go "$python" -m pip install --quiet numpy h5py scikit-learn
}

run_forest() { # SEED
    local run=$root/forest/seed$1 like=$root/${networks[0]}/seed${seeds%% *}/scores-test.csv
    if [ "$run/scores-test.csv" -nt "$like" ]; then
        echo "$run/scores-test.csv: kept"
    else
        go "$python" jobs/compare/forest.py "$data" --like "$like" --seed "$1" --out "$run" "${forest_options[@]}"
    fi
}

run_network() { # NETWORK SEED
    local run=$root/$1/seed$2 options
    network_options "$1"
    train "$run" configs/compare.yaml "${options[@]}" --set "data.seed=$2"
    score "$run" "$run"
}

parse_options "$@"
check_networks
[[ " ${networks[*]} " != *" forest "* ]] || check_python
build_programs
prepare_data configs/dataset-demo.yaml
[[ " ${networks[*]} " != *" forest "* ]] || prepare_python
folders=() pages=()
for network in "${networks[@]}"; do
    folders+=("$root/$network")
    [ "$network" = forest ] || pages+=("$root/$network/seed${seeds%% *}")
    for seed in $seeds; do
        say "$network, seed $seed"
        if [ "$network" = forest ]; then run_forest "$seed"; else run_network "$network" "$seed"; fi
    done
done
say "comparison"
alone c3d-evaluate --compare "${folders[@]}" --out "$root/comparison"
alone c3d-report "${pages[@]}" --comparison "$root/comparison" --out "$root/report.html"
say "done: $root/comparison/comparison.txt, comparison.csv, and the page $root/report.html"
