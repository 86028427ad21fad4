#!/usr/bin/env bash
# data.stage: copied samples train to the same bits as the store's; broken ones, too little space,
# stops and kills; groups of samples over nodes.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
umount tiny 2>/dev/null
rm -rf ./*
mkdir disk
same() { "$C3D_TEST_BIN/compare_tensors" equal "$1" "$2" || fail "$1 and $2 differ"; }
last() { ls "$1"/checkpoints/*.safetensors | tail -1; }
more="--set run.log_samples=true"
epochs=1
at=$PWD/disk # where copies go
start() {
    local n=$1 name=$2 how=
    shift 2
    [ "$n" = 1 ] || how="ranks $n"
    $how "$train" "$config" $more --set train.epochs=$epochs --set data.stage_dir="$at" \
        --set run.dir="$name" "$@"
}
# go N NAME ARGS: N ranks train in directory NAME
go() { expect 0 start "$@"; }
empty() { [ -z "$(ls -A disk)" ] || fail "left in the directory: $(ls -A disk)"; }

# ---- the same bits ----
for n in 1 2; do
    go $n none$n
    ! grep -q staged out.txt || fail "staged without being asked to"
    go $n node$n --set data.stage=node
    says "staged"
    says "$PWD/disk on 1 node in"
    says "checksums compared"
    empty
    same "$(last none$n)" "$(last node$n)"
    cmp none$n/samples.jsonl node$n/samples.jsonl || fail "$n ranks: another order with a copy"
done
at= go 2 memory --set data.stage=memory
says "/dev/shm on 1 node in"
same "$(last none2)" "$(last memory)"
# every rank a node of its own: each copies all, and validates on its blocks
C3D_RANKS_PER_NODE=1 go 2 nodes --set data.stage=node
says "on 2 nodes in"
! grep -q "stay in the store" out.txt || fail "a part was not copied"
cmp none2/samples.jsonl nodes/samples.jsonl || fail "2 nodes: another order"
# where it goes when nothing is said
mkdir temporary
at= TMPDIR=$PWD/temporary go 1 temporary1 --set data.stage=node --set train.max_steps=1
says "$PWD/temporary on 1 node"
at= SLURM_TMPDIR=$PWD/disk TMPDIR=$PWD/temporary go 1 slurm1 --set data.stage=node --set train.max_steps=1
says "$PWD/disk on 1 node"
# a finished run copies nothing
go 1 none1 --set data.stage=node
says "finished"
! grep -q staged out.txt || fail "a finished run copied samples"

# ---- what can be wrong ----
cp -r "$C3D_TEST_STORE/store" store
shard=$(ls store/scenes-*.h5 | tail -1)
size=$(stat -c %s "$shard")
# a byte in the middle, of a scene's values, which the loader alone would not notice
printf '\377' | dd of="$shard" bs=1 seek=$((size / 2)) conv=notrunc status=none
for n in 1 2; do
    expect 3 start $n flipped --set data.stage=node --set data.store="$PWD/store"
    says "$(basename "$shard"): scene "
    says "(frame "
    says "checksum"
    empty
done
at=$PWD/absent expect 3 start 1 nowhere --set data.stage=node
says "$PWD/absent: no such directory"
mkdir tiny
if mount -t tmpfs -o size=256k tmpfs tiny 2>/dev/null; then
    at=$PWD/tiny expect 3 start 2 full --set data.stage=node
    says "$PWD/tiny: a copy of what"
    says "are free"
    says "with more of data.stage_groups, less is needed"
    # two nodes of which each would need half
    need=$(sed -n 's/.* reads takes [^(]*(\([0-9]*\) B).*/\1/p' out.txt | head -1)
    mount -o remount,size=$((need * 3 / 4)) tiny
    at=$PWD/tiny C3D_RANKS_PER_NODE=1 expect 3 start 2 full --set data.stage=node
    says "data.stage_groups: 2 would make it fit on each of 2 nodes"
    umount tiny
else
    echo "note: no right to mount a tmpfs, too little space was not tried"
fi

# ---- stopped and killed while copying: 75, and nothing stays ----
# begun NAME: starts in the background; pid is of the program itself
begun() {
    rm -rf "$1"
    "$train" "$config" $more --set train.epochs=1 --set data.stage_dir="$at" --set run.dir="$1" \
        --set data.stage=node >out.txt 2>&1 &
    pid=$!
}
# A signal after the directory is open and before the first scene is copied; on a busy machine it
# may come later, and the run then stops at a step.
for _ in 1 2 3; do
    begun stopped
    for _ in $(seq 2000); do [ -e stopped/log.txt ] && break; sleep 0.005; done
    kill -USR1 $pid 2>/dev/null
    code=0
    wait $pid || code=$?
    [ $code = 75 ] || [ $code = 0 ] || { fail "exit $code after SIGUSR1"; cat out.txt; }
    empty
    grep -q "while samples were copied" out.txt && break
done
go 1 stopped --set data.stage=node
same "$(last none1)" "$(last stopped)"
begun killed
for _ in $(seq 2000); do
    kill -0 $pid 2>/dev/null || break
    ls -l /proc/$pid/fd 2>/dev/null | grep -q 'c3d-stage-' && break
    sleep 0.002
done
kill -KILL $pid 2>/dev/null
wait $pid 2>/dev/null
empty
: >disk/c3d-stage-0123456789abcdef-0
go 1 killed --set data.stage=node
says "left by a program that was killed; removed"
empty
same "$(last none1)" "$(last killed)"

# ---- groups over nodes ----
groups="--set data.stage_groups=4 --set data.stage=node"
epochs=2 go 1 groups1 $groups
cmp -s none1/samples.jsonl <(head -8 groups1/samples.jsonl) && fail "4 groups have the order of 1"
for n in 2 4; do
    C3D_RANKS_PER_NODE=$((n / 2)) go $n parts$n $groups
    says "on 2 nodes in"
    ! grep -q "stay in the store" out.txt || fail "$n ranks on 2 nodes: a part was not copied"
    cmp <(head -8 groups1/samples.jsonl) parts$n/samples.jsonl ||
        fail "groups: another order on 2 nodes with $n ranks"
done
# fewer groups than ranks: micro-batches must be dealt node by node
C3D_RANKS_PER_NODE=2 go 4 half --set data.stage=node --set data.stage_groups=2 --set train.max_steps=1
says "on 2 nodes in"
! grep -q "stay in the store" out.txt || fail "2 groups on 2 nodes: a part was not copied"
ids() { awk -F'[][]' '{ n = split($2, a, ","); for (i = 1; i <= n; i++) print a[i] + 0 }' "$1/samples.jsonl"; }
epoch=$(($(ids groups1 | wc -l) / 2))
for e in 1 2; do
    ids groups1 | awk -v n="$epoch" -v e=$e 'NR > (e - 1) * n && NR <= e * n' | sort -n >seen$e.txt
    [ -s seen$e.txt ] || fail "epoch $e shows nothing"
    [ -z "$(uniq -d seen$e.txt)" ] || fail "epoch $e shows a sample twice"
done
cmp seen1.txt seen2.txt || fail "epochs show other samples"
ids none1 | sort -nu | cmp - seen1.txt || fail "groups show other samples than no groups"
# half of the bytes a node: both nodes together hold the training samples once
bytes() { sed -n 's/.*staged \([0-9.]*\) MiB.*/\1/p' "$1/log.txt" | tail -1; }
awk -v all="$(bytes groups1)" -v two="$(bytes parts2)" -v each="$(bytes nodes)" \
    'BEGIN { exit !(two < 1.02 * all && each > 1.5 * all) }' ||
    fail "copied: $(bytes groups1) MiB on one node, $(bytes parts2) on two in groups, $(bytes nodes) on two without"

# stopped in the middle of an epoch, continued on other nodes, without and with a copy
for n in 4 3 2; do
    epochs=2 C3D_RANKS_PER_NODE=1 go $n moved $groups --set train.max_steps=$((3 * (5 - n)))
    [ $n != 3 ] || says "stay in the store: data.stage_groups (4) does not divide among 3 nodes"
done
epochs=2 go 1 moved --set data.stage_groups=4
cmp groups1/samples.jsonl moved/samples.jsonl || fail "another order after moving"
# another number of groups would be another order
expect 2 start 1 moved --set data.stage_groups=2
says "data.stage_groups: 4 -> 2"
expect 2 start 1 odd --set data.stage_groups=3
says "is no multiple of that"
expect 2 start 1 odd --set data.stage_groups=2 --set data.sampling=balanced
says "use 1 group"
finish
