/* The score of a place month by month: a window over its stored months that ends in each. */
#include "train/history.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- frames ---------------------------------------------------------------------------------- */

static int by_frame(const void *a, const void *b)
{
    const c3d_sample *const *x = a, *const *y = b;

    return ((*x)->frame_id > (*y)->frame_id) - ((*x)->frame_id < (*y)->frame_id);
}

static c3d_status find_frames(c3d_history *h)
{
    const c3d_list *list = h->desc->evaluator->list;
    const c3d_samples *samples = c3d_dataset_get_samples(h->dataset);
    const c3d_sample **sorted = c3d_calloc(list->n, sizeof *sorted);

    h->frame_ids = c3d_calloc(list->n, sizeof *h->frame_ids);
    h->labels = c3d_calloc(list->n, sizeof *h->labels);
    if (!sorted || !h->frame_ids || !h->labels) {
        free(sorted);
        return C3D_ENOMEM;
    }
    for (size_t i = 0; i < list->n; i++) sorted[i] = &samples->rows[list->index[i]];
    qsort(sorted, list->n, sizeof *sorted, by_frame);
    for (size_t i = 0; i < list->n; i++) {
        if (i == 0 || sorted[i]->frame_id != sorted[i - 1]->frame_id)
            h->frame_ids[h->n_frames++] = sorted[i]->frame_id;
        if (sorted[i]->label > h->labels[h->n_frames - 1])
            h->labels[h->n_frames - 1] = sorted[i]->label;
    }
    free(sorted);
    return C3D_OK;
}

static int compare_ids(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Months that no sample of the list shows may have been trained on, where years are split. */
static void warn_of_years(const c3d_history *h)
{
    const c3d_samples *samples = c3d_dataset_get_samples(h->dataset);
    const c3d_split split =
        samples->rows[h->desc->evaluator->list->index[0]].split; /* all of the list have it */

    for (size_t i = 0; i < samples->n; i++) {
        const c3d_sample *s = &samples->rows[i];
        if (s->split == split || s->split != C3D_SPLIT_TRAIN || split == C3D_SPLIT_TRAIN) continue;
        if (!bsearch(&s->frame_id, h->frame_ids, h->n_frames, sizeof s->frame_id, compare_ids))
            continue;
        c3d_log_warn("history: frame %" PRId64 " of split %s has months that were trained on, too "
                     "(data.split: years): their scores say little",
                     s->frame_id, h->desc->split);
        return;
    }
}

/* ---- windows --------------------------------------------------------------------------------- */

static bool is_whole(const float *shares, int first, int n)
{
    for (int m = first; m < first + n; m++)
        if (isnan(shares[m])) return false;
    return true;
}

/* What a network sees of a sample, it sees of a window; one that sees a single month as it is gets
 * that month. */
static void find_window(c3d_history *h)
{
    const c3d_evaluator_desc *evaluator = h->desc->evaluator;
    const c3d_samples *samples = c3d_dataset_get_samples(h->dataset);
    const c3d_net *net = c3d_net_find(evaluator->network.model.network);

    h->n_shown = evaluator->network.model.x.d;
    h->step = c3d_dataset_get_month_step(h->dataset);
    if (!net || !net->one_slice) return;
    h->n_shown = 1;
    if (evaluator->network.slice != C3D_SLICE_MEDIAN) return;
    h->n_shown = samples->rows[evaluator->list->index[0]].n_months;
    for (size_t i = 1; i < evaluator->list->n; i++) {
        const int n_months = samples->rows[evaluator->list->index[i]].n_months;
        if (n_months < h->n_shown) h->n_shown = n_months;
    }
}

static void add_windows(c3d_history *h, size_t frame)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(h->dataset);
    const float *shares = h->shares + frame * (size_t)h->n_months;
    const int span = c3d_history_span(h->n_shown, h->step);

    for (int last = span - 1; last < h->n_months; last++) {
        const int first = last - span + 1;
        if (!is_whole(shares, first, span)) continue;
        h->last[h->n] = last;
        h->windows[h->n] = (c3d_sample){ .sample_id = (int64_t)h->n,
                                         .frame_id = h->frame_ids[frame],
                                         .first_month = c3d_dataset_month(info, first),
                                         .n_months = span,
                                         .label = h->labels[frame],
                                         .split = C3D_SPLIT_TEST,
                                         .fold = -1 };
        h->n++;
    }
    h->first[frame + 1] = h->n;
}

static c3d_status find_windows(c3d_history *h)
{
    h->n_months = c3d_dataset_n_months(c3d_dataset_get_info(h->dataset));
    const size_t n_most = h->n_frames * (size_t)h->n_months;
    h->shares = c3d_calloc(n_most, sizeof *h->shares);
    h->windows = c3d_calloc(n_most, sizeof *h->windows);
    h->last = c3d_calloc(n_most, sizeof *h->last);
    h->first = c3d_calloc(h->n_frames + 1, sizeof *h->first);
    if (!h->shares || !h->windows || !h->last || !h->first) return C3D_ENOMEM;
    C3D_TRY(c3d_dataset_valid_shares(h->dataset, h->frame_ids, h->n_frames, h->shares));
    find_window(h);
    for (size_t i = 0; i < h->n_frames; i++) add_windows(h, i);
    h->scores = c3d_calloc(h->n + 1, sizeof *h->scores);
    if (h->n > 0) return h->scores ? C3D_OK : C3D_ENOMEM;
    return C3D_FAIL(C3D_EDATA, "history: no frame of split %s has %d stored months in a row",
                    h->desc->split, c3d_history_span(h->n_shown, h->step));
}

/* ---- scores ---------------------------------------------------------------------------------- */

static c3d_status list_all(size_t n, c3d_list *out)
{
    *out = (c3d_list){ .n = n, .index = c3d_calloc(n, sizeof *out->index) };
    if (!out->index) return C3D_ENOMEM;
    for (size_t i = 0; i < n; i++) out->index[i] = (uint32_t)i;
    return C3D_OK;
}

static c3d_status open_view(const c3d_history_desc *desc, const c3d_history_view *of,
                            c3d_dataset **view, c3d_list *list, c3d_evaluator **out)
{
    c3d_evaluator_desc evaluator = *desc->evaluator;

    C3D_TRY(c3d_dataset_view(&of->view, view));
    if (of->step > 1) C3D_TRY(c3d_dataset_choose_time(*view, C3D_TIME_STRIDE, of->n_shown));
    C3D_TRY(list_all(of->view.n, list));
    evaluator.dataset = *view;
    evaluator.list = list;
    evaluator.with_log_odds = of->with_log_odds;
    C3D_TRY(c3d_evaluator_create(&evaluator, out));
    return c3d_evaluator_read(*out, desc->file);
}

c3d_status c3d_history_score_view(const c3d_history_desc *desc, const c3d_history_view *of,
                                  c3d_evaluation *out)
{
    c3d_dataset *view = NULL;
    c3d_list list = { 0 };
    c3d_evaluator *evaluator = NULL;
    c3d_status st =
        c3d_comm_agree_status(desc->evaluator->comm, open_view(desc, of, &view, &list, &evaluator));

    if (st == C3D_OK) st = c3d_evaluator_run(evaluator, of->label, out);
    c3d_evaluator_destroy(evaluator);
    c3d_list_free(&list);
    c3d_dataset_close(view);
    return st;
}

static c3d_status score_windows(c3d_history *h)
{
    const int n_outputs = h->desc->evaluator->network.model.outputs;
    const c3d_history_view of = {
        .view = { .of = h->dataset, .n = h->n, .samples = h->windows },
        .n_shown = h->n_shown,
        .step = h->step,
        .label = "history",
    };

    c3d_evaluation ev = { 0 };

    C3D_TRY(c3d_history_score_view(h->desc, &of, &ev));
    h->all_scores = ev.scores;
    ev.scores = NULL;
    c3d_evaluation_free(&ev);
    for (size_t i = 0; h->all_scores && i < h->n; i++) /* on rank 0 */
        h->scores[i] = c3d_history_score(h->all_scores + i * (size_t)n_outputs, n_outputs);
    return C3D_OK;
}

static c3d_status prepare(c3d_history *h)
{
    C3D_TRY(find_frames(h));
    warn_of_years(h);
    return find_windows(h);
}

static void free_history(c3d_history *h)
{
    free(h->frame_ids);
    free(h->labels);
    free(h->shares);
    free(h->windows);
    free(h->last);
    free(h->first);
    free(h->scores);
    free(h->all_scores);
}

c3d_status c3d_history_run(const c3d_history_desc *desc)
{
    c3d_comm *comm = desc->evaluator->comm;
    c3d_history h = { .desc = desc, .dataset = desc->evaluator->dataset };
    c3d_status st = c3d_comm_agree_status(comm, prepare(&h));

    if (st == C3D_OK) st = score_windows(&h);
    if (st == C3D_OK)
        st = c3d_comm_agree_status(comm, comm->rank == 0 ? c3d_history_write(&h) : C3D_OK);
    if (st == C3D_OK && desc->n_each != 0) st = c3d_history_occlude(&h);
    free_history(&h);
    return st;
}
