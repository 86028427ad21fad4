#!/usr/bin/env bash
# Ranks that are stopped, killed, late, or that cannot read: nobody hangs, and the cause is named.
# A rank that is merely slow, on a busy machine, must not be: so time-outs of some seconds.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
watched=$C3D_TEST_BIN/watched_ranks
rm -rf stopped0 stopped2 killed broken bad
# What was started is ended, whatever comes; no longer than minutes.
ranks() { local n=$1; shift; timeout -k 5 120 $mpi -np "$n" "$@"; }

# one line about it, of one rank
says_once() {
    says "$1"
    [ "$(grep -cE '^(c3d-train|watched_ranks): ' out.txt)" = 1 ] || { fail "more than one error"; cat out.txt; }
}
# pid of the rank of a program whose command line has this text
pid_of() { # RANK TEXT
    local p
    for p in $(pgrep -f -- "$2"); do
        tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | grep -qx "OMPI_COMM_WORLD_RANK=$1" && echo "$p" && return
    done
}
# processes that are more than a remainder in the table
left() { # TEXT
    local p
    for p in $(pgrep -f -- "$1"); do grep -q '^State:.*Z' "/proc/$p/status" 2>/dev/null || echo "$p"; done
}
# Three ranks that train without end, as job $job; returns in the middle.
train_on() { # RUN OPTIONS...
    local i
    rm -f out.txt # or the last one's is read
    ranks 3 "$train" "$config" --set run.dir="$PWD/$1" --set train.epochs=100000 --progress never \
        --set distributed.timeout_s=4 "${@:2}" >out.txt 2>&1 &
    job=$!
    for ((i = 0; i < 1200; i++)); do grep -qs '^epoch 1/' out.txt && break; sleep 0.05; done
    sleep 2 # by now each has told that it trains
}
signalled() { # CODE SIGNAL RANK RUN
    local code=0 pid i
    train_on "$4"
    pid=$(pid_of "$3" "run.dir=$PWD/$4")
    kill "-$2" "$pid" || fail "no rank $3 to signal"
    wait "$job" || code=$?
    [ "$code" = "$1" ] || { fail "exit $code after SIG$2 of rank $3, expected $1"; cat out.txt; }
    for ((i = 0; i < 200; i++)); do [ -z "$(left "run.dir=$PWD/$4")" ] && break; sleep 0.05; done
    [ -z "$(left "run.dir=$PWD/$4")" ] || { fail "still there after SIG$2 of rank $3"; kill -9 $(left "run.dir=$PWD/$4"); }
}

signalled 4 STOP 2 stopped2
says_once "rank 0 of 3: rank 2 ($(hostname)): no sign of life for 4 s; last: "
grep "no sign of life for 4 s; last: " stopped2/log.txt | grep -qv "last: starting" ||
    fail "log.txt does not say it: $(tail -1 stopped2/log.txt)"
signalled 4 STOP 0 stopped0
says_once ": rank 0 ($(hostname)): no sign of life for 4 s; last: "
signalled 137 KILL 1 killed

# alive, but not at work
expect 4 ranks 2 "$watched" rests
says_once "rank 0 of 2: rank 1 ($(hostname)): has let the others wait for 3 s; last: reading sample 1234 of step 56"
# in two different calls, each for the other
expect 4 ranks 2 "$watched" apart
says_once "rank 0 of 2: all 2 ranks: have come to a collective call that does not end for 3 s; last of rank 0"
# slow, but at work
expect 0 ranks 2 "$watched" works
says "done"
says "warning: rank 1 ($(hostname)): has let the others wait for 3 s"

# data that cannot be read any more, in the middle: the message of the rank that found out
cp -r "$C3D_TEST_STORE/store" broken
train_on bad --set data.store="$PWD/broken"
for shard in broken/scenes-*.h5; do truncate -s 100000 "$shard"; done
code=0
wait "$job" || code=$?
[ "$code" = 3 ] || { fail "exit $code of a dataset that was cut off, expected 3"; cat out.txt; }
says_once "broken/scenes-"
finish
