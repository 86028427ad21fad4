/* A dataset made anew from what was published of it and one's own copy of the images. */
#include "publish.h"
#include "samples.h"
#include "sharing.h"

#include <stdlib.h>
#include <string.h>

#define TOLD_MAX 10 /* files that are named */

/* ---- sources --------------------------------------------------------------------------------- */

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The archive's file of a date with a name; of several the one whose path ends as published. */
static const char *find_file(const c3d_archive *archive, const char *date, const char *path)
{
    const char *found = NULL;

    for (int m = 0; m < archive->n_months; m++) {
        char text[12];
        if (strcmp(c3d_date_text(archive->months[m].date, text), date) != 0) continue;
        for (int f = 0; f < archive->months[m].n_files; f++) {
            const char *here = archive->months[m].files[f];
            const size_t n = strlen(here), n_path = strlen(path);
            if (strcmp(file_name(here), file_name(path)) != 0) continue;
            if (n >= n_path && strcmp(here + n - n_path, path) == 0) return here;
            if (!found) found = here;
        }
    }
    return found;
}

typedef struct findings {
    size_t n_same, n_other, n_missing;
    c3d_text other, missing; /* names of some */
} findings;

static void note(c3d_text *list, size_t n, const char *name)
{
    if (n <= TOLD_MAX) c3d_text_add(list, "%s%s", n > 1 ? ", " : "", name);
    if (n == TOLD_MAX + 1) c3d_text_add(list, ", ...");
}

static c3d_status check_file(const c3d_archive *archive, const c3d_vector *sources, size_t row,
                             findings *out)
{
    const char *date = c3d_vector_text(sources, row, c3d_vector_field(sources, "date"));
    const char *path = c3d_vector_text(sources, row, c3d_vector_field(sources, "path"));
    const char *hash = c3d_vector_text(sources, row, c3d_vector_field(sources, "hash"));
    const char *here = date && path ? find_file(archive, date, path) : NULL;
    uint64_t value, n_bytes;
    char text[20];

    if (!here) {
        note(&out->missing, ++out->n_missing, path ? path : "a file without a path");
        return C3D_OK;
    }
    C3D_TRY(c3d_hash_file(here, &value, &n_bytes));
    snprintf(text, sizeof text, "%016llx", (unsigned long long)value);
    if (hash && strcmp(hash, text) == 0)
        out->n_same++;
    else
        note(&out->other, ++out->n_other, here);
    return C3D_OK;
}

static bool is_mosaic(const c3d_vector *sources, size_t row)
{
    const char *kind = c3d_vector_text(sources, row, c3d_vector_field(sources, "kind"));

    return kind && strcmp(kind, "mosaic") == 0;
}

static c3d_status tell(const c3d_dataset_desc *desc, const findings *found)
{
    c3d_log_run("sources: %zu images have the published hashes", found->n_same);
    if (found->n_other > 0)
        c3d_log_warn("sources: %zu images have other hashes than published, so that scenes may "
                     "differ: %s",
                     found->n_other, found->other.text);
    if (found->n_missing == 0) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: %zu images that were published are not there: %s",
                    desc->mosaics, found->n_missing, found->missing.text);
}

static c3d_status check_sources(const c3d_dataset_desc *desc, const char *gpkg)
{
    c3d_archive archive = { 0 };
    c3d_vector *sources = NULL;
    findings found = { 0 };
    c3d_progress progress;
    c3d_status st;

    C3D_TRY(c3d_archive_find(desc->mosaics, desc->month_first, desc->month_last, &archive));
    C3D_TRY_TO(done, c3d_vector_open(gpkg, "sources", &sources));
    const size_t n = c3d_vector_n_rows(sources);
    c3d_progress_begin(&progress, "hashing sources", (double)n, "files");
    for (size_t row = 0; st == C3D_OK && row < n; row++) {
        if (is_mosaic(sources, row)) st = check_file(&archive, sources, row, &found);
        c3d_progress_update(&progress, (double)(row + 1));
    }
    c3d_progress_end(&progress);
    if (st == C3D_OK) st = tell(desc, &found);
done:
    c3d_text_free(&found.other);
    c3d_text_free(&found.missing);
    c3d_vector_close(sources);
    c3d_archive_free(&archive);
    return st;
}

/* ---- frames and samples ---------------------------------------------------------------------- */

/* The package's file in the dataset; one that is there must be the same. */
static c3d_status take_file(const char *package, const char *dir, const char *name)
{
    char from[C3D_PATH_MAX], to[C3D_PATH_MAX];
    uint64_t published, here;

    C3D_TRY(c3d_path_join(from, package, name));
    C3D_TRY(c3d_path_join(to, dir, name));
    if (!c3d_path_exists(to)) return c3d_publish_copy(from, to);
    C3D_TRY(c3d_hash_file(from, &published, NULL));
    C3D_TRY(c3d_hash_file(to, &here, NULL));
    if (published == here) return C3D_OK;
    return C3D_FAIL(C3D_ECONFIG, "%s: is not that of %s; rebuild into another directory", to,
                    package);
}

static c3d_status take_frames(const char *package, const c3d_dataset_desc *desc)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(path, package, C3D_CHECKSUMS_NAME));
    if (!c3d_path_exists(path))
        return C3D_FAIL(C3D_ECONFIG, "%s: absent: --from takes what c3d-dataset publish wrote",
                        path);
    C3D_TRY(c3d_path_join(path, desc->out_dir, "frames.gpkg"));
    const bool is_begun = c3d_path_exists(path); /* then the sources were compared before */
    C3D_TRY(c3d_path_join(path, package, "frames.gpkg"));
    if (!is_begun) C3D_TRY(check_sources(desc, path));
    C3D_TRY(take_file(package, desc->out_dir, "frames.gpkg"));
    return take_file(package, desc->out_dir, C3D_CHECKSUMS_NAME);
}

static c3d_status compare(const char *dir)
{
    char path[C3D_PATH_MAX];
    c3d_text said = { 0 };
    c3d_store store;
    c3d_status st;

    C3D_TRY(c3d_path_join(path, dir, C3D_CHECKSUMS_NAME));
    C3D_TRY(c3d_store_open(dir, false, &store));
    st = c3d_checksums_compare(path, &store, &said);
    if (st == C3D_OK) c3d_log_run("%.*s", (int)strcspn(said.text, "\n"), said.text);
    c3d_text_free(&said);
    c3d_store_close(&store);
    return st;
}

static c3d_status take_samples(const char *package, const c3d_dataset_desc *desc)
{
    C3D_TRY(take_file(package, desc->out_dir, "samples.csv"));
    C3D_TRY(c3d_dataset_adopt(desc, package));
    return compare(desc->out_dir);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static c3d_status build(const char *package, const c3d_dataset_desc *desc,
                        const c3d_sharing *sharing)
{
    const bool is_first = c3d_sharing_rank(sharing) == 0;

    c3d_phase_set(C3D_PHASE_FRAMES, 0, 0);
    C3D_TRY(c3d_sharing_agree(sharing, is_first ? take_frames(package, desc) : C3D_OK));
    c3d_phase_set(C3D_PHASE_CLIPPING, 0, 0);
    C3D_TRY(c3d_dataset_clip(desc, sharing));
    c3d_phase_set(C3D_PHASE_SAMPLES, 0, 0);
    return c3d_sharing_agree(sharing, is_first ? take_samples(package, desc) : C3D_OK);
}

c3d_status c3d_dataset_rebuild(const char *package, const c3d_dataset_desc *desc,
                               const c3d_sharing *sharing)
{
    c3d_dataset_desc same = *desc;
    c3d_dataset_info info = { 0 };
    c3d_date *periods = NULL;
    c3d_status st = c3d_dataset_info_read(package, &info);

    if (st == C3D_OK) {
        const c3d_period *last = &info.periods[info.n_periods - 1];
        periods = c3d_calloc((size_t)info.n_periods, sizeof *periods);
        if (!periods) st = C3D_ENOMEM;
        for (int i = 1; periods && i < info.n_periods; i++) periods[i - 1] = info.periods[i].first;
        same.n_periods = info.n_periods - 1;
        same.periods = periods;
        same.month_first = info.periods[0].first;
        same.month_last = last->months[last->n_months - 1];
    }
    st = c3d_sharing_agree(sharing, st);
    if (st == C3D_OK) st = build(package, &same, sharing);
    free(periods);
    c3d_dataset_info_free(&info);
    return st;
}
