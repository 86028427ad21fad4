# Sourced by the tests that train: config is a small training configuration on a small dataset.
config=$C3D_TEST_STORE/train.yaml
[ -e "$config" ] || { echo "no dataset in $C3D_TEST_STORE: did train_store fail?"; exit 1; }
