# Sourced by the shell tests: C3D_BIN has the programs; the working directory is the test's own.
set -u
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
skip() { echo "skipped: $*"; exit 77; }
finish() { [ "$failures" = 0 ] && echo "ok" && exit 0; echo "$failures checks failed"; exit 1; }
# expect CODE COMMAND...: runs it, output in out.txt, and checks its exit code.
expect() {
    local wanted=$1 got=0
    shift
    "$@" >out.txt 2>&1 || got=$?
    [ "$got" = "$wanted" ] || { fail "exit $got, expected $wanted: $*"; cat out.txt; }
}
# says TEXT: the last command printed it.
says() { grep -qF -- "$1" out.txt || { fail "not printed: $1"; cat out.txt; }; }
mpi="mpirun --bind-to none --oversubscribe"
ranks() { local n=$1; shift; $mpi -np "$n" "$@"; }
