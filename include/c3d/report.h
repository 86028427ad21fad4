/* report: runs side by side as one HTML file that needs no network: curves, scores with counts and
 * intervals, what was configured, what the data are. Reads only the files of a run (metrics.csv,
 * evaluation-SPLIT.json, config.yaml) and of its dataset (dataset.json, samples.csv). */
#ifndef C3D_REPORT_H
#define C3D_REPORT_H

#include "c3d/base.h"

#define C3D_REPORT_MAX_RUNS 16

typedef struct c3d_report_desc {
    int n_runs;              /* 1..C3D_REPORT_MAX_RUNS */
    const char *const *runs; /* [n_runs] run directories */
    const char *title;       /* NULL: from the names of the runs */
    const char *made_by;     /* "c3d-report 0.1.0" */
} c3d_report_desc;

/* Writes the page. What is not there yet (no evaluation, no dataset) the page says; C3D_EDATA when
 * a file is there and not readable as what it is, C3D_EIO when a directory holds no run or the page
 * cannot be written. Curves are drawn by gnuplot; where it is absent the page says so and has the
 * figures as a table. The same files give the same bytes. `table` (or NULL) gets the scores as
 * plain text, for a terminal. */
C3D_CHECKED c3d_status c3d_report_write(const c3d_report_desc *desc, const char *path,
                                        c3d_text *table);

#endif
