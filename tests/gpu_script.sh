#!/usr/bin/env bash
# tests/gpu/run.sh without a GPU: stages, tables, logs and exit codes, with programs that only
# pretend. What they pretend to is on PATH (nvidia-smi, cmake, mpirun) and in build/bin.
. "$C3D_SOURCE/tests/support/check.sh"
rm -rf path build logs uninitialised no-sanitizer cmake_ends ./*.code
mkdir -p path build/bin logs
run=$C3D_SOURCE/tests/gpu/run.sh
unset C3D_GPU_BACKEND C3D_GPU_REHEARSAL C3D_DEPS C3D_GPU_STAGE_S
export PATH=$PWD/path:$PATH C3D_GPU_LOGS=$PWD/logs PRETEND=$PWD

pretend() { # FILE: its body from standard input
    { printf '#!/usr/bin/env bash\n'; cat; } >"$1"
    chmod +x "$1"
}
# gpus N COMPUTE_CAPABILITY
gpus() { printf '%s %s\n' "$1" "$2" >gpus; }
pretend path/nvidia-smi <<'END'
read -r n capability <"$PRETEND/gpus"
case "$*" in
    -L) for i in $(seq "$n"); do echo "GPU $i: Pretended (UUID: GPU-$i)"; done ;;
    *compute_cap*) echo "$capability" ;;
    *driver*) echo 1.2.3 ;;
    *) echo Pretended ;;
esac
END
pretend path/mpirun <<'END'
while [ "${1#-}" != "$1" ]; do case $1 in --oversubscribe) shift ;; *) shift 2 ;; esac; done
exec "$@"
END
pretend path/cmake <<'END'
echo "cmake $*"
exit "$(cat "$PRETEND/cmake_ends" 2>/dev/null || echo 0)"
END
pretend path/compute-sanitizer <<'END'
what=$2
while [ "${1#-}" != "$1" ]; do shift 2; done
echo "========= COMPUTE-SANITIZER"
[ -e "$PRETEND/no-sanitizer" ] && echo "========= Error: Device not supported" && exit 255
"$@"
case $what in
    racecheck) echo "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)" ;;
    initcheck)
        [ -e "$PRETEND/uninitialised" ] && echo "========= ERROR SUMMARY: 3 errors" && exit 86
        echo "========= ERROR SUMMARY: 0 errors"
        ;;
    *) echo "========= ERROR SUMMARY: 0 errors" ;;
esac
END
# A test program fails, skips or takes its time when a file NAME-PRECISION or NAME says so.
for name in parity_backend parity_entries test_norm test_model golden_test test_optimizer \
    compare_tensors test_cuda_channels_gpu test_cuda_kernels_gpu c3d-dataset; do
    pretend build/bin/$name <<'END'
what=$(basename "$0")
for word in "$@"; do case $word in fp32 | tf32 | bf16 | fp16) what=$what-$word ;; esac; done
echo "this is $what"
[ -e "$PRETEND/$what.code" ] && read -r code seconds <"$PRETEND/$what.code"
sleep "${seconds:-0}"
[ "${code:-0}" = 0 ] || echo "$what differs"
exit "${code:-0}"
END
done
pretend build/bin/c3d-train <<'END'
case "$*" in *--version*) echo "c3d-train 0 cuDNN pretended" && exit ;; *--debug*) exit ;; esac
for word in "$@"; do case $word in run.dir=*) dir=${word#*=} ;; esac; done
stop=0
trap 'stop=1' USR1
mkdir -p "$dir/checkpoints"
printf 'epoch\n1\n' >"$dir/metrics.csv"
echo x >"$dir/checkpoints/step-1.safetensors"
case $dir in
    stopped*)
        [ -e "$dir/stopped" ] && exit 0
        touch "$dir/stopped"
        for i in $(seq 500); do
            [ $stop = 1 ] && exit 75
            sleep 0.02
        done
        exit 1
        ;;
esac
END
table=parity
result_of() { # CHECK: its result in the last table
    awk -F' [|] ' -v name="| $1" '$1 == name { print $2 }' logs/table-$table.md
}
is() { [ "$(result_of "$1")" = "$2" ] || fail "$1: $(result_of "$1"), expected $2"; }

# usage, and no GPU
expect 2 "$run" parity nonsense
says "usage: tests/gpu/run.sh [STAGE...]"
gpus 0 0
unset C3D_GPU_BUILD
expect 77 "$run" parity bench
[ "$(wc -l <out.txt)" = 1 ] || fail "more than a line without a GPU: $(cat out.txt)"
says "no GPU here"

# build works without one; what comes after is not run
export C3D_GPU_BUILD=$PWD/build
expect 0 "$run" build
says "CMAKE_CUDA_ARCHITECTURES=90"
grep -q '^cmake --preset cuda' logs/log-build.txt || fail "log-build.txt lacks the configuration"
echo 1 >cmake_ends
gpus 1 9.0
expect 1 "$run" build parity
says "| configure | FAILED |"
! grep -q '== parity' out.txt || fail "parity was run after a build that failed"
rm cmake_ends

# all is well
expect 0 "$run" parity
is "parity_backend fp16" ok
is "stopped and continued: bf16" ok
grep -q "1 x Pretended" out.txt || fail "the table does not name the GPU"
! grep -q REHEARSAL out.txt || fail "a run on a GPU is called a rehearsal"
grep -q '^## parity' logs/results.md || fail "results.md lacks the table"
grep -q '^## build' logs/results.md || fail "results.md lost another stage's table"
grep -q 'compute capability 90, driver 1.2.3' logs/results.md || fail "results.md lacks the GPU"

# A failure in the middle: the rest is run all the same, the next stage too. Skipped is no success on
# a GPU that has the precision.
echo 1 >parity_entries-bf16.code
echo 77 >parity_backend-bf16.code
echo 77 >parity_backend-fp32.code
expect 1 "$run" parity build
is "parity_entries bf16" FAILED
is "parity_backend bf16" SKIPPED
is "parity_backend fp32" SKIPPED
is "parity_backend fp16" ok
is "--debug cnn2d fp32" ok
says "6 not passed" # with and without check:
says "parity_entries-bf16 differs"
says "== build"
rm parity_entries-bf16.code parity_backend-fp32.code

# an old GPU may refuse bf16
gpus 1 7.5
expect 0 "$run" parity
is "parity_backend bf16" skipped
rm parity_backend-bf16.code
gpus 1 9.0

# no time left
echo 0 20 >parity_entries-tf32.code
C3D_GPU_STAGE_S=4 expect 1 "$run" parity
is "parity_entries tf32" TIME
is "golden_test fp16 (PyTorch's numbers)" "NOT RUN"
rm parity_entries-tf32.code

# the sanitizer: findings, and where it does not work at all
table=sanitize
expect 0 "$run" sanitize
is "racecheck one training step, bf16" ok
grep -q -- '--kernel-name kns=pool_forward' logs/log-sanitize.txt || fail "racecheck knows no own kernels"
touch uninitialised
expect 1 "$run" sanitize
is "initcheck parity_entries bf16" FAILED
is "racecheck parity_entries bf16" ok
touch no-sanitizer
expect 1 "$run" sanitize
is "memcheck parity_entries fp32" SKIPPED
says "compute-sanitizer does not work here"

# without a GPU but with a build folder: said to be a rehearsal
gpus 0 0
C3D_GPU_STAGE_S=3 expect 1 "$run" parity
says "REHEARSAL"
says "nothing of this ran on a GPU"
grep -q REHEARSAL logs/results.md || fail "results.md does not say that it was a rehearsal"
finish
