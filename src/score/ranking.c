/* Samples in the order of their scores, and the areas that follow from it. */
#include "c3d/score.h"

#include <math.h>
#include <stdlib.h>

typedef struct scored {
    float score;
    uint32_t sample;
} scored;

static int by_score(const void *a, const void *b)
{
    const scored *x = a, *y = b;

    if (x->score < y->score || x->score > y->score) return x->score < y->score ? -1 : 1;
    return (x->sample > y->sample) - (x->sample < y->sample);
}

static void fill(const c3d_ranking_desc *desc, const scored *rows, c3d_ranking *out)
{
    for (size_t i = 0; i < desc->n; i++) {
        out->sample[i] = rows[i].sample;
        out->positive[i] = desc->labels[rows[i].sample] == desc->label;
        out->last[i] = i + 1 == desc->n || rows[i + 1].score > rows[i].score;
    }
}

c3d_status c3d_ranking_make(const c3d_ranking_desc *desc, c3d_ranking *out)
{
    const size_t n = desc->n;
    scored *rows = c3d_calloc(n + 1, sizeof *rows);
    c3d_ranking ranking = { .n = n,
                            .sample = c3d_calloc(n + 1, sizeof *ranking.sample),
                            .positive = c3d_calloc(n + 1, 1),
                            .last = c3d_calloc(n + 1, 1) };
    const bool has_memory = rows && ranking.sample && ranking.positive && ranking.last;

    C3D_ASSERT(n <= UINT32_MAX);
    for (size_t i = 0; has_memory && i < n; i++)
        rows[i] = (scored){ desc->scores[i * (size_t)desc->n_outputs + (size_t)desc->column],
                            (uint32_t)i };
    if (has_memory) {
        qsort(rows, n, sizeof *rows, by_score);
        fill(desc, rows, &ranking);
        *out = ranking;
    } else {
        c3d_ranking_free(&ranking);
    }
    free(rows);
    return has_memory ? C3D_OK : C3D_ENOMEM;
}

void c3d_ranking_free(c3d_ranking *ranking)
{
    free(ranking->sample);
    free(ranking->positive);
    free(ranking->last);
    *ranking = (c3d_ranking){ 0 };
}

static uint64_t times_of(const c3d_ranking *ranking, size_t i, const uint32_t *group,
                         const uint32_t *times)
{
    const uint32_t sample = ranking->sample[i];

    return times ? times[group ? group[sample] : sample] : 1;
}

double c3d_ranking_auc(const c3d_ranking *ranking, const uint32_t *group, const uint32_t *times)
{
    /* twice the number of (positive, negative) pairs in the right order, a tie counting one */
    uint64_t twice = 0, below = 0, found = 0, positives = 0, negatives = 0;

    for (size_t i = 0; i < ranking->n; i++) {
        const uint64_t n = times_of(ranking, i, group, times);
        positives += ranking->positive[i] ? n : 0;
        negatives += ranking->positive[i] ? 0 : n;
        if (!ranking->last[i]) continue;
        twice += positives * (2 * below + negatives);
        below += negatives;
        found += positives;
        positives = negatives = 0;
    }
    if (found == 0 || below == 0) return (double)NAN;
    return (double)twice / (2 * (double)found * (double)below);
}

double c3d_ranking_average_precision(const c3d_ranking *ranking, const uint32_t *group,
                                     const uint32_t *times)
{
    uint64_t n_seen = 0, n_found = 0, n_new = 0;
    double sum = 0;

    for (size_t i = ranking->n; i-- > 0;) {
        const uint64_t n = times_of(ranking, i, group, times);
        n_seen += n;
        n_new += ranking->positive[i] ? n : 0;
        if (i > 0 && !ranking->last[i - 1]) continue;
        n_found += n_new;
        if (n_new > 0) sum += (double)n_new * ((double)n_found / (double)n_seen);
        n_new = 0;
    }
    if (n_found == 0 || n_found == n_seen) return (double)NAN;
    return sum / (double)n_found;
}
