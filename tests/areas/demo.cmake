c3d_test(test_demo LABELS unit LINKS c3d_demo)
