#include "order.h"

#include "dataset_open.h"

#include <stdlib.h>
#include <string.h>

/* The list by class or by group: samples of part k are index[begin[k]] .. index[begin[k + 1] - 1].
 */
struct c3d_order {
    const c3d_list *list;
    bool shuffle, balanced;
    uint64_t seed;
    uint64_t n_groups, micro_batch;
    uint64_t n_classes; /* that occur in the list */
    int *labels;        /* [n_classes] ascending */
    size_t *begin;      /* [n_classes + 1] or [n_groups + 1] */
    uint32_t *index;    /* [list->n] */
};

/* ---- classes --------------------------------------------------------------------------------- */

typedef struct labelled {
    int label;
    uint32_t index;
} labelled;

static int by_label(const void *a, const void *b)
{
    const labelled *x = a, *y = b;

    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static void group(c3d_order *order, const labelled *rows)
{
    const size_t n = order->list->n;

    for (size_t i = 0; i < n; i++) {
        if (i == 0 || rows[i].label != rows[i - 1].label) {
            order->labels[order->n_classes] = rows[i].label;
            order->begin[order->n_classes++] = i;
        }
        order->index[i] = rows[i].index;
    }
    order->begin[order->n_classes] = n;
}

static c3d_status group_by_class(c3d_order *order, const c3d_samples *samples)
{
    const size_t n = order->list->n;
    labelled *rows = c3d_calloc(n, sizeof *rows);

    order->labels = c3d_calloc(n, sizeof *order->labels);
    order->begin = c3d_calloc(n + 1, sizeof *order->begin);
    order->index = c3d_calloc(n, sizeof *order->index);
    if (!rows || !order->labels || !order->begin || !order->index) {
        free(rows);
        return C3D_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const uint32_t index = order->list->index[i];
        rows[i] = (labelled){ samples->rows[index].label, index };
    }
    qsort(rows, n, sizeof *rows, by_label);
    group(order, rows);
    free(rows);
    return C3D_OK;
}

/* ---- groups ---------------------------------------------------------------------------------- */

typedef struct placed {
    int shard, row, first; /* of the sample's first month */
    uint32_t index;
} placed;

static int by_place(const void *a, const void *b)
{
    const placed *x = a, *y = b;

    if (x->shard != y->shard) return x->shard < y->shard ? -1 : 1;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* The samples of micro-batches g, g + G, ... of an epoch, of which the last may be short. */
static size_t group_size(const c3d_order *order, uint64_t g)
{
    const uint64_t m = order->micro_batch, n_micro = (order->list->n + m - 1) / m;

    if (g >= n_micro) return 0;
    const uint64_t n_here = (n_micro - g - 1) / order->n_groups + 1;
    const uint64_t n_missing =
        (n_micro - 1) % order->n_groups == g ? n_micro * m - order->list->n : 0;
    return n_here * m - n_missing;
}

static c3d_status group_by_place(c3d_order *order, const c3d_dataset *dataset)
{
    const size_t n = order->list->n;
    placed *rows = c3d_calloc(n, sizeof *rows);

    order->begin = c3d_calloc(order->n_groups + 1, sizeof *order->begin);
    order->index = c3d_calloc(n, sizeof *order->index);
    if (!rows || !order->begin || !order->index) {
        free(rows);
        return C3D_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const uint32_t index = order->list->index[i];
        const c3d_segment *at = &dataset->segments[dataset->first_segment[index]];
        rows[i] = (placed){ at->shard, at->row, at->first, index };
    }
    qsort(rows, n, sizeof *rows, by_place);
    for (size_t i = 0; i < n; i++) order->index[i] = rows[i].index;
    free(rows);
    for (uint64_t g = 0; g < order->n_groups; g++)
        order->begin[g + 1] = order->begin[g] + group_size(order, g);
    C3D_ASSERT(order->begin[order->n_groups] == n);
    return C3D_OK;
}

c3d_status c3d_list_of_groups(const c3d_loader_desc *desc, const bool *is_wanted, c3d_list *out)
{
    const size_t n = desc->list->n;
    c3d_order *order = NULL;
    c3d_list list = { .index = c3d_calloc(n, sizeof *list.index) };
    c3d_status st = list.index ? c3d_order_create(desc, &order) : C3D_ENOMEM;

    if (st != C3D_OK) {
        c3d_list_free(&list);
        return st;
    }
    if (order->n_groups == 1 && is_wanted[0]) {
        memcpy(list.index, desc->list->index, n * sizeof *list.index);
        list.n = n;
    }
    for (uint64_t g = 0; order->n_groups > 1 && g < order->n_groups; g++) {
        if (!is_wanted[g]) continue;
        const size_t begin = order->begin[g], n_here = order->begin[g + 1] - begin;
        memcpy(list.index + list.n, order->index + begin, n_here * sizeof *list.index);
        list.n += n_here;
    }
    c3d_order_destroy(order);
    *out = list;
    return C3D_OK;
}

/* ---- the order ------------------------------------------------------------------------------- */

size_t c3d_order_bytes(const c3d_loader_desc *desc)
{
    const size_t of_class = sizeof(int) + sizeof(size_t) + sizeof(uint32_t);

    if (desc->balanced) return desc->list->n * of_class;
    return desc->n_groups > 1 ? desc->list->n * (sizeof(placed) + sizeof(uint32_t)) : 0;
}

c3d_status c3d_order_create(const c3d_loader_desc *desc, c3d_order **out)
{
    c3d_order *order = c3d_calloc(1, sizeof *order);
    c3d_status st = C3D_OK;

    if (!order) return C3D_ENOMEM;
    order->list = desc->list;
    order->shuffle = desc->shuffle;
    order->balanced = desc->balanced;
    order->seed = desc->seed;
    order->n_groups = desc->n_groups > 1 ? (uint64_t)desc->n_groups : 1;
    order->micro_batch = (uint64_t)desc->micro_batch;
    if (desc->balanced)
        st = group_by_class(order, c3d_dataset_get_samples(desc->dataset));
    else if (order->n_groups > 1)
        st = group_by_place(order, desc->dataset);
    if (st != C3D_OK) {
        c3d_order_destroy(order);
        return st;
    }
    *out = order;
    return C3D_OK;
}

void c3d_order_destroy(c3d_order *order)
{
    if (!order) return;
    free(order->labels);
    free(order->begin);
    free(order->index);
    free(order);
}

/* Element i of the permutation of 0..n-1 that (seed, detail, nth) names. */
static uint64_t permuted(uint64_t seed, uint64_t detail, uint64_t nth, uint64_t n, uint64_t i)
{
    const uint64_t stream = C3D_STREAM(C3D_PURPOSE_CLASSES, detail);

    return c3d_random_permute(c3d_random_u64(seed, stream, nth), stream, n, i);
}

/* Draws of a class are numbered through all epochs, so that a large class is shown evenly although
 * no epoch has room for all of it. */
static c3d_place balanced_place(const c3d_order *order, int64_t epoch, uint64_t i)
{
    const uint64_t n_rounds = (order->list->n - 1) / order->n_classes + 1;
    const uint64_t first = (uint64_t)epoch * n_rounds, draw = first + i / order->n_classes;
    const uint64_t k = permuted(order->seed, 0, draw, order->n_classes, i % order->n_classes);
    const uint64_t n = order->begin[k + 1] - order->begin[k];
    const uint64_t at =
        permuted(order->seed, 1 + (uint64_t)(uint32_t)order->labels[k], draw / n, n, draw % n);

    return (c3d_place){ .index = order->index[order->begin[k] + at],
                        .turn = (uint32_t)(draw / n - first / n) };
}

/* Micro-batch i / m of the epoch is number i / m / G of its group. */
static c3d_place grouped_place(const c3d_order *order, int64_t epoch, uint64_t i)
{
    const uint64_t m = order->micro_batch, n_groups = order->n_groups, g = i / m % n_groups;
    const uint64_t at = i / m / n_groups * m + i % m;
    const uint64_t stream = C3D_STREAM(C3D_PURPOSE_EPOCH, (uint64_t)epoch | g << 32);
    const uint64_t n = order->begin[g + 1] - order->begin[g];

    return (c3d_place){
        .index = order->index[order->begin[g] + c3d_random_permute(order->seed, stream, n, at)]
    };
}

c3d_place c3d_order_at(const c3d_order *order, int64_t epoch, uint64_t i)
{
    const c3d_list *list = order->list;

    if (order->balanced) return balanced_place(order, epoch, i);
    if (order->n_groups > 1) return grouped_place(order, epoch, i);
    if (!order->shuffle) return (c3d_place){ .index = list->index[i] };
    return (c3d_place){ .index = list->index[c3d_random_permute(
                            order->seed, C3D_STREAM(C3D_PURPOSE_EPOCH, epoch), list->n, i)] };
}
