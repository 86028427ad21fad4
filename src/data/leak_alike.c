/* Scenes that are nearly equal, among many. Each is described by means over blocks; the signs of
 * random projections of their contrast are cut into keys, and scenes that differ by little have
 * some key in common (Charikar, Similarity estimation techniques from rounding algorithms, 2002).
 */
#include "leak.h"

#include "frames.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIFFERENCE_MAX 0.05 /* of the contrast */

enum {
    PLANES_MAX = 8, /* months and bands of a scene that are looked at */
    N_KEYS = 8,     /* of 32 bits each */
    BITS_OFF_MAX = 48,
    PAIRS_MAX = 100000,
    COMPARISONS_MAX = 50000000
};

/* ---- one scene --------------------------------------------------------------------------------
 */

static double value_at(const void *values, c3d_dtype dtype, size_t i)
{
    switch (dtype) {
    case C3D_U8: return ((const uint8_t *)values)[i];
    case C3D_U16: return ((const uint16_t *)values)[i];
    case C3D_I16: return ((const int16_t *)values)[i];
    case C3D_U32: return ((const uint32_t *)values)[i];
    case C3D_I32: return ((const int32_t *)values)[i];
    case C3D_F32: return (double)((const float *)values)[i];
    case C3D_F64: return ((const double *)values)[i];
    case C3D_I64: return (double)((const int64_t *)values)[i];
    case C3D_U64: return (double)((const uint64_t *)values)[i];
    case C3D_DTYPES: break;
    }
    return 0;
}

/* The means of n x n blocks of a plane. */
static void average(const void *plane, const c3d_shard_shape *shape, int n, float *out)
{
    const int size = shape->size_px;

    for (int by = 0; by < n; by++)
        for (int bx = 0; bx < n; bx++) {
            const int top = by * size / n, bottom = (by + 1) * size / n;
            const int left = bx * size / n, right = (bx + 1) * size / n;
            double sum = 0;
            for (int y = top; y < bottom; y++)
                for (int x = left; x < right; x++)
                    sum += value_at(plane, shape->dtype, (size_t)y * (size_t)size + (size_t)x);
            const double mean = sum / ((double)(bottom - top) * (right - left));
            out[by * n + bx] = isfinite(mean) ? (float)mean : 0;
        }
}

/* Random signs and a Hadamard transform: 128 projections on orthogonal directions. */
static void project(const float *contrast, uint64_t draw, uint64_t bits[2])
{
    float v[ALIKE_VALUES];

    for (uint64_t i = 0; i < ALIKE_VALUES; i++) {
        const uint64_t random =
            c3d_random_u64(0, C3D_STREAM(C3D_PURPOSE_LIKENESS, 0), 2 * draw + i / 64);
        v[i] = random >> (i % 64) & 1 ? contrast[i] : -contrast[i];
    }
    for (int half = 1; half < ALIKE_VALUES; half *= 2)
        for (int i = 0; i < ALIKE_VALUES; i += 2 * half)
            for (int k = i; k < i + half; k++) {
                const float a = v[k], b = v[k + half];
                v[k] = a + b;
                v[k + half] = a - b;
            }
    bits[0] = bits[1] = 0;
    for (int i = 0; i < ALIKE_VALUES; i++)
        if (v[i] > 0) bits[i / 64] |= (uint64_t)1 << (i % 64);
}

bool c3d_alike_describe(const c3d_shard_shape *shape, const void *values, alike_scene *out)
{
    const int n_all = shape->n_months * shape->n_bands;
    const int n_planes = n_all < PLANES_MAX ? n_all : PLANES_MAX;
    int n = (int)sqrt((double)ALIKE_VALUES / n_planes);
    float contrast[ALIKE_VALUES] = { 0 };
    double sum = 0, level = 0;

    if (n > shape->size_px) n = shape->size_px;
    const size_t plane_bytes = c3d_scene_bytes(shape) / (size_t)n_all;
    memset(out->values, 0, sizeof out->values);
    for (int p = 0; p < n_planes; p++) {
        const size_t plane = (size_t)(2 * p + 1) * (size_t)n_all / (size_t)(2 * n_planes);
        float *means = out->values + (ptrdiff_t)p * n * n;
        double mean = 0;
        average((const char *)values + plane * plane_bytes, shape, n, means);
        for (int i = 0; i < n * n; i++) mean += (double)means[i] / (n * n);
        for (int i = 0; i < n * n; i++) {
            const double off = (double)means[i] - mean;
            contrast[p * n * n + i] = (float)off;
            sum += off * off;
            level += mean * mean;
        }
    }
    out->contrast = (float)sqrt(sum);
    if (!(sum > 1e-12 * level)) return false;
    project(contrast, 0, out->bits);
    project(contrast, 1, out->bits + 2);
    return true;
}

/* ---- pairs ------------------------------------------------------------------------------------
 */

typedef struct keyed {
    uint32_t key, scene;
    float contrast;
} keyed;

typedef struct finder {
    const c3d_frames *frames;
    const alike_scene *scenes;
    int64_t n_left;   /* comparisons of the run in hand */
    uint8_t *is_done; /* [scenes] bit k: compared with all that come after it in its run of key k */
    alike_pairs pairs;
} finder;

static uint32_t key_of(const alike_scene *scene, int k)
{
    return (uint32_t)(scene->bits[k / 2] >> (k % 2 * 32));
}

static int compare_keyed(const void *a, const void *b)
{
    const keyed *x = a, *y = b;

    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    if (x->contrast < y->contrast || x->contrast > y->contrast)
        return x->contrast < y->contrast ? -1 : 1;
    return (x->scene > y->scene) - (x->scene < y->scene);
}

static bool is_met_before(const finder *by, uint32_t a, uint32_t b, int k)
{
    const int is_done = by->is_done[a] | by->is_done[b];

    for (int i = 0; i < k; i++)
        if (is_done >> i & 1 && key_of(&by->scenes[a], i) == key_of(&by->scenes[b], i)) return true;
    return false;
}

static double difference(const alike_scene *a, const alike_scene *b)
{
    const double least = (double)fminf(a->contrast, b->contrast);
    const double most = DIFFERENCE_MAX * DIFFERENCE_MAX * least * least;
    double sum = 0;
    int n_off = 0;

    for (int w = 0; w < ALIKE_WORDS; w++) n_off += __builtin_popcountll(a->bits[w] ^ b->bits[w]);
    if (n_off > BITS_OFF_MAX) return HUGE_VAL;
    for (int i = 0; i < ALIKE_VALUES && sum <= most; i++) {
        const double off = (double)a->values[i] - (double)b->values[i];
        sum += off * off;
    }
    return sum <= most ? sqrt(sum) / least : HUGE_VAL;
}

static c3d_status note(finder *by, uint32_t a, uint32_t b, double off)
{
    alike_pairs *pairs = &by->pairs;

    if (pairs->n == pairs->capacity) {
        const size_t capacity = pairs->capacity ? 2 * pairs->capacity : 256;
        alike_pair *rows = realloc(pairs->rows, capacity * sizeof *rows);
        if (!rows) return C3D_FAIL(C3D_ENOMEM, "%zu pairs of scenes", capacity);
        pairs->rows = rows;
        pairs->capacity = capacity;
    }
    pairs->rows[pairs->n++] = (alike_pair){ { a < b ? a : b, a < b ? b : a }, (float)off };
    return C3D_OK;
}

static c3d_status compare(finder *by, const keyed *a, const keyed *b, int k)
{
    const alike_scene *x = &by->scenes[a->scene], *y = &by->scenes[b->scene];

    if (x->checksum == y->checksum || is_met_before(by, a->scene, b->scene, k)) return C3D_OK;
    const double off = difference(x, y);
    if (!(off <= DIFFERENCE_MAX)) return C3D_OK;
    const size_t i = c3d_frames_find(by->frames, x->frame_id);
    const size_t j = c3d_frames_find(by->frames, y->frame_id);
    if (i == j || i == (size_t)-1 || j == (size_t)-1) return C3D_OK;
    return note(by, (uint32_t)i, (uint32_t)j, off);
}

/* Scenes with this key in common, in the order of their contrast: what differs by 5 % of it has
 * about the same. */
static c3d_status search_run(finder *by, const keyed *run, size_t n, int k)
{
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && by->n_left <= 0) {
            by->pairs.is_cut = true;
            return C3D_OK;
        }
        for (size_t j = i + 1;
             j < n && run[j].contrast <= run[i].contrast * (float)(1 + DIFFERENCE_MAX); j++) {
            if (by->pairs.n == PAIRS_MAX) {
                by->pairs.is_cut = true;
                return C3D_OK;
            }
            by->n_left--;
            C3D_TRY(compare(by, &run[i], &run[j], k));
        }
        by->is_done[run[i].scene] |= (uint8_t)(1 << k);
    }
    return C3D_OK;
}

/* Each run may use as much of what is left as its part of the scenes that are left: a crowded one,
 * such as dark water, takes nothing from those after it, and what a short one saves is theirs. */
static c3d_status search_key(finder *by, size_t n, keyed *rows, int k)
{
    int64_t n_left = COMPARISONS_MAX / N_KEYS;

    for (size_t i = 0; i < n; i++)
        rows[i] = (keyed){ key_of(&by->scenes[i], k), (uint32_t)i, by->scenes[i].contrast };
    qsort(rows, n, sizeof *rows, compare_keyed);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && rows[end].key == rows[i].key;) end++;
        const int64_t budget = n_left * (int64_t)(end - i) / (int64_t)(n - i);
        by->n_left = budget;
        if (end - i > 1) C3D_TRY(search_run(by, rows + i, end - i, k));
        n_left -= by->n_left > 0 ? budget - by->n_left : budget;
        c3d_phase_tick();
    }
    return C3D_OK;
}

static int compare_pairs(const void *a, const void *b)
{
    const alike_pair *x = a, *y = b;

    for (int i = 0; i < 2; i++)
        if (x->frames[i] != y->frames[i]) return x->frames[i] < y->frames[i] ? -1 : 1;
    return 0;
}

c3d_status c3d_alike_find(const c3d_frames *frames, size_t n, const alike_scene *scenes,
                          alike_pairs *out)
{
    finder by = { .frames = frames, .scenes = scenes };
    keyed *rows = c3d_calloc(n + 1, sizeof *rows);
    c3d_status st;

    by.is_done = c3d_calloc(n + 1, sizeof *by.is_done);
    st = rows && by.is_done && n <= UINT32_MAX ? C3D_OK : C3D_ENOMEM;

    for (int k = 0; st == C3D_OK && k < N_KEYS; k++) st = search_key(&by, n, rows, k);
    free(rows);
    free(by.is_done);
    if (st != C3D_OK) {
        free(by.pairs.rows);
        return st;
    }
    if (by.pairs.n > 0) qsort(by.pairs.rows, by.pairs.n, sizeof *by.pairs.rows, compare_pairs);
    *out = by.pairs;
    return C3D_OK;
}
