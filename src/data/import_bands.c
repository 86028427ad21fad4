/* Which band of a file is which band of which date. */
#include "import.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static c3d_status make(int n_dates, int n_bands, import_bands *out)
{
    const size_t dates = (size_t)n_dates, bands = (size_t)n_bands;

    *out = (import_bands){ n_dates, n_bands, NULL, NULL, NULL };
    out->dates = c3d_calloc(dates, sizeof *out->dates);
    out->names = c3d_calloc(bands, sizeof *out->names);
    out->numbers = c3d_calloc(dates * bands, sizeof *out->numbers);
    if (out->dates && out->names && out->numbers) return C3D_OK;
    c3d_import_bands_free(out);
    return C3D_ENOMEM;
}

void c3d_import_bands_free(import_bands *bands)
{
    free(bands->dates);
    free(bands->names);
    free(bands->numbers);
    *bands = (import_bands){ 0 };
}

static void set_name(import_bands *bands, int band, const char *name, int number)
{
    bool is_taken = name[0] == '\0';

    for (int i = 0; i < band && !is_taken; i++) is_taken = strcasecmp(bands->names[i], name) == 0;
    if (is_taken)
        (void)snprintf(bands->names[band], sizeof bands->names[band], "band%d", number);
    else
        (void)snprintf(bands->names[band], sizeof bands->names[band], "%s", name);
}

/* ---- one date -------------------------------------------------------------------------------- */

static c3d_status no_band(const char *wanted, const c3d_raster_info *info)
{
    c3d_text names = { 0 };

    for (int i = 0; i < info->n_bands && i < 24; i++)
        c3d_text_add(&names, "%s%s", i ? ", " : "",
                     info->band_names[i][0] ? info->band_names[i] : "unnamed");
    const c3d_status st =
        C3D_FAIL(C3D_EDATA, "no band %.60s: it has %d (%.120s)", wanted, info->n_bands, names.text);
    c3d_text_free(&names);
    return st;
}

static int named(const c3d_raster_info *info, const char *wanted)
{
    long long number;

    for (int i = 0; i < info->n_bands; i++)
        if (strcasecmp(info->band_names[i], wanted) == 0) return i + 1;
    return c3d_parse_int(wanted, &number) && number >= 1 && number <= info->n_bands ? (int)number
                                                                                    : 0;
}

/* Those asked for, or all but alpha. */
static c3d_status of_one_date(const c3d_dataset_desc *desc, const c3d_raster_info *info,
                              import_bands *out)
{
    const int n = desc->n_bands > 0 ? desc->n_bands : info->n_bands - (info->alpha_band != 0);
    c3d_status st;

    if (n < 1 || n > C3D_MAX_BANDS) return C3D_FAIL(C3D_EDATA, "%d bands", n);
    C3D_TRY(make(1, n, out));
    for (int i = 0, band = 1; i < n; i++, band++) {
        if (desc->n_bands > 0) {
            band = named(info, desc->bands[i]);
            if (band == 0) {
                st = no_band(desc->bands[i], info);
                c3d_import_bands_free(out);
                return st;
            }
        } else if (band == info->alpha_band) {
            band++;
        }
        out->numbers[i] = band;
        set_name(out, i, info->band_names[band - 1], band);
    }
    return C3D_OK;
}

/* ---- several dates in a fixed order ---------------------------------------------------------- */

static c3d_status in_order(const c3d_dataset_desc *desc, const c3d_raster_info *info,
                           import_bands *out)
{
    const c3d_list_desc *list = desc->list;
    const bool by_date = list->stack == C3D_STACK_BY_DATE;
    const int n_dates = list->n_stack_dates > 0 ? list->n_stack_dates
                        : desc->n_bands > 0     ? info->n_bands / desc->n_bands
                                                : info->n_bands;
    const int n_bands = n_dates > 0 ? info->n_bands / n_dates : 0;

    if (n_bands < 1 || n_bands * n_dates != info->n_bands ||
        (desc->n_bands > 0 && n_bands != desc->n_bands))
        return C3D_FAIL(C3D_EDATA, "%d bands are not %d dates of %d bands", info->n_bands, n_dates,
                        desc->n_bands > 0 ? desc->n_bands : n_bands);
    C3D_TRY(make(n_dates, n_bands, out));
    for (int d = 0; d < n_dates; d++) {
        if (list->n_stack_dates > 0 && !c3d_import_date(list->stack_dates[d], &out->dates[d])) {
            c3d_import_bands_free(out);
            return C3D_FAIL(C3D_ECONFIG, "data.list.stack_dates: \"%s\" is no date",
                            list->stack_dates[d]);
        }
        for (int b = 0; b < n_bands; b++)
            out->numbers[d * n_bands + b] = 1 + (by_date ? d * n_bands + b : b * n_dates + d);
    }
    for (int b = 0; b < n_bands; b++) set_name(out, b, desc->n_bands ? desc->bands[b] : "", b + 1);
    return C3D_OK;
}

/* ---- several dates by their names ------------------------------------------------------------ */

typedef struct part {
    c3d_date date;
    char band[64];
    int number;
} part;

static bool is_joint(char c)
{
    return c == ' ' || c == '_' || c == '-' || c == '.' || c == ':' || c == '/';
}

/* The first date in the text, and what is left of it without that. */
static bool split_name(const char *name, part *out)
{
    static const int lengths[] = { 10, 8, 7, 6 }; /* YYYY-MM-DD, YYYYMMDD, YYYY-MM, YYYYMM */
    const size_t n = strlen(name);

    for (size_t at = 0; at < n; at++) {
        if (at > 0 && isdigit((unsigned char)name[at - 1])) continue;
        for (size_t k = 0; k < C3D_COUNT(lengths); k++) {
            const size_t length = (size_t)lengths[k];
            char date[12], rest[160];

            if (at + length > n || isdigit((unsigned char)name[at + length])) continue;
            (void)snprintf(date, sizeof date, "%.*s", lengths[k], name + at);
            if (!c3d_import_date(date, &out->date)) continue;
            size_t left = at, right = at + length;
            while (left > 0 && is_joint(name[left - 1])) left--;
            while (is_joint(name[right])) right++;
            (void)snprintf(rest, sizeof rest, "%.*s%s%s", (int)left, name,
                           left > 0 && name[right] ? "_" : "", name + right);
            (void)snprintf(out->band, sizeof out->band, "%.63s", rest);
            return true;
        }
    }
    return false;
}

static int by_date(const void *a, const void *b)
{
    const part *x = a, *y = b;

    if (x->date != y->date) return x->date < y->date ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static c3d_status fill(const c3d_dataset_desc *desc, const part *parts, int n_parts,
                       import_bands *out)
{
    int d = -1;

    for (int b = 0; b < out->n_bands; b++)
        set_name(out, b, desc->n_bands ? desc->bands[b] : parts[b].band, b + 1);
    for (int i = 0; i < n_parts; i++) {
        int b = 0;

        if (d < 0 || out->dates[d] != parts[i].date) out->dates[++d] = parts[i].date;
        while (b < out->n_bands && strcasecmp(out->names[b], parts[i].band) != 0) b++;
        if (out->n_bands == 1 && desc->n_bands == 0) b = 0; /* one band needs no name */
        if (b < out->n_bands && out->numbers[d * out->n_bands + b] == 0)
            out->numbers[d * out->n_bands + b] = parts[i].number;
    }
    for (int i = 0; i < out->n_dates * out->n_bands; i++) {
        char text[12];
        if (out->numbers[i] > 0) continue;
        return C3D_FAIL(C3D_EDATA, "no band %.60s of %s by the bands' descriptions",
                        out->names[i % out->n_bands],
                        c3d_date_text(out->dates[i / out->n_bands], text));
    }
    return C3D_OK;
}

static c3d_status by_name(const c3d_dataset_desc *desc, const c3d_raster_info *info,
                          import_bands *out)
{
    part parts[C3D_MAX_BANDS];
    int n_dates = 0, n_first = 0, n = 0;

    for (int i = 0; i < info->n_bands; i++) {
        if (i + 1 == info->alpha_band) continue;
        if (!split_name(info->band_names[i], &parts[n]))
            return C3D_FAIL(C3D_EDATA, "band %d: no date in its description \"%s\"", i + 1,
                            info->band_names[i]);
        parts[n++].number = i + 1;
    }
    if (n == 0) return C3D_FAIL(C3D_EDATA, "no bands");
    qsort(parts, (size_t)n, sizeof *parts, by_date);
    for (int i = 0; i < n; i++) {
        n_dates += i == 0 || parts[i].date != parts[i - 1].date;
        n_first += parts[i].date == parts[0].date;
    }
    C3D_TRY(make(n_dates, desc->n_bands > 0 ? desc->n_bands : n_first, out));
    const c3d_status st = fill(desc, parts, n, out);
    if (st != C3D_OK) c3d_import_bands_free(out);
    return st;
}

c3d_status c3d_import_bands_of(const c3d_dataset_desc *desc, const c3d_raster_info *info,
                               import_bands *out)
{
    switch (desc->list->stack) {
    case C3D_STACK_NONE: return of_one_date(desc, info, out);
    case C3D_STACK_BY_NAME: return by_name(desc, info, out);
    case C3D_STACK_BY_DATE:
    case C3D_STACK_BY_BAND: break;
    }
    return in_order(desc, info, out);
}
