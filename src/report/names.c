/* Which runs are shown, and what each is called. */
#include "report/report.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- by the parts of their paths --------------------------------------------------------------
 */

/* Parts of a path, from its end; empty past its beginning. */
static void take_part(const char *path, int from_end, const char **out, size_t *n_out)
{
    const char *end = path + strlen(path);

    for (;; from_end--) {
        while (end > path && end[-1] == '/') end--;
        const char *begin = end;
        while (begin > path && begin[-1] != '/') begin--;
        *out = begin;
        *n_out = (size_t)(end - begin);
        if (from_end == 0 || begin == end) return;
        end = begin;
    }
}

static bool are_parts_unique(const report_run *runs, int n_runs, int from_end)
{
    for (int i = 0; i < n_runs; i++) {
        const char *part, *other;
        size_t n, n_other;
        take_part(runs[i].path, from_end, &part, &n);
        if (n == 0) return false;
        for (int j = 0; j < i; j++) {
            take_part(runs[j].path, from_end, &other, &n_other);
            if (n == n_other && strncmp(part, other, n) == 0) return false;
        }
    }
    return true;
}

/* The part of their paths that tells the runs apart, the nearest to the end; or all of them. */
static void label_by_parts(report_run *runs, int n_runs)
{
    int from_end = 0;

    while (from_end < 4 && !are_parts_unique(runs, n_runs, from_end)) from_end++;
    for (int i = 0; i < n_runs; i++) {
        const char *part = runs[i].path;
        size_t n = strlen(part);
        if (from_end < 4) take_part(runs[i].path, from_end, &part, &n);
        (void)snprintf(runs[i].label, sizeof runs[i].label, "%.*s", (int)n, part);
    }
}

/* ---- by the networks of a comparison ----------------------------------------------------------
 */

/* What of `path` lies behind directory `source`: "" for itself, "/seed1"; NULL: it is not there.
 * A relative source was one where the comparison was made, so it may be any part of the path. */
static const char *behind_source(const char *path, const char *source)
{
    char absolute[C3D_PATH_MAX], *known = realpath(source, NULL);
    const char *found = NULL;
    size_t n;

    while (strncmp(source, "./", 2) == 0) source += 2;
    (void)snprintf(absolute, sizeof absolute, "%s%s", *source == '/' ? "" : "/", source);
    for (n = strlen(absolute); n > 1 && absolute[n - 1] == '/'; n--) absolute[n - 1] = '\0';
    if (known && strncmp(path, known, strlen(known)) == 0) {
        found = path + strlen(known);
    } else if (*source == '/') {
        if (strncmp(path, absolute, n) == 0) found = path + n;
    } else {
        for (const char *at = path; n > 1 && (at = strstr(at, absolute)) != NULL; at++)
            if (at[n] == '/' || at[n] == '\0') found = at + n;
    }
    free(known);
    return found && (*found == '/' || *found == '\0') ? found : NULL;
}

bool report_is_within(const report_run *run, const char *dir, bool *is_it)
{
    char *path = realpath(run->path, NULL);
    const char *rest = path ? behind_source(path, dir) : NULL;
    const bool is_within = rest != NULL;

    *is_it = is_within && rest[strspn(rest, "/")] == '\0';
    free(path);
    return is_within;
}

/* "c3d", or "c3d/seed1" of several runs; false: the comparison has no such run. */
static bool label_as_compared(const report_run *run, const c3d_json *networks, char *out, size_t n)
{
    char *path = realpath(run->path, NULL);
    bool is_found = false;

    for (size_t i = 0; path && !is_found && i < c3d_json_length(networks); i++) {
        const c3d_json *network = c3d_json_at(networks, i);
        const char *name, *source, *rest;
        if (!c3d_json_get_string(network, "name", &name) ||
            !c3d_json_get_string(network, "source", &source) ||
            !(rest = behind_source(path, source)))
            continue;
        (void)snprintf(out, n, "%s%s", name, rest);
        is_found = true;
    }
    free(path);
    return is_found;
}

static bool has_label(const char (*labels)[sizeof((report_run *)0)->label], int n,
                      const char *label)
{
    for (int i = 0; i < n; i++)
        if (strcmp(labels[i], label) == 0) return true;
    return false;
}

void report_label_runs(report_run *runs, int n_runs, const c3d_json *comparison)
{
    const c3d_json *networks = c3d_json_get(comparison, "networks");
    char labels[C3D_REPORT_MAX_RUNS][sizeof runs->label];

    label_by_parts(runs, n_runs);
    if (!comparison) return;
    for (int i = 0; i < n_runs; i++) {
        if (!label_as_compared(&runs[i], networks, labels[i], sizeof labels[i]))
            (void)snprintf(labels[i], sizeof labels[i], "%s", runs[i].label);
        if (has_label((const char(*)[sizeof runs->label])labels, i, labels[i])) return;
    }
    for (int i = 0; i < n_runs; i++) memcpy(runs[i].label, labels[i], sizeof labels[i]);
}

/* ---- mistakes ---------------------------------------------------------------------------------
 */

c3d_status report_check_runs(const c3d_report_desc *desc)
{
    struct stat of[C3D_REPORT_MAX_RUNS] = { 0 };

    for (int i = 0; i < desc->n_runs; i++) {
        if (stat(desc->runs[i], &of[i]) != 0) continue; /* said where it is read */
        for (int j = 0; j < i; j++)
            if (of[j].st_ino == of[i].st_ino && of[j].st_dev == of[i].st_dev)
                return C3D_FAIL(C3D_ECONFIG, "%s: the same run as %s, given twice", desc->runs[i],
                                desc->runs[j]);
    }
    return C3D_OK;
}

static bool is_run(const char *dir, const char *name)
{
    static const char *const files[] = { "config.yaml", "metrics.csv" };
    char sub[C3D_PATH_MAX], path[C3D_PATH_MAX];

    if (name[0] == '.' || c3d_path_join(sub, dir, name) != C3D_OK) return false;
    for (size_t i = 0; i < C3D_COUNT(files); i++)
        if (c3d_path_join(path, sub, files[i]) == C3D_OK && c3d_path_exists(path)) return true;
    return false;
}

c3d_status report_refuse_directory(const char *path)
{
    DIR *stream = opendir(path);
    const struct dirent *entry;
    char first[256] = "";
    int n = 0;

    while (stream && (entry = readdir(stream)) != NULL) {
        if (!is_run(path, entry->d_name)) continue;
        if (n++ == 0 || strcmp(entry->d_name, first) < 0)
            (void)snprintf(first, sizeof first, "%s", entry->d_name);
    }
    if (stream) (void)closedir(stream);
    if (n > 0)
        return C3D_FAIL(C3D_EIO, "%s: no run but a directory of %d, such as %s/%s; give these",
                        path, n, path, first);
    return C3D_FAIL(C3D_EIO, "%s: no config.yaml and no metrics.csv; is it a run directory?", path);
}
