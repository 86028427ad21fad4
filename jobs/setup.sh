#!/usr/bin/env bash
# Installs what building, running and testing need, as far as it is missing. On Debian and its
# relatives by apt, as root or through sudo; elsewhere it says what is missing.
set -euo pipefail

packages=(
    git gcc libc6-dev make cmake ninja-build pkg-config
    openmpi-bin libopenmpi-dev libhwloc-dev libgdal-dev gdal-bin libyaml-dev libhdf5-dev libdnnl-dev
    libjansson-dev libxxhash-dev librandom123-dev libcmocka-dev gnuplot-nox
)
# only tests/run.sh needs these
test_packages=(
    g++ clang-format clang-tidy libomp-dev python3 python3-venv
    munge slurmctld slurmd slurm-client
)

case "${1:-}" in
    "") ;;
    --tests) packages+=("${test_packages[@]}") ;;
    *)
        echo "usage: jobs/setup.sh [--tests]" >&2
        exit 2
        ;;
esac

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Without dpkg (modules, conda, Spack): what CMake will look for, by name.
report_elsewhere() {
    local missing=() command module
    for command in gcc cmake ninja pkg-config mpirun mpicc gdal-config gnuplot; do
        command -v "$command" >/dev/null || missing+=("$command")
    done
    for module in yaml-0.1 jansson; do
        pkg-config --exists "$module" 2>/dev/null || missing+=("$module (pkg-config)")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        printf 'setup: missing: %s\n' "${missing[@]}" >&2
        echo "setup: no apt here; install these with modules, conda or Spack and set CMAKE_PREFIX_PATH" >&2
        return 1
    fi
    echo "setup: the commands are there; CMake says if a library is missing"
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    report_elsewhere
    exit
fi

missing=()
for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "setup: all ${#packages[@]} packages are installed"
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        as_root=(sudo)
    else
        echo "setup: missing packages: ${missing[*]}" >&2
        echo "setup: not root and no sudo without a password; ask for: apt-get install ${missing[*]}" >&2
        exit 3
    fi
fi

apt() {
    # locales, time zones and the like must not ask; another apt may hold the lock
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -qq \
        -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}
echo "setup: installing ${missing[*]}"
apt update >/dev/null || echo "setup: apt-get update failed; trying with the lists there are" >&2
apt install --no-install-recommends "${missing[@]}" >/dev/null
for package in "${missing[@]}"; do
    is_installed "$package" || {
        echo "setup: $package is still missing" >&2
        exit 3
    }
done
echo "setup: done"
