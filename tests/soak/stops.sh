# shellcheck shell=bash disable=SC2154 # what tests/soak.sh and tests/support/soak.sh set
# stops COUNT: a run that is asked to stop (SIGUSR1 to mpirun) COUNT times at random moments and each
# time continued, against one that nobody disturbs, three times over:
#   any     on 1 to 4 ranks, drawn each time: the same samples in every step
#   two     always on 2 ranks: also the same parameters, bit for bit, and the same records
#   ordered on 1, 2 or 4 ranks with distributed.reduction: ordered, against 1 rank: the same
# C3D_SOAK_SERIES="two ordered" does only these.
count=${count:-100}
echo "soak stops: seed $seed, $count stops a series, programs of $C3D_BIN"
make_data
train=$C3D_BIN/c3d-train

# stop_often NAME "RANKS" OPTIONS...: the disturbed run, $steps long.
stop_often() {
    local name=$1 choice=$2 mid=0 at=0 before least ranks round n_steps
    shift 2
    for round in $(seq "$count"); do
        # shellcheck disable=SC2086 # a list
        draw_one $choice
        ranks=$drawn
        start "$dir/$name.log" "$ranks" "$train" "$dir/train.yaml" --set run.dir="$dir/$name" "$@"
        await_word "device:"
        draw 400
        nap "$drawn"
        kill -USR1 "$pid" 2>/dev/null
        await
        [ "$code" = 75 ] || { tail -20 "$log" >&2; wrong "$name, round $round on $ranks ranks: exit $code, not 75"; }
        [ "$round" = 1 ] || grep -q "resumed from" "$log" || wrong "$name, round $round: did not continue"
        before=$at
        at=$(sed -n 's/.*stopped on request after step \([0-9]*\).*/\1/p' "$log" | tail -1)
        n_steps=$(sed -n 's/.*; \([0-9]*\) steps of .* an epoch.*/\1/p' "$log" | head -1)
        # twice at the end of an epoch's steps: stopped while validating
        least=$((before + (before % n_steps != 0)))
        [ -n "$at" ] && [ "$at" -ge "$least" ] || wrong "$name, round $round: no step done (after $before)"
        [ $((at % n_steps)) = 0 ] || mid=$((mid + 1))
        printf '%s %*d/%d: stopped after step %d, %d of %d of epoch %d, on %d ranks\n' "$name" \
            ${#count} "$round" "$count" "$at" $((at % n_steps)) "$n_steps" $((at / n_steps + 1)) "$ranks"
    done
    [ "$count" -lt 10 ] || [ $((mid * 2)) -ge "$count" ] ||
        wrong "$name: only $mid of $count stops in the middle of an epoch"
    steps=$((at + 3))
    # shellcheck disable=SC2086
    draw_one $choice
    must "$drawn" "$train" "$dir/train.yaml" --set run.dir="$dir/$name" --set train.max_steps=$steps "$@"
}
whole() { # NAME RANKS OPTIONS...
    local name=$1 ranks=$2
    shift 2
    must "$ranks" "$train" "$dir/train.yaml" --set run.dir="$dir/$name" --set train.max_steps=$steps "$@"
}

series_any() {
    stop_often any "1 2 3 4"
    whole any-whole 1
    same_samples any-whole any
    echo "any: the samples of all $steps steps are those of an undisturbed run"
}

series_two() {
    stop_often two 2
    whole two-whole 2
    same_samples two-whole two
    same_parameters two-whole two
    same_records two-whole two
    echo "two: samples, parameters and records after $steps steps are those of an undisturbed run"
}

series_ordered() {
    local ordered=distributed.reduction=ordered
    if ! "$train" "$dir/train.yaml" --set $ordered --print-config >"$dir/ordered.log" 2>&1; then
        grep -q "comes with a later version" "$dir/ordered.log" || { cat "$dir/ordered.log" >&2; wrong "$ordered"; }
        echo "ordered: left out, $ordered is not in this build"
        return
    fi
    stop_often ordered "1 2 4" --set $ordered
    whole ordered-whole 1 --set $ordered
    same_samples ordered-whole ordered
    same_parameters ordered-whole ordered
    same_records ordered-whole ordered
    echo "ordered: samples, parameters and records after $steps steps are those of one rank"
}

series=${C3D_SOAK_SERIES:-any two ordered}
for name in $series; do
    case $name in
        any | two | ordered) "series_$name" ;;
        *) wrong "C3D_SOAK_SERIES: $name is none of any, two, ordered" ;;
    esac
done
passed "$count stops each: $series"
