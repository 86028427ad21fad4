#!/usr/bin/env bash
# A run that moves from one number of ranks to another in mid-epoch shows the network the samples of
# an undisturbed run, step by step: none twice in an epoch, none left out.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf ./*/
n_samples=$(grep -c ',train,' "$C3D_TEST_STORE/store/samples.csv")
more=(--set run.log_samples=true --set train.epochs=2 --set model.width=2 --set model.fc=4)
rows() { sed 's/, "seconds.*//; s/, "loss".*//' "$1/steps.jsonl"; }

# elastic NAME OPTIONS...: on 1 rank undisturbed, and on 4, 2 and 3 by turns
elastic() {
    local name=$1 part n stop
    shift
    expect 0 "$train" "$config" "${more[@]}" --set run.dir="$name-whole" "$@"
    for part in 4:3 2:10 3:0; do
        n=${part%:*} stop=${part#*:}
        expect 0 ranks "$n" "$train" "$config" "${more[@]}" --set run.dir="$name-parts" "$@" \
            --set train.max_steps="$stop"
        [ "$n" = 4 ] || says "continued on $n with 1"
    done
    cmp "$name-whole/samples.jsonl" "$name-parts/samples.jsonl" || fail "$name: other samples"
    cmp <(rows "$name-whole") <(rows "$name-parts") || fail "$name: other steps"
    cmp <(cut -d, -f1,2 "$name-whole/metrics.csv") <(cut -d, -f1,2 "$name-parts/metrics.csv") ||
        fail "$name: other epochs"
    # each sample once an epoch
    awk -v n="$n_samples" -v per_epoch="$(($(wc -l <"$name-whole/samples.jsonl") / 2))" -F'[][]' '
        { k = split($2, ids, ", *"); for (i = 1; i <= k; i++) seen[ids[i], NR > per_epoch]++; total += k }
        END { for (id in seen) if (seen[id] != 1) exit 1; exit total != 2 * n }' \
        "$name-parts/samples.jsonl" || fail "$name: not each of $n_samples samples once an epoch"
}

# steps of 4, 4, 4 and 4 samples, of the last one 4 and 3; then of 5, 5, 5 and 3, of the last one 5, 5, 1
elastic even --set train.global_batch=16 --set train.micro_batch=4
elastic odd --set train.global_batch=18 --set train.micro_batch=5
finish
