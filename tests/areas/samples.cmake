c3d_test(test_order LABELS unit LINKS c3d_data)
c3d_test(test_augment LABELS unit LINKS c3d_data)

c3d_script_test(train_samples LABELS mpi COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/train_samples.sh)
set_property(TEST train_samples APPEND PROPERTY ENVIRONMENT
  "C3D_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
  "C3D_TEST_STORE=${CMAKE_CURRENT_BINARY_DIR}/scratch/train_store")
set_tests_properties(train_samples PROPERTIES FIXTURES_REQUIRED train_store)

c3d_test(golden_loss LABELS parity LINKS c3d_tensor c3d_backend
         ARGS ${CMAKE_CURRENT_SOURCE_DIR}/golden ref onednn check:onednn)
