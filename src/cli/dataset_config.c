#include "dataset_config.h"

#include "c3d/args.h"
#include "c3d/dataset.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NAME "config.yaml"

/* ---- section data ---------------------------------------------------------------------------- */

/* A key that is an absolute path all the same is told by its name. */
static void add_line(const char *line, size_t n, bool is_published, c3d_text *out)
{
    const char *value = memchr(line, ':', n);
    const char *last = NULL;

    if (is_published && value && (strncmp(value, ": /", 3) == 0 || strncmp(value, ": \"/", 4) == 0))
        for (const char *p = value; p < line + n; p++)
            if (*p == '/') last = p;
    if (!last) {
        c3d_text_add_bytes(out, line, n);
        return;
    }
    const bool is_quoted = value[2] == '"';
    c3d_text_add_bytes(out, line, (size_t)(value - line) + 2 + is_quoted);
    c3d_text_add_bytes(out, last + 1, n - (size_t)(last + 1 - line));
}

static void print_data(const c3d_config *config, bool is_published, c3d_text *out)
{
    c3d_text all = { 0 };
    bool is_data = false;

    c3d_config_print(config, &all);
    for (const char *line = all.text; line && *line;) {
        const size_t n = strcspn(line, "\n") + 1;
        if (line[0] != ' ') is_data = strncmp(line, "data:\n", n) == 0;
        if (is_data) add_line(line, n, is_published, out);
        line += n;
    }
    c3d_text_free(&all);
}

c3d_status c3d_dataset_config_keep(const c3d_config *config, const char *dir)
{
    char path[C3D_PATH_MAX];
    c3d_text text = { 0 };

    C3D_TRY(c3d_path_join(path, dir, FILE_NAME));
    print_data(config, false, &text);
    const c3d_status st = c3d_file_write(path, text.text, text.length);
    c3d_text_free(&text);
    return st;
}

/* ---- what is published ----------------------------------------------------------------------- */

typedef struct roots {
    char of[2][C3D_PATH_MAX]; /* "": none */
} roots;

/* The folder above the first part of a pattern that is not literal, or above a folder. */
static void take_folder(const char *pattern, char out[C3D_PATH_MAX])
{
    const size_t n = strcspn(pattern, "{*");

    snprintf(out, C3D_PATH_MAX, "%.*s", (int)n, pattern);
    char *slash = strrchr(out, '/');
    if (slash) *slash = '\0';
}

static void cut_to_common(char a[C3D_PATH_MAX], const char *b)
{
    size_t n = 0, end = 0;

    for (; a[n] && a[n] == b[n]; n++)
        if (a[n] == '/') end = n;
    if ((a[n] == '\0' || a[n] == '/') && (b[n] == '\0' || b[n] == '/')) end = n;
    a[end] = '\0';
}

/* What comes before the parts of paths that are published. */
static void find_roots(const c3d_config *config, roots *out)
{
    char common[C3D_PATH_MAX] = "";
    const char *patterns[2] = { config->data.mosaics, config->data.labels };

    *out = (roots){ 0 };
    if (config->data.root[0]) {
        snprintf(out->of[0], sizeof out->of[0], "%s", config->data.root);
        for (size_t n = strlen(out->of[0]); n > 1 && out->of[0][n - 1] == '/'; n--)
            out->of[0][n - 1] = '\0';
    }
    for (int i = 0; i < 2; i++) {
        char *to = out->of[i];
        if (patterns[i][0] == '/' && !to[0]) take_folder(patterns[i], to);
    }
    if (config->data.root[0] || !out->of[0][0] || !out->of[1][0]) return;
    memcpy(common, out->of[0], sizeof common);
    cut_to_common(common, out->of[1]);
    if (!common[0]) return;
    memcpy(out->of[0], common, sizeof common);
    out->of[1][0] = '\0';
}

static void replace(char **text, const char *with)
{
    char *old = *text;

    *text = c3d_strdup(with);
    free(old);
}

static void cut_root(const roots *all, char **pattern)
{
    for (int i = 0; i < 2; i++) {
        const size_t n = strlen(all->of[i]);
        if (n == 0 || strncmp(*pattern, all->of[i], n) != 0 || (*pattern)[n] != '/') continue;
        replace(pattern, *pattern + n + strspn(*pattern + n, "/"));
        return;
    }
}

static c3d_status take_periods(const char *dir, c3d_config *config)
{
    c3d_dataset_info info;
    char text[12];

    C3D_TRY(c3d_dataset_info_read(dir, &info));
    const c3d_period *last = &info.periods[info.n_periods - 1];
    config->data.months.first = info.periods[0].first;
    config->data.months.last = last->months[last->n_months - 1];
    for (int i = 0; i < config->data.periods.n; i++) free(config->data.periods.items[i]);
    free(config->data.periods.items);
    config->data.periods.n = 0;
    config->data.periods.items =
        c3d_calloc((size_t)info.n_periods, sizeof *config->data.periods.items);
    for (int i = 1; config->data.periods.items && i < info.n_periods; i++)
        config->data.periods.items[config->data.periods.n++] =
            c3d_strdup(c3d_date_text(info.periods[i].first, text));
    c3d_dataset_info_free(&info);
    return config->data.periods.items ? C3D_OK : C3D_ENOMEM;
}

static c3d_status publish(const char *dir, const char *out, c3d_config *config)
{
    c3d_text text = { 0 };
    char made_by[64];
    roots all;

    snprintf(made_by, sizeof made_by, "c3d-dataset %s", c3d_version());
    find_roots(config, &all);
    C3D_TRY(take_periods(dir, config));
    cut_root(&all, &config->data.mosaics);
    cut_root(&all, &config->data.labels);
    replace(&config->data.root, "");
    replace(&config->data.store, "");
    replace(&config->data.stage_dir, "");
    print_data(config, true, &text);
    const c3d_publish_desc desc = { .dir = dir,
                                    .out = out,
                                    .roots = { all.of[0], all.of[1] },
                                    .config = text.text,
                                    .made_by = made_by };
    const c3d_status st = c3d_dataset_publish(&desc);
    c3d_text_free(&text);
    return st;
}

c3d_status c3d_dataset_config_publish(const char *dir, const char *out)
{
    char path[C3D_PATH_MAX];
    c3d_text mistakes = { 0 };
    c3d_config config = { 0 };
    c3d_status st;

    if (!out || !out[0])
        return C3D_FAIL(C3D_ECONFIG, "--out: expected the directory of the package");
    C3D_TRY(c3d_path_join(path, dir, "import.yaml"));
    if (c3d_path_exists(path))
        return C3D_FAIL(C3D_ECONFIG,
                        "%s: its scenes come from a list: publish that, with the files it names "
                        "and %s",
                        dir, path);
    C3D_TRY(c3d_path_join(path, dir, FILE_NAME));
    if (!c3d_path_exists(path))
        return C3D_FAIL(C3D_ECONFIG,
                        "%s: absent; c3d-dataset samples CONFIG --out %s writes it from the "
                        "configuration the dataset was made with",
                        path, dir);
    st = c3d_config_load(path, C3D_CONFIG_FOR_READING, NULL, 0, &config, &mistakes);
    if (st == C3D_OK) st = publish(dir, out, &config);
    c3d_config_free(&config);
    c3d_text_free(&mistakes);
    return st;
}
