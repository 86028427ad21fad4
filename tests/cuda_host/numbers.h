// Element types of the libraries and the way to and from float: rounded once, to the nearest, ties
// to even.
#ifndef C3D_CUDA_HOST_NUMBERS_H
#define C3D_CUDA_HOST_NUMBERS_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace cuda_host
{

enum class number { f32, bf16, f16, f64, i32, i8 };

inline size_t number_size(number type)
{
    switch (type) {
    case number::f64: return 8;
    case number::f32:
    case number::i32: return 4;
    case number::i8: return 1;
    default: return 2;
    }
}

inline float number_load(number type, const void *from, size_t i)
{
    switch (type) {
    case number::f32: return static_cast<const float *>(from)[i];
    case number::bf16: return __bfloat162float(static_cast<const __nv_bfloat16 *>(from)[i]);
    case number::f16: return __half2float(static_cast<const __half *>(from)[i]);
    case number::f64: return (float)static_cast<const double *>(from)[i];
    case number::i32: return (float)static_cast<const int32_t *>(from)[i];
    default: return (float)static_cast<const int8_t *>(from)[i];
    }
}

inline void number_store(number type, void *to, size_t i, float value)
{
    switch (type) {
    case number::f32: static_cast<float *>(to)[i] = value; break;
    case number::bf16: static_cast<__nv_bfloat16 *>(to)[i] = __float2bfloat16_rn(value); break;
    case number::f16: static_cast<__half *>(to)[i] = __float2half_rn(value); break;
    case number::f64: static_cast<double *>(to)[i] = (double)value; break;
    case number::i32: static_cast<int32_t *>(to)[i] = (int32_t)value; break;
    default: static_cast<int8_t *>(to)[i] = (int8_t)value; break;
    }
}

// As tensor cores take float: 10 bits behind the point, to the nearest.
inline float number_tf32(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7f800000) == 0x7f800000) return value;
    bits += 0xfff + (bits >> 13 & 1);
    bits &= ~(uint32_t)0x1fff;
    memcpy(&value, &bits, sizeof value);
    return value;
}

} // namespace cuda_host

#endif
