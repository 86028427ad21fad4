#!/usr/bin/env bash
# Scenes from lists by the command line: a folder of images, ranks, a stop, labels edited, mistakes.
. "$C3D_SOURCE/tests/support/dataset.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# Images nobody's program made: PGM files of 8 x 8 px, 12 places of two pictures each a class.
image() { # FILE FIRST
    {
        printf 'P5\n8 8\n255\n'
        for k in $(seq 0 63); do printf "\\x$(printf %x $((1 + ($2 * 29 + k * 7) % 250)))"; done
    } >"$1"
}
n=0
for class in mine forest; do
    mkdir -p "tree/$class"
    for place in 01 02 03 04 05 06; do
        for picture in a b; do
            image "tree/$class/$class-$place-$picture.pgm" $((n += 1))
        done
    done
done

expect 2 'two labels, and data.positive does not say which' "$tool" import tree --out x
expect 0 '24  in samples' "$tool" import tree --out tree1 --set data.positive=mine \
    --set 'data.list.group_match=[a-z]+-[0-9]+' --set data.folds=3
adds_up tree1
expect 0 '24 checksums agree' "$tool" verify tree1
awk -F, 'NR > 1 { n[$8 "," $6]++ } END { for (f = 0; f < 3; f++) if (n[f ",0"] != 4 || n[f ",1"] != 4) exit 1 }' \
    tree1/samples.csv || fail "folds are not even"
grep -q '^0,1,0,0,0,0,,forest,.*/forest-01-a.pgm$' tree1/import.csv || fail "import.csv"

# Two ranks write the same; the configuration it leaves makes it again.
expect 0 'in samples' mpirun -np 2 --bind-to none --oversubscribe "$tool" import \
    --config tree1/import.yaml --out tree2
for name in scenes-000101-00000.h5 samples.csv import.csv; do
    cmp "tree1/$name" "tree2/$name" || fail "two ranks give another $name"
done

# The same command again has nothing to do; samples follow edits; another list is refused.
expect 0 '24 are there, 0 to do' "$tool" import --config tree1/import.yaml --out tree1
expect 0 'in samples' "$tool" samples tree1/import.yaml --out tree1 --set data.samples=monthly
expect 2 'import into another directory' "$tool" import --config tree1/import.yaml --out tree1 \
    --set data.list.file=tree/mine/..
expect 2 'made by c3d-dataset import' "$tool" build tree1/import.yaml --out tree1

# A list is published as itself; a file beside the classes is told, not taken.
expect 2 'publish that, with the files it names and tree1/import.yaml' "$tool" publish tree1 --out package
[ ! -e package ] || fail "a refused publish began"
cp "$(ls tree/mine/*.pgm | head -1)" tree/stray.pgm
expect 0 '1 files in no folder of a class are left out, such as ' "$tool" import tree --out stray \
    --set data.positive=mine
grep -q 'tree/stray.pgm$' out || fail "the file that is left out is not named"
rm tree/stray.pgm

printf 'path,label\ntree/mine/mine-01-a.pgm,1\nno.pgm,0\ntree,1\n' >bad.csv
expect 3 'no.pgm: no such file' "$tool" import bad.csv --out bad
grep -q 'bad.csv:3: .*no.pgm' out && grep -q 'bad.csv: 2 mistakes' out || fail "not both mistakes are told"
[ ! -e bad/frames.gpkg ] || fail "a bad list left frames"
printf 'data: {mosaics: x}\n' >list.yaml
expect 3 'no such file or folder' "$tool" import not-there.csv --out bad
expect 2 'no list' "$tool" import --config list.yaml --out bad
expect 2 'not from both' "$tool" import tree --out bad --set data.mosaics=x
echo passed
