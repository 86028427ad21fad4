#!/usr/bin/env bash
# down.sh DIR: ends what up.sh started there, by its own pid files. On hosts of its own it runs on one.
dir=$1
export SLURM_CONF=$dir/slurm.conf
is_alive() { [ -d "/proc/$1" ] && [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)" != Z ]; }
gone() { # PID: within ten seconds
    for _ in $(seq 100); do is_alive "$1" || return 0; sleep 0.1; done
    return 1
}

if [ -s "$dir/run/slurmctld.pid" ]; then
    timeout 10 scancel -u root 2>/dev/null
    for _ in $(seq 100); do
        [ -z "$(timeout 5 squeue -h -t running,completing 2>/dev/null)" ] && break
        sleep 0.1
    done
fi
for file in "$dir"/run/slurmd-*.pid "$dir"/run/{slurmctld,munged}.pid; do
    [ -s "$file" ] || continue
    pid=$(cat "$file")
    kill "$pid" 2>/dev/null
    gone "$pid" || kill -9 "$pid"
done
