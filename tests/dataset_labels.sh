#!/usr/bin/env bash
# Labels from end to end: measured by several ranks and continued, several classes, hard negatives, a
# directory of labels, and polygons and points in place of a raster.
. "$C3D_SOURCE/tests/support/dataset.sh"
demo_archive
months='months: 2021-01/2021-03'

frames_table() { # DIR: frames, without SQLite's own counters
    ogrinfo -q "$1/frames.gpkg" -sql 'SELECT * FROM frames ORDER BY frame_id' | grep -v '^OGRFeature'
}

# Blocks of 4096 frames, measured by one rank and by three. The gate says no after measuring: the
# blocks are kept, and the next run takes those that are whole.
demo_config config.yaml 'frame_size_px: 4' 'stride_px: 2' "$months"
expect 0 'positives (' "$tool" frames config.yaml --out one
expect 0 'positives (' mpirun -np 3 "$tool" frames config.yaml --out three
diff <(frames_table one) <(frames_table three) >out || fail "three ranks measure other labels"
[ ! -e three/labels.part ] || fail "labels.part is still there"
refused=(--set data.label_classes='{none: 250, mining: 30}' --set data.positive=none)
expect 3 'none of whose codes occur' mpirun -np 3 "$tool" frames config.yaml --out kept "${refused[@]}"
[ "$(ls kept/labels.part/block-* | wc -l)" -ge 3 ] || fail "measured blocks are not kept"
touch -d 2001-01-01 kept/labels.part/*
truncate -s 100 kept/labels.part/block-000001
rm kept/labels.part/block-000002
expect 3 'none of whose codes occur' "$tool" frames config.yaml --out kept "${refused[@]}"
new=$(find kept/labels.part -newermt 2002-01-01 -name 'block-*' | LC_ALL=C sort | xargs -n 1 basename)
[ "$(echo $new)" = 'block-000001 block-000002' ] || fail "measured again: $new"
expect 0 'positives (' "$tool" frames config.yaml --out kept # other settings: nothing is taken
diff <(frames_table one) <(frames_table kept) >out || fail "blocks of other settings were taken"

# Every class a label; the directory of the labels instead of a pattern.
demo_config config.yaml 'frame_size_px: 32' "$months" 'samples: yearly'
by_class=(--set data.labels=archive/mapbiomas --set data.positive=
    --set 'data.label_classes={forest: 3, pasture: 15, water: 33}')
expect 0 'collection 7.1, 8 or 9' "$tool" build config.yaml --out classes "${by_class[@]}"
grep -Eq '^samples +other +forest +pasture +water +all' out || fail "info has no column a class"
adds_up classes
grep -A5 '"classes"' classes/dataset.json | tr -d ' \n' | grep -q '\["other","forest","pasture","water"\]' ||
    fail "classes in dataset.json"

# Pasture is what negatives should hold.
demo_config config.yaml 'frame_size_px: 16' "$months" 'hard_negatives: {pasture: [15]}' \
    'hard_negative_share: 0.9' 'negative_distance_m: 1'
expect 0 'hard negatives and' "$tool" build config.yaml --out hard --set data.positive_share=0.3 \
    --set data.negative_share=0.2
grep -q 'negatives left out for data.hard_negative_share' out || fail "info does not tell who is left out"
adds_up hard
awk -F, 'NR > 1 && $7 == "none" { n++ } END { exit !(n > 0) }' hard/samples.csv || fail "none left out"

# Polygons: the positive frames of a dataset, in degrees; points: their middles.
positives="SELECT geom, 'forest' AS kind, 2021 AS year FROM frames WHERE label_2021 = 'positive'"
points="SELECT ST_Centroid(geom) AS geom, 'forest' AS kind FROM frames WHERE label_2021 = 'positive'"
labels() { # DIR: frame and whether it is positive
    ogrinfo -q "$1/frames.gpkg" -sql "SELECT frame_id, label_2021 = 'positive' AS p FROM frames
        ORDER BY frame_id" | grep -v '^OGRFeature'
}
demo_config config.yaml 'frame_size_px: 4' 'stride_px: 4' "$months" \
    'label_field: kind'
expect 0 'positives (' "$tool" frames config.yaml --out raster --set data.label_field=
ogr2ogr -q own.gpkg raster/frames.gpkg -sql "$positives" >out 2>&1 || fail ogr2ogr
ogr2ogr -q -f GeoJSON mines.geojson own.gpkg -t_srs EPSG:4326 -lco COORDINATE_PRECISION=15 >out 2>&1 ||
    fail ogr2ogr
ogr2ogr -q mines_2021.shp own.gpkg >out 2>&1 || fail ogr2ogr
ogr2ogr -q points.gpkg raster/frames.gpkg -dialect sqlite -sql "$points" >out 2>&1 || fail ogr2ogr
as_text=(--set data.label_classes='{forest: forest}')
expect 0 'polygons and points' "$tool" frames config.yaml --out degrees "${as_text[@]}" \
    --set data.labels=mines.geojson --set data.label_date_field=year
expect 0 'polygons and points' "$tool" build config.yaml --out shape "${as_text[@]}" \
    --set 'data.labels=mines_{YYYY}.shp'
expect 0 'polygons and points' "$tool" frames config.yaml --out points "${as_text[@]}" \
    --set data.labels=points.gpkg --set data.label_period=2021-01/2021-12
for other in degrees shape points; do
    diff <(labels raster) <(labels $other) >out || fail "$other: other labels than the raster's"
done
expect 0 preview "$tool" preview shape
expect 3 'no field sort' "$tool" frames config.yaml --out x --set data.labels=mines.geojson \
    "${as_text[@]}" --set data.label_field=sort --set data.label_date_field=year
echo passed
