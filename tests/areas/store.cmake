c3d_test(test_shard LABELS unit LINKS c3d_data)
