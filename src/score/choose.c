/* A threshold from the scores of samples with known labels. */
#include "c3d/score.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool c3d_choice_parse(const char *text, c3d_choice *out)
{
    const char *equals = strchr(text, '=');
    c3d_choice choice = { .by = C3D_CHOOSE_F };

    if (!equals) {
        if (text[0] != 'f' || !c3d_parse_real(text + 1, &choice.value)) return false;
        if (!(choice.value > 0 && choice.value <= 100)) return false;
        (void)snprintf(choice.name, sizeof choice.name, "f%g", choice.value);
    } else {
        const size_t n = (size_t)(equals - text);
        const bool is_recall = n == 6 && strncmp(text, "recall", n) == 0;
        if (!is_recall && !(n == 9 && strncmp(text, "precision", n) == 0)) return false;
        if (!c3d_parse_real(equals + 1, &choice.value)) return false;
        if (!(choice.value > 0 && choice.value <= 1)) return false;
        choice.by = is_recall ? C3D_CHOOSE_RECALL : C3D_CHOOSE_PRECISION;
        (void)snprintf(choice.name, sizeof choice.name, "%s>=%g",
                       is_recall ? "recall" : "precision", choice.value);
    }
    *out = choice;
    return true;
}

/* What is to be largest; NaN where the threshold does not do. */
static double worth(const c3d_choice *choice, c3d_counts counts)
{
    const double precision = c3d_metric_of(counts, C3D_METRIC_PRECISION);
    const double recall = c3d_metric_of(counts, C3D_METRIC_RECALL);

    switch (choice->by) {
    case C3D_CHOOSE_F: return c3d_f_beta(counts, choice->value);
    case C3D_CHOOSE_RECALL: return recall >= choice->value ? precision : (double)NAN;
    case C3D_CHOOSE_PRECISION: return precision >= choice->value ? recall : (double)NAN;
    }
    return (double)NAN;
}

/* From the largest score down, so that of equals the highest threshold stays. */
static double search(const c3d_choice *choice, const c3d_ranking *ranking, const float *scores,
                     c3d_counts counts)
{
    double best = (double)NAN, threshold = (double)NAN;

    for (size_t i = ranking->n; i-- > 0;) {
        const double score = (double)scores[ranking->sample[i]];
        counts.tp += ranking->positive[i];
        counts.fn -= ranking->positive[i];
        counts.fp += !ranking->positive[i];
        counts.tn -= !ranking->positive[i];
        if (i > 0 && !ranking->last[i - 1]) continue;
        if (i == 0 && !(score > 0)) continue; /* nothing is below */
        const double next = i > 0 ? (double)scores[ranking->sample[i - 1]] : 0;
        const double value = worth(choice, counts);
        if (counts.tp == 0 || isnan(value) || value <= best) continue;
        best = value;
        threshold = next + (score - next) / 2;
    }
    return threshold;
}

c3d_status c3d_choose_threshold(const c3d_choice *choice, const float *scores,
                                const int32_t *labels, size_t n, double *out)
{
    c3d_ranking ranking;
    c3d_counts counts = { 0 };

    C3D_TRY(c3d_ranking_make(&(c3d_ranking_desc){ scores, labels, n, 1, 0, 1 }, &ranking));
    for (size_t i = 0; i < n; i++) {
        counts.fn += labels[i] == 1;
        counts.tn += labels[i] != 1;
    }
    *out = search(choice, &ranking, scores, counts);
    c3d_ranking_free(&ranking);
    return C3D_OK;
}
