#!/usr/bin/env bash
# The job scripts under a SLURM of this test's own: a job to its end, one that is signalled, saves,
# is queued again and ends with the same bits, jobs that are not queued again.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
slurm=$(mktemp -d /tmp/c3d-slurm.XXXXXX)
export SLURM_TEST_PORT=$((20000 + $$ % 10000 * 2))
trap '"$C3D_SOURCE/tests/slurm/down.sh" "$slurm"; rm -rf "$slurm"' EXIT
"$C3D_SOURCE/tests/slurm/up.sh" "$slurm" 4 || exit $?
export SLURM_CONF=$slurm/slurm.conf

here=$PWD
rm -rf whole stopped ended failing compare data ./*.out
submit() { # as from the folder of the job scripts
    (cd "$C3D_SOURCE" && sbatch --parsable --cpus-per-task=1 --output="$here/%j.out" "$@")
}
field() { scontrol -o show job "$1" 2>/dev/null | grep -oE "(^| )$2=[^ ]*" | head -1 | cut -d= -f2; }
await() { # JOB: its state when it has ended
    local state
    for _ in $(seq 1200); do
        state=$(field "$1" JobState)
        case $state in
            COMPLETED | FAILED | CANCELLED | TIMEOUT | NODE_FAIL) break ;;
        esac
        sleep 0.1
    done
    echo "$state"
}
ends_with() { # JOB STATE EXIT-CODE RESTARTS
    local got
    got="$(await "$1") $(field "$1" ExitCode) $(field "$1" Restarts)"
    [ "$got" = "$2 $3:0 $4" ] || { fail "job $1: $got, expected $2 $3:0 $4"; cat "$here/$1.out"; }
}
job_says() { grep -qF -- "$2" "$here/$1.out" || { fail "job $1 does not say: $2"; cat "$here/$1.out"; }; }
signal_when() { # JOB PATTERN: as --signal=B:USR1@... does, once there is such a file
    for _ in $(seq 1200); do compgen -G "$2" >/dev/null && break; sleep 0.05; done
    scancel --batch --signal=USR1 "$1"
}
last() { ls "$here/$1"/checkpoints/*.safetensors | tail -1; }
train() { # RUN OPTIONS...: of sbatch
    local run=$1
    shift
    submit "$@" slurm/train.sbatch "$config" --set run.dir="$here/$run" --set train.epochs=12
}
export C3D_BIN

# an srun without PMIx says what to do, once
expect 4 srun --mpi=none -n 2 "$C3D_BIN/c3d-train" --version
says "use srun --mpi=pmix"
[ "$(grep -c "use srun" out.txt)" = 1 ] || fail "both tasks said it"

whole=$(train whole)
stopped=$(C3D_LAUNCH=mpirun train stopped)
signal_when "$stopped" "$here/stopped/checkpoints/*.safetensors"
ended=$(C3D_MAX_RESTARTS=0 train ended)
failing=$(submit slurm/train.sbatch "$config" --set run.dir="$here/failing" --set data.store=missing)
compare=$(C3D_NETWORKS="c3d cnn2d" C3D_SEEDS=7 submit --array=0-1 --output="$here/%A_%a.out" \
    slurm/compare.sbatch "$config" "$here/compare" --set train.epochs=1)
dataset=$(submit --ntasks-per-node=2 slurm/dataset.sbatch "$C3D_TEST_STORE/dataset.yaml" "$here/data" \
    --set data.root="$C3D_TEST_STORE/archive")
signal_when "$ended" "$here/ended/metrics.csv"

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
# any other end: not queued again
ends_with "$failing" FAILED 3 0
job_says "$failing" "exit 3: data or files"

ends_with "$dataset" COMPLETED 0 0
[ -s "$here/data/dataset.json" ] || fail "slurm/dataset.sbatch made no dataset"
evaluate=$(submit slurm/evaluate.sbatch "$here/whole")
ends_with "$evaluate" COMPLETED 0 0
[ -s "$here/whole/evaluation-test.json" ] || fail "slurm/evaluate.sbatch wrote no scores"
for task in 0 1; do ends_with "${compare}_$task" COMPLETED 0 0; done
grep -q "cnn2d-seed7" "$here/compare/report.html" && grep -q "c3d-seed7" "$here/compare/report.html" ||
    fail "the report of slurm/compare.sbatch lacks a run"
finish
