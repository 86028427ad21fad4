# shellcheck shell=bash
# Sourced by tests/soak.sh: a small dataset, programs under mpirun that are watched, random numbers.
if [ -n "${C3D_SOAK_DIR:-}" ]; then
    mkdir -p "$C3D_SOAK_DIR"
    dir=$(cd "$C3D_SOAK_DIR" && pwd)
    [ -z "$(ls -A "$dir")" ] || { echo "soak: $dir: not empty" >&2; exit 2; }
else
    dir=$(mktemp -d "${TMPDIR:-/tmp}/c3d-soak.XXXXXX")
fi
shm=$(mktemp -d /dev/shm/c3d-soak.XXXXXX)
pid=
clean() {
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
    rm -rf "$shm"
    [ -n "${C3D_SOAK_DIR:-}" ] || rm -rf "$dir"
}
trap clean EXIT
trap 'exit 1' INT TERM HUP

# what ranks leave behind when they are killed lies here and goes with it
export TMPDIR=$shm OMPI_MCA_btl_vader_backing_directory=$shm
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_WAIT_POLICY=passive
began_s=$SECONDS
RANDOM=$seed

wrong() { echo "soak $kind: FAILED: $*" >&2; exit 1; }
draw() { drawn=$((RANDOM * 32768 + RANDOM)); drawn=$((drawn % $1)); } # no subshell: it would forget
draw_one() { draw $#; drawn=${*:drawn + 1:1}; }                       # of the arguments
nap() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }  # MILLISECONDS

is_running() { # PID: and not only waiting for its parent to ask
    local state
    state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) || return 1
    [ -n "$state" ] && [ "$state" != Z ]
}

# start LOG RANKS COMMAND...: under mpirun, whose process is $pid.
start() {
    local ranks=$2
    log=$1
    shift 2
    : >"$log"
    mpirun --bind-to none --oversubscribe -np "$ranks" "$@" >>"$log" 2>&1 &
    pid=$!
}

# await: to the end of what was started; its exit code is in $code.
await() {
    local until_s=$((SECONDS + limit_s))
    while is_running "$pid"; do
        if [ $SECONDS -ge $until_s ]; then
            ps -o pid,stat,wchan:30,args --ppid "$pid" >&2
            tail -20 "$log" >&2
            kill -9 "$pid"
            wrong "hangs: not ended after $limit_s s ($log)"
        fi
        sleep 0.02
    done
    code=0
    wait "$pid" || code=$?
    pid=
}

# await_word TEXT: until the program has printed it, or is over.
await_word() {
    local until_s=$((SECONDS + limit_s))
    until grep -qF -- "$1" "$log"; do
        is_running "$pid" || return 0
        [ $SECONDS -lt $until_s ] || return 0 # await says it
        sleep 0.02
    done
}

must() { # COMMAND...: a run that nobody disturbs, on the ranks before it
    start "$dir/undisturbed.log" "$@"
    await
    [ "$code" = 0 ] || { tail -20 "$log" >&2; wrong "exit $code: $*"; }
}

last() { # RUN: its newest checkpoint
    # shellcheck disable=SC2012 # names that sort
    ls "$dir/$1"/checkpoints/*.safetensors 2>/dev/null | tail -1
}
step_of() { # RUN: of its newest checkpoint
    local file
    file=$(last "$1")
    file=${file##*step-}
    [ -n "$file" ] && echo $((10#${file%.safetensors})) || echo 0
}

same_samples() { # A B
    cmp "$dir/$1/samples.jsonl" "$dir/$2/samples.jsonl" ||
        wrong "$2 saw other samples, or in another order, than $1"
}
same_parameters() { # A B
    "$C3D_BIN/compare_tensors" equal "$(last "$1")" "$(last "$2")" ||
        wrong "$2 ended with other parameters than $1"
}
same_records() { # A B: but for the clock
    cmp <(sed 's/, "seconds.*//' "$dir/$1/steps.jsonl") <(sed 's/, "seconds.*//' "$dir/$2/steps.jsonl") ||
        wrong "steps.jsonl of $2 is not that of $1"
    cmp <(cut -d, -f1-13 "$dir/$1/metrics.csv") <(cut -d, -f1-13 "$dir/$2/metrics.csv") ||
        wrong "metrics.csv of $2 is not that of $1"
}

# Small scenes, few training samples and many validation samples: a run of any length, whose epochs
# take 100 ms, a third of it evaluating; the last global batch of an epoch is short.
make_data() {
    "$C3D_BIN/c3d-dataset" demo "$dir/archive" --kind one_frame --size tiny --seed 5 \
        >"$dir/data.log" 2>&1 || wrong "no archive: $(tail -1 "$dir/data.log")"
    "$C3D_BIN/c3d-dataset" build "$C3D_SOURCE/tests/data-configs/one-frame.yaml" \
        --set data.root="$dir/archive" --set "data.split_shares=[0.4, 0.5, 0.1]" --out "$dir/store" \
        >"$dir/data.log" 2>&1 ||
        wrong "no dataset: $(tail -1 "$dir/data.log")"
    cat >"$dir/train.yaml" <<YAML
data: {store: $dir/store, readers: 1}
model: {network: c3d, width: 4, fc: 16}
train: {epochs: 1000000, global_batch: 8, micro_batch: 2, keep_last: 3}
evaluation: {batch: 4}
distributed: {threads: 1, timeout_s: 30}
run: {dir: run, log_samples: true}
YAML
}

passed() { echo "soak $kind: passed in $((SECONDS - began_s)) s: $*"; exit 0; }
