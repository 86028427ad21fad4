#!/usr/bin/env bash
# The options of a run that practice asks for: what each promises, and all of them together over a
# stop in mid-epoch.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
same() { "$C3D_TEST_BIN/compare_tensors" equal "$1" "$2" || fail "$1 and $2 differ"; }
same_run() { # two runs: parameters, moments, best, curves
    same "$(last "$1")" "$(last "$2")"
    same "$1/best.safetensors" "$2/best.safetensors"
    cmp <(cut -d, -f1-13 "$1/metrics.csv") <(cut -d, -f1-13 "$2/metrics.csv") \
        || fail "metrics.csv of $1 and $2 differ"
    cmp <(sed 's/, "seconds.*//' "$1/steps.jsonl") <(sed 's/, "seconds.*//' "$2/steps.jsonl") \
        || fail "steps.jsonl of $1 and $2 differ"
}
last() { ls "$1"/checkpoints/*.safetensors | tail -1; }
rows() { tail -n +2 "$1/metrics.csv" | wc -l; }
field() { sed "s/.*\"$2\": \([^,]*\),.*/\1/" "$1/steps.jsonl"; }
rm -rf patient every all* again* from* three

# With a rate of 0 no epoch after the first is better.
early="--set optimizer.learning_rate=0 --set train.epochs=9"
expect 0 "$train" "$config" --set run.dir=patient $early --set train.early_stop=2
says "no better val_loss for 2 epochs (train.early_stop)"
[ "$(rows patient)" = 3 ] || fail "$(rows patient) epochs, expected 3"
expect 0 "$train" "$config" --set run.dir=patient $early --set train.early_stop=2
says "this run is finished"
says "no better val_loss for 2 epochs"
# more patience: it goes on from what it has seen
expect 0 "$train" "$config" --set run.dir=patient $early --set train.early_stop=4
says "train.early_stop changed"
[ "$(rows patient)" = 5 ] || fail "$(rows patient) epochs, expected 5"
rm -rf novalid && cp -r "$C3D_TEST_STORE/store" novalid && sed -i '/,validation,/d' novalid/samples.csv
expect 2 "$train" "$config" --set run.dir=none --set data.store=novalid --set train.early_stop=2 \
    --set data.allow_leaking_split=true
says "train.early_stop: 2, but no sample"
expect 2 "$train" "$config" --set run.dir=none --set train.max_steps=9 --set optimizer.warmup_steps=9
says "optimizer.warmup_steps: 9, but the run has 9 steps in all"

# by the clock: at each step when it is always time
expect 0 ranks 2 "$train" "$config" --set run.dir=every --set train.checkpoint_every_s=0.000001 \
    --set train.max_steps=5 --set train.keep_last=99
[ "$(ls every/checkpoints | wc -l)" = 5 ] || fail "$(ls every/checkpoints | wc -l) checkpoints, expected 5"
rm -r every
expect 0 "$train" "$config" --set run.dir=every --set train.checkpoint_every_s=3600 \
    --set train.max_steps=5 --set train.keep_last=99
[ "$(ls every/checkpoints | wc -l)" = 1 ] || fail "$(ls every/checkpoints | wc -l) checkpoints, expected 1"

# stop_after STEP N DIR OPTIONS: asks N ranks to stop once the checkpoint of that step is there.
stop_after() {
    local step=$1 n=$2 dir=$3 code
    shift 3
    $mpi -np "$n" "$train" "$config" --set run.dir="$dir" "$@" >stopped.txt 2>&1 &
    local pid=$!
    for _ in $(seq 1000); do
        ls "$dir/checkpoints/" 2>/dev/null | grep -q "step-0*$step.safetensors" && break
        sleep 0.01
    done
    kill -USR1 $pid
    wait $pid
    code=$?
    [ $code = 75 ] || { fail "exit $code after SIGUSR1, expected 75"; cat stopped.txt; }
}
# everything on, stopped in mid-epoch
options="--set train.epochs=8 --set train.early_stop=3 --set evaluation.best_by=val_auc
    --set optimizer.schedule=cosine --set optimizer.warmup_steps=5 --set optimizer.clip_norm=0.5
    --set optimizer.weight_decay=0.01 --set data.augment.symmetry=true --set data.augment.jitter=0.1
    --set data.augment.month_dropout=0.2 --set data.sampling=balanced --set train.loss=focal
    --set train.class_weights=balanced --set run.log_samples=true
    --set train.checkpoint_every_s=0.000001 --set train.checkpoint_every_steps=3
    --set train.keep_last=999"
for n in 1 2; do
    expect 0 ranks $n "$train" "$config" --set run.dir=all$n $options
    says "ended after step"
    epoch=$(($(wc -l <all$n/steps.jsonl) / $(rows all$n)))
    [ $n = 2 ] && stop_after 2 $n again$n $options
    stop_after $((2 * epoch + 1)) $n again$n $options
    step=$(basename "$(last again$n)" | tr -dc 0-9 | sed 's/^0*//')
    [ $((step % epoch)) != 0 ] || echo "note: stopped at the end of an epoch"
    expect 0 ranks $n "$train" "$config" --set run.dir=again$n $options
    says "resumed from"
    cmp all$n/samples.jsonl again$n/samples.jsonl || fail "samples of the resumed run differ"
    same_run all$n again$n
done
# and with batch normalisation, whose running statistics are state too
normed="${options/epochs=8/epochs=3} --set model.normalization=batch"
normed=${normed/early_stop=3/early_stop=0}
expect 0 ranks 2 "$train" "$config" --set run.dir=normed $normed
stop_after $((epoch + 3)) 2 again_normed $normed
expect 0 ranks 2 "$train" "$config" --set run.dir=again_normed $normed
says "resumed from"
same_run normed again_normed
# rates and norms as recorded: those used, and the norm before clipping
steps=$(($(wc -l <all1/steps.jsonl) / $(rows all1) * 8))
field all1 learning_rate | awk -v T="$steps" '
    { s = NR - 1; pi = atan2(0, -1)
      r = s < 5 ? 0.001 * (s + 1) / 5 : 0.0005 * (1 + cos(pi * (s - 5) / (T - 5)))
      d = $1 - r; if (d < 0) d = -d
      if (!(d <= 1e-11)) { print "step", NR ":", $1, "expected", r; bad = 1 } }
    END { exit bad || NR < 10 }' || fail "steps.jsonl has other rates than the schedule"
[ "$(tail -1 all1/metrics.csv | cut -d, -f13)" = "$(field all1 learning_rate | tail -1)" ] \
    || fail "metrics.csv has not the rate of the last step"
field all1 grad_norm | awk '$1 > 0.5 { n++ } END { exit !n }' || fail "no gradient was clipped"
# another number of epochs is another course from there on, and it says so
expect 0 "$train" "$config" --set run.dir=all1 ${options/epochs=8/epochs=9}
says "the learning rate follows optimizer.schedule over the new number"

# another run's parameters: a step of rate 0 leaves them as they are
from="--set optimizer.learning_rate=0 --set train.max_steps=1"
expect 0 ranks 2 "$train" "$config" --set run.dir=from $from --set model.init_from=all1
says "parameters from all1/best.safetensors"
expect 0 "$train" "$config" --set run.dir=from_file $from \
    --set model.init_from=all1/best.safetensors
# has_params DIR PREFIX: tensors that begin with PREFIX are those of all1, bit for bit (near with 0)
has_params() {
    "$C3D_TEST_BIN/compare_tensors" near all1/best.safetensors "$(last "$1")" "$2" 0 \
        || fail "$1 has not the parameters of all1"
}
has_params from ""
has_params from_file ""
# with other outputs everything but the last layer
expect 0 "$train" "$config" --set run.dir=three $from --set model.init_from=all1 \
    --set model.outputs=3
says "fc8 has another number of outputs there: drawn anew"
for layer in conv fc6 fc7; do has_params three $layer; done
# other networks are refused
expect 2 "$train" "$config" --set run.dir=none --set model.init_from=all1 --set model.width=8
says "model.init_from: all1/best.safetensors: conv1.weight is float32 [4, 4, 3, 3, 3], this network's is float32 [8, 4, 3, 3, 3]"
expect 2 "$train" "$config" --set run.dir=none --set model.init_from=all1 --set model.network=cnn2d
says "conv1.weight is float32 [4, 4, 3, 3, 3], this network's is float32 [4, 4, 3, 3]"
expect 3 "$train" "$config" --set run.dir=none --set model.init_from=no_such_run
says "no_such_run"
head -c 200000 all1/best.safetensors >cut.safetensors
expect 3 "$train" "$config" --set run.dir=none --set model.init_from=cut.safetensors
says "cut.safetensors"
finish
