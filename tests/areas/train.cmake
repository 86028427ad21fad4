c3d_test(test_scores LABELS unit LINKS c3d_score)
c3d_test(test_facts LABELS unit LINKS c3d_train)
c3d_test(test_sheet LABELS unit LINKS c3d_score ARGS ${CMAKE_CURRENT_SOURCE_DIR}/golden/scores.json)
set(optimizer_fixture ${CMAKE_CURRENT_SOURCE_DIR}/golden/optimizer.safetensors)
c3d_test(test_optimizer LABELS unit LINKS c3d_train ARGS ${optimizer_fixture} ref)
add_test(NAME test_optimizer_onednn COMMAND test_optimizer ${optimizer_fixture} onednn)
c3d_test_environment(test_optimizer_onednn parity)
c3d_test(test_forecast LABELS unit LINKS c3d_train)
c3d_test(test_cut LABELS unit LINKS c3d_train)
c3d_test(test_stage LABELS unit LINKS c3d_train)
c3d_test(test_run_files LABELS unit LINKS c3d_train)
c3d_test(test_detect LABELS unit LINKS c3d_train)
c3d_test(test_events LABELS unit LINKS c3d_train
  ARGS ${CMAKE_CURRENT_SOURCE_DIR}/golden/events.bin)
c3d_test(test_ordered LABELS unit LINKS c3d_train)
foreach(n 2 4 8)
  add_test(NAME test_ordered_${n} COMMAND ${MPIEXEC_EXECUTABLE} -n ${n} $<TARGET_FILE:test_ordered>)
  c3d_test_environment(test_ordered_${n} mpi)
  set_tests_properties(test_ordered_${n} PROPERTIES TIMEOUT 120)
endforeach()
c3d_test(test_debug LABELS "unit;slow" LINKS c3d_train) # train_debug runs with the sanitizers
c3d_test(test_site LABELS unit LINKS c3d_train)
c3d_test(test_place LABELS unit LINKS c3d_comm)

add_executable(compare_tensors compare_tensors.c)
c3d_compile_options(compare_tensors)
target_link_libraries(compare_tensors PRIVATE c3d_tensor c3d_base m)

c3d_test(test_judge LABELS unit LINKS c3d_comm)
add_executable(watched_ranks watched_ranks.c)
c3d_compile_options(watched_ranks)
target_link_libraries(watched_ranks PRIVATE c3d_comm c3d_base)
if(C3D_SANITIZE)
  target_sources(watched_ranks PRIVATE support/nodlclose.c)
endif()

add_executable(relabel relabel.c)
c3d_compile_options(relabel)
target_link_libraries(relabel PRIVATE c3d_data c3d_base)
add_executable(plant_openings plant_openings.c)
c3d_compile_options(plant_openings)
target_link_libraries(plant_openings PRIVATE c3d_data c3d_base)
add_executable(scale_layer scale_layer.c)
c3d_compile_options(scale_layer)
target_link_libraries(scale_layer PRIVATE c3d_tensor c3d_base)
add_executable(plant_infinity plant_infinity.c)
c3d_compile_options(plant_infinity)
target_link_libraries(plant_infinity PRIVATE c3d_data c3d_base)

foreach(name train_store train_bf16 train_resume train_ranks train_errors train_practice
             train_diverged train_readers train_classes train_logs train_plan plan_memory train_debug
             train_syscalls train_save train_elastic train_norm train_check train_state train_ordered
             evaluate_ranks evaluate_history train_stage train_fold train_months watch)
  c3d_script_test(${name} LABELS mpi COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/${name}.sh)
  set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT
    "C3D_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
    "C3D_TEST_STORE=${CMAKE_CURRENT_BINARY_DIR}/scratch/train_store")
  if(name STREQUAL train_store)
    set_tests_properties(${name} PROPERTIES FIXTURES_SETUP train_store)
  else()
    set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED train_store)
  endif()
endforeach()
set_tests_properties(train_months plan_memory train_syscalls train_elastic evaluate_ranks evaluate_history train_practice train_stage
  train_fold train_ranks train_bf16
  train_norm train_classes train_ordered train_state train_check train_plan watch
  PROPERTIES LABELS "slow;mpi")
set_tests_properties(train_errors train_diverged train_debug PROPERTIES LABELS "mpi;sanitized")

c3d_script_test(train_time LABELS "slow;mpi" COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/train_time.sh)
c3d_script_test(train_sinop LABELS "slow;mpi;data" COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/train_sinop.sh)

# Short rounds of the long fault tests.
foreach(kind stops kills build-kills)
  c3d_script_test(soak_${kind} LABELS "slow;mpi" COMMAND bash ${CMAKE_SOURCE_DIR}/tests/soak.sh ${kind} 2)
endforeach()
c3d_script_test(scaling_model LABELS unit COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/scaling_model.sh)
c3d_script_test(train_place LABELS mpi COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/train_place.sh)
