#!/usr/bin/env bash
# Packs what c3d-train is built from and runs with (Open MPI, GDAL, HDF5, oneDNN, ...; libraries,
# headers, data) out of Debian 12's packages, for a machine that has none of it and no network.
#   tests/gpu/pack.sh OUT.deb|DIR       DIR: left unpacked, to be looked at
# Runs on Debian 12 as any user and installs nothing: apt-get, dpkg-deb, readelf and strip are used.
# The other machine: x86-64, glibc 2.36 or newer, a C++ compiler, dpkg; tests/gpu/unpack.sh.
#   PACK_CACHE=DIR      keeps the downloaded packages (default build/pack-cache)
set -euo pipefail
[ $# = 1 ] || { echo "usage: tests/gpu/pack.sh OUT.deb|DIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "$1")
cache=$(realpath -m "${PACK_CACHE:-$here/../../build/pack-cache}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache" "$work/all" "$work/dev" "$work/empty/updates"
: >"$work/empty/status"
arch_lib=usr/lib/x86_64-linux-gnu

run_packages="openmpi-bin openmpi-common libopenmpi3 libgdal32 libyaml-0-2 libhdf5-103-1 libjansson4
    libxxhash0 libdnnl2 libcmocka0 pkgconf-bin"
dev_packages="libopenmpi-dev libgdal-dev libyaml-dev libhdf5-dev libjansson-dev libxxhash-dev
    librandom123-dev libdnnl-dev libcmocka-dev"

# ---- fetch: what apt would install on a system with nothing on it, and the headers by themselves
nothing=(-o "Dir::State::status=$work/empty/status" -o APT::Install-Recommends=false)
# shellcheck disable=SC2086
closure=$(apt-get -s "${nothing[@]}" install $run_packages | sed -n 's/^Inst \([^ ]*\).*/\1/p')
missing=()
for package in $closure $dev_packages; do
    compgen -G "$cache/${package}_*.deb" >/dev/null || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "pack: downloading ${#missing[@]} packages" >&2
    (cd "$cache" && apt-get -qq -o APT::Sandbox::User=root download "${missing[@]}")
fi
for package in $closure; do dpkg-deb -x "$cache/$package"_*.deb "$work/all"; done
for package in $dev_packages; do dpkg-deb -x "$cache/$package"_*.deb "$work/dev"; done

# ---- programs, plugins that are opened by name, data
tree=$work/tree/opt/c3d-deps
lib=$tree/$arch_lib
mkdir -p "$lib/openmpi/lib/openmpi3" "$lib/pmix2/lib" "$tree/usr/bin" "$tree/usr/share/proj"
for program in orterun orted ompi_info pkgconf; do
    cp "$work/all/usr/bin/$program" "$tree/usr/bin/"
done
for from in all dev; do # of either, by release
    if [ -e "$work/$from/usr/bin/opal_wrapper" ]; then cp "$work/$from/usr/bin/opal_wrapper" "$tree/usr/bin/"; fi
done
ln -s opal_wrapper "$tree/usr/bin/mpicc"
ln -s orterun "$tree/usr/bin/mpirun"
ln -s pkgconf "$tree/usr/bin/pkg-config"
cp -r "$work/all/usr/share/openmpi" "$work/all/usr/share/gdal" "$tree/usr/share/"
if [ -d "$work/dev/usr/share/openmpi" ]; then cp -r "$work/dev/usr/share/openmpi" "$tree/usr/share/"; fi
cp "$work/all/usr/share/proj/"proj.{db,ini} "$tree/usr/share/proj/"
cp -r "$work/all/$arch_lib/pmix2/lib/pmix" "$lib/pmix2/lib/"
cp -r "$work/all/$arch_lib/pmix2/share" "$lib/pmix2/"
# of Open MPI's plugins those for one host over shared memory and TCP
for plugin in "$work/all/$arch_lib/openmpi/lib/openmpi3/"*.so; do
    case ${plugin##*/} in
        *ucx* | *ofi* | *openib* | *psm* | *slurm* | *gridengine* | *jsm* | *flux* | *memheap*) ;;
        *scoll* | *spml* | *sshmem* | *monitoring* | *vprotocol* | *romio* | *dbg_msgq*) ;;
        *) cp "$plugin" "$lib/openmpi/lib/openmpi3/" ;;
    esac
done

# ---- the libraries that these and we are linked with, and theirs; the C library and the compiler's
# are the other machine's own
declare -A place
while read -r file; do
    name=${file##*/}
    [ -n "${place[$name]:-}" ] || place[$name]=$file
done < <(find "$work/all" -name '*.so*' \( -type f -o -type l \) | sort)
for name in libblas.so.3 liblapack.so.3; do # alternatives, linked when installed
    place[$name]=$(find "$work/all" -path "*/${name#lib}*" -o -name "$name" | grep -E "/(blas|lapack)/$name" | head -1)
done
is_theirs() {
    case $1 in
        ld-linux* | libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.*) ;;
        libutil.so.* | libresolv.so.* | libanl.so.* | libgcc_s.so.* | libstdc++.so.*) ;;
        *) return 1 ;;
    esac
}
needed_by() { readelf -d "$1" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }
take() { # LIBRARY NEEDED-BY: copied under the name it is asked for
    local file real
    is_theirs "$1" && return
    [ -e "$lib/$1" ] && return
    file=${place[$1]:-}
    [ -n "$file" ] && [ -e "$file" ] || { echo "pack: $1, needed by $2, is in no package" >&2; exit 1; }
    cp -L "$file" "$lib/$1"
    # CMake's files name libraries by their whole version
    real=$(basename "$(readlink -f "$file")")
    [ "$real" = "$1" ] || ln -sf "$1" "$lib/$real"
    queue+=("$lib/$1")
}
queue=()
for name in libmpi.so.40 libopen-rte.so.40 libopen-pal.so.40 libgdal.so.32 libyaml-0.so.2 \
    libhdf5_serial.so.103 libjansson.so.4 libxxhash.so.0 libdnnl.so.2 libcmocka.so.0; do
    take $name pack.sh
done
for file in "$tree/usr/bin/"* "$lib/openmpi/lib/openmpi3/"*.so "$lib/pmix2/lib/pmix/"*.so; do
    [ -L "$file" ] || queue+=("$file")
done
while [ ${#queue[@]} -gt 0 ]; do
    file=${queue[0]}
    queue=("${queue[@]:1}")
    for name in $(needed_by "$file"); do take "$name" "${file##*/}"; done
done
find "$tree" -type f \( -name '*.so*' -o -path '*/bin/*' \) -exec strip --strip-unneeded {} + 2>/dev/null || true

# ---- to build with: headers, pkg-config's and CMake's files, and the names that -l wants
cp -r "$work/dev/usr/include" "$tree/usr/"
(cd "$work/dev/$arch_lib" &&
    find . \( -name '*.pc' -o -name '*.cmake' -o -path './openmpi/include/*' \) -not -type d -print0 |
    tar c --null -T -) | tar x -C "$lib"
for pair in mpi:mpi.so.40 open-rte:open-rte.so.40 open-pal:open-pal.so.40 gdal:gdal.so.32 \
    yaml:yaml-0.so.2 hdf5_serial:hdf5_serial.so.103 jansson:jansson.so.4 xxhash:xxhash.so.0 \
    dnnl:dnnl.so.2 cmocka:cmocka.so.0; do
    ln -sf "lib${pair#*:}" "$lib/lib${pair%%:*}.so"
done
mkdir -p "$lib/hdf5/serial" "$lib/openmpi/lib"
ln -sf ../../libhdf5_serial.so.103 "$lib/hdf5/serial/libhdf5.so"
for name in mpi open-rte open-pal; do ln -sf "../../lib$name.so.40" "$lib/openmpi/lib/lib$name.so"; done
cp "$here/env.sh" "$tree/env.sh"
find "$tree" -type d -exec chmod 755 {} +

# ---- out
unpacked=$(du -sm "$tree" | cut -f1)
case $out in
    *.deb)
        mkdir "$work/tree/DEBIAN"
        cat >"$work/tree/DEBIAN/control" <<CONTROL
Package: c3d-deps
Version: 1
Architecture: amd64
Maintainer: nobody <nobody@localhost>
Description: libraries that c3d-train is built from, relocatable; see tests/gpu/unpack.sh
CONTROL
        dpkg-deb --root-owner-group -Zxz -z9 -b "$work/tree" "$out" >/dev/null
        echo "pack: $out: $(du -m "$out" | cut -f1) MiB, $unpacked MiB unpacked"
        ;;
    *)
        mkdir -p "$out"
        cp -a "$tree/." "$out/"
        echo "pack: $out: $unpacked MiB"
        ;;
esac
