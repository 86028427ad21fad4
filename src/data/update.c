/* Months that arrived after a dataset was made become a period of their own. Frames, splits,
 * samples.csv and what is trained on them stay.
 *
 * frames.gpkg first gets the new sources and label years, then the period is clipped, dataset.json
 * comes last: until then it speaks of the dataset as it was, and an interrupted update is taken up
 * where it was. */
#include "archive_table.h"
#include "census.h"
#include "clip.h"
#include "label_product.h"
#include "samples.h"
#include "sharing.h"

#include <stdlib.h>
#include <string.h>

#define TOLD_MAX 5 /* files that are named */

typedef struct updating {
    const c3d_dataset_desc *desc;
    char gpkg[C3D_PATH_MAX];
    c3d_dataset_info info;
    bool has_info;
    c3d_frames frames;
    c3d_archive archive;
    c3d_archive all; /* the dataset's months and then the fresh ones; files are the archive's */
    int n_known;     /* of all */
} updating;

static void close_all(updating *of)
{
    if (of->has_info) c3d_dataset_info_free(&of->info);
    c3d_frames_free(&of->frames);
    c3d_archive_free(&of->archive);
    free(of->all.months);
}

/* A view of months of `all`. */
static c3d_archive months_of(const updating *of, int first, int n)
{
    c3d_archive view = of->archive;

    view.n_months = n;
    view.months = of->all.months + first;
    return view;
}

static c3d_archive fresh_months(const updating *of)
{
    return months_of(of, of->n_known, of->all.n_months - of->n_known);
}

/* ---- months ---------------------------------------------------------------------------------- */

static c3d_date next_month(c3d_date date)
{
    return date / 100 % 100 == 12 ? (date / 10000 + 1) * 10000 + 100 : date + 100;
}

/* Whether each period's months follow each other; not so in archives by day or half-year. */
static bool is_monthly(const c3d_dataset_info *info)
{
    bool is_so = true;

    for (int p = 0; p < info->n_periods; p++)
        for (int i = 0; i < info->periods[p].n_months; i++) {
            const c3d_date date = info->periods[p].months[i];
            is_so = is_so && date % 100 == 0 &&
                    (i == 0 || next_month(info->periods[p].months[i - 1]) == date);
        }
    return is_so;
}

static int count_between(c3d_date last, c3d_date first)
{
    int n = 0;

    for (c3d_date date = next_month(last); date < first; date = next_month(date)) n++;
    return n;
}

/* What the archive has of a date, files borrowed; perhaps none. */
static c3d_archive_month find_date(const c3d_archive *archive, c3d_date date)
{
    for (int i = 0; i < archive->n_months; i++)
        if (archive->months[i].date == date) return archive->months[i];
    return (c3d_archive_month){ .date = date };
}

static c3d_status find_months(updating *of)
{
    const c3d_archive *archive = &of->archive;
    const c3d_dataset_info *info = &of->info;
    int n = 0, first = 0;

    for (int i = 0; i < info->n_periods; i++) n += info->periods[i].n_months;
    const c3d_period *newest = &info->periods[info->n_periods - 1];
    const c3d_date last = newest->months[newest->n_months - 1];
    while (first < archive->n_months && archive->months[first].date <= last) first++;
    /* Where the archive still has older months, those without a file are in it already. */
    const bool has_older = first > 0 || first == archive->n_months;
    const int n_between =
        has_older || !is_monthly(info) ? 0 : count_between(last, archive->months[0].date);
    of->all.months =
        c3d_calloc((size_t)(n + n_between + archive->n_months - first) + 1, sizeof *of->all.months);
    if (!of->all.months) return C3D_ENOMEM;
    for (int i = 0; i < info->n_periods; i++)
        for (int month = 0; month < info->periods[i].n_months; month++)
            of->all.months[of->n_known++] = find_date(archive, info->periods[i].months[month]);
    of->all.n_months = of->n_known;
    for (int i = 0; i < n_between; i++, of->all.n_months++)
        of->all.months[of->all.n_months].date =
            next_month(of->all.months[of->all.n_months - 1].date);
    for (int i = first; i < archive->n_months; i++)
        of->all.months[of->all.n_months++] = archive->months[i];
    return C3D_OK;
}

static c3d_status open_all(const c3d_dataset_desc *desc, updating *of)
{
    of->desc = desc;
    C3D_TRY(c3d_path_join(of->gpkg, desc->out_dir, "frames.gpkg"));
    C3D_TRY(c3d_dataset_info_read(desc->out_dir, &of->info));
    of->has_info = true;
    C3D_TRY(c3d_frames_read(of->gpkg, &of->frames));
    for (size_t i = 0; i < of->frames.n; i++)
        if (of->frames.rows[i].source > 0)
            return C3D_FAIL(C3D_ECONFIG,
                            "%s: its frames come from a list, which has no months to add",
                            desc->out_dir);
    C3D_TRY(c3d_archive_find(desc->mosaics, desc->month_first, desc->month_last, &of->archive));
    return find_months(of);
}

/* ---- what is told ---------------------------------------------------------------------------- */

static c3d_status check_settings(const updating *of)
{
    frames_origin origin;

    C3D_TRY(c3d_frames_read_origin(of->gpkg, &origin));
    if (!origin.has_settings || origin.settings == c3d_frames_settings(of->desc)) return C3D_OK;
    return C3D_FAIL(C3D_ECONFIG,
                    "%s: made with other settings of frames, labels or splits; an update leaves "
                    "them as they are: use the configuration that the dataset was made with",
                    of->gpkg);
}

/* Files of months that the dataset has gone past are in no scene. */
static void tell_late(const updating *of, const known_sources *known)
{
    const c3d_date last = of->all.months[of->n_known - 1].date;
    c3d_text list = { 0 };
    int n = 0;

    for (int m = 0; m < of->archive.n_months; m++) {
        const c3d_archive_month *month = &of->archive.months[m];
        for (int f = 0; month->date <= last && f < month->n_files; f++)
            if (!c3d_known_sources_has(known, "mosaic", month->date, month->files[f]) &&
                n++ < TOLD_MAX)
                c3d_text_add(&list, " %s", month->files[f]);
    }
    if (n > 0)
        c3d_log_warn("%d files of months that the dataset has gone past are not in it, and an "
                     "update does not add them:%s%s; build another dataset to have them",
                     n, list.text, n > TOLD_MAX ? " ..." : "");
    c3d_text_free(&list);
}

/* ---- label years ----------------------------------------------------------------------------- */

/* Measures one label year of the frames; only the labelling of `out` is its own. */
static c3d_status measure_year(const updating *of, int year, c3d_frames *out)
{
    char labels[C3D_PATH_MAX];
    c3d_archive_month month = { .date = year * 10000 + 600 };
    const c3d_archive archive = { .n_months = 1, .months = &month };
    c3d_dataset_desc desc = *of->desc;
    label_report report = { 0 };
    c3d_text pattern = { 0 };

    *out = of->frames;
    out->n_years = out->n_classes = 0;
    out->years = NULL;
    out->classes = NULL;
    out->labels = NULL;
    out->shares = NULL;
    out->hard = NULL;
    C3D_TRY(c3d_label_pattern(desc.labels, labels));
    for (const char *rest = labels; *rest;) {
        const char *token = strstr(rest, "{YYYY}");
        const size_t n = token ? (size_t)(token - rest) : strlen(rest);
        c3d_text_add_bytes(&pattern, rest, n);
        if (token) c3d_text_add(&pattern, "%04d", year);
        rest += n + (token ? strlen("{YYYY}") : 0);
    }
    desc.labels = pattern.text;
    desc.label_first = year * 10000 + 100;
    desc.label_last = year * 10000 + 1200;
    const c3d_status st = c3d_frames_measure(&desc, &archive, out, &report);
    c3d_label_report_free(&report);
    c3d_text_free(&pattern);
    return st;
}

static void free_labelling(c3d_frames *frames)
{
    for (int c = 0; frames->classes && c < frames->n_classes; c++) free(frames->classes[c]);
    free(frames->classes);
    free(frames->years);
    free(frames->labels);
    free(frames->shares);
    free(frames->hard);
}

/* Rows of n_old elements get one more each, from `one` [n]: all of `size` bytes. Given. */
static void *widen(const void *old, size_t n_old, const void *one, size_t n, size_t size)
{
    char *made = c3d_calloc(n * (n_old + 1) + 1, size);

    for (size_t i = 0; made && i < n; i++) {
        memcpy(made + i * (n_old + 1) * size, (const char *)old + i * n_old * size, n_old * size);
        memcpy(made + (i * (n_old + 1) + n_old) * size, (const char *)one + i * size, size);
    }
    return made;
}

/* Puts the year behind the frames' others. */
static c3d_status append_year(c3d_frames *frames, const c3d_frames *one)
{
    const size_t n = frames->n, n_old = (size_t)frames->n_years;
    const size_t share_bytes = (size_t)frames->n_classes * sizeof(double);
    c3d_frames made = { .years = widen(frames->years, n_old, one->years, 1, sizeof(int)),
                        .labels =
                            widen(frames->labels, n_old, one->labels, n, sizeof *frames->labels),
                        .shares = widen(frames->shares, n_old, one->shares, n, share_bytes) };
    const bool has_hard = frames->hard && one->hard;

    if (has_hard) made.hard = widen(frames->hard, n_old, one->hard, n, sizeof *frames->hard);
    if (!made.years || !made.labels || !made.shares || (has_hard && !made.hard)) {
        free_labelling(&made);
        return C3D_ENOMEM;
    }
    free(frames->years);
    free(frames->labels);
    free(frames->shares);
    free(frames->hard);
    frames->years = made.years;
    frames->labels = made.labels;
    frames->shares = made.shares;
    frames->hard = made.hard;
    frames->n_years++;
    return C3D_OK;
}

/* labels: the archive's label years; those after the frames' last are measured and left in it. */
static c3d_status add_years(updating *of, c3d_archive *labels)
{
    const int n_old = of->frames.n_years;
    const int last = of->frames.years[n_old - 1];
    int n_kept = 0;

    for (int k = 0; k < labels->n_months; k++) {
        const c3d_archive_month month = labels->months[k];
        if (month.date / 10000 <= last) continue;
        C3D_TRY(c3d_vector_replaceable(of->gpkg)); /* before minutes of measuring */
        c3d_frames one;
        c3d_status st = measure_year(of, month.date / 10000, &one);
        if (st == C3D_OK) st = append_year(&of->frames, &one);
        free_labelling(&one);
        C3D_TRY(st);
        c3d_log_run("update: label year %d is measured: %s", month.date / 10000, month.files[0]);
        labels->months[k] = labels->months[n_kept]; /* swapped, so that all are freed */
        labels->months[n_kept++] = month;
    }
    if (n_kept > 0)
        c3d_log_run("update: no label or split changes; c3d-dataset samples uses the new years");
    return C3D_OK;
}

/* Whether each label year is a file, so that one can arrive by itself. */
static c3d_status find_label_years(const updating *of, c3d_archive *out)
{
    const c3d_dataset_desc *desc = of->desc;
    char pattern[C3D_PATH_MAX] = "";

    if (desc->labels) C3D_TRY(c3d_label_pattern(desc->labels, pattern));
    if (!strstr(pattern, "{YYYY}") || of->frames.n_years == 0) return C3D_OK;
    return c3d_label_archive(desc, &of->all, out);
}

/* ---- frames.gpkg ----------------------------------------------------------------------------- */

/* Files of the fresh months that frames.gpkg does not list yet; months borrowed, files too. */
static c3d_status find_new_files(const updating *of, const known_sources *known, c3d_archive *out)
{
    const c3d_archive fresh = fresh_months(of);
    c3d_archive found = { 0 };

    found.months = c3d_calloc((size_t)fresh.n_months + 1, sizeof *found.months);
    if (!found.months) return C3D_ENOMEM;
    for (int m = 0; m < fresh.n_months; m++) {
        const c3d_archive_month *month = &fresh.months[m];
        c3d_archive_month *to = &found.months[found.n_months++];
        to->date = month->date;
        to->files = c3d_calloc((size_t)month->n_files + 1, sizeof *to->files);
        for (int f = 0; to->files && f < month->n_files; f++)
            if (!c3d_known_sources_has(known, "mosaic", month->date, month->files[f]))
                to->files[to->n_files++] = c3d_strdup(month->files[f]);
    }
    *out = found;
    return C3D_OK;
}

static bool has_file(const c3d_archive *months)
{
    for (int i = 0; i < months->n_months; i++)
        if (months->months[i].n_files > 0) return true;
    return false;
}

static c3d_status add_to_frames(updating *of, const known_sources *known)
{
    c3d_archive labels = { 0 }, files = { 0 };
    frames_addition add = { &files, &labels, of->frames.n_years, 0 };
    c3d_status st;

    C3D_TRY_TO(done, find_new_files(of, known, &files));
    C3D_TRY_TO(done, find_label_years(of, &labels));
    if (labels.n_months > 0) {
        C3D_TRY_TO(done, c3d_frames_fingerprint(of->desc, &of->all, &add.fingerprint));
        const int n_labels = labels.n_months;
        st = add_years(of, &labels);
        labels.n_months = of->frames.n_years - add.first_year;
        if (st == C3D_OK && (has_file(&files) || labels.n_months > 0))
            st = c3d_frames_add(of->gpkg, &of->frames, &add);
        labels.n_months = n_labels;
    } else if (has_file(&files)) {
        st = c3d_frames_add(of->gpkg, &of->frames, &add);
    }
done:
    c3d_archive_free(&files);
    c3d_archive_free(&labels);
    return st;
}

/* Bands, type and grid of the new months, before anything is written. */
static c3d_status check_source(const updating *of)
{
    const c3d_archive fresh = fresh_months(of);
    c3d_source source = { 0 };

    if (fresh.n_months == 0) return C3D_OK;
    C3D_TRY(c3d_source_open(of->desc, &fresh, &of->frames, &source));
    const c3d_status st = c3d_clip_check(of->desc, &of->frames, &source);
    c3d_source_close(&source);
    return st;
}

static c3d_status prepare(updating *of)
{
    known_sources known = { 0 };
    c3d_status st;

    C3D_TRY(check_settings(of));
    C3D_TRY(check_source(of));
    C3D_TRY(c3d_known_sources_read(of->gpkg, &known));
    tell_late(of, &known);
    st = add_to_frames(of, &known);
    c3d_known_sources_free(&known);
    return st;
}

/* ---- clipping -------------------------------------------------------------------------------- */

/* A month of a period that dataset.json does not know: nothing refers to its files yet. */
static c3d_status fail_gone(const updating *of, const c3d_store *store, int period, c3d_date date)
{
    const char *dir = of->desc->out_dir, *first = "", *last = "";
    char text[12];

    for (int i = 0; i < store->n_shards; i++) {
        if (store->period_of[i] != period) continue;
        if (!first[0]) first = store->files[i];
        last = store->files[i];
    }
    return C3D_FAIL(C3D_EDATA,
                    "%s: month %s, which an interrupted update has begun with, is no longer in the "
                    "archive; bring it back, or delete %s/%s%s%s, which nothing else refers to, "
                    "and run the same command again",
                    dir, c3d_date_text(date, text), dir, first, first == last ? "" : " to ",
                    first == last ? "" : last);
}

/* Where the fresh months are cut: first after what an interrupted update has begun, which goes on
 * as it was; all that is newer is one period. Ends of periods, in months of `all`. */
static c3d_status find_ends(const updating *of, int *ends, int *n_out)
{
    c3d_store store;
    int n = 0, at = of->n_known;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_store_open(of->desc->out_dir, false, &store));
    for (int p = of->info.n_periods; st == C3D_OK && p < store.n_periods; p++) {
        const c3d_period *period = &store.periods[p];
        for (int i = 0; st == C3D_OK && i < period->n_months; i++, at++) {
            if (at < of->all.n_months && of->all.months[at].date == period->months[i]) continue;
            st = fail_gone(of, &store, p, period->months[i]);
        }
        ends[n++] = at;
    }
    c3d_store_close(&store);
    if (at < of->all.n_months) ends[n++] = of->all.n_months;
    *n_out = n;
    return st;
}

static c3d_status clip_all(const updating *of, const c3d_sharing *sharing)
{
    int *ends = c3d_calloc((size_t)(of->all.n_months - of->n_known) + 1, sizeof *ends);
    int n = 0, first = of->n_known;
    c3d_status st;

    st = c3d_sharing_agree(sharing, ends ? find_ends(of, ends, &n) : C3D_ENOMEM);
    for (int i = 0; st == C3D_OK && i < n; i++) {
        const c3d_archive months = months_of(of, first, ends[i] - first);
        st = c3d_clip_period(of->desc, sharing, &of->frames, &months);
        first = ends[i];
    }
    free(ends);
    return st;
}

/* ---- archive.csv ----------------------------------------------------------------------------- */

static bool is_held(const updating *of, c3d_date date)
{
    for (int i = 0; i < of->all.n_months; i++)
        if (of->all.months[i].date == date) return true;
    return false;
}

static void drop_file(c3d_archive_month *month, int file)
{
    const size_t n_after = (size_t)(--month->n_files - file);

    free(month->files[file]);
    memmove(month->files + file, month->files + file + 1, n_after * sizeof *month->files);
    if (month->bands == NULL) return;
    free(month->bands[file]);
    memmove(month->bands + file, month->bands + file + 1, n_after * sizeof *month->bands);
}

/* Puts what the dataset's scenes are of first: its months, without files that came too late. How
 * many months these are. */
static int keep_held(const updating *of, const known_sources *known, c3d_archive *archive)
{
    int n = 0;

    for (int m = 0; m < archive->n_months; m++) {
        c3d_archive_month month = archive->months[m];

        if (!is_held(of, month.date)) continue;
        for (int f = month.n_files - 1; f >= 0; f--)
            if (!c3d_known_sources_has(known, "mosaic", month.date, month.files[f]))
                drop_file(&month, f);
        archive->months[m] = archive->months[n]; /* swapped, so that all are freed */
        archive->months[n++] = month;
    }
    return n;
}

static c3d_status write_table(const updating *of)
{
    c3d_archive archive = { 0 };
    known_sources known = { 0 };
    c3d_store store = { 0 };
    c3d_status st =
        c3d_archive_find(of->desc->mosaics, of->desc->month_first, of->desc->month_last, &archive);

    if (st == C3D_OK) st = c3d_known_sources_read(of->gpkg, &known);
    if (st == C3D_OK) st = c3d_store_open(of->desc->out_dir, false, &store);
    if (st == C3D_OK) {
        c3d_archive held = archive;
        held.n_months = keep_held(of, &known, &archive);
        if (has_file(&held)) st = c3d_archive_table_write(of->desc, &held, &of->frames, &store);
    }
    c3d_store_close(&store);
    c3d_known_sources_free(&known);
    c3d_archive_free(&archive);
    return st;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static c3d_status finish(const updating *of)
{
    const c3d_archive fresh = fresh_months(of);
    char text[2][12];

    C3D_TRY(write_table(of));
    C3D_TRY(c3d_dataset_refresh(of->desc));
    if (fresh.n_months > 0)
        c3d_log_run("update: %d months from %s to %s are added; frames, splits and samples.csv "
                    "are as they were, and c3d-dataset samples makes a list over all months",
                    fresh.n_months, c3d_date_text(fresh.months[0].date, text[0]),
                    c3d_date_text(fresh.months[fresh.n_months - 1].date, text[1]));
    else
        c3d_log_run("update: %s has no month after %s%s", of->desc->mosaics,
                    c3d_date_text(of->all.months[of->n_known - 1].date, text[0]),
                    of->desc->month_last ? " within data.months" : "");
    return C3D_OK;
}

c3d_status c3d_dataset_update(const c3d_dataset_desc *desc, const c3d_sharing *sharing)
{
    updating of = { 0 };
    const bool is_first = c3d_sharing_rank(sharing) == 0;
    c3d_status st;

    st = c3d_sharing_agree(sharing, open_all(desc, &of));
    if (st == C3D_OK) st = c3d_sharing_agree(sharing, is_first ? prepare(&of) : C3D_OK);
    if (st == C3D_OK) st = clip_all(&of, sharing);
    if (st == C3D_OK) st = c3d_sharing_agree(sharing, is_first ? finish(&of) : C3D_OK);
    close_all(&of);
    return st;
}
