# Lists of scenes: every standard column; quotes and another separator; cells of galleries.
list_seeds() { # DIR
    cat >"$1/columns.csv" <<'EOF'
path,x_off,y_off,x_size,y_size,label,date,scene,group,lon,lat,split,fold
a.tif,0,0,48,48,mine,2020-09,a,1,-60.5,-9.25,train,0
a.tif,48,0,48,48,mine,2020-10-14,a,1,-60.5,-9.25,val,1
b.png,,,,,other,20200914,b,2,,,test,
NETCDF:c.nc:band,0,48,48,48,,2020/09/14T10:00,,,,,none,99
EOF
    printf 'Path;Label\r\n"with ""quotes""; and\nlines.tif";1\r\n\r\nplain.tif; 0 \r\n' >"$1/quotes.csv"
    printf '\xef\xbb\xbfgallery\trow\tcol\tchip_px\tdate_from\toverlap_group\tlabel\n' >"$1/cells.tsv"
    printf 'east_S2L1C_2024.png\t0\t1\t48\t2024-01-01\t\t0\nwest.png\t2\t0\t48\t2023-12\t7\t1\n' \
        >>"$1/cells.tsv"
}

# Sourced: fuzz_seeds DIR writes DIR/seeds/TARGET/*, input that the readers of tests/fuzz accept.
fuzz_seeds() {
    local seeds=$1/seeds
    mkdir -p "$seeds"/{yaml,csv,list,gpkg,json,shard}
    cp "$C3D_SOURCE"/configs/*.yaml "$seeds/yaml"
    (
        set -e
        cd "$1"
        "$C3D_BIN/c3d-dataset" demo archive --kind one_frame --size tiny --seed 5
        "$C3D_BIN/c3d-dataset" build "$C3D_SOURCE/tests/data-configs/one-frame.yaml" --out store \
            --set data.stride_px=64 --set data.frame_size_px=8 --set data.months=2020-09/2020-10
    ) >"$1/seeds.log" 2>&1 || return 1
    cp "$1/store/samples.csv" "$seeds/csv"
    list_seeds "$seeds/list"
    cp "$1/store/frames.gpkg" "$seeds/gpkg"
    cp "$1/store/dataset.json" "$seeds/json"
    cp "$1"/store/scenes-*.h5 "$seeds/shard"
    [ ! -d "$C3D_SOURCE/tests/fuzz/found" ] || for target in yaml csv list gpkg json shard; do
        find "$C3D_SOURCE/tests/fuzz/found" -name "$target-*" -exec cp {} "$seeds/$target" \;
    done
}
