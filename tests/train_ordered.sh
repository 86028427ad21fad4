#!/usr/bin/env bash
# Sums in one order (distributed.reduction: ordered): parameters, norms and losses are the same bits
# on 1, 2, 4 and 8 ranks, with a short last step, clipping and batch normalisation, wherever the
# moments are, and for a run that moves between numbers of ranks in mid-epoch.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf ./*/
# steps of 8, 8 and 3 micro-batches an epoch: in the last one most of 8 ranks have none
small=(--set data.max_per_class=19 --set train.global_batch=16 --set train.micro_batch=2
    --set optimizer.clip_norm=0.4 --set optimizer.learning_rate=0.003)
ordered=("${small[@]}" --set distributed.reduction=ordered)
norm=("${ordered[@]}" --set model.normalization=batch)
# run RANKS DIR STEPS MORE...
run() {
    local n=$1 dir=$2 steps=$3
    shift 3
    expect 0 ranks "$n" "$train" "$config" --set run.dir="$dir" --set train.max_steps="$steps" "$@"
}
cut="--set distributed.bucket_mb=0.02" # into several buckets, with a rest
last() { ls "$1"/checkpoints/*.safetensors | tail -1; }
is_same() { "$C3D_TEST_BIN/compare_tensors" equal "$(last "$1")" "$(last "$2")" >compared.txt 2>&1; }
figures() { # but for times
    sed 's/, "seconds.*//' "$1/steps.jsonl"
    cut -d, -f1-13 "$1/metrics.csv"
}
same() {
    is_same "$1" "$2" || { fail "$1 and $2 differ"; head -3 compared.txt; }
    cmp <(figures "$1") <(figures "$2") || fail "losses or norms of $1 and $2 differ"
}

run 1 one 5 $cut "${norm[@]}"
says "gradients added in order in"
figures one | sed 's/.*"grad_norm": \([^,]*\),.*/\1/' | awk '$1 > 0.4 { n++ } END { exit !n }' \
    || fail "nothing was clipped"
for n in 2 4 8; do
    run $n on$n 5 $cut "${norm[@]}"
    same one on$n
done
run 4 shares 5 "${norm[@]}" --set optimizer.state=sharded
same one shares
run 2 copies 5 $cut "${norm[@]}" --set optimizer.state=replicated
same one copies

# what is compared depends on the order of sums
run 1 fast1 5 "${small[@]}"
run 2 fast2 5 "${small[@]}"
! is_same fast1 fast2 || fail "fast sums have the same bits on 1 and 2 ranks: this test shows nothing"

# one run on 4 ranks, on 1 and on 2, moved in the middle of both epochs
run 4 moved 1 $cut "${norm[@]}"
run 1 moved 4 $cut "${norm[@]}"
says "resumed from"
! grep -q "may differ" out.txt || fail "the number of ranks is no condition here"
run 2 moved 5 $cut "${norm[@]}"
same one moved

# rarer ways to weigh and to draw samples; threads are 1 unless they are said
other=("${ordered[@]}" --set train.class_weights=balanced
    --set train.loss=focal --set data.augment.symmetry=true --set data.stage_groups=2
    --set optimizer.weight_decay=0.1)
if grep -q "^flags.*\(avx512_bf16\|amx_bf16\)" /proc/cpuinfo; then
    other+=(--set model.precision=bf16)
fi
run 1 other1 3 "${other[@]}" --set distributed.threads=0
says "1 thread (distributed.threads"
run 4 other4 3 $cut "${other[@]}" --set distributed.threads=1
same other1 other4
cp -r other1 threads
run 2 threads 4 "${other[@]}" --set distributed.threads=2
says "may differ"
cp -r fast1 changed
run 1 changed 6 "${ordered[@]}"
says "distributed.reduction changed since the checkpoint: fast -> ordered"

# its memory is planned for: 8 micro-batches on one rank hold 3 sums, 4 on one of 2 hold 2
for n in 1 2; do
    expect 0 ranks $n "$train" "$config" --plan "${ordered[@]}" --set model.width=8 --set model.fc=512 \
        --set distributed.bucket_mb=0.001
    awk -v n=$n '/^ *gradients  / { g = $2 } /^ *gradients to be added in order / { o = $7 }
        END { exit !(g > 0 && o / g > 3.9 - n && o / g < 4.1 - n) }' out.txt \
        || fail "the plan for $n ranks: $(grep gradients out.txt)"
done
expect 2 ranks 3 "$train" "$config" "${ordered[@]}" --set run.dir=three
says "use 2 or 4"
finish
