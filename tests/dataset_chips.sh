#!/usr/bin/env bash
# The mining chips: windows of galleries by cells, folds that mix galleries of one class each.
. "$C3D_SOURCE/tests/support/dataset.sh"
chips=$C3D_SHARED_DATA/mining_chips_s2
if [ ! -d "$chips" ]; then
    echo "no mining chips at $C3D_SHARED_DATA: skipped"
    exit 77
fi
expect 0 '7255 rows are 7255 scenes of 57 files' "$tool" import \
    --config "$C3D_SOURCE/configs/dataset-mining-chips.yaml" --set "data.root=$chips" --out chips
adds_up chips
expect 0 'checksums agree' "$tool" verify chips

# By the manifest: each fold has both classes; a gallery and chips that overlap on the ground are in
# one.
awk -F, 'NR == FNR { if (FNR > 1) { fold[$2] = $8; n[$8 "," $6]++ } next }
         FNR > 1 && ($1 in fold) { print $6 - 2, fold[$1] }' chips/samples.csv chips/import.csv >folds
awk -F'\t' 'NR == FNR { split($0, v, " "); fold[v[1]] = v[2]; next }
            FNR == 1 { next }
            { line = FNR - 2
              if (!(line in fold)) { out++; next }
              gallery = $1
              n[fold[line] "," $5]++
              if (gallery in of && of[gallery] != fold[line]) bad++
              of[gallery] = fold[line]
              if ($14 == "") next
              if ($14 in place && place[$14] != fold[line]) bad++
              place[$14] = fold[line] }
            END { for (f = 0; f < 5; f++) if (n[f ",0"] < 1000 || n[f ",1"] < 200) bad++
                  exit bad > 0 || out > 60 }' folds "$chips/manifest.tsv" || fail "folds of the chips"

# Pixels by another reader: the cell at row 4, column 5 of one gallery.
if command -v gdal_translate >/dev/null; then
    name=v2.4_amazon_positives_S2L1C_clear0.75_2019-01-01_2020-01-01.png
    id=$(awk -F, -v name="$name" 'index($0, name) && $3 == 240 && $4 == 192 { print $1 }' chips/import.csv)
    gdal_translate -q -of ENVI -co INTERLEAVE=BSQ -srcwin 240 192 48 48 "$chips/galleries/$name" cell.raw >out 2>&1 ||
        fail gdal_translate
    shard=chips/scenes-000101-$(printf %05d $((id / 2000))).h5
    # /scenes begins at a multiple of 4096; a scene is 6912 bytes
    found=0
    for begin in $(seq 4096 4096 262144); do
        cmp -s -n 6912 -i "$((begin + id % 2000 * 6912)):0" "$shard" cell.raw && found=1 && break
    done
    [ $found = 1 ] || fail "scene $id is not the cell of the gallery"
fi
echo passed
