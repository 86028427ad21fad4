#!/usr/bin/env bash
# A disk or a quota that is full at many moments of a build: exit 3 with the file and bytes, and the
# next call makes the rest, the same as an undisturbed build. Two builds of one directory; imagery
# that is replaced.
. "$C3D_SOURCE/tests/support/dataset.sh"
demo_archive
demo_config config.yaml 'frame_size_px: 16' 'stride_px: 16' 'bands: [nir, red]' \
    'months: 2021-01/2022-12'
shim=$C3D_BIN/full_disk.so
[ -e "$shim" ] || { echo "no $shim here"; exit 77; }
whole=$PWD/whole

# full BYTES VARIABLES...: a build into `set` on which so many bytes more fit
full() {
    local after=$1
    shift
    env "$@" C3D_FULL_DIR="$PWD/set" C3D_FULL_AFTER="$after" LD_PRELOAD="$shim" \
        "$tool" build config.yaml --out set --memory-mb 4 --scenes-per-shard 100
}
build() { "$tool" build config.yaml --out "$1" --memory-mb 4 --scenes-per-shard 100; }

C3D_FULL_DIR=$whole C3D_FULL_COUNT=$PWD/bytes LD_PRELOAD=$shim build whole >out 2>&1 || fail "undisturbed build"
total=$(cat bytes)
[ "$total" -gt 1000000 ] || fail "the shim counted $total bytes"

# try WORDS BYTES VARIABLES...
try() {
    local words=$1
    shift
    expect 3 "$words" full "$@"
    grep -Eq "^c3d-dataset: set/[^ ]+: .*($reason)" out || fail "$*: no file and reason"
    "$tool" info set >info 2>&1 # whatever is there can be looked at
    if compgen -G 'set/scenes-*.h5' >/dev/null; then
        "$tool" verify set >verify 2>&1
        grep -q 'checksums agree' verify || { cp verify out; fail "$*: verify"; }
    fi
    files="$files $(sed -n 's|^c3d-dataset: set/\([a-z]*\).*|\1|p' out)"
}
finish() { # the builds that failed one after the other come to their end
    expect 0 'in samples' build set
    same_store whole set
    compgen -G 'set/*.part*' && fail "a part of a file is left"
    rm -rf set
}
reason='No space left on device|database or disk is full|disk I/O error'
files=
for share in 0 5; do try ' bytes' $((total * share / 100)); done
finish
for share in 40 90; do try ' bytes' $((total * share / 100)); finish; done
# an NFS server or a quota that says it late
reason='Disk quota exceeded|database or disk is full|disk I/O error'
try '' $((total * 20 / 100)) C3D_FULL_QUOTA=1
try '' $((total * 50 / 100)) C3D_FULL_QUOTA=1 C3D_FULL_SYNC=1
finish

# The small files at the end, page by page, on a disk of memory.
mkdir -p disk
if mount -t tmpfs -o size=64m tmpfs disk 2>/dev/null; then
    trap 'umount "$PWD/disk" 2>/dev/null' EXIT
    expect 0 frames "$tool" frames config.yaml --out disk/set
    expect 0 clip "$tool" clip config.yaml --out disk/set --memory-mb 4 --scenes-per-shard 100
    rm -f disk/set/archive.csv
    for pages in $(seq 0 3 60); do
        rm -f disk/ballast
        dd if=/dev/zero of=disk/ballast bs=4096 count=$(($(stat -f -c %a disk) - pages)) status=none
        "$tool" samples config.yaml --out disk/set >out 2>&1
        code=$?
        [ $code != 0 ] || break
        [ $code = 3 ] || fail "$pages pages left: exit $code"
        grep -Eq '^c3d-dataset: disk/set/[^ ]+: .*bytes.*No space left on device' out || fail "$pages pages left: message"
        files="$files $(sed -n 's|^c3d-dataset: disk/set/\([a-z]*\).*|\1|p' out)"
    done
    # frames.gpkg: the disk comes before what SQLite says of it
    for pages in 1 4 8 16 24; do
        rm -rf disk/ballast disk/new
        dd if=/dev/zero of=disk/ballast bs=4096 count=$(($(stat -f -c %a disk) - pages)) status=none
        expect 3 'frames.gpkg: could not be written: the disk is (nearly) full, ' \
            "$tool" frames config.yaml --out disk/new
        grep -q ' bytes free (' out || fail "$pages pages left: no bytes"
    done
    rm -rf disk/ballast disk/new
    expect 0 'in samples' "$tool" build config.yaml --out disk/set --memory-mb 4 --scenes-per-shard 100
    same_store whole disk/set
    umount disk
else
    echo "no tmpfs can be mounted: the small files at the end are not tried"
    files="$files samples dataset"
fi
for name in lock frames scenes samples dataset; do
    case $files in *$name*) ;; *) fail "$name was never the file that did not fit:$files" ;; esac
done
echo "full at:$files"

# Two builds of one directory: the second one says who has it.
"$tool" build config.yaml --out set --memory-mb 4 --scenes-per-shard 100 >first 2>&1 &
pid=$!
until [ -s set/lock ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
kill -STOP $pid
expect 3 "another run is using this directory (process $pid on " build set
expect 3 "another run is using this directory (process $pid on " "$tool" samples config.yaml --out set
kill -KILL $pid
wait $pid 2>/dev/null
expect 0 'in samples' build set # the lock of a process that is gone is nobody's
same_store whole set

# A source that is touched or copied is the same; one that has other pixels is not, whatever its size.
quad=$(ls archive/planet*2021-05*/*.tif | head -1)
touch "$quad"
expect 0 '0 to do' build set
# What lies under it is cut again: with the same pixels in other bytes it is the same dataset, with
# others it is that of a build anew.
cp -p "$quad" kept.tif
gdal_translate -q -co COMPRESS=DEFLATE -co PREDICTOR=2 kept.tif "$quad" >out 2>&1 || fail gdal_translate
recut() { # COMMAND...
    expect 0 "$quad: was replaced since the scenes were cut" "$@"
    n=$(sed -n 's/.*cut: \([0-9]*\) scenes under it are cut again.*/\1/p' out)
    [ "${n:-0}" -gt 0 ] && [ "$n" -lt "$(grep -c . whole/samples.csv)" ] || fail "$n scenes are cut again"
    grep -q "; .* are there, $n to do" out || fail "others than the $n scenes are cut"
}
recut mpirun -np 2 "$tool" clip config.yaml --out set
[ ! -e set/dataset.json ] || fail "dataset.json still speaks of the old file"
expect 0 '0 to do' build set
for file in whole/scenes-*.h5 whole/samples.csv; do
    cmp "$file" "set/${file#whole/}" || fail "the same pixels give another $file"
done
gdal_translate -q -scale_4 0 10000 0 9000 kept.tif "$quad" >out 2>&1 || fail gdal_translate
recut build set
expect 0 'in samples' build others
same_store set others
! cmp -s <(cat set/scenes-*.h5) <(cat whole/scenes-*.h5) || fail "other pixels give the same scenes"
expect 0 'checksums agree' "$tool" verify set
cp -p kept.tif "$quad"
recut build set
same_store whole set
echo passed
