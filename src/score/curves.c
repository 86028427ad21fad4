#include "score/curves.h"

#include <math.h>

/* Samples above a threshold that goes down through the distinct scores. */
typedef struct descent {
    const c3d_ranking *ranking;
    const uint32_t *group, *times;
    size_t left;     /* samples not passed yet */
    uint64_t tp, fp; /* passed */
    uint64_t all[2]; /* negatives, positives */
    double fpr, recall, precision;
} descent;

static uint64_t times_of(const descent *d, size_t i)
{
    const uint32_t sample = d->ranking->sample[i];

    return d->times ? d->times[d->group ? d->group[sample] : sample] : 1;
}

/* False unless both labels occur. */
static bool begin(descent *d)
{
    d->left = d->ranking->n;
    for (size_t i = 0; i < d->ranking->n; i++) d->all[d->ranking->positive[i]] += times_of(d, i);
    return d->all[0] > 0 && d->all[1] > 0;
}

/* To the next distinct score that a counted sample has; false at the end. */
static bool next(descent *d)
{
    uint64_t n_new = 0;

    while (d->left > 0) {
        const size_t i = --d->left;
        const uint64_t n = times_of(d, i);
        n_new += n;
        *(d->ranking->positive[i] ? &d->tp : &d->fp) += n;
        if (n_new == 0 || (i > 0 && !d->ranking->last[i - 1])) continue;
        d->fpr = (double)d->fp / (double)d->all[0];
        d->recall = (double)d->tp / (double)d->all[1];
        d->precision = (double)d->tp / (double)(d->tp + d->fp);
        return true;
    }
    return false;
}

enum { PLACES = C3D_CURVE_MAX - 1 };

/* Keeps a place where the way along the curve has come to the next of PLACES - 1 equal parts. */
static void keep(c3d_curve *curve, double x, double way, double length)
{
    const double due = length * curve->n / (PLACES - 1);

    if (curve->n > 0 && !(x > curve->x[curve->n - 1])) return;
    if (curve->n < PLACES && way >= due) curve->x[curve->n++] = x;
}

static void keep_last(c3d_curve *curve)
{
    if (curve->n > 0 && curve->x[curve->n - 1] >= 1) return;
    if (curve->n == PLACES) curve->n--;
    curve->x[curve->n++] = 1;
}

void c3d_curve_places(const c3d_ranking *ranking, c3d_curve *roc, c3d_curve *precision_recall)
{
    descent d = { .ranking = ranking };
    double rate = 0, top = 0, found = 0;

    roc->n = precision_recall->n = 0;
    if (!begin(&d)) return;
    while (next(&d)) {
        if (d.fpr > rate) keep(roc, rate, rate + top, 2); /* the top of what was passed */
        rate = d.fpr;
        top = d.recall;
        if (d.recall > found) keep(precision_recall, d.recall, d.recall, 1);
        found = d.recall;
    }
    keep_last(roc);
    keep_last(precision_recall);
}

void c3d_curve_read(const c3d_ranking *ranking, const uint32_t *group, const uint32_t *times,
                    const c3d_curve *roc, const c3d_curve *precision_recall, double *out)
{
    descent d = { .ranking = ranking, .group = group, .times = times };
    double *precision = out + roc->n, rate = 0, top = 0;
    int r = 0, p = 0;

    for (int i = 0; i < roc->n + precision_recall->n; i++) out[i] = (double)NAN;
    if (!begin(&d)) return;
    while (next(&d)) {
        for (; r < roc->n && roc->x[r] < d.fpr; r++)
            out[r] = top + (roc->x[r] - rate) / (d.fpr - rate) * (d.recall - top);
        rate = d.fpr;
        top = d.recall;
        for (; p < precision_recall->n && precision_recall->x[p] <= d.recall; p++)
            precision[p] = d.precision;
    }
    for (; r < roc->n; r++) out[r] = 1;
}
