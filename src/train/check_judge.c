#include "train/check.h"

#include <string.h>

static void add(c3d_site_findings *out, const char *kind, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static void add(c3d_site_findings *out, const char *kind, const char *format, va_list args)
{
    char sentence[sizeof out->what];

    (void)vsnprintf(sentence, sizeof sentence, format, args);
    c3d_text_add(&out->lines, "%s: %s\n", kind, sentence);
    if (out->n_stops == 1 && !out->what[0]) memcpy(out->what, sentence, sizeof sentence);
}

void c3d_site_warn(c3d_site_findings *out, const char *format, ...)
{
    va_list args;

    out->n_warnings++;
    va_start(args, format);
    add(out, "warning", format, args);
    va_end(args);
}

void c3d_site_stop(c3d_site_findings *out, c3d_status status, const char *format, ...)
{
    va_list args;

    if (out->n_stops++ == 0) out->status = status;
    va_start(args, format);
    add(out, "would stop a run", format, args);
    va_end(args);
}

void c3d_site_findings_free(c3d_site_findings *findings)
{
    c3d_text_free(&findings->lines);
}

/* ---- one host -------------------------------------------------------------------------------- */

typedef struct host_cores {
    int n_ranks, n_threads;
    cpu_set_t cores; /* of any of its ranks */
    bool all_bound;  /* each rank to one core */
} host_cores;

static host_cores cores_of(const c3d_site_rank *ranks, int n, int first)
{
    host_cores h = { .all_bound = true };

    CPU_ZERO(&h.cores);
    for (int r = first; r < n; r++) {
        if (ranks[r].first_local_rank != ranks[first].first_local_rank) continue;
        h.n_ranks++;
        h.n_threads += ranks[r].place.n_threads;
        CPU_OR(&h.cores, &h.cores, &ranks[r].place.cores);
        h.all_bound = h.all_bound && CPU_COUNT(&ranks[r].place.cores) == 1;
    }
    return h;
}

static void judge_cores(const c3d_site_rank *ranks, int n, int first, c3d_site_findings *out)
{
    const c3d_site_rank *r = &ranks[first];
    const host_cores h = cores_of(ranks, n, first);
    const int n_cores = CPU_COUNT(&h.cores);

    if (n_cores > 0 && h.n_ranks > n_cores)
        c3d_site_warn(out,
                      "%s: %d ranks share %d core%s (oversubscribed): start at most %d there, or "
                      "let them use more cores",
                      r->host, h.n_ranks, n_cores, n_cores == 1 ? "" : "s", n_cores);
    else if (n_cores > 0 && h.n_threads > n_cores)
        c3d_site_warn(out,
                      "%s: %d ranks would take %d threads on %d core%s (oversubscribed): use a "
                      "smaller distributed.threads, or leave it out",
                      r->host, h.n_ranks, h.n_threads, n_cores, n_cores == 1 ? "" : "s");
    if (h.all_bound && n_cores < r->place.n_host_cores)
        c3d_site_warn(out,
                      "%s: every rank is bound to one core, and %d of %d are left unused: start "
                      "with mpirun --bind-to none, or give each task more with srun "
                      "--cpus-per-task",
                      r->host, r->place.n_host_cores - n_cores, r->place.n_host_cores);
}

/* One sentence a GPU: when its first rank comes up. */
static void judge_gpu(const c3d_site_rank *ranks, int n, int r, c3d_site_findings *out)
{
    int n_others = 0, other = -1;

    if (!ranks[r].bus_id[0]) return;
    for (int q = 0; q < n; q++) {
        if (q == r || ranks[q].first_local_rank != ranks[r].first_local_rank ||
            strcmp(ranks[q].bus_id, ranks[r].bus_id) != 0)
            continue;
        if (q < r) return;
        if (n_others++ == 0) other = q;
    }
    if (n_others == 1)
        c3d_site_warn(out,
                      "%s: ranks %d and %d share one GPU (%s): start one rank a GPU, or let the "
                      "job see more of them",
                      ranks[r].host, r, other, ranks[r].bus_id);
    else if (n_others > 1)
        c3d_site_warn(out,
                      "%s: ranks %d, %d and %d more share one GPU (%s): start one rank a GPU, or "
                      "let the job see more of them",
                      ranks[r].host, r, other, n_others - 1, ranks[r].bus_id);
}

/* ---- all ------------------------------------------------------------------------------------- */

static void judge_devices(const c3d_site_rank *ranks, int n, c3d_site_findings *out)
{
    for (int r = 0; r < n; r++) {
        if (ranks[r].status == C3D_OK) continue;
        c3d_site_stop(out, ranks[r].status, "rank %d (%s): %s", r, ranks[r].host, ranks[r].device);
        return;
    }
    for (int r = 1; r < n; r++) {
        if (strcmp(ranks[r].device, ranks[0].device) == 0) continue;
        c3d_site_stop(out, C3D_EUNSUPPORTED,
                      "rank %d (%s) computes with \"%.120s\", rank 0 (%s) with \"%.120s\": use "
                      "hosts alike, with as many cores a rank or with distributed.threads",
                      r, ranks[r].host, ranks[r].device, ranks[0].host, ranks[0].device);
        return;
    }
}

static void judge_versions(const c3d_site_rank *ranks, int n, c3d_site_findings *out)
{
    for (int r = 1; r < n; r++) {
        if (strcmp(ranks[r].versions, ranks[0].versions) == 0) continue;
        c3d_site_warn(out,
                      "rank %d (%s) runs with \"%.150s\", rank 0 (%s) with \"%.150s\": use the "
                      "same installation on all hosts",
                      r, ranks[r].host, ranks[r].versions, ranks[0].host, ranks[0].versions);
        return;
    }
}

void c3d_site_judge(const c3d_site_rank *ranks, int n, c3d_site_findings *out)
{
    judge_devices(ranks, n, out);
    judge_versions(ranks, n, out);
    for (int r = 0; r < n; r++) {
        if (ranks[r].first_local_rank == r) judge_cores(ranks, n, r, out);
        judge_gpu(ranks, n, r, out);
    }
}
