#include "fetch.h"

#include "hidden.h"
#include "stage.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define PLANES_AT_ONCE 256

static size_t plane_bytes(const c3d_dataset_info *info)
{
    return (size_t)info->frame_size_px * (size_t)info->frame_size_px * c3d_dtype_size(info->dtype);
}

static c3d_status find_part(const c3d_dataset *dataset, const c3d_segment *months, c3d_extent *out)
{
    if (!c3d_stage_holds(dataset->stage, months))
        return c3d_shard_find_months(dataset->shards[months->shard], months->row, months->first,
                                     months->n, out);
    *out = c3d_stage_find(dataset, months);
    return C3D_OK;
}

/* Where a sample's months go: [month, band, ...] as stored, or [band, month, ...] of n_months. */
typedef struct target {
    char *values;
    bool by_band;
    int n_months;
} target;

/* Each plane to its place without a copy in between. at: month of the sample it begins with. */
static c3d_status scatter(const c3d_dataset *dataset, const c3d_extent *from, const target *to,
                          int at)
{
    const size_t plane = plane_bytes(&dataset->info);
    const int n_bands = dataset->info.n_bands, n_planes = (int)(from->n_bytes / plane);
    struct iovec planes[PLANES_AT_ONCE];

    for (int done = 0; done < n_planes;) {
        const int left = n_planes - done, n = left < PLANES_AT_ONCE ? left : PLANES_AT_ONCE;
        for (int i = 0; i < n; i++) {
            const int month = at + (done + i) / n_bands, band = (done + i) % n_bands;
            const size_t place = (size_t)band * (size_t)to->n_months + (size_t)month;
            planes[i] = (struct iovec){ to->values + place * plane, plane };
        }
        C3D_TRY(
            c3d_preadv_all(from->fd, from->path, planes, n, from->offset + (int64_t)plane * done));
        done += n;
    }
    return C3D_OK;
}

static c3d_status read_part(const c3d_dataset *dataset, const c3d_segment *months, const target *to,
                            int at)
{
    const size_t month_bytes = (size_t)dataset->info.n_bands * plane_bytes(&dataset->info);
    c3d_extent from;
    c3d_status st = find_part(dataset, months, &from);

    if (st == C3D_OK && to->by_band)
        st = scatter(dataset, &from, to, at);
    else if (st == C3D_OK)
        st = c3d_pread_all(from.fd, from.path, to->values + (size_t)at * month_bytes, from.n_bytes,
                           from.offset);
    if (st == C3D_OK) return st;
    return c3d_error_while("reading scene %d of %s", months->row,
                           c3d_shard_path(dataset->shards[months->shard]));
}

/* As read_months, of a sample with a month that it does not show as it is. */
static c3d_status read_without(const c3d_dataset *dataset, uint32_t index, int first,
                               const target *to)
{
    const size_t plane = plane_bytes(&dataset->info), n_bands = (size_t)dataset->info.n_bands;
    const size_t n_months = (size_t)to->n_months;
    char *shown;

    C3D_TRY(c3d_hidden_read(dataset, index, &shown));
    for (size_t m = 0; m < n_months; m++)
        for (size_t b = 0; b < n_bands; b++)
            memcpy(to->values + (to->by_band ? b * n_months + m : m * n_bands + b) * plane,
                   shown + (((size_t)first + m) * n_bands + b) * plane, plane);
    free(shown);
    return C3D_OK;
}

/* Months first .. first + n_months - 1 of the sample. */
static c3d_status read_months(const c3d_dataset *dataset, uint32_t index, int first,
                              const target *to)
{
    int n = to->n_months;

    if (c3d_hidden_has(dataset->hidden, index)) return read_without(dataset, index, first, to);
    for (size_t s = dataset->first_segment[index]; n > 0; s++) {
        const c3d_segment *part = &dataset->segments[s];
        int n_here = part->n - first;
        if (n_here <= 0) {
            first -= part->n;
            continue;
        }
        if (n_here > n) n_here = n;
        const c3d_segment here = { part->shard, part->row, part->first + first, n_here };
        C3D_TRY(read_part(dataset, &here, to, to->n_months - n));
        n -= n_here;
        first = 0;
    }
    return C3D_OK;
}

/* The k-th smallest of n, which are reordered (quickselect; indices stay in range for any values,
 * NaN too). */
static double select_kth(double *values, int n, int k)
{
    int low = 0, high = n - 1;

    while (low < high) {
        const double pivot = values[low + (high - low) / 2];
        int end = low; /* values[low..end) are below the pivot */
        values[low + (high - low) / 2] = values[high];
        for (int i = low; i < high; i++) {
            const double x = values[i];
            if (!(x < pivot)) continue;
            values[i] = values[end];
            values[end++] = x;
        }
        values[high] = values[end];
        values[end] = pivot;
        if (k == end) break;
        if (k < end)
            high = end - 1;
        else
            low = end + 1;
    }
    return values[k];
}

static void put_value(void *array, c3d_dtype dtype, size_t i, double value)
{
    switch (dtype) {
    case C3D_F32: ((float *)array)[i] = (float)value; break;
    case C3D_F64: ((double *)array)[i] = value; break;
    case C3D_U8: ((uint8_t *)array)[i] = (uint8_t)value; break;
    case C3D_I16: ((int16_t *)array)[i] = (int16_t)value; break;
    case C3D_U16: ((uint16_t *)array)[i] = (uint16_t)value; break;
    case C3D_I32: ((int32_t *)array)[i] = (int32_t)value; break;
    case C3D_U32: ((uint32_t *)array)[i] = (uint32_t)value; break;
    case C3D_I64: ((int64_t *)array)[i] = (int64_t)value; break;
    case C3D_U64: ((uint64_t *)array)[i] = (uint64_t)value; break;
    case C3D_DTYPES: break;
    }
}

/* column: [n_months], to work in. */
static void median(const c3d_dataset_info *info, int n_months, const char *from, double *column,
                   char *to)
{
    const size_t n = (size_t)info->n_bands * (size_t)info->frame_size_px *
                     (size_t)info->frame_size_px; /* elements of a month */

    for (size_t i = 0; i < n; i++) {
        for (int month = 0; month < n_months; month++)
            column[month] = c3d_dtype_get(from, info->dtype, (size_t)month * n + i);
        put_value(to, info->dtype, i, select_kth(column, n_months, (n_months - 1) / 2));
    }
}

static int slice_month(c3d_slice slice, int n_months, int chosen)
{
    switch (slice) {
    case C3D_SLICE_FIRST: return 0;
    case C3D_SLICE_MIDDLE: return n_months / 2;
    case C3D_SLICE_LAST: return n_months - 1;
    case C3D_SLICE_RANDOM:
    case C3D_SLICE_EVERY: return chosen;
    case C3D_SLICE_MEDIAN: break;
    }
    return 0;
}

void c3d_fetch_range(const c3d_fetch_desc *desc, int n_months, int *first_out, int *n_out)
{
    const c3d_slice slice = desc->slice;
    const bool is_fixed = desc->one_slice && slice != C3D_SLICE_MEDIAN &&
                          slice != C3D_SLICE_RANDOM && slice != C3D_SLICE_EVERY;

    *first_out = is_fixed ? slice_month(desc->slice, n_months, 0) : 0;
    *n_out = is_fixed ? 1 : n_months;
}

/* As stored, and for the median a column of doubles in front. */
static size_t column_bytes(int n_months)
{
    return ((size_t)n_months * sizeof(double) + 63) / 64 * 64;
}

size_t c3d_fetch_scratch_bytes(size_t month_bytes, int n_months_most)
{
    return column_bytes(n_months_most) + (size_t)n_months_most * month_bytes;
}

static c3d_status fetch(const c3d_fetch_desc *desc, uint32_t index, int chosen, void *scratch,
                        void *to)
{
    const c3d_dataset *dataset = desc->dataset;
    const int n_months = dataset->samples.rows[index].n_months;
    const int month = slice_month(desc->slice, n_months, chosen);
    char *stored = (char *)scratch + column_bytes(n_months);

    if (!desc->one_slice) return read_months(dataset, index, 0, &(target){ to, true, n_months });
    if (desc->slice != C3D_SLICE_MEDIAN)
        return read_months(dataset, index, month, &(target){ to, false, 1 });
    C3D_TRY(read_months(dataset, index, 0, &(target){ stored, false, n_months }));
    median(&dataset->info, n_months, stored, scratch, to);
    return C3D_OK;
}

c3d_status c3d_fetch_sample(const c3d_fetch_desc *desc, uint32_t index, int chosen, void *scratch,
                            void *to)
{
    const c3d_sample *sample = &desc->dataset->samples.rows[index];

    if (fetch(desc, index, chosen, scratch, to) == C3D_OK) return C3D_OK;
    return c3d_error_while("reading sample %" PRId64 " (frame %" PRId64 ")", sample->sample_id,
                           sample->frame_id);
}
