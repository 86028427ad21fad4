# Shared by tests/dataset_*.sh: working directory, expectations, what a store holds.
set -uo pipefail
tool=$C3D_BIN/c3d-dataset
# With GDAL and SQLite the leaks of MPI cannot be told by name: leaks are looked for by the unit tests
# and train_store.
export ASAN_OPTIONS=detect_leaks=0
rm -rf ./* # the test's own working directory, from an earlier run

fail() {
    echo "FAILED: $*"
    [ -f out ] && sed 's/^/  | /' out | tail -30
    exit 1
}

# expect CODE WORDS COMMAND...: exit code, and words that the output holds.
expect() {
    local code=$1 words=$2 got
    shift 2
    "$@" >out 2>&1
    got=$?
    [ $got = "$code" ] || fail "$*: exit $got, $code expected"
    grep -qF -- "$words" out || fail "$*: does not say \"$words\""
}

# Every file of a dataset but frames.gpkg, which holds SQLite's own counters.
store_hash() { (cd "$1" && sha256sum scenes-*.h5 samples.csv dataset.json clip.json); }

same_store() { # A B
    diff <(store_hash "$1") <(store_hash "$2") || fail "$1 and $2 differ"
}

# A small archive of our own: 64 frames of 32 px, 45 months.
demo_archive() { "$tool" demo archive --size tiny --seed 3 >out 2>&1 || fail "demo"; }

demo_config() { # FILE LINES...: a configuration of that archive
    {
        cat <<EOF
data:
  mosaics: archive/planet_medres_normalized_analytic_{YYYY}-{MM}_mosaic/*_quad.tif
  labels: archive/mapbiomas/brasil_coverage_{YYYY}.tif
  label_classes: {forest: [3], mining: [30]}
  positive: forest
  positive_share: 0.6
  negative_share: 0.5
  split: blocks
  block_km: 0.32
  split_shares: [0.5, 0.25, 0.25]
  max_missing_share: 0.7
EOF
        shift
        printf '  %s\n' "$@"
    } >config.yaml
}

# The frames of `info`, group by group, add up to their number.
adds_up() { # DIR
    "$tool" info "$1" >out 2>&1 || fail "info $1"
    awk '/^frames/ { n = $2; on = 1; next } /^$/ { on = 0 } on { sum += $1 }
         END { exit !(n > 0 && sum == n) }' out || fail "info $1 does not add up"
}
