# Clipping against two rasterio scripts, in turns; run by bench/run.sh build. Makes, once, below
# BENCH_DIR: a virtual environment with rasterio, c3d-dataset, and mosaics (0.8 GB).
#   BENCH_BUILD=DIR    a build whose bin/c3d-dataset is taken instead
#   BENCH_PYTHON=FILE  a python3 with rasterio and h5py
set -euo pipefail
[ -z "${BENCH_BUILD:-}" ] || BENCH_BUILD=$(realpath "$BENCH_BUILD")
cd "$BENCH_DIR"
python=${BENCH_PYTHON:-}
if [ -z "$python" ]; then
    [ -e rasterio/ready ] || {
        echo "build: installing rasterio, h5py" >&2
        python3 -m venv rasterio
        rasterio/bin/pip install --quiet rasterio h5py >&2
        touch rasterio/ready
    }
    python=$PWD/rasterio/bin/python
fi
if [ -z "${BENCH_BUILD:-}" ]; then
    BENCH_BUILD=$PWD/programs
    { cmake -S "$C3D_SOURCE" -B "$BENCH_BUILD" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo &&
        cmake --build "$BENCH_BUILD" --target c3d-dataset; } >programs.log 2>&1 ||
        { tail -n 30 programs.log >&2; exit 1; }
fi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
cores=$(taskset -cp $$ | sed 's/.*: //; s/-/,/' | cut -d, -f1,2)
exec taskset -c "$cores" "$python" "$C3D_SOURCE/bench/build.py" --folder "$PWD/build-scenes" \
    --dataset "$BENCH_BUILD/bin/c3d-dataset" "$@"
