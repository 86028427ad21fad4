#!/usr/bin/env bash
# Where the moments of Adam are (optimizer.state) changes who keeps and sends what: the checkpoints
# are the same files but for the configuration in them, and a run goes on from any of them.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf ./*/
# several buckets, some of them with a rest; steps that are clipped, weights that decay
small=(--set distributed.bucket_mb=0.02 --set optimizer.clip_norm=0.4 --set optimizer.weight_decay=0.1
    --set optimizer.learning_rate=0.003 --set train.max_steps=5 --set train.checkpoint_every_steps=2
    --set train.keep_last=9)
# run RANKS DIR STATE MORE...
run() {
    local n=$1 dir=$2 state=$3
    shift 3
    expect 0 ranks "$n" "$train" "$config" "${small[@]}" --set run.dir="$dir" \
        --set optimizer.state="$state" "$@"
}
at() { echo "$1/checkpoints/step-0000000$2.safetensors"; }
same() { "$C3D_TEST_BIN/compare_tensors" equal "$(at "$1" 5)" "$(at "$2" 5)" || fail "$1 and $2 differ"; }
norms() { sed 's/.*"grad_norm": \([^,]*\),.*/\1/' "$1/steps.jsonl"; }
# placements N DIR MORE...: three runs alike
placements() {
    local n=$1 dir=$2 state
    shift 2
    for state in rank0 replicated sharded; do
        run "$n" "$dir-$state" $state "$@"
        same "$dir-rank0" "$dir-$state"
        cmp <(norms "$dir-rank0") <(norms "$dir-$state") || fail "norms of $dir-$state differ"
    done
}

placements 1 one
placements 2 two
placements 3 three
awk '{ n += $1 > 0.4 } END { exit !(n > 0) }' <(norms two-rank0) || fail "nothing was clipped"
if grep -q "^flags.*\(avx512_bf16\|amx_bf16\)" /proc/cpuinfo; then
    run 2 low-rank0 rank0 --set model.precision=bf16
    run 2 low-sharded sharded --set model.precision=bf16
    same low-rank0 low-sharded
fi

# from the middle of an epoch, with another placement
resume() { # N FROM STATE
    local n=$1 from=$2 dir=resumed-$2-$3
    cp -r "$from" "$dir"
    rm "$(at "$dir" 4)" "$(at "$dir" 5)"
    run "$n" "$dir" "$3"
    says "resumed from"
    ! grep -q "differ from" out.txt || fail "the placement is no condition of exactness"
    same "$from" "$dir"
}
resume 2 two-rank0 sharded
resume 2 two-replicated rank0
resume 3 three-sharded replicated
# the parts that 3 ranks had, on 2
for state in rank0 sharded; do
    cp -r three-sharded fewer-$state
    rm "$(at fewer-$state 4)" "$(at fewer-$state 5)"
    run 2 fewer-$state $state
done
same fewer-rank0 fewer-sharded

# of 2 ranks each takes memory for half of the moments, which are twice the parameters
expect 0 ranks 2 "$train" "$config" --plan --set optimizer.state=sharded
awk '/^ *parameters / { p = $2 " " $3 } /^ *moments of Adam / { m = $4 " " $5 }
    END { exit p == "" || p != m }' out.txt || fail "the plan does not know shares: $(cat out.txt)"

# what is not finite stops all three at the same step, and nothing was updated with it
for state in rank0 replicated sharded; do
    expect 5 ranks 2 "$train" "$config" --set run.dir=wild-$state --set optimizer.learning_rate=1000 \
        --set optimizer.state=$state --set train.checkpoint_every_steps=1
    says "nothing was updated"
    last=$(ls wild-$state/checkpoints | tail -1)
    "$C3D_TEST_BIN/compare_tensors" equal "wild-rank0/checkpoints/$last" \
        "wild-$state/checkpoints/$last" || fail "wild-$state differs"
    [ "$last" = "$(ls wild-rank0/checkpoints | tail -1)" ] || fail "wild-$state stopped elsewhere"
done
finish
