/* Splits and folds of a list: as it says, or dealt by its groups. */
#include "import.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 100 };

/* ---- groups ---------------------------------------------------------------------------------- */

typedef struct grouping {
    size_t n;                       /* scenes */
    int n_keys;                     /* columns of groups */
    size_t *key[IMPORT_GROUPS_MAX]; /* [n_keys][n] numbers of their values */
    size_t n_values[IMPORT_GROUPS_MAX];
} grouping;

static void free_grouping(grouping *of)
{
    for (int k = 0; k < IMPORT_GROUPS_MAX; k++) free(of->key[k]);
}

/* A scene's group is that of its first row; its other rows must agree. */
static c3d_status find_groups(const import_list *list, const import_scenes *scenes,
                              import_mistakes *mistakes, grouping *out)
{
    const char **texts = c3d_calloc(scenes->n + 1, sizeof *texts);
    c3d_status st = texts ? C3D_OK : C3D_ENOMEM;

    out->n = scenes->n;
    out->n_keys = list->n_groups;
    for (int k = 0; st == C3D_OK && k < out->n_keys; k++) {
        for (size_t s = 0; s < scenes->n; s++) {
            texts[s] = list->rows[scenes->pieces[scenes->first[s]].row].groups[k];
            for (size_t i = scenes->first[s] + 1; i < scenes->first[s + 1]; i++) {
                const import_row *row = &list->rows[scenes->pieces[i].row];
                if (strcmp(row->groups[k], texts[s]) != 0)
                    c3d_import_mistake(mistakes, row->line,
                                       "group %.60s, but scene %.100s has %.60s before",
                                       row->groups[k], row->scene, texts[s]);
            }
        }
        out->key[k] = c3d_calloc(scenes->n + 1, sizeof *out->key[k]);
        st = out->key[k] ? c3d_import_number(texts, scenes->n, out->key[k], &out->n_values[k])
                         : C3D_ENOMEM;
    }
    free(texts);
    return st;
}

/* ---- dealing --------------------------------------------------------------------------------- */

/* A group, judged by its rarest class. */
typedef struct unit {
    size_t number;
    size_t n; /* scenes of that class; 0: it has no scene */
    uint64_t draw;
    int class;
} unit;

typedef struct dealing {
    const c3d_dataset_desc *desc;
    const c3d_frames *frames;
    int n_parts;
    size_t n_classes; /* labels from 0 on, and last what has none */
    double shares[PARTS_MAX];
    size_t n_units;
    unit *units;
    size_t *counts; /* [n_units, n_classes] scenes */
    size_t *totals; /* [n_classes] */
    size_t *have;   /* [n_parts, n_classes] */
    size_t have_all[PARTS_MAX];
    int *rank;    /* [n_classes] 0: the rarest */
    int *part_of; /* [n_units] */
} dealing;

static size_t class_of(const dealing *d, size_t frame)
{
    const c3d_frames *frames = d->frames;
    c3d_frame_label label = C3D_FRAME_UNLABELLED;

    for (int k = 0; k < frames->n_years; k++) {
        const c3d_frame_label now = frames->labels[frame * (size_t)frames->n_years + (size_t)k];
        if (now > label) label = now;
    }
    return label >= 0 ? (size_t)label : d->n_classes - 1;
}

static void rank_classes(dealing *d)
{
    const size_t last = d->n_classes - 1;

    d->rank[last] = (int)last;
    for (size_t c = 0; c < last; c++)
        for (size_t other = 0; other < last; other++)
            d->rank[c] +=
                d->totals[other] < d->totals[c] || (d->totals[other] == d->totals[c] && other < c);
}

/* Rare classes first, so that every part gets some; in a class the large groups, and of groups of
 * one size those that are drawn. */
static int by_need(const void *a, const void *b)
{
    const unit *x = a, *y = b;

    if (x->class != y->class) return x->class < y->class ? -1 : 1;
    if (x->n != y->n) return x->n > y->n ? -1 : 1;
    if (x->draw != y->draw) return x->draw < y->draw ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* unit.class is the rank while they are sorted. */
static void order_units(dealing *d, uint64_t stream)
{
    for (size_t u = 0; u < d->n_units; u++) {
        const size_t *counts = &d->counts[u * d->n_classes];
        size_t rarest = d->n_classes;

        for (size_t c = 0; c < d->n_classes; c++)
            if (counts[c] > 0 && (rarest == d->n_classes || d->rank[c] < d->rank[rarest]))
                rarest = c;
        const bool is_empty = rarest == d->n_classes;
        d->units[u] =
            (unit){ u, is_empty ? 0 : counts[rarest], c3d_random_u64(d->desc->seed, stream, u),
                    is_empty ? (int)rarest : d->rank[rarest] };
    }
    qsort(d->units, d->n_units, sizeof *d->units, by_need);
}

/* The part that lacks most of its share of the class, then of everything. */
static int neediest(const dealing *d, size_t class)
{
    double worst = 0;
    int found = -1;

    for (int p = 0; p < d->n_parts; p++) {
        if (!(d->shares[p] > 0)) continue;
        const size_t have = d->have[(size_t)p * d->n_classes + class];
        const double fill = (double)have / (d->shares[p] * (double)d->totals[class]) +
                            1e-6 * (double)d->have_all[p] / (d->shares[p] * (double)d->frames->n);
        if (found >= 0 && !(fill < worst)) continue;
        worst = fill;
        found = p;
    }
    return found;
}

static void deal_units(dealing *d)
{
    for (size_t i = 0; i < d->n_units && d->units[i].n > 0; i++) {
        const size_t u = d->units[i].number;
        const size_t *counts = &d->counts[u * d->n_classes];
        size_t class = 0;

        while (d->rank[class] != d->units[i].class) class ++;
        const int part = neediest(d, class);
        d->part_of[u] = part;
        for (size_t c = 0; c < d->n_classes; c++) {
            d->have[(size_t)part * d->n_classes + c] += counts[c];
            d->have_all[part] += counts[c];
        }
    }
}

static void tell_lacking(const dealing *d, const char *what)
{
    for (int p = 0; p < d->n_parts; p++)
        for (size_t c = 0; c + 1 < d->n_classes; c++)
            if (d->shares[p] > 0 && d->totals[c] > 0 && d->have[(size_t)p * d->n_classes + c] == 0)
                c3d_log_warn("%s %d has no scene of class %s: too few groups have it", what, p,
                             c3d_frame_label_name(d->frames, (c3d_frame_label)c));
}

/* units [n scenes]: which unit a scene belongs to; parts_out likewise. */
static c3d_status deal(dealing *d, const size_t *units, uint64_t stream, int *parts_out)
{
    const size_t n_classes = (size_t)(2 + c3d_frames_n_labels(d->frames));
    const size_t n = d->frames->n;

    C3D_ASSERT(units != NULL);
    d->n_classes = n_classes;
    d->units = c3d_calloc(d->n_units + 1, sizeof *d->units);
    d->counts = c3d_calloc((d->n_units + 1) * n_classes, sizeof *d->counts);
    d->totals = c3d_calloc(n_classes, sizeof *d->totals);
    d->have = c3d_calloc((size_t)d->n_parts * n_classes, sizeof *d->have);
    d->rank = c3d_calloc(n_classes, sizeof *d->rank);
    d->part_of = c3d_calloc(d->n_units + 1, sizeof *d->part_of);
    if (!d->units || !d->counts || !d->totals || !d->have || !d->rank || !d->part_of)
        return C3D_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        d->counts[units[i] * n_classes + class_of(d, i)]++;
        d->totals[class_of(d, i)]++;
    }
    rank_classes(d);
    order_units(d, stream);
    deal_units(d);
    for (size_t i = 0; i < n; i++) parts_out[i] = d->part_of[units[i]];
    return C3D_OK;
}

static void free_dealing(dealing *d)
{
    free(d->units);
    free(d->counts);
    free(d->totals);
    free(d->have);
    free(d->rank);
    free(d->part_of);
}

/* ---- scenes that share a further group ------------------------------------------------------- */

typedef struct member {
    size_t value, scene;
    int part;
} member;

static int by_value(const void *a, const void *b)
{
    const member *x = a, *y = b;

    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    if (x->part != y->part) return x->part < y->part ? -1 : 1;
    return (x->scene > y->scene) - (x->scene < y->scene);
}

/* Of [n] members of one value, by part: all but those of the largest part leave. */
static size_t keep_one_part(const member *members, size_t n, int *parts)
{
    size_t best = 0, n_best = 0, n_out = 0;

    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && members[end].part == members[i].part;) end++;
        if (end - i > n_best) {
            n_best = end - i;
            best = i;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (members[i].part == members[best].part) continue;
        parts[members[i].scene] = -1;
        n_out++;
    }
    return n_out;
}

/* parts: -1 for a scene that is in none. */
static c3d_status part_company(const grouping *groups, int *parts)
{
    member *members = c3d_calloc(groups->n + 1, sizeof *members);

    if (!members) return C3D_ENOMEM;
    for (int k = 1; k < groups->n_keys; k++) {
        size_t n = 0, n_out = 0;
        for (size_t s = 0; s < groups->n; s++)
            if (parts[s] >= 0) members[n++] = (member){ groups->key[k][s], s, parts[s] };
        qsort(members, n, sizeof *members, by_value);
        for (size_t i = 0, end; i < n; i = end) {
            for (end = i; end < n && members[end].value == members[i].value;) end++;
            n_out += keep_one_part(members + i, end - i, parts);
        }
        if (n_out > 0)
            c3d_log_run("import: %zu scenes are in no split: others of their group (column %d of "
                        "data.list.group) are in another one",
                        n_out, k + 1);
    }
    free(members);
    return C3D_OK;
}

/* ---- groups as one number -------------------------------------------------------------------- */

static size_t root_of(size_t *parent, size_t i)
{
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

/* Joins scenes that share any group, as far as they are in a split. */
static c3d_status number_groups(const grouping *groups, const int *parts, c3d_frames *frames)
{
    size_t *parent = c3d_calloc(groups->n + 1, sizeof *parent);
    size_t *first = NULL;
    int64_t n = 0;

    if (!parent) return C3D_ENOMEM;
    for (size_t s = 0; s < groups->n; s++) parent[s] = s;
    for (int k = 0; k < groups->n_keys; k++) {
        first = c3d_calloc(groups->n_values[k] + 1, sizeof *first);
        if (!first) {
            free(parent);
            return C3D_ENOMEM;
        }
        for (size_t s = 0; s < groups->n; s++) {
            size_t *other = &first[groups->key[k][s]]; /* scene + 1 */
            if (parts[s] < 0) continue;
            if (*other == 0) *other = s + 1;
            parent[root_of(parent, s)] = root_of(parent, *other - 1);
        }
        free(first);
    }
    for (size_t s = 0; s < groups->n && groups->n_keys > 0; s++) {
        const size_t root = root_of(parent, s);
        if (frames->rows[root].group == 0) frames->rows[root].group = ++n;
        frames->rows[s].group = frames->rows[root].group;
    }
    free(parent);
    return C3D_OK;
}

/* ---- splits and folds ------------------------------------------------------------------------ */

static void take_listed(const import_list *list, const import_scenes *scenes,
                        import_mistakes *mistakes, c3d_frames *frames)
{
    for (size_t s = 0; s < scenes->n; s++) {
        const import_row *first = &list->rows[scenes->pieces[scenes->first[s]].row];

        if (list->has_split && !first->has_split)
            c3d_import_mistake(mistakes, first->line, "no split; none keeps a scene out");
        if (list->has_fold && first->fold < 0 && first->split != C3D_SPLIT_NONE)
            c3d_import_mistake(mistakes, first->line, "no fold");
        frames->rows[s].split = first->split;
        frames->rows[s].fold = first->fold > 0 ? first->fold : 0;
        for (size_t i = scenes->first[s] + 1; i < scenes->first[s + 1]; i++) {
            const import_row *row = &list->rows[scenes->pieces[i].row];
            if (row->split != first->split || row->fold != first->fold)
                c3d_import_mistake(mistakes, row->line,
                                   "another split or fold than scene %.100s has before",
                                   row->scene);
        }
    }
}

/* As data.fold: 0 sees them. */
static c3d_split split_of_fold(int fold)
{
    return fold == 0 ? C3D_SPLIT_TEST : fold == 1 ? C3D_SPLIT_VALIDATION : C3D_SPLIT_TRAIN;
}

static c3d_status deal_parts(const c3d_dataset_desc *desc, const grouping *groups, bool folds,
                             const c3d_frames *frames, int *parts)
{
    dealing d = { .desc = desc, .frames = frames, .n_parts = folds ? desc->folds : C3D_N_SPLITS };
    size_t *own = NULL;
    c3d_status st = C3D_OK;

    for (int p = 0; p < d.n_parts; p++)
        d.shares[p] = folds ? 1.0 / desc->folds : desc->split_shares[p];
    d.n_units = groups->n_keys > 0 ? groups->n_values[0] : frames->n;
    if (groups->n_keys == 0) {
        own = c3d_calloc(frames->n + 1, sizeof *own);
        if (!own) return C3D_ENOMEM;
        for (size_t i = 0; i < frames->n; i++) own[i] = i;
    }
    st = deal(&d, own ? own : groups->key[0],
              C3D_STREAM(folds ? C3D_PURPOSE_FOLD : C3D_PURPOSE_SPLIT, 0), parts);
    if (st == C3D_OK) tell_lacking(&d, folds ? "fold" : "split");
    free_dealing(&d);
    free(own);
    return st;
}

static c3d_status deal_rest(const c3d_dataset_desc *desc, const import_list *list,
                            const grouping *groups, int *parts, c3d_frames *frames)
{
    const bool deal_folds = desc->folds > 1 && !list->has_fold;
    const bool by_fold = deal_folds || list->has_fold;

    if (deal_folds || !(list->has_split || list->has_fold)) {
        C3D_TRY(deal_parts(desc, groups, deal_folds, frames, parts));
        C3D_TRY(part_company(groups, parts));
        for (size_t i = 0; i < frames->n; i++) {
            c3d_frame *frame = &frames->rows[i];
            if (deal_folds && parts[i] >= 0) frame->fold = parts[i];
            if (!by_fold) frame->split = parts[i] < 0 ? C3D_SPLIT_NONE : (c3d_split)parts[i];
        }
    }
    for (size_t i = 0; i < frames->n && by_fold; i++) {
        c3d_frame *frame = &frames->rows[i];
        if (!list->has_split) frame->split = split_of_fold(frame->fold);
        if (deal_folds && parts[i] < 0) frame->split = C3D_SPLIT_NONE;
    }
    for (size_t i = 0; i < frames->n; i++)
        if (frames->rows[i].split == C3D_SPLIT_NONE) parts[i] = -1;
    return C3D_OK;
}

c3d_status c3d_import_deal(const c3d_dataset_desc *desc, const import_list *list,
                           const import_scenes *scenes, import_mistakes *mistakes,
                           c3d_frames *frames)
{
    grouping groups = { 0 };
    int *parts = c3d_calloc(scenes->n + 1, sizeof *parts);
    c3d_status st = parts ? C3D_OK : C3D_ENOMEM;

    if (desc->folds > PARTS_MAX)
        st = C3D_FAIL(C3D_ECONFIG, "data.folds: %d is outside [0, %d]", desc->folds, PARTS_MAX);
    if (st == C3D_OK) st = find_groups(list, scenes, mistakes, &groups);
    if (st == C3D_OK) {
        take_listed(list, scenes, mistakes, frames);
        st = deal_rest(desc, list, &groups, parts, frames);
    }
    if (st == C3D_OK) st = number_groups(&groups, parts, frames);
    free_grouping(&groups);
    free(parts);
    return st;
}
