#!/usr/bin/env bash
# Everything that wants a GPU, in stages; tests/gpu/README.md says how to get there.
#   tests/gpu/run.sh [STAGE...]   build parity sanitize train bench (default: all five); questions
# A table at the end of each stage; logs, tables and results.md in C3D_GPU_LOGS (build/gpu).
# Exit 0: all passed; 1: something did not; 2: usage; 77: no GPU here (build works without).
#   C3D_GPU_BUILD=DIR    use this build folder (build/cuda); build makes it
#   C3D_DEPS=DIR         what tests/gpu/unpack.sh made, on a machine without the packages
#   C3D_GPU_STAGE_S=N    seconds a stage may take (530)
# Without a GPU, C3D_GPU_BUILD rehearses the stages with programs that need none (the stand-ins of
# tests/cuda_host, or C3D_GPU_BACKEND=onednn); every table says so.
set -uo pipefail
cd "$(dirname "$0")/../.."
all="build parity sanitize train bench"

usage() {
    echo "usage: tests/gpu/run.sh [STAGE...], STAGE one of: $all questions" >&2
    exit 2
}
for stage in "$@"; do
    case $stage in
        build | parity | sanitize | train | bench | questions) ;;
        *) usage ;;
    esac
done
[ $# -gt 0 ] || set -- $all

# checks run in shells of their own, so that they can be timed and ended: they know all of this
set -a
. tests/gpu/machine.sh
. tests/gpu/table.sh
mkdir -p "$C3D_GPU_LOGS" || exit 1

wants_gpu=0
for stage in "$@"; do
    [ "$stage" = build ] || wants_gpu=1
done
skipped=0
if [ $wants_gpu = 1 ] && [ "$gpu_count" = 0 ] && [ "$rehearsal" = 0 ]; then skipped=1; fi

failed=0
for stage in "$@"; do
    [ $skipped = 1 ] && [ "$stage" != build ] && continue
    (
        begin_stage "$stage"
        . "tests/gpu/stage_$stage.sh"
        finish_stage
    ) || failed=1
    write_results
    # the others have nothing to run without it
    [ $failed = 1 ] && [ "$stage" = build ] && break
done
[ $failed = 0 ] || exit 1
if [ $skipped = 1 ]; then
    case " $* " in *" build "*) ran="nothing but build" ;; *) ran=nothing ;; esac
    echo "tests/gpu/run.sh: no GPU here: $ran was run"
    exit 77
fi
