#!/usr/bin/env bash
# Archives that are not as they should be: a missing month, a raster cut in half, another grid,
# labels in another CRS (the artificial archive's always are).
. "$C3D_SOURCE/tests/support/dataset.sh"
demo_archive
demo_config config.yaml 'frame_size_px: 32' 'months: 2021-01/2021-12'
expect 0 'in samples' "$tool" build config.yaml --out whole

# Which months have no file depends on the seed, so one more goes.
month() { ls -d archive/planet_*_"$1"_mosaic; }
mv "$(month 2021-06)" gone
expect 0 '2021-06' "$tool" build config.yaml --out missing
grep -q 'have no file and are filled as gaps' out || fail "the missing month is not told"
grep -Eq '2021-06 +100.00 % +nothing observed' out || fail "info does not show the missing month"
adds_up missing
mv gone "archive/planet_medres_normalized_analytic_2021-06_mosaic"

# Cut in half: the file's name, and not a scene of the batch is present.
file=$(ls archive/planet_*_2021-07_mosaic/*_quad.tif | head -1)
cp "$file" keep.tif
size=$(stat -c %s "$file")
truncate -s $((size / 2)) "$file"
expect 3 "$(basename "$file")" "$tool" build config.yaml --out cut
[ ! -e cut/dataset.json ] || fail "a cut raster made a dataset"
mv keep.tif "$file"
# Some scenes were cut from the half that was there, or have gaps.
expect 0 "$(basename "$file"): was replaced since the scenes were cut" "$tool" build config.yaml --out cut
expect 0 '0 to do' "$tool" build config.yaml --out cut
# A file that is away for a while would leave gaps.
rm cut/dataset.json
mv "$file" keep.tif
expect 3 "$(basename "$file"): gone since" "$tool" build config.yaml --out cut
mv keep.tif "$file"
cp "$file" "${file%_quad.tif}b_quad.tif"
expect 3 "b_quad.tif: came after" "$tool" build config.yaml --out cut
rm "${file%_quad.tif}b_quad.tif"
expect 0 'in samples' "$tool" build config.yaml --out cut
for name in scenes-202101-00000.h5 samples.csv; do # frames.gpkg knows the cut file's hash
    cmp whole/$name cut/$name || fail "the mended archive gives another $name"
done

# A month without a place.
cp "$file" keep.tif
gdal_translate -q -co PROFILE=BASELINE keep.tif "$file" >out 2>&1 || fail gdal_translate
rm -f "$file.aux.xml"
expect 3 "$file: no georeference" "$tool" build config.yaml --out nowhere
mv keep.tif "$file"

expect 3 'not-there' "$tool" build config.yaml --out x --set 'data.mosaics=not-there/{YYYY}-{MM}.tif'
expect 3 'no band swir' "$tool" build config.yaml --out y --set 'data.bands=[swir]'
echo passed
