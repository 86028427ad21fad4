/* Splits by label year: of samples, as a frame has several years. */
#include "frames.h"
#include "samples.h"

#include <stdlib.h>

c3d_split c3d_split_of_year(const c3d_dataset_desc *desc, c3d_split of_frame, int year)
{
    c3d_split split = C3D_SPLIT_TRAIN;

    if (desc->n_split_years == 0 || of_frame == C3D_SPLIT_NONE) return of_frame;
    for (int i = 0; i < desc->n_split_years; i++)
        if (desc->split_years[i].split == C3D_SPLIT_TRAIN) split = C3D_SPLIT_NONE;
    for (int i = 0; i < desc->n_split_years; i++)
        if (year >= desc->split_years[i].first && year <= desc->split_years[i].last)
            split = desc->split_years[i].split;
    if (desc->split == C3D_SPLIT_YEARS || split == of_frame) return split;
    return C3D_SPLIT_NONE;
}

bool c3d_split_is_wanted(const c3d_dataset_desc *desc, c3d_split split)
{
    if (desc->split == C3D_SPLIT_BLOCKS || desc->split == C3D_SPLIT_RANDOM)
        return desc->split_shares[split] > 0;
    if (split == C3D_SPLIT_TRAIN) return true;
    for (int i = 0; i < desc->n_split_years; i++)
        if (desc->split_years[i].split == split) return true;
    return false;
}

enum { YEARS_MAX = 10000 };

/* The label years there are, in turn. */
static void deal_folds(const c3d_dataset_desc *desc, c3d_samples *samples, uint16_t *fold_of)
{
    int n = 0;

    for (size_t i = 0; i < samples->n; i++) fold_of[samples->rows[i].label_year % YEARS_MAX] = 1;
    for (int year = 0; year < YEARS_MAX; year++)
        if (fold_of[year]) fold_of[year] = (uint16_t)(n++ % desc->folds);
    for (size_t i = 0; i < samples->n; i++)
        samples->rows[i].fold = fold_of[samples->rows[i].label_year % YEARS_MAX];
}

c3d_status c3d_samples_split_by_years(const c3d_dataset_desc *desc, c3d_samples *samples)
{
    size_t n = 0;

    if (desc->n_split_years == 0) return C3D_OK;
    for (size_t i = 0; i < samples->n; i++) {
        c3d_sample sample = samples->rows[i];
        sample.split = c3d_split_of_year(desc, sample.split, sample.label_year);
        if (sample.split != C3D_SPLIT_NONE) samples->rows[n++] = sample;
    }
    samples->n = n;
    if (desc->split != C3D_SPLIT_YEARS || desc->folds < 2) return C3D_OK;
    uint16_t *fold_of = c3d_calloc(YEARS_MAX, sizeof *fold_of);
    if (!fold_of) return C3D_ENOMEM;
    deal_folds(desc, samples, fold_of);
    free(fold_of);
    return C3D_OK;
}
