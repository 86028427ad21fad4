#!/usr/bin/env bash
# jobs/compare, paper, full and learning-curve with stand-ins for the programs, which say what they are
# called with and leave the files that the scripts look for: every training once and on its own
# settings, nothing twice, exit codes and signals handed on, wrong usage refused.
. "$C3D_SOURCE/tests/support/check.sh"
rm -rf stubs out calls.txt && mkdir stubs
dataset() { # DIR: both classes in the test split
    mkdir -p "$1" && touch "$1/dataset.json"
    printf '%s\n' sample_id,label,split 1,0,train 2,1,train 3,0,test 4,1,test >"$1/samples.csv"
}
export -f dataset
stub() { # NAME, its script on standard input
    { echo '#!/usr/bin/env bash'; cat; } >"stubs/$1"
    chmod +x "stubs/$1"
}
export C3D_BIN=$PWD/stubs C3D_PYTHON=$PWD/stubs/python STUB_CALLS=$PWD/calls.txt
for program in c3d-dataset c3d-train c3d-evaluate c3d-report python; do
    stub $program <<'STUB'
echo "$(basename "$0") $*" >>"$STUB_CALLS"
[ "$(basename "$0")" != "${STUB_FAILS:-}" ] || exit "$STUB_CODE"
out=$(sed -n 's/.*--out \([^ ]*\).*/\1/p' <<<"$*")
run=$(sed -n 's/.*run\.dir=\([^ ]*\).*/\1/p' <<<"$*")
case $(basename "$0") in
    c3d-train)
        [ -z "${STUB_WAITS:-}" ] || { trap 'exit 75' USR1; touch "$STUB_CALLS.waiting"; sleep 20 & wait; }
        mkdir -p "$run"
        [ -e "$run/best.safetensors" ] || touch "$run/best.safetensors" "$run/config.yaml" "$run/cost.json"
        ;;
    c3d-evaluate | python)
        if [ "$1" = --compare ]; then
            mkdir -p "$out"
            echo "network,runs,auc,auc_low,auc_high,difference" >"$out/comparison.csv"
            n=0
            for folder in "${@:2:$#-3}"; do
                n=$((n + 1))
                echo "$(basename "$folder"),3,0.9$n,0.8$n,0.99,0"
            done >>"$out/comparison.csv"
            exit
        fi
        mkdir -p "$out" && touch "$out/evaluation-test.json" "$out/scores-test.csv"
        ;;
    c3d-dataset) [ "$1" != build ] || dataset "$4" ;;
esac
exit 0
STUB
done
job() { # CODE JOB OPTIONS...
    local code=$1 name=$2
    shift 2
    rm -f calls.txt && touch calls.txt
    expect "$code" "$C3D_SOURCE/jobs/$name/run.sh" "$@"
}
called() { grep -qF -- "$1" calls.txt || { fail "not called: $1"; cat calls.txt; }; }
times() { # NUMBER PATTERN
    local n
    n=$(grep -cE -- "$2" calls.txt)
    [ "$n" = "$1" ] || { fail "called $n times, expected $1: $2"; cat calls.txt; }
}

# As the scripts name it: below the source, where they work, without the way there.
name_of() { realpath -m --relative-base="$C3D_SOURCE" "$1"; }

# ---- compare: nine networks, three seeds, one comparison
out=$(name_of out/compare)
job 0 compare --out out/compare
called "c3d-dataset demo $out/archive --size medium"
times 24 "c3d-train configs/compare.yaml --set data.store=$out/data "
for network in c3d cnn2d tcnn cnn2d-every cnn2d-stack cnn2d-matched c2plus1d c3d-shuffled forest; do
    times 3 " (--set run.dir=|--like .*--out )$out/$network/seed[123]( |$)"
done
[ "$(sed -n 's/.*--set run.dir=[^ ]* //; s/ --set data.seed.*//; /model.network/p' calls.txt | sort -u | wc -l)" = 8 ] ||
    fail "compare: not eight different settings"
[ "$(grep -o 'data.seed=[0-9]*' calls.txt | sort | uniq -c | tr -s ' \n' ' ')" = " 8 data.seed=1 8 data.seed=2 8 data.seed=3 " ] ||
    fail "compare: not three seeds of each"
called "python jobs/compare/forest.py $out/data --like $out/c3d/seed1/scores-test.csv --seed 2 --out $out/forest/seed2"
called "c3d-evaluate --compare $out/c3d $out/cnn2d $out/tcnn $out/cnn2d-every $out/cnn2d-stack $out/cnn2d-matched $out/c2plus1d $out/c3d-shuffled $out/forest --out $out/comparison"
called "c3d-report $out/c3d/seed1 $out/cnn2d/seed1 "
called " $out/c3d-shuffled/seed1 --comparison $out/comparison --out $out/report.html"
# again: trainings see for themselves that they are finished, nothing is scored twice
job 0 compare --out out/compare
times 0 "split test|forest.py"
times 1 "--compare"
# what was trained on is scored again
touch -d '+1 minute' "out/compare/tcnn/seed2/best.safetensors"
job 0 compare --out out/compare
times 1 "split test"
called "c3d-evaluate $out/tcnn/seed2"
# the commands alone
job 0 compare --out out/dry --dry-run --seeds "4 5" --networks "tcnn c3d" --set model.width=3
says "c3d-train configs/compare.yaml --set data.store=$(name_of out/dry)/data --set run.dir=$(name_of out/dry)/tcnn/seed5 --set model.network=tcnn --set data.seed=5 --set model.width=3"
[ ! -s calls.txt ] && [ ! -e out/dry ] || fail "--dry-run did something"

# ---- exit codes and signals
dataset out/one
STUB_FAILS=c3d-train STUB_CODE=5 job 5 compare --out out/other --networks "c3d cnn2d"
times 1 "c3d-train"
STUB_FAILS=c3d-evaluate STUB_CODE=3 job 3 full --out out/other
# As Open MPI's: SIGUSR1 goes on to the ranks, the others end them.
mkdir -p launchers
cat >launchers/mpirun <<'STUB'
#!/usr/bin/env bash
trap 'kill -USR1 $rank; asked=1' USR1
trap 'kill -KILL $rank; exit 130' INT TERM HUP
"${@:6}" &
rank=$!
while asked= code=0; wait $rank || code=$?; [ -n "$asked" ]; do :; done
exit $code
STUB
chmod +x launchers/mpirun
set -m # else bash starts programs in the background deaf to SIGINT
for signal in USR1 INT TERM HUP; do
    rm -f calls.txt.waiting
    PATH=$PWD/launchers:$PATH STUB_WAITS=1 "$C3D_SOURCE/jobs/full/run.sh" --ranks 2 --out out/stopped \
        --data out/one >out.txt 2>&1 &
    script=$!
    for _ in $(seq 500); do [ -e calls.txt.waiting ] && break; sleep 0.02; done
    target=$script
    [ $signal = USR1 ] || target=-$script # a terminal's go to the whole group
    kill -$signal -- $target
    code=0
    wait $script || code=$?
    [ $code = 75 ] || fail "$signal: exit $code, expected 75"
    says "the same command goes on"
done
set +m

# ---- wrong usage
job 2 compare --networks "c3d cnn9d"
says "cnn9d: unknown"
job 2 compare --networks "forest c3d"
job 2 compare --networks c3d
job 2 compare --set data.max_per_class=5
says "data.max_per_class=: the forest"
job 2 compare --seeds "1 two"
job 2 compare --sice medium
says "--sice: unknown option"
job 2 paper --quick
job 2 paper --set
for key in data.store data.seed run.dir; do
    job 2 full --set $key=1
    says "the script sets $key"
done
job 2 learning-curve --set train.epochs=3
job 2 learning-curve --epochs ten
job 2 learning-curve --data out/one --networks "c3d forest"
says "forest: unknown"
job 2 learning-curve --data out/one --networks ""
job 2 learning-curve --min-scenes -5
for sizes in "0 all" "500 some"; do
    job 2 learning-curve --data out/one --per-class "$sizes"
    says '--per-class "'
done
times 0 .
for name in compare full learning-curve paper; do
    job 3 $name --data out/nosuch
    says "out/nosuch: no dataset.json"
done
dataset out/untested
sed -i /4,1,test/d out/untested/samples.csv
job 3 full --data out/untested
says "of 1 of the two classes"
times 0 .
# the forest's Python, before anything is drawn
C3D_PYTHON=$PWD/nosuch job 3 compare --out out/forest
says "nosuch has no numpy"
stub python3 <<<'exit 1'
C3D_PYTHON='' PATH=$PWD/stubs:$PATH job 3 compare --out out/forest
says "python3-venv"
rm stubs/python3
times 0 .
job 0 paper --help
says "--data DIR"
times 0 .

# ---- paper: both readings of the test list, of the same runs
out=$(name_of out/paper)
job 0 paper --out out/paper --seeds 1 --set model.width=4
called "c3d-dataset build configs/dataset-demo.yaml --out $out/data --set data.split=random"
called "c3d-train configs/paper-3d.yaml --set data.store=$out/data --set run.dir=$out/3d/seed1 --set data.seed=1 --set model.width=4"
called "c3d-evaluate $out/2d/seed1 --split test --out $out/100-a-class/2d/seed1 --max-per-class 100"
called "c3d-evaluate $out/2d/seed1 --split test --out $out/100-in-all/2d/seed1 --max-per-class 50"
called "c3d-evaluate --compare $out/100-in-all/3d $out/100-in-all/2d --out $out/100-in-all/comparison"
[ -e "out/paper/100-a-class/3d/seed1/config.yaml" ] || fail "paper: a reading lacks its configuration"
# a dataset of another rule is refused; too few scenes are not called by the reading's name
mkdir -p out/split/paper/{3d,2d}/seed1
dataset out/split
echo '    "split": "blocks"' >out/split/dataset.json
job 2 paper --data out/split --out out/split/paper
says "its split is by blocks"
times 0 .
echo '    "split": "random"' >out/split/dataset.json
awk 'BEGIN { print "sample_id,label,score"; for (i = 0; i < 160; i++) print i "," (i < 36) ",0.5" }' \
    >out/split/paper/3d/seed1/scores-test.csv
job 0 paper --data out/split --out out/split/paper --seeds 1
out=$(name_of out/split/paper)
called "--out $out/36-mines-and-100-others/2d/seed1 --max-per-class 100"
called "--compare $out/36-mines-and-50-others/3d $out/36-mines-and-50-others/2d"
times 0 "100-a-class|100-in-all"
# ---- learning-curve: doubled from 500 up to all; few scenes are shown more often
mkdir -p out/data out/curve
awk 'BEGIN {
    print "sample_id,label,split"
    for (i = 0; i < 1300; i++) print i ",0,train"
    for (i = 0; i < 600; i++) print 2000 + i ",1,train"
    for (i = 0; i < 99; i++) print 3000 + i "," i % 2 ",test"
}' >out/data/samples.csv
touch out/data/dataset.json
job 0 learning-curve --data out/data --out out/curve --min-scenes 20000 --networks "c3d cnn2d-stack"
times 18 c3d-train
times 3 "cnn2d-stack-500/.*--set model.network=cnn2d_stack --set data.max_per_class=500 --set train.epochs=20 "
times 3 "c3d-1000/.*--set data.max_per_class=1000 --set train.epochs=13 " # 1600 scenes
times 3 "c3d-all/.*--set data.max_per_class=0 --set train.epochs=11 " # 1900
out=$(name_of out/curve)
called "--compare $out/c3d-500 $out/c3d-1000 $out/c3d-all $out/cnn2d-stack-500"
[ "$(sed -n 2p out/curve/curve.csv)" = "c3d,500,500,500,1000,3,0.91,0.81,0.99" ] &&
    [ "$(sed -n 4p out/curve/curve.csv)" = "c3d,all,600,1300,1900,3,0.93,0.83,0.99" ] &&
    [ "$(sed -n 7p out/curve/curve.csv)" = "cnn2d-stack,all,600,1300,1900,3,0.96,0.86,0.99" ] ||
    { fail "learning-curve: another table"; cat out/curve/curve.csv; }
! command -v gnuplot >/dev/null || grep -q "</svg>" out/curve/curve.svg || fail "learning-curve: no plot"
# what no class has is all of them, and trained once
job 0 learning-curve --data out/data --out out/curve --per-class "500 2000 all" --seeds 1
times 4 c3d-train
says "2000 of a class: none has more than 1300"

# a dataset of one's own
job 0 full --out out/full --data out/one --seeds 1
times 0 c3d-dataset
called "c3d-train configs/full-3d.yaml --set data.store=$(name_of out/one)"
finish
