#!/usr/bin/env bash
# The command line of the training program: what it says about itself, and that each mistake in a
# configuration is one line and exit code 2, once for all ranks.
set -euo pipefail
train=$C3D_BIN/c3d-train
failures=0
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}
ends() { # CODE COMMAND...
    local code=$1 status=0
    shift
    "$@" >out 2>err || status=$?
    [ "$status" = "$code" ] || fail "$*: exit $status, expected $code: $(cat err)"
}
cat >bad.yaml <<'YAML'
data:
  store: somewhere
  sede: 3
model:
  network: c4d
train:
  epochs: ten
  micro_batch: 64
run:
  dir:
YAML
cat >expected <<'TXT'
bad.yaml:3:3: data.sede: unknown key; did you mean data.seed?
bad.yaml:5:12: model.network: expected c3d|cnn2d|tcnn|cnn2d_stack|c2plus1d, got "c4d"
bad.yaml:7:11: train.epochs: expected an integer, got "ten"
bad.yaml:8:16: train.micro_batch: 64 is larger than train.global_batch (16)
TXT
ends 2 "$train" bad.yaml
grep -q '^bad.yaml:10:.*run.dir: no value given$' err || fail "no line for run.dir: $(cat err)"
grep '^bad.yaml:[3-8]:' err | diff expected - || fail "other lines than expected"
grep -qF 'c3d-train: bad.yaml: 5 mistakes' err || fail "no closing line: $(cat err)"
ends 2 mpirun -np 2 "$train" bad.yaml
cat out err >both
[ "$(grep -c 'data.sede: unknown key' both)" = 1 ] || fail "two ranks say it $(grep -c sede both) times"
[ "$(grep -c '5 mistakes' both)" = 1 ] || fail "two ranks close more than once"

printf 'data: {store: s}\nrun: {dir: d}\n' >good.yaml
ends 0 "$train" good.yaml --set train.epochs=3 --set 'data.bands=[red, nir]' --print-config
grep -qx '  epochs: 3' out || fail "--set did not arrive"
grep -qx '  bands: \[red, nir\]' out || fail "a list given by --set did not arrive"
cp out printed.yaml
ends 0 "$train" good.yaml --set data.months=2020/2021 --print-config
grep -qx '  months: 2020-01/2021-12' out || fail "years are not whole: $(grep months out)"
ends 0 "$train" printed.yaml --print-config
cmp printed.yaml out || fail "printing, reading and printing again gives another text"
[ ! -e d ] || fail "--print-config made the run directory"

ends 2 "$train" good.yaml --set train.epoch=3
grep -qF -- '--set: train.epoch: unknown key; did you mean train.epochs?' err || fail "$(cat err)"
ends 2 "$train" good.yaml --reusme auto
grep -qF 'did you mean --resume?' err || fail "$(cat err)"
ends 2 "$train" nowhere.yaml
ends 2 "$train"
for program in c3d-train c3d-evaluate c3d-dataset c3d-report; do
    ends 0 "$C3D_BIN/$program" --help
    grep -q '^usage: ' out || fail "$program --help has no usage"
    ends 0 "$C3D_BIN/$program" --version
    grep -q "^$program [0-9]" out || fail "$program --version: $(cat out)"
    ends 0 "$C3D_BIN/$program" --cite
    ends 0 "$C3D_BIN/$program" --describe json
    if command -v python3 >/dev/null; then
        python3 -c 'import json, sys; json.load(open("out"))' || fail "$program --describe: no JSON"
    fi
    ends 2 "$C3D_BIN/$program" --frobnicate
done
[ "$failures" = 0 ] && echo "command line: all as expected"
exit "$((failures > 0))"
