#!/usr/bin/env bash
# A small dataset for the training tests, made once: frames of an artificial archive whose classes a
# single month tells apart.
. "$C3D_SOURCE/tests/support/check.sh"
rm -rf archive store
expect 0 "$C3D_BIN/c3d-dataset" demo archive --kind one_frame --size tiny --seed 5
cat > dataset.yaml <<YAML
data:
  root: archive
  mosaics: planet_medres_normalized_analytic_{YYYY}-{MM}_mosaic/*_quad.tif
  labels: mapbiomas/brasil_coverage_{YYYY}.tif
  label_classes: {mining: 30}
  positive: mining
  frame_size_px: 16
  positive_share: 0.7
  negative_share: 0.3
  series_label: any
  split: random
  split_shares: [0.5, 0.25, 0.25]
YAML
expect 0 "$C3D_BIN/c3d-dataset" build dataset.yaml --out store
cat > train.yaml <<YAML
data: {store: $PWD/store, readers: 1}
model: {network: c3d, width: 4, fc: 16}
train: {epochs: 3, global_batch: 16, micro_batch: 4}
distributed: {threads: 1}
run: {dir: run}
YAML
finish
