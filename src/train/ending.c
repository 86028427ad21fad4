/* When a run ends: after train.epochs, train.max_steps, or train.early_stop. */
#include "train/run.h"
#include "train/schedule.h"

#include <inttypes.h>

int64_t c3d_run_n_steps(const c3d_run *run)
{
    const int64_t of_epochs = run->config->train.epochs * c3d_loader_n_steps(run->loader);
    const int64_t max = run->config->train.max_steps;

    return max > 0 && max < of_epochs ? max : of_epochs;
}

void c3d_patience_see(c3d_patience *patience, double value)
{
    if (value < patience->best)
        *patience = (c3d_patience){ .best = value };
    else
        patience->n_epochs++;
}

static const char *best_by(const c3d_config *config)
{
    switch (config->evaluation.best_by) {
    case C3D_CONFIG_BEST_BY_VAL_ACCURACY: return "val_accuracy";
    case C3D_CONFIG_BEST_BY_VAL_F1: return "val_f1";
    case C3D_CONFIG_BEST_BY_VAL_AUC: return "val_auc";
    case C3D_CONFIG_BEST_BY_VAL_LOSS: break;
    }
    return "val_loss";
}

bool c3d_run_is_over(const c3d_run *run, char why[C3D_WHY_MAX])
{
    const c3d_config *config = run->config;
    const c3d_position *p = &run->position;

    if (p->epoch >= config->train.epochs) {
        (void)snprintf(why, C3D_WHY_MAX, "all epochs are done");
        return true;
    }
    /* an epoch whose steps are done is validated first */
    if (config->train.max_steps > 0 && p->step >= config->train.max_steps &&
        p->step_in_epoch < c3d_loader_n_steps(run->loader)) {
        (void)snprintf(why, C3D_WHY_MAX, "train.max_steps is %" PRId64, config->train.max_steps);
        return true;
    }
    if (config->train.early_stop > 0 && run->patience.n_epochs >= config->train.early_stop) {
        (void)snprintf(why, C3D_WHY_MAX,
                       "no better %s for %" PRId64 " epochs (train.early_stop); best.safetensors "
                       "has the parameters of step %" PRId64,
                       best_by(config), run->patience.n_epochs, run->best.step);
        return true;
    }
    return false;
}

c3d_status c3d_run_check_ending(const c3d_run *run)
{
    if (run->config->train.early_stop > 0 && run->validation_list.n == 0)
        return C3D_FAIL(C3D_ECONFIG,
                        "train.early_stop: %d, but no sample of %s is in split validation",
                        run->config->train.early_stop, run->config->data.store);
    return c3d_schedule_check(run->config, c3d_run_n_steps(run));
}
