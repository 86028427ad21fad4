#include "train/schedule.h"

#include <inttypes.h>
#include <math.h>

double c3d_schedule_rate(const c3d_config *config, int64_t n_steps, int64_t step)
{
    static const double pi = 3.14159265358979323846;
    const double rate = config->optimizer.learning_rate;
    const int64_t warmup = config->optimizer.warmup_steps;

    if (step < warmup) return rate * (double)(step + 1) / (double)warmup;
    if (config->optimizer.schedule == C3D_CONFIG_SCHEDULE_CONSTANT) return rate;
    if (step >= n_steps) return 0;
    const double left = (double)(n_steps - step) / (double)(n_steps - warmup); /* from 1 to 0 */
    if (config->optimizer.schedule == C3D_CONFIG_SCHEDULE_LINEAR) return rate * left;
    return rate * (1 + cos(pi * (1 - left))) / 2;
}

c3d_status c3d_schedule_check(const c3d_config *config, int64_t n_steps)
{
    if (config->optimizer.warmup_steps < n_steps) return C3D_OK;
    return C3D_FAIL(C3D_ECONFIG,
                    "optimizer.warmup_steps: %" PRId64 ", but the run has %" PRId64 " steps in all",
                    config->optimizer.warmup_steps, n_steps);
}
