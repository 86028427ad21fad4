#!/usr/bin/env bash
# --plan: what it says, what it refuses, and that it writes nothing; training refuses the same.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf ./*

# nothing is written, not even a directory
mkdir empty && cd empty || exit 1
"$train" "$config" --plan >../out.txt 2>../err.txt || fail "exit $?: $(cat ../err.txt)"
[ -z "$(ls -A)" ] || fail "--plan left $(ls -A)"
cd .. && rmdir empty
for text in "conv5b" "parameters" "FLOP" "moments of Adam" ": fits" "B an epoch" "measured" \
    "kB of gradients" "a micro-batch of 4" "GB/s needed"; do says "$text"; done
[ "$(grep -cE '^ +[124] .* (ms|s)$' out.txt)" = 3 ] || fail "no rows for 1, 2 and 4 devices"
grep -qE '^copies of it: data.stage: node \(.*\) [0-9].* GB/s, data.stage: memory \(/dev/shm\) ' out.txt ||
    fail "no speed of copies"
says "1 device on 1 node needs "
expect 0 "$train" "$config" --plan --set model.network=cnn2d
says "conv5b"

# both ranks of the host count
expect 0 ranks 2 "$train" "$config" --plan --set data.stage=memory
says "samples staged in memory"
says "2 devices on 1 node need "
says "are read from copies"
says "2 ranks,"
says "exchange as measured with 2 ranks"
[ "$(grep -c '^conv1 ' out.txt)" = 1 ] || fail "more than rank 0 speaks"

# without a dataset the keys say what a sample is
cat >months.yaml <<YAML
data: {bands: [blue, green, red, nir], months: 2020-09/2021-08, frame_size_px: 112, samples: yearly}
model: {width: 4, fc: 16}
train: {global_batch: 4, micro_batch: 2}
YAML
expect 0 "$train" months.yaml --plan
says "input      [4, 12, 112, 112]"
says "no data.store"
grep -qE '^pool5 .* time is 1: not halved$' out.txt || fail "does not say which pool was adapted"
[ "$(grep -c 'not halved' out.txt)" = 1 ] || fail "more pools were adapted than needed"
expect 0 "$train" months.yaml --plan --set data.samples=monthly --set model.network=cnn2d
says "input      [4, 1, 112, 112]"
echo "model: {width: 4}" >nothing.yaml
expect 2 "$train" nothing.yaml --plan
says "data.bands and data.months"
expect 3 "$train" months.yaml --plan --set data.store=/no/such/store
says "/no/such/store"
expect 2 ranks 2 "$train" months.yaml --plan --set train.micro_batch=4
says "use fewer ranks"

# the published network by its published figures; stopped before the trial, which is long
"$train" "$C3D_SOURCE/configs/published-c3d.yaml" --plan --set train.micro_batch=1 \
    --set evaluation.batch=1 >out.txt 2>&1 &
pid=$!
for _ in $(seq 600); do
    grep -q ': fits$' out.txt && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.1
done
kill -USR1 $pid 2>/dev/null
code=0
wait $pid || code=$?
[ "$code" = 75 ] || [ "$code" = 0 ] || fail "exit $code of a plan that was stopped"
says "78.4 M parameters, 38.5 G multiply-adds (77.1 GFLOP)"
says "input      [3, 16, 112, 112]"
! grep -q "not halved" out.txt || fail "the published layout was adapted"

# what cannot fit is refused with the reason, by --plan and by a run, on any number of ranks
big="--set model.width=1024 --set model.fc=65536 --set data.frame_size_px=4096
     --set train.global_batch=65536 --set train.micro_batch=65536"
expect 2 "$train" months.yaml --plan $big
says "GiB are left"
says "train.micro_batch"
big="--set model.width=1024 --set model.fc=65536 --set train.global_batch=999999"
expect 2 "$train" "$config" --set run.dir=big $big --set train.micro_batch=65000
says "GiB are left"
expect 2 ranks 2 "$train" "$config" --set run.dir=big $big --set train.micro_batch=65000
says "2 ranks would need at least"
# found by planning only: the first layer's output alone takes 1 MiB a sample of the evaluation
batch=$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
if [ "$batch" -le 65536 ]; then
    expect 2 "$train" "$config" --set run.dir=big --set model.width=64 --set evaluation.batch="$batch"
    says "for evaluation: less of evaluation.batch"
fi
# sizes that make no network
expect 2 "$train" months.yaml --plan --set data.frame_size_px=1
says "no neighbourhood"
finish
