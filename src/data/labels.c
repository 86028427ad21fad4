#include "label_team.h"

#include <stdlib.h>
#include <string.h>

static c3d_status check_names(const c3d_dataset_desc *desc)
{
    static const char *const taken[] = { "negative", "uncertain", "unlabelled" };

    if (desc->n_classes == 0)
        return C3D_FAIL(C3D_ECONFIG, "data.label_classes: no class, so nothing can be labelled");
    if (desc->positive != NULL && c3d_label_class_index(desc, desc->positive) < 0)
        return C3D_FAIL(C3D_ECONFIG,
                        "data.positive: \"%s\" is not one of the %d classes of "
                        "data.label_classes",
                        desc->positive, desc->n_classes);
    for (size_t i = 0; i < C3D_COUNT(taken) && desc->positive == NULL; i++)
        if (c3d_label_class_index(desc, taken[i]) >= 0)
            return C3D_FAIL(C3D_ECONFIG,
                            "data.label_classes: a class cannot be called %s, which is a label of "
                            "its own",
                            taken[i]);
    return C3D_OK;
}

static c3d_status reserve(c3d_frames *frames, const c3d_dataset_desc *desc,
                          const c3d_archive *labels)
{
    const size_t n_rows = frames->n * (size_t)labels->n_months;

    frames->n_years = labels->n_months;
    frames->n_classes = desc->n_classes;
    frames->by_class = desc->positive == NULL;
    frames->years = c3d_calloc((size_t)labels->n_months, sizeof *frames->years);
    frames->classes = c3d_calloc((size_t)desc->n_classes, sizeof *frames->classes);
    frames->labels = c3d_calloc(n_rows, sizeof *frames->labels);
    frames->shares = c3d_calloc(n_rows * (size_t)desc->n_classes, sizeof *frames->shares);
    if (desc->n_hard > 0) frames->hard = c3d_calloc(n_rows, 1);
    if (frames->years == NULL || frames->classes == NULL || frames->labels == NULL ||
        frames->shares == NULL || (desc->n_hard > 0 && frames->hard == NULL))
        return C3D_ENOMEM;
    for (int k = 0; k < labels->n_months; k++) frames->years[k] = labels->months[k].date / 10000;
    for (int c = 0; c < desc->n_classes; c++)
        frames->classes[c] = c3d_strdup(desc->classes[c].name);
    return C3D_OK;
}

void c3d_labels_take(const c3d_dataset_desc *desc, const label_block *block, c3d_frames *frames,
                     label_report *report)
{
    c3d_labels_decide(desc, block, frames);
    for (size_t i = 0; i < block->n * (size_t)frames->n_years; i++) {
        report->observed += block->observed[i];
        report->total += 1;
    }
}

/* All by this rank, in memory. */
static c3d_status measure_here(const c3d_dataset_desc *desc, label_meter *meter, c3d_frames *frames,
                               label_report *report)
{
    c3d_status st = C3D_OK;

    for (size_t first = 0; first < frames->n && st == C3D_OK; first += LABEL_BLOCK_FRAMES) {
        const size_t left = frames->n - first;
        const size_t n = left < LABEL_BLOCK_FRAMES ? left : LABEL_BLOCK_FRAMES;
        label_block block;

        if (c3d_stop_requested())
            return C3D_FAIL(C3D_ESTOPPED, "stopped while measuring labels; nothing was written");
        st = c3d_label_block_make(first, n, frames->n_years, frames->n_classes, &block);
        if (st == C3D_OK) st = c3d_label_meter_measure(meter, &block, report);
        if (st == C3D_OK) c3d_labels_take(desc, &block, frames, report);
        c3d_label_block_free(&block);
    }
    return st;
}

c3d_status c3d_labels_open(const c3d_dataset_desc *desc, const c3d_archive *archive,
                           c3d_frames *frames, label_report *report, label_meter **out)
{
    c3d_archive labels = { 0 };
    c3d_status st;

    C3D_TRY(check_names(desc));
    C3D_TRY(c3d_label_archive(desc, archive, &labels));
    st = reserve(frames, desc, &labels);
    if (st == C3D_OK) st = c3d_label_meter_open(desc, frames, &labels, report, out);
    c3d_archive_free(&labels);
    return st;
}

c3d_status c3d_frames_measure(const c3d_dataset_desc *desc, const c3d_archive *archive,
                              c3d_frames *frames, label_report *report)
{
    const bool is_shared = desc->team != NULL && frames->n > LABEL_BLOCK_FRAMES;
    label_meter *meter;
    c3d_status st;

    C3D_TRY(c3d_labels_open(desc, archive, frames, report, &meter));
    c3d_label_meter_tell(meter);
    st = is_shared ? c3d_label_team_measure(desc, archive, meter, frames, report)
                   : measure_here(desc, meter, frames, report);
    c3d_label_meter_close(meter);
    return st == C3D_OK ? c3d_labels_keep_distance(desc, frames) : st;
}

void c3d_label_report_free(label_report *report)
{
    free(report->code_area);
    *report = (label_report){ 0 };
}
