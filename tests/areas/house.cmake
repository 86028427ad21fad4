c3d_test(test_config LABELS unit LINKS c3d_config)
