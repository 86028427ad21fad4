/* How fast samples can be read, from the store and from copies of it, against how fast they are
 * used up. */
#ifndef C3D_TRAIN_FEED_H
#define C3D_TRAIN_FEED_H

#include "c3d/train.h"

/* Bytes a second of all ranks together. */
typedef struct c3d_feed {
    double needed;                                  /* 0: not known */
    double speed[C3D_CONFIG_STAGE_MEMORY + 1];      /* by data.stage; 0: not measured */
    char why_not[C3D_CONFIG_STAGE_MEMORY + 1][200]; /* rank 0's, of a copy not measured */
} c3d_feed;

/* Bytes a second that this rank gets in a second of reading ahead what desc describes (of the run,
 * c3d_run_loader_desc). Local. */
C3D_CHECKED c3d_status c3d_feed_read(const c3d_run *run, const c3d_loader_desc *desc,
                                     double *bytes_per_s);
/* feed->speed of both kinds of copies, of a run with a dataset that is not staged: a small part is
 * copied, with its checksums compared, and read. Where there is no room, or no directory, why_not
 * says so. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_feed_try_copies(c3d_run *run, c3d_feed *feed);

/* The speed of what data.stage asks for, or of the store where that was not measured. */
double c3d_feed_speed(const c3d_run *run, const c3d_feed *feed);
/* A line with the speed of copies. */
void c3d_feed_print_copies(const c3d_run *run, const c3d_feed *feed, c3d_text *out);
/* A sentence: what is needed, a device and a node, and what there is; and which data.stage would
 * help where that is less. True when it is less. */
bool c3d_feed_judge(const c3d_run *run, const c3d_feed *feed, c3d_text *out);

#endif
