#include "augment.h"
#include "dataset_open.h"
#include "fetch.h"
#include "order.h"
#include "prefetch.h"

#include <inttypes.h>
#include <stdlib.h>

/* What a slot of the ring holds besides the values. */
typedef struct micro_batch {
    int64_t step;
    int n, n_global;
    bool last_of_step;
    char *values;    /* [micro_batch, one sample] */
    int32_t *labels; /* all of these [micro_batch] */
    uint32_t *index;
    uint64_t *row_keys;
    float *weights;
    uint8_t *symmetry;
    float *gain, *offset; /* [micro_batch, bands] */
    int16_t *month_from;  /* [micro_batch, months] */
} micro_batch;

struct c3d_loader {
    c3d_loader_desc desc;
    c3d_fetch_desc fetch;
    c3d_order *order;
    c3d_shape shape;
    size_t sample_bytes;
    int64_t n_steps, epoch, first_step;
    int64_t n_items, n_given; /* micro-batches since start: in all, and handed out */
    micro_batch *slots;       /* [depth] */
    void **scratch;           /* [n_readers] */
    c3d_prefetch *prefetch;
};

/* ---- who reads what -------------------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint32_t c3d_loader_order(const c3d_loader *loader, int64_t epoch, uint64_t i)
{
    return c3d_order_at(loader->order, epoch, i).index;
}

static int n_samples_of_step(const c3d_loader *loader, int64_t step)
{
    const uint64_t begin = (uint64_t)step * (uint64_t)loader->desc.global_batch;

    return (int)least((uint64_t)loader->desc.global_batch, loader->desc.list->n - begin);
}

int64_t c3d_loader_n_steps(const c3d_loader *loader)
{
    return loader->n_steps;
}

int c3d_loader_n_micro_global(const c3d_loader *loader, int64_t step)
{
    if (step < 0 || step >= loader->n_steps) return 0;
    return (n_samples_of_step(loader, step) - 1) / loader->desc.micro_batch + 1;
}

int c3d_loader_n_micro(const c3d_loader *loader, int64_t step)
{
    const c3d_loader_desc *desc = &loader->desc;
    const int n = c3d_loader_n_micro_global(loader, step);

    if (desc->deal == C3D_DEAL_BLOCKS) return c3d_deal_block(n, desc->rank, desc->n_ranks).n;
    return n > desc->rank ? (n - desc->rank - 1) / desc->n_ranks + 1 : 0;
}

int c3d_loader_micro(const c3d_loader *loader, int64_t step, int nth)
{
    const c3d_loader_desc *desc = &loader->desc;
    const int n = c3d_loader_n_micro_global(loader, step);

    if (desc->deal == C3D_DEAL_BLOCKS)
        return c3d_deal_place(n, desc->n_groups > 1 ? desc->n_groups : 1,
                              c3d_deal_block(n, desc->rank, desc->n_ranks).begin + nth);
    return desc->rank + nth * desc->n_ranks;
}

c3d_shape c3d_loader_shape(const c3d_loader *loader)
{
    return loader->shape;
}

double c3d_loader_waited_s(const c3d_loader *loader)
{
    return c3d_prefetch_waited_s(loader->prefetch);
}

/* ---- one micro-batch ------------------------------------------------------------------------- */

/* The first time as it is without a turn, so that runs of older versions continue unchanged. */
static uint64_t row_key(uint64_t key, uint32_t turn)
{
    const uint64_t words[2] = { key, turn };

    return c3d_hash(words, turn == 0 ? sizeof key : sizeof words);
}

static void augment(const c3d_loader *loader, micro_batch *batch, int row,
                    const c3d_showing *showing)
{
    const c3d_loader_desc *desc = &loader->desc;
    const int n_bands = loader->shape.c, n_months = loader->shape.d;
    float *gain = batch->gain + (size_t)row * (size_t)n_bands;
    float *offset = batch->offset + (size_t)row * (size_t)n_bands;
    int16_t *from = batch->month_from + (size_t)row * (size_t)n_months;

    if (desc->augment_symmetry) batch->symmetry[row] = c3d_augment_symmetry(showing);
    if (desc->jitter > 0) c3d_augment_jitter(showing, desc->jitter, n_bands, gain, offset);
    if (desc->month_dropout > 0) c3d_augment_months(showing, desc->month_dropout, n_months, from);
    for (int m = 0; desc->month_dropout <= 0 && m < n_months; m++) from[m] = (int16_t)m;
    if (desc->months_shuffled) c3d_augment_order(showing, n_months, from);
}

/* The month of a network that sees one, where it changes. */
static int chosen_month(const c3d_loader *loader, uint64_t key, c3d_place place)
{
    const int n_months = loader->fetch.dataset->samples.rows[place.index].n_months;

    if (loader->desc.slice == C3D_SLICE_EVERY) return (int)(loader->epoch % n_months);
    return (int)c3d_random_below(loader->desc.seed, C3D_STREAM(C3D_PURPOSE_SLICE, place.turn), key,
                                 (uint64_t)n_months);
}

static c3d_status fill_row(c3d_loader *loader, int reader, micro_batch *batch, int row,
                           c3d_place place)
{
    const c3d_loader_desc *desc = &loader->desc;
    const uint32_t index = place.index;
    const c3d_sample *sample = &loader->fetch.dataset->samples.rows[index];
    const uint32_t *drawn_as = loader->fetch.dataset->drawn_as;
    const uint64_t key = (uint64_t)loader->epoch << 32 | (drawn_as ? drawn_as[index] : index);

    batch->index[row] = index;
    batch->labels[row] = sample->label;
    if (desc->class_weights) batch->weights[row] = desc->class_weights[sample->label];
    batch->row_keys[row] = row_key(key, place.turn);
    augment(loader, batch, row, &(c3d_showing){ desc->seed, key, place.turn });
    return c3d_fetch_sample(&loader->fetch, index, chosen_month(loader, key, place),
                            loader->scratch[reader],
                            batch->values + (size_t)row * loader->sample_bytes);
}

/* Where item i of this rank begins: all steps but the last have the same number of micro-batches.
 */
typedef struct item_place {
    int64_t step;
    int nth;   /* micro-batch of the step on this rank */
    int first; /* sample of the step */
} item_place;

static item_place place_of(const c3d_loader *loader, int64_t item)
{
    const c3d_loader_desc *desc = &loader->desc;
    const int n_micro = c3d_loader_n_micro(loader, 0); /* not 0, or there were no item */
    C3D_ASSERT(n_micro > 0);
    const int64_t step = loader->first_step + item / n_micro;
    const int nth = (int)(item % n_micro);

    return (item_place){ step, nth, c3d_loader_micro(loader, step, nth) * desc->micro_batch };
}

static c3d_place sample_at(const c3d_loader *loader, int64_t step, int i)
{
    return c3d_order_at(loader->order, loader->epoch,
                        (uint64_t)step * (uint64_t)loader->desc.global_batch + (uint64_t)i);
}

static c3d_status fill(void *context, int reader, int slot, int64_t item)
{
    c3d_loader *loader = context;
    const c3d_loader_desc *desc = &loader->desc;
    micro_batch *batch = &loader->slots[slot];
    const item_place at = place_of(loader, item);
    const int64_t step = at.step;

    batch->step = step;
    batch->n_global = n_samples_of_step(loader, step);
    batch->n = (int)least((uint64_t)desc->micro_batch, (uint64_t)(batch->n_global - at.first));
    batch->last_of_step = at.nth == c3d_loader_n_micro(loader, step) - 1;
    for (int row = 0; row < batch->n; row++) {
        C3D_TRY(fill_row(loader, reader, batch, row, sample_at(loader, step, at.first + row)));
        c3d_phase_tick();
    }
    return C3D_OK;
}

/* ---- create ---------------------------------------------------------------------------------- */

static c3d_status check_desc(const c3d_loader_desc *desc)
{
    if (desc->global_batch < 1 || desc->micro_batch < 1)
        return C3D_FAIL(C3D_EINVAL, "loader: global batch %d of micro-batches %d",
                        desc->global_batch, desc->micro_batch);
    if (desc->n_ranks < 1 || desc->rank < 0 || desc->rank >= desc->n_ranks)
        return C3D_FAIL(C3D_EINVAL, "loader: rank %d of %d", desc->rank, desc->n_ranks);
    if (desc->deal == C3D_DEAL_BLOCKS && (desc->n_ranks & (desc->n_ranks - 1)) != 0)
        return C3D_FAIL(C3D_EINVAL, "loader: blocks for %d ranks, no power of two", desc->n_ranks);
    if (desc->n_readers < 0 || desc->depth < 0 || desc->n_held < 0)
        return C3D_FAIL(C3D_EINVAL, "loader: %d readers, depth %d, %d held", desc->n_readers,
                        desc->depth, desc->n_held);
    if (desc->balanced && !desc->shuffle)
        return C3D_FAIL(C3D_EINVAL, "loader: balanced, but not shuffled");
    if (desc->n_groups > 1 &&
        (desc->balanced || !desc->shuffle ||
         desc->global_batch % ((int64_t)desc->micro_batch * desc->n_groups) != 0))
        return C3D_FAIL(C3D_EINVAL,
                        "loader: %d groups of micro-batches of %d in a global batch of %d%s",
                        desc->n_groups, desc->micro_batch, desc->global_batch,
                        desc->balanced || !desc->shuffle ? ", in another order than shuffled" : "");
    if (!(desc->jitter >= 0 && desc->jitter <= 1) ||
        !(desc->month_dropout >= 0 && desc->month_dropout <= 1))
        return C3D_FAIL(C3D_EINVAL, "loader: jitter %g, month dropout %g, expected 0 to 1",
                        desc->jitter, desc->month_dropout);
    if ((desc->month_dropout > 0 || desc->months_shuffled) && desc->one_slice)
        return C3D_FAIL(C3D_EINVAL, "loader: month dropout, or another order, of one month");
    if (desc->list->n == 0) return C3D_FAIL(C3D_EINVAL, "loader: an empty list of samples");
    return C3D_OK;
}

/* The longest sample; all must be as long unless one slice of each is shown. */
static c3d_status check_months(const c3d_loader_desc *desc, int *n_months_out)
{
    const c3d_samples *samples = &desc->dataset->samples;
    const c3d_sample *longest;

    if (desc->list->index[0] >= samples->n) goto bad_index;
    longest = &samples->rows[desc->list->index[0]];
    for (size_t i = 1; i < desc->list->n; i++) {
        if (desc->list->index[i] >= samples->n) goto bad_index;
        const c3d_sample *sample = &samples->rows[desc->list->index[i]];
        if (sample->n_months != longest->n_months && !desc->one_slice)
            return C3D_FAIL(C3D_EDATA,
                            "%s/samples.csv: sample %" PRId64 " has %d months, sample %" PRId64
                            " has %d",
                            desc->dataset->dir, longest->sample_id, longest->n_months,
                            sample->sample_id, sample->n_months);
        if (sample->n_months > longest->n_months) longest = sample;
    }
    *n_months_out = longest->n_months;
    return C3D_OK;
bad_index:
    return C3D_FAIL(C3D_EINVAL, "loader: the list is not of this dataset");
}

static c3d_loader_desc with_defaults(const c3d_loader_desc *desc)
{
    c3d_loader_desc full = *desc;

    if (full.n_readers == 0) full.n_readers = 2;
    if (full.depth == 0) full.depth = 8;
    if (full.depth < full.n_held + 2) full.depth = full.n_held + 2; /* one to be filled */
    return full;
}

c3d_status c3d_loader_size_of(const c3d_loader_desc *desc, c3d_loader_size *out)
{
    int n_months = 0;

    C3D_TRY(check_desc(desc));
    C3D_TRY(check_months(desc, &n_months));
    if (n_months > INT16_MAX)
        return C3D_FAIL(C3D_EUNSUPPORTED, "loader: samples of %d months, at most %d", n_months,
                        INT16_MAX);
    const c3d_dataset_info *info = &desc->dataset->info;
    *out = (c3d_loader_size){ .shape = { .n = desc->micro_batch,
                                         .c = info->n_bands,
                                         .d = desc->one_slice ? 1 : n_months,
                                         .h = info->frame_size_px,
                                         .w = info->frame_size_px },
                              .dtype = info->dtype,
                              .n_months = n_months };
    return C3D_OK;
}

static size_t month_bytes(const c3d_loader_size *size)
{
    return c3d_shape_sample_count(size->shape) / (size_t)size->shape.d *
           c3d_dtype_size(size->dtype);
}

static size_t scratch_bytes(const c3d_loader_size *size)
{
    return c3d_fetch_scratch_bytes(month_bytes(size), size->n_months);
}

size_t c3d_loader_bytes(const c3d_loader_desc *desc, const c3d_loader_size *size)
{
    const c3d_loader_desc full = with_defaults(desc);
    const size_t per_row = c3d_shape_sample_count(size->shape) * c3d_dtype_size(size->dtype) +
                           sizeof(int32_t) + sizeof(uint32_t) + sizeof(uint64_t) + sizeof(float) +
                           sizeof(uint8_t) + 2 * (size_t)size->shape.c * sizeof(float) +
                           (size_t)size->shape.d * sizeof(int16_t);

    return (size_t)full.depth * (size_t)full.micro_batch * per_row +
           (size_t)full.n_readers * scratch_bytes(size) + c3d_order_bytes(desc);
}

size_t c3d_loader_sample_bytes(const c3d_loader_desc *desc, const c3d_loader_size *size)
{
    const bool one_month = desc->one_slice && desc->slice != C3D_SLICE_MEDIAN;

    return month_bytes(size) * (size_t)(one_month ? 1 : size->n_months);
}

static c3d_status allocate_slot(const c3d_loader *loader, micro_batch *slot)
{
    const size_t n = (size_t)loader->desc.micro_batch, n_bands = (size_t)loader->shape.c;

    slot->values = c3d_aligned(n * loader->sample_bytes);
    slot->labels = c3d_calloc(n, sizeof *slot->labels);
    slot->index = c3d_calloc(n, sizeof *slot->index);
    slot->row_keys = c3d_calloc(n, sizeof *slot->row_keys);
    slot->weights = c3d_calloc(n, sizeof *slot->weights);
    slot->symmetry = c3d_calloc(n, sizeof *slot->symmetry);
    slot->gain = c3d_calloc(n * n_bands, sizeof *slot->gain);
    slot->offset = c3d_calloc(n * n_bands, sizeof *slot->offset);
    slot->month_from = c3d_calloc(n * (size_t)loader->shape.d, sizeof *slot->month_from);
    if (!slot->values || !slot->labels || !slot->index || !slot->row_keys) return C3D_ENOMEM;
    if (!slot->weights || !slot->symmetry || !slot->gain || !slot->offset) return C3D_ENOMEM;
    return slot->month_from ? C3D_OK : C3D_ENOMEM;
}

static void free_slot(micro_batch *slot)
{
    free(slot->values);
    free(slot->labels);
    free(slot->index);
    free(slot->row_keys);
    free(slot->weights);
    free(slot->symmetry);
    free(slot->gain);
    free(slot->offset);
    free(slot->month_from);
}

static c3d_status allocate(c3d_loader *loader, const c3d_loader_size *size)
{
    const c3d_loader_desc *desc = &loader->desc;

    loader->slots = c3d_calloc((size_t)desc->depth, sizeof *loader->slots);
    loader->scratch = c3d_calloc((size_t)desc->n_readers, sizeof *loader->scratch);
    if (!loader->slots || !loader->scratch) return C3D_ENOMEM;
    for (int i = 0; i < desc->depth; i++) C3D_TRY(allocate_slot(loader, &loader->slots[i]));
    for (int i = 0; i < desc->n_readers; i++) {
        loader->scratch[i] = c3d_aligned(scratch_bytes(size));
        if (!loader->scratch[i]) return C3D_ENOMEM;
    }
    return C3D_OK;
}

c3d_status c3d_loader_create(const c3d_loader_desc *desc, c3d_loader **out)
{
    c3d_loader *loader;
    c3d_loader_size size;
    c3d_status st;

    C3D_TRY(c3d_loader_size_of(desc, &size));
    loader = c3d_calloc(1, sizeof *loader);
    if (!loader) return C3D_ENOMEM;
    loader->desc = with_defaults(desc);
    loader->fetch = (c3d_fetch_desc){ desc->dataset, desc->one_slice, desc->slice };
    loader->n_steps = (int64_t)((desc->list->n - 1) / (size_t)desc->global_batch + 1);
    loader->shape = size.shape;
    loader->sample_bytes = c3d_shape_sample_count(size.shape) * c3d_dtype_size(size.dtype);
    C3D_TRY_TO(fail, c3d_order_create(&loader->desc, &loader->order));
    C3D_TRY_TO(fail, allocate(loader, &size));
    C3D_TRY_TO(fail, c3d_prefetch_create(&(c3d_prefetch_desc){ .n_readers = loader->desc.n_readers,
                                                               .depth = loader->desc.depth,
                                                               .n_held = loader->desc.n_held,
                                                               .fill = fill,
                                                               .context = loader },
                                         &loader->prefetch));
    *out = loader;
    return C3D_OK;
fail:
    c3d_loader_destroy(loader);
    return st;
}

void c3d_loader_destroy(c3d_loader *loader)
{
    if (!loader) return;
    c3d_prefetch_destroy(loader->prefetch);
    for (int i = 0; loader->slots && i < loader->desc.depth; i++) free_slot(&loader->slots[i]);
    for (int i = 0; loader->scratch && i < loader->desc.n_readers; i++) free(loader->scratch[i]);
    c3d_order_destroy(loader->order);
    free(loader->slots);
    free(loader->scratch);
    free(loader);
}

/* ---- an epoch -------------------------------------------------------------------------------- */

c3d_status c3d_loader_start(c3d_loader *loader, int64_t epoch, int64_t first_step)
{
    const int64_t n_whole = loader->n_steps - 1 - first_step; /* steps before the last */
    int64_t n_items = 0;

    if (epoch < 0 || epoch > INT32_MAX || first_step < 0 || first_step > loader->n_steps)
        return C3D_FAIL(C3D_EINVAL, "loader: epoch %" PRId64 ", step %" PRId64 " of %" PRId64,
                        epoch, first_step, loader->n_steps);
    if (n_whole >= 0)
        n_items = n_whole * c3d_loader_n_micro(loader, 0) +
                  c3d_loader_n_micro(loader, loader->n_steps - 1);
    c3d_prefetch_stop(loader->prefetch);
    loader->epoch = epoch;
    loader->first_step = first_step;
    loader->n_items = n_items;
    loader->n_given = 0;
    c3d_prefetch_start(loader->prefetch, n_items);
    return C3D_OK;
}

static bool moves_months(const c3d_loader_desc *desc)
{
    return desc->month_dropout > 0 || desc->months_shuffled;
}

int64_t c3d_loader_next_sample(const c3d_loader *loader)
{
    if (loader->n_given >= loader->n_items) return -1;
    const item_place at = place_of(loader, loader->n_given);
    const uint32_t index = sample_at(loader, at.step, at.first).index;

    return loader->fetch.dataset->samples.rows[index].sample_id;
}

c3d_status c3d_loader_next(c3d_loader *loader, c3d_batch *out)
{
    const micro_batch *slot;
    int64_t item;
    int number;

    C3D_TRY(c3d_prefetch_next(loader->prefetch, &number, &item));
    loader->n_given++;
    slot = &loader->slots[number];
    *out = (c3d_batch){ .n = slot->n,
                        .step = slot->step,
                        .n_global = slot->n_global,
                        .last_of_step = slot->last_of_step,
                        .values = slot->values,
                        .labels = slot->labels,
                        .index = slot->index,
                        .row_keys = slot->row_keys,
                        .weights = loader->desc.class_weights ? slot->weights : NULL,
                        .symmetry = loader->desc.augment_symmetry ? slot->symmetry : NULL,
                        .gain = loader->desc.jitter > 0 ? slot->gain : NULL,
                        .offset = loader->desc.jitter > 0 ? slot->offset : NULL,
                        .month_from = moves_months(&loader->desc) ? slot->month_from : NULL };
    return C3D_OK;
}

void *c3d_loader_buffer(const c3d_loader *loader, int i, size_t *n_bytes_out)
{
    if (i >= loader->desc.depth) return NULL;
    *n_bytes_out = (size_t)loader->desc.micro_batch * loader->sample_bytes;
    return loader->slots[i].values;
}

c3d_batch c3d_batch_row(const c3d_loader *loader, const c3d_batch *batch, int row)
{
    c3d_batch one = *batch;

    one.n = 1;
    one.values = (const char *)batch->values + (size_t)row * loader->sample_bytes;
    one.labels += row;
    one.index += row;
    one.row_keys += row;
    if (one.weights) one.weights += row;
    if (one.symmetry) one.symmetry += row;
    if (one.gain) one.gain += (ptrdiff_t)row * loader->shape.c;
    if (one.offset) one.offset += (ptrdiff_t)row * loader->shape.c;
    if (one.month_from) one.month_from += (ptrdiff_t)row * loader->shape.d;
    return one;
}
