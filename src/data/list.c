#include "c3d/data.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct drawn {
    uint64_t number;
    int64_t sample_id;
    uint32_t index;
} drawn;

static int compare_drawn(const void *a, const void *b)
{
    const drawn *x = a, *y = b;

    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return (x->sample_id > y->sample_id) - (x->sample_id < y->sample_id);
}

static int compare_index(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Keeps of one class the samples with the smallest numbers: each sample's number depends on its id
 * alone, so that a dataset that grows keeps most of its draw. */
static c3d_status draw_class(const c3d_samples *samples, c3d_list *list, int label, size_t n_most,
                             uint64_t seed)
{
    drawn *rows = c3d_calloc(list->n + 1, sizeof *rows);
    size_t n_class = 0, n_kept = 0;

    if (!rows) return C3D_ENOMEM;
    for (size_t i = 0; i < list->n; i++) {
        const c3d_sample *sample = &samples->rows[list->index[i]];
        if (sample->label != label) {
            list->index[n_kept++] = list->index[i];
            continue;
        }
        rows[n_class++] = (drawn){ c3d_random_u64(seed, C3D_STREAM(C3D_PURPOSE_SUBSET, label),
                                                  (uint64_t)sample->sample_id),
                                   sample->sample_id, list->index[i] };
    }
    qsort(rows, n_class, sizeof *rows, compare_drawn);
    for (size_t i = 0; i < n_class && i < n_most; i++) list->index[n_kept++] = rows[i].index;
    list->n = n_kept;
    free(rows);
    return C3D_OK;
}

static c3d_status hash_list(const c3d_samples *samples, c3d_list *list)
{
    c3d_hasher *hasher = c3d_hasher_create();

    if (!hasher) return C3D_ENOMEM;
    for (size_t i = 0; i < list->n; i++) {
        const c3d_sample *sample = &samples->rows[list->index[i]];
        const int64_t words[2] = { sample->sample_id, sample->label };
        c3d_hasher_add(hasher, words, sizeof words);
    }
    list->hash = c3d_hasher_value(hasher);
    c3d_hasher_destroy(hasher);
    return C3D_OK;
}

c3d_status c3d_list_make(const c3d_dataset *dataset, c3d_split split, int64_t max_per_class,
                         uint64_t seed, c3d_list *out)
{
    const c3d_samples *samples = c3d_dataset_get_samples(dataset);
    int n_classes = 0;
    c3d_list list = { 0 };
    c3d_status st = C3D_OK;

    list.index = c3d_calloc(samples->n + 1, sizeof *list.index);
    if (!list.index) return C3D_ENOMEM;
    for (size_t i = 0; i < samples->n; i++) {
        if (samples->rows[i].split != split) continue;
        list.index[list.n++] = (uint32_t)i;
        if (samples->rows[i].label >= n_classes) n_classes = samples->rows[i].label + 1;
    }
    for (int label = 0; max_per_class > 0 && label < n_classes; label++)
        C3D_TRY_TO(fail, draw_class(samples, &list, label, (size_t)max_per_class, seed));
    qsort(list.index, list.n, sizeof *list.index, compare_index);
    C3D_TRY_TO(fail, hash_list(samples, &list));
    *out = list;
    return C3D_OK;
fail:
    c3d_list_free(&list);
    return st;
}

c3d_status c3d_class_weights(const c3d_dataset *dataset, const c3d_list *list, int n_classes,
                             float *out)
{
    const c3d_samples *samples = c3d_dataset_get_samples(dataset);
    int64_t *counts = c3d_calloc((size_t)n_classes, sizeof *counts);
    double n_there = 0;

    if (!counts) return C3D_ENOMEM;
    for (size_t i = 0; i < list->n; i++) {
        const int label = samples->rows[list->index[i]].label;
        C3D_ASSERT(label >= 0 && label < n_classes);
        n_there += counts[label]++ == 0;
    }
    for (int k = 0; k < n_classes; k++)
        out[k] = counts[k] == 0 ? 0 : (float)((double)list->n / (n_there * (double)counts[k]));
    free(counts);
    return C3D_OK;
}

void c3d_list_free(c3d_list *list)
{
    free(list->index);
    *list = (c3d_list){ 0 };
}
