# Sourced by run.sh: what machine this is. Sets gpu_count, gpu_name, gpu_sm (90), rehearsal,
# C3D_GPU_BUILD, C3D_GPU_BACKEND, C3D_GPU_LOGS, device; ours and ranks run our programs.
gpu_count=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU ' || true)
gpu_name=none gpu_sm=0
if [ "$gpu_count" != 0 ]; then
    gpu_name=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1)
    gpu_sm=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)
fi
rehearsal=0
if [ "$gpu_count" = 0 ] && [ -n "${C3D_GPU_BUILD:-}" ]; then rehearsal=1; fi
[ -z "${C3D_GPU_BACKEND:-}" ] || [ "$C3D_GPU_BACKEND" = cuda ] || rehearsal=1
[ "${C3D_GPU_REHEARSAL:-0}" = 0 ] || rehearsal=1

# absolute: checks change directory
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
C3D_GPU_BUILD=$(absolute "${C3D_GPU_BUILD:-build/cuda}")
C3D_GPU_LOGS=$(absolute "${C3D_GPU_LOGS:-build/gpu}")
C3D_GPU_BACKEND=${C3D_GPU_BACKEND:-cuda}
C3D_DEPS=${C3D_DEPS:+$(absolute "$C3D_DEPS")}
device=cuda
[ "$C3D_GPU_BACKEND" = cuda ] || device=cpu
source_dir=$PWD
bin=$C3D_GPU_BUILD/bin
# The stand-ins' programs lie apart from the others, under the same names: taken together.
if [ "$rehearsal" = 1 ] && [ "$device" = cuda ] && [ -d "$bin/cuda_host" ]; then
    mkdir -p "$C3D_GPU_LOGS/bin"
    ln -sf "$bin"/* "$bin"/cuda_host/* "$C3D_GPU_LOGS/bin/"
    bin=$C3D_GPU_LOGS/bin
fi
jobs=$(nproc)

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_WAIT_POLICY=passive

# cuDNN compiles some engines when it plans, with NVRTC, and leaves them out without a word where
# the loader does not find that: the toolkit's folder and the wheels' are tried as well.
nvidia_folders() {
    local folder
    for folder in "${CUDA_HOME:-/usr/local/cuda}/lib64" \
        $(python3 -c 'import importlib.util as u
s = u.find_spec("nvidia")
print(*(s.submodule_search_locations if s else []))' 2>/dev/null | tr ' ' '\n' |
            sed 's|$|/cu13/lib|; p; s|/cu13/|/cuda_nvrtc/|'); do
        if compgen -G "$folder/libnvrtc.so.*" >/dev/null; then echo "$folder"; fi
    done
}
nvidia_path=$(nvidia_folders | paste -sd:)

# Becomes one of our programs, or cmake. Python is not run so: it would get our libraries.
become() {
    local path=${LD_LIBRARY_PATH:-}
    [ -z "$nvidia_path" ] || path=${path:+$path:}$nvidia_path
    [ -z "$path" ] || export LD_LIBRARY_PATH=$path
    if [ -n "$C3D_DEPS" ]; then exec sh "$C3D_DEPS/env.sh" "$@"; else exec "$@"; fi
}
ours() { (become "$@"); }
ranks() { # N COMMAND...
    local n=$1
    shift
    ours mpirun --bind-to none --oversubscribe -np "$n" "$@"
}
