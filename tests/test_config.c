/* config: reading, mistakes with places, --set, round trip, differences; and the command line. */

#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include "c3d/args.h"
#include "c3d/config.h"

static c3d_status parse_as(const char *text, c3d_config_use use, const char *const *sets,
                           int n_sets, c3d_config *config, c3d_text *mistakes)
{
    const c3d_config_source_text source = { .text = text,
                                            .n_bytes = strlen(text),
                                            .name = "a.yaml",
                                            .use = use,
                                            .n_sets = n_sets,
                                            .sets = sets };
    return c3d_config_parse(&source, config, mistakes);
}

/* Parses for training with store and directory given by --set, and compares what is listed. */
static void expect_mistakes(const char *text, const char *expected)
{
    static const char *const sets[] = { "data.store=s", "run.dir=d" };
    c3d_config config;
    c3d_text mistakes = { 0 };

    const c3d_status st = parse_as(text, C3D_CONFIG_FOR_TRAIN, sets, 2, &config, &mistakes);
    assert_string_equal(mistakes.text ? mistakes.text : "", expected);
    assert_int_equal(st, expected[0] ? C3D_ECONFIG : C3D_OK);
    c3d_text_free(&mistakes);
    c3d_config_free(&config);
}

static void expect_set_mistakes(const char *set, const char *expected)
{
    c3d_config config;
    c3d_text mistakes = { 0 };

    const c3d_status st = parse_as("", C3D_CONFIG_FOR_READING, &set, 1, &config, &mistakes);
    assert_string_equal(mistakes.text ? mistakes.text : "", expected);
    assert_int_equal(st, expected[0] ? C3D_ECONFIG : C3D_OK);
    c3d_text_free(&mistakes);
    c3d_config_free(&config);
}

static void five_mistakes_are_five_lines(void **state)
{
    static const char text[] = "data:\n"
                               "  store: runs/demo/data\n"
                               "  frame_sise_px: 32\n"
                               "  readers: ten\n"
                               "model:\n"
                               "  network: c4d\n"
                               "optimizer:\n"
                               "  learning_rate: 5000\n"
                               "train:\n"
                               "  epochs: 2.5\n"
                               "run: {dir: runs/demo}\n";
    c3d_config config;
    c3d_text mistakes = { 0 };

    (void)state;
    assert_int_equal(parse_as(text, C3D_CONFIG_FOR_TRAIN, NULL, 0, &config, &mistakes),
                     C3D_ECONFIG);
    assert_string_equal(
        mistakes.text,
        "a.yaml:3:3: data.frame_sise_px: unknown key; did you mean data.frame_size_px?\n"
        "a.yaml:4:12: data.readers: expected an integer, got \"ten\"\n"
        "a.yaml:6:12: model.network: expected c3d|cnn2d|tcnn|cnn2d_stack|c2plus1d, got \"c4d\"\n"
        "a.yaml:8:18: optimizer.learning_rate: 5000 is outside [0, 1000]\n"
        "a.yaml:10:11: train.epochs: expected an integer, got \"2.5\"\n");
    assert_string_equal(c3d_error_last()->message, "a.yaml: 5 mistakes");
    c3d_text_free(&mistakes);
    c3d_config_free(&config);
}

static void values_arrive(void **state)
{
    static const char text[] = "data:\n"
                               "  root: /archive\n"
                               "  mosaics: \"{YYYY}-{MM}/*.tif\"\n"
                               "  labels: cover.tif\n"
                               "  label_period: 2013-09-14/2014-08\n"
                               "  label_classes:\n"
                               "    mining: [30]\n"
                               "    industrial: 101-130\n"
                               "    garimpo: [201-214, 215, 216-226]\n"
                               "  positive: mining\n"
                               "  bands: [NDVI, \"2\"]\n"
                               "  aoi: [-60.5, -10, -60, -9.5]\n"
                               "  split: random\n"
                               "  augment: {symmetry: true}\n"
                               "  seed: 9007199254740991\n"
                               "optimizer: {epsilon: 1e-7}\n";
    c3d_config c;
    c3d_text mistakes = { 0 };
    char path[C3D_PATH_MAX];

    (void)state;
    assert_int_equal(parse_as(text, C3D_CONFIG_FOR_DATASET, NULL, 0, &c, &mistakes), C3D_OK);
    assert_null(mistakes.text);
    assert_string_equal(c.data.mosaics, "{YYYY}-{MM}/*.tif");
    assert_int_equal(c.data.label_period.first, 20130914);
    assert_int_equal(c.data.label_period.last, 20140800);
    assert_int_equal(c.data.label_classes.n, 3);
    assert_string_equal(c.data.label_classes.items[2].name, "garimpo");
    assert_int_equal(c.data.label_classes.items[2].n_ranges, 3);
    assert_int_equal(c.data.label_classes.items[2].ranges[1][1], 215);
    assert_int_equal(c.data.label_classes.items[2].ranges[2][1], 226);
    assert_int_equal(c.data.label_classes.items[1].ranges[0][0], 101);
    assert_int_equal(c.data.bands.n, 2);
    assert_string_equal(c.data.bands.items[1], "2");
    assert_true(c.data.aoi.n == 4 && c.data.aoi.items[0] < -60.4 && c.data.aoi.items[0] > -60.6);
    assert_int_equal(c.data.split, C3D_CONFIG_SPLIT_RANDOM);
    assert_true(c.data.augment.symmetry);
    assert_true(c.data.seed == 9007199254740991);
    assert_true(c.optimizer.epsilon > 0.99e-7 && c.optimizer.epsilon < 1.01e-7);
    assert_int_equal(c.model.width, 64);
    assert_int_equal(c.train.global_batch, 16);
    assert_int_equal(c3d_config_path(&c, c.data.labels, path), C3D_OK);
    assert_string_equal(path, "/archive/cover.tif");
    assert_int_equal(c3d_config_path(&c, "/other/x.tif", path), C3D_OK);
    assert_string_equal(path, "/other/x.tif");
    c3d_config_free(&c);
}

static void every_kind_of_mistake_has_its_words(void **state)
{
    (void)state;
    expect_mistakes("", "");
    expect_mistakes("# nothing\n", "");
    expect_mistakes("model:\n", "");
    expect_mistakes("model: {network: c3d, network: cnn2d}\n",
                    "a.yaml:1:23: model.network: given twice, first in line 1\n");
    expect_mistakes("model:\n  width: 4\ndata: {seed: 2}\nmodel:\n  fc: 8\n",
                    "a.yaml:4:1: model: given twice, first in line 1\n");
    expect_mistakes("model.width: 3\nmodel: {width: 4}\n",
                    "a.yaml:2:9: model.width: given twice, first in line 1\n");
    expect_mistakes("modle: {width: 3}\n", "a.yaml:1:1: modle: unknown key; did you mean model?\n");
    expect_mistakes("colour: red\n", "a.yaml:1:1: colour: unknown key\n");
    expect_mistakes("train: {learning_rate: 0.1}\n",
                    "a.yaml:1:9: train.learning_rate: unknown key; did you mean "
                    "optimizer.learning_rate?\n");
    expect_mistakes("model: 3\n", "a.yaml:1:8: model: expected keys below it, got a value\n");
    expect_mistakes("model: [3]\n", "a.yaml:1:8: model: expected keys below it, got a list\n");
    expect_mistakes("model: {width: {a: 1}}\n",
                    "a.yaml:1:16: model.width: expected an integer, got a map\n");
    expect_mistakes("model: {width: }\n", "a.yaml:1:16: model.width: no value given\n");
    expect_mistakes("model: {width: 99999999999}\n",
                    "a.yaml:1:16: model.width: 99999999999 is outside [1, 1024]\n");
    expect_mistakes("model: {dropout: nan}\n",
                    "a.yaml:1:18: model.dropout: nan is outside [0, 0.99]\n");
    expect_mistakes("model: {pool5_padding: yes}\n",
                    "a.yaml:1:24: model.pool5_padding: expected true or false, got \"yes\"\n");
    expect_mistakes("data: {bands: red}\n",
                    "a.yaml:1:15: data.bands: expected a list such as [a, b], got \"red\"\n");
    expect_mistakes("data: {aoi: [1, 2]}\n",
                    "a.yaml:1:13: data.aoi: expected a list of 4 numbers, got 2\n");
    expect_mistakes("data: {aoi: [1, 2, x, 4]}\n",
                    "a.yaml:1:20: data.aoi: expected a number, got \"x\"\n");
    expect_mistakes(
        "data: {months: 2020-13/2021-01}\n",
        "a.yaml:1:16: data.months: expected START/END such as 2020-09/2024-05 or 2020/2024, got "
        "\"2020-13/2021-01\"\n");
    expect_mistakes("data: {months: 2022-01/2021-12}\n",
                    "a.yaml:1:16: data.months: 2022-01/2021-12 ends before it begins\n");
    expect_mistakes("data: {label_classes: {a b: 3}}\n",
                    "a.yaml:1:24: data.label_classes: expected a name of at most 31 letters, "
                    "digits, _ or -, got \"a b\"\n");
    expect_mistakes("data: {label_classes: {a: 7-3}}\n",
                    "a.yaml:1:27: data.label_classes: expected a code in 0..65535 or a range such "
                    "as 101-130, got \"7-3\"\n");
    expect_mistakes("- 1\n- 2\n", "a.yaml:1:1: expected keys with values\n");
    expect_mistakes("model: {width: 3}\n---\nmodel: {width: 4}\n",
                    "a.yaml:3:1: a second document; one file, one document\n");
    expect_mistakes("? [a, b]\n: 3\n", "a.yaml:1:3: a key must be a word\n");
}

static void broken_yaml_has_a_place(void **state)
{
    (void)state;
    expect_mistakes("data:\n  bands: [red\nmodel: {width: 3}\n",
                    "a.yaml:3:6: YAML: did not find expected ',' or ']'\n");
    expect_mistakes("data:\n\twidth: 3\n",
                    "a.yaml:2:1: YAML: found character that cannot start any token\n");
    expect_mistakes("model: {width: \xff}\n", "a.yaml: byte 15: invalid leading UTF-8 octet\n");
    expect_mistakes("model: *nowhere\n", "a.yaml:1:8: YAML: found undefined alias\n");
}

/* Aliases that multiply, and one that contains itself. */
static void aliases_cannot_explode(void **state)
{
    c3d_config config;
    c3d_text text = { 0 }, mistakes = { 0 };

    (void)state;
    c3d_text_add(&text, "a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (char c = 'b'; c < 'h'; c++) {
        c3d_text_add(&text, "%c: &%c [", c, c);
        for (int i = 0; i < 10; i++) c3d_text_add(&text, "*%c, ", c - 1);
        c3d_text_add(&text, "]\n");
    }
    assert_int_equal(parse_as(text.text, C3D_CONFIG_FOR_READING, NULL, 0, &config, &mistakes),
                     C3D_ECONFIG);
    assert_non_null(strstr(mistakes.text, "nested too deeply"));
    c3d_config_free(&config);
    c3d_text_free(&mistakes);
    c3d_text_free(&text);
    assert_int_equal(
        parse_as("data: &d\n  augment: *d\n", C3D_CONFIG_FOR_READING, NULL, 0, &config, &mistakes),
        C3D_ECONFIG);
    c3d_config_free(&config);
    c3d_text_free(&mistakes);
}

static void dates_of_a_stack_ascend(void **state)
{
    (void)state;
    expect_mistakes("data: {list: {stack: by_date, stack_dates: [2020-12, 2020-10, 2020-09]}}\n",
                    "a.yaml:1:44: data.list.stack_dates: 2020-10 is not later than 2020-12\n");
    expect_mistakes(
        "data: {list: {stack: by_band, stack_dates: [2020-09, 20200914, 2020-09-14]}}\n",
        "a.yaml:1:44: data.list.stack_dates: 2020-09-14 is not later than 20200914\n");
    expect_mistakes("data: {list: {stack: by_band, stack_dates: [2020-09, 20200914, 202010]}}\n",
                    "");
    expect_mistakes("data: {list: {stack: by_name, stack_dates: [2020-12, 2020-10]}}\n", "");
}

static void rules_between_keys_name_a_place(void **state)
{
    (void)state;
    expect_mistakes("train:\n  global_batch: 4\n",
                    "a.yaml:2:17: train.micro_batch: 8 is larger than train.global_batch (4)\n");
    expect_mistakes("train:\n  micro_batch: 96\n  global_batch: 64\n",
                    "a.yaml:2:16: train.micro_batch: 96 is larger than train.global_batch (64)\n");
    expect_mistakes("data: {split_shares: [0.5, 0.5, 0.5]}\n",
                    "a.yaml:1:22: data.split_shares: 0.5 + 0.5 + 0.5 = 1.5, expected shares with "
                    "sum 1\n");
    expect_mistakes("data: {negative_share: 0.5}\n",
                    "a.yaml:1:24: data.negative_share: 0.5 is larger than data.positive_share "
                    "(0.1)\n");
    expect_mistakes("data: {label_classes: {mining: 30}, positive: minig}\n",
                    "a.yaml:1:47: data.positive: minig is no class of data.label_classes; did you "
                    "mean mining?\n");
    expect_mistakes("data: {label_classes: {a: 1-9, b: [20, 4]}, positive: a}\n",
                    "a.yaml:1:23: data.label_classes: code 4 is in a and in b\n");
    expect_mistakes("data: {labels: a.tif, label_classes: {a: 1}, positive: a}\n",
                    "a.yaml:1:16: data.labels: has no {YYYY}, so data.label_period is needed\n");
    expect_mistakes("data: {month_order: shuffled}\nmodel: {network: cnn2d}\n",
                    "a.yaml:1:21: data.month_order: shuffled, but cnn2d sees one month only\n");
    expect_mistakes("data: {augment: {month_dropout: 0.5}}\nmodel: {network: cnn2d}\n",
                    "a.yaml:1:33: data.augment.month_dropout: 0.5, but cnn2d sees one month "
                    "only\n");
    expect_mistakes("train: {focal_gamma: 1}\n",
                    "a.yaml:1:22: train.focal_gamma: 1, but train.loss is cross_entropy\n");
    expect_mistakes("train: {loss: focal, focal_gamma: 1}\n", "");
    expect_mistakes("data: {stage_groups: 4}\ntrain: {global_batch: 16, micro_batch: 4}\n", "");
    expect_mistakes("data: {stage_groups: 3}\ntrain: {global_batch: 16, micro_batch: 4}\n",
                    "a.yaml:1:22: data.stage_groups: 3 micro-batches of 4 are 12 samples, and "
                    "train.global_batch (16) is no multiple of that\n");
    expect_mistakes("data: {sampling: balanced, stage_groups: 2}\n",
                    "a.yaml:1:42: data.stage_groups: 2, but data.sampling: balanced draws each "
                    "class from all samples: use 1 group\n");
    expect_mistakes("data: {aoi: [3, 2, 1, 4]}\n",
                    "a.yaml:1:13: data.aoi: expected x_min, y_min, x_max, y_max with x_min < "
                    "x_max, y_min < y_max\n");
    /* a value that is wrong by itself is not reported a second time by a rule */
    expect_mistakes("train: {global_batch: 4, micro_batch: many}\n",
                    "a.yaml:1:39: train.micro_batch: expected an integer, got \"many\"\n");
}

static void splits_make_sense(void **state)
{
    (void)state;
    expect_mistakes("data: {split: years}\n",
                    "a.yaml:1:15: data.split: years, but data.split_years "
                    "does not list years of any split\n");
    expect_mistakes("data: {split: years, samples: yearly, split_years: {train: 2020}}\n",
                    "a.yaml:1:15: data.split: years, but data.split_years does not list years of a "
                    "split besides train\n");
    expect_mistakes("data: {split: years, samples: yearly, split_years: {test: 2020}}\n", "");
    expect_mistakes("data: {samples: yearly, split_years: {test: [2020, 2022-2023]}}\n", "");
    expect_mistakes("data: {split_years: {test: 2020}}\n",
                    "a.yaml:1:21: data.split_years: data.samples: series makes one sample of all "
                    "years of a frame; years can be split with yearly or monthly samples only\n");
    expect_mistakes("data: {samples: yearly, split_years: {tset: 2020}}\n",
                    "a.yaml:1:38: data.split_years: tset: expected train, validation or test\n");
    expect_mistakes("data: {samples: yearly, split_years: {test: 20}}\n",
                    "a.yaml:1:38: data.split_years: 20: expected a year\n");
    expect_mistakes("data: {samples: yearly, split_years: {test: 2020, train: 2019-2020}}\n",
                    "a.yaml:1:38: data.split_years: year 2020 is in test and in train\n");
    expect_mistakes("data: {split: polygons}\n",
                    "a.yaml:1:15: data.split_file: needed by data.split: "
                    "polygons, not given\n");
    expect_mistakes(
        "data: {split_file: a.gpkg}\n",
        "a.yaml:1:20: data.split_file: means something with data.split: polygons only\n");
    expect_mistakes("data: {split: random, buffer_m: 5}\n",
                    "a.yaml:1:33: data.buffer_m: 5, but data.split: random deals single frames, "
                    "whatever lies next to them\n");
    expect_mistakes("data: {folds: 2}\n",
                    "a.yaml:1:15: data.folds: 2: one fold is for test and the "
                    "next for validation: 0, or 3 and more\n");
    expect_mistakes("data: {fold: 4}\n", "");
    expect_mistakes("data: {fold: 4, folds: 4}\n",
                    "a.yaml:1:14: data.fold: 4, but data.folds is 4\n");
}

static void time_needs_a_number_of_months(void **state)
{
    (void)state;
    expect_mistakes("data: {time: window}\n", "a.yaml:1:14: data.time_months: needed by data.time: "
                                              "window, not given\n");
    expect_mistakes("data: {time_months: 3}\n",
                    "a.yaml:1:21: data.time_months: 3, but data.time is all\n");
    expect_mistakes("data: {time: stride, time_months: 3}\n", "");
    expect_mistakes("data: {time: all, mask_band: \"\"}\n", "");
}

static void required_keys_depend_on_the_use(void **state)
{
    c3d_config config;
    c3d_text mistakes = { 0 };

    (void)state;
    assert_int_equal(parse_as("", C3D_CONFIG_FOR_TRAIN, NULL, 0, &config, &mistakes), C3D_ECONFIG);
    assert_string_equal(mistakes.text, "a.yaml: data.store: required, not given\n"
                                       "a.yaml: run.dir: required, not given\n");
    c3d_config_free(&config);
    c3d_text_free(&mistakes);
    assert_int_equal(parse_as("", C3D_CONFIG_FOR_DATASET, NULL, 0, &config, &mistakes),
                     C3D_ECONFIG);
    assert_string_equal(mistakes.text, "a.yaml: data.mosaics: required, not given\n");
    c3d_config_free(&config);
    c3d_text_free(&mistakes);
    assert_int_equal(parse_as("", C3D_CONFIG_FOR_READING, NULL, 0, &config, &mistakes), C3D_OK);
    c3d_config_free(&config);
}

static void set_goes_through_the_same_door(void **state)
{
    static const char *const sets[] = { "train.epochs=3", "data.bands=[red, \"a b\"]",
                                        "data.mosaics={YYYY}/{MM}.tif",
                                        "data.label_classes={mining: [30]}", "data.labels=" };
    c3d_config c;
    c3d_text mistakes = { 0 };

    (void)state;
    assert_int_equal(parse_as("train: {epochs: 7}\ndata: {labels: x.tif}\n", C3D_CONFIG_FOR_READING,
                              sets, 5, &c, &mistakes),
                     C3D_OK);
    assert_int_equal(c.train.epochs, 3);
    assert_int_equal(c.data.bands.n, 2);
    assert_string_equal(c.data.bands.items[1], "a b");
    assert_string_equal(c.data.mosaics, "{YYYY}/{MM}.tif");
    assert_int_equal(c.data.label_classes.items[0].ranges[0][0], 30);
    assert_string_equal(c.data.labels, "");
    c3d_config_free(&c);

    expect_set_mistakes("optimizer.clip_norm=-1",
                        "--set: optimizer.clip_norm: -1 is outside [0, 1000000]\n");
    expect_set_mistakes("train.epoch=3",
                        "--set: train.epoch: unknown key; did you mean train.epochs?\n");
    expect_set_mistakes("train=3", "--set: train: a section; set its keys\n");
    expect_set_mistakes("train.epochs", "--set: \"train.epochs\": expected KEY=VALUE\n");
    expect_set_mistakes("train.epochs=", "--set: train.epochs: expected an integer, got nothing\n");
    expect_set_mistakes("data.bands=[red",
                        "--set: data.bands: YAML: did not find expected ',' or ']'\n");
    expect_set_mistakes("run.dir=\xff", "--set: run.dir: expected a text in UTF-8, got \"\xff\"\n");

    static const char *const twice[] = { "train.epochs=3", "train.epochs=4" };
    assert_int_equal(parse_as("", C3D_CONFIG_FOR_READING, twice, 2, &c, &mistakes), C3D_ECONFIG);
    assert_string_equal(mistakes.text, "--set: train.epochs: given twice\n");
    c3d_config_free(&c);
    c3d_text_free(&mistakes);
}

static void at_most_twenty_are_listed(void **state)
{
    c3d_config config;
    c3d_text text = { 0 }, mistakes = { 0 };
    int n_lines = 0;

    (void)state;
    for (int i = 0; i < 27; i++) c3d_text_add(&text, "zzzzzzzzzzzz%d: 1\n", i);
    assert_int_equal(parse_as(text.text, C3D_CONFIG_FOR_READING, NULL, 0, &config, &mistakes),
                     C3D_ECONFIG);
    for (const char *p = mistakes.text; *p; p++) n_lines += *p == '\n';
    assert_int_equal(n_lines, 21);
    assert_non_null(strstr(mistakes.text, "\nand 7 more\n"));
    assert_string_equal(c3d_error_last()->message, "a.yaml: 27 mistakes");
    c3d_config_free(&config);
    c3d_text_free(&mistakes);
    c3d_text_free(&text);
}

/* print -> parse -> print is the identity, for defaults and for awkward values. */
static void printing_and_reading_is_the_identity(void **state)
{
    static const char *const sets[] = { "data.root=-a: \"b\"\\ #\t\n ü",
                                        "data.store=null",
                                        "run.dir=~",
                                        "data.bands=[\"1\", \"true\", \"a, b\"]",
                                        "data.aoi=[-0.1, 1e-300, 12345678.000001, 3]",
                                        "data.label_classes={a: [1, 3-9], b: 30}",
                                        "data.months=2020-09-01/2024-05",
                                        "optimizer.learning_rate=0.1000000000000000056",
                                        "optimizer.epsilon=1.2345678901234567e-9",
                                        "data.augment.symmetry=true",
                                        "data.slice=median" };

    (void)state;
    for (int n_sets = 0; n_sets <= (int)C3D_COUNT(sets); n_sets += (int)C3D_COUNT(sets)) {
        c3d_config first, second;
        c3d_text printed = { 0 }, again = { 0 }, mistakes = { 0 };
        assert_int_equal(parse_as("", C3D_CONFIG_FOR_READING, sets, n_sets, &first, &mistakes),
                         C3D_OK);
        c3d_config_print(&first, &printed);
        if (parse_as(printed.text, C3D_CONFIG_FOR_READING, NULL, 0, &second, &mistakes) != C3D_OK) {
            fail_msg("%s", mistakes.text);
        }
        c3d_config_print(&second, &again);
        assert_string_equal(again.text, printed.text);
        if (n_sets) assert_string_equal(second.data.root, first.data.root);
        assert_non_null(strstr(printed.text, "\n  augment:\n    symmetry: "));
        c3d_config_free(&first);
        c3d_config_free(&second);
        c3d_text_free(&printed);
        c3d_text_free(&again);
    }
}

static void differences_have_both_values_and_a_policy(void **state)
{
    c3d_config a, b;
    c3d_text mistakes = { 0 };
    c3d_config_changes changes;

    (void)state;
    assert_int_equal(parse_as("", C3D_CONFIG_FOR_READING, NULL, 0, &a, &mistakes), C3D_OK);
    assert_int_equal(parse_as("train: {epochs: 20}\noptimizer: {learning_rate: 1e-4}\n"
                              "evaluation: {threshold: 0.5}\nmodel: {width: 64}\n",
                              C3D_CONFIG_FOR_READING, NULL, 0, &b, &mistakes),
                     C3D_OK);
    c3d_config_diff(&a, &b, &changes);
    assert_int_equal(changes.n, 3);
    assert_string_equal(changes.items[0].key, "train.epochs");
    assert_int_equal(changes.items[0].policy, C3D_CONFIG_FREE);
    assert_string_equal(changes.items[1].key, "optimizer.learning_rate");
    assert_int_equal(changes.items[1].policy, C3D_CONFIG_REFUSE);
    assert_string_equal(changes.items[1].from, "0.001");
    assert_string_equal(changes.items[1].to, "0.0001");
    assert_int_equal(changes.items[2].policy, C3D_CONFIG_WARN);
    c3d_config_changes_free(&changes);
    c3d_config_free(&a);
    c3d_config_free(&b);
}

static void every_warning_says_what_it_means(void **state)
{
    c3d_json *keys = c3d_config_describe();

    (void)state;
    for (size_t i = 0; i < c3d_json_length(keys); i++) {
        const c3d_json *key = c3d_json_at(keys, i);
        const char *policy = "", *warning = "";
        assert_true(c3d_json_get_string(key, "resume", &policy));
        const bool has_warning = c3d_json_get_string(key, "warning", &warning);
        assert_int_equal(has_warning && warning[0], strcmp(policy, "warn") == 0);
    }
    c3d_json_free(keys);
}

/* ---- command line ---------------------------------------------------------------------------- */

static const c3d_option train_options[] = {
    { .name = "--resume",
      .type = C3D_OPTION_TEXT,
      .value = "auto|never|PATH",
      .standard = "auto",
      .help = "continue" },
    { .name = "--debug", .type = C3D_OPTION_FLAG, .help = "one device" },
    { .name = "--steps",
      .type = C3D_OPTION_INT,
      .value = "N",
      .standard = "5",
      .min = 1,
      .max = 10,
      .help = "steps" },
    { .name = "--threshold",
      .type = C3D_OPTION_REAL,
      .value = "T",
      .min = 0,
      .max = 1,
      .standard = "0.9",
      .help = "threshold" },
    { .name = "--size",
      .type = C3D_OPTION_CHOICE,
      .value = "small|large",
      .standard = "small",
      .help = "size" },
};
static const c3d_command one_command[] = { { .name = "",
                                             .summary = "trains",
                                             .operands = "CONFIG",
                                             .n_operands_min = 1,
                                             .n_operands_max = 1,
                                             .options = train_options,
                                             .n_options = C3D_COUNT(train_options),
                                             .has_config = true } };
static const c3d_program one = { .name = "c3d-one",
                                 .summary = "trains",
                                 .commands = one_command,
                                 .n_commands = 1,
                                 .libraries = "Open MPI 4.1" };
static const c3d_option out_option[] = {
    { .name = "--out", .type = C3D_OPTION_TEXT, .value = "DIR", .required = true, .help = "where" }
};
static const c3d_command two_commands[] = {
    { .name = "build",
      .summary = "builds",
      .operands = "CONFIG",
      .n_operands_min = 1,
      .n_operands_max = 1,
      .options = out_option,
      .n_options = 1,
      .has_config = true },
    { .name = "info",
      .summary = "tells",
      .operands = "DIR",
      .n_operands_min = 1,
      .n_operands_max = 1 },
};
static const c3d_program two = {
    .name = "c3d-two", .summary = "data", .commands = two_commands, .n_commands = 2
};

static c3d_status run_args(const c3d_program *program, const char *line, c3d_args *args)
{
    static char storage[512];
    static char *argv[32];
    int argc = 0;

    (void)snprintf(storage, sizeof storage, "program %s", line);
    for (char *p = strtok(storage, " "); p; p = strtok(NULL, " ")) argv[argc++] = p;
    return c3d_args_parse(program, argc, argv, args);
}

static void options_are_read_anywhere(void **state)
{
    c3d_args args;

    (void)state;
    assert_int_equal(run_args(&one,
                              "--set a.b=1 --debug x.yaml --set=c=[1] --steps 7 --threshold=0.5 "
                              "--size large",
                              &args),
                     C3D_OK);
    assert_null(args.answer);
    assert_int_equal(args.n_operands, 1);
    assert_string_equal(args.operands[0], "x.yaml");
    assert_int_equal(args.n_sets, 2);
    assert_string_equal(args.sets[1], "c=[1]");
    assert_true(c3d_args_flag(&args, "--debug"));
    assert_int_equal(c3d_args_int(&args, "--steps"), 7);
    assert_true(c3d_args_real(&args, "--threshold") > 0.49 &&
                c3d_args_real(&args, "--threshold") < 0.51);
    assert_string_equal(c3d_args_text(&args, "--resume"), "auto");
    assert_string_equal(c3d_args_text(&args, "--size"), "large");
    assert_false(c3d_args_given(&args, "--resume"));
    c3d_args_free(&args);

    assert_int_equal(run_args(&two, "build x.yaml --out d", &args), C3D_OK);
    assert_string_equal(args.command->name, "build");
    assert_string_equal(c3d_args_text(&args, "--out"), "d");
    c3d_args_free(&args);
    assert_int_equal(run_args(&two, "info -- -x", &args), C3D_OK);
    assert_string_equal(args.operands[0], "-x");
    c3d_args_free(&args);
}

static void expect_refused(const c3d_program *program, const char *line, const char *message)
{
    c3d_args args;

    assert_int_equal(run_args(program, line, &args), C3D_ECONFIG);
    assert_string_equal(c3d_error_last()->message, message);
    c3d_args_free(&args);
}

static void wrong_command_lines_are_refused(void **state)
{
    (void)state;
    expect_refused(&one, "x --reusme auto", "--reusme: unknown option; did you mean --resume?");
    expect_refused(&one, "x --zzzzzzzzzz", "--zzzzzzzzzz: unknown option; see --help");
    expect_refused(&one, "x --steps 2.5", "--steps: expected an integer, got \"2.5\"");
    expect_refused(&one, "x --steps 11", "--steps: 11 is outside [1, 10]");
    expect_refused(&one, "x --size tiny", "--size: expected small|large, got \"tiny\"");
    expect_refused(&one, "x --size", "--size: expected small|large after it");
    expect_refused(&one, "x --debug=1", "--debug: takes no value");
    expect_refused(&one, "x --steps 1 --steps 2", "--steps: given twice");
    expect_refused(&one, "", "expected CONFIG, got nothing; see --help");
    expect_refused(&one, "x y", "y: unexpected; expected CONFIG");
    expect_refused(&one, "x --progress sometimes",
                   "--progress: expected auto|always|never|json, got \"sometimes\"");
    expect_refused(&two, "biuld x", "biuld: unknown command; did you mean build?");
    expect_refused(&two, "", "which command? see c3d-two --help");
    expect_refused(&two, "build x", "--out: required, not given");
    expect_refused(&two, "info x --set a=1", "--set: unknown option; see --help");
}

static void expect_answer(const c3d_program *program, const char *line, const char *part)
{
    c3d_args args;

    assert_int_equal(run_args(program, line, &args), C3D_OK);
    assert_non_null(args.answer);
    if (!strstr(args.answer, part)) fail_msg("%s: no \"%s\" in\n%s", line, part, args.answer);
    c3d_args_free(&args);
}

static void programs_tell_about_themselves(void **state)
{
    (void)state;
    expect_answer(&one, "--help", "--resume auto|never|PATH");
    expect_answer(&one, "-h", "optimizer.learning_rate  (number 0 to 1000; default 0.001)");
    expect_answer(&two, "--help", "c3d-two build CONFIG");
    expect_answer(&two, "build --help", "--out DIR");
    expect_answer(&one, "--version", "Open MPI 4.1");
    expect_answer(&one, "--cite", "Tran");

    c3d_args args;
    c3d_json *json;
    const char *name;
    assert_int_equal(run_args(&one, "--describe json", &args), C3D_OK);
    assert_int_equal(c3d_json_parse(args.answer, strlen(args.answer), "describe", &json), C3D_OK);
    assert_true(c3d_json_get_string(json, "program", &name));
    assert_string_equal(name, "c3d-one");
    assert_true(c3d_json_length(c3d_json_get(json, "keys")) > 70);
    c3d_json_free(json);
    c3d_args_free(&args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_mistakes_are_five_lines),
        cmocka_unit_test(values_arrive),
        cmocka_unit_test(every_kind_of_mistake_has_its_words),
        cmocka_unit_test(broken_yaml_has_a_place),
        cmocka_unit_test(aliases_cannot_explode),
        cmocka_unit_test(dates_of_a_stack_ascend),
        cmocka_unit_test(rules_between_keys_name_a_place),
        cmocka_unit_test(splits_make_sense),
        cmocka_unit_test(time_needs_a_number_of_months),
        cmocka_unit_test(required_keys_depend_on_the_use),
        cmocka_unit_test(set_goes_through_the_same_door),
        cmocka_unit_test(at_most_twenty_are_listed),
        cmocka_unit_test(printing_and_reading_is_the_identity),
        cmocka_unit_test(differences_have_both_values_and_a_policy),
        cmocka_unit_test(every_warning_says_what_it_means),
        cmocka_unit_test(options_are_read_anywhere),
        cmocka_unit_test(wrong_command_lines_are_refused),
        cmocka_unit_test(programs_tell_about_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
