#include "support/lists.h"

#include <math.h>
#include <string.h>

#define MAX_REACH 5
#define PADDED    (LIST_SIDE + 2 * MAX_REACH)
#define LAND      (LIST_SIDE * LIST_SIDE)

typedef enum purpose {
    OF_LABELS,
    OF_ALL,
    OF_NETWORKS,
    OF_RUNS,
    OF_FRAMES,
    OF_SEEDS,
    OF_BLOCKS
} purpose;

static uint64_t stream_of(uint64_t number, purpose what, int which)
{
    return C3D_STREAM(C3D_PURPOSE_TEST, number << 16 | (uint64_t)what << 8 | (uint64_t)which);
}

static void draw_normals(uint64_t seed, uint64_t stream, size_t n, float *out)
{
    for (size_t i = 0; i < n; i += 4) {
        float four[4];
        c3d_random_4_normals(seed, stream, i / 4, four);
        for (size_t j = 0; j < 4 && i + j < n; j++) out[i + j] = four[j];
    }
}

/* White noise under a triangular kernel along both axes; variance 1. */
static void draw_field(const list_kind *kind, uint64_t seed, uint64_t stream, float *out)
{
    static float noise[PADDED * PADDED], half[LIST_SIDE * PADDED];
    const int reach = kind->reach;
    float weights[2 * MAX_REACH + 1], squares = 0;

    for (int i = -reach; i <= reach; i++) {
        weights[i + reach] = (float)(reach + 1 - (i < 0 ? -i : i));
        squares += weights[i + reach] * weights[i + reach];
    }
    draw_normals(seed, stream, C3D_COUNT(noise), noise);
    memset(half, 0, sizeof half);
    for (int y = 0; y < LIST_SIDE; y++)
        for (int i = 0; i <= 2 * reach; i++)
            for (int x = 0; x < PADDED; x++)
                half[y * PADDED + x] += weights[i] * noise[(y + i) * PADDED + x];
    memset(out, 0, LAND * sizeof *out);
    for (int y = 0; y < LIST_SIDE; y++)
        for (int i = 0; i <= 2 * reach; i++)
            for (int x = 0; x < LIST_SIDE; x++)
                out[y * LIST_SIDE + x] += weights[i] / squares * half[y * PADDED + x + i];
}

static void add_field(const list_kind *kind, uint64_t seed, uint64_t stream, double size,
                      const int64_t *frames, float *scores)
{
    static float field[LAND];

    if (!(size > 0)) return;
    draw_field(kind, seed, stream, field);
    for (int i = 0; i < LIST_N; i++) scores[i] += (float)size * field[frames[i]];
}

static void draw_places(const list_kind *kind, uint64_t seed, uint64_t number, list *out)
{
    static float field[LAND];
    const int side = kind->block_side, n_a_row = LIST_SIDE / side, half = n_a_row / 2;
    const uint64_t stream = stream_of(number, OF_BLOCKS, 0);

    draw_field(kind, seed, stream_of(number, OF_LABELS, 0), field);
    for (int i = 0; i < LIST_N; i++) {
        const int nth = i / (side * side), within = i % (side * side);
        const int block = kind->is_connected
                              ? nth / half * n_a_row + nth % half
                              : (int)c3d_random_permute(seed, stream, (uint64_t)(n_a_row * n_a_row),
                                                        (uint64_t)nth);
        const int x = block % n_a_row * side + within % side;
        const int y = block / n_a_row * side + within / side;
        out->frames[i] = y * LIST_SIDE + x;
        out->blocks[i] = block;
        out->labels[i] = field[out->frames[i]] > 0.5F;
    }
}

/* All runs of a network, into out->scores[k], on top of what is wrong with all networks. */
static void draw_network(const list_kind *kind, uint64_t seed, uint64_t number, int k,
                         const float *common, list *out)
{
    float own[LIST_N], white[LIST_N];

    memcpy(own, common, sizeof own);
    add_field(kind, seed, stream_of(number, OF_NETWORKS, k), kind->network, out->frames, own);
    for (int r = 0; r < kind->n_runs; r++) {
        const int which = k * LIST_RUNS + r;
        const double luck = c3d_random_normal(seed, stream_of(number, OF_SEEDS, which), 0);
        const double skill = kind->skill + (k > 0 ? kind->more : 0) + kind->seed * luck;
        float *to = out->scores[k][r];

        memcpy(to, own, sizeof own);
        add_field(kind, seed, stream_of(number, OF_RUNS, which), kind->run, out->frames, to);
        draw_normals(seed, stream_of(number, OF_FRAMES, which), LIST_N, white);
        for (int i = 0; i < LIST_N; i++) {
            const float logit =
                to[i] + (float)kind->white * white[i] + (float)(skill * (out->labels[i] - 0.5));
            to[i] = 1 / (1 + expf(-logit));
        }
    }
}

void list_draw(const list_kind *kind, uint64_t seed, uint64_t number, uint64_t draw, list *out)
{
    const uint64_t of_scores = draw << 20 | number;
    float common[LIST_N] = { 0 };

    draw_places(kind, seed, number, out);
    add_field(kind, seed, stream_of(of_scores, OF_ALL, 0), kind->common, out->frames, common);
    for (int k = 0; k < LIST_NETWORKS; k++) draw_network(kind, seed, of_scores, k, common, out);
}

double list_expected_auc(const list_kind *kind, double skill)
{
    const double variance = kind->common * kind->common + kind->network * kind->network +
                            kind->run * kind->run + kind->white * kind->white;

    return erfc(-skill / sqrt(2 * variance + kind->seed * kind->seed) * 0.70710678118654752) / 2;
}

static c3d_compare_desc describe(const list_kind *kind, const list *l, bool by_frames,
                                 c3d_compare_network networks[LIST_NETWORKS],
                                 const float *runs[LIST_NETWORKS][LIST_RUNS])
{
    for (int k = 0; k < LIST_NETWORKS; k++) {
        for (int r = 0; r < kind->n_runs; r++) runs[k][r] = l->scores[k][r];
        networks[k] = (c3d_compare_network){ .name = k == 0 ? "reference" : "other",
                                             .n_runs = kind->n_runs,
                                             .scores = runs[k] };
    }
    return (c3d_compare_desc){
        .n = LIST_N,
        .n_outputs = 1,
        .labels = l->labels,
        .blocks = by_frames ? l->frames : l->blocks,
        .n_networks = LIST_NETWORKS,
        .networks = networks,
        .threshold = 0.5,
    };
}

c3d_status list_compare(const list_kind *kind, const list *l, bool by_frames, int n_replicates,
                        c3d_comparison *out)
{
    c3d_compare_network networks[LIST_NETWORKS];
    const float *runs[LIST_NETWORKS][LIST_RUNS];
    c3d_compare_desc desc = describe(kind, l, by_frames, networks, runs);

    desc.n_replicates = n_replicates;
    return c3d_compare(&desc, out);
}

double list_difference(const list_kind *kind, const list *l)
{
    double sum[LIST_NETWORKS] = { 0 };

    for (int k = 0; k < LIST_NETWORKS; k++)
        for (int r = 0; r < kind->n_runs; r++) {
            c3d_estimate auc;
            if (c3d_auc(l->scores[k][r], l->labels, LIST_N, &auc) != C3D_OK) return (double)NAN;
            sum[k] += auc.value;
        }
    return (sum[1] - sum[0]) / kind->n_runs;
}
