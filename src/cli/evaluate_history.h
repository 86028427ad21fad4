/* c3d-evaluate --history. */
#ifndef C3D_CLI_EVALUATE_HISTORY_H
#define C3D_CLI_EVALUATE_HISTORY_H

#include "c3d/args.h"
#include "c3d/train.h"

/* C3D_ECONFIG for an option that means something with --history only. */
C3D_CHECKED c3d_status evaluate_check_history(const c3d_args *args);
/* Leaves those samples in the list that are of --frames, where that is given; its hash is 0 then.
 * C3D_EDATA names a frame without any. */
C3D_CHECKED c3d_status evaluate_choose_frames(const c3d_args *args, const c3d_dataset *dataset,
                                              c3d_list *list);
/* What the options leave open of `desc` is filled in. COLLECTIVE. */
C3D_CHECKED c3d_status evaluate_history(const c3d_args *args, const c3d_history_desc *desc);

#endif
