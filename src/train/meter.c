#include "train/meter.h"

#include "train/run.h"

#include <math.h>

void c3d_meter_begin(c3d_meter *meter, const c3d_run *run)
{
    *meter = (c3d_meter){ .run = run,
                          .begun_s = c3d_now_s(),
                          .first_step = run->position.step,
                          .newest.step = run->position.step };
}

void c3d_meter_add(c3d_meter *meter, const c3d_step_record *row)
{
    c3d_step_record *since = &meter->since;

    meter->newest = *row;
    meter->n_steps++;
    since->n += row->n;
    since->loss += row->loss * (double)row->n;
    since->flop_per_s += row->flop_per_s * row->times.seconds;
    since->peak_share += row->peak_share * row->times.seconds;
    since->times.seconds += row->times.seconds;
    since->times.waited_s += row->times.waited_s;
    since->times.copied_s += row->times.copied_s;
    since->times.computed_s += row->times.computed_s;
    since->times.reduced_s += row->times.reduced_s;
}

/* Whatever lay between steps lies between those to come: validation, saves. */
static double run_left_s(const c3d_meter *meter)
{
    const int64_t done = meter->newest.step - meter->first_step;
    const int64_t left = c3d_run_n_steps(meter->run) - meter->newest.step;

    return done > 0 ? (c3d_now_s() - meter->begun_s) * (double)left / (double)done : (double)NAN;
}

/* Sums of times and of what is weighted with them become those of a step. */
static c3d_step_record mean_of(const c3d_meter *meter)
{
    const double n = (double)meter->n_steps, seconds = meter->since.times.seconds;
    c3d_step_record mean = meter->since;
    c3d_step_times *t = &mean.times;

    mean.loss /= (double)mean.n;
    mean.flop_per_s /= seconds;
    mean.peak_share /= seconds;
    double *const parts[] = { &t->seconds, &t->waited_s, &t->copied_s, &t->computed_s,
                              &t->reduced_s };
    for (size_t i = 0; i < C3D_COUNT(parts); i++) *parts[i] /= n;
    return mean;
}

static void add_members(const c3d_meter *meter, const c3d_step_record *mean, c3d_json *json)
{
    const c3d_step_record *newest = &meter->newest;
    const c3d_step_times *t = &mean->times;
    const struct {
        const char *key;
        double value;
    } reals[] = {
        { "loss", mean->loss },
        { "learning_rate", newest->learning_rate },
        { "grad_norm", newest->grad_norm },
        { "scenes_per_s", (double)mean->n / meter->since.times.seconds },
        { "step_ms", 1e3 * t->seconds },
        { "waiting_ms", 1e3 * t->waited_s },
        { "copying_ms", 1e3 * t->copied_s },
        { "computing_ms", 1e3 * t->computed_s },
        { "reducing_ms", 1e3 * t->reduced_s },
        { "flop_per_s", mean->flop_per_s },
        { "peak_share", mean->peak_share },
        { "run_left_s", run_left_s(meter) },
    };

    c3d_json_set(json, "epoch", c3d_json_int(newest->epoch));
    c3d_json_set(json, "epochs", c3d_json_int(meter->run->config->train.epochs));
    c3d_json_set(json, "step", c3d_json_int(newest->step));
    c3d_json_set(json, "steps", c3d_json_int(c3d_run_n_steps(meter->run)));
    for (size_t i = 0; i < C3D_COUNT(reals); i++)
        c3d_json_set(json, reals[i].key, c3d_json_real(reals[i].value));
}

static void add_words(const c3d_meter *meter, const c3d_step_record *mean, c3d_text *text)
{
    const c3d_step_times *t = &mean->times;
    char left[32];

    c3d_duration_text(run_left_s(meter), left);
    c3d_text_add(text, "loss %.4f, rate %.3g, gradient %.3g, %.1f scenes/s, run %s left",
                 mean->loss, meter->newest.learning_rate, meter->newest.grad_norm,
                 (double)mean->n / meter->since.times.seconds, left);
    c3d_text_add(text, ", step %.1f ms (waiting %.1f, copying %.1f, computing %.1f, reducing %.1f)",
                 1e3 * t->seconds, 1e3 * t->waited_s, 1e3 * t->copied_s, 1e3 * t->computed_s,
                 1e3 * t->reduced_s);
    if (isfinite(mean->peak_share))
        c3d_text_add(text, ", %.0f %% of the peak", 100 * mean->peak_share);
}

void c3d_meter_look(void *context, c3d_json *json, c3d_text *text)
{
    c3d_meter *meter = context;
    const c3d_step_record mean = mean_of(meter);

    if (json)
        add_members(meter, &mean, json);
    else if (meter->n_steps > 0)
        add_words(meter, &mean, text);
    meter->since = (c3d_step_record){ 0 };
    meter->n_steps = 0;
}
