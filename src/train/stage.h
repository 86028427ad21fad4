/* data.stage: what the ranks of a node will read is copied near them before training begins. */
#ifndef C3D_TRAIN_STAGE_H
#define C3D_TRAIN_STAGE_H

#include "c3d/train.h"

/* run->seat. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_run_take_seat(c3d_run *run);

/* Which of G groups (data.stage_groups) a node's ranks read, and which of these are copied there:
 * with N nodes at most ceil(G / N), so that the copy is no larger than the node's share. */
typedef struct c3d_stage_share {
    int n_groups, n_read, n_copied;
    bool *is_read, *is_copied; /* [n_groups] */
} c3d_stage_share;
/* Local, of a seat with turns of n_ranks ranks. Given: c3d_stage_share_free. */
C3D_CHECKED c3d_status c3d_stage_share_of(const c3d_seat *seat, int n_ranks, int n_groups,
                                          c3d_stage_share *out);
void c3d_stage_share_free(c3d_stage_share *share);

/* run->stage_bytes, of a run with its data open. Local. */
C3D_CHECKED c3d_status c3d_run_measure_stage(c3d_run *run);
/* Where data.stage `stage` (not none) would copy to. Local. */
C3D_CHECKED c3d_status c3d_stage_dir(const c3d_config *config, c3d_config_stage stage,
                                     char out[C3D_PATH_MAX]);
/* A key for c3d_stage_desc: the same on all ranks of a node. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_stage_key(const c3d_run *run, char out[64]);
/* As the ranks of this node share work; borrows run->comm. */
c3d_sharing c3d_stage_sharing(const c3d_run *run);
/* Copies, as data.stage says; nothing for none. C3D_EIO before copying when a node has not the
 * space. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_run_stage(c3d_run *run);

#endif
