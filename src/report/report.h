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
    bool is_there;
    int n_classes;
    long long n[REPORT_CLASSES];
    long long n_more; /* with larger labels */
} split_count;

typedef struct report_run {
    const char *path; /* borrowed */
    char label[128];  /* the part of the path that tells it from the others */
    bool has_metrics;
    c3d_csv metrics;
    c3d_json *evaluations[REPORT_SPLITS]; /* NULL: not evaluated */
    c3d_json *cost;                       /* cost.json; NULL: none */
    int n_settings;
    setting *settings;
    char store[C3D_PATH_MAX];              /* "" when config.yaml does not say */
    c3d_json *dataset;                     /* NULL: not there */
    split_count splits[REPORT_SPLITS + 1]; /* by c3d_split */
} report_run;

extern const char *const report_split_names[REPORT_SPLITS];

C3D_CHECKED c3d_status report_run_read(const char *path, report_run *out);
void report_run_free(report_run *run);
const char *report_run_setting(const report_run *run, const char *key); /* NULL: none */
/* A setting that is an integer; `standard` when it is absent or none. */
long long report_run_int(const report_run *run, const char *key, long long standard);
/* Of a run that was trained on after it was scored: that, and how to score it again. Nothing, and
 * false, where the scores are of its best or newest checkpoint, or it has none to tell by. */
bool report_tells_checkpoint(const report_run *run, int split, c3d_text *out);
/* A cell of metrics.csv; NaN when empty, absent or not a number. */
double report_run_metric(const report_run *run, size_t row, const char *column);
/* Sets every label; runs that a comparison has are called as it calls their networks. */
void report_label_runs(report_run *runs, int n_runs, const c3d_json *comparison);
/* The run lies in directory `dir`, or is it. A relative one was one where the comparison was
 * made. */
bool report_is_within(const report_run *run, const char *dir, bool *is_it);
/* Fails where a run is given twice. */
C3D_CHECKED c3d_status report_check_runs(const c3d_report_desc *desc);
/* Fails: path is no run; names one that lies in it. */
C3D_CHECKED c3d_status report_refuse_directory(const char *path);
/* Of several runs on one dataset the first shows it. */
bool report_run_is_first_on_store(const report_run *runs, int run);

extern const char report_style[], report_table_style[];
const char *report_color(int run); /* "#2f86c8" */

/* ---- the page -------------------------------------------------------------------------------- */

/* Sections append to text; what they cannot show they say there. */
typedef struct report_page {
    c3d_text text;
    const report_run *runs; /* [n_runs], borrowed */
    int n_runs;
    const char *comparison_dir; /* NULL: none was asked for */
    c3d_json *comparison;       /* owned; NULL likewise */
    int n_figures;              /* so far, for the ids in them */
    c3d_text not_drawn;         /* why gnuplot drew nothing; empty: it did */
} report_page;

/* <section> with a heading; ids make the links of the page's head. */
void report_begin_section(report_page *page, const char *id, const char *title);
void report_end_section(report_page *page);
/* A table that scrolls sideways where it does not fit; then rows, <tr> to </tr>. head: the cells of
 * its first row. */
void report_begin_table(c3d_text *page, const char *label, const char *head);
void report_end_table(c3d_text *page);
/* <p class=warn>, plain text. */
void report_add_warning(c3d_text *page, const char *text);
/* One of each line; each has its end. NULL: none. */
void report_add_warnings(c3d_text *page, const char *lines);

/* A figure: title above it (plain text) and the drawing of `script`, commands of gnuplot without
 * terminal and output, 400 x height px. `alt` tells it to who does not see it. An empty script or a
 * gnuplot that fails leave a figure that says so. */
typedef struct report_figure {
    const char *title, *alt;
    int height; /* 0: 260 */
} report_figure;
void report_add_figure(report_page *page, const report_figure *figure, const c3d_text *script);

/* ---- cells ----------------------------------------------------------------------------------- */

/* A cell: value and interval, or "undefined". */
void report_add_estimate(c3d_text *page, const c3d_json *estimate);
/* A cell: an integer of an object, or "?". */
void report_add_count(c3d_text *page, const c3d_json *object, const char *key);
/* The beginning of a row: the cell that names a run, with its colour. */
void report_add_run_cell(c3d_text *page, const report_run *run, int number);
/* What of an evaluation of one output is positive: a score above this; NaN of another. */
double report_threshold(const c3d_json *evaluation);
/* Of all runs. */
void report_thresholds(const report_page *page, int split, double out[C3D_REPORT_MAX_RUNS]);
/* Those that are not NaN are one number. */
bool report_are_alike(const double *values, int n);
/* "0.9", or "0.9 (a), 0.5 (b)" where runs differ; false: all are NaN. */
bool report_add_by_run(const report_page *page, const double *values, c3d_text *out);
/* A note: at which thresholds `what` is; nothing where none decides. */
void report_add_thresholds(report_page *page, int split, const char *what);
/* Colours and names, as <li>; within <ul class=legend>. */
void report_add_run_keys(const report_page *page, c3d_text *out);

/* ---- sections -------------------------------------------------------------------------------- */

void report_add_summary(report_page *page);
void report_add_comparison(report_page *page);
void report_add_scores(report_page *page);
/* Scores of those runs that tell K classes apart; nothing when there is none. */
void report_add_classes(report_page *page, int split);
/* Of one output: confusion, curves, calibration; nothing where a split has none of it. */
void report_add_quality(report_page *page, int split);
/* By region, year, size of mine, missing pixels, and by area. */
void report_add_groups(report_page *page, int split);
void report_add_curves(report_page *page);
void report_add_gallery(report_page *page);
/* Scores month by month; of runs that have history-SPLIT.csv. Nothing when none has. */
void report_add_history(report_page *page);
void report_add_datasets(report_page *page);
/* Of a run's dataset: where the frames of each split lie. */
void report_add_map(report_page *page, const report_run *run);
void report_add_cost(report_page *page);
/* A figure: samples a second by epoch. */
void report_add_throughput(report_page *page);
void report_add_configuration(report_page *page);

/* ---- for a terminal -------------------------------------------------------------------------- */

void report_add_classes_text(c3d_text *table, const report_run *runs, int n_runs);
/* Why the comparison may not be of these runs and their scores: lines, each with its end. */
void report_tell_comparison(const report_page *page, c3d_text *out);
void report_add_scores_text(c3d_text *table, const report_run *runs, int n_runs);

#endif
