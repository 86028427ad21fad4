#!/usr/bin/env bash
# Real pixels and labels, from YAML alone: MODIS over Sinop, Sentinel-2 with two empty months, and
# archives that do not look like Planet's.
. "$C3D_SOURCE/tests/support/dataset.sh"
if [ ! -d "$C3D_SHARED_DATA/sits_sinop_modis" ] || [ ! -d "$C3D_SHARED_DATA/worldcereal_100x100" ]; then
    echo "no real data at $C3D_SHARED_DATA: skipped"
    exit 77
fi

sinop=(--set "data.root=$C3D_SHARED_DATA/sits_sinop_modis")
expect 0 'in samples' "$tool" build "$C3D_SOURCE/configs/dataset-sinop.yaml" "${sinop[@]}" --out sinop
grep -q '^months *23: 2013-09-14 to 2014-08-29' out || fail "sinop: months"
grep -q 'NDVI EVI' out || fail "sinop: bands"
awk '/^  test / { exit !($2 >= 20 && $3 >= 20 && $4 >= 200) }' out || fail "sinop: test samples"
grep -q '^splits *0 frames overlap' out || fail "sinop: splits"
adds_up sinop
expect 0 'no two splits share a pixel' "$tool" verify sinop
expect 0 '0 to do' "$tool" build "$C3D_SOURCE/configs/dataset-sinop.yaml" "${sinop[@]}" --out sinop

# A random split of overlapping frames leaks, and is told.
expect 0 'overlap a frame of another split' "$tool" build "$C3D_SOURCE/configs/dataset-sinop.yaml" \
    "${sinop[@]}" --set data.split=random --out leaking
expect 3 'LEAK' "$tool" verify leaking
grep -q '"overlapping_frames": [1-9]' leaking/dataset.json || fail "the leak is not in dataset.json"

cereal=(--set "data.root=$C3D_SHARED_DATA/worldcereal_100x100")
expect 0 'in samples' "$tool" build "$C3D_SOURCE/tests/data-configs/worldcereal.yaml" \
    "${cereal[@]}" --out cereal
for month in 2020-12 2021-01; do
    grep -Eq "$month-01 +100.00 % +nothing observed" out || fail "cereal: $month"
done
grep -q 'in 2 of 12 months nothing is observed in any scene, and all is filled: 2020-12-01 2021-01-01' out ||
    fail "cereal: empty months are not told"
grep -q '^bands *9 of uint16' out || fail "cereal: bands"
adds_up cereal
expect 0 'checksums agree' "$tool" verify cereal

# One file a band and date, Albers without a code, pixels not square, a cloud mask on two dates.
cbers=(--set "data.root=$C3D_SHARED_DATA/cbers4_awfi")
cat >cbers.yaml <<'EOF'
data:
  mosaics: "CBERS-4_AWFI_022024_{BAND}_{YYYY}-{MM}-{DD}.tif"
  bands: [B16, B13]
  mask_band: CMASK
  mask_valid: [0]
  frame_size_px: 25
  split: random
EOF
expect 0 '14 present, 0 missing' "$tool" build cbers.yaml "${cbers[@]}" --out cbers
grep -q '^bands *2 of int16: B16 B13' out || fail "cbers: bands"
grep -q '^months *14: 2018-02-02 to 2018-08-29' out || fail "cbers: dates"
grep -Eq '2018-04-07 +0.04 %' out || fail "cbers: the mask's pixel"
expect 3 'CMASK has files on 2 of 14 dates' "$tool" build cbers.yaml "${cbers[@]}" --out cbers-all \
    --set 'data.bands=[]' --set data.mask_band= --set 'data.mask_valid=[]'

# One file a year, degrees, bytes, 0 for nothing, tags at which libtiff warns.
landsat=(--set "data.root=$C3D_SHARED_DATA/landsat_pucallpa" --set 'data.mosaics={YYYY}.tif')
echo 'data: {frame_size_px: 64, split: random}' >landsat.yaml
expect 0 '8 present, 0 missing' "$tool" build landsat.yaml "${landsat[@]}" --out landsat
grep -q '^months *8: 1985 to 2020' out || fail "landsat: years"
grep -q '^bands *4 of uint8' out || fail "landsat: bands"

ogrinfo -ro -q sinop/frames.gpkg >out 2>&1 && grep -q frames out || fail "ogrinfo: frames.gpkg"
python=${C3D_PYTHON:-$C3D_SOURCE/build/venv/bin/python}
if "$python" -c 'import h5py' 2>/dev/null; then
    "$python" "$C3D_SOURCE/tests/support/read_store.py" sinop >out 2>&1 ||
        fail "h5py"
    "$python" "$C3D_SOURCE/tests/support/read_store.py" cereal >out 2>&1 || fail "h5py"
    # Pixels as gdal_translate has them.
    gdal_translate -q -of ENVI -srcwin 25 25 25 25 \
        "$C3D_SHARED_DATA/cbers4_awfi/CBERS-4_AWFI_022024_B13_2018-03-22.tif" b13.bin >out 2>&1 ||
        fail gdal_translate
    "$python" -c '
import h5py, numpy
scene = h5py.File("cbers/scenes-201802-00000.h5")["scenes"][3, 3, 1]
assert (scene == numpy.fromfile("b13.bin", "<i2").reshape(25, 25)).all()
' >out 2>&1 || fail "cbers: pixels"
else
    echo "no Python with h5py: reading with it is skipped"
fi
echo passed
