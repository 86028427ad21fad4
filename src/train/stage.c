#include "train/stage.h"

#include "train/plan.h"
#include "train/run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- which groups ---------------------------------------------------------------------------- */

static int common_divisor(int a, int b)
{
    while (b > 0) {
        const int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void find_in_blocks(const c3d_seat *seat, int n_ranks, c3d_stage_share *share)
{
    const int n = seat->n_in_blocks;

    for (int r = 0; r < seat->n_ranks; r++) {
        const c3d_block block = c3d_deal_block(n, seat->ranks[r], n_ranks);
        for (int i = block.begin; i < block.begin + block.n; i++)
            share->is_read[c3d_deal_place(n, share->n_groups, i) % share->n_groups] = true;
    }
}

/* A rank's micro-batches i have i mod n_ranks alike, so of the groups i mod n_groups it meets those
 * that agree with its turn modulo the common divisor. */
static void find_in_turn(const c3d_seat *seat, int n_ranks, c3d_stage_share *share)
{
    const int step = common_divisor(n_ranks, share->n_groups);

    for (int r = 0; r < seat->n_ranks; r++)
        for (int g = seat->turns[r] % step; g < share->n_groups; g += step)
            share->is_read[g] = true;
}

c3d_status c3d_stage_share_of(const c3d_seat *seat, int n_ranks, int n_groups, c3d_stage_share *out)
{
    const int n_most = (n_groups - 1) / seat->n_nodes + 1;
    c3d_stage_share share = { .n_groups = n_groups,
                              .is_read = c3d_calloc((size_t)n_groups, sizeof(bool)),
                              .is_copied = c3d_calloc((size_t)n_groups, sizeof(bool)) };

    if (!share.is_read || !share.is_copied) {
        c3d_stage_share_free(&share);
        return C3D_ENOMEM;
    }
    (seat->n_in_blocks > 0 ? find_in_blocks : find_in_turn)(seat, n_ranks, &share);
    for (int g = 0; g < n_groups; g++) share.n_read += share.is_read[g];
    /* first those that are dealt to this node before others, then any that it reads */
    for (int i = 0; i < 2 * n_groups && share.n_copied < n_most; i++) {
        const int64_t dealt = seat->node + (int64_t)i * seat->n_nodes;
        const int g = i < n_groups ? (int)(dealt % n_groups) : i - n_groups;
        if (!share.is_read[g] || share.is_copied[g]) continue;
        share.is_copied[g] = true;
        share.n_copied++;
    }
    *out = share;
    return C3D_OK;
}

void c3d_stage_share_free(c3d_stage_share *share)
{
    free(share->is_read);
    free(share->is_copied);
    *share = (c3d_stage_share){ 0 };
}

/* ---- which samples --------------------------------------------------------------------------- */

/* Block i of the evaluation is rank i mod n_ranks's. */
static void add_validation(const c3d_run *run, c3d_list *list)
{
    const c3d_list *all = &run->validation_list;
    const size_t batch = (size_t)run->config->evaluation.batch;
    const size_t n_ranks = (size_t)run->comm->n_ranks;

    for (int r = 0; r < run->seat.n_ranks; r++)
        for (size_t i = (size_t)run->seat.ranks[r] * batch; i < all->n; i += n_ranks * batch)
            for (size_t k = i; k < all->n && k < i + batch; k++)
                list->index[list->n++] = all->index[k];
}

static c3d_status list_samples(const c3d_run *run, const bool *is_copied, c3d_list *out)
{
    const c3d_loader_desc loader = c3d_run_loader_desc(run);
    c3d_list list;

    C3D_TRY(c3d_list_of_groups(&loader, is_copied, &list));
    uint32_t *more =
        realloc(list.index, (list.n + run->validation_list.n + 1) * sizeof *list.index);
    if (!more) {
        c3d_list_free(&list);
        return C3D_FAIL(C3D_ENOMEM, "a list of %zu samples", list.n + run->validation_list.n);
    }
    list.index = more;
    add_validation(run, &list);
    *out = list;
    return C3D_OK;
}

static c3d_stage_desc describe(const c3d_run *run, const c3d_list *list)
{
    const c3d_loader_desc loader = c3d_run_loader_desc(run);

    return (c3d_stage_desc){ .list = list, .one_slice = loader.one_slice, .slice = loader.slice };
}

static c3d_status list_node(const c3d_run *run, c3d_list *out)
{
    c3d_stage_share share;

    C3D_TRY(
        c3d_stage_share_of(&run->seat, run->comm->n_ranks, run->config->data.stage_groups, &share));
    const c3d_status st = list_samples(run, share.is_copied, out);
    c3d_stage_share_free(&share);
    return st;
}

c3d_status c3d_run_measure_stage(c3d_run *run)
{
    c3d_list list;

    C3D_TRY(list_node(run, &list));
    const c3d_stage_desc desc = describe(run, &list);
    const c3d_status st = c3d_stage_bytes(run->dataset, &desc, &run->stage_bytes);
    c3d_list_free(&list);
    return st;
}

/* ---- where ----------------------------------------------------------------------------------- */

c3d_status c3d_stage_dir(const c3d_config *config, c3d_config_stage stage, char out[C3D_PATH_MAX])
{
    static const char *const variables[] = { "SLURM_TMPDIR", "TMPDIR" };
    const char *dir = stage == C3D_CONFIG_STAGE_MEMORY ? "/dev/shm" : "/tmp";

    for (size_t i = C3D_COUNT(variables); stage == C3D_CONFIG_STAGE_NODE && i-- > 0;) {
        const char *said = getenv(variables[i]);
        if (said && said[0] == '/') dir = said;
    }
    if (config->data.stage_dir[0] && stage == config->data.stage) dir = config->data.stage_dir;
    return c3d_path_join(out, NULL, dir);
}

c3d_status c3d_stage_key(const c3d_run *run, char out[64])
{
    struct {
        char host[64], now[24];
        int64_t process;
        double clock_s;
    } words;
    uint64_t token;

    memset(&words, 0, sizeof words);
    memcpy(words.host, run->comm->host, sizeof words.host);
    c3d_now_text(words.now);
    words.process = getpid();
    words.clock_s = c3d_now_s();
    token = c3d_hash(&words, sizeof words);
    C3D_TRY(c3d_comm_share(run->comm, &token, sizeof token));
    (void)snprintf(out, 64, "%016llx-%d", (unsigned long long)token, run->seat.node);
    return C3D_OK;
}

static c3d_status agree(void *context, c3d_status status)
{
    return c3d_comm_agree_status(context, status);
}

c3d_sharing c3d_stage_sharing(const c3d_run *run)
{
    return (c3d_sharing){
        .rank = run->seat.rank, .n_ranks = run->seat.n_ranks, .agree = agree, .context = run->comm
    };
}

/* The fewest groups with which a node's share would fit `n_free` bytes; 0: none would. Groups of
 * one size are assumed. */
static int groups_that_fit(const c3d_run *run, uint64_t n_free)
{
    const c3d_config *config = run->config;
    const int n_micro = config->train.global_batch / config->train.micro_batch;
    const int now = (config->data.stage_groups - 1) / run->seat.n_nodes + 1;
    const double all =
        (double)run->stage_bytes * config->data.stage_groups / now; /* validation with it */

    if (config->train.global_batch % config->train.micro_batch != 0) return 0;
    for (int n = 2; n <= n_micro; n++) {
        const int n_copied = (n - 1) / run->seat.n_nodes + 1;
        if (n_micro % n == 0 && all * n_copied / n <= (double)n_free) return n;
    }
    return 0;
}

static c3d_status check_space(const c3d_run *run, const char *dir)
{
    char n[2][32], help[160] = "on more nodes, with more of data.stage_groups, less is needed";
    uint64_t n_free;

    if (!c3d_path_is_dir(dir))
        return C3D_FAIL(C3D_EIO, "%s: no such directory on %s (data.stage_dir)", dir,
                        run->comm->host);
    c3d_stage_clean(dir);
    C3D_TRY(c3d_free_bytes(dir, &n_free));
    if (run->stage_bytes <= n_free) return C3D_OK;
    const int n_fitting = groups_that_fit(run, n_free);
    if (n_fitting > 0)
        (void)snprintf(help, sizeof help,
                       "data.stage_groups: %d would make it fit on each of %d nodes, for a new run",
                       n_fitting, run->seat.n_nodes);
    return C3D_FAIL(C3D_EIO,
                    "%s: a copy of what %s reads takes %s (%llu B), %s are free (%llu B): use "
                    "another data.stage_dir or data.stage; %s",
                    dir, run->comm->host, c3d_plan_bytes((double)run->stage_bytes, n[0]),
                    (unsigned long long)run->stage_bytes, c3d_plan_bytes((double)n_free, n[1]),
                    (unsigned long long)n_free, help);
}

/* ---- copying --------------------------------------------------------------------------------- */

/* What came of it, over all nodes. */
static c3d_status report(const c3d_run *run, const char *dir, double seconds)
{
    c3d_stage_share share;
    int64_t sums[3] = { 0 }; /* bytes; groups read, groups copied, one count a node */
    char text[32];

    C3D_TRY(
        c3d_stage_share_of(&run->seat, run->comm->n_ranks, run->config->data.stage_groups, &share));
    if (run->seat.rank == 0) {
        sums[0] = (int64_t)run->stage_bytes;
        sums[1] = share.n_read;
        sums[2] = share.n_copied;
    }
    c3d_stage_share_free(&share);
    C3D_TRY(c3d_comm_sum_i64(run->comm, sums, C3D_COUNT(sums)));
    c3d_log_run("staged %s in %s on %d node%s in %.1f s (%.3g GB/s), checksums compared",
                c3d_plan_bytes((double)sums[0], text), dir, run->seat.n_nodes,
                run->seat.n_nodes == 1 ? "" : "s", seconds, (double)sums[0] / seconds / 1e9);
    if (sums[2] < sums[1])
        c3d_log_run("%.0f %% of the training samples that nodes read stay in the store: "
                    "data.stage_groups (%d) does not divide among %d nodes with %d ranks",
                    100.0 * (double)(sums[1] - sums[2]) / (double)sums[1],
                    run->config->data.stage_groups, run->seat.n_nodes, run->comm->n_ranks);
    return C3D_OK;
}

static c3d_status copy(c3d_run *run, const char *dir)
{
    const c3d_sharing sharing = c3d_stage_sharing(run);
    c3d_list list = { 0 };
    char key[64];

    C3D_TRY(c3d_stage_key(run, key));
    c3d_status st = c3d_comm_agree_status(run->comm, list_node(run, &list));
    c3d_stage_desc desc = describe(run, &list);
    desc.dir = dir;
    desc.key = key;
    if (st == C3D_OK) st = c3d_dataset_stage(run->dataset, &desc, &sharing);
    c3d_list_free(&list);
    return st;
}

c3d_status c3d_run_stage(c3d_run *run)
{
    const double start_s = c3d_now_s();
    char dir[C3D_PATH_MAX];

    if (run->config->data.stage == C3D_CONFIG_STAGE_NONE) return C3D_OK;
    c3d_status st = c3d_stage_dir(run->config, run->config->data.stage, dir);
    if (st == C3D_OK && run->seat.rank == 0) st = check_space(run, dir);
    C3D_TRY(c3d_comm_agree_status(run->comm, st));
    C3D_TRY(copy(run, dir));
    return report(run, dir, c3d_now_s() - start_s);
}
