#include "hard_negatives.h"

#include "census.h"

#include <math.h>
#include <stdlib.h>

enum { DRAW = 1 << 20 }; /* beside the classes, whose numbers draw data.max_per_class */

bool c3d_sample_is_hard(const c3d_frames *frames, const c3d_sample *sample)
{
    const size_t frame = c3d_frames_find(frames, sample->frame_id);
    const bool is_series = sample->sample_id == sample->frame_id;

    if (frames->hard == NULL || sample->label != 0 || frame == (size_t)-1) return false;
    for (int k = 0; k < frames->n_years; k++)
        if (frames->hard[frame * (size_t)frames->n_years + (size_t)k] &&
            (is_series || frames->years[k] == sample->label_year))
            return true;
    return false;
}

typedef struct drawn {
    uint64_t number;
    size_t row;
} drawn;

static int by_number(const void *a, const void *b)
{
    const drawn *left = a, *right = b;

    if (left->number != right->number) return left->number < right->number ? -1 : 1;
    return (left->row > right->row) - (left->row < right->row);
}

c3d_status c3d_samples_thin(const c3d_dataset_desc *desc, const c3d_frames *frames,
                            c3d_samples *samples)
{
    drawn *easy;
    size_t n_easy = 0, n_hard = 0, n_kept;

    if (!(desc->hard_share > 0)) return C3D_OK;
    easy = c3d_calloc(samples->n + 1, sizeof *easy);
    if (easy == NULL) return C3D_ENOMEM;
    for (size_t i = 0; i < samples->n; i++) {
        const c3d_sample *sample = &samples->rows[i];

        if (sample->label != 0 || sample->split == C3D_SPLIT_NONE) continue;
        if (sample->split != C3D_SPLIT_TRAIN && desc->folds < 2) continue;
        if (c3d_sample_is_hard(frames, sample))
            n_hard++;
        else
            easy[n_easy++] =
                (drawn){ c3d_random_u64(desc->seed, C3D_STREAM(C3D_PURPOSE_SUBSET, DRAW),
                                        (uint64_t)sample->sample_id),
                         i };
    }
    n_kept = (size_t)floor((double)n_hard * (1 - desc->hard_share) / desc->hard_share + 1e-9);
    if (n_hard == 0) {
        c3d_log_warn("samples: no training negative holds what data.hard_negatives names; none is "
                     "left out");
        n_kept = n_easy;
    }
    if (n_kept > n_easy) n_kept = n_easy;
    qsort(easy, n_easy, sizeof *easy, by_number);
    for (size_t i = n_kept; i < n_easy; i++) samples->rows[easy[i].row].split = C3D_SPLIT_NONE;
    c3d_log_run("samples: %zu hard negatives and %zu others to train on, %zu others left out",
                n_hard, n_kept, n_easy - n_kept);
    free(easy);
    return C3D_OK;
}
