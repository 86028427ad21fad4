/* --check: is this a place where a run would go well? Facts first, what is wrong with them last. */
#include "train/check.h"

#include "train/plan.h"
#include "train/probe.h"
#include "train/run.h"

#include <stdlib.h>
#include <string.h>

typedef struct site {
    c3d_run *run;
    FILE *out; /* rank 0's */
    c3d_site_findings findings;
} site;

/* Rank 0 prints; the text is freed on all. */
static c3d_status say(const site *s, c3d_text *text)
{
    const bool speaks = s->run->comm->rank == 0 && text->text;
    const bool written = !speaks || (fputs(text->text, s->out) >= 0 && fflush(s->out) == 0);

    c3d_text_free(text);
    return c3d_comm_agree_status(
        s->run->comm, written ? C3D_OK : C3D_FAIL(C3D_EIO, "standard output: cannot be written"));
}

/* Ranks without devices alike could not even meet in a sum. */
static c3d_status check_ranks(site *s, bool *can_sum)
{
    c3d_comm *comm = s->run->comm;
    c3d_site_rank mine;
    c3d_text text = { 0 };
    void *all = NULL;
    size_t n;

    c3d_site_look(s->run, &mine);
    C3D_TRY(c3d_comm_gather(comm, &mine, sizeof mine, &all, &n));
    if (comm->rank == 0) {
        c3d_site_print_ranks(all, comm->n_ranks, &text);
        c3d_site_judge(all, comm->n_ranks, &s->findings);
        *can_sum = s->findings.n_stops == 0;
    }
    free(all);
    C3D_TRY(c3d_comm_share(comm, can_sum, sizeof *can_sum));
    return say(s, &text);
}

static c3d_status check_sums(site *s)
{
    c3d_text text = { 0 };
    const c3d_status st = c3d_site_time_sums(s->run, &text);

    if (st != C3D_OK) {
        c3d_text_free(&text);
        return st;
    }
    return say(s, &text);
}

/* ---- the store ------------------------------------------------------------------------------- */

typedef struct reading {
    char host[64];
    uint64_t hash; /* of the content */
    double bytes_per_s;
} reading;

static c3d_status read_some(c3d_run *run, reading *out)
{
    c3d_status st = c3d_run_find_input(run);

    if (st == C3D_OK && run->dataset) {
        out->hash = c3d_dataset_get_info(run->dataset)->hash;
        const c3d_loader_desc desc = c3d_run_loader_desc(run);
        st = c3d_feed_read(run, &desc, &out->bytes_per_s);
    }
    return st == C3D_OK ? C3D_OK : c3d_error_while("looking at the samples on %s", run->comm->host);
}

static void judge_stores(const reading *all, int n, const char *store, c3d_site_findings *out)
{
    for (int r = 1; r < n; r++) {
        if (all[r].hash == all[0].hash) continue;
        c3d_site_stop(out, C3D_EDATA,
                      "data.store %s: rank %d (%s) finds other samples there than rank 0 (%s): use "
                      "a directory that all hosts share, or the same copy on each",
                      store, r, all[r].host, all[0].host);
        return;
    }
}

static void print_reading(const c3d_run *run, const reading *all, c3d_text *out)
{
    const int readers = run->config->data.readers;
    double sum = 0;

    for (int r = 0; r < run->comm->n_ranks; r++) sum += all[r].bytes_per_s;
    c3d_text_add(out,
                 "store: %s: %.1f MB/s in all, with %d reader%s a rank (files read lately may have "
                 "come from memory)\n%5s %10s\n",
                 run->config->data.store, sum * 1e-6, readers, readers == 1 ? "" : "s", "rank",
                 "MB/s");
    for (int r = 0; r < run->comm->n_ranks; r++)
        c3d_text_add(out, "%5d %10.1f\n", r, all[r].bytes_per_s * 1e-6);
}

/* Whether the devices would wait for samples; computes only where all have a device that works. */
static c3d_status check_feeding(site *s, double bytes_per_s, bool can_compute)
{
    c3d_run *run = s->run;
    c3d_feed feed = { .speed = { [C3D_CONFIG_STAGE_NONE] = bytes_per_s } };
    c3d_text text = { 0 }, sentence = { 0 };
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_comm_sum_f64(run->comm, &feed.speed[C3D_CONFIG_STAGE_NONE], 1));
    C3D_TRY(c3d_feed_try_copies(run, &feed));
    if (can_compute) st = c3d_probe_need(run, &feed.needed);
    C3D_TRY(c3d_comm_agree_status(run->comm, st));
    C3D_TRY(c3d_comm_sum_f64(run->comm, &feed.needed, 1));
    if (run->comm->rank == 0) {
        c3d_feed_print_copies(run, &feed, &text);
        const bool is_slow = can_compute && c3d_feed_judge(run, &feed, &sentence);
        if (is_slow)
            c3d_site_warn(&s->findings, "%.*s", (int)strcspn(sentence.text, "\n"), sentence.text);
        else if (can_compute)
            c3d_text_add(&text, "%s", sentence.text);
    }
    c3d_text_free(&sentence);
    return say(s, &text);
}

static c3d_status check_store(site *s, bool can_compute)
{
    c3d_run *run = s->run;
    reading mine = { .bytes_per_s = 0 };
    c3d_text text = { 0 };
    void *all = NULL;
    size_t n;

    (void)snprintf(mine.host, sizeof mine.host, "%s", run->comm->host);
    C3D_TRY(c3d_comm_agree_status(run->comm, read_some(run, &mine)));
    if (!run->dataset) return C3D_OK;
    C3D_TRY(c3d_comm_gather(run->comm, &mine, sizeof mine, &all, &n));
    if (run->comm->rank == 0) {
        print_reading(run, all, &text);
        judge_stores(all, run->comm->n_ranks, run->config->data.store, &s->findings);
    }
    free(all);
    C3D_TRY(say(s, &text));
    return check_feeding(s, mine.bytes_per_s, can_compute);
}

/* ---- the run directory ----------------------------------------------------------------------- */

/* Parameters and both moments in float32; norms' statistics are few. 0: the network is not known.
 */
static c3d_status checkpoint_bytes(const c3d_run *run, double *out)
{
    c3d_shape_table table;

    *out = 0;
    if (run->network.model.x.c == 0) return C3D_OK;
    C3D_TRY(c3d_shape_table_make(&run->network.model, &table));
    *out = 3.0 * sizeof(float) * (double)table.n_params;
    return C3D_OK;
}

/* Rank 0. The best parameters have no moments, and a new checkpoint is whole before an old one
 * goes. */
static c3d_status check_space(site *s, c3d_text *text)
{
    const c3d_config *config = s->run->config;
    const int n_kept =
        config->train.keep_last +
        (config->train.keep_every ? config->train.epochs / config->train.keep_every : 0);
    char n[3][32];
    uint64_t n_free;
    double one;

    C3D_TRY(c3d_free_bytes(config->run.dir, &n_free));
    C3D_TRY(checkpoint_bytes(s->run, &one));
    const double all = one * (n_kept + 1 + 1.0 / 3);
    c3d_text_add(text, "run.dir: %s: %s free", config->run.dir,
                 c3d_plan_bytes((double)n_free, n[0]));
    if (one > 0)
        c3d_text_add(text, "; a checkpoint takes %s, %d and the best with a new one %s",
                     c3d_plan_bytes(one, n[1]), n_kept, c3d_plan_bytes(all, n[2]));
    c3d_text_add(text, "\n");
    if ((double)n_free < one)
        c3d_site_stop(&s->findings, C3D_EIO,
                      "run.dir %s: %s are free, a checkpoint takes %s: make room, or choose "
                      "another directory",
                      config->run.dir, n[0], n[1]);
    else if ((double)n_free < all)
        c3d_site_warn(&s->findings,
                      "run.dir %s: %s are free, checkpoints will take %s: make room, or use a "
                      "smaller train.keep_last or a larger train.keep_every",
                      config->run.dir, n[0], n[2]);
    return C3D_OK;
}

static c3d_status check_run_dir(site *s)
{
    c3d_comm *comm = s->run->comm;
    c3d_text text = { 0 };
    const c3d_status st =
        c3d_comm_agree_status(comm, comm->rank == 0 ? check_space(s, &text) : C3D_OK);

    if (st != C3D_OK) {
        c3d_text_free(&text);
        return st;
    }
    C3D_TRY(say(s, &text));
    return c3d_site_check_directory(comm, s->run->config->run.dir, &s->findings);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static c3d_status conclude(site *s)
{
    const c3d_site_findings *f = &s->findings;
    c3d_text text = { 0 };

    if (f->n_warnings + f->n_stops == 0)
        c3d_text_add(&text, "nothing wrong was found\n");
    else if (f->lines.text)
        c3d_text_add(&text, "%s", f->lines.text);
    C3D_TRY(say(s, &text));
    return c3d_comm_agree_status(s->run->comm,
                                 f->n_stops > 0 ? C3D_FAIL(f->status, "%s", f->what) : C3D_OK);
}

static c3d_status look(site *s)
{
    const c3d_config *config = s->run->config;
    const bool has_sizes = config->data.bands.n > 0 && config->data.months.first > 0;
    bool can_sum = false;

    C3D_TRY(check_ranks(s, &can_sum));
    if (can_sum) C3D_TRY(check_sums(s));
    if (config->data.store[0] || has_sizes) C3D_TRY(check_store(s, can_sum));
    return config->run.dir[0] ? check_run_dir(s) : C3D_OK;
}

/* What was found until something failed is said all the same; the failure comes from main. */
static c3d_status check(site *s)
{
    const c3d_status st = look(s);

    if (st == C3D_OK) return conclude(s);
    if (s->findings.lines.text) (void)fputs(s->findings.lines.text, s->out);
    return st;
}

c3d_status c3d_run_check(c3d_comm *comm, const c3d_config *config, FILE *out)
{
    c3d_run run = { 0 };
    site s = { .run = &run, .out = out };
    c3d_status st = c3d_run_begin(&run, comm, config);

    if (st == C3D_OK) st = check(&s);
    if (st != C3D_OK) c3d_comm_give_up(comm);
    c3d_run_close(&run);
    c3d_site_findings_free(&s.findings);
    return st;
}
