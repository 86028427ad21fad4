# A SLURM of the test's own where it is installed; skipped elsewhere.
foreach(name jobs limit nodes)
  c3d_script_test(slurm_${name} LABELS "slurm;mpi" COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/slurm/${name}.sh)
  set_property(TEST slurm_${name} APPEND PROPERTY ENVIRONMENT
    "C3D_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
    "C3D_TEST_STORE=${CMAKE_CURRENT_BINARY_DIR}/scratch/train_store")
  set_tests_properties(slurm_${name} PROPERTIES FIXTURES_REQUIRED train_store)
endforeach()

# Two hosts and mpirun alone; skipped where no hosts can be made. Its label keeps it to one preset.
c3d_script_test(hosts_cut LABELS "slurm;mpi" COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/hosts/cut.sh)
set_property(TEST hosts_cut APPEND PROPERTY ENVIRONMENT
  "C3D_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
  "C3D_TEST_STORE=${CMAKE_CURRENT_BINARY_DIR}/scratch/train_store")
set_tests_properties(hosts_cut PROPERTIES FIXTURES_REQUIRED train_store)

# without the sanitizers, which want to be loaded first
add_library(slow_reads MODULE slow_reads.c)
target_compile_options(slow_reads PRIVATE ${C3D_WARNINGS})
target_compile_definitions(slow_reads PRIVATE _GNU_SOURCE)
set_target_properties(slow_reads PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})

c3d_script_test(slurm_no_pmi LABELS mpi COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/slurm/no_pmi.sh)
c3d_script_test(slurm_scripts LABELS unit COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/slurm/scripts.sh)
