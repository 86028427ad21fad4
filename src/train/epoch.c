/* The end of an epoch: validation, the row of figures, the best parameters, the checkpoint. */
#include "train/ordered.h"
#include "train/records.h"
#include "train/run.h"
#include "train/schedule.h"
#include "train/step.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

c3d_status c3d_run_save(c3d_run *run, bool is_best)
{
    c3d_phase_set(C3D_PHASE_SAVING, run->position.step, 0);
    const c3d_status st = run->records ? c3d_records_flush(run->records) : C3D_OK;

    C3D_TRY(c3d_comm_agree_status(run->comm, st));
    C3D_TRY(c3d_run_settle(run));
    C3D_TRY(c3d_checkpoint_save(run, is_best));
    run->saved_s = c3d_now_s();
    return C3D_OK;
}

c3d_status c3d_run_stopped(c3d_run *run)
{
    C3D_TRY(c3d_checkpoint_wait(run));
    run->comm->agreed = true;
    return C3D_FAIL(C3D_ESTOPPED,
                    "stopped on request after step %" PRId64 "; everything is saved in %s; run the "
                    "same command again to go on",
                    run->position.step, run->dir);
}

static double best_value(const c3d_config *config, const c3d_epoch_record *row)
{
    switch (config->evaluation.best_by) {
    case C3D_CONFIG_BEST_BY_VAL_ACCURACY: return -row->val_accuracy;
    case C3D_CONFIG_BEST_BY_VAL_F1: return -row->val_f1;
    case C3D_CONFIG_BEST_BY_VAL_AUC: return -row->val_auc;
    case C3D_CONFIG_BEST_BY_VAL_LOSS: break;
    }
    return row->val_loss;
}

/* What makes parameters the best: the smaller the better. The loss decides where the chosen figure
 * is undefined (one class in the validation samples, say). */
static double value_of(const c3d_run *run, const c3d_epoch_record *row)
{
    if (!run->evaluator) return row->train_loss;
    const double value = best_value(run->config, row);
    return isfinite(value) ? value : row->val_loss;
}

/* The figures of an epoch's running counts. */
static c3d_status train_figures(const c3d_run *run, c3d_estimate out[C3D_N_METRICS])
{
    const int n_outputs = run->config->model.outputs;
    const double *sums = run->sums.counts;
    c3d_counts *counts = c3d_calloc((size_t)n_outputs, sizeof *counts);

    if (!counts) return C3D_ENOMEM;
    for (int k = 0; k < n_outputs; k++, sums += 4)
        counts[k] = (c3d_counts){ .tp = (int64_t)sums[0],
                                  .fp = (int64_t)sums[1],
                                  .tn = (int64_t)sums[2],
                                  .fn = (int64_t)sums[3] };
    c3d_metrics_of_outputs(counts, n_outputs, out);
    free(counts);
    return C3D_OK;
}

static c3d_status validation_figures(const c3d_run *run, const c3d_evaluation *ev,
                                     c3d_epoch_record *row)
{
    const int n_outputs = run->config->model.outputs;
    c3d_counts *counts = c3d_calloc((size_t)n_outputs, sizeof *counts);
    c3d_estimate e[C3D_N_METRICS], auc = { .value = (double)NAN };

    if (!counts) return C3D_ENOMEM;
    c3d_counts_of(ev->scores, ev->labels, ev->n, n_outputs, run->config->evaluation.threshold,
                  counts);
    c3d_metrics_of_outputs(counts, n_outputs, e);
    free(counts);
    if (ev->n > 0) C3D_TRY(c3d_auc_of_outputs(ev->scores, ev->labels, ev->n, n_outputs, &auc));
    row->val_loss = ev->n > 0 ? ev->loss : (double)NAN;
    row->val_accuracy = e[C3D_METRIC_ACCURACY].value;
    row->val_precision = e[C3D_METRIC_PRECISION].value;
    row->val_recall = e[C3D_METRIC_RECALL].value;
    row->val_f1 = e[C3D_METRIC_F1].value;
    row->val_auc = auc.value;
    return C3D_OK;
}

/* Rank 0's figures of an epoch; validation may be absent. */
static c3d_status fill_record(const c3d_run *run, const c3d_evaluation *ev, c3d_epoch_record *row)
{
    const c3d_epoch_sums *sums = &run->sums;
    c3d_estimate e[C3D_N_METRICS];

    C3D_TRY(train_figures(run, e));
    row->epoch = run->position.epoch + 1;
    row->step = run->position.step;
    row->train_loss = sums->loss / sums->n;
    row->train_accuracy = e[C3D_METRIC_ACCURACY].value;
    row->train_precision = e[C3D_METRIC_PRECISION].value;
    row->train_recall = e[C3D_METRIC_RECALL].value;
    row->learning_rate =
        c3d_schedule_rate(run->config, c3d_run_n_steps(run), run->position.step - 1);
    row->scenes_per_s = sums->n / sums->seconds;
    return validation_figures(run, ev, row);
}

/* Nothing called positive, or nothing positive: there is no such share. */
static void add_share(c3d_text *line, const char *name, double share)
{
    if (isnan(share))
        c3d_text_add(line, " %s undefined", name);
    else
        c3d_text_add(line, " %s %.3f", name, share);
}

static void say_epoch(const c3d_run *run, const c3d_epoch_record *row)
{
    c3d_text line = { 0 };

    c3d_text_add(&line, "epoch %" PRId64 "/%d: loss %.4f accuracy %.3f", row->epoch,
                 run->config->train.epochs, row->train_loss, row->train_accuracy);
    if (isfinite(row->val_loss)) {
        c3d_text_add(&line, " | validation: loss %.4f", row->val_loss);
        add_share(&line, "accuracy", row->val_accuracy);
        add_share(&line, "precision", row->val_precision);
        add_share(&line, "recall", row->val_recall);
    }
    c3d_text_add(&line, " | %.1f scenes/s", row->scenes_per_s);
    c3d_log_run("%s", line.text);
    c3d_text_free(&line);
}

/* Rank 0's, of the epoch's steps; a rank that waits for a slower one communicates. */
static void say_communication(const c3d_run *run)
{
    const c3d_comm_times *times = &run->comm_epoch;

    if (run->comm->n_ranks == 1 || times->busy_s <= 0) return;
    c3d_log_run("communication: %.1f s, %.0f %% hidden behind computing", times->busy_s,
                100 * fmax(0, 1 - times->waited_s / times->busy_s));
}

/* Scores of the parameters as they are; none without validation samples. */
static c3d_status validate(c3d_run *run, c3d_evaluation *out)
{
    if (!run->evaluator) return C3D_OK;
    C3D_TRY(c3d_comm_agree_status(run->comm, c3d_evaluator_copy(run->evaluator, &run->model)));
    const c3d_status st = c3d_evaluator_run(run->evaluator, "validation", out);
    if (st != C3D_ESTOPPED) return st;
    run->comm->agreed = false; /* what goes wrong from here on is another error */
    /* at the end of the epoch's steps: the resumed run begins by validating */
    C3D_TRY(c3d_run_save(run, false));
    return c3d_run_stopped(run);
}

c3d_status c3d_run_finish_epoch(c3d_run *run)
{
    c3d_evaluation ev = { 0 };
    c3d_epoch_record row = { 0 };
    double value = INFINITY;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_run_settle(run));
    C3D_TRY(validate(run, &ev));
    if (run->comm->rank == 0) {
        st = fill_record(run, &ev, &row);
        if (st == C3D_OK) c3d_records_epoch(run->records, &row);
        if (st == C3D_OK) say_epoch(run, &row);
        say_communication(run);
        if (st == C3D_OK) c3d_ordered_say(run);
        value = value_of(run, &row);
    }
    c3d_evaluation_free(&ev);
    C3D_TRY(c3d_comm_agree_status(run->comm, st));
    C3D_TRY(c3d_comm_share(run->comm, &value, sizeof value));
    c3d_patience_see(&run->patience, value);
    const bool is_best = value < run->best.value;
    if (is_best) run->best = (c3d_best){ .value = value, .step = run->position.step };
    run->position.epoch++;
    run->position.step_in_epoch = 0;
    c3d_run_reset_sums(run);
    return c3d_run_save(run, is_best);
}
