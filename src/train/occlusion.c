/* What single months weigh: samples scored again with one of their months as if it were missing
 * (after Zeiler and Fergus 2014, who hid parts of an image). */
#include "train/history.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { HIT, MISS, FALSE_ALARM, REJECTION, N_KINDS } kind;
static const char *const kind_names[] = { "hit", "miss", "false_alarm", "correct_rejection" };

/* ---- which samples --------------------------------------------------------------------------- */

/* A sample of the list, as it was scored. */
typedef struct candidate {
    size_t at; /* in the list */
    float score;
    kind kind;
} candidate;

static bool is_high_first(kind k)
{
    return k == HIT || k == FALSE_ALARM;
}

/* By kind, the surest first; equal ones in the order of the list. */
static int surest_first(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    if (x->score < y->score) return is_high_first(x->kind) ? 1 : -1;
    if (x->score > y->score) return is_high_first(x->kind) ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static kind kind_of(bool is_positive, bool is_found)
{
    if (is_positive) return is_found ? HIT : MISS;
    return is_found ? FALSE_ALARM : REJECTION;
}

/* Rank 0: the surest n_each hits, misses and false alarms, or all samples (n_each < 0). */
static size_t choose(const c3d_history *h, candidate *all)
{
    const c3d_evaluation *ev = h->desc->evaluation;
    const int n_each = h->desc->n_each;
    size_t n_of[N_KINDS] = { 0 }, n = 0;

    for (size_t i = 0; i < ev->n; i++) {
        const float score =
            c3d_history_score(ev->scores + i * (size_t)ev->n_outputs, ev->n_outputs);
        all[i] =
            (candidate){ i, score, kind_of(ev->labels[i] > 0, (double)score > h->desc->threshold) };
    }
    qsort(all, ev->n, sizeof *all, surest_first);
    for (size_t i = 0; i < ev->n; i++) {
        const size_t nth = n_of[all[i].kind]++;
        if (n_each < 0 || (nth < (size_t)n_each && all[i].kind != REJECTION)) all[n++] = all[i];
    }
    return n;
}

/* To all ranks: [n], given. */
static c3d_status share_choice(const c3d_history *h, candidate **out, size_t *n_out)
{
    c3d_comm *comm = h->desc->evaluator->comm;
    candidate *chosen = c3d_calloc(h->desc->evaluator->list->n, sizeof *chosen);
    uint64_t n = 0;
    c3d_status st = c3d_comm_agree_status(comm, chosen ? C3D_OK : C3D_ENOMEM);

    if (st == C3D_OK && chosen && comm->rank == 0) n = choose(h, chosen);
    if (st == C3D_OK) st = c3d_comm_share(comm, &n, sizeof n);
    if (st == C3D_OK) st = c3d_comm_share(comm, chosen, n * sizeof *chosen);
    if (st != C3D_OK) {
        free(chosen);
        return st;
    }
    *out = chosen;
    *n_out = n;
    return C3D_OK;
}

/* ---- scoring them ---------------------------------------------------------------------------- */

/* Every chosen sample once for each month that it shows, and behind all these once with all. */
typedef struct table {
    size_t n, n_hidden; /* rows; those without a month */
    c3d_sample *samples;
    uint32_t *drawn_as;
    c3d_date *hidden;
} table;

static void free_table(table *t)
{
    free(t->samples);
    free(t->drawn_as);
    free(t->hidden);
}

static void add_row(table *t, const c3d_sample *sample, uint32_t index, c3d_date hidden)
{
    t->samples[t->n] = *sample;
    t->drawn_as[t->n] = index;
    t->hidden[t->n++] = hidden;
}

/* Samples of another length than the first cannot be of one network but where it sees one month. */
static c3d_status make_table(const c3d_history *h, const candidate *chosen, size_t n, table *t)
{
    const c3d_list *list = h->desc->evaluator->list;
    const c3d_sample *rows = c3d_dataset_get_samples(h->dataset)->rows;
    const int step = c3d_dataset_get_month_step(h->dataset);
    size_t n_most = 1;

    for (size_t i = 0; i < n; i++) n_most += (size_t)rows[list->index[chosen[i].at]].n_months + 1;
    t->samples = c3d_calloc(n_most, sizeof *t->samples);
    t->drawn_as = c3d_calloc(n_most, sizeof *t->drawn_as);
    t->hidden = c3d_calloc(n_most, sizeof *t->hidden);
    if (!t->samples || !t->drawn_as || !t->hidden) return C3D_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const uint32_t index = list->index[chosen[i].at];
        const int n_months = rows[index].n_months;
        c3d_dataset_shown_months(h->dataset, index, t->hidden + t->n);
        c3d_sample sample = rows[index];
        sample.first_month = t->hidden[t->n];
        sample.n_months = c3d_history_span(n_months, step);
        for (int m = 0; m < n_months; m++) add_row(t, &sample, index, t->hidden[t->n]);
    }
    t->n_hidden = t->n;
    for (size_t i = 0, row = 0; i < n; i++) {
        const uint32_t index = t->drawn_as[row];
        add_row(t, &t->samples[row], index, 0);
        row += (size_t)rows[index].n_months;
    }
    return C3D_OK;
}

static c3d_status score_table(const c3d_history *h, const table *t, c3d_evaluation *out)
{
    const c3d_history_view of = {
        .view = { .of = h->dataset,
                  .n = t->n,
                  .samples = t->samples,
                  .drawn_as = t->drawn_as,
                  .hidden = t->hidden },
        .n_shown = c3d_dataset_get_samples(h->dataset)->rows[t->drawn_as[0]].n_months,
        .step = c3d_dataset_get_month_step(h->dataset),
        .with_log_odds = true,
        .label = "occlusion",
    };

    return c3d_history_score_view(h->desc, &of, out);
}

/* ---- the file -------------------------------------------------------------------------------- */

static int64_t frame_of(const c3d_history *h, int64_t frame_id)
{
    size_t f = 0;

    while (h->frame_ids[f] != frame_id) f++;
    return (int64_t)f;
}

static double share_of(const c3d_history *h, int64_t frame, c3d_date month)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(h->dataset);
    int m = 0;

    while (c3d_dataset_month(info, m) != month) m++;
    return (double)h->shares[frame * h->n_months + m];
}

/* row, whole: of the sample's first month, and of all its months. */
static void put_sample(const c3d_history *h, const candidate *of, const table *t, size_t row,
                       size_t whole, const c3d_evaluation *ev, FILE *file)
{
    const c3d_sample *sample = &c3d_dataset_get_samples(h->dataset)->rows[t->drawn_as[row]];
    const int64_t frame = frame_of(h, sample->frame_id);
    char month[12];

    for (int m = 0; m < sample->n_months; m++, row++) {
        const double without =
            (double)c3d_history_score(ev->scores + row * (size_t)ev->n_outputs, ev->n_outputs);
        const double change = (double)ev->log_odds[row] - (double)ev->log_odds[whole];
        (void)fprintf(file, "%" PRId64 ",%" PRId64 ",%s,%.9g,%.9g,%.9g,%d,%s,%.6g,",
                      sample->sample_id, sample->frame_id, c3d_date_text(t->hidden[row], month),
                      without, without - (double)of->score, (double)of->score, sample->label,
                      kind_names[of->kind], share_of(h, frame, t->hidden[row]));
        if (isfinite(change)) (void)fprintf(file, "%.9g", change);
        (void)fputs("\n", file);
    }
}

static c3d_status write_file(const c3d_history *h, const candidate *chosen, size_t n,
                             const table *t, const c3d_evaluation *ev)
{
    char path[C3D_PATH_MAX], name[64];
    size_t row = 0;
    FILE *file;

    (void)snprintf(name, sizeof name, "occlusion-%s.csv", h->desc->split);
    C3D_TRY(c3d_path_join(path, h->desc->dir, name));
    C3D_TRY(c3d_file_open_new(path, &file));
    (void)fputs("sample_id,frame_id,month,score_without,change,score,label,kind,valid_share,"
                "change_logit\n",
                file);
    for (size_t i = 0; i < n; i++) {
        put_sample(h, &chosen[i], t, row, t->n_hidden + i, ev, file);
        row += (size_t)c3d_dataset_get_samples(h->dataset)->rows[t->drawn_as[row]].n_months;
    }
    return c3d_file_commit(path, file);
}

static void say(const c3d_history *h, const candidate *chosen, size_t n)
{
    size_t n_of[N_KINDS] = { 0 };

    for (size_t i = 0; i < n; i++) n_of[chosen[i].kind]++;
    c3d_log_run("occlusion, %s: each month taken from %zu %s: %zu hits, %zu misses, %zu false "
                "alarms, %zu correct rejections",
                h->desc->split, n, h->desc->n_each < 0 ? "samples" : "of the surest", n_of[HIT],
                n_of[MISS], n_of[FALSE_ALARM], n_of[REJECTION]);
}

c3d_status c3d_history_occlude(const c3d_history *history)
{
    c3d_comm *comm = history->desc->evaluator->comm;
    candidate *chosen = NULL;
    table t = { 0 };
    c3d_evaluation ev = { 0 };
    size_t n = 0;
    c3d_status st = share_choice(history, &chosen, &n);

    if (st == C3D_OK) st = c3d_comm_agree_status(comm, make_table(history, chosen, n, &t));
    if (st == C3D_OK && n > 0) st = score_table(history, &t, &ev);
    if (st == C3D_OK)
        st = c3d_comm_agree_status(comm, comm->rank == 0 ? write_file(history, chosen, n, &t, &ev)
                                                         : C3D_OK);
    if (st == C3D_OK) say(history, chosen, n);
    free_table(&t);
    free(chosen);
    c3d_evaluation_free(&ev);
    return st;
}
