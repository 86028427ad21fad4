c3d_test(parity_backend LABELS parity LINKS c3d_backend SOURCES support/op_run.c ARGS onednn)
