c3d_test(test_safetensors LABELS unit LINKS c3d_tensor)
c3d_test(test_shapes LABELS unit LINKS c3d_nn)
c3d_test(test_model LABELS unit LINKS c3d_nn)
c3d_test(test_loader LABELS unit LINKS c3d_data)
