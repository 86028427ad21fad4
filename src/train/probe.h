/* A short trial of what a run will do again and again. */
#ifndef C3D_TRAIN_PROBE_H
#define C3D_TRAIN_PROBE_H

#include "train/feed.h"

typedef struct c3d_probe {
    int n_samples; /* of the micro-batch tried: train.micro_batch, or fewer where that is long */
    bool forward_only; /* even one sample is long: backward is taken as twice forward */
    double micro_s;    /* load, forward and backward of a whole micro-batch */
    double update_s;   /* Adam on all parameters, and their way to the other ranks */
    double sum_s;      /* gradients over the ranks there are; 0 with one */
    double block_s;    /* evaluation.batch samples scored */
    c3d_feed feed;     /* speeds; zero without a dataset */
} c3d_probe;

/* Of a run with its input known, whose memory was found to suffice: builds its network, computes on
 * noise, reads samples ahead for a second from the store and from copies, and takes all down again;
 * about 20 s at most on a network that fits the machine. Times are of the slowest rank. COLLECTIVE.
 */
C3D_CHECKED c3d_status c3d_probe_run(c3d_run *run, c3d_probe *out);

/* Bytes a second that this rank would use up in training: from a pass forward, taken times three; a
 * few seconds at most on a network that fits the machine. Of a run with a dataset; local. */
C3D_CHECKED c3d_status c3d_probe_need(const c3d_run *run, double *bytes_per_s);

#endif
