// cuDNN's backend interface on the host: what its parts share.
#ifndef C3D_CUDA_HOST_DNN_H
#define C3D_CUDA_HOST_DNN_H

#include "device.h"
#include "numbers.h"

#include <cudnn.h>
#include <map>
#include <string>
#include <vector>

struct cudnnContext {
    cudaStream_t stream;
};

namespace cuda_host
{

struct descriptor;
using descriptor_pointer = std::shared_ptr<descriptor>;

struct attribute {
    cudnnBackendAttributeType_t type;
    int64_t count;
    std::vector<char> bytes;                // of values, or
    std::vector<descriptor_pointer> inside; // these
};

struct descriptor {
    cudnnBackendDescriptorType_t type;
    bool finalized = false;
    std::map<int, attribute> attributes;

    bool has(int name) const;
    int64_t integer(int name, int64_t otherwise = 0) const; // of any integer type and enums
    double real(int name, double otherwise) const;
    std::vector<int64_t> integers(int name) const;
    std::vector<void *> pointers(int name) const;
    descriptor_pointer inner(int name) const; // NULL when there is none
};

// Remembers the words for cudnnGetLastErrorString.
cudnnStatus_t dnn_fail(cudnnStatus_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// What real cuDNN would refuse when a descriptor is finalised.
cudnnStatus_t dnn_check(descriptor &d);

// ---- tensors
// -------------------------------------------------------------------------------------

struct tensor {
    int64_t uid;
    number type;
    bool is_virtual;
    int64_t alignment;
    int64_t dims[5], strides[5]; // n, c, d, h, w; d is 1 where the descriptor has four axes
    size_t count() const;
    size_t n_bytes() const; // up to its last element
};
tensor tensor_of(const descriptor &d);

// ---- engines
// -------------------------------------------------------------------------------------

enum class pattern {
    none,
    forward,
    backward_x,
    backward_w,
    pointwise, // or reductions alone
};

struct engine {
    int64_t index;
    std::vector<cudnnBackendNumericalNote_t> notes;
    std::vector<cudnnBackendBehaviorNote_t> behavior;
    int64_t n_workspace;
    bool finalizes; // false: heuristics name it, but it refuses the graph
};

// How operations follow each other, and whether an engine takes that.
cudnnStatus_t graph_check(const descriptor &graph, pattern *out);
std::vector<engine> graph_engines(const descriptor &graph);
// The heuristics' numbers of engines, best first.
std::vector<int64_t> graph_heuristics(const descriptor &graph, cudnnBackendHeurMode_t mode);

// Computes all operations; tensors by their unique numbers. tf32: operands of a convolution are
// rounded to it; luck: results that float does not hold are rounded up or down as it comes.
void graph_run(const descriptor &graph, const std::map<int64_t, void *> &tensors, bool tf32,
               bool luck);

} // namespace cuda_host

#endif
