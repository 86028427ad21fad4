/* Simulated test lists: a landscape of frames on a square grid, cut into square blocks of which
 * some are drawn for the list, as c3d-dataset draws test blocks. A smooth field says which frames
 * are positive; every run scores every frame. What is wrong with a score is in part common to all
 * networks, in part a network's own, in part a run's own, each as a smooth field: frames that lie
 * together are wrong together. Everything is a function of (seed, number, draw). */
#ifndef C3D_TESTS_LISTS_H
#define C3D_TESTS_LISTS_H

#include "c3d/compare.h"

#define LIST_NETWORKS 2
#define LIST_RUNS     3
#define LIST_SIDE     60  /* frames; of the landscape */
#define LIST_N        900 /* frames of the list: a quarter */

typedef struct list_kind {
    int block_side;    /* frames; its square divides LIST_N, and it LIST_SIDE */
    bool is_connected; /* the list is one square of adjoining blocks instead */
    int reach;         /* of the fields' kernel: frames farther than twice that are independent */
    int n_runs;
    double skill;                      /* distance of the classes' mean scores, reference */
    double more;                       /* and by how much more of the other network */
    double common, network, run, seed; /* standard deviations of fields, and of a run's skill */
    double white;                      /* of what is a frame's own, in each run */
} list_kind;

typedef struct list {
    int32_t labels[LIST_N];
    int64_t blocks[LIST_N], frames[LIST_N];
    float scores[LIST_NETWORKS][LIST_RUNS][LIST_N];
} list;

/* The same number is the same places; another draw of it has other scores there. */
void list_draw(const list_kind *kind, uint64_t seed, uint64_t number, uint64_t draw, list *out);
/* The area under the ROC curve that a network of that skill has on average. */
double list_expected_auc(const list_kind *kind, double skill);

/* Compares the two networks; by single frames instead of blocks where asked. */
C3D_CHECKED c3d_status list_compare(const list_kind *kind, const list *list, bool by_frames,
                                    int n_replicates, c3d_comparison *out);
/* Only the difference of the mean areas, without intervals. */
double list_difference(const list_kind *kind, const list *list);

#endif
