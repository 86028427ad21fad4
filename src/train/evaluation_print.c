/* Scores for a person. */
#include "train/evaluation.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_COLUMNS 12 /* of the confusion matrix on a line */

typedef struct printed {
    c3d_text *text;
    bool has_mark[C3D_N_FALLBACKS];
} printed;

/* "0.931 (0.91-0.95)", or "undefined" where it is 0/0. */
static void add_figure(printed *to, const c3d_figure *f, int width)
{
    const char *mark = c3d_fallback_mark(f->fallback);
    char text[40];

    if (!isfinite(f->value))
        (void)snprintf(text, sizeof text, "undefined");
    else if (!isfinite(f->low))
        (void)snprintf(text, sizeof text, "%.3f%s", f->value, mark);
    else
        (void)snprintf(text, sizeof text, "%.3f (%.3f-%.3f)%s", f->value, f->low, f->high, mark);
    c3d_text_add(to->text, "  %-*s", width, text);
    to->has_mark[f->fallback] = true;
}

static void add_named(printed *to, const char *name, const c3d_figure *f)
{
    c3d_text_add(to->text, "%s", name);
    add_figure(to, f, 0);
}

static void add_row(const c3d_sheet *sheet, int t, const char *why, printed *to)
{
    static const c3d_metric shown[] = { C3D_METRIC_ACCURACY, C3D_METRIC_PRECISION,
                                        C3D_METRIC_RECALL, C3D_METRIC_F1 };
    const c3d_counts *c = &sheet->counts[t];
    char name[64];

    (void)snprintf(name, sizeof name, "above %.4g%s%s", sheet->thresholds[t], *why ? " " : "", why);
    c3d_text_add(to->text, "%-26s", name);
    for (size_t i = 0; i < C3D_COUNT(shown); i++) add_figure(to, &sheet->at[t][shown[i]], 21);
    c3d_text_add(to->text, " %6" PRId64 " %6" PRId64 " %6" PRId64 " %6" PRId64 "\n", c->tp, c->fp,
                 c->tn, c->fn);
}

static void add_thresholds(const c3d_evaluation_files *files, const c3d_sheet *sheet, printed *to)
{
    int t = 3;

    c3d_text_add(to->text, "%-26s  %-21s  %-21s  %-21s  %-21s %6s %6s %6s %6s\n", "score",
                 "accuracy", "precision", "recall", "F1", "tp", "fp", "tn", "fn");
    if (files->threshold != 0.9 && files->threshold != 0.5) /* NOLINT: as typed */
        add_row(sheet, 0, "", to);
    add_row(sheet, 2, "", to);
    add_row(sheet, 1, "", to);
    for (int i = 0; i < files->n_chosen; i++) {
        if (isfinite(files->chosen[i].threshold))
            add_row(sheet, t++, files->chosen[i].choice.name, to);
        else
            c3d_text_add(to->text, "no threshold of the validation split has %s\n",
                         files->chosen[i].choice.name);
    }
}

static void add_class(const c3d_sheet *sheet, const c3d_dataset_info *info, int k, printed *to)
{
    const c3d_class_figures *of = &sheet->classes[k];
    char name[24];

    c3d_text_add(to->text, "%d %-24s", k, c3d_dataset_class_name(info, k, name));
    add_figure(to, &of->metrics[C3D_METRIC_PRECISION], 21);
    add_figure(to, &of->metrics[C3D_METRIC_RECALL], 21);
    add_figure(to, &of->metrics[C3D_METRIC_F1], 21);
    for (int i = 0; sheet->n_classes <= MOST_COLUMNS && i < sheet->n_classes; i++)
        c3d_text_add(to->text, " %6" PRId64, sheet->confusion[k * sheet->n_classes + i]);
    c3d_text_add(to->text, "\n");
}

static void add_classes(const c3d_evaluation_files *files, const c3d_sheet *sheet, printed *to)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(files->dataset);

    add_named(to, "largest score: accuracy", &sheet->metrics[C3D_METRIC_ACCURACY]);
    c3d_text_add(to->text, "\n%-26s  %-21s  %-21s  %-21s%s\n", "class", "precision", "recall", "F1",
                 sheet->n_classes <= MOST_COLUMNS ? "  predicted as each class" : "");
    for (int k = 0; k < sheet->n_classes; k++) add_class(sheet, info, k, to);
    c3d_text_add(to->text, "%-26s", "mean");
    add_figure(to, &sheet->metrics[C3D_METRIC_PRECISION], 21);
    add_figure(to, &sheet->metrics[C3D_METRIC_RECALL], 21);
    add_figure(to, &sheet->metrics[C3D_METRIC_F1], 21);
    c3d_text_add(to->text, "\n");
}

/* Where naming the largest class everywhere would be right as often; n: samples of each class;
 * threshold: NaN where the largest score decides. */
static void add_largest_class(const c3d_dataset_info *info, double threshold, int64_t n_right,
                              const int64_t *n, int n_classes, c3d_text *out)
{
    int64_t all = 0;
    int largest = 0;
    char name[24];

    for (int k = 0; k < n_classes; k++) {
        all += n[k];
        if (n[k] > n[largest]) largest = k;
    }
    if (all == 0 || n_right > n[largest]) return;
    if (isfinite(threshold)) c3d_text_add(out, "above %.4g: ", threshold);
    c3d_text_add(out, "accuracy is %s than that of calling everything %s: %.3f\n",
                 n_right == n[largest] ? "no better" : "worse",
                 c3d_dataset_class_name(info, largest, name), (double)n[largest] / (double)all);
}

static void add_chance(const c3d_evaluation_files *files, const c3d_sheet *sheet, c3d_text *out)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(files->dataset);
    const c3d_counts *c = &sheet->counts[0];

    if (sheet->n_classes == 0) {
        const int64_t n[2] = { c->tn + c->fp, c->tp + c->fn };
        add_largest_class(info, files->threshold, c->tp + c->tn, n, 2, out);
        return;
    }
    int64_t *n = c3d_calloc((size_t)sheet->n_classes, sizeof *n), n_right = 0;
    for (int k = 0; n && k < sheet->n_classes; k++) {
        for (int i = 0; i < sheet->n_classes; i++)
            n[k] += sheet->confusion[k * sheet->n_classes + i];
        n_right += sheet->confusion[k * sheet->n_classes + k];
    }
    if (n) add_largest_class(info, NAN, n_right, n, sheet->n_classes, out);
    free(n);
}

static void add_blocks(const c3d_list_facts *facts, const c3d_sheet *sheet, printed *to)
{
    if (!c3d_blocks_are_enough(sheet->n_blocks, sheet->effective_blocks))
        c3d_text_add(to->text,
                     "95 %% intervals take samples as independent, which neighbours are not: "
                     "%zu block%s worth %.1f equal ones, at least %d worth %d are needed",
                     sheet->n_blocks, sheet->n_blocks == 1 ? "" : "s", sheet->effective_blocks,
                     C3D_BLOCKS_MIN, C3D_BLOCKS_MIN_EFFECTIVE);
    else if (facts->block_km > 0)
        c3d_text_add(to->text, "95 %% intervals: %zu blocks of %.3g km drawn again",
                     sheet->n_blocks, facts->block_km);
    else
        c3d_text_add(to->text, "95 %% intervals: %zu groups or frames drawn again",
                     sheet->n_blocks);
}

/* What marks say. */
static void add_reasons(const c3d_sheet *sheet, printed *to)
{
    for (int r = 0; r < C3D_N_FALLBACKS; r++) {
        const char *mark = c3d_fallback_mark((c3d_fallback)r);
        if (!to->has_mark[r] || !mark[0]) continue;
        c3d_text_add(to->text, "\n%s %s", mark, c3d_fallback_text((c3d_fallback)r));
        if (sheet->n_classes == 0 && r == C3D_FALLBACK_POSITIVES)
            c3d_text_add(to->text, ": worth %.1f equal ones, at least %d are needed",
                         sheet->positive_blocks, C3D_BLOCKS_MIN_EFFECTIVE);
        if (sheet->n_classes == 0 && r == C3D_FALLBACK_NEGATIVES)
            c3d_text_add(to->text, ": worth %.1f equal ones, at least %d are needed",
                         sheet->negative_blocks, C3D_BLOCKS_MIN_EFFECTIVE);
        c3d_text_add(to->text, "; an interval takes samples as independent, so it is too narrow");
    }
}

void c3d_sheet_print(const c3d_evaluation_files *files, const c3d_sheet *sheet, c3d_text *out)
{
    printed page = { .text = out };

    if (sheet->n_classes == 0)
        add_thresholds(files, sheet, &page);
    else
        add_classes(files, sheet, &page);
    add_chance(files, sheet, out);
    add_named(&page, "AUC", &sheet->auc);
    add_named(&page, "   average precision", &sheet->average_precision);
    add_named(&page, "   Brier score", &sheet->brier);
    c3d_text_add(out, "\n");
    add_blocks(files->facts, sheet, &page);
    add_reasons(sheet, &page);
}
