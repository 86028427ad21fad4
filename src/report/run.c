/* Reading the files of a run. */
#include "report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const report_split_names[REPORT_SPLITS] = { "test", "validation", "train" };

static c3d_status add_setting(report_run *run, const char *path, const char *value)
{
    setting *grown = realloc(run->settings, ((size_t)run->n_settings + 1) * sizeof *grown);

    if (!grown) return C3D_FAIL(C3D_ENOMEM, "%s: memory exhausted", run->path);
    run->settings = grown;
    grown[run->n_settings++] = (setting){ .key = c3d_strdup(path), .value = c3d_strdup(value) };
    return C3D_OK;
}

/* config.yaml as c3d-train prints it: two blanks a level, one key a line. */
static c3d_status read_settings(report_run *run, char *text)
{
    char prefix[128] = "";
    size_t ends[8] = { 0 }; /* length of the prefix at each level */

    for (char *line = text, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = '\0';
        const size_t indent = strspn(line, " "), level = indent / 2;
        char *key = line + indent, *colon = strchr(key, ':');
        if (!colon || *key == '#' || level + 1 >= C3D_COUNT(ends)) continue;
        *colon = '\0';
        char *value = colon + 1 + strspn(colon + 1, " ");
        char path[256];
        (void)snprintf(path, sizeof path, "%.*s%.100s", (int)ends[level], prefix, key);
        if (*value) {
            C3D_TRY(add_setting(run, path, value));
        } else {
            (void)snprintf(prefix, sizeof prefix, "%.120s.", path);
            ends[level + 1] = strlen(prefix);
        }
    }
    return C3D_OK;
}

const char *report_run_setting(const report_run *run, const char *key)
{
    for (int i = 0; i < run->n_settings; i++) {
        if (strcmp(run->settings[i].key, key) == 0) return run->settings[i].value;
    }
    return NULL;
}

double report_run_metric(const report_run *run, size_t row, const char *column)
{
    const int index = run->has_metrics ? c3d_csv_column(&run->metrics, column) : -1;
    double value;

    if (index < 0 || !c3d_parse_real(c3d_csv_field(&run->metrics, row, index), &value)) return NAN;
    return value;
}

/* ---- the dataset ----------------------------------------------------------------------------- */

static split_count *split_of(report_run *run, const char *name)
{
    for (int i = 0; i < run->n_splits; i++) {
        if (strcmp(run->splits[i].name, name) == 0) return &run->splits[i];
    }
    if (run->n_splits == (int)C3D_COUNT(run->splits)) return NULL;
    split_count *split = &run->splits[run->n_splits++];
    (void)snprintf(split->name, sizeof split->name, "%.31s", name);
    return split;
}

static c3d_status count_samples(report_run *run, const char *path)
{
    c3d_csv csv;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_csv_read(path, &csv));
    const int split_column = c3d_csv_column(&csv, "split"),
              label_column = c3d_csv_column(&csv, "label");
    if (split_column < 0 || label_column < 0) {
        st = C3D_FAIL(C3D_EDATA, "%s: no columns split and label", path);
    }
    for (size_t row = 0; st == C3D_OK && row < csv.n_rows; row++) {
        long long label;
        st = c3d_csv_int(&csv, row, label_column, &label);
        if (st != C3D_OK) break;
        split_count *split = split_of(run, c3d_csv_field(&csv, row, split_column));
        if (!split || label < 0) continue;
        if (label >= REPORT_CLASSES) {
            split->n_more++;
            continue;
        }
        split->n[label]++;
        if (label >= split->n_classes) split->n_classes = (int)label + 1;
    }
    c3d_csv_free(&csv);
    return st;
}

/* A text as config.yaml prints it, without its quotes. Escapes stay: paths hardly have them. */
static void unquote(const char *value, char out[C3D_PATH_MAX])
{
    const size_t n = strlen(value);
    const bool quoted = n >= 2 && value[0] == '"' && value[n - 1] == '"';

    (void)snprintf(out, C3D_PATH_MAX, "%.*s", (int)(quoted ? n - 2 : n), value + (quoted ? 1 : 0));
}

static c3d_status read_dataset(report_run *run)
{
    const char *root = report_run_setting(run, "data.root");
    const char *store = report_run_setting(run, "data.store");
    char dir[C3D_PATH_MAX] = "", name[C3D_PATH_MAX] = "", path[C3D_PATH_MAX];

    if (!store) return C3D_OK;
    if (root) unquote(root, dir);
    unquote(store, name);
    C3D_TRY(c3d_path_join(run->store, dir, name));
    C3D_TRY(c3d_path_join(path, run->store, "dataset.json"));
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_json_read(path, &run->dataset));
    C3D_TRY(c3d_path_join(path, run->store, "samples.csv"));
    return c3d_path_exists(path) ? count_samples(run, path) : C3D_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static c3d_status read_files(report_run *run)
{
    char path[C3D_PATH_MAX], name[64], *text;

    C3D_TRY(c3d_path_join(path, run->path, "config.yaml"));
    const bool has_config = c3d_path_exists(path);
    if (has_config) {
        C3D_TRY(c3d_file_read(path, &text, NULL));
        const c3d_status st = read_settings(run, text);
        free(text);
        C3D_TRY(st);
    }
    C3D_TRY(c3d_path_join(path, run->path, "metrics.csv"));
    if (c3d_path_exists(path)) {
        C3D_TRY(c3d_csv_read(path, &run->metrics));
        run->has_metrics = true;
    }
    if (!has_config && !run->has_metrics) {
        return C3D_FAIL(C3D_EIO, "%s: no config.yaml and no metrics.csv; is it a run directory?",
                        run->path);
    }
    for (int i = 0; i < REPORT_SPLITS; i++) {
        (void)snprintf(name, sizeof name, "evaluation-%s.json", report_split_names[i]);
        C3D_TRY(c3d_path_join(path, run->path, name));
        if (c3d_path_exists(path)) C3D_TRY(c3d_json_read(path, &run->evaluations[i]));
    }
    return read_dataset(run);
}

c3d_status report_run_read(const char *path, report_run *out)
{
    *out = (report_run){ .path = path, .label = path };
    const c3d_status st = read_files(out);
    if (st != C3D_OK) report_run_free(out);
    return st;
}

void report_run_free(report_run *run)
{
    if (run->has_metrics) c3d_csv_free(&run->metrics);
    for (int i = 0; i < REPORT_SPLITS; i++) c3d_json_free(run->evaluations[i]);
    for (int i = 0; i < run->n_settings; i++) {
        free(run->settings[i].key);
        free(run->settings[i].value);
    }
    free(run->settings);
    c3d_json_free(run->dataset);
    *run = (report_run){ 0 };
}
