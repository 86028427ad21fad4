#!/usr/bin/env bash
# What steady training steps ask of the system: what readers, MPI and threads that wait need, and
# now and then a full buffer of a log. No memory, no files, no terminal.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
command -v strace >/dev/null || skip "no strace here"
strace -f -o probe.txt true 2>/dev/null || skip "this system does not let strace look"

# Names of the calls, with their number, in the later half of what the reader threads read: training
# steps only, for the run ends before its epoch does. Early steps are left out: there the library
# still makes kernels and grows its buffers.
steady() { # TRACE
    awk 'NR == 1 { main = $1 }
         # an arena of malloc, which a thread makes once, when it first asks for memory
         /mmap\((NULL, 134217728|0x[0-9a-f]+, 67108864), PROT_NONE/ && (makes[$1] || !has[$1]++) {
             makes[$1] = 1; next
         }
         makes[$1] && /munmap\(|<\.\.\. m(un)?map resumed/ { next }
         makes[$1] && /mprotect\(/ { makes[$1] = 0; ends[$1] = /unfinished/; next }
         ends[$1] && /<\.\.\. mprotect resumed/ { ends[$1] = 0; next }
         $1 != main && /preadv?(64)?\([0-9]+<[^>]*scenes-/ { at[++n] = m + 1 }
         { line[++m] = $0 }
         END {
             if (n < 40) { print "too_few_reads", n + 0; exit }
             for (i = at[int(n / 2)]; i <= at[int(n * 0.9)]; i++) print line[i]
         }' "$1" | sed -E 's/^[0-9]+ +//; s/^<\.\.\. ([a-z0-9_]+) resumed.*/\1/; s/\(.*//' |
        sort | uniq -c
}

# Waits of threads and readers; then MPI's progress engine and its copies between processes.
allowed='futex|pread64|preadv|sched_yield|clock_nanosleep|restart_syscall|---'
allowed+='|poll|pselect6|epoll_wait|process_vm_readv|process_vm_writev'
for n in 1 2; do
    rm -rf run trace.*
    expect 0 ranks $n sh -c 'exec strace -f -y -o trace.$OMPI_COMM_WORLD_RANK "$@"' sh \
        "$C3D_BIN/c3d-train" "$config" --set train.max_steps=28 --set run.log_every_s=1000 \
        --set train.global_batch=4 --set train.micro_batch=2 --set distributed.threads=2
    for trace in trace.*; do
        steady "$trace" >calls.txt
        echo "$n ranks, ${trace#trace.}:" $(tr '\n' ' ' <calls.txt)
        grep -qE "pread(v|64)" calls.txt || fail "$n ranks, $trace: no steady part"
        others=$(grep -vwE "$allowed|write" calls.txt)
        [ -z "$others" ] || fail "$n ranks, $trace: the step calls: $others"
        writes=$(awk '$2 == "write" { print $1 }' calls.txt)
        [ "${writes:-0}" -le 4 ] || fail "$n ranks, $trace: $writes writes: a log is not buffered"
    done
done
finish
