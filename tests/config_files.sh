#!/usr/bin/env bash
# Every file of configs/ parses; in paper-*.yaml each key is marked; docs/configuration.md is what
# the table of keys says today.
set -euo pipefail
tool=$C3D_BIN/c3d-config-table
cd "$C3D_SOURCE"
"$tool" check configs/*.yaml
for file in configs/paper-*.yaml; do
    unmarked=$(grep -nE '^ +[a-z]' "$file" | grep -vE '# (stated|our choice)' || true)
    [ -z "$unmarked" ] || { printf '%s: neither stated nor our choice:\n%s\n' "$file" "$unmarked"; exit 1; }
done
if ! "$tool" markdown | diff -u docs/configuration.md -; then
    echo "docs/configuration.md is out of date: c3d-config-table markdown > docs/configuration.md"
    exit 1
fi
