/* Labels that a network's outputs know. */
#include "c3d/train.h"

static c3d_status check_label(const c3d_samples *samples, const char *dir, size_t row,
                              int n_outputs)
{
    const c3d_sample *s = &samples->rows[row];
    const int n_classes = n_outputs == 1 ? 2 : n_outputs;

    if (s->label >= 0 && s->label < n_classes) return C3D_OK;
    return C3D_FAIL(C3D_EDATA,
                    "%s/samples.csv:%zu: sample %lld has label %d; model.outputs %d knows 0..%d",
                    dir, row + 2, (long long)s->sample_id, s->label, n_outputs, n_classes - 1);
}

c3d_status c3d_check_labels(const c3d_dataset *dataset, const char *dir, const c3d_list *list,
                            int n_outputs)
{
    const c3d_samples *samples = c3d_dataset_get_samples(dataset);

    for (size_t i = 0; list && i < list->n; i++)
        C3D_TRY(check_label(samples, dir, list->index[i], n_outputs));
    for (size_t i = 0; !list && i < samples->n; i++)
        if (samples->rows[i].split != C3D_SPLIT_NONE)
            C3D_TRY(check_label(samples, dir, i, n_outputs));
    return C3D_OK;
}
