/* Measuring labels on all ranks, block by block, in files that a stopped run finds again. Private
 * to data.
 *
 * DIR/labels.part holds `key` (which frames, labels and settings it is about) and a file a block.
 * Rank r measures blocks r, r + n_ranks, ... that are not there; rank 0 then reads all of them. The
 * folder goes when frames.gpkg is written. */
#ifndef C3D_DATA_LABEL_TEAM_H
#define C3D_DATA_LABEL_TEAM_H

#include "labels.h"
#include "sharing.h"

enum { LABEL_BLOCK_FRAMES = 4096 };

/* Rank 0's side. The others are in c3d_label_team_help, which waits for it exactly twice. */
typedef struct label_team {
    const c3d_sharing *sharing;
    int n_met;
} label_team;

/* What all measured, into frames and report. On rank 0, with desc->team. COLLECTIVE */
C3D_CHECKED c3d_status c3d_label_team_measure(const c3d_dataset_desc *desc,
                                              const c3d_archive *archive, label_meter *meter,
                                              c3d_frames *frames, label_report *report);
/* What is left of rank 0's two meetings, with what became of it. COLLECTIVE */
C3D_CHECKED c3d_status c3d_label_team_end(label_team *team, const char *dir, c3d_status status);
/* The other ranks' side. COLLECTIVE */
C3D_CHECKED c3d_status c3d_label_team_help(const c3d_dataset_desc *desc,
                                           const c3d_sharing *sharing);
/* Removes labels.part. */
void c3d_label_team_clear(const char *dir);

#endif
