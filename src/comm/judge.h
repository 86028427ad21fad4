/* Who lets the others wait: from what rank 0 has heard of all. Private to comm. */
#ifndef C3D_COMM_JUDGE_H
#define C3D_COMM_JUDGE_H

#include "c3d/comm.h"

/* Collective calls of one plane are made by one thread of a rank at a time, in the same order on
 * all ranks, so that their numbers can be compared. */
typedef enum c3d_plane { C3D_PLANE_CONTROL, C3D_PLANE_DATA, C3D_N_PLANES } c3d_plane;

/* What a rank says of itself. */
typedef struct c3d_sign {
    c3d_phase_record phase;
    uint64_t n_begun[C3D_N_PLANES]; /* collective calls that it has come to */
    double waited_s[C3D_N_PLANES];  /* in the last of them, without anything going on; 0: in none */
    bool is_leaving;                /* the last sign */
} c3d_sign;

/* A rank as another one sees it. */
typedef struct c3d_seen {
    c3d_sign sign;    /* the last */
    double silent_s;  /* since it came */
    double at_rest_s; /* since one came whose ticks had gone on */
} c3d_seen;

typedef enum c3d_judgement {
    C3D_NONE_LATE, /* nobody has waited that long */
    C3D_SOME_WORK, /* somebody has, for ranks that work on */
    C3D_SOME_LATE, /* for ranks that are silent, or at rest outside of any collective call */
    C3D_ALL_WAIT,  /* for nobody: all wait */
} c3d_judgement;

typedef struct c3d_panel {
    const c3d_seen *seen; /* [n] */
    const char *hosts;    /* [n][C3D_HOST_MAX] */
    int n;
    double limit_s;
} c3d_panel;

/* Disks are slower than anything else, and no tick comes from within a sync: a rank that saves may
 * be at rest for so many times limit_s. */
#define C3D_SAVING_TIMES 10

/* Whether any rank has waited limit_s in a collective call, and for whom. Unless C3D_NONE_LATE is
 * returned, it is added to `who`. */
c3d_judgement c3d_judge(const c3d_panel *panel, c3d_text *who);
/* Adds "rank 2 (node7): no sign of life for 60 s; last: reading sample 1234 of step 56". */
void c3d_judge_name(const c3d_seen *seen, int rank, const char *host, double limit_s,
                    c3d_text *who);

#endif
