/* Reading the files of a run. */
#include "report/report.h"

#include "c3d/data.h"

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

long long report_run_int(const report_run *run, const char *key, long long standard)
{
    const char *text = report_run_setting(run, key);
    long long value;

    return text && c3d_parse_int(text, &value) ? value : standard;
}

/* As the run saw them: of a fold, its splits. */
static c3d_status count_samples(report_run *run, const char *path)
{
    const int fold = (int)report_run_int(run, "data.fold", -1);
    c3d_samples samples;

    C3D_TRY(c3d_samples_read(path, &samples));
    const c3d_status st =
        c3d_samples_choose_fold(&samples, fold, (int)report_run_int(run, "data.folds", 0));
    for (size_t i = 0; st == C3D_OK && i < samples.n; i++) {
        const c3d_sample *sample = &samples.rows[i];
        split_count *split = &run->splits[sample->split];
        split->is_there = true;
        if (sample->label >= REPORT_CLASSES) {
            split->n_more++;
            continue;
        }
        split->n[sample->label]++;
        if (sample->label >= split->n_classes) split->n_classes = sample->label + 1;
    }
    c3d_samples_free(&samples);
    return st;
}

/* A text as config.yaml prints it, without its quotes. Escapes stay: paths hardly have them. */
static void unquote(const char *value, char out[C3D_PATH_MAX])
{
    const size_t n = strlen(value);
    const bool quoted = n >= 2 && value[0] == '"' && value[n - 1] == '"';

    (void)snprintf(out, C3D_PATH_MAX, "%.*s", (int)(quoted ? n - 2 : n), value + (quoted ? 1 : 0));
}

bool report_run_is_first_on_store(const report_run *runs, int run)
{
    for (int i = 0; i < run; i++)
        if (strcmp(runs[i].store, runs[run].store) == 0) return false;
    return true;
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

static c3d_status read_json(const report_run *run, const char *name, c3d_json **out)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(path, run->path, name));
    return c3d_path_exists(path) ? c3d_json_read(path, out) : C3D_OK;
}

static c3d_status read_training(report_run *run, bool *is_there)
{
    char path[C3D_PATH_MAX], *text;

    C3D_TRY(c3d_path_join(path, run->path, "config.yaml"));
    if (c3d_path_exists(path)) {
        *is_there = true;
        C3D_TRY(c3d_file_read(path, &text, NULL));
        const c3d_status st = read_settings(run, text);
        free(text);
        C3D_TRY(st);
    }
    C3D_TRY(c3d_path_join(path, run->path, "metrics.csv"));
    if (c3d_path_exists(path)) {
        C3D_TRY(c3d_csv_read(path, &run->metrics));
        run->has_metrics = *is_there = true;
    }
    return C3D_OK;
}

static c3d_status read_files(report_run *run)
{
    bool is_there = false;
    char name[64];

    C3D_TRY(read_training(run, &is_there));
    for (int i = 0; i < REPORT_SPLITS; i++) {
        (void)snprintf(name, sizeof name, "evaluation-%s.json", report_split_names[i]);
        C3D_TRY(read_json(run, name, &run->evaluations[i]));
        is_there = is_there || run->evaluations[i];
    }
    if (!is_there) return report_refuse_directory(run->path);
    C3D_TRY(read_json(run, "cost.json", &run->cost));
    return read_dataset(run);
}

c3d_status report_run_read(const char *path, report_run *out)
{
    *out = (report_run){ .path = path };
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
    c3d_json_free(run->cost);
    *run = (report_run){ 0 };
}
