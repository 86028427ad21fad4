# shellcheck shell=bash
# Sourced by the run.sh of jobs/compare, paper, full and learning-curve: options, programs with their
# signals, the dataset, and training and scoring of one run. Options of all of them:
#   --out DIR          where everything goes (default runs/JOB)
#   --data DIR         a dataset that c3d-dataset made; else an archive is drawn and scenes cut of it
#   --size SIZE        of the drawn archive: tiny, small, medium, large
#   --seeds "1 2 3"    a training of each network for each of them
#   --ranks N          MPI ranks (default 1)
#   --set KEY=VALUE    to c3d-train; any number of them
#   --dry-run          print the commands and run none
# C3D_BIN is the folder of the programs; without it they are built in build/release first.
# What is finished is not done again; stopped in the middle, the same command goes on.
set -euo pipefail
caller=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
job=$(basename "$(dirname "$0")")
root=runs/$job data= size=medium seeds="1 2 3" ranks=1 dry=
sets=()
own_keys="data.store data.seed run.dir" # what each run is told by the script; a script may add to it
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

say() { printf '\n== %s (%d s)\n' "$1" $SECONDS; }
fail() { # CODE TEXT
    echo "jobs/$job/run.sh: $2" >&2
    exit "$1"
}

# Paths are the caller's, whatever folder the script works in.
from_caller() { (cd "$caller" && realpath -m --relative-base="$OLDPWD" -- "$1"); }

# What the scripts say of themselves: the comments at their top, then those above.
usage() {
    local file
    for file in "jobs/$job/run.sh" jobs/common.sh; do
        sed -n '/^# \(shellcheck\|Sourced\|signals\)/d; /^#!/d; /^#/!q; s/^# \{0,1\}//p' "$file"
    done
}

# own_option NAME VALUE of the script takes what is not known here, and returns 1 if it does not either.
own_option() { return 1; }
parse_options() { # ARGUMENTS...
    while [ $# -gt 0 ]; do
        case $1 in
            --help | -h)
                usage
                exit
                ;;
            --dry-run | --quick)
                [ "$1" = --dry-run ] && dry=1 || own_option "$1" "" || fail 2 "$1: not an option of this script"
                shift
                continue
                ;;
        esac
        [ $# -ge 2 ] || fail 2 "$1: unknown, or without its value; --help lists the options"
        case $1 in
            --out) root=$(from_caller "$2") ;;
            --data) data=$(from_caller "$2") ;;
            --size) size=$2 ;;
            --seeds) seeds=$2 ;;
            --ranks) ranks=$2 ;;
            --set) sets+=(--set "$2") ;;
            *) own_option "$1" "$2" || fail 2 "$1: unknown option; --help lists them" ;;
        esac
        shift 2
    done
    [[ $seeds =~ ^[0-9]+( +[0-9]+)*$ ]] || fail 2 "--seeds \"$seeds\": expected numbers, such as \"1 2 3\""
    [[ $ranks =~ ^[1-9][0-9]*$ ]] || fail 2 "--ranks $ranks: expected a number from 1"
    local set key
    for set in "${sets[@]}"; do
        key=${set%%=*} key=${key// /}
        [[ " $own_keys " != *" $key "* ]] ||
            fail 2 "--set $set: the script sets $key for each run by itself; --help lists its options"
    done
    [ -z "$data" ] || check_data
}

# ---- programs -------------------------------------------------------------------------------------

# A shell runs a trap between commands only, so programs run in the background and the shell waits.
# Whatever asks the script to stop asks the program to save and stop; it then ends with 75. Ctrl-C goes
# to a whole process group, and mpirun would end its ranks before they have saved: so the program has a
# group of its own. Ctrl-C more than five seconds after the first is a TERM to it, which ends mpirun;
# a program without mpirun ends at the second TERM.
n_signals=0 first_signal_s=0
child=
on_signal() { # NAME
    local name=USR1
    [ "$n_signals" -gt 0 ] || first_signal_s=$SECONDS
    n_signals=$((n_signals + 1))
    [[ $1 != @(INT|TERM) ]] || [ $((SECONDS - first_signal_s)) -le 5 ] || name=TERM
    [ -z "$child" ] || kill -$name "$child" 2>/dev/null || true
}
for signal in USR1 INT TERM HUP; do
    # shellcheck disable=SC2064 # now, not then
    trap "on_signal $signal" $signal
done
stopped() { fail 75 "stopped; the same command goes on"; }

go() { # COMMAND...: ends the script with its exit code unless that is 0
    local code=0 seen
    if [ -n "$dry" ]; then
        printf '%s\n' "${*@Q}" | sed "s/'\([A-Za-z0-9_.,:=+/@-]*\)'/\1/g"
        return
    fi
    [ "$n_signals" = 0 ] || stopped
    set -m
    "$@" </dev/null &
    child=$!
    set +m
    [ "$n_signals" = 0 ] || kill -USR1 "$child" 2>/dev/null || true # it came just now
    while
        seen=$n_signals code=0
        wait "$child" || code=$?
        [ "$seen" != "$n_signals" ] # the signal ended the wait, not the program
    do :; done
    child=
    # 138: the signal ended it, as it does programs that have nothing to save
    [ "$n_signals" = 0 ] || [ "$code" != 138 ] || code=75
    [ "$code" != 75 ] || stopped
    [ "$code" = 0 ] || fail "$code" "exit $code: ${*@Q}"
}

on_ranks() { # PROGRAM ARGUMENTS...
    local start=()
    [ "$ranks" = 1 ] || start=(mpirun --bind-to none --oversubscribe -np "$ranks")
    go "${start[@]}" "$bin/$1" "${@:2}"
}
alone() { go "$bin/$1" "${@:2}"; }

build_programs() {
    bin=${C3D_BIN:-build/release/bin}
    [ -z "${C3D_BIN:-}" ] || return 0
    say "build"
    [ -f build/release/build.ninja ] || go cmake --preset release
    go cmake --build --preset release --target c3d-dataset c3d-train c3d-evaluate c3d-report
}

# ---- steps ----------------------------------------------------------------------------------------

# Not after hours of training: is there a dataset, and can its test split be scored?
check_data() {
    local n_classes
    [ -z "$dry" ] || [ -e "$data/samples.csv" ] || return 0
    [ -e "$data/dataset.json" ] && [ -e "$data/samples.csv" ] ||
        fail 3 "$data: no dataset.json and samples.csv; --data takes a dataset that c3d-dataset made"
    [[ " ${sets[*]} " != *" data.fold="* ]] || return 0 # then other samples are for test
    n_classes=$(awk -F, '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
        $column["split"] == "test" && !seen[$column["label"] > 0]++ { n++ }
        END { print n + 0 }' "$data/samples.csv")
    [ "$n_classes" = 2 ] ||
        fail 3 "$data: its test split has scenes of $n_classes of the two classes, and scores need both"
}

# Sets data to a dataset cut out of a drawn archive, unless --data names one.
prepare_data() { # CONFIG OPTIONS of c3d-dataset build...
    [ -z "$data" ] || return 0
    data=$root/data
    say "draw a $size archive, and cut scenes out of it"
    alone c3d-dataset demo "$root/archive" --size "$size"
    on_ranks c3d-dataset build "$1" --out "$data" "${@:2}" \
        --set "data.mosaics=$root/archive/planet_medres_normalized_analytic_{YYYY}-{MM}_mosaic/*_quad.tif" \
        --set "data.labels=$root/archive/mapbiomas/brasil_coverage_{YYYY}.tif"
    check_data
}

train() { # RUN CONFIG OPTIONS of c3d-train...
    on_ranks c3d-train "$2" --set "data.store=$data" --set "run.dir=$1" "${@:3}" "${sets[@]}"
}

# Scores of the best checkpoint, unless there are such.
score() { # RUN DIR OPTIONS of c3d-evaluate...
    if [ "$2/evaluation-test.json" -nt "$1/best.safetensors" ] && [ "$2/scores-test.csv" -nt "$1/best.safetensors" ]; then
        echo "$2/evaluation-test.json: kept"
    else
        on_ranks c3d-evaluate "$1" --split test --out "$2" "${@:3}"
    fi
}
