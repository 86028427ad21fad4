/* Which runs are compared, and when the test lists are refused: file and line of the first
 * difference. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cm.h"

#include "c3d/train.h"

#define N 40

static void put_file(const char *dir, const char *name, const char *text)
{
    char path[C3D_PATH_MAX];

    assert_int_equal(c3d_make_dirs(dir), C3D_OK);
    assert_int_equal(c3d_path_join(path, dir, name), C3D_OK);
    assert_int_equal(c3d_file_write(path, text, strlen(text)), C3D_OK);
}

/* What is changed in the list; at row -1 nothing. */
typedef struct change {
    int row;
    const char *line; /* instead of the row's; "" leaves it out */
    bool backwards, no_blocks;
} change;

static void put_scores(const char *dir, const change *c)
{
    c3d_text text = { 0 };

    c3d_text_add(&text, "sample_id,frame_id,first_month,label,score%s\n",
                 c->no_blocks ? "" : ",block");
    for (int i = 0; i < N; i++) {
        const int row = c->backwards ? N - 1 - i : i;
        if (row == c->row) {
            c3d_text_add(&text, "%s", c->line);
            continue;
        }
        c3d_text_add(&text, "%d,%d,2020-09,%d,0.%02d", 100 + row, row, row % 2, row + 1);
        if (!c->no_blocks) c3d_text_add(&text, ",%d", row / 2);
        c3d_text_add(&text, "\n");
    }
    put_file(dir, "scores-test.csv", text.text);
    c3d_text_free(&text);
}

static c3d_status open_two(const char *a, const char *b, c3d_compared_runs *out)
{
    const char *dirs[] = { a, b };
    const c3d_compared_runs_desc desc = {
        .n_networks = 2, .dirs = dirs, .split = "test", .threshold = (double)NAN
    };

    return c3d_compared_runs_open(&desc, out);
}

static void is_refused(const char *a, const char *b, c3d_status wanted, const char *words)
{
    c3d_compared_runs runs;
    const c3d_status st = open_two(a, b, &runs);

    if (st != wanted || !strstr(c3d_error_last()->message, words))
        fail_msg("%s %s: status %d, %s", a, b, (int)st, c3d_error_last()->message);
}

static const change unchanged = { .row = -1 };

static void lists_that_differ_are_refused(void **state)
{
    static const struct {
        const char *line, *words;
    } cases[] = {
        { "107,7,2020-09,0,0.5,3\n",
          "b/scores-test.csv:9: sample 107 has label 0, in a/scores-test.csv:9 label 1" },
        { "107,6,2020-09,1,0.5,3\n",
          "b/scores-test.csv:9: sample 107 is of frame 6, in a/scores-test.csv:9 of frame 7" },
        { "107,7,2021-09,1,0.5,3\n",
          "b/scores-test.csv:9: sample 107 begins in 2021-09, in a/scores-test.csv:9 in 2020-09" },
        { "107,7,2020-09,1,0.5,4\n", "b/scores-test.csv:9: sample 107 lies in block 4, in "
                                     "a/scores-test.csv in block 3" },
        { "7,7,2020-09,1,0.5,3\n", "b/scores-test.csv:9: sample 7 is not in a/scores-test.csv" },
        { "106,6,2020-09,0,0.5,3\n", "b/scores-test.csv:9: sample 106 a second time" },
        { "", "a/scores-test.csv:9: sample 107 is not in b/scores-test.csv" },
        { "107,7,2020-09,1,x,3\n", "b/scores-test.csv:9: column score" },
    };

    (void)state;
    put_scores("a", &unchanged);
    for (size_t i = 0; i < C3D_COUNT(cases); i++) {
        put_scores("b", &(change){ .row = 7, .line = cases[i].line });
        is_refused("a", "b", C3D_EDATA, cases[i].words);
    }
    put_file("b", "scores-test.csv",
             "sample_id,frame_id,first_month,label,score_0,score_1\n"
             "100,0,2020-09,0,0.5,0.5\n");
    is_refused("a", "b", C3D_EDATA, "b/scores-test.csv: 2 score columns, a/scores-test.csv has 1");
}

/* Another order, or no blocks, is the same list. */
static void order_does_not_matter(void **state)
{
    c3d_compared_runs runs;

    (void)state;
    put_scores("a", &(change){ .row = -1, .no_blocks = true });
    put_scores("b", &(change){ .row = -1, .backwards = true });
    assert_int_equal(open_two("a", "b", &runs), C3D_OK);
    assert_true(runs.context.has_blocks);
    for (int i = 0; i < N; i++) {
        assert_true(runs.desc.networks[0].scores[0][i] == runs.desc.networks[1].scores[0][i]);
        assert_int_equal(runs.desc.blocks[i], i / 2);
        assert_int_equal(runs.desc.labels[i], i % 2);
    }
    assert_true(runs.desc.threshold == 0.5);
    c3d_compared_runs_close(&runs);
    assert_int_equal(open_two("a", "a", &runs), C3D_OK);
    assert_false(runs.context.has_blocks);
    assert_int_equal(runs.desc.blocks[9], 9);
    assert_string_equal(runs.context.names[1], "a (2)");
    c3d_compared_runs_close(&runs);
    put_scores("x/run", &unchanged);
    put_scores("y/run", &unchanged);
    assert_int_equal(open_two("x/run", "y/run/", &runs), C3D_OK);
    assert_string_equal(runs.context.names[0], "x/run");
    assert_string_equal(runs.context.names[1], "y/run");
    c3d_compared_runs_close(&runs);
}

static void seeds_of_a_network_are_found(void **state)
{
    c3d_compared_runs runs;

    (void)state;
    put_scores("a", &unchanged);
    put_scores("seeds/one", &unchanged);
    put_scores("seeds/two", &unchanged);
    put_file("seeds/notes", "readme.txt", "no run\n");
    put_file("seeds/one", "config.yaml",
             "data: {seed: 1, store: x}\nrun: {dir: one}\nevaluation: {threshold: 0.7}\n");
    put_file("seeds/two", "config.yaml",
             "data: {seed: 2, store: x}\nrun: {dir: two}\n"
             "evaluation: {threshold: 0.7}\n");
    put_file("seeds/two", "cost.json", "{\"parameters\": 12, \"samples_seen\": 77}\n");
    assert_int_equal(open_two("seeds/", "a", &runs), C3D_OK);
    assert_int_equal(runs.desc.networks[0].n_runs, 2);
    assert_string_equal(runs.context.names[0], "seeds");
    assert_true(runs.context.has_config[0] && !runs.context.has_config[1]);
    assert_true(runs.desc.threshold == 0.7);
    assert_true(runs.context.costs[0].parameters == 12);
    assert_true(isnan(runs.context.costs[0].device_hours));
    assert_int_equal(runs.context.n_settings, 0); /* one network is known */
    c3d_compared_runs_close(&runs);
    put_file("seeds/two", "config.yaml",
             "data: {seed: 2, store: x}\nmodel: {network: cnn2d}\nrun: {dir: two}\n");
    is_refused("seeds", "a", C3D_EDATA,
               "model.network is c3d and cnn2d; runs of one network may differ in data.seed alone");
}

static void settings_that_differ_are_listed(void **state)
{
    c3d_compared_runs runs;

    (void)state;
    put_scores("a", &unchanged);
    put_scores("many/one", &unchanged);
    put_scores("many/two", &unchanged);
    put_file("a", "config.yaml", "data: {seed: 1, store: x}\nmodel: {network: cnn2d}\n");
    put_file("many/one", "config.yaml", "data: {seed: 1, store: x}\n");
    put_file("many/two", "config.yaml", "data: {seed: 2, store: x}\n");
    put_file("a", "evaluation-test.json", "{\"fold\": 1}\n");
    put_file("many/one", "evaluation-test.json", "{\"fold\": 0}\n");
    assert_int_equal(open_two("a", "many", &runs), C3D_OK);
    assert_int_equal(runs.context.n_settings, 2);
    for (int i = 0; i < 2; i++) {
        const c3d_compare_setting *s = &runs.context.settings[i];
        const bool is_seed = !strcmp(s->key, "data.seed");
        assert_string_equal(s->key, is_seed ? "data.seed" : "model.network");
        assert_string_equal(s->values[0], is_seed ? "1" : "cnn2d");
        assert_string_equal(s->values[1], is_seed ? "1, 2" : "c3d");
    }
    assert_int_equal(runs.context.n_data, 1);
    assert_string_equal(runs.context.data[0].key, "fold");
    assert_string_equal(runs.context.data[0].values[1], "0");
    c3d_compared_runs_close(&runs);
    put_file("a", "config.yaml", "trees: 500\n"); /* made elsewhere */
    assert_int_equal(open_two("a", "many", &runs), C3D_OK);
    assert_false(runs.context.has_config[0]);
    c3d_compared_runs_close(&runs);
}

static void what_has_no_scores_is_refused(void **state)
{
    (void)state;
    put_scores("a", &unchanged);
    put_file("empty", "notes.txt", "nothing\n");
    put_file("unscored/run", "config.yaml", "run: {dir: x}\n");
    is_refused("a", "empty", C3D_EIO,
               "empty: no scores-test.csv, neither in it nor in directories");
    is_refused("a", "unscored", C3D_EIO, "unscored/run: a run without scores-test.csv");
    is_refused("a", "nowhere", C3D_EIO, "nowhere: ");
    put_scores("broken", &unchanged);
    put_file("broken", "best.safetensors", "not a checkpoint");
    is_refused("a", "broken", C3D_EDATA, "broken/best.safetensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_that_differ_are_refused),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(seeds_of_a_network_are_found),
        cmocka_unit_test(settings_that_differ_are_listed),
        cmocka_unit_test(what_has_no_scores_is_refused),
    };
    char dir[] = "/tmp/c3d-compare-XXXXXX", command[64];

    if (!mkdtemp(dir) || chdir(dir) != 0) return 1;
    const int rc = cmocka_run_group_tests_name("compare_runs", tests, NULL, NULL);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? rc : 1;
}
