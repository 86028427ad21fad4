# Sourced by run.sh: a real training on the artificial archive, and what it reaches.
size=${C3D_GPU_DEMO:-small}
width=64 fc=512 epochs=20 steps=0 checkpoint=best
[ "$rehearsal" = 0 ] || { width=4 fc=16 epochs=2 steps=12 checkpoint=last; } # of processors

make_demo() {
    ours "$bin/c3d-dataset" demo archive --size "$size" || return 1
    sed "s|runs/demo/archive|archive|" "$source_dir/configs/dataset-demo.yaml" >dataset.yaml
    ranks "$((jobs < 8 ? jobs : 8))" "$bin/c3d-dataset" build dataset.yaml --out data || return 1
    echo "note: $(($(wc -l <data/samples.csv) - 1)) samples"
}

# The share of the steps' time that was waiting for input, after the first tenth of them.
stall_of() { # RUN
    awk '
        function value(key,    at) {
            at = match($0, "\"" key "\": *[0-9.eE+-]+")
            if (!at) return -1
            split(substr($0, RSTART, RLENGTH), part, ":")
            return part[2] + 0
        }
        { seconds[NR] = value("seconds"); waited[NR] = value("waited_s") }
        END {
            for (i = int(NR / 10) + 1; i <= NR; i++) {
                if (waited[i] < 0) { print "unknown"; exit }
                s += seconds[i]
                w += waited[i]
            }
            if (s > 0) printf "%.1f\n", 100 * w / s; else print "unknown"
        }' "$1/steps.jsonl"
}

metric_in() { # METRIC FILE: its value in evaluation-SPLIT.json
    sed -n "/\"$1\": {/,/}/ s/.*\"value\": *\([0-9.eE+-]*\).*/\1/p" "$2" | head -1 | cut -c1-6
}

# Trains, scores the test split, and demands more than guessing and little waiting for input.
learns() { # NETWORK PRECISION STEM(2d|3d)
    local run=$1-$2 accuracy auc stall speed
    sed "s|runs/demo/data|data|; s|runs/demo/$3|$run|" "$source_dir/configs/demo-$3.yaml" >"$run.yaml"
    ours "$bin/c3d-train" "$run.yaml" --set run.device=$device --set model.precision="$2" \
        --set model.width=$width --set model.fc=$fc --set train.epochs=$epochs \
        --set train.max_steps=$steps || return 1
    ours "$bin/c3d-evaluate" "$run" --split test --device $device \
        --checkpoint $checkpoint || return 1
    accuracy=$(metric_in accuracy "$run/evaluation-test.json")
    auc=$(metric_in auc "$run/evaluation-test.json")
    stall=$(stall_of "$run")
    speed=$(tail -1 "$run/metrics.csv" | awk -F, '{ print $NF }')
    echo "note: accuracy ${accuracy:-?}, AUC ${auc:-?}, input stall $stall %, $speed scenes/s"
    awk -v auc="${auc:-0}" -v stall="$stall" -v rehearsal="$rehearsal" 'BEGIN {
        if (rehearsal) exit 0
        if (auc <= 0.7) { print "AUC " auc " is hardly more than guessing"; exit 1 }
        if (stall == "unknown") { print "steps.jsonl does not say how long input was waited for"; exit 1 }
    }'
}

if check "demo archive ($size) and dataset" make_demo; then
    for precision in bf16 fp32; do
        check "c3d $precision, width $width" learns c3d $precision 3d
        check "cnn2d $precision, width $width" learns cnn2d $precision 2d
    done
fi
