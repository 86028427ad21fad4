#!/usr/bin/env bash
# Scores are the same bytes on 1, 2, 3 and 7 ranks: for lists that no block divides, where there are
# more ranks than blocks, and for the validation while training. Asked to stop (SIGUSR1), an
# evaluation ends with 75 and leaves no files.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf run still* files-* wide stopped-*

evaluate() { # SPLIT RANKS...
    local split=$1 n
    shift
    for n in "$@"; do
        expect 0 ranks "$n" "$C3D_BIN/c3d-evaluate" run --out files-"$n" --split "$split" --checkpoint last
        for file in "evaluation-$split.json" "scores-$split.csv"; do
            cmp "files-1/$file" "files-$n/$file" || fail "$file: 1 and $n ranks differ"
        done
    done
}
undivided() { # SPLIT BLOCK
    local n=$(($(wc -l <"files-1/scores-$1.csv") - 1))
    [ "$n" -gt "$2" ] && [ $((n % $2)) != 0 ] || fail "$1: blocks of $2 divide $n samples"
}

expect 0 ranks 2 "$train" "$config" --set run.dir=run --set train.max_steps=2
evaluate test 1 2 3 7
undivided test 8
# what is said before anything is trained
expect 0 "$C3D_BIN/c3d-dataset" info "$C3D_TEST_STORE/store"
[ "$(awk '$1 == "test" { print $(NF - 1), $NF }' out.txt)" = "$(awk -F, 'NR > 1 { n += !all[$NF]++
    p += $4 > 0 && !positive[$NF]++ } END { print n, p }' files-1/scores-test.csv)" ] ||
    fail "info tells other blocks of the test split than the scores"
# 5 blocks
expect 0 ranks 2 "$train" "$config" --set run.dir=run --set train.max_steps=3 --set evaluation.batch=17
evaluate validation 1 7
undivided validation 17

# parameters stay as they were drawn, so that validation sees the same ones
for n in 1 2 3 7; do
    expect 0 ranks $n "$train" "$config" --set run.dir=still$n --set optimizer.learning_rate=0 \
        --set train.epochs=1 --set train.micro_batch=2
    cut -d, -f7-12 still$n/metrics.csv >still$n/validation.csv
    cmp still1/validation.csv still$n/validation.csv || fail "validation while training on $n ranks"
done
grep -q "^0\.[0-9]" still1/validation.csv || fail "no validation while training"

# strata: each has samples, a frame is in one, and labels as strata say nothing of their area
{ echo class,weight; echo other,3; echo mining,1; } >strata.csv
expect 0 "$C3D_BIN/c3d-evaluate" run --out files-1 --strata strata.csv --checkpoint last
grep -q '"area_weighted"' files-1/evaluation-test.json || fail "nothing is weighted by area"
! grep -q '"area_share"' files-1/evaluation-test.json || fail "the weights themselves are told as a result"
echo nobody,1 >>strata.csv
expect 3 "$C3D_BIN/c3d-evaluate" run --out files-1 --strata strata.csv --checkpoint last
says "strata.csv: stratum nobody has the weight 1, but no sample"
{ echo frame_id,stratum,weight; tail -n +2 files-1/scores-test.csv | cut -d, -f2 | sort -nu |
    awk '{ print $1 (NR % 2 ? ",east,2" : ",west,1") }'; } >strata.csv
expect 0 "$C3D_BIN/c3d-evaluate" run --out files-1 --strata strata.csv --checkpoint last
grep -q '"area_share"' files-1/evaluation-test.json || fail "no share of the area"
echo "$(sed -n 2p strata.csv | cut -d, -f1),west,1" >>strata.csv
expect 3 "$C3D_BIN/c3d-evaluate" run --out files-1 --strata strata.csv --checkpoint last
says "strata.csv:$(wc -l <strata.csv): frame $(sed -n 2p strata.csv | cut -d, -f1) is in stratum west here and in east in line 2"
expect 2 "$C3D_BIN/c3d-evaluate" run --out files-1 --choose f1,recall=0.9,f1 --checkpoint last
says "--choose: f1 is there twice"

# a network that takes seconds, of another seed
expect 0 "$train" "$config" --set run.dir=wide --set train.max_steps=1 --set model.width=48 --set data.seed=9

# a few of each class, the same for every network and any number of ranks
rm -rf few-*
expect 0 "$C3D_BIN/c3d-evaluate" wide --out few-1 --max-per-class 5 --checkpoint last
expect 0 ranks 2 "$C3D_BIN/c3d-evaluate" run --out few-2 --max-per-class 5 --checkpoint last
few() { cut -d, -f1-4 "$1/scores-test.csv" | tail -n +2; }
[ "$(few few-1 | cut -d, -f4 | sort | uniq -c | tr -s ' \n' ' ')" = " 5 0 5 1 " ] || fail "not five of each class"
[ "$(few few-1)" = "$(few few-2)" ] || fail "the few were drawn otherwise for another network"
[ "$(few few-1 | grep -vcxFf <(few files-1))" = 0 ] || fail "a sample of another split was drawn"
[ "$(few few-1)" != "$(few files-1 | head -n 10)" ] || fail "the first ones were taken, not drawn"

# stopped while it scores
is_scoring() { # PROCESS...: whether one of them has the scenes open
    local process
    for process in "$@"; do
        find "/proc/$process/fd" -lname '*/scenes-*' 2>/dev/null | grep -q . && return 0
    done
    return 1
}
stopped() { # NAME COMMAND...
    local name=$1 pid code=0
    shift
    "$@" "$C3D_BIN/c3d-evaluate" wide --out "stopped-$name" --split train --checkpoint last >out.txt 2>&1 &
    pid=$!
    # shellcheck disable=SC2046 # a list
    for _ in $(seq 400); do is_scoring $pid $(pgrep -P $pid) && break; sleep 0.02; done
    kill -USR1 $pid
    wait $pid || code=$?
    [ $code = 75 ] || { fail "$name: exit $code after SIGUSR1, expected 75"; cat out.txt; }
    says "run the same command again"
    ! ls "stopped-$name"/*-train.* >/dev/null 2>&1 || fail "$name: files of an evaluation that was stopped"
}
stopped alone env
stopped mpirun $mpi -np 2
finish
