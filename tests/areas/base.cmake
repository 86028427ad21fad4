c3d_test(test_base LABELS unit LINKS c3d_base)
c3d_test(test_comm LABELS unit LINKS c3d_comm)
foreach(n 2 3 4)
  add_test(NAME test_comm_${n} COMMAND ${MPIEXEC_EXECUTABLE} -n ${n} $<TARGET_FILE:test_comm>)
  c3d_test_environment(test_comm_${n} mpi)
  set_tests_properties(test_comm_${n} PROPERTIES TIMEOUT 120) # ranks that disagree wait for ever
endforeach()
# exit code 3 is that of the error rank 0 leaves with
add_test(NAME test_comm_leave COMMAND sh -c
         "\"$1\" -n 2 \"$2\" leave; test $? = 3" sh ${MPIEXEC_EXECUTABLE} $<TARGET_FILE:test_comm>)
c3d_test_environment(test_comm_leave mpi)
set_tests_properties(test_comm_leave PROPERTIES TIMEOUT 120)
