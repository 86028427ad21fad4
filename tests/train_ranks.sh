#!/usr/bin/env bash
# The number of ranks changes who computes, not what is computed.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf one two three first1 first2
# A low learning rate: rounding differences grow with every update, the faster the larger it is.
more="--set optimizer.learning_rate=0.0003 --set run.log_samples=true --set train.max_steps=50 --set train.epochs=50"

expect 0 ranks 1 "$train" "$config" --set run.dir=one $more
! grep -q "communication:" out.txt || fail "one rank communicates"
expect 0 ranks 2 "$train" "$config" --set run.dir=two $more
grep -q "^communication: [0-9.]* s, [0-9]* % hidden behind computing$" out.txt || fail "an epoch says nothing of communication"
sed 's/.*"comm_s": \([^,]*\), "comm_waited_s": \([^,]*\),.*/\1 \2/' two/steps.jsonl |
    awk '{ s += $1 } END { exit !(NF == 2 && s > 0) }' || fail "steps.jsonl has no times of communication"
expect 0 ranks 3 "$train" "$config" --set run.dir=three $more
[ "$(wc -l <one/samples.jsonl)" = 50 ] || fail "50 steps expected"
cmp one/samples.jsonl two/samples.jsonl || fail "2 ranks saw other samples than 1"
cmp one/samples.jsonl three/samples.jsonl || fail "3 ranks saw other samples than 1"
# no sample twice in an epoch
per_epoch=$(awk -F'[][]' '{n += split($2, a, ",")} END {print n}' one/samples.jsonl)
[ "$per_epoch" -gt 100 ] || fail "too few samples: $per_epoch"

loss() { sed 's/.*"loss": \([^,]*\),.*/\1/' "$1/steps.jsonl"; }
paste <(loss one) <(loss two) | awk '
    { d = $1 - $2; if (d < 0) d = -d; if (!(d <= 1e-3)) { print "step", NR ":", $1, $2; bad = 1 } }
    END { exit bad || NR != 50 }' || fail "losses of 1 and 2 ranks differ by more than 1e-3"

# Adam's first moment after one step is (1 - beta1) times the gradient. A weight's gradient is a sum
# over 16 samples and at most 16 months of 16 x 16 positions.
for n in 1 2; do
    expect 0 ranks $n "$train" "$config" --set run.dir=first$n --set train.max_steps=1
done
"$C3D_TEST_BIN/compare_tensors" near first1/checkpoints/step-00000001.safetensors \
    first2/checkpoints/step-00000001.safetensors adam.m/ $((16 * 16 * 256)) \
    || fail "first gradients of 1 and 2 ranks differ"

# ranks spread over hosts in another way add in another order: said on resume (the file is patched,
# as if it had been saved with one rank on the first of two hosts, without a checksum of its header)
checkpoint=first2/checkpoints/step-00000001.safetensors
head -c 200000 $checkpoint | grep -aq '"ranks_of_host": "2"' || fail "the checkpoint does not say who was where"
sed -i 's/"ranks_of_host": "2"/"ranks_of_host": "1"/; s/"header_checksum"/"no_header_check"/' $checkpoint
expect 0 ranks 2 "$train" "$config" --set run.dir=first2 --set train.max_steps=2
says "saved with 1 of the 2 ranks on the first host, continued with 2"
expect 0 ranks 2 "$train" "$config" --set run.dir=first2 --set train.max_steps=3 \
    --set distributed.bucket_mb=10
says "distributed.bucket_mb changed since the checkpoint: 25 -> 10: over several ranks"
! grep -q "on the first host" out.txt || fail "the same hosts are not another condition"

# evaluation: the same bytes on any number of ranks
for n in 1 2 3; do
    expect 0 ranks $n "$C3D_BIN/c3d-evaluate" two --out eval$n --split test
    says "accuracy"
done
for n in 2 3; do
    cmp eval1/evaluation-test.json eval$n/evaluation-test.json || fail "evaluation on $n ranks"
    cmp eval1/scores-test.csv eval$n/scores-test.csv || fail "scores on $n ranks"
done
expect 2 ranks 5 "$train" "$config" --set run.dir=five
says "micro-batches"
finish
