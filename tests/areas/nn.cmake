c3d_test(test_safetensors LABELS unit LINKS c3d_tensor)
