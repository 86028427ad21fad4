#!/usr/bin/env bash
# What docs/scaling.md predicts, from measured figures where they are given; run by
# bench/run.sh scaling [--network c3d|cnn2d] [--rate SCENES_PER_S] [--beside scaling.csv] ...; --help.
set -euo pipefail
exec python3 "$C3D_SOURCE/bench/scaling.py" "$@"
