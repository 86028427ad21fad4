#!/usr/bin/env bash
# What do more scenes bring? The 3D network and its 2D twin on 500 training scenes a class, twice as
# many, and so on up to all, scored on one test list: a table and a plot of the area under the curve.
#   jobs/learning-curve/run.sh [OPTIONS]
#   --networks "NAMES"     of jobs/compare/networks.sh (default "c3d cnn2d")
#   --per-class "500 all"  instead of doubling from 500
#   --config FILE          what is the same for all trainings (default configs/full-3d.yaml)
#   --epochs N             times each training shows its scenes (default 10), or more often, until
#   --min-scenes N         that many scenes were shown (default 50000): few scenes, more epochs
# Meant for GPUs. On two cores: --config configs/compare.yaml --min-scenes 20000
. "$(dirname "$0")/../common.sh"
. jobs/compare/networks.sh
own_keys+=" data.max_per_class data.fold data.folds train.epochs"
networks="c3d cnn2d" per_class='' config=configs/full-3d.yaml epochs=10 min_scenes=50000
own_option() { # NAME VALUE
    case $1 in
        --networks) networks=$2 ;;
        --per-class) per_class=$2 ;;
        --config) config=$(from_caller "$2") ;;
        --epochs) epochs=$2 ;;
        --min-scenes) min_scenes=$2 ;;
        *) return 1 ;;
    esac
}

# Training scenes with at most $1 of each class (0: all): of the smallest class, the largest, and all.
count_training() { # LIMIT
    awk -F, -v limit="$1" '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
        $column["split"] == "train" { n[$column["label"]]++ }
        END {
            for (label in n) {
                taken = limit > 0 && n[label] > limit ? limit : n[label]
                if (taken > largest) largest = taken
                if (smallest == "" || taken < smallest) smallest = taken
                sum += taken
            }
            print smallest + 0, largest + 0, sum + 0
        }' "$data/samples.csv"
}

# Sizes that no class reaches are all the same training.
choose_sizes() {
    local n asked
    if [ -z "$per_class" ]; then
        for ((n = 500; n < largest; n *= 2)); do per_class+="$n "; done
        per_class+=all
    fi
    asked=$per_class per_class=
    for n in $asked; do
        if [ "$n" != all ] && [ "$n" -ge "$largest" ]; then
            echo "$n of a class: none has more than $largest, so these are all"
            n=all
        fi
        [[ " $per_class " = *" $n "* ]] || per_class+="${per_class:+ }$n"
    done
}

check_options() {
    local network options
    read -ra options <<<"$networks"
    [ "${#options[@]}" -gt 0 ] || fail 2 "--networks: expected names, such as \"c3d cnn2d\""
    for network in $networks; do
        network_options "$network" || fail 2 "--networks: $network: unknown; jobs/compare/networks.sh has them"
    done
    [[ $per_class =~ ^(([1-9][0-9]*|all)( +|$))*$ ]] ||
        fail 2 "--per-class \"$per_class\": expected numbers, such as \"500 1000 all\""
    [[ $epochs =~ ^[1-9][0-9]*$ ]] || fail 2 "--epochs $epochs: expected a number from 1"
    [[ $min_scenes =~ ^[0-9]+$ ]] || fail 2 "--min-scenes $min_scenes: expected a number"
}

run_one() { # NETWORK SIZE SEED
    local run=$root/$1-$2/seed$3 options n shown=$epochs
    network_options "$1"
    read -r _ _ n < <(count_training "${2/all/0}")
    [ $((n * shown)) -ge "$min_scenes" ] || shown=$(((min_scenes + n - 1) / n))
    train "$run" "$config" "${options[@]}" --set "data.max_per_class=${2/all/0}" \
        --set "train.epochs=$shown" --set "data.seed=$3"
    score "$run" "$run"
}

# The rows of comparison.csv that are the curve, with the numbers of scenes in front.
write_curve() {
    local network size counts
    echo "network,per_class,smallest_class,largest_class,scenes,runs,auc,auc_low,auc_high"
    for network in $networks; do
        for size in $per_class; do
            counts=$(count_training "${size/all/0}")
            awk -F, -v name="$network-$size" -v begin="$network,$size,${counts// /,}" '
                NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
                $1 == name { print begin "," $column["runs"] "," $column["auc"] "," $column["auc_low"] "," $column["auc_high"] }
            ' "$root/comparison/comparison.csv"
        done
    done
}

plot_curve() {
    command -v gnuplot >/dev/null || { echo "no gnuplot here: no $root/curve.svg"; return; }
    gnuplot <<PLOT
set terminal svg size 720,420 dynamic background "white"
set output "$root/curve.svg"
set datafile separator ","
set key outside top left horizontal
set grid ytics
set logscale x 2
set offsets graph 0.05, graph 0.05, 0, 0
set xlabel "training scenes (at most so many of a class)"
set ylabel "area under the ROC curve, 95 % interval"
set xtics (${per_class_ticks})
names = "$networks"
# side by side, so that no interval hides another
plot for [i = 1:words(names)] "$root/curve.csv" every ::1 \\
    using (column(5) * (1 + 0.02 * (i - 1))):(strcol(1) eq word(names, i) ? column(7) : NaN):8:9 \\
    with yerrorlines pointtype 7 title word(names, i)
PLOT
}

parse_options "$@"
check_options
build_programs
prepare_data configs/dataset-demo.yaml
[ -e "$data/samples.csv" ] || fail 2 "--dry-run: $data/samples.csv is not there, and the sizes depend on it"
read -r _ largest _ < <(count_training 0)
choose_sizes
folders=() per_class_ticks=
for size in $per_class; do
    for network in $networks; do
        for seed in $seeds; do
            say "$network, $size of a class, seed $seed"
            run_one "$network" "$size" "$seed"
        done
    done
    read -r _ _ n < <(count_training "${size/all/0}")
    per_class_ticks+="${per_class_ticks:+, }\"$n ($size)\" $n"
done
for network in $networks; do
    for size in $per_class; do folders+=("$root/$network-$size"); done
done
say "comparison"
alone c3d-evaluate --compare "${folders[@]}" --out "$root/comparison"
[ -n "$dry" ] && exit
write_curve | tee "$root/curve.csv"
plot_curve
say "done: $root/curve.csv, curve.svg and $root/comparison/comparison.txt"
