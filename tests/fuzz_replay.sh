#!/usr/bin/env bash
# The fuzz targets read what is well-formed, whole and cut off, and what once broke a reader.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/fuzz.sh"
rm -rf ./*
fuzz_seeds "$PWD" || fail "no seeds: $(tail -3 seeds.log)"
for target in yaml csv list gpkg json shard; do
    expect 0 "$C3D_TEST_BIN/fuzz_$target" seeds/$target/*
    says "bytes"
done
finish
