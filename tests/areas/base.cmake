c3d_test(test_base LABELS unit LINKS c3d_base)
