#!/usr/bin/env bash
# --check: what it says of ranks, sums, the store and run.dir, what it warns of, and that no file
# stays.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf ./*
n_cores=$(nproc)
says_not() { ! grep -qF -- "$1" out.txt || { fail "printed: $1"; cat out.txt; }; }

# ---- without a configuration ----
expect 0 "$train" --check
says "ranks: 1, hosts: 1"
says "c3d-train 0."
says "Open MPI"
says "communicator: none is needed by one rank"
says "nothing wrong was found"
says_not "store:"
says_not "run.dir"
expect 2 "$train"
says "expected CONFIG"
expect 2 "$train" --check --plan
says "one at a time"
expect 2 "$train" --check a.yaml b.yaml
says "b.yaml: unexpected"

# ---- ranks, sums, the store, free space; nothing stays ----
expect 0 ranks 2 "$train" "$config" --check --set run.dir="$PWD/new/run" --set distributed.timeout_s=60
[ "$(grep -cE '^ +[01] +[01] ' out.txt)" = 2 ] || fail "not a row a rank"
says "communicator: mpi, inside a host through shared memory; a sum over 2 ranks was right"
[ "$(grep -cE '^ *(64 B|64 KiB|1 MiB|16 MiB) +[0-9.]+ +[0-9.]+$' out.txt)" = 4 ] || fail "no 4 sums"
grep -qE '^store: .*/store: [0-9.]*[1-9][0-9.]* MB/s in all, with 1 reader a rank' out.txt ||
    fail "no speed of the store"
grep -qE '^copies of it: data.stage: node \(.*\) [0-9].* GB/s, data.stage: memory \(/dev/shm\) ' out.txt ||
    fail "no speed of copies"
says "2 devices on 1 node need "
grep -qE '^run.dir: .*/new/run: .* free; a checkpoint takes .* MiB, 2 and the best' out.txt ||
    fail "no free space"
[ "$(ls -A)" = out.txt ] || fail "--check left $(ls -A)"
[ "$n_cores" -lt 2 ] || says "nothing wrong was found"
# the bytes that it foresees are those of a checkpoint
expect 0 "$train" "$config" --set run.dir=trained --set train.epochs=1
foreseen=$("$train" "$config" --check --set run.dir=trained | sed -n 's/.*checkpoint takes \([0-9.]*\) MiB.*/\1/p')
written=$(stat -c %s "$(ls trained/checkpoints/*.safetensors | tail -1)")
awk -v f="$foreseen" -v w="$written" 'BEGIN { w /= 1048576; exit !(f > 0.7 * w - 0.1 && f < w + 0.1) }' ||
    fail "foresees $foreseen MiB, a checkpoint has $written B"
rm -rf trained

# ---- more ranks than cores ----
n=$((n_cores + 1))
[ "$n" -ge 3 ] || n=3
if [ "$n" -le 8 ]; then
    expect 0 ranks "$n" "$train" --check
    says "$n ranks share $n_cores core"
    says "(oversubscribed)"
    says_not "nothing wrong"
fi
expect 0 "$train" --check --set distributed.threads=$((n_cores + 1))
says "would take $((n_cores + 1)) threads on"
# every rank on one core
if [ "$n_cores" -gt 1 ]; then
    expect 0 env -u OMPI_MCA_hwloc_base_binding_policy taskset -c 0 "$train" --check
    says "every rank is bound to one core, and $((n_cores - 1)) of"
fi

# ---- run.dir: unwritable, or not the same directory for all ----
expect 3 "$train" --check --set run.dir=/proc/c3d
says "run.dir /proc/c3d: "
says "cannot be written on"
mkdir a b
expect 0 $mpi -np 1 -wdir "$PWD/a" "$train" --check --set run.dir=run : \
    -np 1 -wdir "$PWD/b" "$train" --check --set run.dir=run
says "is not seen by 1 of 2 ranks, such as rank 1 ("
says "all hosts share"
rmdir a b || fail "--check left something beside run.dir"

# ---- the store: none there, or another one for some rank ----
expect 3 "$train" "$config" --check --set data.store=/no/such/store
says "/no/such/store"
mkdir -p a b/store
ln -s "$C3D_TEST_STORE/store" a/store
expect 3 $mpi -np 1 -wdir "$PWD/a" "$train" "$config" --check --set data.store=store : \
    -np 1 -wdir "$PWD/b" "$train" "$config" --check --set data.store=store
says "rank 1: "
says "while looking at the samples on"
rm -rf a b
expect 2 ranks 2 "$train" "$config" --check --set train.global_batch=4
says "use fewer ranks"

# ---- GPUs that the host plays (tests/cuda_host/device.h) ----
gpu=$C3D_BIN/cuda_host/c3d-train
if [ -x "$gpu" ]; then
    expect 0 ranks 2 "$gpu" --check
    says "communicator: nccl"
    says "found at run time: CUDA"
    says_not "share one GPU"
    C3D_CUDA_HOST_DEVICES=1 expect 0 ranks 2 "$gpu" --check
    says "ranks 0 and 1 share one GPU"
    says "start one rank a GPU"
    says "communicator: mpi, by way of the hosts' memory"
    C3D_CUDA_HOST_DEVICES=0 expect 4 "$gpu" --check --set run.device=cuda
    says "no GPU is seen by the driver"
    expect 4 $mpi -np 1 "$gpu" --check : -np 1 -x C3D_CUDA_HOST_DEVICES=0 "$gpu" --check
    says "would stop a run: rank 1"
    says "use hosts alike"
fi
finish
