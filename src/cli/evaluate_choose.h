/* c3d-evaluate --choose: thresholds found on the validation split. */
#ifndef C3D_CLI_EVALUATE_CHOOSE_H
#define C3D_CLI_EVALUATE_CHOOSE_H

#include "c3d/args.h"
#include "c3d/train.h"

typedef struct evaluate_choices {
    int n;
    c3d_chosen rows[C3D_CHOSEN_MAX];
    bool is_given; /* asked for, so that what cannot be done is an error */
} evaluate_choices;

/* C3D_ECONFIG for what --choose does not know. None for K classes. */
C3D_CHECKED c3d_status evaluate_read_choices(const c3d_args *args, int n_outputs,
                                             evaluate_choices *out);
/* Whether DIR has scores of the validation split of that list (hash 0: any) by this checkpoint in
 * this precision; then they are given. Files that are not, or cannot be read, are not an error. */
bool evaluate_find_scores(const char *dir, const c3d_evaluation_files *as, uint64_t list_hash,
                          c3d_score_table *out);
/* Fills the thresholds from the scores of the validation split, [n] of one output. C3D_ENOMEM. */
C3D_CHECKED c3d_status evaluate_choose(evaluate_choices *choices, const float *scores,
                                       const int32_t *labels, size_t n);

#endif
