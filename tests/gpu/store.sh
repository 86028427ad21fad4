# Sourced by stages: a small dataset of our drawing, and training runs on it.

# A tiny one whose classes a single month tells apart, made once a stage.
make_store() {
    local width=16
    [ "$rehearsal" = 0 ] || width=4
    ours "$bin/c3d-dataset" demo archive --kind one_frame --size tiny --seed 5 || return 1
    ours "$bin/c3d-dataset" build "$source_dir/tests/data-configs/one-frame.yaml" --out store || return 1
    cat >train.yaml <<YAML
data: {store: $PWD/store, readers: 2}
model: {network: c3d, width: $width, fc: 64}
train: {epochs: 3, global_batch: 16, micro_batch: 4}
run: {dir: run, device: $device, deterministic: true}
YAML
}

# trains N DIR PRECISION [ARGUMENTS...]: one run on N ranks
trains() {
    local n=$1 dir=$2 precision=$3
    shift 3
    ranks "$n" "$bin/c3d-train" train.yaml --set run.dir="$dir" --set model.precision="$precision" "$@"
}

last() { ls "$1"/checkpoints/*.safetensors | tail -1; }

same() { # RUN RUN: parameters, moments and running statistics have the same bits
    ours "$bin/compare_tensors" equal "$(last "$1")" "$(last "$2")"
}

# How a run's ranks talked, as it says itself.
communicator_of() { # RUN
    sed -n 's/.*sums over [0-9]* ranks: //p' "$1/log.txt" | head -1
}
