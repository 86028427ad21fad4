/* Which months are clipped together. */
#include "clip.h"

#include <stdlib.h>
#include <string.h>

void c3d_clip_periods_free(c3d_clip_periods *periods)
{
    free(periods->months);
    *periods = (c3d_clip_periods){ 0 };
}

/* Months without a day are compared as the first of the month. */
static c3d_date comparable(c3d_date date)
{
    return date % 100 == 0 ? date + 1 : date;
}

static bool has_file(const c3d_archive *months)
{
    for (int i = 0; i < months->n_months; i++)
        if (months->months[i].n_files > 0) return true;
    return false;
}

/* The months from `first` on become a period of their own. */
static c3d_status cut(const c3d_dataset_desc *desc, c3d_date first, c3d_clip_periods *periods)
{
    c3d_archive *last = &periods->months[periods->n - 1];
    int n = 0;
    char text[12];

    while (n < last->n_months && comparable(last->months[n].date) < comparable(first)) n++;
    c3d_archive before = *last, after = *last;
    before.n_months = n;
    after.months += n;
    after.n_months -= n;
    if (!has_file(&before) || !has_file(&after))
        return C3D_FAIL(
            C3D_ECONFIG, "%s: no period can begin with %s: no image is between it and the %s",
            desc->mosaics, c3d_date_text(first, text), has_file(&after) ? "one before" : "end");
    *last = before;
    periods->months[periods->n++] = after;
    return C3D_OK;
}

static bool is_same(const c3d_archive *months, const c3d_period *period)
{
    bool is_alike = months->n_months == period->n_months;

    for (int i = 0; is_alike && i < period->n_months; i++)
        is_alike = months->months[i].date == period->months[i];
    return is_alike;
}

static c3d_status other_months(const char *dir, const c3d_archive *months, const c3d_period *period,
                               bool is_last)
{
    const c3d_date newest = months->months[months->n_months - 1].date;
    const bool is_newer = is_last && newest > period->months[period->n_months - 1];
    char has[2][12], wants[2][12];

    return C3D_FAIL(C3D_ECONFIG,
                    "%s: has the %d months %s to %s, the archive now has %d, %s to %s; %sclip "
                    "into another directory",
                    dir, period->n_months, c3d_date_text(period->first, has[0]),
                    c3d_date_text(period->months[period->n_months - 1], has[1]), months->n_months,
                    c3d_date_text(months->months[0].date, wants[0]),
                    c3d_date_text(newest, wants[1]),
                    is_newer ? "add new ones with c3d-dataset update, or " : "");
}

static c3d_status check_directory(const c3d_dataset_desc *desc, const c3d_store *store,
                                  const c3d_clip_periods *periods)
{
    for (int i = 0; i < store->n_periods; i++)
        if (i >= periods->n || !is_same(&periods->months[i], &store->periods[i]))
            return other_months(desc->out_dir, &periods->months[i < periods->n ? i : 0],
                                &store->periods[i], i == store->n_periods - 1);
    return C3D_OK;
}

/* Where periods begin: as asked for, and then as the directory goes on. */
static c3d_status cut_all(const c3d_dataset_desc *desc, const c3d_store *store,
                          c3d_clip_periods *periods)
{
    c3d_date last = 0;

    for (int i = 0; i < desc->n_periods; i++) {
        last = desc->periods[i];
        C3D_TRY(cut(desc, last, periods));
    }
    for (int i = 1; i < store->n_periods; i++)
        if (comparable(store->periods[i].first) > comparable(last))
            C3D_TRY(cut(desc, store->periods[i].first, periods));
    return C3D_OK;
}

c3d_status c3d_clip_periods_find(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                 c3d_clip_periods *out)
{
    c3d_clip_periods periods = { .n = 1 };
    c3d_store store = { 0 };
    c3d_status st;

    C3D_TRY(c3d_store_open(desc->out_dir, false, &store));
    const size_t n_most = 1 + (size_t)desc->n_periods + (size_t)store.n_periods;
    periods.months = c3d_calloc(n_most, sizeof *periods.months);
    st = periods.months ? C3D_OK : C3D_ENOMEM;
    if (st == C3D_OK) {
        periods.months[0] = *archive;
        st = cut_all(desc, &store, &periods);
    }
    if (st == C3D_OK) st = check_directory(desc, &store, &periods);
    c3d_store_close(&store);
    if (st == C3D_OK)
        *out = periods;
    else
        c3d_clip_periods_free(&periods);
    return st;
}
