/* Which scenes a gallery shows. Private to report. */
#ifndef C3D_REPORT_GALLERY_H
#define C3D_REPORT_GALLERY_H

#include "report/report.h"

#include "c3d/data.h"
#include "c3d/score.h"

typedef enum gallery_kind {
    GALLERY_MISS,  /* positive, and some network did not say so */
    GALLERY_ALARM, /* negative, and some network called it positive */
    GALLERY_HIT,   /* positive, and all said so */
    N_GALLERY_KINDS
} gallery_kind;

/* Runs on one dataset that scored the same list. */
typedef struct gallery {
    int split;
    int n_runs;
    int runs[C3D_REPORT_MAX_RUNS]; /* numbers of the page's runs */
    c3d_score_table tables[C3D_REPORT_MAX_RUNS];
    double thresholds[C3D_REPORT_MAX_RUNS]; /* of one output */
    c3d_samples samples;
    size_t n_of[N_GALLERY_KINDS]; /* among all that were scored */
    size_t n;                     /* chosen, by kind */
    uint32_t *rows;               /* [n] of the tables */
    gallery_kind *kinds;          /* [n] */
    c3d_text left_out;            /* names of runs with another list */
    c3d_text unlike; /* lines: scores that are not as many as their evaluation was of */
} gallery;

/* Of the runs on the dataset of run `first`: the split that is scored, test before validation.
 * n_runs is 0 when none has scores. Worst first, for each network in turn: misses with the lowest
 * score of their class, false alarms with the highest; hits drawn at random. No frame twice. To
 * be freed after a failure too: what is unlike stands. */
C3D_CHECKED c3d_status report_gallery_choose(const report_page *page, int first, gallery *out);
void report_gallery_free(gallery *of);
/* Class that run r of the gallery gives a row. */
int report_gallery_called(const gallery *of, int r, size_t row);
/* Its score: the probability of class 1, or of that class. */
double report_gallery_score(const gallery *of, int r, size_t row);

#endif
