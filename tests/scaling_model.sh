#!/usr/bin/env bash
# bench/scaling.py: columns as slurm/scaling.sbatch writes them, and what any model must obey.
. "$C3D_SOURCE/tests/support/check.sh"
command -v python3 >/dev/null || skip "no python3"
model="python3 $C3D_SOURCE/bench/scaling.py"
header=$(sed -n 's/.*echo "\(from,network,[^"]*\)".*/\1/p' "$C3D_SOURCE/slurm/scaling.sbatch")
[ -n "$header" ] || fail "slurm/scaling.sbatch has no header"

{
    echo "$header"
    echo "measured,c3d,1,1,64,rank0,1700,1.00,1.00,-,-,-"
    echo "measured,c3d,16,2,1024,rank0,25000,14.71,0.92,0.80,100,rounding"
} >measured.csv
expect 0 $model --beside measured.csv
[ "$(sed -n '1s/[| ]\{1,\}/,/g; 1s/^,//; 1s/,$//p' out.txt)" = "$header" ] || { fail "other columns than slurm/scaling.sbatch has"; cat out.txt; }
[ "$(grep -c "^| modelled" out.txt)" = 1 ] || fail "one modelled row expected"
# what was not measured is not called so
expect 0 $model
! grep -q "^| m" out.txt || fail "an estimate is called measured or modelled"
expect 0 $model --rate 1000
! grep -q "^| estimated" out.txt || fail "a model from a measurement is called an estimate"
# more GPUs never each give more, a slower link never more, and one GPU gives its own speed
awk -F'|' '
    /^\| modelled/ {
        ranks = $3 + 0; state = $6; speed = $7 + 0; efficiency = $9 + 0; link = $12 + 0
        if (ranks == 1 && !(efficiency == 1 && speed <= 1000 && speed > 900)) bad = "one GPU"
        if (efficiency > 1 || (ranks > last && last && state == of && efficiency > before + 0.005)) bad = "efficiency of " ranks
        if (link == 200 && !(speed <= fast[state, ranks])) bad = "a slower link of " ranks
        if (link == 400) fast[state, ranks] = speed
        last = ranks; of = state; before = efficiency; n++
    }
    END { if (bad) print bad; exit bad != "" || n != 54 }' out.txt || { fail "the model is not one"; cat out.txt; }
expect 2 $model --network other
finish
