#include "hidden.h"

#include "scene.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A frame's scene of one period; begin: its first month among those of all periods. */
typedef struct scene_at {
    int shard, row, begin;
} scene_at;

struct c3d_hidden {
    c3d_gaps gaps;
    int *month;         /* [n] among those of all periods; -1: none */
    size_t *first;      /* [n + 1] */
    scene_at *scenes;   /* those that the frame of a sample has, in the order of time */
    int n_months_most;  /* of a scene */
    size_t n_pixels;    /* of a month */
    size_t plane_bytes; /* of a month in one band */
};

/* ---- which scenes, which month --------------------------------------------------------------- */

static c3d_gaps gaps_of(const c3d_dataset *dataset)
{
    const c3d_json *settings = c3d_json_get(dataset->info.json, "settings");
    const char *said = "";

    if (settings && c3d_json_get_string(settings, "gaps", &said))
        for (c3d_gaps gaps = C3D_GAPS_PREVIOUS; gaps <= C3D_GAPS_ZERO; gaps++)
            if (strcmp(said, c3d_gaps_name(gaps)) == 0) return gaps;
    c3d_log_warn("%s/dataset.json: says no data.gaps that is known here (\"%s\"): a month taken "
                 "away is filled as by previous",
                 dataset->dir, said);
    return C3D_GAPS_PREVIOUS;
}

static int find_month(const c3d_dataset_info *info, c3d_date month)
{
    const int n = c3d_dataset_n_months(info);

    for (int i = 0; i < n; i++)
        if (c3d_dataset_month(info, i) == month) return i;
    return -1;
}

/* The scenes of sample i's frame, behind the n of others; how many there are then. */
static size_t add_scenes(const c3d_dataset *dataset, const c3d_places *places, int64_t frame_id,
                         scene_at *scenes, size_t n)
{
    int begin = 0;

    for (int p = 0; p < dataset->info.n_periods; p++) {
        const c3d_scene_place *place = c3d_places_at(places, frame_id, p);
        if (place && place->status == C3D_SCENE_PRESENT)
            scenes[n++] = (scene_at){ place->shard, place->row, begin };
        begin += dataset->info.periods[p].n_months;
    }
    return n;
}

static c3d_status fill_table(const c3d_dataset *dataset, const c3d_places *places,
                             const c3d_date *months, c3d_hidden *hidden)
{
    size_t n = 0;

    for (size_t i = 0; i < dataset->samples.n; i++) {
        const c3d_sample *sample = &dataset->samples.rows[i];
        char text[12];
        hidden->month[i] = months[i] == 0 ? -1 : find_month(&dataset->info, months[i]);
        if (months[i] != 0 && hidden->month[i] < 0)
            return C3D_FAIL(C3D_EDATA, "%s: sample %" PRId64 " is to hide %s, no month of it",
                            dataset->dir, sample->sample_id, c3d_date_text(months[i], text));
        if (months[i] != 0) n = add_scenes(dataset, places, sample->frame_id, hidden->scenes, n);
        hidden->first[i + 1] = n;
    }
    return C3D_OK;
}

c3d_status c3d_hidden_make(const c3d_dataset *dataset, const c3d_places *places,
                           const c3d_date *months, c3d_hidden **out)
{
    const c3d_dataset_info *info = &dataset->info;
    const size_t n = dataset->samples.n;
    c3d_hidden *hidden = c3d_calloc(1, sizeof *hidden);

    if (!hidden) return C3D_ENOMEM;
    hidden->month = c3d_calloc(n, sizeof *hidden->month);
    hidden->first = c3d_calloc(n + 1, sizeof *hidden->first);
    hidden->scenes = c3d_calloc(n * (size_t)info->n_periods, sizeof *hidden->scenes);
    for (int p = 0; p < info->n_periods; p++)
        if (info->periods[p].n_months > hidden->n_months_most)
            hidden->n_months_most = info->periods[p].n_months;
    hidden->n_pixels = (size_t)info->frame_size_px * (size_t)info->frame_size_px;
    hidden->plane_bytes = hidden->n_pixels * c3d_dtype_size(info->dtype);
    hidden->gaps = gaps_of(dataset);
    c3d_status st = hidden->month && hidden->first && hidden->scenes ? C3D_OK : C3D_ENOMEM;
    if (st == C3D_OK) st = fill_table(dataset, places, months, hidden);
    if (st == C3D_OK)
        *out = hidden;
    else
        c3d_hidden_free(hidden);
    return st;
}

void c3d_hidden_free(c3d_hidden *hidden)
{
    if (!hidden) return;
    free(hidden->month);
    free(hidden->first);
    free(hidden->scenes);
    free(hidden);
}

bool c3d_hidden_has(const c3d_hidden *hidden, uint32_t index)
{
    return hidden && hidden->month[index] >= 0;
}

/* ---- filling again --------------------------------------------------------------------------- */

typedef struct refill {
    const c3d_dataset *dataset;
    const c3d_hidden *hidden;
    int month;           /* that is taken away */
    char *values, *made; /* a scene as stored, and filled again */
    uint8_t *bits, *valid;
    bool *was_seen;    /* [pixels] in that month */
    int *last;         /* [pixels] month of the last observation so far; -1: none */
    char *last_values; /* [bands, pixels] of it */
    int *age;          /* [pixels] c3d_past.age */
} refill;

static void free_refill(refill *by)
{
    free(by->values);
    free(by->made);
    free(by->bits);
    free(by->valid);
    free(by->was_seen);
    free(by->last);
    free(by->last_values);
    free(by->age);
}

static c3d_status make_refill(refill *by)
{
    const c3d_dataset_info *info = &by->dataset->info;
    const size_t n_pixels = by->hidden->n_pixels, n_months = (size_t)by->hidden->n_months_most;
    const size_t month_bytes = (size_t)info->n_bands * by->hidden->plane_bytes;
    const size_t size = (size_t)info->frame_size_px;

    by->values = c3d_aligned(n_months * month_bytes);
    by->made = c3d_aligned(n_months * month_bytes);
    by->bits = c3d_calloc(n_months * size * ((size + 7) / 8), 1);
    by->valid = c3d_calloc(n_months * n_pixels, 1);
    by->was_seen = c3d_calloc(n_pixels, sizeof *by->was_seen);
    by->last = c3d_calloc(n_pixels, sizeof *by->last);
    by->last_values = c3d_aligned(month_bytes);
    by->age = c3d_calloc(n_pixels, sizeof *by->age);
    if (!by->values || !by->made || !by->bits || !by->valid) return C3D_ENOMEM;
    if (!by->was_seen || !by->last || !by->last_values || !by->age) return C3D_ENOMEM;
    for (size_t i = 0; i < n_pixels; i++) by->last[i] = -1;
    return C3D_OK;
}

static void copy_pixel(const refill *by, char *to, const char *from, size_t pixel)
{
    const size_t element = by->hidden->plane_bytes / by->hidden->n_pixels;

    for (int b = 0; b < by->dataset->info.n_bands; b++) {
        const size_t at = (size_t)b * by->hidden->plane_bytes + pixel * element;
        memcpy(to + at, from + at, element);
    }
}

/* What was not observed gets the new filling where the month that is gone was observed; elsewhere
 * it cannot have been filled from it. */
static void take_filling(const refill *by, int n_months)
{
    const size_t month_bytes = (size_t)by->dataset->info.n_bands * by->hidden->plane_bytes;

    for (int m = 0; m < n_months; m++)
        for (size_t pixel = 0; pixel < by->hidden->n_pixels; pixel++)
            if (by->was_seen[pixel] && !by->valid[(size_t)m * by->hidden->n_pixels + pixel])
                copy_pixel(by, by->values + (size_t)m * month_bytes,
                           by->made + (size_t)m * month_bytes, pixel);
}

static void remember_last(const refill *by, int begin, int n_months)
{
    const size_t n_pixels = by->hidden->n_pixels;
    const size_t month_bytes = (size_t)by->dataset->info.n_bands * by->hidden->plane_bytes;

    for (size_t pixel = 0; pixel < n_pixels; pixel++) {
        int m = n_months - 1;
        while (m >= 0 && !by->valid[(size_t)m * n_pixels + pixel]) m--;
        if (m < 0) continue;
        by->last[pixel] = begin + m;
        copy_pixel(by, by->last_values, by->values + (size_t)m * month_bytes, pixel);
    }
}

/* The scene in by->values, as if the month had not been observed. */
static c3d_status refill_scene(const refill *by, const scene_at *at)
{
    c3d_shard *shard = by->dataset->shards[at->shard];
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    const int n_months = shape->n_months, gone = by->month - at->begin;
    const size_t n_pixels = by->hidden->n_pixels;
    const c3d_past past = { .age = by->age, .values = by->last_values };
    bool has_past = false;

    C3D_TRY(c3d_shard_read_months(shard, at->row, 0, n_months, by->values));
    C3D_TRY(c3d_shard_read_valid(shard, at->row, by->bits));
    c3d_scene_unpack_valid(shape, by->bits, by->valid);
    if (gone >= 0 && gone < n_months) {
        uint8_t *month = by->valid + (size_t)gone * n_pixels;
        for (size_t i = 0; i < n_pixels; i++) by->was_seen[i] = month[i] != 0;
        memset(month, 0, n_pixels);
    }
    for (size_t i = 0; i < n_pixels; i++) {
        by->age[i] = by->last[i] < 0 ? 0 : at->begin - by->last[i];
        has_past |= by->age[i] > 0;
    }
    memcpy(by->made, by->values,
           (size_t)n_months * (size_t)shape->n_bands * by->hidden->plane_bytes);
    C3D_TRY(c3d_scene_fill_gaps(shape, by->hidden->gaps, by->valid,
                                has_past && by->hidden->gaps != C3D_GAPS_ZERO ? &past : NULL,
                                by->made));
    take_filling(by, n_months);
    remember_last(by, at->begin, n_months);
    return C3D_OK;
}

/* Those months of the scene in by->values that the sample shows. */
static void put_shown(const refill *by, uint32_t index, const scene_at *at, char *out)
{
    const c3d_dataset *dataset = by->dataset;
    const size_t month_bytes = (size_t)dataset->info.n_bands * by->hidden->plane_bytes;

    for (size_t s = dataset->first_segment[index]; s < dataset->first_segment[index + 1]; s++) {
        const c3d_segment *part = &dataset->segments[s];
        const size_t n_bytes = (size_t)part->n * month_bytes;
        if (part->shard == at->shard && part->row == at->row)
            memcpy(out, by->values + (size_t)part->first * month_bytes, n_bytes);
        out += n_bytes;
    }
}

c3d_status c3d_hidden_read(const c3d_dataset *dataset, uint32_t index, char **out)
{
    const c3d_hidden *hidden = dataset->hidden;
    const size_t month_bytes = (size_t)dataset->info.n_bands * hidden->plane_bytes;
    refill by = { .dataset = dataset, .hidden = hidden, .month = hidden->month[index] };
    char *shown = c3d_aligned((size_t)dataset->samples.rows[index].n_months * month_bytes);
    c3d_status st = make_refill(&by);

    if (!shown) st = C3D_ENOMEM;
    for (size_t s = hidden->first[index]; st == C3D_OK && s < hidden->first[index + 1]; s++) {
        st = refill_scene(&by, &hidden->scenes[s]);
        if (st == C3D_OK) put_shown(&by, index, &hidden->scenes[s], shown);
    }
    free_refill(&by);
    if (st == C3D_OK)
        *out = shown;
    else
        free(shown);
    return st;
}
