#!/usr/bin/env bash
# Training on two hosts over TCP whose link is cut: both sides end in time, mpirun says so, nothing is
# left behind, and the run goes on afterwards to the parameters of one never cut.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
. "$C3D_SOURCE/tests/support/hosts.sh"
trap hosts_down EXIT
[ "$(id -u)" = 0 ] || skip "hosts need root"
reason=$(hosts_up 2) || skip "$reason"
here=$PWD
rm -rf whole cut

train() { # RANKS-A-HOST RUN OPTIONS...: from host 1
    on_host 1 timeout -k 5 150 mpirun --mca plm_rsh_agent "$C3D_SOURCE/tests/hosts/agent.sh" \
        --mca oob_tcp_if_include eth0 --mca btl_tcp_if_include eth0 --mca btl tcp,vader,self \
        --mca oob_tcp_keepalive_time 2 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 3 \
        --host "10.77.0.1:$1,10.77.0.2:$1" -np $((2 * $1)) \
        "$C3D_BIN/c3d-train" "$config" --set run.dir="$here/$2" --progress never \
        --set train.checkpoint_every_steps=5 --set distributed.timeout_s=30 "${@:3}"
}
left() { # RUN: its processes, remainders in the table apart
    local p
    for p in $(pgrep -f -- "run.dir=$here/$1"); do
        grep -q '^State:.*Z' "/proc/$p/status" 2>/dev/null || echo "$p"
    done
}
last() { ls "$1"/checkpoints/*.safetensors | tail -1; }

for n in 1 2; do
    rm -rf cut out.txt
    train "$n" cut --set train.epochs=100000 >out.txt 2>&1 &
    job=$!
    for ((i = 0; i < 1200; i++)); do grep -qs '^epoch 1/' out.txt && break; sleep 0.05; done
    cut_link 2
    code=0
    wait "$job" || code=$?
    # mpirun is the first to miss the other host; asked to abort before, it may wait for it for ever
    [ "$code" = 205 ] || { fail "exit $code of a link that was cut"; cat out.txt; }
    says "ranks: $((2 * n))"
    says "lost communication with a remote daemon"
    for ((i = 0; i < 400; i++)); do [ -z "$(left cut)" ] && break; sleep 0.05; done
    [ -z "$(left cut)" ] || { fail "still there: $(ps -o pid,args -p "$(left cut | paste -sd,)")"; kill -9 $(left cut); }
    mend_link 2
    for ((i = 0; i < 300; i++)); do # nobody listens there, but it answers
        on_host 1 timeout 1 bash -c ': </dev/tcp/10.77.0.2/9' 2>&1 | grep -q refused && break
        sleep 0.1
    done
    # on from the checkpoint, and the same without a cut
    steps=$(last cut | sed 's/.*step-0*//; s/[.].*//')
    rm -rf whole
    expect 0 train "$n" cut --set train.epochs=100000 --set train.max_steps=$((steps + 6))
    says "resumed from"
    expect 0 train "$n" whole --set train.epochs=100000 --set train.max_steps=$((steps + 6))
    "$C3D_TEST_BIN/compare_tensors" equal "$(last whole)" "$(last cut)" ||
        fail "after the cut the run went on to other parameters"
done
finish
