/* Engines timed, the fastest kept on disk and found again, what is kept but no use, and that each
 * way a plan is made computes the same: with stand-ins for CUDA's libraries. */
#include "backend/cuda/dnn.h"

#include <cuda_runtime_api.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#define DIR_NAME "scratch-tune"
#define N_X      (2 * 8 * 3 * 5 * 5)

static const c3d_dnn_conv ones = {
    .kind = C3D_DNN_FORWARD,
    .precision = C3D_PRECISION_TF32, /* of which there are several */
    .x = { 2, 8, 3, 5, 5 },
    .y = { 2, 8, 3, 5, 5 },
    .kernel = { 3, 3, 3 },
    .stride = { 1, 1, 1 },
    .pad_before = { 1, 1, 1 },
    .pad_after = { 1, 1, 1 },
};

static void must(c3d_status st)
{
    if (st != C3D_OK) fail_msg("%s", c3d_error_last()->message);
}

/* Name of the only file of the folder; the number of files. */
static int files(char name[256])
{
    DIR *dir = opendir(DIR_NAME);
    int n = 0;

    if (!dir) return 0;
    for (const struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        (void)snprintf(name, 256, "%s", e->d_name);
        n++;
    }
    (void)closedir(dir);
    return n;
}

static int remove_files(void **state)
{
    char name[256], path[C3D_PATH_MAX];
    (void)state;

    while (files(name) > 0) {
        must(c3d_path_join(path, DIR_NAME, name));
        assert_int_equal(remove(path), 0);
    }
    return 0;
}

static void *device_of(const float *values, size_t n)
{
    void *memory;

    assert_int_equal(cudaMalloc(&memory, n * sizeof *values), 0);
    if (values)
        assert_int_equal(cudaMemcpy(memory, values, n * sizeof *values, cudaMemcpyHostToDevice), 0);
    return memory;
}

/* x and w of ones: y counts the window's elements inside, times 8 channels. */
static void check_run(c3d_dnn *dnn, c3d_dnn_plan *plan, cudaStream_t stream)
{
    enum { N_W = 8 * 27 * 8 };
    float values[N_W > N_X ? N_W : N_X], y[N_X];
    void *workspace = device_of(NULL, c3d_dnn_plan_workspace(plan) / sizeof(float) + 1);

    for (size_t i = 0; i < C3D_COUNT(values); i++) values[i] = 1;
    void *tensors[C3D_DNN_ROLES] = { [C3D_DNN_X] = device_of(values, N_X),
                                     [C3D_DNN_W] = device_of(values, N_W),
                                     [C3D_DNN_Y] = device_of(NULL, N_X) };
    must(c3d_dnn_run(dnn, plan, tensors, workspace));
    assert_int_equal(cudaStreamSynchronize(stream), 0);
    assert_int_equal(cudaMemcpy(y, tensors[C3D_DNN_Y], sizeof y, cudaMemcpyDeviceToHost), 0);
    assert_true(y[0] == 8.0F * 8);                          /* a corner */
    assert_true(y[((1 * 5 + 2) * 5 + 2) * 8] == 27.0F * 8); /* the middle */
    assert_true(y[N_X - 8 - 1] == 12.0F * 8);               /* an edge */
    for (int role = 0; role < C3D_DNN_ROLES; role++) (void)cudaFree(tensors[role]);
    (void)cudaFree(workspace);
}

/* The plan's text, after it was made anew and run. */
static void plan_text(const c3d_dnn_options *like, char text[96])
{
    c3d_dnn_options options = *like;
    c3d_dnn *dnn;
    c3d_dnn_plan *plan;
    cudaStream_t stream;

    assert_int_equal(cudaStreamCreate(&stream), 0);
    options.stream = stream;
    must(c3d_dnn_open(&options, &dnn));
    must(c3d_dnn_plan_create(dnn, &ones, &plan));
    (void)c3d_dnn_plan_text(plan, text);
    check_run(dnn, plan, stream);
    c3d_dnn_plan_free(plan);
    c3d_dnn_close(dnn);
    assert_int_equal(cudaStreamDestroy(stream), 0);
}

static const c3d_dnn_options tuned = { .autotune = true, .cache_dir = DIR_NAME };

static void expect_words(const char *text, const char *words)
{
    if (!strstr(text, words)) fail_msg("\"%s\" is not in \"%s\"", words, text);
}

static void test_kept_and_found(void **state)
{
    char text[96], name[256];
    int first, again;
    (void)state;

    plan_text(&tuned, text);
    expect_words(text, "fastest of");
    assert_int_equal(sscanf(text, "engine %d", &first), 1);
    assert_int_equal(files(name), 1);
    plan_text(&tuned, text);
    expect_words(text, "remembered");
    assert_int_equal(sscanf(text, "engine %d", &again), 1);
    assert_int_equal(again, first);
    assert_int_equal(files(name), 1);
}

/* Nonsense, and a choice of an engine that is none: both are made anew, and kept. */
static void test_no_use(void **state)
{
    char text[96], name[256], path[C3D_PATH_MAX], other[1024], *kept, *engine;
    (void)state;

    plan_text(&tuned, text);
    assert_int_equal(files(name), 1);
    must(c3d_path_join(path, DIR_NAME, name));
    must(c3d_file_write(path, "nonsense", 8));
    plan_text(&tuned, text);
    expect_words(text, "fastest of");

    must(c3d_file_read(path, &kept, NULL));
    engine = strstr(kept, "\nengine ");
    assert_non_null(engine);
    (void)snprintf(other, sizeof other, "%.*s\nengine 99999\nend\n", (int)(engine - kept), kept);
    must(c3d_file_write(path, other, strlen(other)));
    free(kept);
    plan_text(&tuned, text);
    expect_words(text, "fastest of");
    plan_text(&tuned, text);
    expect_words(text, "remembered");
}

/* Nothing is timed, so nothing is kept, nor is what was kept used. */
static void test_deterministic(void **state)
{
    c3d_dnn_options options = tuned;
    char text[96], name[256];
    (void)state;

    options.deterministic = true;
    plan_text(&options, text);
    expect_words(text, "first of");
    assert_int_equal(files(name), 0);
    options = (c3d_dnn_options){ .cache_dir = DIR_NAME };
    plan_text(&options, text);
    expect_words(text, "first of");
    assert_int_equal(files(name), 0);
    options = (c3d_dnn_options){ .autotune = true };
    plan_text(&options, text);
    expect_words(text, "fastest of");
    assert_int_equal(files(name), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_kept_and_found, remove_files),
        cmocka_unit_test_setup(test_no_use, remove_files),
        cmocka_unit_test_setup(test_deterministic, remove_files),
    };

    return cmocka_run_group_tests(tests, NULL, remove_files);
}
