#include "cli/request.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(C3D_CONFIG_RESAMPLING_CUBIC + C3D_RESAMPLING_NEAREST == C3D_RESAMPLING_CUBIC &&
                   (int)C3D_CONFIG_GAPS_ZERO == C3D_GAPS_ZERO &&
                   (int)C3D_CONFIG_GAPS_LINEAR == C3D_GAPS_LINEAR &&
                   (int)C3D_CONFIG_SAMPLES_YEARLY == C3D_SAMPLES_YEARLY &&
                   (int)C3D_CONFIG_SAMPLES_MONTHLY == C3D_SAMPLES_MONTHLY &&
                   (int)C3D_CONFIG_SERIES_LABEL_LAST == C3D_SERIES_LAST &&
                   (int)C3D_CONFIG_SERIES_LABEL_ALL == C3D_SERIES_ALL &&
                   (int)C3D_CONFIG_LABEL_YEAR_PREVIOUS == C3D_YEAR_PREVIOUS &&
                   (int)C3D_CONFIG_LABEL_YEAR_BOTH_AGREE == C3D_YEAR_BOTH_AGREE &&
                   (int)C3D_CONFIG_SPLIT_POLYGONS == C3D_SPLIT_POLYGONS &&
                   (int)C3D_CONFIG_SPLIT_YEARS == C3D_SPLIT_YEARS &&
                   (int)C3D_CONFIG_SPLIT_RANDOM == C3D_SPLIT_RANDOM &&
                   (int)C3D_CONFIG_STACK_BY_NAME == C3D_STACK_BY_NAME &&
                   (int)C3D_CONFIG_LIST_DATES_OWN == C3D_LIST_DATES_OWN,
               "choices of the configuration are those of the dataset");

static c3d_status take_classes(const c3d_config_classes *from, c3d_label_class **out)
{
    _Static_assert(sizeof(*out)[0].texts == sizeof from->items[0].texts, "the same texts");

    *out = c3d_calloc((size_t)from->n + 1, sizeof **out);
    if (!*out) return C3D_ENOMEM;
    for (int i = 0; i < from->n; i++) {
        const c3d_config_class *item = &from->items[i];
        c3d_label_class *to = &(*out)[i];
        memcpy(to->name, item->name, sizeof to->name);
        to->n_ranges = item->n_ranges;
        memcpy(to->ranges, item->ranges, sizeof to->ranges);
        to->n_texts = item->n_texts;
        memcpy(to->texts, item->texts, sizeof to->texts);
    }
    return C3D_OK;
}

static c3d_status take_periods(const c3d_config_texts *from, c3d_request *out)
{
    out->periods = c3d_calloc((size_t)from->n + 1, sizeof *out->periods);
    if (!out->periods) return C3D_ENOMEM;
    for (int i = 0; i < from->n; i++)
        if (!c3d_date_parse(from->items[i], &out->periods[i]))
            return C3D_FAIL(C3D_ECONFIG, "data.periods: %s: expected a month such as 2024-06",
                            from->items[i]);
    out->desc.n_periods = from->n;
    out->desc.periods = out->periods;
    return C3D_OK;
}

/* "7", "0-3", "-1" */
static bool parse_codes(const char *text, int out[2])
{
    const char *dash = text[0] ? strchr(text + 1, '-') : NULL;
    char low[16];
    long long from, to;

    if (dash == NULL) dash = text + strlen(text);
    if ((size_t)(dash - text) >= sizeof low) return false;
    (void)snprintf(low, sizeof low, "%.*s", (int)(dash - text), text);
    if (!c3d_parse_int(low, &from)) return false;
    to = from;
    if (*dash != 0 && !c3d_parse_int(dash + 1, &to)) return false;
    if (from < INT32_MIN || to > INT32_MAX || from > to) return false;
    out[0] = (int)from;
    out[1] = (int)to;
    return true;
}

static c3d_status take_mask(const c3d_config *config, c3d_request *out)
{
    const c3d_config_texts *from = &config->data.mask_valid;

    if (!config->data.mask_band[0]) return C3D_OK;
    out->desc.mask_band = config->data.mask_band;
    out->mask_valid = c3d_calloc((size_t)from->n + 1, sizeof *out->mask_valid);
    if (!out->mask_valid) return C3D_ENOMEM;
    for (int i = 0; i < from->n; i++)
        if (!parse_codes(from->items[i], out->mask_valid[i]))
            return C3D_FAIL(
                C3D_ECONFIG,
                "data.mask_valid: %s: expected a code such as 4, or a range such as 0-3",
                from->items[i]);
    out->desc.n_mask_valid = from->n;
    out->desc.mask_valid = (const int(*)[2])out->mask_valid;
    return C3D_OK;
}

static c3d_status take_labels(const c3d_config *config, c3d_request *out)
{
    c3d_dataset_desc *desc = &out->desc;

    if (config->data.labels[0]) {
        C3D_TRY(c3d_config_path(config, config->data.labels, out->labels));
        desc->labels = out->labels;
    }
    desc->label_field = config->data.label_field;
    desc->label_date_field = config->data.label_date_field;
    desc->label_first = config->data.label_period.first;
    desc->label_last = config->data.label_period.last;
    desc->positive = config->data.positive[0] ? config->data.positive : NULL;
    desc->hard_share = config->data.hard_negative_share;
    desc->negative_distance_m = config->data.negative_distance_m;
    desc->n_hard = config->data.hard_negatives.n;
    desc->n_classes = config->data.label_classes.n;
    C3D_TRY(take_classes(&config->data.hard_negatives, &out->hard));
    C3D_TRY(take_classes(&config->data.label_classes, &out->classes));
    desc->hard = out->hard;
    desc->classes = out->classes;
    return C3D_OK;
}

static void take_split_years(const c3d_config_classes *from, c3d_request *out)
{
    int n = 0;

    for (int i = 0; i < from->n && i < C3D_N_SPLITS; i++)
        for (int r = 0; r < from->items[i].n_ranges; r++) {
            c3d_year_range *to = &out->split_years[n++];
            to->first = from->items[i].ranges[r][0];
            to->last = from->items[i].ranges[r][1];
            C3D_ASSERT(c3d_split_parse(from->items[i].name, &to->split)); /* a rule of its key */
        }
    out->desc.n_split_years = n;
    out->desc.split_years = out->split_years;
}

static void take_numbers(const c3d_config *config, c3d_dataset_desc *desc)
{
    for (int i = 0; i < config->data.aoi.n && i < 4; i++) desc->aoi[i] = config->data.aoi.items[i];
    for (int i = 0; i < config->data.split_shares.n && i < C3D_N_SPLITS; i++)
        desc->split_shares[i] = config->data.split_shares.items[i];
    desc->frame_size_px = config->data.frame_size_px;
    desc->stride_px =
        config->data.stride_px > 0 ? config->data.stride_px : config->data.frame_size_px;
    desc->positive_share = config->data.positive_share;
    desc->negative_share = config->data.negative_share;
    desc->label_year = (c3d_label_year_rule)config->data.label_year;
    desc->samples = (c3d_samples_mode)config->data.samples;
    desc->series_label = (c3d_series_label)config->data.series_label;
    desc->gaps = (c3d_gaps)config->data.gaps;
    desc->resampling = (c3d_resampling)(config->data.resampling + C3D_RESAMPLING_NEAREST);
    desc->max_missing_share = config->data.max_missing_share;
    desc->split = (c3d_split_mode)config->data.split;
    desc->block_km = config->data.block_km;
    desc->buffer_m = config->data.buffer_m;
    desc->folds = config->data.folds;
    desc->max_per_class = config->data.max_per_class;
    desc->seed = (uint64_t)config->data.seed;
}

static c3d_status take_list(const c3d_config *config, c3d_request *out)
{
    C3D_TRY(c3d_config_path(config, config->data.list.file, out->list_path));
    out->list = (c3d_list_desc){
        .path = out->list_path,
        .folder = config->data.list.folder,
        .path_column = config->data.list.path,
        .label_column = config->data.list.label,
        .date_column = config->data.list.date,
        .scene_column = config->data.list.scene,
        .lon_column = config->data.list.lon,
        .lat_column = config->data.list.lat,
        .split_column = config->data.list.split,
        .fold_column = config->data.list.fold,
        .n_window = config->data.list.window.n,
        .window = (const char *const *)config->data.list.window.items,
        .n_groups = config->data.list.group.n,
        .groups = (const char *const *)config->data.list.group.items,
        .group_match = config->data.list.group_match,
        .crop = config->data.list.crop,
        .pixel_m = config->data.list.pixel_m,
        .stack = (c3d_stack)config->data.list.stack,
        .n_stack_dates = config->data.list.stack_dates.n,
        .stack_dates = (const char *const *)config->data.list.stack_dates.items,
        .dates = (c3d_list_dates)config->data.list.dates,
    };
    out->desc.list = &out->list;
    if (!c3d_config_is_given(config, "data.frame_size_px")) out->desc.frame_size_px = 0;
    return C3D_OK;
}

static bool has_option(const c3d_args *args, const char *name)
{
    for (int i = 0; i < args->command->n_options; i++)
        if (strcmp(args->command->options[i].name, name) == 0) return true;
    return false;
}

c3d_status c3d_request_take(const c3d_args *args, const c3d_config *config, c3d_request *out)
{
    c3d_dataset_desc *desc = &out->desc;

    desc->out_dir = c3d_args_text(args, "--out");
    if (!desc->out_dir || !desc->out_dir[0])
        return C3D_FAIL(C3D_ECONFIG, "--out: expected the directory of the dataset");
    C3D_TRY(c3d_config_path(config, config->data.mosaics, out->mosaics));
    desc->mosaics = out->mosaics;
    desc->month_first = config->data.months.first;
    desc->month_last = config->data.months.last;
    desc->n_bands = config->data.bands.n;
    desc->bands = (const char *const *)config->data.bands.items;
    take_numbers(config, desc);
    C3D_TRY(take_periods(&config->data.periods, out));
    C3D_TRY(take_mask(config, out));
    if (config->data.list.file[0]) C3D_TRY(take_list(config, out));
    take_split_years(&config->data.split_years, out);
    if (config->data.split_file[0]) {
        C3D_TRY(c3d_config_path(config, config->data.split_file, out->split_file));
        desc->split_file = out->split_file;
    }
    if (has_option(args, "--threads")) desc->n_threads = (int)c3d_args_int(args, "--threads");
    if (has_option(args, "--memory-mb")) {
        desc->memory_bytes = (size_t)c3d_args_int(args, "--memory-mb") << 20;
        desc->scenes_per_shard = (int)c3d_args_int(args, "--scenes-per-shard");
    }
    return take_labels(config, out);
}

void c3d_request_free(c3d_request *request)
{
    free(request->classes);
    free(request->hard);
    free(request->periods);
    free(request->mask_valid);
    *request = (c3d_request){ 0 };
}
