#!/usr/bin/env bash
# What a run writes for people and programs to follow it: event files, steps, cost, progress and log
# as JSON; and that stopping and going on leaves no seam in them.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
python=${C3D_PYTHON:-python3}
command -v "$python" >/dev/null || skip "no Python"
rm -rf ./*/
run=("$train" "$config" --set train.epochs=2)
json=(--set run.tensorboard_every_steps=2 --progress json --log-format json)
reads() { expect 0 "$python" "$C3D_SOURCE/tests/support/read_events.py" "$@"; cat out.txt; }

# two starts of one run; in between the files look as after a kill: ahead of the checkpoint, cut short
"${run[@]}" "${json[@]}" --set run.dir=run --set train.max_steps=11 \
    --set train.checkpoint_every_steps=9 >log.txt 2>progress.txt || fail "the first start"
rm run/checkpoints/step-00000011.safetensors
events=$(ls run/tensorboard/*)
head -c 150 "$events" | tail -c 60 >half && cat half >>"$events"
"${run[@]}" "${json[@]}" --set run.dir=run >>log.txt 2>>progress.txt ||
    fail "the second start"
reads run 2
says " 2 starts, 16 steps"

# every line is an object, and what it says fits together
expect 0 "$python" - <<'PY'
import json
log = [json.loads(line) for line in open("log.txt")]
assert all({"time", "program", "rank", "level", "message"} == set(line) for line in log), log
lines = [json.loads(line) for line in open("progress.txt")]
lines = [line for line in lines if "progress" in line]
ends = [(line["progress"], line["done"]) for line in lines if line["ended"]]
assert [e for e in ends if e[0].startswith("epoch")][-1][0] == "epoch 2/2", ends
assert any(e[0] == "validation" for e in ends), ends
base = {"progress", "done", "total", "unit", "elapsed_s", "left_s", "ended"}
more = {"epoch", "epochs", "step", "steps", "loss", "learning_rate", "grad_norm", "scenes_per_s",
        "step_ms", "waiting_ms", "copying_ms", "computing_ms", "reducing_ms", "flop_per_s",
        "peak_share", "run_left_s"}
for line in lines:
    assert set(line) == (base | more if line["progress"].startswith("epoch") else base), line
    assert 0 <= line["done"] <= line["total"], line
last = [line for line in lines if "step" in line][-1]
assert last["step"] == last["steps"] == 16 and last["run_left_s"] == 0 and last["ended"], last
parts = sum(last[k] for k in ("waiting_ms", "copying_ms", "computing_ms", "reducing_ms"))
assert abs(parts - last["step_ms"]) < 1e-3 * last["step_ms"] and last["peak_share"] is None, last
PY

# a plain line says the same to a person
expect 0 "${run[@]}" --set run.dir=plain --set run.log_every_s=0.1 --set run.tensorboard_every_steps=0 \
    --set model.width=12
grep -Eq "^epoch [12]/2: [0-9]+ of 119 scenes \([0-9]+ %\), .* left; loss [0-9.]+, rate 0.001, gradient [0-9.e+-]+, [0-9.]+ scenes/s, run .* left, step [0-9.]+ ms \(waiting [0-9.]+, copying [0-9.]+, computing [0-9.]+, reducing [0-9.]+\)$" out.txt ||
    fail "no line of progress: $(cat out.txt)"
[ ! -e plain/tensorboard ] || fail "event files although run.tensorboard_every_steps is 0"

# mistakes are lines of the log, too, also those in the options
printf 'train: {epochss: 3}\n' >wrong.yaml
"$train" --log-format json wrong.yaml 2>wrong.txt && fail "a wrong configuration was taken"
"$train" --log-format json wrong.yaml --wrong 2>>wrong.txt && fail "a wrong option was taken"
expect 0 "$python" -c 'import json
said = [json.loads(line)["message"] for line in open("wrong.txt")]
assert "wrong.yaml:1:9: train.epochss: unknown key; did you mean train.epochs?" in said, said
assert said[-1].startswith("--wrong: unknown option"), said'
finish
