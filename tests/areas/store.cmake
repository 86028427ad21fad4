c3d_test(test_shard LABELS unit LINKS c3d_data)
c3d_test(test_scene LABELS unit LINKS c3d_data)
c3d_test(test_samples LABELS unit LINKS c3d_data)
