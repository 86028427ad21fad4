/* What one key cannot know alone: required keys, rules between keys. */
#include "config/table.h"

#include <math.h>
#include <string.h>

/* ---- rules between keys ---------------------------------------------------------------------- */

/* A rule speaks only when the keys it looks at are right by themselves; it names the first. */
typedef struct rule {
    const char *keys[3];
    bool (*holds)(const c3d_config *config, char what[256]);
} rule;

static bool micro_fits(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256, "%d is larger than train.global_batch (%d)", c->train.micro_batch,
                   c->train.global_batch);
    return c->train.micro_batch <= c->train.global_batch;
}

static bool time_counted(const c3d_config *c, char what[256])
{
    const bool is_all = c->data.time == C3D_CONFIG_TIME_ALL;

    if (is_all)
        (void)snprintf(what, 256, "%d, but data.time is all", c->data.time_months);
    else
        (void)snprintf(what, 256, "needed by data.time: %s, not given",
                       c->data.time == C3D_CONFIG_TIME_WINDOW ? "window" : "stride");
    return is_all == (c->data.time_months == 0);
}

static bool shares_ordered(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256, "%.10g is larger than data.positive_share (%.10g)",
                   c->data.negative_share, c->data.positive_share);
    return c->data.negative_share <= c->data.positive_share;
}

static bool shares_sum(const c3d_config *c, char what[256])
{
    const double *s = c->data.split_shares.items;
    const double sum = s[0] + s[1] + s[2];
    bool is_share = c->data.split_shares.n == 3;

    (void)snprintf(what, 256, "%.10g + %.10g + %.10g = %.10g, expected shares with sum 1", s[0],
                   s[1], s[2], sum);
    for (int i = 0; i < 3; i++) is_share = is_share && s[i] >= 0 && s[i] <= 1;
    return is_share && fabs(sum - 1) <= 1e-6;
}

static bool aoi_ordered(const c3d_config *c, char what[256])
{
    const double *a = c->data.aoi.items;

    (void)snprintf(what, 256,
                   "expected x_min, y_min, x_max, y_max with x_min < x_max, y_min < y_max");
    return c->data.aoi.n == 0 || (a[0] < a[2] && a[1] < a[3]);
}

static bool is_date(const char *text)
{
    static const char form[] = "0000-00-00";
    const size_t n = strlen(text);
    int month = 0, day = 1;

    if (n != 7 && n != 10) return false;
    for (size_t i = 0; i < n; i++)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != '-') return false;
    (void)sscanf(text + 5, "%2d-%2d", &month, &day);
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static bool periods_ascending(const c3d_config *c, char what[256])
{
    const c3d_config_texts *periods = &c->data.periods;

    for (int i = 0; i < periods->n; i++) {
        const char *text = periods->items[i];
        (void)snprintf(what, 256, "%.60s: expected a month such as 2024-06", text);
        if (!is_date(text)) return false;
        (void)snprintf(what, 256, "%.60s is not later than %.60s", text,
                       i > 0 ? periods->items[i - 1] : "");
        if (i > 0 && strcmp(text, periods->items[i - 1]) <= 0) return false;
    }
    return true;
}

/* The digits of a date, months without a day before all days of theirs; 0: none, which is told
 * where dates are read. */
static int date_number(const char *text)
{
    int number = 0, n = 0;

    for (; *text && n < 8; text++) {
        if (*text < '0' || *text > '9') continue;
        number = 10 * number + (*text - '0');
        n++;
    }
    return n == 6 ? 100 * number : n == 8 ? number : 0;
}

static bool stack_ascending(const c3d_config *c, char what[256])
{
    const c3d_config_texts *dates = &c->data.list.stack_dates;

    if (c->data.list.stack != C3D_CONFIG_STACK_BY_DATE &&
        c->data.list.stack != C3D_CONFIG_STACK_BY_BAND)
        return true;
    for (int i = 1; i < dates->n; i++) {
        const int before = date_number(dates->items[i - 1]), here = date_number(dates->items[i]);
        (void)snprintf(what, 256, "%.60s is not later than %.60s", dates->items[i],
                       dates->items[i - 1]);
        if (before > 0 && here > 0 && here <= before) return false;
    }
    return true;
}

static bool fold_exists(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256, "%d, but data.folds is %d", c->data.fold, c->data.folds);
    return c->data.folds == 0 || c->data.fold < c->data.folds;
}

static bool positive_exists(const c3d_config *c, char what[256])
{
    const char *names[64];
    int n = 0;

    if (!c->data.positive[0]) return true;
    if (c->data.list.file[0] && c->data.label_classes.n == 0) return true; /* a list's own label */
    for (int i = 0; i < c->data.label_classes.n && n < 64; i++) {
        names[n++] = c->data.label_classes.items[i].name;
        if (strcmp(names[n - 1], c->data.positive) == 0) return true;
    }
    const char *near = c3d_nearest(c->data.positive, names, (size_t)n);
    (void)snprintf(what, 256, "%.60s is no class of data.label_classes%s%s%s", c->data.positive,
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return false;
}

static bool is_text_shared(const c3d_config_class *a, const c3d_config_class *b, char what[256])
{
    for (int i = 0; i < a->n_texts; i++) {
        for (int j = 0; j < b->n_texts; j++) {
            if (strcmp(a->texts[i], b->texts[j]) != 0) continue;
            (void)snprintf(what, 256, "%s is in %s and in %s", a->texts[i], b->name, a->name);
            return true;
        }
    }
    return false;
}

static bool ranges_disjoint(const c3d_config_classes *classes, const char *noun, char what[256])
{
    for (int i = 0; i < classes->n; i++) {
        for (int j = 0; j < i; j++) {
            if (is_text_shared(&classes->items[i], &classes->items[j], what)) return false;
            for (int a = 0; a < classes->items[i].n_ranges; a++) {
                for (int b = 0; b < classes->items[j].n_ranges; b++) {
                    const int *p = classes->items[i].ranges[a], *q = classes->items[j].ranges[b];
                    if (p[1] < q[0] || q[1] < p[0]) continue;
                    (void)snprintf(what, 256, "%s %d is in %s and in %s", noun,
                                   p[0] > q[0] ? p[0] : q[0], classes->items[j].name,
                                   classes->items[i].name);
                    return false;
                }
            }
        }
    }
    return true;
}

static bool classes_disjoint(const c3d_config *c, char what[256])
{
    return ranges_disjoint(&c->data.label_classes, "code", what);
}

static bool years_disjoint(const c3d_config *c, char what[256])
{
    return ranges_disjoint(&c->data.split_years, "year", what);
}

static bool years_of_splits(const c3d_config *c, char what[256])
{
    static const char *const names[] = { "train", "validation", "test" };

    for (int i = 0; i < c->data.split_years.n; i++) {
        const c3d_config_class *item = &c->data.split_years.items[i];
        bool is_split = false;
        for (int s = 0; s < 3; s++) is_split |= strcmp(item->name, names[s]) == 0;
        (void)snprintf(what, 256, "%.40s: expected train, validation or test", item->name);
        if (!is_split) return false;
        (void)snprintf(what, 256, "%d: expected a year", item->ranges[0][0]);
        for (int r = 0; r < item->n_ranges; r++)
            if (item->ranges[r][0] < 1000 || item->ranges[r][1] > 9999) return false;
    }
    return true;
}

static bool years_given(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256, "years, but data.split_years does not list years of %s",
                   c->data.split_years.n == 0 ? "any split" : "a split besides train");
    return c->data.split != C3D_CONFIG_SPLIT_YEARS || c->data.split_years.n > 1 ||
           (c->data.split_years.n == 1 && strcmp(c->data.split_years.items[0].name, "train") != 0);
}

static bool years_of_samples(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256,
                   "data.samples: series makes one sample of all years of a frame; years can be "
                   "split with yearly or monthly samples only");
    return c->data.split_years.n == 0 || c->data.samples != C3D_CONFIG_SAMPLES_SERIES;
}

static bool years_of_labels(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256, "labels of one data.label_period have one year only");
    return c->data.split_years.n == 0 || c->data.label_period.first == 0;
}

static bool polygons_given(const c3d_config *c, char what[256])
{
    const bool has_file = c->data.split_file[0] != 0;

    (void)snprintf(what, 256, "%s",
                   has_file ? "means something with data.split: polygons only"
                            : "needed by data.split: polygons, not given");
    return has_file == (c->data.split == C3D_CONFIG_SPLIT_POLYGONS);
}

static bool buffer_used(const c3d_config *c, char what[256])
{
    const bool is_random = c->data.split == C3D_CONFIG_SPLIT_RANDOM;

    (void)snprintf(what, 256, "%.10g, but data.split: %s deals %s, whatever lies next to them",
                   c->data.buffer_m, is_random ? "random" : "years",
                   is_random ? "single frames" : "years");
    return c->data.buffer_m == 0 || (!is_random && c->data.split != C3D_CONFIG_SPLIT_YEARS);
}

static bool folds_enough(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256,
                   "%d: one fold is for test and the next for validation: 0, or 3 and more",
                   c->data.folds);
    return c->data.folds == 0 || c->data.folds > 2;
}

static bool labels_complete(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256, "needs data.label_classes");
    return !c->data.labels[0] || c->data.label_classes.n > 0;
}

/* A directory, or a vector file with years in a field, is known only when it is looked into. */
static bool names_raster(const char *path)
{
    static const char *const ends[] = { ".tif", ".tiff", ".TIF", ".vrt", ".img" };
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; i < C3D_COUNT(ends); i++)
        if (dot && strcmp(dot, ends[i]) == 0) return true;
    return false;
}

static bool labels_dated(const c3d_config *c, char what[256])
{
    const bool is_yearly = strstr(c->data.labels, "{YYYY}") != NULL;
    const bool has_period = c->data.label_period.first != 0;

    if (strstr(c->data.labels, "{BAND}")) {
        (void)snprintf(what, 256, "{BAND} has no meaning for labels");
        return false;
    }
    (void)snprintf(what, 256, "%s",
                   is_yearly ? "has {YYYY}, so data.label_period means nothing"
                             : "has no {YYYY}, so data.label_period is needed");
    if (is_yearly) return !has_period;
    return has_period || !names_raster(c->data.labels);
}

static bool hard_named(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256, "%.10g, but data.hard_negatives names none",
                   c->data.hard_negative_share);
    return c->data.hard_negative_share == 0 || c->data.hard_negatives.n > 0;
}

static bool gamma_used(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256, "%.10g, but train.loss is cross_entropy", c->train.focal_gamma);
    return c->train.loss == C3D_CONFIG_LOSS_FOCAL || c->train.focal_gamma == 2;
}

static bool months_to_drop(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256, "%.10g, but cnn2d sees one month only",
                   c->data.augment.month_dropout);
    return c->data.augment.month_dropout == 0 || c->model.network != C3D_CONFIG_NETWORK_CNN2D;
}

static bool months_to_order(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256, "shuffled, but cnn2d sees one month only");
    return c->data.month_order == C3D_CONFIG_MONTH_ORDER_NATURAL ||
           c->model.network != C3D_CONFIG_NETWORK_CNN2D;
}

static bool groups_natural(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256,
                   "%d, but data.sampling: balanced draws each class from all samples: use 1 group",
                   c->data.stage_groups);
    return c->data.stage_groups == 1 || c->data.sampling == C3D_CONFIG_SAMPLING_NATURAL;
}

static bool groups_fit(const c3d_config *c, char what[256])
{
    const long long round = (long long)c->data.stage_groups * c->train.micro_batch;

    (void)snprintf(what, 256,
                   "%d micro-batches of %d are %lld samples, and train.global_batch (%d) is no "
                   "multiple of that",
                   c->data.stage_groups, c->train.micro_batch, round, c->train.global_batch);
    return c->data.stage_groups == 1 || c->train.global_batch % round == 0;
}

static bool mask_named(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256, "codes of a mask, but data.mask_band names none");
    return c->data.mask_valid.n == 0 || c->data.mask_band[0];
}

static bool scenes_from_one(const c3d_config *c, char what[256])
{
    (void)snprintf(what, 256, "scenes come from a list or from data.mosaics, not from both");
    return !c->data.list.file[0] || !c->data.mosaics[0];
}

static bool list_alone(const c3d_config *c, char what[256])
{
    const char *other = c->data.labels[0]                 ? "data.labels"
                        : c->data.mask_band[0]            ? "data.mask_band"
                        : c->data.months.first != 0       ? "data.months"
                        : c->data.aoi.n > 0               ? "data.aoi"
                        : c->data.periods.n > 0           ? "data.periods"
                        : c->data.hard_negatives.n > 0    ? "data.hard_negatives"
                        : c->data.negative_distance_m > 0 ? "data.negative_distance_m"
                                                          : NULL;

    (void)snprintf(what, 256, "scenes of a list know no %s", other ? other : "");
    return !c->data.list.file[0] || other == NULL;
}

static const rule rules[] = {
    { { "data.list.file" }, list_alone },
    { { "data.list.file", "data.mosaics" }, scenes_from_one },
    { { "data.time_months", "data.time" }, time_counted },
    { { "data.stage_groups", "data.sampling" }, groups_natural },
    { { "data.stage_groups", "train.micro_batch", "train.global_batch" }, groups_fit },
    { { "data.augment.month_dropout", "model.network" }, months_to_drop },
    { { "data.month_order", "model.network" }, months_to_order },
    { { "train.focal_gamma", "train.loss" }, gamma_used },
    { { "train.micro_batch", "train.global_batch" }, micro_fits },
    { { "data.negative_share", "data.positive_share" }, shares_ordered },
    { { "data.split_shares" }, shares_sum },
    { { "data.aoi" }, aoi_ordered },
    { { "data.periods" }, periods_ascending },
    { { "data.list.stack_dates", "data.list.stack" }, stack_ascending },
    { { "data.mask_valid", "data.mask_band" }, mask_named },
    { { "data.fold", "data.folds" }, fold_exists },
    { { "data.positive", "data.label_classes" }, positive_exists },
    { { "data.label_classes" }, classes_disjoint },
    { { "data.split_years" }, years_of_splits },
    { { "data.split_years" }, years_disjoint },
    { { "data.split", "data.split_years" }, years_given },
    { { "data.split_years", "data.samples" }, years_of_samples },
    { { "data.split_years", "data.label_period" }, years_of_labels },
    { { "data.split_file", "data.split" }, polygons_given },
    { { "data.buffer_m", "data.split" }, buffer_used },
    { { "data.folds" }, folds_enough },
    { { "data.labels", "data.label_classes" }, labels_complete },
    { { "data.labels", "data.label_period" }, labels_dated },
    { { "data.hard_negative_share", "data.hard_negatives" }, hard_named },
};

static void check_rule(reader *r, const rule *law)
{
    char what[256];
    c3d_config_origin place = { 0 };

    for (int i = 0; i < 3 && law->keys[i]; i++) {
        const int row = c3d_config_find(law->keys[i]);
        C3D_ASSERT(row >= 0);
        if (r->wrong[row]) return;
        /* the first of the keys that somebody wrote: a default is nobody's mistake */
        if (place.source == C3D_CONFIG_FROM_DEFAULT) place = r->config->origins[row];
    }
    if (!law->holds(r->config, what)) c3d_config_mistake(r, place, "%s: %s", law->keys[0], what);
}

/* ---- required keys --------------------------------------------------------------------------- */

static const struct {
    const char *key;
    c3d_config_use use;
} required[] = {
    { "data.mosaics", C3D_CONFIG_FOR_DATASET },
    { "data.store", C3D_CONFIG_FOR_TRAIN },
    { "data.store", C3D_CONFIG_FOR_DEBUG },
    { "run.dir", C3D_CONFIG_FOR_TRAIN },
};

/* Without a dataset these two say what a sample is; data.frame_size_px has a default. */
static void check_plan(reader *r)
{
    const int row = c3d_config_find("data.store");
    const c3d_config *c = r->config;

    C3D_ASSERT(row >= 0);
    if (r->source->use != C3D_CONFIG_FOR_PLAN || c->data.store[0] || r->wrong[row]) return;
    if (c->data.bands.n > 0 && c->data.months.first > 0) return;
    c3d_config_mistake(r, c->origins[row],
                       "data.store: not given; without it a plan needs data.bands and data.months");
}

void c3d_config_check(reader *r)
{
    check_plan(r);
    for (size_t i = 0; i < C3D_COUNT(required); i++) {
        const int row = c3d_config_find(required[i].key);
        C3D_ASSERT(row >= 0);
        const char *value = *(char **)key_value(r->config, &c3d_config_keys[row]);
        if (required[i].use != r->source->use || value[0] || r->wrong[row]) continue;
        if (required[i].use == C3D_CONFIG_FOR_DATASET && r->config->data.list.file[0]) continue;
        c3d_config_mistake(r, r->config->origins[row], "%s: required, not given", required[i].key);
    }
    for (size_t i = 0; i < C3D_COUNT(rules); i++) check_rule(r, &rules[i]);
}
