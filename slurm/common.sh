# shellcheck shell=bash
# Sourced by the job scripts beside it: starts programs on all tasks of the job, hands SLURM's signal
# on to them, and queues the job again where a program was stopped in the middle and saved.
# Settings, from the environment of sbatch:
#   C3D_BIN           folder of the programs (default build/release/bin)
#   C3D_LAUNCH        srun, mpirun or auto: srun where it offers PMIx, else mpirun (default auto)
#   C3D_MAX_RESTARTS  how often a job is queued again before it is left to you (default 50)
#   C3D_SIGNAL_LEAD_S seconds between SLURM's signal and the time limit, which the programs compare
#                     with the time they take to save (default: what the script's --signal says)
set -u
bin=${C3D_BIN:-build/release/bin}
n_signals=0
signalled_s=0
child=

say() { echo "[$(date '+%F %T')] $*"; }
fail() { # CODE TEXT
    say "$2"
    exit "$1"
}

[ -n "${SLURM_JOB_ID:-}" ] || fail 2 "this is a job script: sbatch $0, see slurm/README.md"
[ -x "$bin/c3d-train" ] || fail 2 "$PWD/$bin/c3d-train: not there; build first, or set C3D_BIN"
say "job $SLURM_JOB_ID on ${SLURM_JOB_NODELIST:-?}: ${SLURM_NTASKS:-1} tasks, start $((${SLURM_RESTART_COUNT:-0} + 1))"

# A shell runs a trap between commands only, so programs run in the background and the shell waits.
on_signal() {
    n_signals=$((n_signals + 1))
    signalled_s=$SECONDS
    [ -z "$child" ] || kill -USR1 "$child" 2>/dev/null
}
trap on_signal USR1

# SBATCH_SIGNAL wins over the script as it does for sbatch; what sbatch itself was told on its command
# line nobody can ask for.
if [ -z "${C3D_SIGNAL_LEAD_S:-}" ]; then
    signal=${SBATCH_SIGNAL:-$(sed -n 's/^#SBATCH .*--signal=\([^ ]*\).*/\1/p' "$0" | tail -1)}
    case $signal in
        *@*) export C3D_SIGNAL_LEAD_S=${signal##*@} ;;
        ?*) export C3D_SIGNAL_LEAD_S=60 ;; # sbatch's own default
    esac
fi

# mpirun finds out within half a minute that a node does not answer any more; by its own settings it
# would wait for ever
export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time-10}
export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl-5}
export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes-4}

# srun does not take this from the job any more
[ -z "${SLURM_CPUS_PER_TASK:-}" ] || export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK

launch=${C3D_LAUNCH:-auto}
if [ "$launch" = auto ]; then
    launch=mpirun
    srun --mpi=list 2>&1 | grep -qw pmix && launch=srun
fi
case $launch in
    # tasks that are left alone by the others are ended after a minute
    srun) launcher=(srun --mpi=pmix --wait=60 -n) ;;
    # the programs share a node's cores among its ranks themselves
    mpirun) launcher=(mpirun --bind-to none -np) ;;
    *) fail 2 "C3D_LAUNCH=$launch: expected srun, mpirun or auto" ;;
esac

# Waits for COMMAND to its end and returns its exit code; SIGUSR1 goes to it.
run() { # COMMAND...
    local code seen
    [ "$n_signals" = 0 ] || return 75 # asked to stop before this began
    "$@" &
    child=$!
    [ "$n_signals" = 0 ] || kill -USR1 "$child" 2>/dev/null # it came just now
    while
        seen=$n_signals
        wait "$child"
        code=$?
        [ "$seen" != "$n_signals" ] # the signal ended the wait, not the program
    do :; done
    child=
    # 138: the signal ended it, as it does only before it has begun
    [ "$n_signals" = 0 ] || [ "$code" != 138 ] || code=75
    return "$code"
}

# One line about an exit code of the programs, mpirun or srun.
meaning() { # CODE
    case $1 in
        1) echo "internal error, or mpirun was told to end or could not start: see the lines above" ;;
        2) echo "wrong usage or configuration" ;;
        3) echo "data or files: missing, unreadable, disk full" ;;
        4) echo "a device, MPI or another rank" ;;
        5) echo "training diverged" ;;
        137) echo "killed: most often out of memory (--mem), or the time limit" ;;
        134 | 139) echo "a program crashed" ;;
        143) echo "ended by SIGTERM: scancel or the time limit" ;;
        205) echo "mpirun could not reach or lost a node" ;;
        *) echo "see slurm/README.md" ;;
    esac
}

# The same job goes back to the queue and starts this script again; does not return.
queue_again() {
    local restarts=${SLURM_RESTART_COUNT:-0} most=${C3D_MAX_RESTARTS:-50}
    [ "$n_signals" = 0 ] || say "stopped and saved $((SECONDS - signalled_s)) s after the signal"
    [ "$restarts" -lt "$most" ] ||
        fail 75 "queued again $restarts times already: not again; sbatch goes on from here"
    say "queued again ($((restarts + 1)) of at most $most)"
    scontrol requeue "$SLURM_JOB_ID" ||
        fail 75 "scontrol requeue failed; the same sbatch command goes on from here"
    sleep 120 # SLURM ends this script
    fail 75 "still here after scontrol requeue"
}

# A step of the job: goes on only if it succeeded.
must() { # COMMAND...
    local code=0
    run "$@" || code=$?
    [ "$code" != 75 ] || queue_again
    [ "$code" = 0 ] || fail "$code" "exit $code: $(meaning "$code"); not queued again"
}

on_all_tasks() { must "${launcher[@]}" "${SLURM_NTASKS:-1}" "$bin/$1" "${@:2}"; }
on_one_task() { must "$bin/$1" "${@:2}"; }
