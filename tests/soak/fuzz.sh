# shellcheck shell=bash disable=SC2154 # what tests/soak.sh and tests/support/soak.sh set
# fuzz COUNT: the readers of configurations (YAML), samples.csv, lists of scenes, frames.gpkg,
# dataset.json and shards are given COUNT seconds each (default 60) of input that libFuzzer makes up
# from seeds, guided by the branches it reaches. Input that crashes one, fills 2 GB or takes ten
# seconds ends it (HDF5 and SQLite may ask for what a broken file claims, and then find it too short);
# it stays in build/fuzz/found, and goes to tests/fuzz/found once mended, where ctest reads
# it again. Needs clang; builds the preset fuzz.
count=${count:-60}
command -v clang >/dev/null || { echo "soak fuzz: clang is not there"; exit 77; }
echo "soak fuzz: seed $seed, $count s a reader"
build=$here/build/fuzz
mapfile -t targets < <(cd "$here/tests/fuzz" && grep -l LLVMFuzzerTestOneInput ./*.c | grep -v replay |
    sed 's|^./\(.*\)\.c$|\1|')
(cd "$here" && { [ -f build/fuzz/build.ninja ] || cmake --preset fuzz; } &&
    cmake --build --preset fuzz --target "${targets[@]/#/fuzz_}") >"$dir/build.log" 2>&1 ||
    { tail -5 "$dir/build.log"; wrong "the targets cannot be built"; }

. "$here/tests/support/fuzz.sh"
fuzz_seeds "$dir" || wrong "no seeds: $(tail -3 "$dir/seeds.log")"
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
mkdir -p "$build/found"
for target in "${targets[@]}"; do
    mkdir -p "$build/corpus/$target"
    code=0
    "$build/bin/fuzz_$target" -seed="$seed" -max_total_time="$count" -timeout=10 -rss_limit_mb=2048 \
        -malloc_limit_mb=1000000 -max_len=1000000 -print_final_stats=1 -artifact_prefix="$build/found/$target-" \
        "$build/corpus/$target" "$dir/seeds/$target" >"$dir/$target.log" 2>&1 || code=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$dir/$target.log")
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$dir/$target.log" | tail -1)
    [ $code = 0 ] || { tail -40 "$dir/$target.log" >&2; wrong "$target: exit $code"; }
    printf 'fuzz %-6s %10s inputs, %6s edges reached\n' "$target" "$runs" "$edges"
done
passed "${#targets[@]} readers"
