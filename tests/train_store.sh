#!/usr/bin/env bash
# A small dataset for the training tests, made once: frames of an artificial archive whose classes a
# single month tells apart.
. "$C3D_SOURCE/tests/support/check.sh"
rm -rf archive store
expect 0 "$C3D_BIN/c3d-dataset" demo archive --kind one_frame --size tiny --seed 5
cp "$C3D_SOURCE/tests/data-configs/one-frame.yaml" dataset.yaml
expect 0 "$C3D_BIN/c3d-dataset" build dataset.yaml --out store
cat > train.yaml <<YAML
data: {store: $PWD/store, readers: 1}
model: {network: c3d, width: 4, fc: 16}
train: {epochs: 3, global_batch: 16, micro_batch: 4}
distributed: {threads: 1}
run: {dir: run}
YAML
finish
