c3d_test(test_backend_ref LABELS unit LINKS c3d_backend SOURCES support/op_run.c)
c3d_test(parity_backend LABELS parity LINKS c3d_backend SOURCES support/op_run.c ARGS onednn)
c3d_test(parity_entries LABELS parity LINKS c3d_backend SOURCES support/op_run.c ARGS onednn)

c3d_test(test_norm LABELS unit LINKS c3d_backend ARGS ref)
add_test(NAME parity_norm COMMAND test_norm onednn)
c3d_test_environment(parity_norm parity)
add_test(NAME parity_norm_bf16 COMMAND test_norm onednn bf16)
c3d_test_environment(parity_norm_bf16 parity)

# bf16 where the processor has it (skipped elsewhere), and its refusal where it has not.
add_test(NAME parity_backend_bf16 COMMAND parity_backend --precision bf16 onednn check:onednn)
add_test(NAME parity_entries_bf16 COMMAND parity_entries --precision bf16 onednn)
add_test(NAME parity_refuses_bf16 COMMAND parity_entries --precision bf16 onednn)
foreach(bf16 parity_backend_bf16 parity_entries_bf16 parity_refuses_bf16)
  c3d_test_environment(${bf16} parity)
endforeach()
set_property(TEST parity_refuses_bf16 APPEND PROPERTY ENVIRONMENT "DNNL_MAX_CPU_ISA=AVX512_CORE"
                                                                 "ONEDNN_MAX_CPU_ISA=AVX512_CORE")
set_tests_properties(parity_refuses_bf16 PROPERTIES SKIP_RETURN_CODE 78 PASS_REGULAR_EXPRESSION
  "model.precision bf16: this processor has neither avx512_bf16 nor amx; use fp32")

# Everything once more through check, which fails where a backend breaks the contract's rules.
c3d_test(test_check LABELS unit LINKS c3d_backend)
add_test(NAME test_backend_ref_checked COMMAND test_backend_ref check:ref)
add_test(NAME parity_backend_checked COMMAND parity_backend check:onednn check:ref)
add_test(NAME parity_entries_checked COMMAND parity_entries check:onednn)
add_test(NAME test_norm_checked COMMAND test_norm check:onednn)
foreach(checked test_backend_ref parity_backend parity_entries test_norm)
  c3d_test_environment(${checked}_checked parity)
endforeach()

# The library chooses other layouts and kernels for older processors.
foreach(isa SSE41 AVX2)
  foreach(parity parity_backend parity_entries)
    add_test(NAME ${parity}_${isa} COMMAND ${parity} onednn)
    c3d_test_environment(${parity}_${isa} parity)
    set_property(TEST ${parity}_${isa} APPEND PROPERTY ENVIRONMENT "DNNL_MAX_CPU_ISA=${isa}")
  endforeach()
  add_test(NAME parity_norm_${isa} COMMAND test_norm onednn)
  c3d_test_environment(parity_norm_${isa} parity)
  set_property(TEST parity_norm_${isa} APPEND PROPERTY ENVIRONMENT "DNNL_MAX_CPU_ISA=${isa}")
endforeach()

c3d_test(golden_test LABELS parity LINKS c3d_nn
         ARGS ${CMAKE_CURRENT_SOURCE_DIR}/golden ref onednn)
add_test(NAME golden_test_bf16
         COMMAND golden_test ${CMAKE_CURRENT_SOURCE_DIR}/golden --precision bf16 onednn)
c3d_test_environment(golden_test_bf16 parity)
add_test(NAME golden_test_checked COMMAND golden_test ${CMAKE_CURRENT_SOURCE_DIR}/golden check:onednn)
c3d_test_environment(golden_test_checked parity)

c3d_script_test(onednn3 LABELS slow COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/onednn3.sh)

# Fewer threads than asked for once left the library waiting for ever.
add_test(NAME parity_entries_thread_limit COMMAND parity_entries onednn)
c3d_test_environment(parity_entries_thread_limit parity)
set_property(TEST parity_entries_thread_limit APPEND PROPERTY ENVIRONMENT "OMP_THREAD_LIMIT=1"
                                                                         "OMP_DYNAMIC=true")
