set(C3D_WARNINGS
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wundef -Wpointer-arith -Wcast-qual -Wvla -Wformat=2 -Wdouble-promotion
    -Wswitch-enum -fno-common)
# Of *.cu; what nvcc puts before them is nothing for -Wpedantic and -Wundef.
set(C3D_CUDA_OPTIONS -Xcompiler=-Wall,-Wextra,-Wshadow,-Wpointer-arith,-Wcast-qual,-Wvla
                     -Xcompiler=-ffp-contract=off,-fno-math-errno)
if(C3D_WERROR)
  list(APPEND C3D_WARNINGS -Werror)
  list(APPEND C3D_CUDA_OPTIONS -Werror=all-warnings -Xcompiler=-Werror)
endif()

# The flags of all our own code: warnings, sanitizers, and no contraction or reassociation of
# floating-point expressions (results must not depend on the optimiser's mood).
function(c3d_compile_options target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:C>:${C3D_WARNINGS};-ffp-contract=off;-fno-math-errno>
    $<$<COMPILE_LANGUAGE:CUDA>:${C3D_CUDA_OPTIONS}>)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
  if(C3D_SANITIZE)
    target_compile_options(${target} PRIVATE
      $<$<COMPILE_LANGUAGE:C>:-fsanitize=${C3D_SANITIZE};-fno-omit-frame-pointer>
      $<$<COMPILE_LANGUAGE:C>:-fno-sanitize-recover=undefined>)
    target_link_options(${target} PRIVATE -fsanitize=${C3D_SANITIZE})
  endif()
endfunction()

# c3d_module(NAME SOURCES a.c b.c LINKS other_module libs): one static library a module of
# docs/architecture.md; it links only the modules that its row of the map names.
function(c3d_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(c3d_${name} STATIC ${ARG_SOURCES})
  c3d_compile_options(c3d_${name})
  target_link_libraries(c3d_${name} PUBLIC ${ARG_LINKS})
endfunction()

# c3d_program(NAME SOURCES main.c LINKS modules): an installed program.
function(c3d_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  c3d_compile_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS})
  if(C3D_SANITIZE)
    target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/nodlclose.c)
  endif()
  install(TARGETS ${name})
endfunction()
