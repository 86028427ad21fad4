#include "describe.h"
#include "archive_table.h"
#include "census.h"
#include "facts.h"

#include <stdlib.h>
#include <string.h>

typedef struct facts {
    c3d_frames frames;
    c3d_store store;
    c3d_samples samples;
    c3d_census census;
    c3d_dataset_info info;
    bool has_info;
    /* What intervals of scores resample; C3D_N_SPLITS: of all splits together. */
    size_t n_blocks[C3D_N_SPLITS + 1], n_positive_blocks[C3D_N_SPLITS + 1];
} facts;

static void free_facts(facts *of)
{
    if (of->has_info) c3d_dataset_info_free(&of->info);
    c3d_census_free(&of->census);
    c3d_samples_free(&of->samples);
    c3d_store_close(&of->store);
    c3d_frames_free(&of->frames);
}

static void count_block(facts *of, uint8_t *seen, int split, bool is_positive)
{
    enum { SEEN = 1, SEEN_POSITIVE = 2 };

    if (!(seen[split] & SEEN)) of->n_blocks[split]++;
    if (is_positive && !(seen[split] & SEEN_POSITIVE)) of->n_positive_blocks[split]++;
    seen[split] |= is_positive ? SEEN | SEEN_POSITIVE : SEEN;
}

static c3d_status count_blocks(const char *gpkg, facts *of)
{
    enum { N_LISTS = C3D_N_SPLITS + 1 };
    const size_t n = of->frames.n;
    int64_t *blocks = c3d_calloc(n + 1, sizeof *blocks);
    uint8_t *seen = c3d_calloc(n + 1, N_LISTS); /* by row of a block's first frame */
    c3d_status st = blocks && seen ? C3D_OK : C3D_ENOMEM;
    double block_km;

    if (st == C3D_OK) st = c3d_facts_frame_blocks(&of->frames, gpkg, blocks, &block_km);
    for (size_t i = 0; st == C3D_OK && i < of->samples.n; i++) {
        const c3d_sample *sample = &of->samples.rows[i];
        const size_t row = c3d_frames_find(&of->frames, sample->frame_id);
        if (sample->split >= C3D_N_SPLITS || row == (size_t)-1) continue;
        uint8_t *first = seen + N_LISTS * c3d_frames_find(&of->frames, blocks[row]);
        count_block(of, first, (int)sample->split, sample->label > 0);
        count_block(of, first, C3D_N_SPLITS, sample->label > 0);
    }
    free(blocks);
    free(seen);
    return st;
}

static c3d_status find_facts(const char *dir, facts *out)
{
    char path[C3D_PATH_MAX], samples[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(path, dir, "frames.gpkg"));
    if (!c3d_path_exists(path))
        return C3D_FAIL(C3D_EIO, "%s: no frames.gpkg; not a dataset of c3d-dataset build", dir);
    C3D_TRY(c3d_frames_read(path, &out->frames));
    C3D_TRY(c3d_store_open(dir, false, &out->store));
    C3D_TRY(c3d_path_join(samples, dir, "samples.csv"));
    if (c3d_path_exists(samples)) {
        C3D_TRY(c3d_samples_read(samples, &out->samples));
        C3D_TRY(count_blocks(path, out));
    }
    C3D_TRY(c3d_path_join(path, dir, "dataset.json"));
    if (c3d_path_exists(path)) {
        C3D_TRY(c3d_dataset_info_read(dir, &out->info));
        out->has_info = true;
    }
    return c3d_census_take(&out->frames, &out->store, &out->samples, &out->census);
}

static void add_periods(const c3d_store *store, const c3d_census *census, c3d_text *out)
{
    char first[12], last[12];

    for (int i = 0; store->n_periods > 1 && i < store->n_periods; i++) {
        const c3d_period *period = &store->periods[i];
        const size_t *n = census->scenes[i];
        c3d_text_add(out, "  period %d  %d: %s to %s; %zu present, %zu dropped, %zu not clipped\n",
                     i + 1, period->n_months, c3d_date_text(period->first, first),
                     c3d_date_text(period->months[period->n_months - 1], last),
                     n[C3D_SCENE_PRESENT], n[C3D_SCENE_DROPPED], n[C3D_SCENE_ABSENT]);
    }
}

static void add_store(const c3d_store *store, const c3d_census *census, c3d_text *out)
{
    char first[12], last[12];
    double n_bytes = 0;

    if (store->n_shards == 0) {
        c3d_text_add(out, "scenes      none yet: run c3d-dataset clip\n");
        return;
    }
    const c3d_shard *shard = store->shards[0];
    const c3d_period *period = &store->periods[store->n_periods - 1];
    for (int i = 0; i < store->n_shards; i++) {
        const c3d_shard_shape *shape = c3d_shard_get_shape(store->shards[i]);
        n_bytes += (double)(c3d_scene_bytes(shape) + c3d_valid_bytes(shape)) * shape->n_scenes;
    }
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    c3d_text_add(out, "months      %d: %s to %s\n", store->n_months,
                 c3d_date_text(store->periods[0].first, first),
                 c3d_date_text(period->months[period->n_months - 1], last));
    add_periods(store, census, out);
    c3d_text_add(out, "bands       %d of %s:", shape->n_bands, c3d_dtype_name(shape->dtype));
    for (int i = 0; i < shape->n_bands; i++) c3d_text_add(out, " %s", c3d_shard_bands(shard)[i]);
    c3d_text_add(out, "\nscenes      %zu of %d x %d px, %.1f MB in %d files\n", store->n_rows,
                 shape->size_px, shape->size_px, n_bytes / 1e6, store->n_shards);
}

static void add_fates(const c3d_census *census, c3d_text *out)
{
    c3d_text_add(out, "\nframes      %zu\n", census->n_frames);
    for (int fate = 0; fate < C3D_N_FATES; fate++)
        if (census->fates[fate] > 0)
            c3d_text_add(out, "  %8zu  %s\n", census->fates[fate],
                         c3d_fate_text((c3d_frame_fate)fate));
}

/* One split's samples by class, or all splits' (C3D_N_SPLITS). */
static void add_split(const facts *of, int split, c3d_text *out)
{
    const bool is_sum = split == C3D_N_SPLITS;
    size_t n_all = 0;

    c3d_text_add(out, "  %-10s", is_sum ? "all" : c3d_split_name((c3d_split)split));
    for (int c = 0; c < of->census.n_classes; c++) {
        char spare[24];
        const size_t width = strlen(c3d_dataset_class_name(&of->info, c, spare));
        size_t n = is_sum ? 0 : of->census.samples[split][c];

        for (int s = 0; s < C3D_N_SPLITS && is_sum; s++) n += of->census.samples[s][c];
        c3d_text_add(out, " %*zu", width > 10 ? (int)width : 10, n);
        n_all += n;
    }
    c3d_text_add(out, " %10zu %10zu %11zu\n", n_all, of->n_blocks[split],
                 of->n_positive_blocks[split]);
}

static void add_samples(const facts *of, c3d_text *out)
{
    char spare[24];

    if (!of->has_info) {
        c3d_text_add(out, "\nsamples     no dataset.json yet: run c3d-dataset samples\n");
        return;
    }
    c3d_text_add(out, "\nsamples     ");
    for (int c = 0; c < of->census.n_classes; c++)
        c3d_text_add(out, " %10s", c3d_dataset_class_name(&of->info, c, spare));
    c3d_text_add(out, " %10s %10s %11s\n", "all", "blocks", "pos. blocks");
    for (int split = 0; split <= C3D_N_SPLITS; split++) add_split(of, split, out);
}

static void add_labels(const c3d_census *census, c3d_text *out)
{
    if (census->knows_hard)
        c3d_text_add(out,
                     "  hard negatives (data.hard_negatives): train %zu, validation %zu, test "
                     "%zu\n",
                     census->hard[C3D_SPLIT_TRAIN], census->hard[C3D_SPLIT_VALIDATION],
                     census->hard[C3D_SPLIT_TEST]);
    if (census->n_changed > 0)
        c3d_text_add(out,
                     "\nlabels      %zu frames change from one year to the next (change_YYYY in "
                     "frames.gpkg)\n",
                     census->n_changed);
}

static void add_leak(const facts *of, c3d_text *out)
{
    const c3d_json *leak = of->has_info ? c3d_json_get(of->info.json, "leak") : NULL;
    long long n_frames;
    double distance;

    if (!leak || !c3d_json_get_int(leak, "overlapping_frames", &n_frames)) return;
    c3d_text_add(out, "\nsplits      %lld frames overlap a frame of another split", n_frames);
    if (c3d_json_get_real(leak, "smallest_distance_m", &distance))
        c3d_text_add(out, "; the nearest two are %.1f m apart", distance);
    c3d_text_add(out, "\n");
}

static void add_months(const facts *of, c3d_text *out)
{
    if (of->store.n_shards == 0) return;
    c3d_text_add(out, "\nmonth       missing in scenes\n");
    for (int i = 0, period = 0, at = 0; i < of->census.n_months; i++, at++) {
        const double share = of->census.missing_share[i];
        char text[12];
        if (at == of->store.periods[period].n_months) {
            period++;
            at = 0;
        }
        c3d_text_add(out, "  %-10s %6.2f %%%s\n",
                     c3d_date_text(of->store.periods[period].months[at], text), 100 * share,
                     share >= 1 ? "  nothing observed, filled" : "");
    }
}

static c3d_status add_archive(const char *dir, c3d_text *out)
{
    c3d_text line = { 0 };
    const c3d_status st = c3d_archive_table_describe(dir, &line);

    if (st == C3D_OK && line.length > 0) c3d_text_add(out, "\narchive     %s\n", line.text);
    c3d_text_free(&line);
    return st;
}

static void add_list(const facts *of, const char *key, const char *title, c3d_text *out)
{
    const c3d_json *list = of->has_info ? c3d_json_get(of->info.json, key) : NULL;

    for (size_t i = 0; i < c3d_json_length(list); i++) {
        const char *line = c3d_json_string_value(c3d_json_at(list, i));
        if (line) c3d_text_add(out, "%s%-11s %s\n", i ? "" : "\n", i ? "" : title, line);
    }
}

c3d_status c3d_dataset_describe(const char *dir, c3d_text *out)
{
    facts of = { 0 };
    c3d_status st = find_facts(dir, &of);

    if (st == C3D_OK) {
        c3d_text_add(out, "%s%s\n", dir, of.has_info ? "" : " (unfinished)");
        add_store(&of.store, &of.census, out);
        add_fates(&of.census, out);
        st = c3d_describe_edits(&of.frames, &of.store, out);
    }
    if (st == C3D_OK) {
        add_samples(&of, out);
        add_labels(&of.census, out);
        add_leak(&of, out);
        add_months(&of, out);
        st = add_archive(dir, out);
        add_list(&of, "licences", "licences", out);
    }
    free_facts(&of);
    return st;
}
