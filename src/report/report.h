/* What the files of this module share. */
#ifndef C3D_REPORT_REPORT_H
#define C3D_REPORT_REPORT_H

#include "c3d/report.h"

#define REPORT_SPLITS  3
#define REPORT_CLASSES 32 /* most columns of a table of classes */

/* One line of config.yaml: "train.epochs", "10". */
typedef struct setting {
    char *key, *value;
} setting;

/* Samples of a split by class. */
typedef struct split_count {
    char name[32];
    int n_classes;
    long long n[REPORT_CLASSES];
    long long n_more; /* with larger labels */
} split_count;

typedef struct report_run {
    const char *path;  /* borrowed */
    const char *label; /* the path's end, or the path when ends are alike; borrowed */
    bool has_metrics;
    c3d_csv metrics;
    c3d_json *evaluations[REPORT_SPLITS]; /* NULL: not evaluated */
    int n_settings;
    setting *settings;
    char store[C3D_PATH_MAX]; /* "" when config.yaml does not say */
    c3d_json *dataset;        /* NULL: not there */
    int n_splits;
    split_count splits[8];
} report_run;

extern const char *const report_split_names[REPORT_SPLITS];

C3D_CHECKED c3d_status report_run_read(const char *path, report_run *out);
void report_run_free(report_run *run);
const char *report_run_setting(const report_run *run, const char *key); /* NULL: none */
/* A cell of metrics.csv; NaN when empty, absent or not a number. */
double report_run_metric(const report_run *run, size_t row, const char *column);

extern const char report_style[];
const char *report_color(int run); /* "#2f86c8" */

/* ---- curves ---------------------------------------------------------------------------------- */

typedef struct report_plot {
    const char *title;              /* "loss" */
    const char *train, *validation; /* columns */
    bool is_share;                  /* values in 0..1 */
} report_plot;
/* Appends an SVG element; false when gnuplot is absent or failed, and `why` says it. */
bool report_plot_add(const report_plot *plot, int number, const report_run *runs, int n_runs,
                     c3d_text *page, c3d_text *why);

/* ---- parts of the page ----------------------------------------------------------------------- */

/* A cell: value and interval, or "undefined". */
void report_add_estimate(c3d_text *page, const c3d_json *estimate);
/* The cell that names a run, with its colour. */
void report_add_run_cell(c3d_text *page, const report_run *run, int number);
/* Scores of those runs that tell K classes apart; nothing when there is none. */
void report_add_classes(c3d_text *page, const report_run *runs, int n_runs, int split);
void report_add_classes_text(c3d_text *table, const report_run *runs, int n_runs);
void report_add_scores(c3d_text *page, const report_run *runs, int n_runs);
void report_add_scores_text(c3d_text *table, const report_run *runs, int n_runs);
void report_add_curves(c3d_text *page, const report_run *runs, int n_runs);
void report_add_configuration(c3d_text *page, const report_run *runs, int n_runs);
void report_add_datasets(c3d_text *page, const report_run *runs, int n_runs);

#endif
