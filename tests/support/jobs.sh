# shellcheck shell=bash
# Sourced by the tests of job scripts, after check.sh and train.sh: jobs of a SLURM in $slurm, a short
# new folder; on_cluster runs its commands.
slurm=$(mktemp -d /tmp/c3d-slurm.XXXXXX)
export SLURM_TEST_PORT=$((20000 + $$ % 10000 * 2)) SLURM_CONF=$slurm/slurm.conf
export C3D_BIN C3D_LAUNCH
here=$PWD
n_epochs=12
on_cluster() { "$@"; }

submit() { # as from the folder of the job scripts
    (cd "$C3D_SOURCE" && on_cluster sbatch --parsable --cpus-per-task=1 --output="$here/%j.out" "$@")
}
train() { # RUN OPTIONS...: of sbatch
    local run=$1
    shift
    submit "$@" slurm/train.sbatch "$config" --set run.dir="$here/$run" --set train.epochs=$n_epochs
}
field() { on_cluster scontrol -o show job "$1" 2>/dev/null | grep -oE "(^| )$2=[^ ]*" | head -1 | cut -d= -f2; }
await() { # JOB: its state when it has ended
    local state
    for _ in $(seq 3000); do
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
when() { # PATTERN COMMAND...: once there is such a file
    local pattern=$1
    shift
    for _ in $(seq 4000); do compgen -G "$pattern" >/dev/null && break; sleep 0.05; done
    on_cluster "$@"
}
signal_when() { when "$2" scancel --batch --signal=USR1 "$1"; } # JOB PATTERN: as --signal=B:USR1@... does
# shellcheck disable=SC2012 # names that sort
last() { ls "$here/$1"/checkpoints/*.safetensors | tail -1; }
