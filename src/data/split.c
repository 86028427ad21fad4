#include "frames.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Blocks are whole strides, so that they do not cut the grid of frames askew. */
void c3d_frames_block_px(const c3d_dataset_desc *desc, const c3d_frames *frames, int out[2])
{
    const int stride = desc->stride_px > 0 ? desc->stride_px : frames->size_px;
    double pixel_m[2];

    c3d_frames_pixel_m(frames, pixel_m);
    for (int axis = 0; axis < 2; axis++) {
        const double wanted = desc->block_km * 1000 / pixel_m[axis];
        const double side = fmax(rint(wanted / stride) * stride, frames->size_px);
        out[axis] = side > INT32_MAX / 2 ? INT32_MAX / 2 : (int)side;
    }
}

c3d_status c3d_frames_blocks(const c3d_dataset_desc *desc, const c3d_frames *frames,
                             block_grid *out)
{
    block_grid blocks = { frames->width_px, frames->height_px, 1, 1 };
    double pixel_m[2];
    int side[2];

    if (desc->split == C3D_SPLIT_BLOCKS || (desc->split == C3D_SPLIT_POLYGONS && desc->folds > 1)) {
        c3d_frames_pixel_m(frames, pixel_m);
        for (int axis = 0; axis < 2; axis++)
            if (!(desc->block_km * 1000 / pixel_m[axis] >= desc->frame_size_px))
                return C3D_FAIL(
                    C3D_ECONFIG, "data.block_km: %g km are %.1f px, less than one frame of %d px",
                    desc->block_km, desc->block_km * 1000 / pixel_m[axis], desc->frame_size_px);
        c3d_frames_block_px(desc, frames, side);
        blocks.width_px = side[0];
        blocks.height_px = side[1];
        blocks.n_x = (frames->width_px - 1) / blocks.width_px + 1;
        blocks.n_y = (frames->height_px - 1) / blocks.height_px + 1;
    }
    *out = blocks;
    return C3D_OK;
}

typedef struct block {
    int64_t n_frames, n_positive;
    int parts[2]; /* split and fold */
} block;

static size_t block_of(const block_grid *grid, const c3d_frame *frame)
{
    return (size_t)(frame->y / grid->height_px) * (size_t)grid->n_x +
           (size_t)(frame->x / grid->width_px);
}

static bool is_ever_positive(const c3d_frames *frames, size_t i)
{
    for (int k = 0; k < frames->n_years; k++)
        if (frames->labels[i * (size_t)frames->n_years + (size_t)k] >= C3D_FRAME_POSITIVE)
            return true;
    return false;
}

static void count_frames(const block_grid *grid, const c3d_frames *frames, block *blocks)
{
    for (size_t i = 0; i < frames->n; i++) {
        block *b = &blocks[block_of(grid, &frames->rows[i])];

        b->n_frames++;
        b->n_positive += is_ever_positive(frames, i);
    }
}

typedef struct drawn_block {
    uint64_t key; /* random */
    size_t index;
} drawn_block;

/* Dealing blocks to n parts of given shares; which: index in block.parts. */
typedef struct block_deal {
    block *blocks;
    size_t n_blocks;
    drawn_block *order; /* the blocks with frames, by key */
    size_t n_order;
    int which, n_parts;
    const double *shares;
} block_deal;

enum { PARTS_MAX = 100 };

/* Each block of the order (those with positives, or those without) goes to the part that lacks most
 * of its share, counted in positives or in frames. */
static void deal_greedily(block_deal *deal, bool positives)
{
    double lack[PARTS_MAX] = { 0 }, total = 0;

    for (size_t i = 0; i < deal->n_order; i++) {
        const block *b = &deal->blocks[deal->order[i].index];
        total += (double)(positives ? b->n_positive : b->n_frames);
    }
    for (int p = 0; p < deal->n_parts; p++) lack[p] = deal->shares[p] * total;
    for (size_t i = 0; i < deal->n_order && !positives; i++) {
        const block *b = &deal->blocks[deal->order[i].index];
        if (b->n_positive > 0) lack[b->parts[deal->which]] -= (double)b->n_frames;
    }
    for (size_t i = 0; i < deal->n_order; i++) {
        block *b = &deal->blocks[deal->order[i].index];
        int best = -1;

        if ((b->n_positive > 0) != positives) continue;
        for (int p = 0; p < deal->n_parts; p++)
            if (deal->shares[p] > 0 && (best < 0 || lack[p] > lack[best])) best = p;
        C3D_ASSERT(best >= 0); /* shares sum to 1 */
        b->parts[deal->which] = best;
        lack[best] -= (double)(positives ? b->n_positive : b->n_frames);
    }
}

/* The part with most blocks with positives gives its smallest one to a part that has none. */
static bool give_positives(block_deal *deal, int to)
{
    size_t n_blocks[PARTS_MAX] = { 0 };
    block *smallest = NULL;
    int from = 0;

    for (size_t i = 0; i < deal->n_order; i++) {
        const block *b = &deal->blocks[deal->order[i].index];
        if (b->n_positive > 0) n_blocks[b->parts[deal->which]]++;
    }
    if (n_blocks[to] > 0) return true;
    for (int p = 1; p < deal->n_parts; p++)
        if (n_blocks[p] > n_blocks[from]) from = p;
    if (n_blocks[from] < 2) return false;
    for (size_t i = 0; i < deal->n_order; i++) {
        block *b = &deal->blocks[deal->order[i].index];
        if (b->n_positive == 0 || b->parts[deal->which] != from) continue;
        if (smallest == NULL || b->n_positive < smallest->n_positive) smallest = b;
    }
    if (smallest == NULL) return false;
    smallest->parts[deal->which] = to;
    return true;
}

static int by_key(const void *a, const void *b)
{
    const drawn_block *left = a, *right = b;

    if (left->key != right->key) return left->key < right->key ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

static void deal_blocks(block_deal *deal, uint64_t seed, c3d_purpose purpose)
{
    deal->n_order = 0;
    for (size_t b = 0; b < deal->n_blocks; b++) {
        if (deal->blocks[b].n_frames == 0) continue;
        deal->order[deal->n_order++] =
            (drawn_block){ c3d_random_u64(seed, C3D_STREAM(purpose, 0), b), b };
    }
    qsort(deal->order, deal->n_order, sizeof *deal->order, by_key);
    deal_greedily(deal, true);
    for (int p = 0; p < deal->n_parts; p++)
        if (deal->shares[p] > 0 && !give_positives(deal, p)) break;
    deal_greedily(deal, false);
}

static c3d_status split_by_blocks(const c3d_dataset_desc *desc, const block_grid *grid,
                                  c3d_frames *frames)
{
    const size_t n_blocks = (size_t)grid->n_x * (size_t)grid->n_y;
    double fold_shares[PARTS_MAX];
    block_deal deal = { .n_blocks = n_blocks,
                        .n_parts = C3D_N_SPLITS,
                        .shares = desc->split_shares };
    c3d_status st = C3D_OK;

    deal.blocks = c3d_calloc(n_blocks, sizeof *deal.blocks);
    deal.order = c3d_calloc(n_blocks, sizeof *deal.order);
    if (deal.blocks == NULL || deal.order == NULL) C3D_TRY_TO(done, C3D_ENOMEM);
    count_frames(grid, frames, deal.blocks);
    deal_blocks(&deal, desc->seed, C3D_PURPOSE_SPLIT);
    if (desc->folds > 1) {
        for (int f = 0; f < desc->folds; f++) fold_shares[f] = 1.0 / desc->folds;
        deal.shares = fold_shares;
        deal.n_parts = desc->folds;
        deal.which = 1;
        deal_blocks(&deal, desc->seed, C3D_PURPOSE_FOLD);
    }
    for (size_t i = 0; i < frames->n; i++) {
        const block *b = &deal.blocks[block_of(grid, &frames->rows[i])];
        frames->rows[i].split = (c3d_split)b->parts[0];
        frames->rows[i].fold = b->parts[1];
    }
done:
    free(deal.blocks);
    free(deal.order);
    return st;
}

/* ---- other modes ------------------------------------------------------------------------------
 */

static void split_at_random(const c3d_dataset_desc *desc, c3d_frames *frames)
{
    for (size_t i = 0; i < frames->n; i++) {
        c3d_frame *frame = &frames->rows[i];
        const uint64_t id = (uint64_t)(frame->group ? frame->group : frame->frame_id);
        const uint64_t stream = frame->group ? 1 : 0;
        const double draw = c3d_random_unit(desc->seed, C3D_STREAM(C3D_PURPOSE_SPLIT, stream), id);
        double below = 0;

        for (int s = 0; s < C3D_N_SPLITS; s++) {
            if (desc->split_shares[s] > 0 && (draw >= below || frame->split == C3D_SPLIT_NONE))
                frame->split = (c3d_split)s;
            below += desc->split_shares[s];
        }
        if (desc->folds > 1)
            frame->fold = (int)c3d_random_below(desc->seed, C3D_STREAM(C3D_PURPOSE_FOLD, stream),
                                                id, (uint64_t)desc->folds);
    }
}

c3d_status c3d_frames_split(const c3d_dataset_desc *desc, const block_grid *blocks,
                            c3d_frames *frames)
{
    if (desc->folds < 0 || desc->folds > PARTS_MAX)
        return C3D_FAIL(C3D_ECONFIG, "data.folds: %d is outside [0, %d]", desc->folds, PARTS_MAX);
    switch (desc->split) {
    case C3D_SPLIT_RANDOM: split_at_random(desc, frames); return C3D_OK;
    case C3D_SPLIT_YEARS:
        for (size_t i = 0; i < frames->n; i++) frames->rows[i].split = C3D_SPLIT_TRAIN;
        return C3D_OK;
    case C3D_SPLIT_BLOCKS:
    case C3D_SPLIT_POLYGONS: break;
    }
    C3D_TRY(split_by_blocks(desc, blocks, frames));
    if (desc->split == C3D_SPLIT_POLYGONS) C3D_TRY(c3d_frames_split_by_polygons(desc, frames));
    return c3d_frames_keep_buffer(desc, frames);
}
