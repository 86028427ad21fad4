#!/usr/bin/env bash
# Stopped, killed, without space: one message, the right exit code, nothing lost; the next call
# makes the rest, and in the end the store is that of an undisturbed build.
. "$C3D_SOURCE/tests/support/dataset.sh"
demo_archive
demo_config config.yaml 'frame_size_px: 16' 'stride_px: 4' 'bands: [nir, red]' \
    'months: 2021-01/2022-12'

"$tool" build config.yaml --out whole >out 2>&1 || fail "undisturbed build"
n=$(awk '/^frames/ { print $2 }' out)

in_clip() { # DIR SIGNAL COMMAND...: starts, waits until scenes are being cut, sends the signal
    local dir=$1 signal=$2 pid
    shift 2
    : >out # or the last one's is read
    "$@" >>out 2>&1 &
    pid=$!
    for _ in $(seq 600); do
        grep -q ' to do$' out && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.05
    done
    sleep 0.1
    kill -"$signal" $pid 2>/dev/null
    wait $pid 2>/dev/null
}

left() { "$tool" info "$1" 2>/dev/null | awk '/not clipped yet/ { print $1; f = 1 } END { if (!f) print 0 }'; }

in_clip usr1 USR1 "$tool" build config.yaml --out usr1 --memory-mb 12
code=$?
[ $code = 75 ] || fail "SIGUSR1: exit $code, 75 expected"
grep -q 'run the same command again' out || fail "SIGUSR1: message"
a=$(left usr1)
{ [ "$a" -gt 0 ] && [ "$a" -lt "$n" ]; } || fail "SIGUSR1: $a of $n left"
expect 0 "$a to do" "$tool" build config.yaml --out usr1
same_store whole usr1

in_clip usr2 USR1 mpirun -np 2 "$tool" build config.yaml --out usr2 --memory-mb 12
code=$?
[ $code = 75 ] || fail "SIGUSR1 to mpirun: exit $code, 75 expected"
expect 0 'in samples' mpirun -np 2 "$tool" build config.yaml --out usr2
same_store whole usr2

# kill -9, as often as it takes: what is marked present is whole each time.
for round in 1 2 3; do
    in_clip killed KILL "$tool" build config.yaml --out killed --memory-mb 12
    "$tool" verify killed >out 2>&1
    grep -q 'checksums agree' out || fail "kill -9, round $round: verify"
done
expect 0 'in samples' "$tool" build config.yaml --out killed
same_store whole killed

# A file system that is too small is told before anything is written.
expect 0 frames "$tool" frames config.yaml --out small
mkdir -p disk
if mount -t tmpfs -o size=3m tmpfs disk 2>/dev/null; then
    trap 'umount "$PWD/disk" 2>/dev/null' EXIT
    expect 0 frames "$tool" frames config.yaml --out disk/set
    expect 3 'bytes are needed for' "$tool" clip config.yaml --out disk/set
    expect 3 'bytes are needed for' mpirun -np 2 "$tool" clip config.yaml --out disk/set
    umount disk
    mount -t tmpfs -o size=16k tmpfs disk
    expect 3 'disk/set' "$tool" build config.yaml --out disk/set
    umount disk
    mount -t tmpfs -o size=64m,ro tmpfs disk
    expect 3 'disk/set' "$tool" build config.yaml --out disk/set
    umount disk
else
    echo "no tmpfs can be mounted: the small disk is not tried"
fi

# A limit on the size of files stands for the disk that fills while clipping (Open MPI alone and
# isolated makes no large files of its own): at first the shards cannot be made, then not be filled.
trap '' XFSZ
limited() { (ulimit -f 1000 && exec env OMPI_MCA_ess_singleton_isolated=1 "$@"); }
expect 3 'small/scenes-202101-00000.h5.part: ' limited "$tool" clip config.yaml --out small
grep -q 'File too large' out || fail "refused shard: message"
in_clip small USR1 "$tool" clip config.yaml --out small --memory-mb 12
limited "$tool" clip config.yaml --out small >out 2>&1
code=$?
[ $code = 3 ] || fail "refused write: exit $code, 3 expected"
grep -Eq 'small/scenes-[0-9]+-[0-9]+.h5: .*bytes' out || fail "refused write: message"
expect 0 'in samples' "$tool" build config.yaml --out small
same_store whole small

in_limit() { (ulimit -f 8 && exec env OMPI_MCA_ess_singleton_isolated=1 "$@"); }
expect 3 'small/preview.html: could not write its ' in_limit "$tool" preview small --n 3
grep -q 'preview.html: .* bytes: File too large' out || fail "refused preview: message"
ls small/preview.html* 2>/dev/null && fail "a part of the preview is left"

expect 3 'out: ' "$tool" build config.yaml --out out/file
echo passed
