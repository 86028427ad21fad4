# Sourced: fuzz_seeds DIR writes DIR/seeds/TARGET/*, input that the readers of tests/fuzz accept.
fuzz_seeds() {
    local seeds=$1/seeds
    mkdir -p "$seeds"/{yaml,csv,gpkg,json,shard}
    cp "$C3D_SOURCE"/configs/*.yaml "$seeds/yaml"
    (
        set -e
        cd "$1"
        "$C3D_BIN/c3d-dataset" demo archive --kind one_frame --size tiny --seed 5
        "$C3D_BIN/c3d-dataset" build "$C3D_SOURCE/tests/data-configs/one-frame.yaml" --out store \
            --set data.stride_px=64 --set data.frame_size_px=8 --set data.months=2020-09/2020-10
    ) >"$1/seeds.log" 2>&1 || return 1
    cp "$1/store/samples.csv" "$seeds/csv"
    cp "$1/store/frames.gpkg" "$seeds/gpkg"
    cp "$1/store/dataset.json" "$seeds/json"
    cp "$1"/store/scenes-*.h5 "$seeds/shard"
    [ ! -d "$C3D_SOURCE/tests/fuzz/found" ] || for target in yaml csv gpkg json shard; do
        find "$C3D_SOURCE/tests/fuzz/found" -name "$target-*" -exec cp {} "$seeds/$target" \;
    done
}
