/* README.md of a published dataset: what, where, when, how many, whose, how to have the pixels. */
#include "publish.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add_what(const c3d_dataset_info *info, c3d_text *out)
{
    const c3d_period *last = &info->periods[info->n_periods - 1];
    char text[2][12];
    int n_months = 0;

    for (int i = 0; i < info->n_periods; i++) n_months += info->periods[i].n_months;
    c3d_text_add(out, "| months | %d, %s to %s |\n", n_months,
                 c3d_date_text(info->periods[0].first, text[0]),
                 c3d_date_text(last->months[last->n_months - 1], text[1]));
    if (info->n_periods > 1) {
        c3d_text_add(out, "| periods | begin with");
        for (int i = 0; i < info->n_periods; i++)
            c3d_text_add(out, " %s", c3d_date_text(info->periods[i].first, text[0]));
        c3d_text_add(out, " |\n");
    }
    c3d_text_add(out, "| frame | %d x %d pixels of %.6g x %.6g m |\n| bands | ",
                 info->frame_size_px, info->frame_size_px, info->pixel_m[0], info->pixel_m[1]);
    for (int i = 0; i < info->n_bands; i++)
        c3d_text_add(out, "%s%s", i ? ", " : "", info->bands[i]);
    c3d_text_add(out, " (%s) |\n", c3d_dtype_name(info->dtype));
}

/* The corners of all frames in degrees. */
static c3d_status add_where(const c3d_frames *frames, c3d_text *out)
{
    double box[4] = { INFINITY, INFINITY, -INFINITY, -INFINITY };
    c3d_transformer *transformer;
    c3d_status st = C3D_OK;

    if (frames->crs_wkt[0] == '\0') return C3D_OK;
    C3D_TRY(c3d_transformer_create(frames->crs_wkt, "EPSG:4326", &transformer));
    for (size_t i = 0; st == C3D_OK && i < frames->n; i++) {
        const double *t = frames->transform;
        double x[4], y[4];
        for (int k = 0; k < 4; k++) {
            const double u = frames->rows[i].x + (double)(k % 2 * frames->size_px);
            const double v = frames->rows[i].y + (double)(k / 2 * frames->size_px);
            x[k] = t[0] + u * t[1] + v * t[2];
            y[k] = t[3] + u * t[4] + v * t[5];
        }
        if (frames->rows[i].source > 0) continue; /* not in the grid */
        st = c3d_transformer_apply(transformer, 4, x, y);
        for (int k = 0; st == C3D_OK && k < 4; k++) {
            box[0] = fmin(box[0], x[k]);
            box[1] = fmin(box[1], y[k]);
            box[2] = fmax(box[2], x[k]);
            box[3] = fmax(box[3], y[k]);
        }
    }
    c3d_transformer_destroy(transformer);
    if (st == C3D_OK && box[0] <= box[2])
        c3d_text_add(out, "| longitude, latitude | %.5f to %.5f, %.5f to %.5f |\n", box[0], box[2],
                     box[1], box[3]);
    return st;
}

static void add_counts(const c3d_dataset_info *info, c3d_text *out)
{
    const c3d_json *counts = c3d_json_get(info->json, "counts");
    const c3d_json *samples = c3d_json_get(counts, "samples_by_class");

    c3d_text_add(out, "\n## Samples\n\n| split |");
    for (int i = 0; i < info->n_classes; i++) c3d_text_add(out, " %s |", info->classes[i]);
    c3d_text_add(out, "\n| --- |");
    for (int i = 0; i < info->n_classes; i++) c3d_text_add(out, " --- |");
    for (int split = 0; split < C3D_N_SPLITS; split++) {
        const c3d_json *row = c3d_json_get(samples, c3d_split_name((c3d_split)split));
        c3d_text_add(out, "\n| %s |", c3d_split_name((c3d_split)split));
        for (int i = 0; i < info->n_classes; i++) {
            long long n = 0;
            if (!c3d_json_int_value(c3d_json_at(row, (size_t)i), &n)) n = 0;
            c3d_text_add(out, " %lld |", n);
        }
    }
    c3d_text_add(out, "\n\nWhat became of the frames:\n\n");
    const c3d_json *fates = c3d_json_get(counts, "frames");
    for (int fate = 0; fate < C3D_N_FATES; fate++) {
        long long n;
        if (c3d_json_get_int(fates, c3d_fate_key((c3d_frame_fate)fate), &n) && n > 0)
            c3d_text_add(out, "- %lld %s\n", n, c3d_fate_text((c3d_frame_fate)fate));
    }
}

static void add_splits(const c3d_dataset_info *info, c3d_text *out)
{
    const c3d_json *leak = c3d_json_get(info->json, "leak");
    const char *rule;
    long long n = 0;
    double distance;

    if (!c3d_json_get_string(leak, "split", &rule)) return;
    c3d_text_add(out, "\n## Splits\n\nRule: %s.", rule);
    if (c3d_json_get_int(leak, "overlapping_frames", &n))
        c3d_text_add(out, " %lld frames overlap a frame of another split", n);
    if (c3d_json_get_real(leak, "smallest_distance_m", &distance))
        c3d_text_add(out, "; the nearest two are %.1f m apart", distance);
    c3d_text_add(out, ". The settings of frames, labels and splits are in `config.yaml`.\n");
}

static void add_sources(const c3d_dataset_info *info, c3d_text *out)
{
    const c3d_json *sources = c3d_json_get(info->json, "sources");
    const c3d_json *licences = c3d_json_get(info->json, "licences");
    size_t n[2] = { 0 };

    for (size_t i = 0; i < c3d_json_length(sources); i++) {
        const char *kind;
        if (c3d_json_get_string(c3d_json_at(sources, i), "kind", &kind))
            n[strcmp(kind, "label") == 0]++;
    }
    c3d_text_add(out,
                 "\n## Sources\n\n%zu images and %zu label files; names, dates, sizes and hashes "
                 "(XXH3) are in `dataset.json` and in layer `sources` of `frames.gpkg`.\n\n",
                 n[0], n[1]);
    for (size_t i = 0; i < c3d_json_length(licences); i++)
        c3d_text_add(out, "- %s\n", c3d_json_string_value(c3d_json_at(licences, i)));
}

c3d_status c3d_publish_card(const c3d_publish_desc *desc, const c3d_frames *frames,
                            const c3d_dataset_info *info, c3d_text *out)
{
    c3d_text_add(out,
                 "# A dataset of satellite time series, without its pixels\n\n"
                 "Made with %s. Content %016llx.\n\n| | |\n| --- | --- |\n| frames | %zu |\n",
                 desc->made_by, (unsigned long long)info->hash, frames->n);
    add_what(info, out);
    C3D_TRY(add_where(frames, out));
    add_counts(info, out);
    add_splits(info, out);
    add_sources(info, out);
    c3d_text_add(out,
                 "\n## Files\n\n"
                 "- `frames.gpkg`: squares with labels, shares of classes and splits; opens in "
                 "QGIS, coloured\n"
                 "- `samples.csv`: what is trained, validated and tested on\n"
                 "- `checksums.csv`: of every scene (XXH3 of its pixels and validity)\n"
                 "- `config.yaml`: what the dataset was made with; paths begin at `data.root`\n"
                 "- `dataset.json`: months, bands, counts, sources, licences\n"
                 "\n## To have the pixels\n\nWith the same images, in the same folders below one "
                 "of yours:\n\n"
                 "    c3d-dataset build config.yaml --from . --set data.root=/your/images "
                 "--out /your/dataset\n"
                 "    c3d-dataset verify /your/dataset\n\n"
                 "Images that are missing or have other hashes are named before clipping starts, "
                 "and `verify` says whether every scene equals the published one. Folders of "
                 "another kind: `--set data.mosaics=PATTERN`.\n");
    return C3D_OK;
}
