c3d_test(test_demo LABELS "unit;slow" LINKS c3d_demo)
