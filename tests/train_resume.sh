#!/usr/bin/env bash
# Stopping and going on: killed at any moment, asked to stop, finished, changed, in use.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
same() { "$C3D_TEST_BIN/compare_tensors" equal "$1" "$2" || fail "$1 and $2 differ"; }
rm -rf whole killed stopped
last() { ls "$1"/checkpoints/*.safetensors | tail -1; }

every_step="--set run.tensorboard_every_steps=1"
expect 0 ranks 2 "$train" "$config" --set run.dir=whole $every_step
steps=$(basename "$(last whole)")

# kill -9 of all ranks at some point after the first checkpoint, several times over
tries=0
while [ ! -e "killed/checkpoints/$steps" ] && [ $tries -lt 6 ]; do
    tries=$((tries + 1))
    $mpi -np 2 "$train" "$config" --set run.dir="$PWD/killed" --set train.checkpoint_every_steps=2 \
        $every_step >>killed.txt 2>&1 &
    mpirun_pid=$!
    if [ $tries -lt 4 ]; then
        before=$(ls killed/checkpoints 2>/dev/null | tail -1)
        for _ in $(seq 200); do
            [ "$(ls killed/checkpoints 2>/dev/null | tail -1)" != "$before" ] && break
            sleep 0.05
        done
        pkill -9 -f "run.dir=$PWD/killed" 2>/dev/null # these processes and no others
    fi
    wait $mpirun_pid 2>/dev/null
done
[ $tries -gt 1 ] || fail "the run ended before it was killed"
grep -q "resumed from" killed.txt || fail "the killed run did not resume"
same "$(last whole)" "$(last killed)"
cmp <(cut -d, -f1-13 whole/metrics.csv) <(cut -d, -f1-13 killed/metrics.csv) \
    || fail "metrics.csv of the killed run differs"
cmp <(sed 's/, "seconds.*//' whole/steps.jsonl) <(sed 's/, "seconds.*//' killed/steps.jsonl) \
    || fail "steps.jsonl of the killed run differs"
for run in whole killed; do # event files: each step once, whatever was cut
    expect 0 "${C3D_PYTHON:-python3}" "$C3D_SOURCE/tests/support/read_events.py" $run 1
    cat out.txt
done

# asked to stop: exit 75, then the same command goes on
$mpi -np 2 "$train" "$config" --set run.dir=stopped >stopped.txt 2>&1 &
mpirun_pid=$!
for _ in $(seq 400); do [ -s stopped/metrics.csv ] && break; sleep 0.02; done
kill -USR1 $mpirun_pid
wait $mpirun_pid
code=$?
[ $code = 75 ] || { fail "exit $code after SIGUSR1, expected 75"; cat stopped.txt; }
grep -q "run the same command again" stopped.txt || fail "the stopped run does not say what to do"
expect 0 ranks 2 "$train" "$config" --set run.dir=stopped
same "$(last whole)" "$(last stopped)"

# finished
expect 0 ranks 2 "$train" "$config" --set run.dir=whole
says "finished"
# another learning rate would be another run
expect 2 ranks 2 "$train" "$config" --set run.dir=whole --set optimizer.learning_rate=0.01
says "optimizer.learning_rate: 0.001 -> 0.01"
# in use
exec 9>whole/lock
flock -n 9 || fail "the lock of a finished run is held"
expect 3 ranks 2 "$train" "$config" --set run.dir=whole
says "another run is using this directory"
exec 9>&-
# the newest checkpoint is broken: the one before it is taken, and it says so
printf x | dd of="$(last stopped)" bs=1 seek=3000 conv=notrunc status=none
expect 0 ranks 2 "$train" "$config" --set run.dir=stopped
says "trying the checkpoint before it"
same "$(last whole)" "$(last stopped)"
# from an earlier checkpoint: what came after it is set aside, and the run goes on from there
expect 0 ranks 2 "$train" "$config" --set run.dir=killed --set train.checkpoint_every_steps=2 \
    --set train.keep_last=100 --set train.max_steps=6 --resume never
expect 0 ranks 2 "$train" "$config" --set run.dir=killed --set train.checkpoint_every_steps=2 \
    --set train.keep_last=1
first=$(ls killed/checkpoints/*.safetensors.aside 2>/dev/null | head -1)
[ -z "$first" ] || fail "a plain resume set checkpoints aside"
cp "$(last whole)" later.safetensors
expect 0 ranks 2 "$train" "$config" --set run.dir=whole --set train.max_steps=18 \
    --resume "$(ls whole/checkpoints/*.safetensors | head -1)"
says "set aside"
[ "$(basename "$(last whole)")" = step-00000018.safetensors ] || fail "later checkpoints stayed"
expect 0 ranks 2 "$train" "$config" --set run.dir=whole --set train.max_steps=18
says "finished"
expect 0 ranks 2 "$train" "$config" --set run.dir=whole
same later.safetensors "$(last whole)"
[ -e whole/best.safetensors ] || fail "no best.safetensors after going back"
# log.txt says how a run ended
grep -q "optimizer.learning_rate: 0.001 -> 0.01" whole/log.txt || fail "log.txt lacks the refusal"
# never: the old run is moved away
expect 0 "$train" "$config" --set run.dir=stopped/ --resume never --set train.max_steps=1
[ -e stopped.1/metrics.csv ] || fail "--resume never did not move the old run to stopped.1"
finish
