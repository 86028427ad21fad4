/* Whether the imagery is still that of frames.gpkg. */
#include "sources.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int by_path(const void *a, const void *b)
{
    return strcmp(((const c3d_known_hash *)a)->path, ((const c3d_known_hash *)b)->path);
}

static const c3d_known_hash *find(const c3d_known_hashes *known, const char *path)
{
    const c3d_known_hash key = { .path = path };

    return bsearch(&key, known->rows, known->n, sizeof key, by_path);
}

/* Which rows the archive has, is_there [known->n]; C3D_EDATA for a file that is in one only. */
static c3d_status compare_lists(const char *gpkg, const c3d_known_hashes *known,
                                const c3d_archive *mosaics, bool *is_there)
{
    const char *unknown = NULL;
    size_t n_known = 0;

    for (int m = 0; m < mosaics->n_months; m++) {
        for (int f = 0; f < mosaics->months[m].n_files; f++) {
            const c3d_known_hash *row = find(known, mosaics->months[m].files[f]);
            if (row != NULL)
                is_there[row - known->rows] = true;
            else if (unknown == NULL)
                unknown = mosaics->months[m].files[f];
            n_known += row != NULL;
        }
    }
    if (n_known == 0) return C3D_OK;
    for (size_t i = 0; i < known->n; i++)
        if (known->rows[i].is_mosaic && !is_there[i])
            return C3D_FAIL(C3D_EDATA,
                            "%s: gone since %s was made: its pixels would be gaps; put it back, or "
                            "build in another directory",
                            known->rows[i].path, gpkg);
    if (unknown == NULL) return C3D_OK;
    return C3D_FAIL(C3D_EDATA,
                    "%s: came after %s was made: scenes with and without it would be mixed; put it "
                    "away, or build in another directory (c3d-dataset update adds new months)",
                    unknown, gpkg);
}

/* By size, or else by hash where the time of change is another: it was copied, or only touched. */
static c3d_status is_replaced(const c3d_known_hash *then, const char *path, bool *out)
{
    char modified[40];
    struct stat file;
    uint64_t hash = 0, n_bytes = 0;

    *out = false;
    if (!then || stat(path, &file) != 0) return C3D_OK;
    (void)snprintf(modified, sizeof modified, "%lld.%09ld", (long long)file.st_mtim.tv_sec,
                   (long)file.st_mtim.tv_nsec);
    *out = (uint64_t)file.st_size != then->n_bytes;
    if (*out || strcmp(modified, then->modified) == 0) return C3D_OK;
    C3D_TRY(c3d_hash_file(path, &hash, &n_bytes));
    *out = hash != then->hash;
    return C3D_OK;
}

static c3d_status add(c3d_replaced_files *to, const c3d_replaced *file)
{
    if ((to->n & (to->n - 1)) == 0) { /* full at powers of two */
        c3d_replaced *grown = realloc(to->files, (to->n ? 2 * to->n : 1) * sizeof *grown);

        if (grown == NULL) return C3D_FAIL(C3D_ENOMEM, "%zu replaced files", to->n);
        to->files = grown;
    }
    to->files[to->n++] = *file;
    return C3D_OK;
}

static c3d_status compare_month(const char *gpkg, const c3d_known_hashes *known,
                                const c3d_archive *mosaics, int month, c3d_replaced_files *out)
{
    for (int f = 0; f < mosaics->months[month].n_files; f++) {
        const char *path = mosaics->months[month].files[f];
        const c3d_known_hash *then = find(known, path);
        bool is_other;

        C3D_TRY(is_replaced(then, path, &is_other));
        if (is_other)
            C3D_TRY(add(out, &(const c3d_replaced){ month, f, then->row_id, then->n_bytes }));
        c3d_phase_tick();
        if (c3d_stop_requested())
            return C3D_FAIL(C3D_ESTOPPED,
                            "%s: the imagery is being compared with it; run the "
                            "same command again",
                            gpkg);
    }
    return C3D_OK;
}

c3d_status c3d_sources_compare(const char *gpkg, const c3d_archive *mosaics,
                               c3d_replaced_files *out)
{
    c3d_replaced_files replaced = { 0 };
    c3d_known_hashes known;
    c3d_progress progress;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_known_hashes_read(gpkg, &known));
    bool *is_there = c3d_calloc(known.n + 1, sizeof *is_there);
    st = is_there != NULL ? C3D_OK : C3D_ENOMEM;
    if (st == C3D_OK && known.n > 0) st = compare_lists(gpkg, &known, mosaics, is_there);
    free(is_there);
    c3d_progress_begin(&progress, "looking for replaced files", mosaics->n_months, "months");
    for (int m = 0; known.n > 0 && st == C3D_OK && m < mosaics->n_months; m++) {
        st = compare_month(gpkg, &known, mosaics, m, &replaced);
        c3d_progress_update(&progress, m + 1);
    }
    c3d_progress_end(&progress);
    c3d_known_hashes_free(&known);
    if (st == C3D_OK)
        *out = replaced;
    else
        c3d_replaced_files_free(&replaced);
    return st;
}

void c3d_replaced_files_free(c3d_replaced_files *replaced)
{
    free(replaced->files);
    *replaced = (c3d_replaced_files){ 0 };
}

c3d_status c3d_sources_check(const char *gpkg, const c3d_archive *mosaics)
{
    c3d_replaced_files replaced;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_sources_compare(gpkg, mosaics, &replaced));
    if (replaced.n > 0) {
        const c3d_replaced *first = &replaced.files[0];
        const char *path = mosaics->months[first->month].files[first->file];

        st = C3D_FAIL(C3D_EDATA,
                      "%s: was replaced since %s was made (%llu bytes, %llu then): scenes of "
                      "two versions would be mixed; put the old one back, or build in another "
                      "directory",
                      path, gpkg, (unsigned long long)c3d_source_bytes(path),
                      (unsigned long long)first->n_bytes_then);
    }
    c3d_replaced_files_free(&replaced);
    return st;
}

static c3d_status renew(c3d_vector_writer *writer, const char *path, long long row_id)
{
    const c3d_field_desc fields[] = { { "bytes", C3D_FIELD_INT },
                                      { "hash", C3D_FIELD_TEXT },
                                      { "modified", C3D_FIELD_TEXT } };
    uint64_t hash, n_bytes;
    char text[20], modified[40];

    C3D_TRY(c3d_source_hash(path, modified, &hash, &n_bytes));
    (void)snprintf(text, sizeof text, "%016" PRIx64, hash);
    return c3d_vector_writer_change(
        writer, row_id, fields, C3D_COUNT(fields),
        (const c3d_field_value[]){ { .i = (long long)n_bytes }, { .t = text }, { .t = modified } });
}

c3d_status c3d_sources_renew(const char *gpkg, const c3d_archive *mosaics,
                             const c3d_replaced_files *replaced)
{
    c3d_vector_writer *writer = NULL;
    c3d_status st;

    C3D_TRY(c3d_vector_writer_open(gpkg, &writer));
    st = c3d_vector_writer_select(writer, "sources", 0);
    for (size_t i = 0; st == C3D_OK && i < replaced->n; i++) {
        const c3d_replaced *file = &replaced->files[i];

        st = renew(writer, mosaics->months[file->month].files[file->file], file->row_id);
    }
    if (st == C3D_OK) return c3d_vector_writer_commit(writer);
    c3d_vector_writer_discard(writer);
    return st;
}
