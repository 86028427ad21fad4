#!/usr/bin/env bash
# The job scripts without SLURM: stand-ins for srun, mpirun, scontrol and the programs say what they
# are called with, and end with STUB_CODE.
. "$C3D_SOURCE/tests/support/check.sh"
here=$PWD
rm -rf stubs calls.txt && mkdir stubs
stub() { # NAME, its script on standard input
    { echo '#!/usr/bin/env bash'; cat; } >"stubs/$1"
    chmod +x "stubs/$1"
}
for program in c3d-train c3d-dataset c3d-evaluate c3d-report; do
    stub $program <<<'echo "$(basename "$0") $*"; echo "lead ${C3D_SIGNAL_LEAD_S-none}"; exit "${STUB_CODE:-0}"'
done
stub mpirun <<<'[ "$1 $2 $3" = "--bind-to none -np" ] || exit 99
echo -n "mpirun $4: "; shift 4; exec "$@"'
stub srun <<<'[ "$1" = --mpi=list ] && { echo "pmi2 ${STUB_PMIX-pmix}" >&2; exit; }
[ "$2 $3" = "--wait=60 -n" ] || exit 99; echo -n "srun $1 $4: "; shift 4; exec "$@"'
stub scontrol <<'STUB' # as SLURM does: the script is ended
echo "scontrol $*" >>calls.txt
kill -TERM $PPID
STUB
job() { # CODE SCRIPT ARGUMENTS...: in a folder of its own that has slurm/
    local code=$1 script=$2
    shift 2
    rm -f calls.txt
    expect "$code" env PATH="$here/stubs:$PATH" SLURM_JOB_ID=7 SLURM_NTASKS=3 C3D_BIN="$here/stubs" \
        bash "slurm/$script.sbatch" "$@"
}
for folder in slurm jobs; do [ -e $folder ] || ln -s "$C3D_SOURCE/$folder" $folder; done

job 0 train my.yaml --set train.epochs=2
says "srun --mpi=pmix 3: c3d-train my.yaml --set train.epochs=2"
STUB_PMIX= job 0 train my.yaml
says "mpirun 3: c3d-train my.yaml"
job 2 train
says "usage: sbatch slurm/train.sbatch"
job 2 scaling my.yaml
says "usage: sbatch slurm/scaling.sbatch"
expect 2 env -u SLURM_JOB_ID bash slurm/train.sbatch my.yaml
says "this is a job script"

# the time between the signal and the end, for the programs
job 0 train my.yaml
says "lead 300"
SBATCH_SIGNAL=B:USR1@77 job 0 train my.yaml
says "lead 77"
C3D_SIGNAL_LEAD_S=9 SBATCH_SIGNAL=B:USR1 job 0 train my.yaml
says "lead 9"
job 0 evaluate run
says "lead none"

# 75 goes back to the queue, until it was often enough; nothing else does
STUB_CODE=75 job 143 train my.yaml
[ "$(cat calls.txt)" = "scontrol requeue 7" ] || fail "exit 75 was not queued again"
STUB_CODE=75 SLURM_RESTART_COUNT=50 job 75 train my.yaml
[ -e calls.txt ] && fail "queued again for ever"
for code in 1 2 3 4 5 137 143 205; do
    STUB_CODE=$code job $code train my.yaml
    says "exit $code: "
    [ -e calls.txt ] && fail "exit $code was queued again"
done

job 0 dataset my.yaml data
says "srun --mpi=pmix 3: c3d-dataset build my.yaml --out data"
job 0 evaluate run --split validation
says "c3d-evaluate run --split validation"
job 0 demo
says "srun --mpi=pmix 3: c3d-train configs/demo-3d.yaml"
says "c3d-report runs/demo/2d runs/demo/3d --out runs/demo/report.html"

# every pair of network and seed once; the last to end compares
rm -rf compare pairs.txt && mkdir compare
for task in 0 1 2 3 4 5; do
    SLURM_ARRAY_TASK_ID=$task job 0 compare my.yaml compare
    grep -oE "run.dir=[^ ]+ --set model.network=[a-z0-9]+ --set data.seed=[0-9]+" out.txt >>pairs.txt
    run=$(sed -n 's/.*run\.dir=\([^ ]*\) .*/\1/p' out.txt)
    mkdir -p "$run" && touch "$run/evaluation-test.json"
    [ $task = 5 ] || ! grep -q -- --compare out.txt || fail "compare: before all runs are there"
done
[ "$(sort -u pairs.txt | wc -l)" = 6 ] || fail "compare: not six different runs"
says "done: 5 of 6 runs have scores"
SLURM_ARRAY_TASK_ID=0 job 0 compare my.yaml compare
says "c3d-evaluate --compare compare/c3d compare/cnn2d --out compare/comparison"
says "c3d-report compare/c3d/seed1 compare/cnn2d/seed1 --comparison compare/comparison --out compare/report.html"
SLURM_ARRAY_TASK_ID=6 job 2 compare my.yaml compare
says "use --array=0-5"
C3D_NETWORKS="c3d cnn9d" SLURM_ARRAY_TASK_ID=1 job 2 compare my.yaml compare
says "cnn9d"
C3D_NETWORKS="cnn2d c3d-shuffled" SLURM_ARRAY_TASK_ID=1 job 0 compare my.yaml compare
says "--set model.network=c3d --set data.month_order=shuffled --set data.seed=1"
finish
