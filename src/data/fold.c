/* Cross-validation: a fold instead of the column split. */
#include "dataset_open.h"

static c3d_status count_folds(const c3d_samples *samples, int fold, int *n_folds)
{
    int n = 0;

    for (size_t i = 0; i < samples->n; i++)
        if (samples->rows[i].fold >= n) n = samples->rows[i].fold + 1;
    if (n <= 1) return C3D_FAIL(C3D_EDATA, "data.fold %d: its samples have no folds", fold);
    if (*n_folds == 0) *n_folds = n;
    if (n > *n_folds)
        return C3D_FAIL(C3D_EDATA, "data.fold %d: its samples have %d folds, data.folds is %d",
                        fold, n, *n_folds);
    if (*n_folds < 3)
        return C3D_FAIL(C3D_EDATA,
                        "data.fold %d: %d folds; one is for test and the next for validation, so "
                        "that training needs 3 or more",
                        fold, *n_folds);
    if (fold >= *n_folds)
        return C3D_FAIL(C3D_EDATA, "data.fold %d: there are %d folds, counted from 0", fold,
                        *n_folds);
    return C3D_OK;
}

/* n_folds 0 becomes the number there is. */
static c3d_status choose(c3d_samples *samples, int fold, int *n_folds)
{
    size_t n[C3D_N_SPLITS] = { 0 };

    C3D_TRY(count_folds(samples, fold, n_folds));
    const int next = (fold + 1) % *n_folds;
    for (size_t i = 0; i < samples->n; i++) {
        c3d_sample *sample = &samples->rows[i];
        if (sample->fold < 0) sample->split = C3D_SPLIT_NONE;
        if (sample->split == C3D_SPLIT_NONE) continue;
        sample->split = sample->fold == fold   ? C3D_SPLIT_TEST
                        : sample->fold == next ? C3D_SPLIT_VALIDATION
                                               : C3D_SPLIT_TRAIN;
        n[sample->split]++;
    }
    for (int s = 0; s < C3D_N_SPLITS; s++)
        if (n[s] == 0)
            return C3D_FAIL(C3D_EDATA, "data.fold %d of %d: no sample is left for split %s", fold,
                            *n_folds, c3d_split_name((c3d_split)s));
    return C3D_OK;
}

c3d_status c3d_samples_choose_fold(c3d_samples *samples, int fold, int n_folds)
{
    return fold < 0 ? C3D_OK : choose(samples, fold, &n_folds);
}

c3d_status c3d_dataset_choose_fold(c3d_dataset *dataset, int fold, int n_folds)
{
    if (fold < 0) return C3D_OK;
    if (choose(&dataset->samples, fold, &n_folds) != C3D_OK)
        return c3d_error_while("taking a fold of %s", dataset->dir);
    dataset->fold = fold;
    c3d_log_run("%s: of %d folds %d is for test, %d for validation", dataset->dir, n_folds, fold,
                (fold + 1) % n_folds);
    return C3D_OK;
}

int c3d_dataset_get_fold(const c3d_dataset *dataset)
{
    return dataset->fold;
}
