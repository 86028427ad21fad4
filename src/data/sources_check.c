/* Whether the imagery is still that of frames.gpkg. */
#include "sources.h"

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

static c3d_status check_file(const char *gpkg, const c3d_known_hashes *known, const char *path)
{
    const c3d_known_hash *then = find(known, path);
    char modified[40];
    struct stat file;
    uint64_t hash = 0, n_bytes = 0;

    if (!then || stat(path, &file) != 0) return C3D_OK;
    (void)snprintf(modified, sizeof modified, "%lld.%09ld", (long long)file.st_mtim.tv_sec,
                   (long)file.st_mtim.tv_nsec);
    n_bytes = (uint64_t)file.st_size;
    if (n_bytes == then->n_bytes) {
        if (strcmp(modified, then->modified) == 0) return C3D_OK;
        C3D_TRY(c3d_hash_file(path, &hash, &n_bytes)); /* copied, or only touched? */
        if (hash == then->hash) return C3D_OK;
    }
    return C3D_FAIL(C3D_EDATA,
                    "%s: was replaced since %s was made (%llu bytes, %llu then): scenes of "
                    "two versions would be mixed; put the old one back, or build in another "
                    "directory",
                    path, gpkg, (unsigned long long)n_bytes, (unsigned long long)then->n_bytes);
}

c3d_status c3d_sources_check(const char *gpkg, const c3d_archive *mosaics)
{
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
        for (int f = 0; st == C3D_OK && f < mosaics->months[m].n_files; f++) {
            st = check_file(gpkg, &known, mosaics->months[m].files[f]);
            c3d_phase_tick();
            if (st == C3D_OK && c3d_stop_requested())
                st = C3D_FAIL(C3D_ESTOPPED,
                              "%s: the imagery is being compared with it; run the "
                              "same command again",
                              gpkg);
        }
        c3d_progress_update(&progress, m + 1);
    }
    c3d_progress_end(&progress);
    c3d_known_hashes_free(&known);
    return st;
}
