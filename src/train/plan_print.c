#include "train/plan.h"

#include "train/checkpoint.h"
#include "train/run.h"

#include <math.h>
#include <string.h>

/* "78.4 M": three or more digits, in thousands. */
static const char *count_text(double n, char out[32])
{
    static const char *const prefixes[] = { "", " k", " M", " G", " T", " P" };
    size_t i = 0;

    for (; n >= 999.95 && i + 1 < C3D_COUNT(prefixes); i++) n /= 1000;
    (void)snprintf(out, 32, i == 0 ? "%.0f%s" : "%.1f%s", n, prefixes[i]);
    return out;
}

const char *c3d_plan_bytes(double bytes, char out[32])
{
    const bool large = bytes >= 0x1p30;

    (void)snprintf(out, 32, large ? "%.3f GiB" : "%.1f MiB", bytes / (large ? 0x1p30 : 0x1p20));
    return out;
}

static const char *plural(int n)
{
    return n == 1 ? "" : "s";
}

static const char *time_text(double seconds, char out[32])
{
    static const struct {
        double length;
        const char *unit;
    } units[] = { { 86400, "days" }, { 3600, "h" }, { 60, "min" }, { 1, "s" }, { 1e-3, "ms" } };
    size_t i = 0;

    while (i + 1 < C3D_COUNT(units) && seconds < 0.9995 * units[i].length) i++;
    (void)snprintf(out, 32, "%.3g %s", seconds / units[i].length, units[i].unit);
    return out;
}

static int n_micro(const c3d_run *run)
{
    return (run->config->train.global_batch - 1) / run->config->train.micro_batch + 1;
}

void c3d_plan_print_network(const c3d_run *run, const c3d_forecast *forecast, c3d_text *out)
{
    const c3d_shape_table *table = &forecast->table;
    const double madds = (double)table->multiply_adds;
    char n[3][32];

    c3d_shape_table_print(table, out);
    c3d_network_say_width(run->config, &run->network, table->n_params, out);
    c3d_text_add(out,
                 "\n%s parameters, %s multiply-adds (%sFLOP) a sample forward; training takes "
                 "about three times that\n",
                 count_text((double)table->n_params, n[0]), count_text(madds, n[1]),
                 count_text(2 * madds, n[2]));
    c3d_text_add(out, "a step: %d samples, %d micro-%s of %d; %sB of gradients\n",
                 run->config->train.global_batch, n_micro(run),
                 n_micro(run) == 1 ? "batch" : "batches", run->config->train.micro_batch,
                 count_text((double)forecast->bytes[C3D_NEED_GRADIENTS], n[2]));
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void add_bytes(c3d_text *out, const char *name, uint64_t bytes, const char *where)
{
    char n[32];

    c3d_text_add(out, "  %-28s %12s%s\n", name, c3d_plan_bytes((double)bytes, n), where);
}

static bool is_first_of_host(const c3d_rank_memory *ranks, int r)
{
    for (int q = 0; q < r; q++)
        if (strcmp(ranks[q].host, ranks[r].host) == 0) return false;
    return true;
}

static void print_host(const c3d_rank_memory *ranks, int n_ranks, int first, c3d_text *out)
{
    const c3d_host_memory *there = &ranks[first].memory;
    double need = 0;
    int n = 0;
    char text[32];

    for (int r = first; r < n_ranks; r++) {
        if (strcmp(ranks[r].host, ranks[first].host) != 0) continue;
        need += (double)ranks[r].need;
        n++;
    }
    c3d_text_add(out, "%s: %d rank%s, %s to take", ranks[first].host, n, plural(n),
                 c3d_plan_bytes(need, text));
    if (there->available < UINT64_MAX)
        c3d_text_add(out, " of %s left (%s)", c3d_plan_bytes((double)there->available, text),
                     there->is_of_group ? "limit of the control group" : "of the host");
    c3d_text_add(out, ": fits\n");
}

void c3d_plan_print_memory(const c3d_run *run, const c3d_forecast *forecast,
                           const c3d_rank_memory *ranks, c3d_text *out)
{
    const bool two_kinds = forecast->device > 0;

    c3d_text_add(out, "\nmemory of rank 0\n");
    for (c3d_need need = 0; need < C3D_NEEDS; need++)
        if (forecast->bytes[need] > 0)
            add_bytes(out, c3d_need_name(need), forecast->bytes[need],
                      two_kinds && c3d_need_is_of_backend(need) ? " on the device" : "");
    add_bytes(out, "to take on the host", forecast->host, "");
    if (two_kinds) add_bytes(out, "to take on the device", forecast->device, "");
    add_bytes(out, "held by the program already", c3d_held_memory_now().now, "");
    for (int r = 0; r < run->comm->n_ranks; r++)
        if (is_first_of_host(ranks, r)) print_host(ranks, run->comm->n_ranks, r, out);
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Between ranks where none was measured: what MPI gives inside a host. */
#define EXCHANGE_BYTES_PER_S 1.5e9

typedef struct rate {
    double step_s, samples_per_s, read_bytes_per_s;
    double epoch_s; /* training and validation; NaN without a dataset */
    bool reading_limits;
} rate;

/* A ring moves each number 2 (n - 1) / n times, as do reduce_scatter and all_gather; a broadcast
 * once. */
static double exchange_s(const c3d_run *run, const c3d_forecast *f, const c3d_probe *p, int n)
{
    const double bytes = (double)f->bytes[C3D_NEED_GRADIENTS];
    const c3d_config_state state = run->config->optimizer.state;
    const int n_updating = state == C3D_CONFIG_STATE_SHARDED ? n : 1;
    const int n_broadcasts = state == C3D_CONFIG_STATE_RANK0 ? 1 : 0;

    if (n == 1) return p->update_s;
    if (run->comm->n_ranks > 1) return p->sum_s + p->update_s;
    return p->update_s / n_updating +
           (2.0 * (n - 1) / n + n_broadcasts) * bytes / EXCHANGE_BYTES_PER_S;
}

static double rounded_up(double a, double b)
{
    return ceil(a / b);
}

static rate rate_on(const c3d_run *run, const c3d_forecast *f, const c3d_probe *p, int n)
{
    const c3d_loader_desc loader = c3d_run_loader_desc(run);
    const double sample_bytes = (double)c3d_loader_sample_bytes(&loader, &run->input);
    const double global = run->config->train.global_batch;
    const double n_samples = (double)run->train_list.n;
    const double n_blocks =
        rounded_up((double)run->validation_list.n, run->config->evaluation.batch);
    rate r = { .step_s = rounded_up(n_micro(run), n) * p->micro_s + exchange_s(run, f, p, n),
               .epoch_s = (double)NAN };

    r.samples_per_s = global / r.step_s;
    r.read_bytes_per_s = r.samples_per_s * sample_bytes;
    if (!run->dataset) return r;
    r.reading_limits = r.read_bytes_per_s > c3d_feed_speed(run, &p->feed);
    r.epoch_s = rounded_up(n_samples, global) * r.step_s;
    if (r.reading_limits) r.epoch_s = n_samples * sample_bytes / c3d_feed_speed(run, &p->feed);
    const int n_passes = run->network.slice == C3D_SLICE_EVERY ? run->input.n_months : 1;
    r.epoch_s += rounded_up(n_blocks, n) * n_passes * p->block_s;
    return r;
}

static void print_row(const c3d_run *run, const rate *r, int n, c3d_text *out)
{
    char step[32], epoch[32] = "-";

    if (run->dataset) (void)time_text(r->epoch_s, epoch);
    c3d_text_add(out, "%7d %10s %12.4g %12.3g %10s%s\n", n, time_text(r->step_s, step),
                 r->samples_per_s, r->read_bytes_per_s / 1e9, epoch,
                 r->reading_limits ? "  reading limits it" : "");
}

static void print_reading(const c3d_run *run, const c3d_probe *p, c3d_text *out)
{
    const c3d_loader_desc loader = c3d_run_loader_desc(run);
    const double bytes = (double)c3d_loader_sample_bytes(&loader, &run->input);
    char n[3][32];

    if (!run->dataset) {
        c3d_text_add(out,
                     "\nreading: no data.store is given, so neither the speed of reading nor the "
                     "length of an epoch is known;\na sample of 16-bit integers is %sB\n",
                     count_text(bytes, n[0]));
        return;
    }
    c3d_text_add(out,
                 "\nreading: %sB a sample, %sB an epoch of %zu samples; measured %sB/s with %d "
                 "reader%s a rank\n(files read lately may have come from memory)\n",
                 count_text(bytes, n[0]), count_text(bytes * (double)run->train_list.n, n[1]),
                 run->train_list.n, count_text(p->feed.speed[C3D_CONFIG_STAGE_NONE], n[2]),
                 run->config->data.readers, plural(run->config->data.readers));
    c3d_feed_print_copies(run, &p->feed, out);
}

static void print_trial(const c3d_run *run, const c3d_forecast *f, const c3d_probe *p,
                        c3d_text *out)
{
    const int micro = run->config->train.micro_batch;
    const double flop = 6.0 * (double)f->table.multiply_adds * micro;
    char t[4][32];

    c3d_text_add(out,
                 "\ntime, from a short trial here (ranks: %d, threads of each: %d):\n"
                 "%s a micro-batch of %d (%sFLOP/s), %s an update, %s to score %d sample%s\n",
                 run->comm->n_ranks, run->n_threads, time_text(p->micro_s, t[0]), micro,
                 count_text(flop / p->micro_s, t[1]), time_text(p->update_s, t[2]),
                 time_text(p->block_s, t[3]), run->config->evaluation.batch,
                 plural(run->config->evaluation.batch));
    if (p->forward_only)
        c3d_text_add(out,
                     "tried: one sample forward, taken times three and times %d: more would "
                     "have taken too long\n",
                     micro);
    else if (p->n_samples < micro)
        c3d_text_add(out, "tried: %d sample%s, taken times %.3g: more would have taken too long\n",
                     p->n_samples, plural(p->n_samples), (double)micro / p->n_samples);
}

void c3d_plan_print_time(const c3d_run *run, const c3d_forecast *forecast, const c3d_probe *probe,
                         c3d_text *out)
{
    const int most = n_micro(run), ours = run->comm->n_ranks;
    const bool is_power = (ours & (ours - 1)) == 0;

    print_reading(run, probe, out);
    print_trial(run, forecast, probe, out);
    c3d_text_add(out, "%7s %10s %12s %12s %10s\n", "devices", "a step", "samples/s", "GB/s needed",
                 "an epoch");
    for (int n = 1; n <= most; n *= 2) {
        const rate r = rate_on(run, forecast, probe, n);
        print_row(run, &r, n, out);
        if (is_power || ours < n || ours >= 2 * n) continue;
        const rate here = rate_on(run, forecast, probe, ours);
        print_row(run, &here, ours, out);
    }
    c3d_text_add(out, "%d device%s at most: a step has that many micro-batches; ", most,
                 plural(most));
    if (ours > 1)
        c3d_text_add(out, "exchange as measured with %d ranks (%.3g s)\n", ours, probe->sum_s);
    else
        c3d_text_add(out, "exchange between devices taken as %.1f GB/s\n",
                     EXCHANGE_BYTES_PER_S / 1e9);
    if (!run->dataset) return;
    c3d_feed here = probe->feed;
    here.needed = rate_on(run, forecast, probe, ours).read_bytes_per_s;
    (void)c3d_feed_judge(run, &here, out);
}
