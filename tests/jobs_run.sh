#!/usr/bin/env bash
# jobs/compare and jobs/paper with the real programs on the tests' small dataset: they go through, and the
# forest scores the same list.
. "$C3D_SOURCE/tests/support/check.sh"
[ -e "$C3D_TEST_STORE/store/dataset.json" ] || fail "no dataset in $C3D_TEST_STORE: did train_store fail?"
rm -rf compare paper
python=${C3D_PYTHON:-python3}
networks="c3d cnn2d"
if "$python" -c "import sklearn, h5py" 2>/dev/null; then
    networks+=" forest"
    export C3D_PYTHON=$python
else
    echo "no scikit-learn or h5py in $python: without the forest"
fi
small=(--data "$C3D_TEST_STORE/store" --set model.width=2 --set model.fc=8 --set train.epochs=1 --set distributed.threads=1)

expect 0 "$C3D_SOURCE/jobs/compare/run.sh" --out compare --networks "$networks" --seeds 1 "${small[@]}"
for network in $networks; do
    grep -q "^$network,1,0\.\|^$network,1,1," compare/comparison/comparison.csv || fail "$network: not in the table"
    grep -qw "$network" compare/comparison/comparison.txt || fail "$network: not in the text"
done
[ -s compare/report.html ] || fail "no page"
if [[ $networks = *forest ]]; then
    key() { cut -d, -f1-4,6- "$1/scores-test.csv"; }
    [ "$(key compare/forest/seed1)" = "$(key compare/c3d/seed1)" ] || fail "the forest scored another list"
    awk -F, '$1 == "forest" { exit !($3 > 0.95) }' compare/comparison/comparison.csv ||
        fail "one pixel tells these classes apart, and the forest cannot"
fi
expect 0 "$C3D_SOURCE/jobs/paper/run.sh" --out paper --seeds 1 "${small[@]}"
for folder in paper paper/*-a*-*; do
    grep -q "^2d,1," $folder/comparison/comparison.csv || fail "$folder: no comparison"
done
finish
