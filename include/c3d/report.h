/* report: runs side by side as one HTML file that needs no network: what came out, a comparison,
 * scores with counts and intervals, curves, pictures of hits, misses and false alarms, what the
 * data are, cost, configuration. Reads only the files of a run (metrics.csv, evaluation-SPLIT.json,
 * scores-SPLIT.csv, steps.jsonl, cost.json, config.yaml), of its dataset, and comparison.json. */
#ifndef C3D_REPORT_H
#define C3D_REPORT_H

#include "c3d/base.h"

#define C3D_REPORT_MAX_RUNS 16

typedef struct c3d_report_desc {
    int n_runs;              /* 1..C3D_REPORT_MAX_RUNS */
    const char *const *runs; /* [n_runs] run directories */
    const char *comparison;  /* directory with comparison.json; NULL: none */
    const char *title;       /* NULL: from the names of the runs */
    const char *made_by;     /* "c3d-report 0.1.0" */
} c3d_report_desc;

/* Writes the page; after c3d_raster_start. What is not there yet (no evaluation, no dataset, scenes
 * that cannot be read) the page says; C3D_EDATA when a file of a run is there and not readable as
 * what it is, C3D_EIO when a directory holds no run or no comparison, or the page cannot be
 * written. Figures are drawn by gnuplot; where it is absent the page says so and tells them in
 * words and tables. The same files give the same bytes. Number and size of pictures are bounded: a
 * few MB, however large the dataset. `table` (or NULL) gets the scores as plain text, for a
 * terminal. */
C3D_CHECKED c3d_status c3d_report_write(const c3d_report_desc *desc, const char *path,
                                        c3d_text *table);

#endif
