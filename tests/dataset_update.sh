#!/usr/bin/env bash
# Months that arrive later: what stays, what is added, what an interruption and other settings do.
# Then the dataset is published, and built anew by somebody who has nothing but the images.
. "$C3D_SOURCE/tests/support/dataset.sh"
demo_archive
demo_config config.yaml 'frame_size_px: 32' 'samples: yearly' 'bands: [nir, red]' \
    'label_year: previous'
sed -i "s#: archive/#: $PWD/archive/#" config.yaml # as a private path would be
mosaic=archive/planet_medres_normalized_analytic
mkdir later
arrive() { for m in "$@"; do mv later/*_"$m"_* archive/; done; }
for month in archive/planet_*; do
    case $month in *_2021-0[1-8]_*) ;; *) mv "$month" later/ ;; esac
done
mv archive/mapbiomas/*_202[123].tif later/
frames() { ogr2ogr -f CSV /vsistdout/ "$1/frames.gpkg" frames | sed 's/,*$//'; }
update() { "$tool" update config.yaml --out set "$@"; }

# A dataset with an edit, and a model trained on it.
expect 0 'in samples' "$tool" build config.yaml --out set
id=$(awk -F, 'NR == 2 { print $2 }' set/samples.csv)
ogrinfo -q set/frames.gpkg -sql "UPDATE frames SET split = 'none' WHERE frame_id = $id" >out 2>&1
expect 0 'in no split' "$tool" samples config.yaml --out set
cat >train.yaml <<YAML
data: {store: $PWD/set, readers: 1}
model: {network: cnn2d, width: 2, fc: 4}
train: {epochs: 1, global_batch: 16}
distributed: {threads: 1}
run: {dir: run}
YAML
expect 0 '' "$C3D_BIN/c3d-train" train.yaml
expect 0 '' "$C3D_BIN/c3d-evaluate" run --out before
cp -r set old
frames old >frames.txt

# Nothing new, and what is too late for an update.
expect 0 'has no month after 2021-08' update
mkdir ${mosaic}_2021-04_mosaic # the archive lacks it
cp ${mosaic}_2021-05_mosaic/*82_quad.tif ${mosaic}_2021-04_mosaic/
expect 0 '2 files of months that the dataset has gone past are not in it' update
cmp old/archive.csv set/archive.csv || fail "archive.csv has files that are in no scene"
rm -r ${mosaic}_2021-04_mosaic
same_store set old
expect 0 'in samples' "$tool" build config.yaml --out part --set data.months=2021-05/2021-08
cp part/archive.csv part.csv
expect 0 'has no month after 2021-08' "$tool" update config.yaml --out part
cmp part.csv part/archive.csv || fail "archive.csv has months that the dataset does not hold"

# Two months; other settings, an unfinished build and a month of other pixels are refused.
arrive 2021-09 2021-10
expect 2 'scenes were clipped with gaps' update --set data.gaps=zero
expect 2 'made with other settings' update --set data.block_km=0.5
expect 2 'another directory' update --set data.bands='[nir]'
expect 3 'no dataset.json' "$tool" update config.yaml --out nowhere
expect 2 'c3d-dataset update' "$tool" clip config.yaml --out set
frames set | diff frames.txt - || fail "a refused update changed frames.gpkg"
same_store set old

# Killed while it clips, and gone on by two ranks. Not through the function: its shell would be
# killed. A machine that stops this script for as long as the program clips gives it another try.
cp -r set before_update
for try in 1 2 3 4 5; do
    rm -rf set && cp -r before_update set
    "$tool" update config.yaml --out set --memory-mb 1 >killed 2>&1 &
    for _ in $(seq 600); do grep -qs ' to do$' killed && break; sleep 0.02; done
    kill -9 $! 2>/dev/null
    wait $!
    code=$?
    [ $code = 137 ] && break
done
[ $code = 137 ] || fail "update ended with $code before it could be killed, $try times"
cp -r set stuck # and a month is gone by then
mv ${mosaic}_2021-10_mosaic later/
shard=stuck/scenes-202109-00000.h5
expect 3 "or delete $shard, which nothing else refers to" "$tool" update config.yaml --out stuck
rm "$shard"
expect 0 'from 2021-09 to 2021-09 are added' "$tool" update config.yaml --out stuck
expect 0 'checksums agree' "$tool" verify stuck
arrive 2021-10
expect 0 'update: ' mpirun -np 2 "$tool" update config.yaml --out set
grep -q 'months from 2021-09 to 2021-10 are added' killed out || fail "nothing is said of the months"
expect 0 'has no month after 2021-10' update
frames set | diff frames.txt - || fail "an update changed the frames"

# A month skips, the next year and a label year follow.
arrive 2021-12 2022-01
mv later/*_2021.tif archive/mapbiomas/
if command -v python3 >/dev/null; then # an edit in another program, as QGIS keeps it
    coproc editor {
        exec python3 -c 'if True:
            import os, sqlite3
            db = sqlite3.connect("set/frames.gpkg", isolation_level=None)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("UPDATE layer_styles SET description = \"my own\"")
            print("edited", flush=True)
            input()
            os._exit(0 if db.execute("PRAGMA integrity_check").fetchone() == ("ok",) else 1)'
    }
    read -r said <&"${editor[0]}" && [ "$said" = edited ] || fail "the other program did not start"
    expect 3 'set/frames.gpkg: another program has it open; close it there' update
    ! grep 'label year 2021 is measured' out || fail "it was measured in vain"
    pid=$editor_PID
    echo >&"${editor[1]}"
    wait "$pid" || fail "the file was changed under the other program"
    edited='my own'
fi
expect 0 'label year 2021 is measured' update
[ ! -e set/frames.gpkg-wal ] || fail "a log of the file before is left"
ogrinfo -q set/frames.gpkg -sql 'SELECT description FROM layer_styles' >styles.txt
grep -q "${edited-}" styles.txt || fail "the edit in the other program is lost"
grep -q '2021-11 .*nothing observed' out || fail "the month without a file is not in the period"
expect 0 'checksums agree' mpirun -np 2 "$tool" verify set
adds_up set
n=$(head -1 frames.txt | tr , '\n' | wc -l) # the last column, made, is a hash of all years
diff <(cut -d, -f1-$((n - 1)) frames.txt) <(frames set | cut -d, -f1-$((n - 1))) ||
    fail "an update with a label year changed the frames"
for file in old/scenes-*.h5 old/samples.csv old/clip.json; do
    cmp "$file" "set/${file#old/}" || fail "an update changed $file"
done

# What was trained before goes on, and scores the same.
expect 0 '' "$C3D_BIN/c3d-evaluate" run --out after
diff -r before after || fail "the update changed scores"
expect 0 'resumed from' "$C3D_BIN/c3d-train" train.yaml --set train.epochs=2

# The same periods at once: the same bytes, and the same labels of the new year.
expect 0 'in samples' "$tool" build config.yaml --out full --set data.periods='[2021-09, 2021-11]'
for file in full/scenes-*.h5; do
    cmp "$file" "set/${file#full/}" || fail "a full build has another $file"
done
labels() {
    ogr2ogr -f CSV /vsistdout/ "$1/frames.gpkg" -dialect sqlite -sql "SELECT frame_id, x, y, fold,
        label_2020, label_2021, share_forest_2021, share_mining_2021 FROM frames ORDER BY frame_id"
}
diff <(labels full) <(labels set) || fail "a full build has other labels"
expect 0 '(1 frames edited' "$tool" frames config.yaml --out set

# An image that is replaced changes its period, and what the later ones take from it.
image=$(ls archive/planet_*_2021-10_*/*.tif | head -1)
cp -p "$image" kept.tif
gdal_translate -q -scale_4 0 10000 0 9000 kept.tif "$image" >out 2>&1 || fail gdal_translate
expect 0 "$image: was replaced" "$tool" build config.yaml --out full --set data.periods='[2021-09, 2021-11]'
expect 0 'in samples' "$tool" build config.yaml --out again --set data.periods='[2021-09, 2021-11]'
for file in again/scenes-*.h5; do
    cmp "$file" "full/${file#again/}" || fail "cut again, $file is another"
done
! cmp -s full/scenes-202111-00000.h5 set/scenes-202111-00000.h5 ||
    fail "no gap of the later period was filled from the image: this shows nothing"
cp -p kept.tif "$image"

# A list over all months: samples that span periods, which training reads.
expect 0 'in samples' "$tool" samples config.yaml --out set
grep -q ',2021-01,12,2020,' set/samples.csv || fail "no sample of the year that has three periods"
expect 0 '' "$C3D_BIN/c3d-train" train.yaml --set run.dir=all --set data.slice=median
! cmp -s <(grep '"hash"' old/dataset.json | head -1) <(grep '"hash"' set/dataset.json | head -1) ||
    fail "another list has the same hash"

# Published, without a path of this place.
expect 0 'without pixels' "$tool" publish set --out package
! grep -rlF "$PWD" package || fail "the package names a folder of this place"
grep -q '^| months | 13, 2021-01 to 2022-01 |' package/README.md || fail "the card's months"
[ "$(wc -l <package/checksums.csv)" = $((3 * 64 + 1)) ] || fail "not a checksum for every scene"
expect 2 'holds scenes' "$tool" publish set --out set

# Built anew where the images are in another place.
mv archive theirs
rm -r theirs/mapbiomas
anew() { "$tool" build package/config.yaml --from package --set data.root="$PWD/theirs" --out "$@"; }
expect 0 '192 of 192 scenes equal' mpirun -np 2 "$tool" build package/config.yaml --from package \
    --set data.root="$PWD/theirs" --out mine
for file in set/scenes-*.h5 set/samples.csv; do
    cmp "$file" "mine/${file#set/}" || fail "the dataset built anew has another $file"
done
expect 0 '192 of 192 scenes equal' "$tool" verify mine
diff <(labels set) <(labels mine) || fail "the package has other frames"
image=$(ls theirs/*_2021-06_*/*.tif | head -1)
echo >>"$image"
expect 3 'are others than published' anew other --set data.gaps=zero
grep -q "1 images have other hashes than published.*$image" out || fail "a changed image is not named"
expect 3 'are others than published' "$tool" verify other
rm "$image"
expect 3 "are not there: $(basename "$(dirname "$image")")/$(basename "$image")" anew lacking
[ ! -e lacking/frames.gpkg ] || fail "a build without all images has begun"
expect 2 'absent: --from takes' "$tool" build config.yaml --from old --out x
echo passed
