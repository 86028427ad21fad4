#!/usr/bin/env bash
# An archive of our own becomes a dataset: its parts, a second call, edits, other readers.
. "$C3D_SOURCE/tests/support/dataset.sh"
demo_archive
demo_config config.yaml 'frame_size_px: 32' 'samples: yearly' 'months: 2021-01/2022-12'

expect 0 'in samples' "$tool" build config.yaml --out set
adds_up set
expect 0 'checksums agree' "$tool" verify set
store_hash set >first
expect 0 '0 to do' "$tool" build config.yaml --out set
store_hash set | diff first - || fail "a second build changed something"

# The parts one by one are the same.
expect 0 frames "$tool" frames config.yaml --out parts
expect 3 'run c3d-dataset clip' "$tool" samples config.yaml --out parts
expect 0 clip "$tool" clip config.yaml --out parts
expect 3 'no dataset.json' "$tool" verify parts
grep -q 'checksums agree' out || fail "verify of an unfinished dataset"
expect 0 'no dataset.json yet' "$tool" info parts
expect 0 samples "$tool" samples config.yaml --out parts
same_store set parts

# Another rule, without touching pixels.
sha256sum parts/*.h5 >pixels
expect 0 samples "$tool" samples config.yaml --out parts --set data.samples=monthly
sha256sum -c --quiet pixels || fail "samples changed pixels"
[ "$(wc -l <parts/samples.csv)" -gt "$(wc -l <set/samples.csv)" ] || fail "monthly samples"
adds_up parts

# Edits: a label, a split, a frame that goes, in the file as QGIS would write them.
edit() { ogrinfo -q parts/frames.gpkg -sql "$1" >out 2>&1 || fail "ogrinfo: $1"; }
id=$(awk -F, 'NR == 2 { print $2 }' set/samples.csv)
gone=$(awk -F, 'END { print $2 }' set/samples.csv)
edit "UPDATE frames SET split = 'none' WHERE frame_id = $id"
edit "DELETE FROM frames WHERE frame_id = $gone"
expect 0 'in no split' "$tool" samples config.yaml --out parts
! awk -F, -v id="$id" -v gone="$gone" 'NR > 1 && ($2 == id || $2 == gone)' parts/samples.csv |
    grep -q . || fail "the edit was lost"
expect 0 '0 to do' "$tool" clip config.yaml --out parts
adds_up parts
for words in 'edits       1 frame edited, 1 deleted by hand' ' to none' \
    '1  scenes of deleted frames stay in the files'; do
    grep -qF "$words" out || fail "info does not say: $words"
done
sha256sum -c --quiet pixels || fail "edits changed pixels"
cp parts/frames.gpkg keep.gpkg
edit "DELETE FROM frames"
for command in samples clip frames; do
    expect 3 'no frames: all' "$tool" $command config.yaml --out parts
done
mv keep.gpkg parts/frames.gpkg

# Other pixels do not go into the same files.
expect 2 'scenes were clipped with gaps' "$tool" clip config.yaml --out parts --set data.gaps=zero
expect 2 'another directory' "$tool" clip config.yaml --out parts --set data.bands='[nir]'
sha256sum -c --quiet pixels || fail "a refused clip changed pixels"

expect 0 'preview.html: ' "$tool" preview set --max-mb 2
[ "$(grep -c '<article' set/preview.html)" -gt 8 ] || fail "the preview shows few scenes"
[ "$(stat -c %s set/preview.html)" -lt 2000000 ] || fail "the preview is larger than asked for"

# One wrong bit is found, and said where.
expect 0 'in samples' "$tool" info set
shard=$(ls set/scenes-*.h5 | head -1)
printf '\xa5\x5a' | dd of="$shard" bs=1 seek=200000 conv=notrunc status=none
expect 3 'checksum' "$tool" verify set
grep -q "$shard: scene" out || fail "verify does not say where"

# Mistakes.
expect 2 'did you mean' "$tool" biuld config.yaml
expect 2 '--out' "$tool" build config.yaml
expect 0 'frame_size_px: 32' "$tool" build config.yaml --print-config
demo_config config.yaml 'frame_size: 32' 'gaps: never' 'seed: x' 'samples: [1]' 'folds: -3'
expect 2 '5 mistakes' "$tool" build config.yaml --out y
[ "$(grep -c '^config.yaml:[0-9]*:[0-9]*: ' out)" = 5 ] || fail "five mistakes, five lines"
[ ! -e y ] || fail "mistakes made a directory"
echo passed
