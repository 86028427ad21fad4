#include "planet.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- names against one part of a pattern ----------------------------------------------------- */

typedef struct capture {
    int year, month, day, year2, month2; /* 0: not yet */
    char band[64];
} capture;

static const struct {
    const char *token;
    int n_digits, min, max;
    size_t offset; /* in capture */
} tokens[] = { { "{YYYY}", 4, 1, 9999, offsetof(capture, year) },
               { "{MM}", 2, 1, 12, offsetof(capture, month) },
               { "{DD}", 2, 1, 31, offsetof(capture, day) },
               { "{YYYY2}", 4, 1, 9999, offsetof(capture, year2) },
               { "{MM2}", 2, 1, 12, offsetof(capture, month2) } };
#define BAND_TOKEN "{BAND}"

/* Token at the front of the pattern: its row, or -1. */
static int token_at(const char *pattern)
{
    for (size_t i = 0; i < C3D_COUNT(tokens); i++)
        if (strncmp(pattern, tokens[i].token, strlen(tokens[i].token)) == 0) return (int)i;
    return -1;
}

/* A number that is repeated in a path must be the same each time. */
static bool take_number(int row, const char *name, capture *got)
{
    int *value = (int *)(void *)((char *)got + tokens[row].offset);
    int number = 0;

    for (int i = 0; i < tokens[row].n_digits; i++) {
        if (name[i] < '0' || name[i] > '9') return false;
        number = 10 * number + (name[i] - '0');
    }
    if (number < tokens[row].min || number > tokens[row].max) return false;
    if (*value != 0 && *value != number) return false;
    *value = number;
    return true;
}

static bool matches(const char *pattern, const char *name, capture *got);

/* The shortest name of a band that fits; one that is repeated in a path must be the same. */
static bool matches_band(const char *rest, const char *name, capture *got)
{
    for (size_t n = 1; n < sizeof got->band && name[n - 1] != 0; n++) {
        capture trial = *got;

        memcpy(trial.band, name, n);
        trial.band[n] = 0;
        if (got->band[0] != 0 && strcmp(got->band, trial.band) != 0) continue;
        if (!matches(rest, name + n, &trial)) continue;
        *got = trial;
        return true;
    }
    return false;
}

static bool matches(const char *pattern, const char *name, capture *got)
{
    int row;

    if (*pattern == 0) return *name == 0;
    if (strncmp(pattern, BAND_TOKEN, strlen(BAND_TOKEN)) == 0)
        return matches_band(pattern + strlen(BAND_TOKEN), name, got);
    if (*pattern == '*') {
        for (const char *rest = name;; rest++) {
            capture trial = *got;
            if (matches(pattern + 1, rest, &trial)) {
                *got = trial;
                return true;
            }
            if (*rest == 0) return false;
        }
    }
    row = token_at(pattern);
    if (row < 0) return *pattern == *name && matches(pattern + 1, name + 1, got);
    if (!take_number(row, name, got)) return false;
    return matches(pattern + strlen(tokens[row].token), name + tokens[row].n_digits, got);
}

static bool is_literal(const char *part)
{
    return strpbrk(part, "*{") == NULL;
}

/* ---- the walk -------------------------------------------------------------------------------- */

typedef struct found_file {
    c3d_date date;
    c3d_date last; /* month; later than date for a mosaic of several months */
    char *path;
    char *band; /* NULL: the pattern has no {BAND} */
} found_file;

typedef struct archive_walk {
    const char *pattern;
    c3d_date first, last;
    found_file *files;
    size_t n, capacity;
    size_t n_outside;  /* matched, but not in first..last */
    int deepest;       /* parts of the pattern that matched in the best attempt */
    char where[512];   /* the folder in which the next part had no match */
    char wanted[256];  /* that part */
    char example[256]; /* a name that is there instead */
} archive_walk;

/* Limits without a day compare by month, limits without a month by year. */
static int compare_to_limit(c3d_date date, c3d_date limit)
{
    const int unit = limit % 10000 == 0 ? 10000 : limit % 100 == 0 ? 100 : 1;
    const int a = date / unit, b = limit / unit;

    return (a > b) - (a < b);
}

static c3d_status add_file(archive_walk *walk, const char *path, const capture *got)
{
    const c3d_date date = got->year * 10000 + got->month * 100 + got->day;
    const c3d_date last = got->year2 * 10000 + got->month2 * 100;

    if ((walk->first != 0 && compare_to_limit(date, walk->first) < 0) ||
        (walk->last != 0 && compare_to_limit(date, walk->last) > 0)) {
        walk->n_outside++;
        return C3D_OK;
    }
    if (walk->n == walk->capacity) {
        const size_t capacity = walk->capacity ? 2 * walk->capacity : 64;
        found_file *files = realloc(walk->files, capacity * sizeof *files);

        if (files == NULL) return C3D_FAIL(C3D_ENOMEM, "%s: %zu files", walk->pattern, capacity);
        walk->files = files;
        walk->capacity = capacity;
    }
    walk->files[walk->n++] = (found_file){ date, last > date ? last : date, c3d_strdup(path),
                                           got->band[0] != 0 ? c3d_strdup(got->band) : NULL };
    return C3D_OK;
}

static void remember_miss(archive_walk *walk, int depth, const char *folder, const char *part,
                          const char *example)
{
    if (depth < walk->deepest) return;
    walk->deepest = depth;
    (void)snprintf(walk->where, sizeof walk->where, "%s", folder);
    (void)snprintf(walk->wanted, sizeof walk->wanted, "%s", part);
    (void)snprintf(walk->example, sizeof walk->example, "%s", example);
}

static c3d_status descend(archive_walk *walk, const char *folder, const char *rest, int depth,
                          capture got);

/* Goes on below `name`, which has matched. */
static c3d_status enter(archive_walk *walk, const char *folder, const char *name, const char *rest,
                        int depth, const capture *got)
{
    char path[C3D_PATH_MAX];

    if (strcmp(folder, ".") == 0)
        C3D_TRY(c3d_path_join(path, "", name));
    else
        C3D_TRY(c3d_path_join(path, folder, name));
    if (*rest == 0) return c3d_path_is_dir(path) ? C3D_OK : add_file(walk, path, got);
    return c3d_path_is_dir(path) ? descend(walk, path, rest, depth + 1, *got) : C3D_OK;
}

static c3d_status scan(archive_walk *walk, const char *folder, const char *part, const char *rest,
                       int depth, const capture *got)
{
    DIR *stream = opendir(folder);
    char example[256] = "";
    bool has_match = false;
    const struct dirent *entry;
    c3d_status st = C3D_OK;

    if (stream == NULL) {
        remember_miss(walk, depth, folder, part, strerror(errno));
        return C3D_OK;
    }
    while (st == C3D_OK && (entry = readdir(stream)) != NULL) {
        capture trial = *got;

        if (entry->d_name[0] == '.') continue;
        if (!matches(part, entry->d_name, &trial)) {
            if (example[0] == 0 || strcmp(entry->d_name, example) < 0)
                (void)snprintf(example, sizeof example, "%s", entry->d_name);
            continue;
        }
        has_match = true;
        st = enter(walk, folder, entry->d_name, rest, depth, &trial);
    }
    (void)closedir(stream);
    if (!has_match) remember_miss(walk, depth, folder, part, example);
    return st;
}

/* rest: what of the pattern lies below folder. */
static c3d_status descend(archive_walk *walk, const char *folder, const char *rest, int depth,
                          capture got)
{
    char part[256], path[C3D_PATH_MAX];
    const size_t length = strcspn(rest, "/");
    const char *below = rest + length + strspn(rest + length, "/");

    if (length >= sizeof part)
        return C3D_FAIL(C3D_ECONFIG, "%s: a name of %zu characters", walk->pattern, length);
    memcpy(part, rest, length);
    part[length] = 0;
    if (!is_literal(part)) return scan(walk, folder, part, below, depth, &got);
    C3D_TRY(c3d_path_join(path, folder, part));
    if (!c3d_path_exists(path)) {
        remember_miss(walk, depth, folder, part, "");
        return C3D_OK;
    }
    return enter(walk, folder, part, below, depth, &got);
}

/* ---- months ---------------------------------------------------------------------------------- */

static int by_date_and_path(const void *a, const void *b)
{
    const found_file *left = a, *right = b;

    if (left->date != right->date) return left->date < right->date ? -1 : 1;
    if (left->band != NULL && right->band != NULL && strcmp(left->band, right->band) != 0)
        return strcmp(left->band, right->band);
    return strcmp(left->path, right->path);
}

static c3d_date next_month(c3d_date date)
{
    return date / 100 % 100 == 12 ? (date / 10000 + 1) * 10000 + 100 : date + 100;
}

/* Whether an absent month can be told: the pattern gives months and no days. */
static bool is_monthly(const char *pattern)
{
    return strstr(pattern, "{MM}") != NULL && strstr(pattern, "{DD}") == NULL;
}

/* Sorted files of one date: the index behind them, and up to which month they and those before
 * them reach. */
static size_t end_of_date(const archive_walk *walk, size_t i, c3d_date *covered)
{
    const c3d_date date = walk->files[i].date;

    for (; i < walk->n && walk->files[i].date == date; i++)
        if (walk->files[i].last > *covered) *covered = walk->files[i].last;
    return i;
}

/* Dates of the files and, of monthly ones, months that none of them covers. */
static int list_dates(const archive_walk *walk, bool monthly, c3d_archive_month *out)
{
    c3d_date covered = 0;
    int n = 0;

    for (size_t i = 0; i < walk->n;) {
        const c3d_date date = walk->files[i].date;

        for (c3d_date d = covered != 0 && monthly ? next_month(covered) : date; d < date;
             d = next_month(d), n++)
            if (out != NULL) out[n].date = d;
        if (out != NULL) out[n].date = date;
        n++;
        i = end_of_date(walk, i, &covered);
    }
    return n;
}

/* Moves files first .. end - 1 into the month. */
static c3d_status take_files(archive_walk *walk, size_t first, size_t end, c3d_archive_month *month)
{
    month->files = c3d_calloc(end - first, sizeof *month->files);
    if (month->files == NULL) return C3D_ENOMEM;
    if (walk->files[first].band != NULL) {
        month->bands = c3d_calloc(end - first, sizeof *month->bands);
        if (month->bands == NULL) return C3D_ENOMEM;
    }
    for (size_t k = first; k < end; k++) {
        if (month->bands != NULL) month->bands[month->n_files] = walk->files[k].band;
        month->files[month->n_files++] = walk->files[k].path;
        walk->files[k].path = walk->files[k].band = NULL;
    }
    return C3D_OK;
}

static c3d_status fill_months(archive_walk *walk, bool monthly, c3d_archive *archive)
{
    c3d_date covered = 0;
    size_t i = 0;

    archive->n_months = list_dates(walk, monthly, NULL);
    archive->months = c3d_calloc((size_t)archive->n_months, sizeof *archive->months);
    if (archive->months == NULL) return C3D_ENOMEM;
    (void)list_dates(walk, monthly, archive->months);
    for (int m = 0; m < archive->n_months && i < walk->n; m++) {
        if (archive->months[m].date != walk->files[i].date) continue;
        const size_t end = end_of_date(walk, i, &covered);
        C3D_TRY(take_files(walk, i, end, &archive->months[m]));
        i = end;
    }
    return C3D_OK;
}

static c3d_status check_pattern(const char *pattern)
{
    for (const char *c = pattern; *c != 0; c++) {
        if (*c != '{') continue;
        if (token_at(c) < 0 && strncmp(c, BAND_TOKEN, strlen(BAND_TOKEN)) != 0)
            return C3D_FAIL(C3D_ECONFIG,
                            "%s: \"%.8s\" is not one of {YYYY}, {MM}, {DD}, {BAND}, {YYYY2}, "
                            "{MM2}",
                            pattern, c);
    }
    if ((strstr(pattern, "{YYYY2}") != NULL) != (strstr(pattern, "{MM2}") != NULL))
        return C3D_FAIL(C3D_ECONFIG, "%s: {YYYY2} and {MM2} go together", pattern);
    if (strstr(pattern, "{YYYY2}") != NULL && !is_monthly(pattern))
        return C3D_FAIL(C3D_ECONFIG, "%s: {YYYY2} and {MM2} go with {YYYY} and {MM}", pattern);
    if (strstr(pattern, "{MM}") != NULL && strstr(pattern, "{YYYY}") == NULL)
        return C3D_FAIL(C3D_ECONFIG, "%s: {MM} without {YYYY}", pattern);
    if (strstr(pattern, "{DD}") != NULL && strstr(pattern, "{MM}") == NULL)
        return C3D_FAIL(C3D_ECONFIG, "%s: {DD} without {MM}", pattern);
    return C3D_OK;
}

static c3d_status fail_none(const archive_walk *walk)
{
    char first[12], last[12];

    if (walk->n_outside > 0)
        return C3D_FAIL(C3D_EDATA, "%s: %zu files match, none is from %s to %s", walk->pattern,
                        walk->n_outside,
                        walk->first ? c3d_date_text(walk->first, first) : "the first month",
                        walk->last ? c3d_date_text(walk->last, last) : "the last month");
    return C3D_FAIL(C3D_EDATA, "%s: no file matches; looked for \"%s\" in \"%s\"%s%s%s",
                    walk->pattern, walk->wanted, walk->where,
                    walk->example[0] ? ", where there is \"" : ", where there is no such name",
                    walk->example, walk->example[0] ? "\"" : "");
}

static c3d_status walk_pattern(archive_walk *walk, const char *pattern)
{
    walk->pattern = pattern;
    C3D_TRY(check_pattern(pattern));
    return descend(walk, pattern[0] == '/' ? "/" : ".", pattern + strspn(pattern, "/"), 0,
                   (capture){ 0 });
}

static c3d_status find_by_patterns(int n, const char *const *patterns, c3d_date first,
                                   c3d_date last, c3d_archive *out)
{
    archive_walk walk = { .first = first, .last = last };
    c3d_archive archive = { 0 };
    c3d_status st = C3D_OK;

    for (int i = 0; i < n; i++) C3D_TRY_TO(done, walk_pattern(&walk, patterns[i]));
    if (walk.files == NULL) {
        st = fail_none(&walk);
        goto done;
    }
    C3D_ASSERT(walk.files);
    qsort(walk.files, walk.n, sizeof *walk.files, by_date_and_path);
    C3D_TRY_TO(done, fill_months(&walk, is_monthly(patterns[0]), &archive));
    *out = archive;
done:
    for (size_t i = 0; walk.files != NULL && i < walk.n; i++) {
        free(walk.files[i].path);
        free(walk.files[i].band);
    }
    free(walk.files);
    if (st != C3D_OK) c3d_archive_free(&archive);
    return st;
}

c3d_status c3d_archive_find(const char *pattern, c3d_date first, c3d_date last, c3d_archive *out)
{
    c3d_planet_patterns planet;

    if (!is_literal(pattern) || !c3d_path_is_dir(pattern))
        return find_by_patterns(1, &pattern, first, last, out);
    C3D_TRY(c3d_planet_find(pattern, &planet));
    return find_by_patterns(planet.n, planet.patterns, first, last, out);
}

void c3d_archive_free(c3d_archive *archive)
{
    for (int m = 0; m < archive->n_months; m++) {
        for (int f = 0; f < archive->months[m].n_files; f++) {
            free(archive->months[m].files[f]);
            if (archive->months[m].bands != NULL) free(archive->months[m].bands[f]);
        }
        free(archive->months[m].files);
        free(archive->months[m].bands);
    }
    free(archive->months);
    *archive = (c3d_archive){ 0 };
}
