/* The pages of --plan: each adds to a text. */
#ifndef C3D_TRAIN_PLAN_H
#define C3D_TRAIN_PLAN_H

#include "train/forecast.h"
#include "train/probe.h"

void c3d_plan_print_network(const c3d_run *run, const c3d_forecast *forecast, c3d_text *out);
/* ranks: of all [comm->n_ranks]; forecast: of rank 0. */
void c3d_plan_print_memory(const c3d_run *run, const c3d_forecast *forecast,
                           const c3d_rank_memory *ranks, c3d_text *out);
void c3d_plan_print_time(const c3d_run *run, const c3d_forecast *forecast, const c3d_probe *probe,
                         c3d_text *out);

#endif
