#!/usr/bin/env bash
# Format, blanks, sizes of functions and files, words that must not land. Prints one line a finding.
#   tests/style.sh            exit 1 when there is one; 77 without clang-format
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t sources < <(find src include tests bench \( -name '*.c' -o -name '*.h' -o -name '*.cu' -o -name '*.cpp' \) | sort)
mapfile -t texts < <(git ls-files --cached --others --exclude-standard | grep -vE '\.(png|bin|safetensors|h5|tif|gpkg)$' |
    while read -r file; do [ -f "$file" ] && echo "$file"; done)
bad=0

found() {
    [ -z "$1" ] && return
    printf '%s\n' "$1"
    bad=1
}
found "$(grep -nIP '[ \t]+$' "${texts[@]}" | sed 's/:\([0-9]*\):.*/:\1: trailing blank/' || true)"
found "$(grep -nIP '^\t' "${sources[@]}" | sed 's/:\([0-9]*\):.*/:\1: tab/' || true)"
for file in "${texts[@]}"; do
    [ -s "$file" ] && [ -n "$(tail -c1 "$file")" ] && found "$file: no newline at the end"
done
# this machine's paths, and promises in comments
found "$(grep -nIE '(^|[^A-Za-z0-9_}.])/(wor[k]|far[m]|hom[e]/[a-z]+|roo[t])/|\.librar[y]|device\.ru[n]' \
    "${texts[@]}" | grep -v '^\.gitignore:' || true)"
found "$(grep -nE '\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b' "${sources[@]}" || true)"

# A function runs from its opening brace in column 1 to the closing one. Tables are no functions.
found "$(awk '
    FNR == 1 { if (lines > 600 && last ~ /^src/) print last ": " lines " lines, at most 600"; start = 0 }
    { lines = FNR; last = FILENAME }
    /^{/ && before !~ /^(static const|const|struct|typedef|enum)/ { start = FNR }
    /^[A-Za-z].*\) *{$/ { start = FNR }
    /^}/ && start {
        if (FNR - start > 70 && FILENAME ~ /^(src|include)/)
            print FILENAME ":" start ": function of " FNR - start " lines, at most 70"
        start = 0
    }
    { before = $0 }
    END { if (lines > 600 && last ~ /^src/) print last ": " lines " lines, at most 600" }
' "${sources[@]}")"

if ! command -v clang-format >/dev/null; then
    echo "style: skipped: no clang-format here"
    exit $((bad ? 1 : 77))
fi
found "$(clang-format --dry-run -Werror "${sources[@]}" 2>&1 | grep 'error:' |
    sed -E 's/:[0-9]+:[0-9]+: error:.*/: not formatted; run clang-format -i/' | sort -u || true)"
[ "$bad" -eq 0 ] && echo "style: ${#sources[@]} sources and ${#texts[@]} files are in order"
exit "$bad"
