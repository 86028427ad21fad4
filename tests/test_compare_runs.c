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
    int block; /* 0: of two frames; 1: of its frame, with its number; 2: with another */
    int shift; /* of the scores, hundredths */
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
        c3d_text_add(&text, "%d,%d,2020-09,%d,0.%02d", 100 + row, row, row % 2, row + 1 + c->shift);
        const int blocks[] = { row / 2, row, row + 1000 };
        if (!c->no_blocks) c3d_text_add(&text, ",%d", blocks[c->block]);
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
    put_scores("b", &(change){ .row = -1, .no_blocks = true });
    assert_int_equal(open_two("a", "b", &runs), C3D_OK);
    assert_false(runs.context.has_blocks);
    assert_int_equal(runs.desc.blocks[9], 9);
    c3d_compared_runs_close(&runs);
    is_refused("a", "./a/", C3D_ECONFIG, "a and ./a/ are one run");
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
    put_scores("seeds/two", &(change){ .row = -1, .shift = 1 });
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
    put_scores("many/two", &(change){ .row = -1, .shift = 1 });
    put_file("a", "config.yaml", "data: {seed: 1, store: x}\nmodel: {network: cnn2d}\n");
    put_file("many/one", "config.yaml", "data: {seed: 1, store: x}\n");
    put_file("many/two", "config.yaml", "data: {seed: 2, store: x}\n");
    put_file("a", "evaluation-test.json", "{\"fold\": 1, \"precision\": \"bf16\"}\n");
    put_file("many/one", "evaluation-test.json", "{\"fold\": 0, \"precision\": \"fp32\"}\n");
    assert_int_equal(open_two("a", "many", &runs), C3D_OK);
    assert_int_equal(runs.context.n_settings, 2);
    for (int i = 0; i < 2; i++) {
        const c3d_compare_setting *s = &runs.context.settings[i];
        const bool is_seed = !strcmp(s->key, "data.seed");
        assert_string_equal(s->key, is_seed ? "data.seed" : "model.network");
        assert_string_equal(s->values[0], is_seed ? "1" : "cnn2d");
        assert_string_equal(s->values[1], is_seed ? "1, 2" : "c3d");
    }
    assert_int_equal(runs.context.n_data, 2);
    assert_false(runs.context.data[0].is_of_scoring);
    assert_string_equal(runs.context.data[1].key, "precision of scoring");
    assert_string_equal(runs.context.data[1].values[0], "bf16");
    assert_true(runs.context.data[1].is_of_scoring);
    assert_string_equal(runs.context.data[0].key, "fold");
    assert_string_equal(runs.context.data[0].values[1], "0");
    c3d_compared_runs_close(&runs);
    put_file("a", "config.yaml", "trees: 500\n"); /* made elsewhere */
    assert_int_equal(open_two("a", "many", &runs), C3D_OK);
    assert_false(runs.context.has_config[0]);
    c3d_compared_runs_close(&runs);
}

/* Copies are refused, one seed twice is told, and the choice of the checkpoint is no detail. */
static void runs_that_are_not_seeds(void **state)
{
    static const char one[] = "data: {seed: 1, store: x}\nrun: {dir: one}\n";
    c3d_compared_runs runs;

    (void)state;
    put_scores("a", &unchanged);
    put_scores("twins/one", &unchanged);
    put_scores("twins/three", &(change){ .row = -1, .shift = 2 });
    put_scores("twins/two", &unchanged);
    put_file("twins/one", "config.yaml", one);
    put_file("twins/two", "config.yaml", "data: {seed: 2, store: x}\nrun: {dir: two}\n");
    is_refused("a", "twins", C3D_EDATA,
               "twins/one and twins/two: runs of one network with the same scores, bit by bit");
    put_scores("twins/two", &(change){ .row = -1, .shift = 1 });
    assert_int_equal(open_two("a", "twins", &runs), C3D_OK);
    assert_int_equal(runs.context.n_warnings, 0);
    assert_int_equal(runs.desc.networks[1].n_seeds, 3);
    c3d_compared_runs_close(&runs);
    put_file("twins/two", "config.yaml", one);
    assert_int_equal(open_two("a", "twins", &runs), C3D_OK);
    assert_int_equal(runs.desc.networks[0].n_seeds, 1);
    assert_int_equal(runs.desc.networks[1].n_seeds, 2);
    assert_int_equal(runs.context.n_warnings, 1);
    assert_non_null(strstr(runs.context.warnings[0], "twins/one and twins/two: both have data.se"));
    c3d_compared_runs_close(&runs);
    put_file("twins/three", "config.yaml",
             "data: {seed: 3, store: x}\nrun: {dir: 3}\nevaluation: {best_by: val_auc}\n");
    is_refused("a", "twins", C3D_EDATA, "evaluation.best_by is val_loss and val_auc");
    put_file("twins/three", "config.yaml",
             "data: {seed: 3, store: x}\nrun: {dir: 3}\nevaluation: {batch: 4, threads: 2, "
             "regions: r, region_field: f, threshold: 0.4}\n");
    assert_int_equal(open_two("a", "twins", &runs), C3D_OK);
    c3d_compared_runs_close(&runs);
}

/* A file of one value; its checksum. */
static void put_checkpoint(const char *dir, const char *name, float value, char checksum[64])
{
    const int64_t shape[] = { 1 };
    char path[C3D_PATH_MAX];
    c3d_tensor_writer *writer;
    c3d_tensor_file *file;

    assert_int_equal(c3d_make_dirs(dir), C3D_OK);
    assert_int_equal(c3d_path_join(path, dir, name), C3D_OK);
    assert_int_equal(c3d_tensor_writer_create(path, &writer), C3D_OK);
    assert_int_equal(c3d_tensor_writer_declare(writer, "w", C3D_F32, 1, shape), C3D_OK);
    assert_int_equal(c3d_tensor_writer_put(writer, &value, sizeof value), C3D_OK);
    assert_int_equal(c3d_tensor_writer_commit(writer), C3D_OK);
    assert_int_equal(c3d_tensor_file_open(path, &file), C3D_OK);
    (void)snprintf(checksum, 64, "%s", c3d_tensor_file_metadata(file, "checksum"));
    c3d_tensor_file_close(file);
}

/* What the comparison says of run s, scored by the checkpoint with this checksum. */
static void check_scored(const char *checksum, const char *fact, const char *warning)
{
    c3d_compared_runs runs;
    char json[128];

    (void)snprintf(json, sizeof json, "{\"checkpoint\": \"%s\"}\n", checksum);
    put_file("s", "evaluation-test.json", json);
    assert_int_equal(open_two("whole", "s", &runs), C3D_OK);
    assert_int_equal(runs.context.n_data, strcmp(fact, "best") != 0);
    if (runs.context.n_data > 0) {
        assert_string_equal(runs.context.data[0].key, "checkpoint scored");
        assert_string_equal(runs.context.data[0].values[0], "best");
        assert_string_equal(runs.context.data[0].values[1], fact);
        assert_true(runs.context.data[0].is_of_scoring);
    }
    assert_int_equal(runs.context.n_warnings, warning != NULL);
    if (warning) assert_non_null(strstr(runs.context.warnings[0], warning));
    c3d_compared_runs_close(&runs);
}

static void scores_of_another_checkpoint_are_told(void **state)
{
    char best[64], early[64], late[64], gone[64], json[128];

    (void)state;
    put_scores("whole", &unchanged);
    put_scores("s", &(change){ .row = -1, .shift = 1 });
    put_checkpoint("whole", "best.safetensors", 1, best);
    (void)snprintf(json, sizeof json, "{\"checkpoint\": \"%s\"}\n", best);
    put_file("whole", "evaluation-test.json", json);
    put_checkpoint("s", "best.safetensors", 4, gone); /* it is written over below */
    put_checkpoint("s", "best.safetensors", 2, best);
    put_checkpoint("s/checkpoints", "step-00000010.safetensors", 3, early);
    put_checkpoint("s/checkpoints", "step-00000020.safetensors", 5, late);
    check_scored(best, "best", NULL);
    check_scored(late, "newest", NULL);
    check_scored(early, "an earlier one",
                 "s: its scores are of step 10, the run has gone on to "
                 "step 20;");
    check_scored(gone, "none that is there",
                 "s: its scores are of another checkpoint than its "
                 "best.safetensors and those");
}

/* Not known, known and of one frame each, of several. */
static void blocks_are_looked_at(void **state)
{
    static const struct {
        change list;
        const char *evaluation;
        bool has_blocks, are_lone;
    } cases[] = {
        { { .row = -1, .no_blocks = true }, "{\"block_km\": 10}\n", false, true },
        { { .row = -1, .block = 1 }, "{\"block_km\": null}\n", false, true },
        { { .row = -1, .block = 1 }, "{\"block_km\": 10}\n", true, true },
        { { .row = -1, .block = 2 }, "{\"block_km\": null}\n", true, true },
        { { .row = -1, .block = 0 }, "{}\n", true, false },
    };
    c3d_compared_runs runs;

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(cases); i++) {
        put_scores("blocks/a", &cases[i].list);
        put_file("blocks/a", "evaluation-test.json", cases[i].evaluation);
        put_scores("blocks/b", &cases[i].list);
        put_file("blocks/b", "evaluation-test.json", cases[i].evaluation);
        assert_int_equal(open_two("blocks/a", "blocks/b", &runs), C3D_OK);
        assert_int_equal(runs.context.has_blocks, cases[i].has_blocks);
        assert_int_equal(runs.context.are_blocks_lone, cases[i].are_lone);
        c3d_compared_runs_close(&runs);
    }
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
        cmocka_unit_test(runs_that_are_not_seeds),
        cmocka_unit_test(scores_of_another_checkpoint_are_told),
        cmocka_unit_test(blocks_are_looked_at),
        cmocka_unit_test(what_has_no_scores_is_refused),
    };
    char dir[] = "/tmp/c3d-compare-XXXXXX", command[64];

    if (!mkdtemp(dir) || chdir(dir) != 0) return 1;
    const int rc = cmocka_run_group_tests_name("compare_runs", tests, NULL, NULL);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? rc : 1;
}
