#!/usr/bin/env bash
# tests/layers.sh finds what is planted: one violation of each kind.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir"/src/{base,comm,data,nn} "$dir/include/c3d"
cp "$here/../src/modules.txt" "$dir/src/"

plant() { # FILE TEXT EXPECTED-LINE
    printf '%b' "$2" >"$dir/$1"
    local said
    if said=$("$here/layers.sh" "$dir"); then
        echo "not found: $3"
        exit 1
    fi
    if ! grep -qxF "$3" <<<"$said"; then
        printf 'expected: %s\ngot: %s\n' "$3" "$said"
        exit 1
    fi
    rm "$dir/$1"
}
printf '#ifndef C3D_A_H\n#define C3D_A_H\n#endif\n' >"$dir/src/nn/a.h"
printf '#include "c3d/base.h"\n#include <mpi.h>\n' >"$dir/src/comm/mpi.c"
"$here/layers.sh" "$dir" >/dev/null || { echo "a clean tree is refused"; exit 1; }
plant src/comm/self.c '\n#include "c3d/config.h"\n' 'src/comm/self.c:2: comm must not see config'
plant src/data/x.c '#include <mpi.h>\n' 'src/data/x.c:1: mpi.h belongs in src/comm only'
plant src/data/y.c '#include "base/log.h"\n' "src/data/y.c:1: data must not see base's private base/log.h"
plant src/nn/z.c 'int a;\n#ifdef FAST\n#endif\n' \
    'src/nn/z.c:2: no preprocessor conditions in src/nn, src/train and src/data'
plant include/c3d/tensor.h '#include "c3d/data.h"\n' 'include/c3d/tensor.h:1: tensor must not see data'
echo "layers.sh finds all five"
