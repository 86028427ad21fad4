/* The pages of --plan: each adds to a text. */
#ifndef C3D_TRAIN_PLAN_H
#define C3D_TRAIN_PLAN_H

#include "train/forecast.h"
#include "train/probe.h"

/* The samples that the run will see: of data.store, which is opened, or else as data.bands,
 * data.months, data.samples and data.frame_size_px say. C3D_ECONFIG when there are more ranks than
 * micro-batches in a step. Local. */
C3D_CHECKED c3d_status c3d_run_find_input(c3d_run *run);

/* "1.219 GiB", "3.4 MiB"; returns out. */
const char *c3d_plan_bytes(double bytes, char out[32]);

void c3d_plan_print_network(const c3d_run *run, const c3d_forecast *forecast, c3d_text *out);
/* ranks: of all [comm->n_ranks]; forecast: of rank 0. */
void c3d_plan_print_memory(const c3d_run *run, const c3d_forecast *forecast,
                           const c3d_rank_memory *ranks, c3d_text *out);
void c3d_plan_print_time(const c3d_run *run, const c3d_forecast *forecast, const c3d_probe *probe,
                         c3d_text *out);

#endif
