/* The shape table: the published figures as exact integers, and what happens to short axes. */
#include "c3d/nn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

static c3d_model_desc desc_of(const char *network, int c, int d, int px)
{
    return (c3d_model_desc){
        .network = network,
        .x = { .n = 1, .c = c, .d = d, .h = px, .w = px },
        .width = 64,
        .fc = 4096,
        .outputs = 1,
        .dropout = 0.5,
        .pool5_padding = true,
        .training = true,
    };
}

static c3d_shape_table make(c3d_model_desc desc)
{
    c3d_shape_table table;
    if (c3d_shape_table_make(&desc, &table) != C3D_OK) fail_msg("%s", c3d_error_last()->message);
    return table;
}

static const c3d_layer_info *layer(const c3d_shape_table *table, const char *name)
{
    for (int i = 0; i < table->n_layers; i++)
        if (strcmp(table->layers[i].name, name) == 0) return &table->layers[i];
    fail_msg("no layer %s", name);
    return NULL;
}

static void expect_y(const c3d_shape_table *table, const char *name, c3d_shape y)
{
    char found[64], expected[64];

    c3d_shape_text(layer(table, name)->y, found);
    assert_string_equal(found, c3d_shape_text(y, expected));
}

static uint64_t rounded(uint64_t n, uint64_t unit) /* to one decimal place of the unit, times 10 */
{
    return (n * 10 + unit / 2) / unit;
}

/* 3 x 16 x 112 x 112, 101 classes, padded pool5. Weights + biases, and weights times positions:
 *   conv1   64 * 3*27 + 64     =     5,248   * 16*112*112 =  1,040,449,536 (of 5,184 weights)
 *   conv2  128 * 64*27 + 128   =   221,312   * 16*56*56   = 11,098,128,384
 *   conv3a 256 * 128*27 + 256  =   884,992   * 8*28*28    =  5,549,064,192
 *   conv3b 256 * 256*27 + 256  = 1,769,728   * 8*28*28    = 11,098,128,384
 *   conv4a 512 * 256*27 + 512  = 3,539,456   * 4*14*14    =  2,774,532,096
 *   conv4b 512 * 512*27 + 512  = 7,078,400   * 4*14*14    =  5,549,064,192
 *   conv5a, conv5b: each         7,078,400   * 2*7*7      =    693,633,024
 *   fc6    4096 * 512*1*4*4 + 4096 = 33,558,528,          33,554,432
 *   fc7    4096 * 4096 + 4096      = 16,781,312,          16,777,216
 *   fc8    101 * 4096 + 101        =    413,797,             413,696 */
static void test_published(void **state)
{
    static const struct {
        const char *name;
        uint64_t n_params, multiply_adds;
    } expected[] = {
        { "conv1", 5248, 1040449536 },
        { "conv2", 221312, 11098128384 },
        { "conv3a", 884992, 5549064192 },
        { "conv3b", 1769728, 11098128384 },
        { "conv4a", 3539456, 2774532096 },
        { "conv4b", 7078400, 5549064192 },
        { "conv5a", 7078400, 693633024 },
        { "conv5b", 7078400, 693633024 },
        { "fc6", 33558528, 33554432 },
        { "fc7", 16781312, 16777216 },
        { "fc8", 413797, 413696 },
        { "pool5", 0, 0 },
        { "dropout6", 0, 0 },
    };
    c3d_model_desc desc = desc_of("c3d", 3, 16, 112);
    c3d_shape_table table;

    (void)state;
    desc.outputs = 101;
    table = make(desc);
    for (size_t i = 0; i < C3D_COUNT(expected); i++) {
        assert_int_equal(layer(&table, expected[i].name)->n_params, expected[i].n_params);
        assert_int_equal(layer(&table, expected[i].name)->multiply_adds, expected[i].multiply_adds);
    }
    assert_int_equal(table.n_params, 78409573);
    assert_int_equal(table.multiply_adds, 38547378176);
    assert_int_equal(rounded(table.n_params, 1000000), 784);
    assert_int_equal(rounded(table.multiply_adds, 1000000000), 385);
    assert_int_equal(table.n_layers, 8 + 5 + 3 + 2);
    for (int i = 0; i < table.n_layers; i++) assert_string_equal(table.layers[i].note, "");
    expect_y(&table, "pool1", (c3d_shape){ 1, 64, 16, 56, 56 });
    expect_y(&table, "pool2", (c3d_shape){ 1, 128, 8, 28, 28 });
    expect_y(&table, "pool4", (c3d_shape){ 1, 512, 2, 7, 7 });
    expect_y(&table, "pool5", (c3d_shape){ 1, 512, 1, 4, 4 });
    expect_y(&table, "fc8", (c3d_shape){ 1, 101, 1, 1, 1 });
}

static void expect_totals(c3d_model_desc desc, bool padded, uint64_t n_params,
                          uint64_t multiply_adds)
{
    desc.pool5_padding = padded;
    const c3d_shape_table table = make(desc);
    assert_int_equal(table.n_params, n_params);
    assert_int_equal(table.multiply_adds, multiply_adds);
}

/* Against the published case: one band more is 64*27 weights more (2D: 64*9 a band), one output
 * 100*4097 parameters fewer; unpadded, fc6 sees 512*3*3 instead of 512*4*4; the twin's kernels have
 * a third of the weights. */
static void test_four_bands(void **state)
{
    (void)state;
    expect_totals(desc_of("c3d", 4, 16, 112), true, 78001601, 38893785088);
    expect_totals(desc_of("c3d", 4, 16, 112), false, 63321537, 38879105024);
    expect_totals(desc_of("cnn2d", 4, 1, 112), true, 59564993, 1928925184);
    expect_totals(desc_of("cnn2d", 4, 1, 112), false, 44884929, 1914245120);
    assert_int_equal(rounded(78001601, 1000000), 780);
    assert_int_equal(rounded(63321537, 1000000), 633);
    assert_int_equal(rounded(59564993, 1000000), 596);
    assert_int_equal(rounded(44884929, 1000000), 449);
}

/* The widths and maps of c3d at 4 x 16 x 112 x 112 as the paper has them, with kernels of 3 months.
 */
static void test_tcnn(void **state)
{
    static const uint64_t width[9] = { 4, 64, 128, 256, 256, 512, 512, 512, 512 };
    static const uint64_t positions[8] = { 16 * 112 * 112, 16 * 56 * 56, 8 * 28 * 28, 8 * 28 * 28,
                                           4 * 14 * 14,    4 * 14 * 14,  2 * 7 * 7,   2 * 7 * 7 };
    const uint64_t fc[3] = { 512 * 4 * 4 * 4096, 4096 * 4096, 4096 };
    uint64_t n_params = 4096 + 4096 + 1, multiply_adds = 0;

    (void)state;
    for (int i = 0; i < 8; i++) {
        n_params += width[i + 1] * (3 * width[i] + 1);
        multiply_adds += width[i + 1] * 3 * width[i] * positions[i];
    }
    for (int i = 0; i < 3; i++) n_params += fc[i], multiply_adds += fc[i];
    expect_totals(desc_of("tcnn", 4, 16, 112), true, n_params, multiply_adds);
    assert_int_equal(n_params, 53419457);
}

/* Same pools, so the same shapes and the same notes on what is too short; no convolution of tcnn
 * sees a neighbouring pixel. */
static void test_tcnn_adapts_as_c3d(void **state)
{
    static const int sizes[][2] = { { 16, 112 }, { 12, 112 }, { 23, 16 }, { 2, 20 }, { 44, 2 } };

    (void)state;
    for (size_t s = 0; s < C3D_COUNT(sizes); s++) {
        const c3d_shape_table a = make(desc_of("c3d", 4, sizes[s][0], sizes[s][1]));
        const c3d_shape_table b = make(desc_of("tcnn", 4, sizes[s][0], sizes[s][1]));

        assert_int_equal(a.n_layers, b.n_layers);
        for (int i = 0; i < a.n_layers; i++) {
            assert_string_equal(a.layers[i].name, b.layers[i].name);
            assert_string_equal(a.layers[i].note, b.layers[i].note);
            assert_true(c3d_shape_is_equal(a.layers[i].y, b.layers[i].y));
            if (b.layers[i].op.op != C3D_OP_CONV) continue;
            assert_int_equal(b.layers[i].op.kernel[0], 3);
            assert_int_equal(b.layers[i].op.kernel[1] * b.layers[i].op.kernel[2], 1);
        }
    }
    /* a single pixel is enough */
    const c3d_shape_table pixel = make(desc_of("tcnn", 4, 12, 1));
    assert_string_equal(layer(&pixel, "pool1")->note, "height is 1, width is 1: not halved");
}

/* The widths of c3d at 4 x 16 x 112 x 112; between the parts of each convolution C to K
 * 9 C K / (3 C + K) channels, rounded down: 2304 / 76 = 30.3, 73728 / 320 = 230.4, 294912 / 640 =
 * 460.8, 589824 / 1024 = 576, 1179648 / 1280 = 921.6, 2359296 / 2048 = 1152. */
static void test_c2plus1d(void **state)
{
    static const char *const names[8] = { "1", "2", "3a", "3b", "4a", "4b", "5a", "5b" };
    static const uint64_t width[9] = { 4, 64, 128, 256, 256, 512, 512, 512, 512 };
    static const uint64_t middle[8] = { 30, 230, 460, 576, 921, 1152, 1152, 1152 };
    static const uint64_t positions[8] = { 16 * 112 * 112, 16 * 56 * 56, 8 * 28 * 28, 8 * 28 * 28,
                                           4 * 14 * 14,    4 * 14 * 14,  2 * 7 * 7,   2 * 7 * 7 };
    const uint64_t fc = 512 * 4 * 4 * 4096 + 4096 * 4096 + 4096;
    const c3d_shape_table table = make(desc_of("c2plus1d", 4, 16, 112));
    uint64_t n_params = fc + 4096 + 4096 + 1, multiply_adds = fc;

    (void)state;
    assert_int_equal(table.n_layers, 16 + 5 + 3 + 2);
    for (int i = 0; i < 8; i++) {
        const uint64_t in_space = middle[i] * width[i] * 9, in_time = width[i + 1] * middle[i] * 3;
        char name[16];

        (void)snprintf(name, sizeof name, "conv%s_s", names[i]);
        const c3d_layer_info *space = layer(&table, name);
        assert_memory_equal(space->op.kernel, ((int[]){ 1, 3, 3 }), sizeof space->op.kernel);
        assert_memory_equal(space->op.pad_after, ((int[]){ 0, 1, 1 }), sizeof space->op.pad_after);
        assert_true(space->op.relu);
        assert_int_equal(space->n_params, in_space + middle[i]);
        (void)snprintf(name, sizeof name, "conv%s_t", names[i]);
        const c3d_layer_info *time = layer(&table, name);
        assert_memory_equal(time->op.kernel, ((int[]){ 3, 1, 1 }), sizeof time->op.kernel);
        assert_memory_equal(time->op.pad_before, ((int[]){ 1, 0, 0 }), sizeof time->op.pad_before);
        assert_int_equal(time->n_params, in_time + width[i + 1]);
        assert_true(in_space + in_time <= 27 * width[i] * width[i + 1]);
        n_params += space->n_params + time->n_params;
        multiply_adds += (in_space + in_time) * positions[i];
    }
    assert_int_equal(table.n_params, n_params);
    assert_int_equal(table.multiply_adds, multiply_adds);
    assert_int_equal(rounded(table.n_params, 1000000), 780); /* as c3d */

    c3d_model_desc desc = desc_of("c2plus1d", 4, 16, 112);
    desc.batch_norm = true;
    const c3d_shape_table norm = make(desc);
    assert_int_equal(norm.n_layers, 2 * 16 + 5 + 3 + 2);
    assert_int_equal(layer(&norm, "bn3a_s")->n_params, 2 * 460);
    assert_false(layer(&norm, "conv3a_s")->op.relu);
}

/* 3 bands of 23 months are 69 channels, and from there on it is cnn2d. */
static void test_stack(void **state)
{
    const c3d_shape_table table = make(desc_of("cnn2d_stack", 3, 23, 112));
    const c3d_shape_table flat = make(desc_of("cnn2d", 3, 1, 112));

    (void)state;
    assert_true(c3d_shape_is_equal(table.layers[0].x, (c3d_shape){ 1, 69, 1, 112, 112 }));
    assert_int_equal(table.n_layers, flat.n_layers);
    assert_int_equal(layer(&table, "conv1")->n_params, 64 * (69 * 9 + 1));
    assert_int_equal(table.n_params - flat.n_params, 64 * (69 - 3) * 9);
    for (int i = 1; i < table.n_layers; i++)
        assert_true(c3d_shape_is_equal(table.layers[i].x, flat.layers[i].x));
}

static void expect_width(c3d_model_desc desc, uint64_t n_params, int width)
{
    int found = 0;

    desc.width = 7; /* not looked at */
    if (c3d_width_for(&desc, n_params, &found) != C3D_OK) fail_msg("%s", c3d_error_last()->message);
    assert_int_equal(found, width);
}

/* cnn2d on 4 bands of 112 px has 2250 w^2 + 524,367 w + 16,789,505 parameters: at a width of 85
 * 77,616,950 and of 86 78,526,067, of which c3d's 78,001,601 is nearer to the first. */
static void test_width(void **state)
{
    const c3d_model_desc flat = desc_of("cnn2d", 4, 1, 112);
    c3d_model_desc desc = flat;

    (void)state;
    expect_width(flat, 78001601, 85);
    expect_width(flat, 77616950, 85);
    expect_width(flat, 78526067, 86);
    expect_width(flat, (77616950 + 78526067) / 2, 85);
    expect_width(flat, (77616950 + 78526067) / 2 + 1, 86);
    expect_width(flat, 0, 1);
    desc.width = 85;
    assert_int_equal(make(desc).n_params, 77616950);
    desc.width = 1 << 20;
    expect_width(flat, make(desc).n_params, 1 << 20);
    for (size_t i = 0; c3d_net_at(i); i++) {
        desc = desc_of(c3d_net_at(i)->name, 4, c3d_net_at(i)->one_slice ? 1 : 12, 32);
        desc.batch_norm = true;
        for (desc.width = 1; desc.width < 100; desc.width = 3 * desc.width + 1)
            expect_width(desc, make(desc).n_params, desc.width);
    }
    desc.x.h = 0;
    int width;
    assert_int_equal(c3d_width_for(&desc, 1000, &width), C3D_ECONFIG);
}

/* A norm's two numbers a channel take the place of the convolution's bias. */
static void test_batch_norm(void **state)
{
    const c3d_shape_table plain = make(desc_of("c3d", 4, 16, 112));
    c3d_model_desc desc = desc_of("c3d", 4, 16, 112);

    (void)state;
    desc.batch_norm = true;
    const c3d_shape_table table = make(desc);
    assert_int_equal(table.n_layers, plain.n_layers + 8);
    assert_int_equal(table.n_params, plain.n_params + 64 + 128 + 2 * 256 + 4 * 512);
    assert_int_equal(table.multiply_adds, plain.multiply_adds);
    assert_int_equal(layer(&table, "conv3a")->n_params, 256 * 128 * 27);
    assert_false(layer(&table, "conv3a")->op.relu);
    assert_int_equal(layer(&table, "bn3a")->n_params, 512);
    assert_true(layer(&table, "bn3a")->op.relu);
    assert_false(layer(&table, "fc6")->op.no_bias);
    assert_true(layer(&table, "fc6")->op.relu);
}

/* Length of the time axis after pools 1 to 5; each that is not halved says so. */
static void expect_time(int n_months, const int after[5])
{
    static const char *const pools[5] = { "pool1", "pool2", "pool3", "pool4", "pool5" };
    const c3d_shape_table table = make(desc_of("c3d", 4, n_months, 112));

    for (int i = 0; i < 5; i++) {
        const c3d_layer_info *pool = layer(&table, pools[i]);
        assert_int_equal(pool->y.d, after[i]);
        assert_string_equal(pool->note, i > 0 && pool->x.d == 1 ? "time is 1: not halved" : "");
    }
    assert_int_equal(layer(&table, "fc6")->x.d, after[4]);
    assert_int_equal(layer(&table, "fc6")->n_params, 4096ULL * (512 * after[4] * 16 + 1));
}

static void test_time(void **state)
{
    (void)state;
    expect_time(16, (const int[]){ 16, 8, 4, 2, 1 });
    expect_time(12, (const int[]){ 12, 6, 3, 1, 1 });
    expect_time(1, (const int[]){ 1, 1, 1, 1, 1 });
    expect_time(2, (const int[]){ 2, 1, 1, 1, 1 });
    expect_time(23, (const int[]){ 23, 11, 5, 2, 1 });
    expect_time(44, (const int[]){ 44, 22, 11, 5, 2 });
    expect_time(45, (const int[]){ 45, 22, 11, 5, 2 });
}

/* 16 px: 8, 4, 2, 1, and pool5 finds one pixel. */
static void test_small_frames(void **state)
{
    c3d_shape_table table = make(desc_of("c3d", 2, 23, 16));

    (void)state;
    expect_y(&table, "pool4", (c3d_shape){ 1, 512, 2, 1, 1 });
    expect_y(&table, "pool5", (c3d_shape){ 1, 512, 1, 1, 1 });
    assert_string_equal(layer(&table, "pool5")->note, "height is 1, width is 1: not halved");
    assert_int_equal(layer(&table, "pool5")->op.pad_before[1], 0);
    assert_int_equal(table.n_params, 46540865);

    table = make(desc_of("c3d", 2, 1, 2));
    expect_y(&table, "pool1", (c3d_shape){ 1, 64, 1, 1, 1 });
    assert_string_equal(layer(&table, "pool2")->note,
                        "time is 1, height is 1, width is 1: not halved");

    /* 32 px: pool5 finds 2 px; as published one is added on each side: 2 windows. */
    table = make(desc_of("cnn2d", 2, 1, 32));
    expect_y(&table, "pool4", (c3d_shape){ 1, 512, 1, 2, 2 });
    expect_y(&table, "pool5", (c3d_shape){ 1, 512, 1, 2, 2 });
    assert_string_equal(layer(&table, "pool5")->note, "");

    c3d_model_desc oblong = desc_of("c3d", 2, 16, 112);
    oblong.x.h = 17;
    table = make(oblong);
    assert_string_equal(layer(&table, "pool5")->note, "height is 1: not halved");
    expect_y(&table, "pool5", (c3d_shape){ 1, 512, 1, 1, 4 });
}

static void refuse(c3d_model_desc desc, const char *words)
{
    c3d_shape_table table;

    assert_int_equal(c3d_shape_table_make(&desc, &table), C3D_ECONFIG);
    if (!strstr(c3d_error_last()->message, words))
        fail_msg("expected \"%s\" in \"%s\"", words, c3d_error_last()->message);
}

static void test_impossible(void **state)
{
    c3d_model_desc desc;

    (void)state;
    refuse(desc_of("c4d", 4, 16, 112), "c4d");
    refuse(desc_of("c3d", 0, 16, 112), "input");
    refuse(desc_of("c3d", 4, 0, 112), "input");
    refuse(desc_of("c3d", 4, 16, 0), "input");
    refuse(desc_of("c3d", 4, 16, -3), "input");
    refuse(desc_of("c3d", 4, 16, 1), "1 x 1 px");
    refuse(desc_of("cnn2d", 4, 2, 112), "one month");
    refuse(desc_of("tcnn", 4, 1, 112), "along time alone");
    refuse(desc_of("cnn2d_stack", 1 << 11, 1 << 10, 112), "too many channels");
    desc = desc_of("c3d", 4, 16, 112), desc.width = 0, refuse(desc, "model.width");
    desc = desc_of("c3d", 4, 16, 112), desc.fc = 0, refuse(desc, "model.fc");
    desc = desc_of("c3d", 4, 16, 112), desc.outputs = 0, refuse(desc, "model.outputs");
    desc = desc_of("c3d", 4, 16, 112), desc.dropout = 1, refuse(desc, "model.dropout");
    desc = desc_of("c3d", 4, 16, 112), desc.dropout = (double)NAN, refuse(desc, "model.dropout");
    desc = desc_of("c3d", 4, 1 << 20, 1 << 20), desc.width = 1 << 20, refuse(desc, "layer conv1");
    desc = desc_of("cnn2d", 4, 1, 1 << 20), desc.fc = 1 << 20, refuse(desc, "layer fc6");
}

static void test_no_dropout(void **state)
{
    c3d_model_desc desc = desc_of("cnn2d", 4, 1, 112);
    c3d_shape_table table;

    (void)state;
    desc.dropout = 0;
    table = make(desc);
    assert_int_equal(table.n_layers, 8 + 5 + 3);
    assert_false(layer(&table, "conv1")->op.needs_x_grad);
    assert_true(layer(&table, "conv2")->op.needs_x_grad);
    assert_true(layer(&table, "fc7")->op.relu);
    assert_false(layer(&table, "fc8")->op.relu);
}

static void test_print(void **state)
{
    const c3d_shape_table table = make(desc_of("c3d", 4, 12, 112));
    c3d_text text = { 0 };
    size_t n_lines = 0;

    (void)state;
    c3d_shape_table_print(&table, &text);
    for (const char *p = text.text; *p; p++) n_lines += *p == '\n';
    assert_int_equal(n_lines, table.n_layers + 3); /* heading, input, total */
    assert_non_null(strstr(text.text, "time is 1: not halved"));
    assert_non_null(strstr(text.text, "78001601"));
    assert_non_null(strstr(text.text, "[512, 1, 4, 4]"));
    c3d_text_free(&text);
}

static void test_list(void **state)
{
    size_t n = 0;

    (void)state;
    for (; c3d_net_at(n); n++) assert_ptr_equal(c3d_net_find(c3d_net_at(n)->name), c3d_net_at(n));
    assert_int_equal(n, 5);
    assert_null(c3d_net_find("C3D"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),  cmocka_unit_test(test_four_bands),
        cmocka_unit_test(test_time),       cmocka_unit_test(test_small_frames),
        cmocka_unit_test(test_impossible), cmocka_unit_test(test_no_dropout),
        cmocka_unit_test(test_print),      cmocka_unit_test(test_list),
        cmocka_unit_test(test_tcnn),       cmocka_unit_test(test_tcnn_adapts_as_c3d),
        cmocka_unit_test(test_batch_norm), cmocka_unit_test(test_c2plus1d),
        cmocka_unit_test(test_stack),      cmocka_unit_test(test_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
