#include "frames.h"
#include "label_product.h"
#include "label_vector.h"

#include <stdlib.h>
#include <string.h>

/* A legend has some dozens of classes; a palette with more colours in use is a photograph. */
enum { PALETTE_CODES_MAX = 64, CODES_SHOWN = 12 };

static bool has_year(const c3d_archive *archive, int year)
{
    for (int m = 0; m < archive->n_months; m++)
        if (archive->months[m].date / 10000 == year) return true;
    return false;
}

static c3d_status fail_years(const c3d_dataset_desc *desc, const c3d_archive *labels,
                             const c3d_archive *archive)
{
    char first[12], last[12];

    return C3D_FAIL(C3D_EDATA,
                    "%s: label years %d to %d do not touch the months %s to %s of the imagery",
                    desc->labels, labels->months[0].date / 10000,
                    labels->months[labels->n_months - 1].date / 10000,
                    c3d_date_text(archive->months[0].date, first),
                    c3d_date_text(archive->months[archive->n_months - 1].date, last));
}

/* One raster without {YYYY}: its year is that of the end of label_period. */
static c3d_status single_year(const c3d_dataset_desc *desc, const c3d_archive *archive,
                              c3d_archive *labels)
{
    const c3d_date from = archive->months[0].date;
    const c3d_date to = archive->months[archive->n_months - 1].date;
    char first[12], last[12];

    if (labels->n_months != 1 || desc->label_last == 0)
        return C3D_FAIL(C3D_ECONFIG,
                        "data.labels: \"%s\" has no {YYYY}; then data.label_period is "
                        "needed (START/END)",
                        desc->labels);
    labels->months[0].date = desc->label_last / 10000 * 10000;
    if (desc->label_last / 100 < from / 100 || desc->label_first / 100 > to / 100)
        return C3D_FAIL(C3D_EDATA,
                        "data.label_period: %s to %s does not touch the months of the "
                        "imagery",
                        c3d_date_text(desc->label_first, first),
                        c3d_date_text(desc->label_last, last));
    return C3D_OK;
}

static bool has_dates(const c3d_dataset_desc *desc)
{
    return desc->label_date_field != NULL && desc->label_date_field[0] != 0;
}

/* One vector file of several years: each year of its field is a label year, with the same file. */
static c3d_status years_of_field(const c3d_dataset_desc *desc, c3d_archive *labels)
{
    const char *path = labels->months[0].files[0];
    c3d_archive_month *months;
    int *years, n;

    if (labels->n_months != 1 || labels->months[0].n_files != 1 || labels->months[0].date != 0 ||
        !c3d_label_is_vector(path))
        return C3D_FAIL(C3D_ECONFIG,
                        "data.label_date_field: is for data.labels of one vector file without "
                        "{YYYY}, not for %s",
                        desc->labels);
    C3D_TRY(c3d_label_vector_years(desc, path, &years, &n));
    months = c3d_calloc((size_t)n, sizeof *months);
    for (int k = 0; k < n && months != NULL; k++) {
        months[k] = (c3d_archive_month){ .date = years[k] * 10000, .n_files = 1 };
        months[k].files = c3d_calloc(1, sizeof *months[k].files);
        if (months[k].files != NULL) months[k].files[0] = c3d_strdup(path);
    }
    free(years);
    if (months == NULL) return C3D_ENOMEM;
    c3d_archive_free(labels);
    labels->months = months;
    labels->n_months = n;
    return C3D_OK;
}

c3d_status c3d_label_archive(const c3d_dataset_desc *desc, const c3d_archive *archive,
                             c3d_archive *out)
{
    char pattern[C3D_PATH_MAX];
    c3d_archive labels = { 0 };
    c3d_status st = C3D_OK;
    int n = 0;

    C3D_TRY(c3d_label_pattern(desc->labels, pattern));
    C3D_TRY(c3d_archive_find(pattern, 0, 0, &labels));
    if (strstr(pattern, "{YYYY}") == NULL && !has_dates(desc)) {
        C3D_TRY_TO(fail, single_year(desc, archive, &labels));
        *out = labels;
        return C3D_OK;
    }
    if (has_dates(desc)) C3D_TRY_TO(fail, years_of_field(desc, &labels));
    if (strstr(pattern, "{MM}") != NULL)
        C3D_TRY_TO(fail, C3D_FAIL(C3D_ECONFIG,
                                  "data.labels: \"%s\": labels are by year, {MM} has "
                                  "no meaning",
                                  desc->labels));
    for (int k = 0; k < labels.n_months; k++) {
        const int year = labels.months[k].date / 10000;
        c3d_archive_month kept;

        if (!has_year(archive, year) && !has_year(archive, year + 1)) continue;
        kept = labels.months[k]; /* swapped, so that all are freed */
        labels.months[k] = labels.months[n];
        labels.months[n++] = kept;
    }
    if (n == 0) C3D_TRY_TO(fail, fail_years(desc, &labels, archive));
    for (int k = n; k < labels.n_months; k++) {
        for (int f = 0; f < labels.months[k].n_files; f++) free(labels.months[k].files[f]);
        free(labels.months[k].files);
    }
    labels.n_months = n;
    *out = labels;
    return C3D_OK;
fail:
    c3d_archive_free(&labels);
    return st;
}

/* ---- codes ----------------------------------------------------------------------------------- */

static int n_codes(const label_report *report)
{
    int n = 0;

    for (int code = 0; code < LABEL_CODES_MAX; code++) n += report->code_area[code] > 0;
    return n;
}

/* "3 (81.2 %), 15 (12.0 %)": the codes with the largest area. */
static void list_codes(const label_report *report, c3d_text *out)
{
    uint8_t *shown = c3d_calloc(LABEL_CODES_MAX, 1);
    const int n = n_codes(report);

    for (int i = 0; i < n && i < CODES_SHOWN && shown != NULL; i++) {
        int best = -1;

        for (int code = 0; code < LABEL_CODES_MAX; code++)
            if (report->code_area[code] > 0 && !shown[code] &&
                (best < 0 || report->code_area[code] > report->code_area[best]))
                best = code;
        shown[best] = 1;
        c3d_text_add(out, "%s%d (%.2g %%)", i ? ", " : "", best,
                     100 * report->code_area[best] / report->total);
    }
    if (n > CODES_SHOWN) c3d_text_add(out, " and %d more", n - CODES_SHOWN);
    if (report->other_area > 0)
        c3d_text_add(out, "%s%g and the like (%.2g %%)", n ? ", " : "", report->example,
                     100 * report->other_area / report->total);
    if (n == 0 && !(report->other_area > 0)) c3d_text_add(out, "none");
    free(shown);
}

static bool has_class(const c3d_dataset_desc *desc, const label_report *report, const char *name)
{
    if (report->is_vector) return true;
    for (int c = 0; c < desc->n_classes; c++) {
        const c3d_label_class *class = &desc->classes[c];

        if (name != NULL && strcmp(name, class->name) != 0) continue;
        for (int r = 0; r < class->n_ranges; r++)
            for (int code = class->ranges[r][0]; code <= class->ranges[r][1]; code++)
                if (report->code_area[code] > 0) return true;
    }
    return false;
}

/* Codes that the product does not have: told, and refused where they are most of what is there. */
static c3d_status check_legend(const label_report *report)
{
    c3d_text text = { 0 };
    double unknown = 0, all = 0;
    int n = 0;
    c3d_status st = C3D_OK;

    for (int code = 0; code < LABEL_CODES_MAX; code++) {
        const double area = report->code_area[code];

        all += area;
        if (!(area > 0) || c3d_label_product_knows(report->product, code)) continue;
        unknown += area;
        if (n++ < CODES_SHOWN) c3d_text_add(&text, "%s%d", n > 1 ? ", " : "", code);
    }
    if (n > CODES_SHOWN) c3d_text_add(&text, " and %d more", n - CODES_SHOWN);
    if (unknown > all / 2)
        st = C3D_FAIL(C3D_EDATA,
                      "%s: by its name %s, but most of it (%.2g %%) has codes that its legend does "
                      "not know: %s",
                      report->file, report->product->name, 100 * unknown / all, text.text);
    else if (n > 0)
        c3d_log_warn("%s: codes that the legend of %s does not know (%.2g %% of the area): %s",
                     report->file, report->product->name, 100 * unknown / all, text.text);
    c3d_text_free(&text);
    return st;
}

static c3d_status check_codes(const c3d_dataset_desc *desc, const label_report *report)
{
    c3d_text codes = { 0 };
    c3d_status st = C3D_OK;

    list_codes(report, &codes);
    if (report->has_palette && n_codes(report) > PALETTE_CODES_MAX)
        st = C3D_FAIL(C3D_EDATA,
                      "%s: a picture with a palette of %d colours in use, expected class codes",
                      report->file, n_codes(report));
    else if (!has_class(desc, report, NULL))
        st = C3D_FAIL(
            C3D_EDATA, "%s: no code of data.label_classes lies under the frames%s; codes there: %s",
            report->file, report->has_palette ? " (it is a palette picture)" : "", codes.text);
    else if (!(report->observed > 0))
        st = C3D_FAIL(C3D_EDATA, "%s: nothing observed under the frames; codes there: %s",
                      report->file, codes.text);
    else
        c3d_log_run("label codes under the frames: %s", codes.text);
    c3d_text_free(&codes);
    return st;
}

/* ---- positives ------------------------------------------------------------------------------- */

/* Frames of each split that have a label in some year. */
typedef struct counts {
    int n_labels; /* 0, and the classes */
    int64_t frames[C3D_N_SPLITS], with_class[C3D_N_SPLITS];
    int64_t *with[C3D_N_SPLITS]; /* [n_labels] */
} counts;

static c3d_status counts_make(const c3d_frames *frames, counts *out)
{
    out->n_labels = c3d_frames_n_labels(frames) + 1;
    for (int s = 0; s < C3D_N_SPLITS; s++) {
        out->with[s] = c3d_calloc((size_t)out->n_labels, sizeof(int64_t));
        if (out->with[s] == NULL) return C3D_ENOMEM;
    }
    return C3D_OK;
}

static void counts_free(counts *of)
{
    for (int s = 0; s < C3D_N_SPLITS; s++) free(of->with[s]);
}

/* Years before k in which the frame has the same label: counted once. */
static bool is_repeated(const c3d_frame_label *labels, int k)
{
    for (int i = 0; i < k; i++)
        if (labels[i] == labels[k]) return true;
    return false;
}

static void count_labels(const c3d_dataset_desc *desc, const c3d_frames *frames, counts *out)
{
    for (size_t i = 0; i < frames->n; i++) {
        const c3d_frame_label *labels = &frames->labels[i * (size_t)frames->n_years];
        bool has_frame[C3D_N_SPLITS] = { false }, has_class[C3D_N_SPLITS] = { false };

        for (int k = 0; k < frames->n_years; k++) {
            const c3d_split split =
                c3d_split_of_year(desc, frames->rows[i].split, frames->years[k]);
            if (split == C3D_SPLIT_NONE) continue;
            has_frame[split] = true;
            has_class[split] |= labels[k] >= C3D_FRAME_POSITIVE;
            if (labels[k] >= 0 && !is_repeated(labels, k)) out->with[split][labels[k]]++;
        }
        for (int s = 0; s < C3D_N_SPLITS; s++) {
            out->frames[s] += has_frame[s];
            out->with_class[s] += has_class[s];
        }
    }
}

static bool is_wanted(const c3d_dataset_desc *desc, const counts *of, int split)
{
    return c3d_split_is_wanted(desc, (c3d_split)split) || of->frames[split] > 0;
}

/* "train 12 of 300 frames", and with labels by class how many of each. */
static void list_counts(const c3d_dataset_desc *desc, const c3d_frames *frames, const counts *of,
                        c3d_text *out)
{
    for (int s = 0; s < C3D_N_SPLITS; s++) {
        if (!is_wanted(desc, of, s)) continue;
        c3d_text_add(out, "%s%s %lld of %lld frames", out->length ? ", " : "",
                     c3d_split_name((c3d_split)s), (long long)of->with_class[s],
                     (long long)of->frames[s]);
        for (int l = 1; l < of->n_labels && frames->by_class; l++)
            c3d_text_add(out, "%s%s %lld%s", l > 1 ? ", " : " (", c3d_frame_label_name(frames, l),
                         (long long)of->with[s][l], l == of->n_labels - 1 ? ")" : "");
    }
}

static c3d_status check_negatives(const label_report *report, const counts *of)
{
    int64_t n = 0;

    for (int s = 0; s < C3D_N_SPLITS; s++) n += of->with[s][C3D_FRAME_NEGATIVE];
    if (n > 0) return C3D_OK;
    if (report->zero_unseen > 0)
        return C3D_FAIL(C3D_EDATA,
                        "%s: no frame is negative; code 0 (%.2g %% of the area) counts as not "
                        "observed unless a class of data.label_classes has it (other: [0])",
                        report->file, 100 * report->zero_unseen / report->total);
    return C3D_FAIL(C3D_EDATA, "%s: no frame is negative; see data.negative_share", report->file);
}

static c3d_status check_split(const c3d_dataset_desc *desc, const c3d_frames *frames,
                              const label_report *report, const counts *of, int split)
{
    const char *name = c3d_split_name((c3d_split)split);
    c3d_text text = { 0 };
    c3d_status st = C3D_OK;

    if (!is_wanted(desc, of, split)) return C3D_OK;
    list_counts(desc, frames, of, &text);
    if (of->with_class[split] == 0)
        st = C3D_FAIL(C3D_EDATA,
                      "%s: no frame of split %s is positive (%s%s); positives: %s; try a smaller "
                      "data.block_km, data.positive_share or data.stride_px, or other split_shares",
                      report->file, name, desc->positive ? desc->positive : "any class",
                      has_class(desc, report, desc->positive) ? "" : ", none of whose codes occur",
                      text.text);
    for (int l = 1; l < of->n_labels && st == C3D_OK && frames->by_class; l++)
        if (of->with[split][l] == 0)
            c3d_log_warn("labels: no frame of split %s is %s", name,
                         c3d_frame_label_name(frames, l));
    c3d_text_free(&text);
    return st;
}

/* A raster that covers a part of the images only, or lies a little off. */
static void tell_unlabelled(const c3d_frames *frames)
{
    size_t n = 0;

    for (size_t i = 0; i < frames->n; i++) {
        bool is_labelled = false;

        for (int k = 0; k < frames->n_years; k++)
            is_labelled |=
                frames->labels[i * (size_t)frames->n_years + (size_t)k] != C3D_FRAME_UNLABELLED;
        n += !is_labelled;
    }
    if (n > frames->n / 5)
        c3d_log_warn("labels: %zu of %zu frames have no label in any year: outside the labels, or "
                     "not observed; do both cover the same area?",
                     n, frames->n);
}

static c3d_status check_positives(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                  const label_report *report)
{
    counts of = { 0 };
    c3d_text text = { 0 };
    c3d_status st = counts_make(frames, &of);

    if (st == C3D_OK) count_labels(desc, frames, &of);
    for (int s = 0; s < C3D_N_SPLITS && st == C3D_OK; s++)
        st = check_split(desc, frames, report, &of, s);
    if (st == C3D_OK) {
        list_counts(desc, frames, &of, &text);
        c3d_log_run("positives (%s): %s", desc->positive ? desc->positive : "any class", text.text);
        st = check_negatives(report, &of);
    }
    c3d_text_free(&text);
    counts_free(&of);
    return st;
}

c3d_status c3d_label_gate(const c3d_dataset_desc *desc, const c3d_frames *frames,
                          const label_report *report)
{
    if (!report->is_vector) C3D_TRY(check_codes(desc, report));
    tell_unlabelled(frames);
    if (report->product != NULL) C3D_TRY(check_legend(report));
    return check_positives(desc, frames, report);
}
