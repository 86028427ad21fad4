#!/usr/bin/env bash
# A job whose time is over before its training: SLURM signals it, it saves, is queued again by itself
# and ends with the parameters of a run that had time enough. Reading is slowed down in the job, so
# that it lasts and computes little.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
. "$C3D_SOURCE/tests/support/jobs.sh"
trap '"$C3D_SOURCE/tests/slurm/down.sh" "$slurm"; rm -rf "$slurm"' EXIT
"$C3D_SOURCE/tests/slurm/up.sh" "$slurm" 2 || exit $?
rm -rf whole limited slow ./*.out
limit_s=33
options="--set train.global_batch=8 --set train.epochs=1 --set train.max_steps=14 --set train.checkpoint_every_steps=3" # no validation

mkdir slow
cat >slow/c3d-train <<SLOW
#!/bin/sh
export C3D_SLOW_READ_MS=650 LD_PRELOAD=$C3D_TEST_BIN/slow_reads.so
export ASAN_OPTIONS=\$ASAN_OPTIONS:verify_asan_link_order=0
exec "$C3D_BIN/c3d-train" "\$@"
SLOW
chmod +x slow/c3d-train
# 14 steps of 4 samples a rank: 36 s
# shellcheck disable=SC2086 # words
job=$(C3D_BIN=$here/slow SBATCH_SIGNAL=B:USR1@2 submit --time=1 slurm/train.sbatch "$config" \
    --set run.dir="$here/limited" $options)
when "$here/limited/log.txt" true
# --time counts minutes. SLURM looks every half a minute for jobs that end soon, and signals those
# that end before it looks again; it ends those whose time is over then, too.
scontrol update JobId="$job" EndTime="$(date -d "$(field "$job" StartTime) $limit_s seconds" +%FT%T)" ||
    fail "no time limit in seconds"

# shellcheck disable=SC2086
expect 0 ranks 2 "$C3D_BIN/c3d-train" "$config" --set run.dir=whole $options
[ "$(await "$job")" = COMPLETED ] || { fail "job $job: $(field "$job" JobState)"; cat "$job.out"; }
[ "$(field "$job" Restarts)" -ge 1 ] || fail "the job was not queued again"
job_says "$job" "s after the signal"
job_says "$job" "resumed from"
# a step takes longer than the signal comes before the end
job_says "$job" "the job is told to stop 2 s before its end"
awk -v least=$limit_s '{ gsub(/[,}]/, ""); for (i = 1; i < NF; i++) if ($i == "\"seconds\":") s += $(i + 1) }
    END { print "steps took", s, "s"; exit !(s > least) }' limited/steps.jsonl ||
    fail "the training was not longer than its time limit"
"$C3D_TEST_BIN/compare_tensors" equal "$(last whole)" "$(last limited)" ||
    fail "the job that was stopped at its time limit ended with other parameters"
finish
