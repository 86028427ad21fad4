#!/usr/bin/env bash
# The job scripts under a SLURM of this test's own: a job to its end; those that are signalled, queued
# again by hand, or cancelled and submitted again, which end with the same bits; those that are not
# queued again.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
. "$C3D_SOURCE/tests/support/jobs.sh"
trap '"$C3D_SOURCE/tests/slurm/down.sh" "$slurm"; rm -rf "$slurm"' EXIT
"$C3D_SOURCE/tests/slurm/up.sh" "$slurm" 6 || exit $?
rm -rf whole stopped ended failing requeued cancelled compare data ./*.out

# an srun without PMIx says what to do, once
expect 4 srun --mpi=none -n 2 "$C3D_BIN/c3d-train" --version
says "use srun --mpi=pmix"
[ "$(grep -c "use srun" out.txt)" = 1 ] || fail "both tasks said it"

whole=$(train whole)
stopped=$(C3D_LAUNCH=mpirun train stopped)
signal_when "$stopped" "$here/stopped/checkpoints/*.safetensors"
ended=$(C3D_MAX_RESTARTS=0 train ended)
signal_when "$ended" "$here/ended/metrics.csv"
failing=$(submit slurm/train.sbatch "$config" --set run.dir="$here/failing" --set data.store=missing)
requeued=$(train requeued)
when "$here/requeued/checkpoints/*.safetensors" scontrol requeue "$requeued"
cancelled=$(train cancelled)
when "$here/cancelled/checkpoints/*.safetensors" scancel "$cancelled"
compare=$(C3D_NETWORKS="c3d cnn2d" C3D_SEEDS=7 submit --array=0-1 --output="$here/%A_%a.out" \
    slurm/compare.sbatch "$config" "$here/compare" --set train.epochs=1)
dataset=$(submit --ntasks-per-node=2 slurm/dataset.sbatch "$C3D_TEST_STORE/dataset.yaml" "$here/data" \
    --set data.root="$C3D_TEST_STORE/archive")

# two ranks by srun, to the end
ends_with "$whole" COMPLETED 0 0
job_says "$whole" "ranks: 2"
# two ranks by mpirun, signalled: saved, queued again, the same end
ends_with "$stopped" COMPLETED 0 1
job_says "$stopped" "Forwarding signal 10"
job_says "$stopped" "queued again (1 of at most 50)"
job_says "$stopped" "resumed from"
"$C3D_TEST_BIN/compare_tensors" equal "$(last whole)" "$(last stopped)" ||
    fail "the job that was queued again ended with other parameters"
# signalled, and out of restarts: for the user to go on
ends_with "$ended" FAILED 75 0
job_says "$ended" "sbatch goes on from here"
# scontrol requeue and scancel in the middle: the same job, or the same command, goes on from the last
# checkpoint, and nothing that was left stands in its way
ends_with "$requeued" COMPLETED 0 1
job_says "$requeued" "resumed from"
[ "$(await "$cancelled")" = CANCELLED ] || fail "scancel: $(field "$cancelled" JobState)"
again=$(train cancelled)
ends_with "$again" COMPLETED 0 0
job_says "$again" "resumed from"
for run in requeued cancelled; do
    "$C3D_TEST_BIN/compare_tensors" equal "$(last whole)" "$(last $run)" ||
        fail "$run: the job that went on ended with other parameters"
done
# any other end: not queued again
ends_with "$failing" FAILED 3 0
job_says "$failing" "exit 3: data or files"

ends_with "$dataset" COMPLETED 0 0
[ -s "$here/data/dataset.json" ] || fail "slurm/dataset.sbatch made no dataset"
evaluate=$(submit slurm/evaluate.sbatch "$here/whole")
ends_with "$evaluate" COMPLETED 0 0
[ -s "$here/whole/evaluation-test.json" ] || fail "slurm/evaluate.sbatch wrote no scores"
for task in 0 1; do ends_with "${compare}_$task" COMPLETED 0 0; done
grep -q "cnn2d/seed7" "$here/compare/report.html" && grep -q "c3d/seed7" "$here/compare/report.html" ||
    fail "the report of slurm/compare.sbatch lacks a run"
[ -s "$here/compare/comparison/comparison.json" ] || fail "slurm/compare.sbatch compared nothing"
finish
