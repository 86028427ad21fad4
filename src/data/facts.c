/* What the samples of a list are of: place, time, what is missing. */
#include "facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Months of a list that has dates of its own are called 0001-01 and so on. */
enum { FIRST_YEAR = 1900 };

/* Of the label, or of the last month that the sample shows. */
static int year_of(const c3d_dataset *dataset, uint32_t row)
{
    const c3d_segment *last = &dataset->segments[dataset->first_segment[row + 1] - 1];
    const c3d_date *months = c3d_shard_months(dataset->shards[last->shard]);
    const int label_year = dataset->samples.rows[row].label_year;
    const int year =
        label_year >= FIRST_YEAR ? label_year : months[last->first + last->n - 1] / 10000;

    return year >= FIRST_YEAR ? year : 0;
}

/* shares: room for the months of any period. */
static c3d_status find_missing(const c3d_dataset *dataset, uint32_t row, float *shares, double *out)
{
    double sum = 0;
    int n = 0;

    for (size_t i = dataset->first_segment[row]; i < dataset->first_segment[row + 1]; i++) {
        const c3d_segment *part = &dataset->segments[i];
        C3D_TRY(c3d_shard_read_sums(dataset->shards[part->shard], part->row, NULL, NULL, shares));
        for (int m = part->first; m < part->first + part->n; m++) sum += (double)shares[m];
        n += part->n;
    }
    *out = n > 0 ? sum / n : (double)NAN;
    return C3D_OK;
}

static c3d_status find_own(const fact_finder *in)
{
    const c3d_dataset *dataset = in->dataset;
    int n_months = 1;

    for (int p = 0; p < dataset->info.n_periods; p++)
        if (dataset->info.periods[p].n_months > n_months)
            n_months = dataset->info.periods[p].n_months;
    float *shares = c3d_calloc((size_t)n_months, sizeof *shares);
    c3d_status st = shares ? C3D_OK : C3D_ENOMEM;
    for (size_t i = 0; st == C3D_OK && i < in->list->n; i++) {
        const c3d_sample *sample = &dataset->samples.rows[in->list->index[i]];
        c3d_sample_facts *fact = &in->facts->rows[i];
        if (i % 1024 == 0) c3d_phase_tick();
        *fact = (c3d_sample_facts){ .block = sample->frame_id,
                                    .region = -1,
                                    .year = year_of(dataset, in->list->index[i]),
                                    .class_ha = (double)NAN };
        st = find_missing(dataset, in->list->index[i], shares, &fact->missing);
    }
    free(shares);
    return st;
}

static c3d_status find_of_frames(fact_finder *in, const c3d_regions_desc *regions)
{
    c3d_frames frames = { 0 };
    c3d_status st;

    C3D_TRY(c3d_frames_read(in->gpkg, &frames));
    in->frames = &frames;
    in->facts->has_frames = true;
    in->frame = c3d_calloc(in->list->n + 1, sizeof *in->frame);
    if (!in->frame) C3D_TRY_TO(done, C3D_ENOMEM);
    for (size_t i = 0; i < in->list->n; i++)
        in->frame[i] =
            c3d_frames_find(&frames, in->dataset->samples.rows[in->list->index[i]].frame_id);
    C3D_TRY_TO(done, c3d_facts_blocks(in));
    if (regions && regions->path) C3D_TRY_TO(done, c3d_facts_regions(in, regions));
    C3D_TRY_TO(done, c3d_facts_hectares(in));
    st = c3d_facts_population(in);
done:
    free(in->frame);
    in->frames = NULL;
    c3d_frames_free(&frames);
    return st;
}

c3d_status c3d_list_facts_find(const c3d_dataset *dataset, const c3d_list *list,
                               const c3d_regions_desc *regions, c3d_list_facts *out)
{
    c3d_list_facts facts = { .n = list->n };
    char gpkg[C3D_PATH_MAX];
    fact_finder in = { .dataset = dataset, .list = list, .gpkg = gpkg, .facts = &facts };
    c3d_status st;

    facts.rows = c3d_calloc(list->n + 1, sizeof *facts.rows);
    facts.n_labels = dataset->info.n_classes > 2 ? dataset->info.n_classes : 2;
    facts.population = c3d_calloc((size_t)facts.n_labels, sizeof *facts.population);
    st = facts.rows && facts.population ? find_own(&in) : C3D_ENOMEM;
    if (st == C3D_OK) st = c3d_path_join(gpkg, dataset->dir, "frames.gpkg");
    if (st == C3D_OK && c3d_path_exists(gpkg))
        st = find_of_frames(&in, regions);
    else if (st == C3D_OK && regions && regions->path)
        st = C3D_FAIL(C3D_EIO, "%s: absent; places of frames are needed for the regions of %s",
                      gpkg, regions->path);
    else if (st == C3D_OK)
        c3d_log_run("%s: absent: every frame counts as independent of the others", gpkg);
    if (st == C3D_OK)
        *out = facts;
    else
        c3d_list_facts_free(&facts);
    return st;
}

void c3d_list_facts_free(c3d_list_facts *facts)
{
    free(facts->rows);
    free(facts->regions);
    free(facts->population);
    *facts = (c3d_list_facts){ 0 };
}
