# The environment of what pack.sh packed; it lies at the top of the unpacked tree.
#   . DIR/env.sh                 for this shell (bash)
#   sh DIR/env.sh COMMAND...     for one command: Python, say, should not see these libraries
if [ -n "${BASH_SOURCE:-}" ]; then C3D_DEPS=${BASH_SOURCE[0]}; else C3D_DEPS=$0; fi
C3D_DEPS=$(cd "$(dirname "$C3D_DEPS")" && pwd -P)
c3d_lib=$C3D_DEPS/usr/lib/x86_64-linux-gnu
export C3D_DEPS PATH="$C3D_DEPS/usr/bin:$PATH"
export LD_LIBRARY_PATH="$c3d_lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# Open MPI was built for another place, and shall look for no fabrics and no other hosts
export OPAL_PREFIX="$C3D_DEPS/usr" PMIX_PREFIX="$c3d_lib/pmix2"
export PMIX_MCA_mca_base_component_path="$c3d_lib/pmix2/lib/pmix"
export OMPI_MCA_btl=self,vader,tcp OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_MCA_plm_rsh_agent=false OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export GDAL_DATA="$C3D_DEPS/usr/share/gdal" GDAL_DRIVER_PATH=disable
export PROJ_LIB="$C3D_DEPS/usr/share/proj" PROJ_DATA="$C3D_DEPS/usr/share/proj"
# to build with
export CMAKE_PREFIX_PATH="$C3D_DEPS/usr${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}"
export PKG_CONFIG_LIBDIR="$c3d_lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$C3D_DEPS"
unset c3d_lib
case "${0##*/}" in env.sh) [ $# = 0 ] || exec "$@" ;; esac
