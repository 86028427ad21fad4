#!/usr/bin/env bash
# Cores and threads of ranks as mpirun starts them: with nothing said each takes its share of what
# mpirun may use; what somebody asked for stays.
. "$C3D_SOURCE/tests/support/check.sh"
train=$C3D_BIN/c3d-train
unset OMPI_MCA_hwloc_base_binding_policy OMPI_MCA_rmaps_base_oversubscribe
rm -rf ./*
n_cores=$(nproc)
[ "$n_cores" -ge 2 ] || skip "one core: nothing to place"
"$train" --version | grep -q "hwloc [0-9]" || skip "built without hwloc: nothing is placed"
placed="instead of mpirun's default binding"

# rank: a row of --check; its cores and threads
cores() { awk -v r="$1" '$1 == r && $2 == r { print $4 }' out.txt; }
threads() { awk -v r="$1" '$1 == r && $2 == r { print $5 }' out.txt; }
is() { [ "$2" = "$3" ] || { fail "$1: $2 instead of $3"; cat out.txt; }; }

# alone, the whole machine, also below a shell
expect 0 mpirun -np 1 "$train" --check
says "$placed"
alone=$(threads 0) whole=$(cores 0)
is "processors of one rank" "$("$train" --check | awk '$1 == "0" { print $4 }')" "$whole"
expect 0 mpirun -np 1 bash -c "'$train' --check; true"
is "cores below a shell" "$(cores 0)" "$whole"
[ "$alone" -ge 2 ] || { echo "one core with two threads: no more to place"; finish; exit; }

# two ranks, half of it each
expect 0 mpirun -np 2 "$train" --check
says "$placed"
is "threads of rank 0" "$(threads 0)" $((alone / 2))
is "threads of rank 1" "$(threads 1)" $((alone / 2))
[ "$(cores 0)" != "$(cores 1)" ] || fail "two ranks have the same cores"

# what mpirun may not use itself stays unused
expect 0 taskset -c 0 mpirun -np 1 "$train" --check
is "threads within a set" "$(threads 0)" 1

# asked for: by option, by a file of parameters, or by OpenMP's way
asked() {
    local what=$1
    shift
    expect 0 "$@" "$train" --check
    is "$what" "$(threads 0)" 1
    ! grep -qF "$placed" out.txt || fail "$what: was not respected"
}
asked "--bind-to core" mpirun --bind-to core -np 1
says "every rank is bound to one core"
asked "--map-by core" mpirun --map-by core -np 1
asked "OMP_PROC_BIND" env OMP_PROC_BIND=true mpirun -np 1
mkdir -p home/.openmpi
echo "hwloc_base_binding_policy = core" >home/.openmpi/mca-params.conf
asked "a file" env HOME="$PWD/home" mpirun -np 1
expect 0 mpirun --bind-to none -np 2 "$train" --check --set distributed.threads=3
is "threads asked for" "$(threads 0)" 3
is "cores of an unbound rank" "$(cores 1)" "$whole"
finish
