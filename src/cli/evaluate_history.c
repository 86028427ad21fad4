#include "cli/evaluate_history.h"

#include "c3d/raster.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define OPTION "--frames"

c3d_status evaluate_check_history(const c3d_args *args)
{
    static const char *const parts[] = { OPTION, "--lasting", "--occlude" };

    for (size_t i = 0; i < C3D_COUNT(parts) && !c3d_args_flag(args, "--history"); i++)
        if (c3d_args_given(args, parts[i]))
            return C3D_FAIL(C3D_ECONFIG, "%s: means something with --history only", parts[i]);
    if (c3d_args_given(args, OPTION) && c3d_args_given(args, "--occlude"))
        return C3D_FAIL(C3D_ECONFIG,
                        "--occlude: of all samples with " OPTION ", whatever was found in them");
    return C3D_OK;
}

/* "12,7": [n], given. */
static c3d_status parse_frames(const char *text, int64_t **out, size_t *n_out)
{
    char *words = c3d_strdup(text), *rest = words;
    int64_t *ids = c3d_calloc(strlen(text) + 1, sizeof *ids);
    c3d_status st = ids ? C3D_OK : C3D_ENOMEM;
    size_t n = 0;

    for (char *word; st == C3D_OK && (word = strsep(&rest, ",")) != NULL;) {
        long long id;
        if (c3d_parse_int(word, &id))
            ids[n++] = id;
        else
            st =
                C3D_FAIL(C3D_ECONFIG, OPTION ": expected frame ids such as 12,7, got \"%s\"", word);
    }
    free(words);
    if (st != C3D_OK) {
        free(ids);
        return st;
    }
    *out = ids;
    *n_out = n;
    return C3D_OK;
}

static size_t place_of(const int64_t *ids, size_t n, int64_t id)
{
    size_t i = 0;

    while (i < n && ids[i] != id) i++;
    return i;
}

static c3d_status keep(const c3d_dataset *dataset, const int64_t *ids, size_t n, c3d_list *list)
{
    const c3d_samples *samples = c3d_dataset_get_samples(dataset);
    bool *is_found = c3d_calloc(n + 1, sizeof *is_found);
    size_t n_kept = 0;
    c3d_status st = C3D_OK;

    if (!is_found) return C3D_ENOMEM;
    for (size_t i = 0; i < list->n; i++) {
        const size_t place = place_of(ids, n, samples->rows[list->index[i]].frame_id);
        is_found[place] = true;
        if (place < n) list->index[n_kept++] = list->index[i];
    }
    for (size_t i = 0; i < n && st == C3D_OK; i++)
        if (!is_found[i])
            st = C3D_FAIL(C3D_EDATA, OPTION ": frame %" PRId64 " has no sample in this split",
                          ids[i]);
    free(is_found);
    list->n = n_kept;
    list->hash = 0;
    return st;
}

c3d_status evaluate_choose_frames(const c3d_args *args, const c3d_dataset *dataset, c3d_list *list)
{
    const char *text = c3d_args_text(args, OPTION);
    int64_t *ids;
    size_t n;

    if (!text) return C3D_OK;
    C3D_TRY(parse_frames(text, &ids, &n));
    const c3d_status st = keep(dataset, ids, n, list);
    free(ids);
    return st;
}

c3d_status evaluate_history(const c3d_args *args, const c3d_history_desc *desc)
{
    c3d_history_desc full = *desc;

    full.n_lasting = (int)c3d_args_int(args, "--lasting");
    full.n_each = c3d_args_text(args, OPTION) ? -1 : (int)c3d_args_int(args, "--occlude");
    c3d_raster_start(); /* label years are in a GeoPackage */
    return c3d_history_run(&full);
}
