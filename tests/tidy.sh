#!/usr/bin/env bash
# clang-tidy over src, as many at a time as there are cores. A source that was clean with the same
# headers and settings is not looked at again.
#   tests/tidy.sh [BUILD]     BUILD has compile_commands.json (build/debug)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/debug}
command -v clang-tidy >/dev/null || { echo "tidy: skipped: no clang-tidy here"; exit 77; }
[ -f "$build/compile_commands.json" ] || { echo "tidy: $build is not configured" >&2; exit 2; }
stamps=$PWD/build/tidy
mkdir -p "$stamps"
common=$({ cat .clang-tidy; find include src -name '*.h' | sort | xargs cat; } | cksum | tr ' ' -)
export build stamps common

tidy_one() {
    local stamp said
    stamp="$stamps/${1//\//_}.$common.$(cksum <"$1" | tr ' ' -)"
    [ -f "$stamp" ] && return 0
    if ! said=$(clang-tidy -quiet -p "$build" "$1" 2>&1); then
        printf '%s\n' "$said" | grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -'
        return 1
    fi
    rm -f "$stamps/${1//\//_}".*
    touch "$stamp"
}
export -f tidy_one
# only what this build compiles: a backend that is not built has no compile command
find src -name '*.c' | sort | while read -r file; do
    grep -qF "/$file\"" "$build/compile_commands.json" && echo "$file"
done >"$stamps/list"
xargs -P "$(nproc)" -I{} bash -c 'tidy_one {}' <"$stamps/list"
echo "tidy: $(wc -l <"$stamps/list") sources are clean"
