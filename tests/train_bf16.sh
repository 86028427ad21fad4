#!/usr/bin/env bash
# A run with model.precision bf16: learns as in fp32, stops and goes on bit for bit, keeps float32
# checkpoints, and is refused with a reason where it cannot be.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf fp32 whole stopped refused
last() { ls "$1"/checkpoints/*.safetensors | tail -1; }
loss() { awk -F, 'END { print $'"$2"' }' "$1/metrics.csv"; }
more=(--set train.epochs=4 --set train.checkpoint_every_steps=7 --set train.keep_last=100)

for precision in fp16 tf32; do
    expect 4 "$train" "$config" --set run.dir=refused --set model.precision=$precision
    says "model.precision $precision: not on the CPU; use fp32 or bf16"
done
DNNL_MAX_CPU_ISA=AVX512_CORE expect 4 "$train" "$config" --set run.dir=refused \
    --set model.precision=bf16
says "model.precision bf16: this processor has neither avx512_bf16 nor amx; use fp32"
grep -q "^flags.*\(avx512_bf16\|amx_bf16\)" /proc/cpuinfo || {
    [ "$failures" = 0 ] && skip "this processor has no bf16"
    finish
}

# The demo's classes are told apart in either precision: half the loss of ln 2 of knowing nothing.
expect 0 "$train" "$config" --set run.dir=fp32 "${more[@]}"
expect 0 ranks 2 "$train" "$config" --set run.dir=whole --set model.precision=bf16 "${more[@]}"
says "bf16"
for run in fp32 whole; do
    awk -v l="$(loss $run 7)" 'BEGIN { exit !(l < 0.35) }' ||
        fail "validation loss $(loss $run 7) of $run"
done

# from the middle of an epoch to the same bits
middle=$(ls whole/checkpoints/*.safetensors | head -1)
cp -r whole stopped
expect 0 ranks 2 "$train" "$config" --set run.dir=stopped --set model.precision=bf16 "${more[@]}" \
    --resume "stopped/checkpoints/$(basename "$middle")"
"$C3D_TEST_BIN/compare_tensors" equal "$(last whole)" "$(last stopped)" ||
    fail "the resumed run differs"
expect 2 ranks 2 "$train" "$config" --set run.dir=whole "${more[@]}"
says "model.precision: bf16 -> fp32"

# scored as trained and in float32: the same but for rounding
expect 0 "$C3D_BIN/c3d-evaluate" whole --split validation --out low
expect 0 "$C3D_BIN/c3d-evaluate" whole --split validation --precision fp32 --out high
cmp -s low/scores-validation.csv high/scores-validation.csv && fail "fp32 scores are bf16's"
paste -d, low/scores-validation.csv high/scores-validation.csv |
    awk -F, 'NR > 1 && ($5 - $11) ^ 2 > 0.1 ^ 2 { exit 1 }' || fail "scores differ by more than 0.1"
DNNL_MAX_CPU_ISA=AVX512_CORE expect 4 "$C3D_BIN/c3d-evaluate" whole --split validation --out low
says "--precision fp32"
finish
