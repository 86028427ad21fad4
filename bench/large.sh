# The whole path at full count: the large artificial archive, configs/dataset-large.yaml, training for
# some steps; run by bench/run.sh large [RANKS]. 22 GB of disk; what is there already is gone on with.
# The ratio is the slower of opening and planning an epoch over the two seconds that are allowed.
set -euo pipefail
ranks=${1:-2}
[ -x /usr/bin/time ] || { echo "large: /usr/bin/time is needed" >&2; exit 2; }
cd "$BENCH_DIR"
cmake -S "$C3D_SOURCE" -B programs -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo >programs.log
cmake --build programs --target c3d-dataset c3d-train bench_opening >>programs.log ||
    { tail -n 30 programs.log >&2; exit 1; }
export PATH=$PWD/programs/bin:$PATH OMP_WAIT_POLICY=passive
mkdir -p large
cd large
config=$C3D_SOURCE/configs/dataset-large.yaml data=runs/large/data

step() { # NAME COMMAND...: on all ranks, its seconds, the most memory and processor time of a rank
    local name=$1
    shift
    rm -f usage
    mpirun --bind-to none --oversubscribe -np "$ranks" \
        /usr/bin/time -a -o usage -f '%e %M %U %S' "$@" >"$name.log" 2>&1 ||
        { tail -n 20 "$name.log" >&2; exit 1; }
    awk -v name="$name" '{ if ($1 > s) s = $1; if ($2 > kb) kb = $2
                           if ($3 + $4 > cpu) cpu = $3 + $4 }
        END { printf "%-10s %8.1f s %8.1f s %7.0f MB\n", name, s, cpu, kb / 1024 }' usage
}

cat >train.yaml <<YAML
data: {store: $data}
model: {network: c3d, width: 4, fc: 64}
train: {epochs: 1, global_batch: 64, micro_batch: 32, max_steps: 200}
run: {dir: runs/large/3d}
YAML
echo "$ranks ranks; of the slowest or largest one:"
echo "step           takes  processor   memory"
step demo c3d-dataset demo runs/large/archive --size large
for part in frames clip samples; do step $part c3d-dataset $part "$config" --out $data; done
step verify c3d-dataset verify $data
step info c3d-dataset info $data
step plan c3d-train --plan train.yaml
step check c3d-train --check train.yaml
step train c3d-train train.yaml --resume never
echo
bench_opening $data | tee opening.txt
awk '/^open/ { open = $(NF - 3) } /^list|^mean|shuffled|^all/ { plan += $(NF - 3) }
    END { printf "large ratio=%.3f\n", (open > plan ? open : plan) / 2 }' opening.txt
