# Every library the program links, each as one imported target, with advice where one is missing.
# Debian's package names are those jobs/setup.sh installs; elsewhere set CMAKE_PREFIX_PATH.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

find_package(MPI COMPONENTS C)
if(NOT MPI_C_FOUND)
  message(FATAL_ERROR "Open MPI not found (Debian: openmpi-bin libopenmpi-dev)")
endif()

find_package(GDAL CONFIG)
if(NOT GDAL_FOUND)
  message(FATAL_ERROR "GDAL not found (Debian: libgdal-dev)")
endif()

pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)

set(HDF5_PREFER_PARALLEL OFF)
find_package(HDF5 REQUIRED COMPONENTS C)

find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
find_library(XXHASH_LIBRARY xxhash REQUIRED)
find_path(RANDOM123_INCLUDE_DIR Random123/philox.h REQUIRED)

# oneDNN: Debian's CMake file also wants OpenCL, which we do not use, so the library is found by
# name; 2.6 and 3.x differ in headers only (src/backend/onednn/compat.h).
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.h)
find_library(DNNL_LIBRARY dnnl)
if(NOT DNNL_INCLUDE_DIR OR NOT DNNL_LIBRARY)
  message(FATAL_ERROR "oneDNN not found (Debian: libdnnl-dev)")
endif()
add_library(c3d_dnnl INTERFACE)
target_include_directories(c3d_dnnl SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
target_link_libraries(c3d_dnnl INTERFACE ${DNNL_LIBRARY})
find_package(OpenMP REQUIRED COMPONENTS C)

# hwloc tells where cores are; without it ranks stay where they were put
set(C3D_HWLOC AUTO CACHE STRING "Place ranks by hwloc: AUTO (when it is there), ON, OFF")
set_property(CACHE C3D_HWLOC PROPERTY STRINGS AUTO ON OFF)
set(C3D_HAS_HWLOC FALSE)
set(C3D_HWLOC_VERSION "no hwloc")
if(C3D_HWLOC)
  pkg_check_modules(HWLOC IMPORTED_TARGET hwloc>=2.1)
  if(HWLOC_FOUND)
    set(C3D_HAS_HWLOC TRUE)
    set(C3D_HWLOC_VERSION "hwloc ${HWLOC_VERSION}")
  elseif(NOT C3D_HWLOC STREQUAL AUTO)
    message(FATAL_ERROR "C3D_HWLOC=${C3D_HWLOC}, but hwloc 2.1 or later was not found (Debian: libhwloc-dev)")
  endif()
endif()

if(C3D_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
