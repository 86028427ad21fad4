/* Sums per channel, second half: of one partial sum a block and channel. Private to
 * src/backend/cuda. */
#ifndef C3D_CUDA_CHANNELS_CUH
#define C3D_CUDA_CHANNELS_CUH

#include "backend/cuda/kernels.h"

/* out [P] = or += the sum of partials [n_blocks, P] over blocks. */
cudaError_t c3d_cuda_finish_sums(cudaStream_t stream, const float *partials, unsigned n_blocks,
                                 int n_lanes, float *out, bool accumulate);

#endif
