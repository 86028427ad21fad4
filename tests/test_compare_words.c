/* The paragraph of a comparison says what its table says: every figure of it stands in the table,
 * each network's sentence has that network's figures, and its words are the verdict's, which is
 * worked out here again from what is printed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include "c3d/compare.h"

#define N_SAMPLES  240
#define MAX_NAMES  4
#define MAX_RUNS   3
#define N_VERDICTS (C3D_VERDICT_TOO_LITTLE + 1)

static const char *names[MAX_NAMES] = { "alpha", "beta", "gamma", "delta" };

typedef struct experiment {
    int32_t labels[N_SAMPLES];
    int64_t blocks[N_SAMPLES];
    float scores[MAX_NAMES][MAX_RUNS][N_SAMPLES];
    const float *runs[MAX_NAMES][MAX_RUNS];
    c3d_compare_network networks[MAX_NAMES];
    c3d_comparison comparison;
    bool has_config[MAX_NAMES];
    c3d_compare_cost costs[MAX_NAMES];
    c3d_compare_context context;
    c3d_text table, paragraph;
} experiment;

static uint64_t below(uint64_t number, uint64_t what, uint64_t n)
{
    return c3d_random_below(11, C3D_STREAM(C3D_PURPOSE_TEST, what), number, n);
}

static void draw_scores(experiment *e, uint64_t number, int n_networks)
{
    for (int k = 0; k < n_networks; k++) {
        const double skill =
            1.5 + (k > 0 ? 0.5 * ((double)below(number, 30 + (uint64_t)k, 5) - 2) : 0);
        const int n_runs = 1 + (int)below(number, 40 + (uint64_t)k, MAX_RUNS);
        for (int r = 0; r < n_runs; r++) {
            const uint64_t stream =
                C3D_STREAM(C3D_PURPOSE_TEST, 1000 + number * 100 + (uint64_t)(k * MAX_RUNS + r));
            for (uint64_t i = 0; i < N_SAMPLES; i++) {
                const double z = skill * e->labels[i] + c3d_random_normal(3, stream, i);
                e->scores[k][r][i] = (float)(1 / (1 + exp(-z)));
            }
            e->runs[k][r] = e->scores[k][r];
        }
        if (k > 0 && below(number, 50 + (uint64_t)k, 8) == 0)
            memcpy(e->scores[k], e->scores[0], sizeof e->scores[k]);
        e->networks[k] =
            (c3d_compare_network){ .name = names[k], .n_runs = n_runs, .scores = e->runs[k] };
        e->has_config[k] = below(number, 60 + (uint64_t)k, 3) > 0;
        e->costs[k] = (c3d_compare_cost){ (double)NAN, 1e6, 2e3, 3e4, 0.5 };
    }
}

static void make_experiment(experiment *e, uint64_t number)
{
    const int n_networks = 2 + (int)below(number, 1, MAX_NAMES - 1);
    const uint64_t n_blocks = 6 + below(number, 2, 30);

    memset(e, 0, sizeof *e);
    for (uint64_t i = 0; i < N_SAMPLES; i++) {
        e->labels[i] = below(number * N_SAMPLES + i, 3, 3) == 0;
        e->blocks[i] = (int64_t)(i * n_blocks / N_SAMPLES);
    }
    draw_scores(e, number, n_networks);
    const c3d_compare_desc desc = { .n = N_SAMPLES,
                                    .n_outputs = 1,
                                    .labels = e->labels,
                                    .blocks = e->blocks,
                                    .n_networks = n_networks,
                                    .networks = e->networks,
                                    .threshold = 0.5,
                                    .n_replicates = 60 };
    assert_int_equal(c3d_compare(&desc, &e->comparison), C3D_OK);
    e->context = (c3d_compare_context){ .split = "test",
                                        .has_blocks = below(number, 4, 4) > 0,
                                        .are_blocks_lone = below(number, 5, 2) > 0,
                                        .n_networks = n_networks,
                                        .names = names,
                                        .sources = names,
                                        .has_config = e->has_config,
                                        .costs = e->costs };
    c3d_compare_print_table(&e->comparison, &e->context, &e->table);
    c3d_compare_print_paragraph(&e->comparison, &e->context, &e->paragraph);
}

static void free_experiment(experiment *e)
{
    c3d_comparison_free(&e->comparison);
    c3d_text_free(&e->table);
    c3d_text_free(&e->paragraph);
}

/* ---- what is printed, read again ------------------------------------------------------------- */

typedef struct printed {
    char name[32], value[32], difference[32], low[32], high[32], p[32], holm[32], verdict[64];
} printed;

/* The network's row of the first table: columns are two blanks or more apart. */
static void read_row(const char *table, const char *name, printed *out)
{
    char start[40];
    int n_runs, end = 0, used = 0;

    (void)snprintf(start, sizeof start, "\n%s ", name);
    const char *row = strstr(table, start);
    assert_non_null(row);
    memset(out, 0, sizeof *out);
    const int n = sscanf(row, " %31s %d %31s (%*[^)]) %n", out->name, &n_runs, out->value, &end);
    assert_int_equal(n, 3);
    row += end;
    assert_int_equal(sscanf(row, "%31s%n", out->difference, &used), 1);
    const char *open = strchr(row, '('), *dots = strstr(row, ".."), *close = strchr(row, ')');
    if (open && open < strchr(row, '\n')) {
        (void)snprintf(out->low, sizeof out->low, "%.*s", (int)(dots - open - 1), open + 1);
        (void)snprintf(out->high, sizeof out->high, "%.*s", (int)(close - dots - 2), dots + 2);
        used = (int)(close + 1 - row);
    }
    assert_int_equal(sscanf(row + used, " %31s %31s %63[^\n]", out->p, out->holm, out->verdict), 3);
}

static double number_of(const char *text)
{
    return strtod(text[0] == '<' ? text + 1 : text, NULL) * (text[0] == '<' ? 0.5 : 1);
}

/* What anybody would say who has only the printed row. */
static c3d_verdict judge(const printed *row, bool is_enough, bool is_same)
{
    if (is_same) return C3D_VERDICT_SAME;
    if (!is_enough) return C3D_VERDICT_TOO_LITTLE;
    if (number_of(row->holm) > 0.05) return C3D_VERDICT_NOT_SHOWN;
    return row->difference[0] == '-' ? C3D_VERDICT_WORSE : C3D_VERDICT_BETTER;
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* The network's sentences: from its name to the next network's or the end. */
static char *sentence_of(const experiment *e, int k)
{
    char start[64];
    size_t n;

    (void)snprintf(start, sizeof start, ". %s %s", names[k],
                   e->comparison.networks[k].verdict == C3D_VERDICT_SAME ? "gives" : "(");
    const char *from = strstr(e->paragraph.text, start);
    if (!from) fail_msg("no sentence on %s: %s", names[k], e->paragraph.text);
    for (n = 2; from[n]; n++)
        if (from[n] == '.' && (from[n + 1] == ' ' || !from[n + 1])) break;
    return strndup(from + 2, n - 1);
}

static void check_words(const char *sentence, c3d_verdict verdict)
{
    const bool is_claim = verdict == C3D_VERDICT_BETTER || verdict == C3D_VERDICT_WORSE;

    assert_int_equal(has(sentence, "it is better"), verdict == C3D_VERDICT_BETTER);
    assert_int_equal(has(sentence, "it is worse"), verdict == C3D_VERDICT_WORSE);
    assert_int_equal(has(sentence, "no difference shown"), verdict == C3D_VERDICT_NOT_SHOWN);
    assert_int_equal(has(sentence, "too little evidence"), verdict == C3D_VERDICT_TOO_LITTLE);
    assert_int_equal(has(sentence, "gives the very scores"), verdict == C3D_VERDICT_SAME);
    assert_int_equal(has(sentence, "on places like these"), is_claim);
}

/* The sentence ends before "any difference in that interval", so the whole paragraph is looked at.
 */
static void check_few_runs(const experiment *e, int *n_few)
{
    bool is_few = false, is_other = false;

    for (int k = 1; k < e->comparison.n_networks; k++) {
        const c3d_compared_network *network = &e->comparison.networks[k];
        const bool is_not_shown = network->verdict == C3D_VERDICT_NOT_SHOWN;
        const bool has_few = network->differences[C3D_COMPARE_AUC].df < C3D_COMPARE_DF_MIN;
        is_few = is_few || (is_not_shown && has_few);
        is_other = is_other || (is_not_shown && !has_few);
    }
    assert_int_equal(has(e->paragraph.text, "so few runs ("), is_few);
    assert_int_equal(has(e->paragraph.text, "any difference in that interval agrees"), is_other);
    *n_few += is_few;
}

static void check_figure(const char *sentence, const char *before, const char *figure)
{
    char text[96];

    (void)snprintf(text, sizeof text, "%s%s", before, figure);
    const char *at = strstr(sentence, text);
    if (!at || (at[strlen(text)] >= '0' && at[strlen(text)] <= '9'))
        fail_msg("not said: \"%s\" in: %s", text, sentence);
}

static void check_network(const experiment *e, int k)
{
    const c3d_compared_network *network = &e->comparison.networks[k];
    const int n_runs = e->comparison.networks[0].n_runs;
    bool is_same = network->n_runs == n_runs;
    char *sentence = sentence_of(e, k), before[64], reference[32];
    printed row;

    for (int r = 0; r < n_runs && is_same; r++)
        is_same = !memcmp(e->scores[k][r], e->scores[0][r], sizeof e->scores[k][r]);
    read_row(e->table.text, names[k], &row);
    (void)snprintf(before, sizeof before, "\n%s ", names[0]);
    assert_int_equal(sscanf(strstr(e->table.text, before), " %*s %*d %31s", reference), 1);
    const c3d_verdict verdict =
        judge(&row, e->comparison.n_blocks >= 10 && !(e->comparison.effective_blocks < 5), is_same);
    assert_string_equal(row.verdict, c3d_verdict_text(verdict));
    check_words(sentence, verdict);
    if (verdict != C3D_VERDICT_SAME) {
        check_figure(sentence, " (", row.value);
        (void)snprintf(before, sizeof before, "differs from %s (", names[0]);
        check_figure(sentence, before, reference);
        check_figure(sentence, " by ", row.difference);
        check_figure(sentence, "interval ", row.low);
        check_figure(sentence, " to ", row.high);
        check_figure(sentence, ", p ", row.p);
        if (e->comparison.n_networks > 2) check_figure(sentence, "correction ", row.holm);
    }
    if (verdict == C3D_VERDICT_BETTER || verdict == C3D_VERDICT_WORSE)
        assert_int_equal(has(sentence, "as trained here"), network->n_runs == 1 || n_runs == 1);
    free(sentence);
}

/* Every number of the paragraph stands in the table, but for the levels of the method. */
static void check_numbers(const experiment *e)
{
    static const char *const of_method[] = { "95", "10", "5", "0.05", "0.5", "1", "0" };
    const char *p = e->paragraph.text;

    while (*(p += strcspn(p, "+-<0123456789"))) {
        char number[32];
        size_t n = strspn(p, "+-<") + strspn(p + strspn(p, "+-<"), "0123456789.");
        while (n > 0 && p[n - 1] == '.') n--;
        (void)snprintf(number, sizeof number, "%.*s", (int)n, p);
        bool is_known = has(e->table.text, number) || !strpbrk(number, "0123456789");
        for (size_t i = 0; i < C3D_COUNT(of_method); i++)
            is_known = is_known || !strcmp(number, of_method[i]);
        if (!is_known) fail_msg("%s is not in the table: %s\n%s", number, p, e->table.text);
        p += n > 0 ? n : 1;
    }
}

static void paragraph_agrees_with_table(void **state)
{
    static experiment e;
    int n_of[N_VERDICTS] = { 0 }, n_few = 0;

    (void)state;
    for (uint64_t number = 0; number < 60; number++) {
        make_experiment(&e, number);
        for (int k = 1; k < e.comparison.n_networks; k++) {
            check_network(&e, k);
            n_of[e.comparison.networks[k].verdict]++;
        }
        check_numbers(&e);
        check_few_runs(&e, &n_few);
        assert_int_equal(has(e.paragraph.text, "fewer than 10, nothing is concluded"),
                         e.comparison.n_blocks < 10);
        assert_int_equal(has(e.paragraph.text, "No blocks are known"), !e.context.has_blocks);
        assert_int_equal(has(e.paragraph.text, "Each block holds one frame"),
                         e.context.has_blocks && e.context.are_blocks_lone);
        assert_false(has(e.paragraph.text, "There are warnings"));
        assert_false(has(e.paragraph.text, "share a seed"));
        free_experiment(&e);
    }
    assert_true(n_few > 0);
    for (int v = C3D_VERDICT_REFERENCE + 1; v < N_VERDICTS; v++)
        if (n_of[v] < 3) fail_msg("%s came up %d times", c3d_verdict_text((c3d_verdict)v), n_of[v]);
}

/* Runs that share a seed are no trainings anew, whatever their scores. */
static void shared_seeds_are_said(void **state)
{
    static experiment e;
    c3d_comparison again;

    (void)state;
    for (uint64_t number = 0;; number++) {
        assert_true(number < 60);
        make_experiment(&e, number);
        if (e.networks[0].n_runs > 1 && e.networks[1].n_runs > 1) break;
        free_experiment(&e);
    }
    assert_false(e.comparison.networks[1].is_of_models);
    assert_int_equal(e.comparison.networks[1].n_seeds, e.networks[1].n_runs);
    e.networks[1].n_seeds = e.networks[1].n_runs - 1;
    const c3d_compare_desc desc = { .n = N_SAMPLES,
                                    .n_outputs = 1,
                                    .labels = e.labels,
                                    .blocks = e.blocks,
                                    .n_networks = e.comparison.n_networks,
                                    .networks = e.networks,
                                    .threshold = 0.5,
                                    .n_replicates = 60 };
    assert_int_equal(c3d_compare(&desc, &again), C3D_OK);
    assert_true(again.networks[1].is_of_models);
    assert_int_equal(again.networks[1].n_seeds, e.networks[1].n_runs - 1);
    c3d_compare_print_paragraph(&again, &e.context, &e.paragraph);
    assert_true(has(e.paragraph.text, "Runs that share a seed: beta."));
    c3d_comparison_free(&again);
    free_experiment(&e);
}

static void settings_are_said(void **state)
{
    static experiment e;
    const char *networks[] = { "c3d", "cnn2d", "tcnn", "x" };
    const char *rates[] = { "0.001", "0.01", NULL, NULL };
    const char *places[] = { "a", "b", "c", "d" };
    const char *hashes[] = { "0123", "4567", NULL, NULL };
    c3d_compare_setting settings[] = { { .key = "model.network", .values = networks },
                                       { .key = "optimizer.learning_rate", .values = rates },
                                       { .key = "evaluation.best_by", .values = rates },
                                       { .key = "data.store", .values = places } };
    c3d_compare_setting data[] = {
        { .key = "dataset hash", .values = hashes },
        { .key = "precision of scoring", .values = hashes, .is_of_scoring = true }
    };
    const char *warnings[] = { "a: its scores are old" };
    c3d_text text = { 0 };

    (void)state;
    make_experiment(&e, 0);
    c3d_compare_print_settings(&e.context, &text);
    assert_true(has(text.text, "nothing known that differs"));
    assert_false(has(e.paragraph.text, "learning_rate"));
    e.context.settings = settings;
    e.context.n_settings = 4;
    e.context.data = data;
    e.context.n_data = 2;
    e.context.warnings = warnings;
    e.context.n_warnings = 1;
    c3d_compare_print_settings(&e.context, &text);
    c3d_compare_print_paragraph(&e.comparison, &e.context, &e.paragraph);
    assert_true(has(text.text, "optimizer.learning_rate  0.001  0.01"));
    assert_true(has(e.paragraph.text, "differs from alpha: beta in optimizer.learning_rate, "
                                      "evaluation.best_by. A"));
    assert_true(has(e.paragraph.text, "learn from the same data (differs: dataset hash)"));
    assert_true(has(e.paragraph.text, "not scored alike (differs: precision of scoring)"));
    assert_true(has(e.paragraph.text, "There are warnings, given beside"));
    assert_true(has(text.text, "Warning: a: its scores are old"));
    c3d_text_free(&text);
    free_experiment(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paragraph_agrees_with_table),
        cmocka_unit_test(shared_seeds_are_said),
        cmocka_unit_test(settings_are_said),
    };
    return cmocka_run_group_tests_name("compare_words", tests, NULL, NULL);
}
