/* The stand-ins for CUDA's libraries show the mistakes they are made to show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <cublasLt.h>
#include <cuda_runtime_api.h>

#define OK(call) assert_int_equal((call), 0)

enum { N = 1000 };

typedef struct things {
    cudaStream_t streams[2];
    cudaEvent_t event;
    char *device;
    char *pinned;
} things;

static int set_up(void **state)
{
    things *t = calloc(1, sizeof *t);

    for (int i = 0; i < 2; i++)
        if (cudaStreamCreateWithFlags(&t->streams[i], cudaStreamNonBlocking) != 0) return -1;
    if (cudaEventCreateWithFlags(&t->event, cudaEventDisableTiming) != 0) return -1;
    if (cudaMalloc((void **)&t->device, N) != 0) return -1;
    if (cudaHostAlloc((void **)&t->pinned, N, cudaHostAllocDefault) != 0) return -1;
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    things *t = *state;
    const int bad = cudaFree(t->device) != 0 || cudaFreeHost(t->pinned) != 0 ||
                    cudaEventDestroy(t->event) != 0 || cudaStreamDestroy(t->streams[0]) != 0 ||
                    cudaStreamDestroy(t->streams[1]) != 0;

    free(t);
    return bad ? -1 : 0;
}

/* 7 is written by one stream and read by the other. */
static char read_by_other(things *t, bool with_event)
{
    OK(cudaMemsetAsync(t->device, 1, N, t->streams[0]));
    OK(cudaStreamSynchronize(t->streams[0]));
    OK(cudaMemsetAsync(t->device, 7, N, t->streams[0]));
    if (with_event) {
        OK(cudaEventRecord(t->event, t->streams[0]));
        OK(cudaStreamWaitEvent(t->streams[1], t->event, 0));
    }
    OK(cudaMemcpyAsync(t->pinned, t->device, N, cudaMemcpyDeviceToHost, t->streams[1]));
    OK(cudaStreamSynchronize(t->streams[1]));
    const char value = t->pinned[N - 1];
    OK(cudaDeviceSynchronize());
    return value;
}

static void a_missing_event_shows(void **state)
{
    assert_int_equal(read_by_other(*state, false), 1);
    assert_int_equal(read_by_other(*state, true), 7);
}

static void a_buffer_reused_too_early_shows(void **state)
{
    things *t = *state;
    char back[N], pageable[N];

    memset(t->pinned, 3, N);
    OK(cudaMemcpyAsync(t->device, t->pinned, N, cudaMemcpyHostToDevice, t->streams[0]));
    memset(t->pinned, 4, N);
    OK(cudaMemcpyAsync(back, t->device, N, cudaMemcpyDeviceToHost, t->streams[0]));
    assert_int_equal(back[0], 4);
    memset(pageable, 5, N);
    OK(cudaMemcpyAsync(t->device, pageable, N, cudaMemcpyHostToDevice, t->streams[0]));
    memset(pageable, 6, N);
    OK(cudaMemcpyAsync(back, t->device, N, cudaMemcpyDeviceToHost, t->streams[0]));
    assert_int_equal(back[0], 5);
}

static void a_result_is_not_there_before_it_is_waited_for(void **state)
{
    things *t = *state;

    memset(t->pinned, 9, N);
    OK(cudaMemsetAsync(t->device, 2, N, t->streams[0]));
    OK(cudaMemcpyAsync(t->pinned, t->device, N, cudaMemcpyDeviceToHost, t->streams[0]));
    OK(cudaEventRecord(t->event, t->streams[0]));
    assert_int_equal(cudaEventQuery(t->event), cudaErrorNotReady);
    assert_int_equal(cudaGetLastError(), cudaErrorNotReady);
    assert_int_equal(t->pinned[0], 9);
    while (cudaEventQuery(t->event) == cudaErrorNotReady) continue;
    assert_int_equal(t->pinned[0], 2);
    (void)cudaGetLastError();
}

/* What the default stream does, streams that do not block for it do not see. */
static void the_default_stream_is_not_waited_for(void **state)
{
    things *t = *state;

    OK(cudaMemset(t->device, 1, N));
    OK(cudaDeviceSynchronize());
    OK(cudaMemset(t->device, 2, N));
    OK(cudaMemcpyAsync(t->pinned, t->device, N, cudaMemcpyDeviceToHost, t->streams[0]));
    OK(cudaStreamSynchronize(t->streams[0]));
    assert_int_equal(t->pinned[0], 1);
}

static void fresh_memory_is_nan(void **state)
{
    float values[4], *device;

    (void)state;
    OK(cudaMalloc((void **)&device, sizeof values));
    OK(cudaMemcpy(values, device, sizeof values, cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < 4; i++) assert_true(values[i] != values[i]);
    OK(cudaFree(device));
    assert_int_equal(cudaMemcpy(values, device, sizeof values, cudaMemcpyDeviceToHost),
                     cudaErrorInvalidValue);
    (void)cudaGetLastError();
}

/* How a child ends that does something forbidden. */
static int fate(void (*what)(things *t), things *t)
{
    int status = 0;
    const pid_t child = fork();

    if (child == 0) {
        (void)freopen("/dev/null", "w", stderr);
        what(t);
        _exit(0);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

static void touch_device(things *t)
{
    t->device[0] = 1;
}

static void unpin_in_use(things *t)
{
    char *memory = malloc(N);

    if (cudaHostRegister(memory, N, 0) != 0) return;
    if (cudaMemcpyAsync(t->device, memory, N, cudaMemcpyHostToDevice, t->streams[0]) != 0) return;
    if (cudaHostUnregister(memory) != 0) return;
    (void)cudaStreamSynchronize(t->streams[0]);
}

static void write_behind(things *t)
{
    if (cudaMemcpy(t->device, t->device, N, cudaMemcpyDeviceToDevice) != 0) return;
    t->device[N] = 1;
    (void)cudaFree(t->device);
}

static void forbidden_things_end_the_program(void **state)
{
    assert_int_not_equal(fate(touch_device, *state), 0);
    assert_int_not_equal(fate(unpin_in_use, *state), 0);
    assert_int_not_equal(fate(write_behind, *state), 0);
}

/* D[m, n] = relu(A[m, k] B[k, n] + bias[m]) in columns. */
static void a_product_with_its_epilogue(void **state)
{
    enum { ROWS = 8, INNER = 3, COLUMNS = 2 };
    things *t = *state;
    float a[ROWS * INNER], b[INNER * COLUMNS], bias[ROWS], d[ROWS * COLUMNS], *device;
    const float one = 1, zero = 0;
    const uint32_t epilogue = CUBLASLT_EPILOGUE_RELU_BIAS;
    cublasLtHandle_t handle;
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t la, lb, ld;

    for (int i = 0; i < ROWS * INNER; i++) a[i] = (float)(i % 5 - 2);
    for (int i = 0; i < INNER * COLUMNS; i++) b[i] = (float)(i % 3 - 1);
    for (int i = 0; i < ROWS; i++) bias[i] = (float)(i - 3);
    OK(cudaMalloc((void **)&device, 4096));
    OK(cudaMemcpy(device, a, sizeof a, cudaMemcpyHostToDevice));
    OK(cudaMemcpy(device + 256, b, sizeof b, cudaMemcpyHostToDevice));
    OK(cudaMemcpy(device + 512, bias, sizeof bias, cudaMemcpyHostToDevice));
    OK(cudaDeviceSynchronize());
    float *const device_bias = device + 512;
    OK(cublasLtCreate(&handle));
    OK(cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    OK(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                      sizeof epilogue));
    OK(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &device_bias,
                                      sizeof device_bias));
    OK(cublasLtMatrixLayoutCreate(&la, CUDA_R_32F, ROWS, INNER, ROWS));
    OK(cublasLtMatrixLayoutCreate(&lb, CUDA_R_32F, INNER, COLUMNS, INNER));
    OK(cublasLtMatrixLayoutCreate(&ld, CUDA_R_32F, ROWS, COLUMNS, ROWS));
    OK(cublasLtMatmul(handle, desc, &one, device, la, device + 256, lb, &zero, device + 768, ld,
                      device + 768, ld, NULL, NULL, 0, t->streams[0]));
    OK(cudaMemcpyAsync(d, device + 768, sizeof d, cudaMemcpyDeviceToHost, t->streams[0]));
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) {
            float sum = bias[i];
            for (int k = 0; k < INNER; k++) sum += a[k * ROWS + i] * b[j * INNER + k];
            assert_true(d[j * ROWS + i] == (sum > 0 ? sum : 0));
        }
    OK(cublasLtMatrixLayoutDestroy(la));
    OK(cublasLtMatrixLayoutDestroy(lb));
    OK(cublasLtMatrixLayoutDestroy(ld));
    OK(cublasLtMatmulDescDestroy(desc));
    OK(cublasLtDestroy(handle));
    OK(cudaFree(device));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_missing_event_shows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_buffer_reused_too_early_shows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_result_is_not_there_before_it_is_waited_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_default_stream_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fresh_memory_is_nan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forbidden_things_end_the_program, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_product_with_its_epilogue, set_up, tear_down),
    };

    (void)setenv("C3D_CUDA_HOST", "lazy", 1);
    (void)setenv("C3D_CUDA_HOST_PROTECT", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
