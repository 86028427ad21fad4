/* data.time: which of its months a sample shows. */
#include "dataset_open.h"

#include <inttypes.h>
#include <stdlib.h>

/* Months between two that are shown: as many as fit, the same between all of them. */
static int step_of(c3d_time_mode mode, int n_months, int n_shown)
{
    return mode == C3D_TIME_STRIDE && n_shown > 1 ? (n_months - 1) / (n_shown - 1) : 1;
}

static bool is_used(const c3d_sample *sample)
{
    return sample->split != C3D_SPLIT_NONE;
}

static c3d_status check_samples(const c3d_dataset *dataset, c3d_time_mode mode, int n_shown)
{
    const c3d_sample *first = NULL;

    for (size_t i = 0; i < dataset->samples.n; i++) {
        const c3d_sample *sample = &dataset->samples.rows[i];
        if (!is_used(sample)) continue;
        if (!first) first = sample;
        if (sample->n_months < n_shown)
            return C3D_FAIL(C3D_EDATA,
                            "%s/samples.csv: sample %" PRId64 " has %d months, data.time_months "
                            "is %d",
                            dataset->dir, sample->sample_id, sample->n_months, n_shown);
        if (mode == C3D_TIME_STRIDE && sample->n_months != first->n_months)
            return C3D_FAIL(C3D_EDATA,
                            "%s/samples.csv: sample %" PRId64 " has %d months, sample %" PRId64
                            " has %d: with data.time: stride their months would lie differently "
                            "far apart",
                            dataset->dir, first->sample_id, first->n_months, sample->sample_id,
                            sample->n_months);
    }
    return C3D_OK;
}

/* The segment of month `at` of a sample, as one of a single month. */
static c3d_segment find_month(const c3d_dataset *dataset, size_t index, int at)
{
    size_t s = dataset->first_segment[index];

    for (; at >= dataset->segments[s].n; s++) at -= dataset->segments[s].n;
    const c3d_segment *part = &dataset->segments[s];
    return (c3d_segment){ part->shard, part->row, part->first + at, 1 };
}

/* Neighbouring months of a scene are read as one. */
static size_t append(c3d_segment *segments, size_t begin, size_t n, c3d_segment month)
{
    c3d_segment *last = n > begin ? &segments[n - 1] : NULL;

    if (last && last->shard == month.shard && last->row == month.row &&
        last->first + last->n == month.first) {
        last->n++;
        return n;
    }
    segments[n] = month;
    return n + 1;
}

/* The segments of what sample `index` shows, behind n others; how many there are then. */
static size_t add_shown(const c3d_dataset *dataset, size_t index, int n_shown, int step,
                        c3d_segment *segments, size_t n)
{
    const int n_months = dataset->samples.rows[index].n_months;
    const size_t begin = n;

    if (!is_used(&dataset->samples.rows[index])) {
        for (size_t s = dataset->first_segment[index]; s < dataset->first_segment[index + 1]; s++)
            segments[n++] = dataset->segments[s];
        return n;
    }
    for (int k = n_shown - 1; k >= 0; k--)
        n = append(segments, begin, n, find_month(dataset, index, n_months - 1 - k * step));
    return n;
}

static c3d_status choose(c3d_dataset *dataset, c3d_time_mode mode, int n_shown)
{
    const size_t n_samples = dataset->samples.n;
    const size_t n_most = dataset->first_segment[n_samples] + n_samples * (size_t)n_shown;
    c3d_segment *segments = c3d_calloc(n_most + 1, sizeof *segments);
    size_t *first_segment = c3d_calloc(n_samples + 1, sizeof *first_segment), n = 0;

    if (!segments || !first_segment) {
        free(segments);
        free(first_segment);
        return C3D_ENOMEM;
    }
    for (size_t i = 0; i < n_samples; i++) {
        c3d_sample *sample = &dataset->samples.rows[i];
        const int step = step_of(mode, sample->n_months, n_shown);
        n = add_shown(dataset, i, n_shown, step, segments, n);
        first_segment[i + 1] = n;
        if (!is_used(sample)) continue;
        sample->n_months = n_shown;
        dataset->month_step = step;
    }
    free(dataset->segments);
    free(dataset->first_segment);
    dataset->segments = segments;
    dataset->first_segment = first_segment;
    return C3D_OK;
}

c3d_status c3d_dataset_choose_time(c3d_dataset *dataset, c3d_time_mode mode, int n_months)
{
    if (mode == C3D_TIME_ALL) return C3D_OK;
    if (n_months < 1) return C3D_FAIL(C3D_EINVAL, "%d months to be shown", n_months);
    C3D_TRY(check_samples(dataset, mode, n_months));
    return choose(dataset, mode, n_months);
}

int c3d_dataset_get_month_step(const c3d_dataset *dataset)
{
    return dataset->month_step;
}
