#include "train/feed.h"

#include "train/plan.h"
#include "train/run.h"
#include "train/stage.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_S      1.0
#define MEMORY_S    0.2  /* what lies in memory may be read again and again */
#define TRIAL_BYTES 64e6 /* of a rank */

static const char *const names[] = { "none", "node", "memory" };

/* ---- measuring ------------------------------------------------------------------------------- */

static c3d_status read_epoch(c3d_loader *loader, int64_t epoch, double end_s, double *n_samples)
{
    int64_t n_left = 0;

    for (int64_t s = 0; s < c3d_loader_n_steps(loader); s++)
        n_left += c3d_loader_n_micro(loader, s);
    C3D_TRY(c3d_loader_start(loader, epoch, 0));
    for (; n_left > 0 && c3d_now_s() < end_s; n_left--) {
        c3d_batch batch;
        C3D_TRY(c3d_loader_next(loader, &batch));
        *n_samples += batch.n;
    }
    return C3D_OK;
}

static c3d_status read_for(const c3d_run *run, const c3d_loader_desc *desc, double least_s,
                           double *bytes_per_s)
{
    const double sample_bytes = (double)c3d_loader_sample_bytes(desc, &run->input);
    c3d_loader *loader = NULL;
    double n = 0;

    C3D_TRY(c3d_loader_create(desc, &loader));
    const double start_s = c3d_now_s();
    c3d_status st = read_epoch(loader, 0, start_s + READ_S, &n);
    for (int64_t epoch = 1; st == C3D_OK && n > 0 && c3d_now_s() < start_s + least_s; epoch++)
        st = read_epoch(loader, epoch, start_s + READ_S, &n);
    *bytes_per_s = n * sample_bytes / (c3d_now_s() - start_s);
    c3d_loader_destroy(loader);
    return st;
}

c3d_status c3d_feed_read(const c3d_run *run, const c3d_loader_desc *desc, double *bytes_per_s)
{
    return read_for(run, desc, 0, bytes_per_s);
}

/* The first training samples, of which each rank of the node reads its part: from a disk once, for
 * what was read before comes from memory. */
static c3d_loader_desc trial_of(const c3d_run *run, c3d_list *list)
{
    c3d_loader_desc desc = c3d_run_loader_desc(run);
    const int n_ranks = run->seat.n_ranks;
    const double n =
        TRIAL_BYTES * n_ranks / (double)c3d_loader_sample_bytes(&desc, &run->input) + 1;

    *list = run->train_list;
    if (n < (double)list->n) list->n = (size_t)n;
    desc.list = list;
    desc.n_groups = 1;
    desc.balanced = false;
    desc.rank = run->seat.rank;
    desc.n_ranks = n_ranks;
    desc.global_batch = n_ranks * desc.micro_batch;
    return desc;
}

/* Why a copy of n_bytes cannot be tried in dir; false when it can. */
static bool is_unfit(const char *dir, uint64_t n_bytes, char why_out[200])
{
    uint64_t n_free = 0;

    why_out[0] = '\0';
    if (access(dir, W_OK | X_OK) != 0 || c3d_free_bytes(dir, &n_free) != C3D_OK)
        (void)snprintf(why_out, 200, "no directory that can be written to");
    else if (n_free / 2 < n_bytes)
        (void)snprintf(why_out, 200, "%.3g MB are free", (double)n_free / 1e6);
    return why_out[0] != '\0';
}

/* The part in the copy is read by this rank; the copy is gone afterwards. */
static c3d_status read_copy(c3d_run *run, const c3d_loader_desc *loader, c3d_stage_desc *desc,
                            bool from_disk, double *bytes_per_s)
{
    const c3d_sharing sharing = c3d_stage_sharing(run);
    char key[64];

    C3D_TRY(c3d_stage_key(run, key));
    desc->key = key;
    C3D_TRY(c3d_dataset_stage(run->dataset, desc, &sharing));
    if (from_disk && sharing.rank == 0) c3d_stage_drop_cache(run->dataset);
    c3d_status st = c3d_comm_barrier(run->comm);
    if (st == C3D_OK) st = read_for(run, loader, from_disk ? 0 : MEMORY_S, bytes_per_s);
    c3d_dataset_unstage(run->dataset);
    return c3d_comm_agree_status(run->comm, st);
}

static c3d_status try_copy(c3d_run *run, c3d_config_stage stage, c3d_feed *feed)
{
    c3d_list list;
    const c3d_loader_desc loader = trial_of(run, &list);
    c3d_stage_desc desc = { .list = &list, .one_slice = loader.one_slice, .slice = loader.slice };
    char dir[C3D_PATH_MAX];
    uint64_t n_bytes = 0;

    c3d_status st = c3d_stage_dir(run->config, stage, dir);
    if (st == C3D_OK) st = c3d_stage_bytes(run->dataset, &desc, &n_bytes);
    C3D_TRY(c3d_comm_agree_status(run->comm, st));
    int64_t n_unfit = is_unfit(dir, n_bytes, feed->why_not[stage]);
    C3D_TRY(c3d_comm_agree_max(run->comm, &n_unfit));
    if (n_unfit > 0) {
        if (!feed->why_not[stage][0])
            (void)snprintf(feed->why_not[stage], sizeof feed->why_not[stage], "not on all nodes");
        return C3D_OK;
    }
    desc.dir = dir;
    C3D_TRY(read_copy(run, &loader, &desc, stage == C3D_CONFIG_STAGE_NODE, &feed->speed[stage]));
    return c3d_comm_sum_f64(run->comm, &feed->speed[stage], 1);
}

c3d_status c3d_feed_try_copies(c3d_run *run, c3d_feed *feed)
{
    C3D_TRY(try_copy(run, C3D_CONFIG_STAGE_NODE, feed));
    return try_copy(run, C3D_CONFIG_STAGE_MEMORY, feed);
}

/* ---- what it says ---------------------------------------------------------------------------- */

double c3d_feed_speed(const c3d_run *run, const c3d_feed *feed)
{
    const double speed = feed->speed[run->config->data.stage];

    return speed > 0 ? speed : feed->speed[C3D_CONFIG_STAGE_NONE];
}

void c3d_feed_print_copies(const c3d_run *run, const c3d_feed *feed, c3d_text *out)
{
    char dir[C3D_PATH_MAX], n[32];

    c3d_text_add(out, "copies of it:");
    for (c3d_config_stage stage = C3D_CONFIG_STAGE_NODE; stage <= C3D_CONFIG_STAGE_MEMORY;
         stage++) {
        if (c3d_stage_dir(run->config, stage, dir) != C3D_OK) continue;
        c3d_text_add(out, "%s data.stage: %s (%s) ", stage > C3D_CONFIG_STAGE_NODE ? "," : "",
                     names[stage], dir);
        if (feed->speed[stage] > 0)
            c3d_text_add(out, "%.3g GB/s", feed->speed[stage] * 1e-9);
        else
            c3d_text_add(out, "not tried: %s", feed->why_not[stage]);
    }
    c3d_text_add(out, "; %s on node %d\n", c3d_plan_bytes((double)run->stage_bytes, n),
                 run->seat.node);
}

/* The first that is fast enough, or else the faster one where that is worth it; none: neither. */
static c3d_config_stage what_helps(const c3d_feed *feed, double speed)
{
    const double node = feed->speed[C3D_CONFIG_STAGE_NODE];
    const double memory = feed->speed[C3D_CONFIG_STAGE_MEMORY];
    const c3d_config_stage faster =
        node >= memory ? C3D_CONFIG_STAGE_NODE : C3D_CONFIG_STAGE_MEMORY;

    if (node >= feed->needed) return C3D_CONFIG_STAGE_NODE;
    if (memory >= feed->needed) return C3D_CONFIG_STAGE_MEMORY;
    return feed->speed[faster] > 1.25 * speed ? faster : C3D_CONFIG_STAGE_NONE;
}

bool c3d_feed_judge(const c3d_run *run, const c3d_feed *feed, c3d_text *out)
{
    const int n_ranks = run->comm->n_ranks, n_nodes = run->seat.n_nodes;
    const double speed = c3d_feed_speed(run, feed);
    const c3d_config_stage used =
        feed->speed[run->config->data.stage] > 0 ? run->config->data.stage : C3D_CONFIG_STAGE_NONE;

    c3d_text_add(out,
                 "%d device%s on %d node%s need%s %.3g GB/s (%.3g a device, %.3g a node), and "
                 "%.3g are read from %s",
                 n_ranks, n_ranks == 1 ? "" : "s", n_nodes, n_nodes == 1 ? "" : "s",
                 n_ranks == 1 ? "s" : "", feed->needed * 1e-9, feed->needed * 1e-9 / n_ranks,
                 feed->needed * 1e-9 / n_nodes, speed * 1e-9,
                 used == C3D_CONFIG_STAGE_NONE ? "the store" : "copies");
    if (speed >= feed->needed) {
        c3d_text_add(out, ": enough\n");
        return false;
    }
    const c3d_config_stage help = what_helps(feed, speed);
    c3d_text_add(out, ": reading limits the run; ");
    if (help == C3D_CONFIG_STAGE_NONE || help == used)
        c3d_text_add(out, "more of data.readers may help, no data.stage would\n");
    else
        c3d_text_add(out, "data.stage: %s would %s\n", names[help],
                     feed->speed[help] >= feed->needed ? "be enough" : "help, and not be enough");
    return true;
}
