#!/usr/bin/env bash
# The job script for training on two nodes: hosts of their own, one rank on each, by srun and by
# mpirun; one of them is signalled, saves and is queued again. Two numbers have one sum in any order,
# so both end with the parameters of two ranks on one host, bit for bit. Then scaling.sbatch, first on
# one of the nodes and then on both.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
. "$C3D_SOURCE/tests/support/jobs.sh"
. "$C3D_SOURCE/tests/support/hosts.sh"
trap '[ ! -e "$SLURM_CONF" ] || on_host 1 "$C3D_SOURCE/tests/slurm/down.sh" "$slurm"
hosts_down; rm -rf "$slurm"' EXIT
[ "$(id -u)" = 0 ] || skip "hosts and SLURM for all users need root"
reason=$(hosts_up 2) || skip "$reason"
"$C3D_SOURCE/tests/slurm/up.sh" "$slurm" 2 2 || exit $?
on_cluster() { on_host 1 "$@"; }
n_epochs=8
rm -rf one srun mpirun scaling ./*.out

by_srun=$(C3D_LAUNCH=srun train srun --nodes=2 --ntasks-per-node=1)
by_mpirun=$(C3D_LAUNCH=mpirun train mpirun --nodes=2 --ntasks-per-node=1)
signal_when "$by_mpirun" "$here/mpirun/checkpoints/*.safetensors"
scaling=$(C3D_STEPS=8 C3D_CHECK_STEPS=2 submit --nodes=2 --ntasks-per-node=1 slurm/scaling.sbatch \
    "$config" "$here/scaling")
expect 0 ranks 2 "$C3D_BIN/c3d-train" "$config" --set run.dir=one --set train.epochs=$n_epochs

ends_with "$by_srun" COMPLETED 0 0
ends_with "$by_mpirun" COMPLETED 0 1
for job in "$by_srun" "$by_mpirun"; do
    job_says "$job" "on host[1-2]: 2 tasks"
    job_says "$job" "ranks: 2"
done
job_says "$by_mpirun" "resumed from"
for run in srun mpirun; do
    grep -aq '"ranks_of_host": "1"' "$(last $run)" || fail "$run: not one rank on each of two hosts"
    "$C3D_TEST_BIN/compare_tensors" equal "$(last one)" "$(last $run)" ||
        fail "$run on two nodes ended with other parameters than one host"
done

ends_with "$scaling" COMPLETED 0 0
grep -q "^measured,c3d,1,1,16,rank0,[0-9.]*,1.00,1.00,-,-,-$" scaling/scaling.csv || fail "scaling: one task"
grep -qE "^measured,c3d,2,2,16,rank0,[0-9.]+,[0-9.]+,[0-9.]+,[0-9.]+,[0-9.]+,exact$" scaling/scaling.csv ||
    fail "scaling: two tasks on two nodes"
[ "$(wc -l <scaling/scaling.csv)" = 3 ] || fail "scaling: not two rows"
grep -q "^| measured | c3d | 2 | 2 |" scaling/scaling.md || fail "scaling.md is not a table"
[ $failures = 0 ] || cat scaling/scaling.csv "$scaling.out"
finish
