#!/usr/bin/env bash
# Tasks of srun without PMIx, by the environment that srun gives them: explained before MPI_Init.
. "$C3D_SOURCE/tests/support/check.sh"
train=$C3D_BIN/c3d-train
step="SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_STEPID=0 SLURM_STEP_NUM_TASKS=2 SLURM_NTASKS=2"

expect 4 env $step SLURM_PROCID=0 "$train" --version
says "srun: its tasks (2) cannot find each other"
says "use srun --mpi=pmix"
expect 4 env $step SLURM_PROCID=1 "$train" --version
[ -s out.txt ] && fail "the second task speaks too"
# a batch script is no step: one rank
expect 0 env SLURM_NTASKS=2 SLURM_PROCID=0 "$train" --version
# mpirun in a step: its ranks find each other
expect 0 env SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=2 $mpi -np 2 "$train" --version
[ "$(grep -c "^c3d-train" out.txt)" = 1 ] || fail "two ranks answered as if each were alone"
finish
