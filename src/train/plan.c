/* --plan: refuse what cannot fit, say what fits, try it shortly, say how long it will take. */
#include "train/plan.h"

#include "train/checkpoint.h"
#include "train/run.h"

#include <stdlib.h>

static int months_of(c3d_config_span span)
{
    const int first = span.first / 100, last = span.last / 100; /* YYYYMM */

    return (last / 100 - first / 100) * 12 + last % 100 - first % 100 + 1;
}

/* What a sample will be, by the keys that a dataset is built from. */
static c3d_status input_from_config(c3d_run *run)
{
    const c3d_config *config = run->config;
    const c3d_loader_desc loader = c3d_run_loader_desc(run);
    int n_months = months_of(config->data.months);

    if (config->data.samples == C3D_CONFIG_SAMPLES_MONTHLY) n_months = 1;
    if (config->data.samples == C3D_CONFIG_SAMPLES_YEARLY && n_months > 12) n_months = 12;
    if (config->data.time_months > n_months)
        return C3D_FAIL(C3D_ECONFIG,
                        "data.time_months: %d, but by data.months and data.samples a "
                        "sample will have %d months",
                        config->data.time_months, n_months);
    if (config->data.time_months > 0) n_months = config->data.time_months;
    run->input = (c3d_loader_size){ .shape = { .n = loader.micro_batch,
                                               .c = config->data.bands.n,
                                               .d = loader.one_slice ? 1 : n_months,
                                               .h = config->data.frame_size_px,
                                               .w = config->data.frame_size_px },
                                    .dtype = C3D_U16,
                                    .n_months = n_months };
    return c3d_network_set_input(config, &run->input, &run->network);
}

c3d_status c3d_run_find_input(c3d_run *run)
{
    if (run->config->data.store[0])
        C3D_TRY(c3d_run_open_data(run));
    else
        C3D_TRY(input_from_config(run));
    return c3d_run_check_batches(run);
}

static c3d_status say(c3d_text *text, FILE *out)
{
    const bool written = !text->text || (fputs(text->text, out) >= 0 && fflush(out) == 0);

    c3d_text_free(text);
    return written ? C3D_OK : C3D_FAIL(C3D_EIO, "standard output: cannot be written");
}

/* The first pages come before the trial, which takes its time. */
static c3d_status plan(c3d_run *run, FILE *out)
{
    const bool speaks = run->comm->rank == 0;
    c3d_forecast forecast;
    c3d_rank_memory *ranks = NULL;
    c3d_probe probe;
    c3d_text text = { 0 };

    C3D_TRY(c3d_comm_agree_status(run->comm, c3d_run_find_input(run)));
    C3D_TRY(c3d_forecast_make(run, &forecast, &ranks));
    if (speaks) {
        c3d_plan_print_network(run, &forecast, &text);
        c3d_plan_print_memory(run, &forecast, ranks, &text);
    }
    free(ranks);
    C3D_TRY(c3d_comm_agree_status(run->comm, say(&text, out)));
    C3D_TRY(c3d_probe_run(run, &probe));
    if (speaks) c3d_plan_print_time(run, &forecast, &probe, &text);
    return c3d_comm_agree_status(run->comm, say(&text, out));
}

c3d_status c3d_run_plan(c3d_comm *comm, const c3d_config *config, FILE *out)
{
    c3d_run run = { 0 };
    c3d_status st = c3d_run_begin(&run, comm, config);

    if (st == C3D_OK) st = plan(&run, out);
    if (st != C3D_OK) c3d_comm_give_up(comm);
    c3d_run_close(&run);
    return st;
}
