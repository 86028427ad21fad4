/* Figures as JSON. */
#include "train/evaluation.h"

#include <math.h>
#include <string.h>

static c3d_json *interval_json(double low, double high)
{
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "low", c3d_json_real(low));
    c3d_json_set(json, "high", c3d_json_real(high));
    return json;
}

c3d_json *c3d_figure_json(const c3d_figure *f)
{
    c3d_json *json = c3d_json_object();
    const char *beside = strncmp(f->formula, "wilson", 6) == 0 ? "wilson" : "hanley_mcneil";

    c3d_json_set(json, "value", c3d_json_real(f->value));
    c3d_json_set(json, "low", c3d_json_real(f->low));
    c3d_json_set(json, "high", c3d_json_real(f->high));
    c3d_json_set(json, "method", c3d_json_string(f->method));
    if (f->fallback != C3D_FALLBACK_NONE)
        c3d_json_set(json, "fallback", c3d_json_string(c3d_fallback_text(f->fallback)));
    if (f->method != f->formula && isfinite(f->formula_low))
        c3d_json_set(json, beside, interval_json(f->formula_low, f->formula_high));
    return json;
}

c3d_json *c3d_counts_json(c3d_counts counts)
{
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "tp", c3d_json_int(counts.tp));
    c3d_json_set(json, "fp", c3d_json_int(counts.fp));
    c3d_json_set(json, "tn", c3d_json_int(counts.tn));
    c3d_json_set(json, "fn", c3d_json_int(counts.fn));
    return json;
}

c3d_json *c3d_metrics_json(const c3d_figure metrics[C3D_N_METRICS])
{
    c3d_json *json = c3d_json_object();

    for (int m = 0; m < C3D_N_METRICS; m++)
        c3d_json_set(json, c3d_metric_name((c3d_metric)m), c3d_figure_json(&metrics[m]));
    return json;
}

static c3d_json *curve_json(const c3d_curve *curve, const char *x, const char *y)
{
    c3d_json *json = c3d_json_object();
    const struct {
        const char *name;
        const double *values;
    } columns[] = {
        { x, curve->x }, { y, curve->y }, { "low", curve->low }, { "high", curve->high }
    };

    for (size_t c = 0; c < C3D_COUNT(columns); c++) {
        c3d_json *values = c3d_json_array();
        for (int i = 0; i < curve->n; i++)
            c3d_json_append(values, c3d_json_real(columns[c].values[i]));
        c3d_json_set(json, columns[c].name, values);
    }
    return json;
}

c3d_json *c3d_curves_json(const c3d_sheet *sheet)
{
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "roc", curve_json(&sheet->roc, "fpr", "tpr"));
    c3d_json_set(json, "precision_recall",
                 curve_json(&sheet->precision_recall, "recall", "precision"));
    return json;
}

c3d_json *c3d_calibration_json(const c3d_evaluation *ev, const c3d_sheet *sheet)
{
    c3d_calibration_bin bins[C3D_CALIBRATION_BINS];
    c3d_json *json = c3d_json_object(), *list = c3d_json_array();
    const double error = c3d_calibration(ev->scores, ev->labels, ev->n, bins);

    for (int b = 0; b < C3D_CALIBRATION_BINS; b++) {
        c3d_json *bin = c3d_json_object();
        c3d_json_set(bin, "from", c3d_json_real(bins[b].from));
        c3d_json_set(bin, "to", c3d_json_real(bins[b].to));
        c3d_json_set(bin, "n", c3d_json_int(bins[b].n));
        c3d_json_set(bin, "positives", c3d_json_int(bins[b].positives));
        c3d_json_set(bin, "mean_score", c3d_json_real(bins[b].mean_score));
        c3d_json_append(list, bin);
    }
    c3d_json_set(json, "bins", list);
    c3d_json_set(json, "brier", c3d_json_real(sheet->brier.value));
    c3d_json_set(json, "expected_error", c3d_json_real(error));
    return json;
}

/* ---- K classes ------------------------------------------------------------------------------- */

static c3d_json *confusion_json(const c3d_sheet *sheet, bool as_shares)
{
    c3d_json *json = c3d_json_array();

    for (int row = 0; row < sheet->n_classes; row++) {
        c3d_json *line = c3d_json_array();
        for (int k = 0; k < sheet->n_classes; k++) {
            const int at = row * sheet->n_classes + k;
            c3d_json_append(line, as_shares ? c3d_figure_json(&sheet->confusion_shares[at])
                                            : c3d_json_int(sheet->confusion[at]));
        }
        c3d_json_append(json, line);
    }
    return json;
}

/* What a class is scored by against all others. */
static c3d_json *class_json(const c3d_class_figures *of, const c3d_dataset_info *info, int k)
{
    c3d_json *json = c3d_json_object(), *metrics = c3d_json_object();
    char name[24];

    for (int m = 0; m < C3D_N_METRICS; m++)
        if (m != C3D_METRIC_ACCURACY)
            c3d_json_set(metrics, c3d_metric_name((c3d_metric)m), c3d_figure_json(&of->metrics[m]));
    c3d_json_set(metrics, "auc", c3d_figure_json(&of->auc));
    c3d_json_set(metrics, "average_precision", c3d_figure_json(&of->average_precision));
    c3d_json_set(json, "class", c3d_json_int(k));
    c3d_json_set(json, "name", c3d_json_string(c3d_dataset_class_name(info, k, name)));
    c3d_json_set(json, "n", c3d_json_int(of->counts.tp + of->counts.fn));
    c3d_json_set(json, "effective_blocks", c3d_json_real(of->effective_blocks));
    c3d_json_set(json, "predicted", c3d_json_int(of->counts.tp + of->counts.fp));
    c3d_json_set(json, "metrics", metrics);
    return json;
}

void c3d_classes_to_json(const c3d_sheet *sheet, const c3d_dataset_info *info, c3d_json *to)
{
    c3d_json *classes = c3d_json_array();

    c3d_json_set(to, "confusion", confusion_json(sheet, false));
    if (sheet->confusion_shares) c3d_json_set(to, "confusion_shares", confusion_json(sheet, true));
    for (int k = 0; k < sheet->n_classes; k++)
        c3d_json_append(classes, class_json(&sheet->classes[k], info, k));
    c3d_json_set(to, "classes", classes);
}
