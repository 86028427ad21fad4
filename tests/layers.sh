#!/usr/bin/env bash
# Holds the #include lines to src/modules.txt: who may see whose public header, no private header
# of another module, foreign headers in their one module; and no preprocessor conditions but header
# guards in src/nn, src/train and src/data. Prints one line a violation.
#   tests/layers.sh [ROOT]
set -euo pipefail
root=${1:-$(cd "$(dirname "$0")/.." && pwd)}
cd "$root"
mapfile -t files < <(find src include/c3d \( -name '*.c' -o -name '*.h' -o -name '*.cu' \) | sort)

awk '
BEGIN { for (i = 1; i < ARGC; i++) exists[ARGV[i]] = 1 }
function fail(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; n_bad++ }

# the map, lowest module first
FILENAME == "src/modules.txt" {
    if ($0 ~ /^#/ || NF == 0) next
    split($0, column, "|")
    gsub(/ /, "", column[1])
    known[column[1]] = 1
    n = split(column[2], names, " ")
    for (i = 1; i <= n; i++) {
        if (names[i] == "") continue
        may[column[1], names[i]] = 1
        if (!(names[i] in owner)) owner[names[i]] = column[1] # the lowest that may see it has it
    }
    n = split(column[3], names, " ")
    for (i = 1; i <= n; i++) foreign[names[i]] = foreign[names[i]] " " column[1]
    next
}

FNR == 1 {
    n_files++
    depth = 0
    if (FILENAME ~ /^src\//) {
        module = FILENAME
        sub(/^src\//, "", module)
        sub(/\/.*/, "", module)
    } else {
        header = FILENAME
        sub(/.*\//, "", header)
        sub(/\.h$/, "", header)
        module = owner[header]
    }
    if (!(module in known)) fail("belongs to no module of src/modules.txt")
    is_header = FILENAME ~ /\.h$/
    no_conditions = FILENAME ~ /^src\/(nn|train|data)\//
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\"")
    name = part[2]
    if (name ~ /^c3d\//) {
        sub(/^c3d\//, "", name)
        sub(/\.h$/, "", name)
        if (!((module, name) in may)) fail(module " must not see " name)
    } else {
        folder = name
        if (!sub(/\/.*/, "", folder)) {
            beside = FILENAME
            sub(/[^\/]*$/, name, beside)
            if (!(beside in exists)) fail(name " does not lie beside this file")
        }
        else if (folder != module) fail(module " must not see " folder "\047s private " name)
    }
}

/^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, part, /[<>]/)
    for (prefix in foreign) {
        if (index(part[2], prefix) != 1) continue
        if (index(foreign[prefix] " ", " " module " ") == 0)
            fail(part[2] " belongs in src/" substr(foreign[prefix], 2) " only")
    }
}

# A header guard is the first condition of a header, an #ifndef.
no_conditions && /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)/ {
    guard = is_header && !guarded[FILENAME] && $0 ~ /^#ifndef C3D_[A-Z0-9_]+_H$/
    if (guard) guarded[FILENAME] = 1
    else fail("no preprocessor conditions in src/nn, src/train and src/data")
}

END {
    if (n_bad) { printf "layers: %d violation%s\n", n_bad, n_bad == 1 ? "" : "s"; exit 1 }
    printf "layers: %d files hold to src/modules.txt\n", n_files
}
' src/modules.txt "${files[@]}"
