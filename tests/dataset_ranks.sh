#!/usr/bin/env bash
# One, two and three ranks make the same bytes; a mistake ends all of them with one message.
. "$C3D_SOURCE/tests/support/dataset.sh"
demo_archive

# The archive too, also where another number of ranks goes on with it.
archive_hash() { (cd "$1" && find . -type f | LC_ALL=C sort | xargs sha256sum); }
cp -r archive drawn
for file in drawn/*_2021-*_mosaic/*.tif drawn/mapbiomas/*_2022.tif; do
    mv "$file" "$file.part" # as a killed run leaves them
    truncate -s 1000 "$file.part"
done
sed -i 's/"complete": true/"complete": false/' drawn/demo.json
mpirun -np 3 "$tool" demo drawn --size tiny --seed 3 >out 2>&1 || fail "demo on three ranks"
diff <(archive_hash archive) <(archive_hash drawn) || fail "an archive finished by three ranks"
rm -r drawn
demo_config config.yaml 'frame_size_px: 24' 'stride_px: 12' 'months: 2021-01/2021-12' 'gaps: linear'

"$tool" build config.yaml --out one --scenes-per-shard 50 >out 2>&1 || fail "one rank"
[ "$(ls one/*.h5 | wc -l)" -gt 2 ] || fail "too few shards to say anything"
for n in 2 3; do
    expect 0 'in samples' mpirun -np $n "$tool" build config.yaml --out ranks-$n \
        --scenes-per-shard 50 --memory-mb 1
    same_store one ranks-$n
    expect 0 'checksums agree' mpirun -np $n "$tool" verify ranks-$n
done
expect 2 'config.yaml' mpirun -np 2 "$tool" build config.yaml --out x --set data.gaps=never
shard=$(ls ranks-2/*.h5 | head -1)
printf '\xa5\x5a' | dd of="$shard" bs=1 seek=100000 conv=notrunc status=none
expect 3 'checksum' mpirun -np 2 "$tool" verify ranks-2
echo passed
