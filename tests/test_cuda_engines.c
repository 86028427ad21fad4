/* Which of cuDNN's engines are taken, and that a choice can be kept and found again: on devices
 * that are not here (see test_cuda_plans.c), so that nothing runs. */
#include "backend/cuda/dnn_graph.h"

#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

static const char *json_dir;

/* A search on one of tests/cuda/NAME.json. */
typedef struct fixture {
    c3d_dnn_search search;
    c3d_dnn_graph graph;
    c3d_dnn_candidates found;
} fixture;

static const c3d_dnn_conv middle = {
    .kind = C3D_DNN_BACKWARD_X,
    .precision = C3D_PRECISION_FP32,
    .x = { 8, 128, 8, 28, 28 },
    .y = { 8, 256, 8, 28, 28 },
    .kernel = { 3, 3, 3 },
    .stride = { 1, 1, 1 },
    .pad_before = { 1, 1, 1 },
    .pad_after = { 1, 1, 1 },
};

static void must(c3d_status st)
{
    if (st != C3D_OK) fail_msg("%s", c3d_error_last()->message);
}

static void find(fixture *f, const char *name, c3d_dnn_conv conv, bool deterministic)
{
    char path[C3D_PATH_MAX], *json;

    must(c3d_path_join(path, json_dir, name));
    must(c3d_file_read(path, &json, NULL));
    *f = (fixture){ .search = { .precision = conv.precision,
                                .deterministic = deterministic,
                                .workspace_max = (size_t)1 << 33,
                                .n_wanted = C3D_DNN_CANDIDATES } };
    assert_int_equal(
        cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &f->search.device_prop),
        CUDNN_STATUS_SUCCESS);
    assert_int_equal(cudnnBackendSetAttribute(f->search.device_prop,
                                              CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                              CUDNN_TYPE_CHAR, (int64_t)strlen(json), json),
                     CUDNN_STATUS_SUCCESS);
    /* newer ones want a driver's library to be there even where they plan without a device */
    const cudnnStatus_t st = cudnnBackendFinalize(f->search.device_prop);
    if (st == CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED) skip();
    assert_int_equal(st, CUDNN_STATUS_SUCCESS);
    free(json);
    must(c3d_dnn_graph_make(&conv, NULL, &f->graph));
    must(c3d_dnn_engines_find(&f->search, &f->graph, &f->found));
}

static void drop(fixture *f)
{
    c3d_dnn_candidates_free(&f->found);
    c3d_dnn_graph_free(&f->graph);
    (void)cudnnBackendDestroyDescriptor(f->search.device_prop);
}

static bool has_note(const c3d_dnn_candidate *c, cudnnBackendNumericalNote_t note)
{
    cudnnBackendDescriptor_t engine;
    cudnnBackendNumericalNote_t notes[32];
    int64_t n;
    bool found = false;

    assert_int_equal(cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine), 0);
    assert_int_equal(cudnnBackendGetAttribute(c->config, CUDNN_ATTR_ENGINECFG_ENGINE,
                                              CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n,
                                              (void *)&engine),
                     0);
    assert_int_equal(cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                              CUDNN_TYPE_NUMERICAL_NOTE, 32, &n, notes),
                     0);
    for (int64_t i = 0; i < n; i++) found = found || notes[i] == note;
    (void)cudnnBackendDestroyDescriptor(engine);
    return found;
}

static int count(const fixture *f, cudnnBackendNumericalNote_t note)
{
    int n = 0;

    for (int i = 0; i < f->found.n; i++) n += has_note(&f->found.list[i], note);
    return n;
}

/* Each rule where the same search without it does find such engines. */
static void test_left_out(void **state)
{
    fixture f;
    c3d_dnn_conv conv = middle;
    (void)state;

    find(&f, "a100.json", conv, false);
    assert_int_equal(count(&f, CUDNN_NUMERICAL_NOTE_TENSOR_CORE), 0);
    assert_int_equal(count(&f, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS), 0);
    assert_true(count(&f, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) > 0);
    drop(&f);
    find(&f, "a100.json", conv, true);
    assert_true(f.found.n > 0);
    assert_int_equal(count(&f, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC), 0);
    drop(&f);
    conv.precision = C3D_PRECISION_TF32;
    find(&f, "a100.json", conv, false);
    assert_true(count(&f, CUDNN_NUMERICAL_NOTE_TENSOR_CORE) > 0);
    drop(&f);
    /* two dimensions: where the library would propose Winograd's transform */
    conv = (c3d_dnn_conv){ .kind = C3D_DNN_FORWARD,
                           .precision = C3D_PRECISION_FP16,
                           .x = { 8, 64, 1, 56, 56 },
                           .y = { 8, 64, 1, 56, 56 },
                           .kernel = { 1, 3, 3 },
                           .stride = { 1, 1, 1 },
                           .pad_before = { 0, 1, 1 },
                           .pad_after = { 0, 1, 1 } };
    find(&f, "t4.json", conv, false);
    assert_true(f.found.n > 0);
    assert_int_equal(count(&f, CUDNN_NUMERICAL_NOTE_WINOGRAD), 0);
    assert_int_equal(count(&f, CUDNN_NUMERICAL_NOTE_FFT), 0);
    assert_int_equal(count(&f, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION), 0);
    drop(&f);
}

static void test_no_engine_twice(void **state)
{
    fixture f;
    c3d_dnn_conv conv = middle;
    (void)state;

    conv.precision = C3D_PRECISION_BF16;
    find(&f, "h200.json", conv, false);
    assert_true(f.found.n > 4);
    for (int i = 0; i < f.found.n; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(&f.found.list[i].choice, &f.found.list[j].choice,
                                    sizeof(c3d_dnn_choice));
    drop(&f);
}

/* A choice made ready from its numbers alone is what the heuristics proposed. */
static void test_choice_again(void **state)
{
    static const c3d_dnn_kind kinds[] = { C3D_DNN_FORWARD_BIAS_RELU, C3D_DNN_BACKWARD_X,
                                          C3D_DNN_BACKWARD_W_LOW };
    fixture f;
    c3d_dnn_candidate again;
    (void)state;

    for (size_t k = 0; k < C3D_COUNT(kinds); k++) {
        c3d_dnn_conv conv = middle;
        conv.kind = kinds[k];
        conv.precision = C3D_PRECISION_BF16;
        find(&f, "h200.json", conv, false);
        assert_true(f.found.n > 1);
        for (int i = 0; i < f.found.n; i++) {
            const c3d_dnn_candidate *c = &f.found.list[i];
            if (i == 0) assert_true(c->choice.n_knobs > 0);
            must(c3d_dnn_engine_ready(&f.search, &f.graph, &c->choice, &again));
            assert_memory_equal(&again.choice, &c->choice, sizeof again.choice);
            assert_int_equal(again.workspace, c->workspace);
            c3d_dnn_candidate_free(&again);
        }
        drop(&f);
    }
}

/* What another version or device kept is refused and leaves nothing behind. */
static void test_choice_of_another(void **state)
{
    fixture f;
    c3d_dnn_candidate again;
    c3d_dnn_choice choice;
    (void)state;

    find(&f, "a100.json", middle, true);
    choice = f.found.list[0].choice;
    choice.engine = 4711;
    assert_int_not_equal(c3d_dnn_engine_ready(&f.search, &f.graph, &choice, &again), C3D_OK);
    assert_null(again.plan);
    drop(&f);

    /* of a device with tensor cores, where they may not be used */
    c3d_dnn_conv conv = middle;
    conv.precision = C3D_PRECISION_TF32;
    find(&f, "a100.json", conv, false);
    for (int i = 0; i < f.found.n; i++) {
        if (!has_note(&f.found.list[i], CUDNN_NUMERICAL_NOTE_TENSOR_CORE)) continue;
        f.search.precision = C3D_PRECISION_FP32;
        assert_int_equal(c3d_dnn_engine_ready(&f.search, &f.graph, &f.found.list[i].choice, &again),
                         C3D_EUNSUPPORTED);
        assert_null(again.plan);
    }
    assert_int_equal(f.search.precision, C3D_PRECISION_FP32);
    drop(&f);
}

/* Of those above the limit the least, and only when there is no other. */
static void test_workspace(void **state)
{
    fixture f;
    size_t least = SIZE_MAX, most = 0;
    (void)state;

    find(&f, "h200.json", middle, false);
    for (int i = 0; i < f.found.n; i++) {
        const size_t n = f.found.list[i].workspace;
        if (n < least) least = n;
        if (n > most) most = n;
    }
    assert_true(least < most);
    c3d_dnn_candidates_free(&f.found);
    f.search.workspace_max = most - 1;
    must(c3d_dnn_engines_find(&f.search, &f.graph, &f.found));
    assert_true(f.found.n > 0);
    for (int i = 0; i < f.found.n; i++) assert_true(f.found.list[i].workspace < most);
    drop(&f);

    c3d_dnn_conv conv = middle;
    conv.kind = C3D_DNN_BACKWARD_W;
    conv.precision = C3D_PRECISION_TF32;
    find(&f, "a100.json", conv, true);
    least = SIZE_MAX;
    for (int i = 0; i < f.found.n; i++)
        if (f.found.list[i].workspace < least) least = f.found.list[i].workspace;
    if (least > 0) {
        c3d_dnn_candidates_free(&f.found);
        f.search.workspace_max = 0;
        must(c3d_dnn_engines_find(&f.search, &f.graph, &f.found));
        assert_int_equal(f.found.n, 1);
        assert_true(f.found.list[0].workspace <= least);
    }
    drop(&f);
}

/* What no engine takes is told apart from what fails, in words of its own. */
static void test_none(void **state)
{
    c3d_dnn *dnn;
    c3d_dnn_plan *plan = NULL;
    c3d_dnn_conv conv = middle;
    char path[C3D_PATH_MAX], *json;
    (void)state;

    must(c3d_path_join(path, json_dir, "t4.json"));
    must(c3d_file_read(path, &json, NULL));
    if (c3d_dnn_open(&(c3d_dnn_options){ .device_json = json }, &dnn) != C3D_OK) {
        free(json);
        if (strstr(c3d_error_last()->message, "SUBLIBRARY_LOADING_FAILED")) skip();
        fail_msg("%s", c3d_error_last()->message);
    }
    conv.precision = C3D_PRECISION_BF16; /* which a T4 has not */
    for (int i = 0; i < 2; i++) {
        conv.kind = i == 0 ? C3D_DNN_FORWARD : C3D_DNN_BACKWARD_W_LOW;
        assert_int_equal(c3d_dnn_plan_create(dnn, &conv, &plan), C3D_EUNSUPPORTED);
        assert_null(plan);
        const char *said = c3d_error_last()->message;
        assert_non_null(strstr(said, c3d_dnn_kind_name(conv.kind)));
        assert_int_equal(i == 1 && strstr(said, "for forward"), 0); /* not the one before */
    }
    c3d_dnn_close(dnn);
    free(json);
}

static void write_text(const char *path, const char *text)
{
    must(c3d_file_write(path, text, strlen(text)));
}

static void test_cache(void **state)
{
    static const char dir[] = "scratch/engines", key[] = "cuDNN 1, some GPU, sm 9.0: a graph";
    const c3d_dnn_choice choice = { .engine = 62,
                                    .n_knobs = 2,
                                    .knobs = { { 3, -1 }, { 27, 1LL << 40 } } };
    c3d_dnn_choice again;
    char path[C3D_PATH_MAX], *text;
    (void)state;

    c3d_dnn_cache_write(dir, key, &choice);
    assert_true(c3d_dnn_cache_read(dir, key, &again));
    assert_memory_equal(&again, &choice, sizeof again);
    assert_false(c3d_dnn_cache_read(dir, "another", &again));
    assert_false(c3d_dnn_cache_read("scratch/no-such-folder", key, &again));
    c3d_dnn_cache_write("/proc/no", key, &choice); /* says so and goes on */

    (void)snprintf(path, sizeof path, "%s/cudnn-%016llx.txt", dir,
                   (unsigned long long)c3d_hash(key, strlen(key)));
    must(c3d_file_read(path, &text, NULL));
    for (size_t n = 0; n < strlen(text); n += 7) { /* cut anywhere */
        char *cut = c3d_strdup(text);
        cut[n] = '\0';
        write_text(path, cut);
        assert_false(c3d_dnn_cache_read(dir, key, &again));
        free(cut);
    }
    text[strlen("c3d engine 1\n")] ^= 1; /* the same hash, another key */
    write_text(path, text);
    assert_false(c3d_dnn_cache_read(dir, key, &again));
    free(text);
}

static void test_tensor_bytes(void **state)
{
    c3d_dnn_conv conv = middle;
    const size_t x = 8ULL * 128 * 8 * 28 * 28, y = 2 * x, w = 128ULL * 256 * 27;
    (void)state;

    conv.precision = C3D_PRECISION_BF16;
    assert_int_equal(c3d_dnn_tensor_bytes(&conv, C3D_DNN_X), 0);
    assert_int_equal(c3d_dnn_tensor_bytes(&conv, C3D_DNN_DX), 2 * x);
    assert_int_equal(c3d_dnn_tensor_bytes(&conv, C3D_DNN_Y), 2 * y);
    assert_int_equal(c3d_dnn_tensor_bytes(&conv, C3D_DNN_W), 2 * w);
    conv.kind = C3D_DNN_BACKWARD_X_RELU;
    assert_int_equal(c3d_dnn_tensor_bytes(&conv, C3D_DNN_X), 2 * x);
    conv.kind = C3D_DNN_BACKWARD_W;
    assert_int_equal(c3d_dnn_tensor_bytes(&conv, C3D_DNN_DW), 4 * w);
    assert_int_equal(c3d_dnn_tensor_bytes(&conv, C3D_DNN_W), 0);
    conv.kind = C3D_DNN_BACKWARD_W_LOW;
    assert_int_equal(c3d_dnn_tensor_bytes(&conv, C3D_DNN_DW), 2 * w);
    conv.kind = C3D_DNN_FORWARD_BIAS_RELU;
    assert_int_equal(c3d_dnn_tensor_bytes(&conv, C3D_DNN_B), 2 * 256);
    assert_int_equal(c3d_dnn_tensor_bytes(&conv, C3D_DNN_DX), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_left_out),     cmocka_unit_test(test_no_engine_twice),
        cmocka_unit_test(test_choice_again), cmocka_unit_test(test_choice_of_another),
        cmocka_unit_test(test_none),         cmocka_unit_test(test_workspace),
        cmocka_unit_test(test_cache),        cmocka_unit_test(test_tensor_bytes),
    };

    if (argc != 2) return 2;
    json_dir = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
