/* Which band of a file is which: by description, by colour role, and only where a file tells
 * nothing by position. */
#include "gdal.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *word, *same;
} synonyms[] = { { "nearinfrared", "nir" }, { "nearir", "nir" }, { "grey", "gray" } };
static const char *const colours[] = { "blue", "green", "red", "nir" };

/* Lower case letters and digits alone; words for the same thing become one. */
static void normalise(const char *name, char out[64])
{
    size_t n = 0;

    for (; *name != 0 && n < 63; name++)
        if (isalnum((unsigned char)*name)) out[n++] = (char)tolower((unsigned char)*name);
    out[n] = 0;
    for (size_t i = 0; i < C3D_COUNT(synonyms); i++)
        if (strcmp(out, synonyms[i].word) == 0) (void)snprintf(out, 64, "%s", synonyms[i].same);
}

static bool is_same_name(const char *a, const char *b)
{
    char left[64], right[64];

    normalise(a, left);
    normalise(b, right);
    return left[0] != 0 && strcmp(left, right) == 0;
}

static bool is_colour(const char *name)
{
    for (size_t i = 0; i < C3D_COUNT(colours); i++)
        if (is_same_name(name, colours[i])) return true;
    return false;
}

/* Number of the band, or 0. A description that names a colour is believed before the role. */
static int find_name(const c3d_raster_info *info, const char *name)
{
    for (int i = 0; i < info->n_bands; i++)
        if (is_same_name(info->band_names[i], name)) return i + 1;
    for (int i = 0; i < info->n_bands; i++)
        if (is_same_name(info->band_roles[i], name) && !is_colour(info->band_names[i]))
            return i + 1;
    return 0;
}

int c3d_raster_n_data_bands(const c3d_raster_info *info)
{
    return info->n_bands - (info->alpha_band != 0);
}

static c3d_status fail_band(const char *path, const c3d_raster_info *info, const char *wanted,
                            const char *why)
{
    c3d_text names = { 0 };

    for (int i = 0; i < info->n_bands; i++)
        c3d_text_add(&names, "%s%s", i ? ", " : "",
                     info->band_names[i][0] ? info->band_names[i] : "unnamed");
    const c3d_status st = C3D_FAIL(C3D_EDATA, "%s: no band %s: it has %d (%s)%s", path, wanted,
                                   info->n_bands, names.text, why);
    c3d_text_free(&names);
    return st;
}

/* Bands without a name that nobody has taken, in order; taken: [n_bands] by number - 1. */
static int list_unnamed(const c3d_raster_info *info, const bool *taken, int out[C3D_MAX_BANDS])
{
    int n = 0;

    for (int i = 0; i < info->n_bands; i++)
        if (!taken[i] && info->band_names[i][0] == 0 && i + 1 != info->alpha_band) out[n++] = i + 1;
    return n;
}

/* ---- the first file -------------------------------------------------------------------------- */

static bool is_repeated(const c3d_raster_info *info, int number)
{
    for (int i = 0; i < info->n_bands; i++)
        if (i + 1 != number && is_same_name(info->band_names[i], info->band_names[number - 1]))
            return true;
    return false;
}

static void want_number(const c3d_raster_info *info, int number, bool by_number,
                        c3d_band_wanted *out)
{
    *out = (c3d_band_wanted){ .number = number, .by_number = by_number };
    if (!is_repeated(info, number)) memcpy(out->name, info->band_names[number - 1], 64);
}

static c3d_status want_text(const c3d_raster *first, const char *text, c3d_band_wanted *out)
{
    const c3d_raster_info *info = c3d_raster_get_info(first);
    const int found = find_name(info, text);
    long long number;

    *out = (c3d_band_wanted){ .number = found };
    if (found == 0 && c3d_parse_int(text, &number)) {
        if (number < 1 || number > info->n_bands)
            return fail_band(c3d_raster_path(first), info, text, "");
        want_number(info, (int)number, true, out);
        return C3D_OK;
    }
    if (strlen(text) >= sizeof out->name)
        return C3D_FAIL(C3D_ECONFIG, "data.bands: %.20s...: a name of %zu letters", text,
                        strlen(text));
    memcpy(out->name, text, strlen(text) + 1);
    return C3D_OK;
}

c3d_status c3d_bands_want(const c3d_raster *first, int n, const char *const *texts,
                          c3d_band_wanted *out, int *n_out)
{
    const c3d_raster_info *info = c3d_raster_get_info(first);
    bool taken[C3D_MAX_BANDS] = { false };
    int unnamed[C3D_MAX_BANDS], n_missing = 0, next = 0;

    *n_out = n;
    if (n == 0) {
        for (int i = 1; i <= info->n_bands; i++)
            if (i != info->alpha_band) want_number(info, i, false, &out[(*n_out)++]);
        return C3D_OK;
    }
    if (n > C3D_MAX_BANDS)
        return C3D_FAIL(C3D_ECONFIG, "data.bands: %d bands, at most %d", n, C3D_MAX_BANDS);
    for (int i = 0; i < n; i++) {
        C3D_TRY(want_text(first, texts[i], &out[i]));
        if (out[i].number > 0) taken[out[i].number - 1] = true;
        n_missing += out[i].number == 0;
    }
    if (n_missing > 0 && list_unnamed(info, taken, unnamed) != n_missing) {
        for (int i = 0; i < n; i++)
            if (out[i].number == 0) return fail_band(c3d_raster_path(first), info, out[i].name, "");
    }
    for (int i = 0; i < n; i++)
        if (out[i].number == 0) out[i].number = unnamed[next++];
    return C3D_OK;
}

/* ---- any file -------------------------------------------------------------------------------- */

static bool names_none(const c3d_raster_info *info)
{
    for (int i = 0; i < info->n_bands; i++)
        if (info->band_names[i][0] != 0 && i + 1 != info->alpha_band) return false;
    return true;
}

/* By position: as asked for, or as in the first file where this one tells nothing else. */
static int find_position(const c3d_mosaic_desc *desc, const c3d_raster_info *info,
                         const c3d_band_wanted *wanted)
{
    const bool is_alike = c3d_raster_n_data_bands(info) == desc->n_file_bands;

    if (wanted->number > info->n_bands || wanted->number == info->alpha_band) return 0;
    if (wanted->name[0] == 0 && (wanted->by_number || is_alike)) return wanted->number;
    return is_alike && names_none(info) ? wanted->number : 0;
}

/* The wanted bands that were not found, in the order of the first file, are those bands of this
 * file that it does not name, when there are as many. */
static void find_left_over(const c3d_mosaic_desc *desc, const c3d_raster_info *info,
                           int bands[C3D_MAX_BANDS])
{
    bool taken[C3D_MAX_BANDS] = { false };
    int unnamed[C3D_MAX_BANDS], n_missing = 0, n_unnamed;

    for (int i = 0; i < desc->n_bands; i++) {
        n_missing += bands[i] == 0;
        if (bands[i] > 0) taken[bands[i] - 1] = true;
    }
    n_unnamed = list_unnamed(info, taken, unnamed);
    if (n_unnamed != n_missing) return;
    for (int k = 0; k < n_unnamed; k++) {
        int lowest = -1;

        for (int i = 0; i < desc->n_bands; i++)
            if (bands[i] == 0 &&
                (lowest < 0 || desc->wanted[i].number < desc->wanted[lowest].number))
                lowest = i;
        C3D_ASSERT(lowest >= 0);
        bands[lowest] = unnamed[k];
    }
}

c3d_status c3d_raster_file_bands(const c3d_mosaic_desc *desc, const c3d_raster_info *info,
                                 raster_file *file)
{
    int bands[C3D_MAX_BANDS] = { 0 };

    for (int i = 0; i < desc->n_bands; i++) {
        const c3d_band_wanted *wanted = &desc->wanted[i];

        if (wanted->name[0] != 0) bands[i] = find_name(info, wanted->name);
        if (bands[i] == 0) bands[i] = find_position(desc, info, wanted);
    }
    find_left_over(desc, info, bands);
    for (int i = 0; i < desc->n_bands; i++) {
        const c3d_band_wanted *wanted = &desc->wanted[i];
        char number[16];

        if (bands[i] != 0) continue;
        (void)snprintf(number, sizeof number, "%d", wanted->number);
        return fail_band(file->path, info, wanted->name[0] ? wanted->name : number,
                         names_none(info) ? "; which is which cannot be told, as other files have "
                                            "another number of bands or name theirs"
                                          : "");
    }
    memcpy(file->bands, bands, sizeof bands);
    return c3d_raster_file_dtype(file, desc->n_bands);
}
