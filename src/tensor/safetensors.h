/* Parts that reader and writer of safetensors share. Private to module tensor. */
#ifndef C3D_TENSOR_SAFETENSORS_H
#define C3D_TENSOR_SAFETENSORS_H

#include "c3d/tensor.h"

#define SAFETENSORS_HEADER_MAX 100000000u
#define SAFETENSORS_METADATA   "__metadata__"
#define SAFETENSORS_CHECKSUM   "checksum"
#define SAFETENSORS_HEX_DIGITS 16
/* XXH3 of the header's text with 0 for every digit of both checksums. */
#define SAFETENSORS_HEADER_CHECKSUM "header_checksum"

/* The format's own names: "F32", "U16", ... */
const char *c3d_safetensors_dtype_name(c3d_dtype dtype);
bool c3d_safetensors_dtype_from_name(const char *name, c3d_dtype *out);
/* Product of the axes times the element size; false when an axis is negative or it wraps. */
bool c3d_safetensors_n_bytes(c3d_dtype dtype, int rank, const int64_t *shape, uint64_t *out);

#endif
