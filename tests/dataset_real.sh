#!/usr/bin/env bash
# Real pixels and labels, from YAML alone: MODIS over Sinop, and Sentinel-2 with two empty months.
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
grep -q '^bands *9 of uint16' out || fail "cereal: bands"
adds_up cereal
expect 0 'checksums agree' "$tool" verify cereal

ogrinfo -ro -q sinop/frames.gpkg >out 2>&1 && grep -q frames out || fail "ogrinfo: frames.gpkg"
python=${C3D_PYTHON:-$C3D_SOURCE/build/venv/bin/python}
if "$python" -c 'import h5py' 2>/dev/null; then
    "$python" "$C3D_SOURCE/tests/support/read_store.py" sinop >out 2>&1 ||
        fail "h5py"
    "$python" "$C3D_SOURCE/tests/support/read_store.py" cereal >out 2>&1 || fail "h5py"
else
    echo "no Python with h5py: reading with it is skipped"
fi
echo passed
