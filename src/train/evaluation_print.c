/* Scores for a person. */
#include "train/evaluation.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define MOST_COLUMNS 12 /* of the confusion matrix on a line */

/* "0.931 (0.91-0.95)", or "undefined" where it is 0/0. */
static void add_figure(c3d_text *out, const c3d_figure *f, int width)
{
    char text[40];

    if (!isfinite(f->value))
        (void)snprintf(text, sizeof text, "undefined");
    else if (!isfinite(f->low))
        (void)snprintf(text, sizeof text, "%.3f", f->value);
    else
        (void)snprintf(text, sizeof text, "%.3f (%.3f-%.3f)", f->value, f->low, f->high);
    c3d_text_add(out, "  %-*s", width, text);
}

static void add_named(c3d_text *out, const char *name, const c3d_figure *f)
{
    c3d_text_add(out, "%s", name);
    add_figure(out, f, 0);
}

static void add_row(const c3d_sheet *sheet, int t, const char *why, c3d_text *out)
{
    static const c3d_metric shown[] = { C3D_METRIC_ACCURACY, C3D_METRIC_PRECISION,
                                        C3D_METRIC_RECALL, C3D_METRIC_F1 };
    const c3d_counts *c = &sheet->counts[t];
    char name[64];

    (void)snprintf(name, sizeof name, "above %.4g%s%s", sheet->thresholds[t], *why ? " " : "", why);
    c3d_text_add(out, "%-26s", name);
    for (size_t i = 0; i < C3D_COUNT(shown); i++) add_figure(out, &sheet->at[t][shown[i]], 19);
    c3d_text_add(out, " %6" PRId64 " %6" PRId64 " %6" PRId64 " %6" PRId64 "\n", c->tp, c->fp, c->tn,
                 c->fn);
}

static void add_thresholds(const c3d_evaluation_files *files, const c3d_sheet *sheet, c3d_text *out)
{
    int t = 3;

    c3d_text_add(out, "%-26s  %-19s  %-19s  %-19s  %-19s %6s %6s %6s %6s\n", "score", "accuracy",
                 "precision", "recall", "F1", "tp", "fp", "tn", "fn");
    if (files->threshold != 0.9 && files->threshold != 0.5) /* NOLINT: as typed */
        add_row(sheet, 0, "", out);
    add_row(sheet, 2, "", out);
    add_row(sheet, 1, "", out);
    for (int i = 0; i < files->n_chosen; i++) {
        if (isfinite(files->chosen[i].threshold))
            add_row(sheet, t++, files->chosen[i].choice.name, out);
        else
            c3d_text_add(out, "no threshold of the validation split has %s\n",
                         files->chosen[i].choice.name);
    }
}

static void add_class(const c3d_sheet *sheet, const c3d_dataset_info *info, int k, c3d_text *out)
{
    const c3d_class_figures *of = &sheet->classes[k];
    char name[24];

    c3d_text_add(out, "%d %-24s", k, c3d_dataset_class_name(info, k, name));
    add_figure(out, &of->metrics[C3D_METRIC_PRECISION], 19);
    add_figure(out, &of->metrics[C3D_METRIC_RECALL], 19);
    add_figure(out, &of->metrics[C3D_METRIC_F1], 19);
    for (int i = 0; sheet->n_classes <= MOST_COLUMNS && i < sheet->n_classes; i++)
        c3d_text_add(out, " %6" PRId64, sheet->confusion[k * sheet->n_classes + i]);
    c3d_text_add(out, "\n");
}

static void add_classes(const c3d_evaluation_files *files, const c3d_sheet *sheet, c3d_text *out)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(files->dataset);

    add_named(out, "largest score: accuracy", &sheet->metrics[C3D_METRIC_ACCURACY]);
    c3d_text_add(out, "\n%-26s  %-19s  %-19s  %-19s%s\n", "class", "precision", "recall", "F1",
                 sheet->n_classes <= MOST_COLUMNS ? "  predicted as each class" : "");
    for (int k = 0; k < sheet->n_classes; k++) add_class(sheet, info, k, out);
    c3d_text_add(out, "%-26s", "mean");
    add_figure(out, &sheet->metrics[C3D_METRIC_PRECISION], 19);
    add_figure(out, &sheet->metrics[C3D_METRIC_RECALL], 19);
    add_figure(out, &sheet->metrics[C3D_METRIC_F1], 19);
    c3d_text_add(out, "\n");
}

static void add_blocks(const c3d_list_facts *facts, const c3d_sheet *sheet, c3d_text *out)
{
    if (sheet->n_blocks < C3D_BLOCKS_MIN)
        c3d_text_add(out,
                     "95 %% intervals take samples as independent, which neighbours are not: "
                     "%zu block%s, at least %d are needed",
                     sheet->n_blocks, sheet->n_blocks == 1 ? "" : "s", C3D_BLOCKS_MIN);
    else if (facts->block_km > 0)
        c3d_text_add(out, "95 %% intervals: %zu blocks of %.3g km drawn again", sheet->n_blocks,
                     facts->block_km);
    else
        c3d_text_add(out, "95 %% intervals: %zu groups or frames drawn again", sheet->n_blocks);
}

void c3d_sheet_print(const c3d_evaluation_files *files, const c3d_sheet *sheet, c3d_text *out)
{
    if (sheet->n_classes == 0)
        add_thresholds(files, sheet, out);
    else
        add_classes(files, sheet, out);
    add_named(out, "AUC", &sheet->auc);
    add_named(out, "   average precision", &sheet->average_precision);
    add_named(out, "   Brier score", &sheet->brier);
    c3d_text_add(out, "\n");
    add_blocks(files->facts, sheet, out);
}
