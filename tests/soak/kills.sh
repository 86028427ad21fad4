# shellcheck shell=bash disable=SC2154 # what tests/soak.sh and tests/support/soak.sh set
# kills COUNT: one of three ranks is killed (SIGKILL) COUNT times at random moments: while the program
# starts, while it writes a checkpoint, or at any time of training and evaluating. Every start ends,
# leaves no process, and the next one goes on; in the end samples, parameters and records are those of
# a run that nobody disturbed.
count=${count:-50}
ranks=3
echo "soak kills: seed $seed, $count kills, programs of $C3D_BIN"
make_data
train=$C3D_BIN/c3d-train

victims() { pgrep -P "$pid" -f "c3d-train"; }
is_left() { # a process of the run
    local process
    for process in $(pgrep -f -- "run.dir=$dir/killed"); do
        is_running "$process" && return 0
    done
    return 1
}
await_part() { # a checkpoint that is being written
    local until_s=$((SECONDS + 20))
    until compgen -G "$dir/killed/checkpoints/*.part" >/dev/null || compgen -G "$dir/killed/*.part" >/dev/null; do
        is_running "$pid" && [ $SECONDS -lt $until_s ] || return 0
    done
}
await_moment() { # MOMENT
    local begun="device:"
    [ "$at" = 0 ] || begun="resumed from"
    case $1 in
        starting)
            until [ -n "$(victims)" ] || ! is_running "$pid"; do :; done
            draw 400
            ;;
        saving)
            await_word "$begun"
            draw 200
            nap "$drawn"
            await_part
            draw 2
            ;;
        running)
            await_word "$begun"
            draw 500
            ;;
    esac
    nap "$drawn"
}

n_starting=0 n_saving=0 n_running=0 n_objects=0 codes=
at=0
for round in $(seq "$count"); do
    draw_one starting saving saving running running running
    moment=$drawn
    start "$dir/killed.log" $ranks "$train" "$dir/train.yaml" --set run.dir="$dir/killed" \
        --set train.checkpoint_every_steps=3
    await_moment "$moment"
    mapfile -t alive < <(victims)
    [ ${#alive[@]} -gt 0 ] || { await; tail -20 "$log" >&2; wrong "round $round: ended by itself with exit $code"; }
    draw_one "${alive[@]}"
    kill -9 "$drawn" 2>/dev/null
    await
    [ "$code" != 0 ] || wrong "round $round: exit 0 although a rank was killed"
    [ "$at" = 0 ] || [ "$moment" = starting ] || grep -q "resumed from" "$log" ||
        { tail -20 "$log" >&2; wrong "round $round: did not go on from the last checkpoint"; }
    for _ in $(seq 100); do is_left || break; sleep 0.1; done
    is_left && { pgrep -af -- "run.dir=$dir/killed" >&2; wrong "round $round: a process is left"; }
    before=$at
    at=$(step_of killed)
    [ "$at" -ge "$before" ] || wrong "round $round: went back from step $before to $at"
    for process in "${alive[@]}"; do # made and not yet unlinked
        for object in /dev/shm/c3d-"$process"-*; do
            [ ! -e "$object" ] || { rm -f "$object"; n_objects=$((n_objects + 1)); }
        done
    done
    rm -rf "${shm:?}"/*
    eval "n_$moment=\$((n_$moment + 1))"
    codes="$codes $code"
    printf 'kill %*d/%d: %-8s exit %d, saved up to step %d\n' ${#count} "$round" "$count" "$moment" "$code" "$at"
done

steps=$((at + 5))
for name in killed whole; do
    must $ranks "$train" "$dir/train.yaml" --set run.dir="$dir/$name" --set train.max_steps=$steps
done
same_samples whole killed
same_parameters whole killed
same_records whole killed
echo "exit codes: $(tr ' ' '\n' <<<"${codes# }" | sort -n | uniq -c | awk '{ printf("%s%d times %d", (NR > 1 ? ", " : ""), $1, $2) }')"
passed "$n_starting kills while starting, $n_saving while saving, $n_running while running;" \
    "$n_objects objects left in /dev/shm, removed"
