#include "train/check.h"
#include "train/run.h"

#include <stdlib.h>
#include <string.h>

/* "0-3,8" of /sys: whether it names one of the set. */
static bool names_one_of(const char *list, const cpu_set_t *cpus)
{
    while (*list >= '0' && *list <= '9') {
        char *end;
        const long first = strtol(list, &end, 10);
        long last = first;
        if (*end == '-') last = strtol(end + 1, &end, 10);
        for (long cpu = first; cpu <= last && cpu < CPU_SETSIZE; cpu++)
            if (CPU_ISSET((size_t)cpu, cpus)) return true;
        if (*end != ',') return false;
        list = end + 1;
    }
    return false;
}

void c3d_site_numa(const char *root, const cpu_set_t *cpus, char out[32])
{
    char path[C3D_PATH_MAX];
    size_t at = 0;

    out[0] = '\0';
    for (int node = 0; node < 1024 && at < 26; node++) { /* numbers may have gaps */
        char *list = NULL;
        (void)snprintf(path, sizeof path, "%s/sys/devices/system/node/node%d/cpulist", root, node);
        if (!c3d_path_exists(path) || c3d_file_read(path, &list, NULL) != C3D_OK) continue;
        if (names_one_of(list, cpus))
            at += (size_t)snprintf(out + at, 32 - at, "%s%d", at > 0 ? "," : "", node);
        free(list);
    }
    if (at == 0) (void)snprintf(out, 32, "-");
}

static void look_at_device(c3d_run *run, c3d_site_rank *out)
{
    const c3d_backend_options options = c3d_run_backend_options(run, run->n_threads);
    c3d_backend *backend = &run->backend;

    out->device_index = -1;
    out->status = c3d_backend_open(backend, c3d_device_name(run->config), &options);
    if (out->status != C3D_OK) {
        (void)snprintf(out->device, sizeof out->device, "%.250s", c3d_error_last()->message);
        return;
    }
    (void)backend->ops->describe(backend, out->device);
    if (backend->ops->host_memory) return;
    const c3d_comm_device device = { .index = backend->options.device_index };
    out->device_index = device.index;
    if (c3d_nccl_find_gpu(&device, out->bus_id) != C3D_OK) out->bus_id[0] = '\0';
}

static void look_at_versions(c3d_site_rank *out)
{
    c3d_text text = { 0 }, found = { 0 };

    c3d_text_add(&text, "c3d-train %s, ", C3D_VERSION);
    c3d_comm_mpi_version(&text);
    c3d_train_versions(&found);
    if (found.text) c3d_text_add(&text, "; %.*s", (int)strcspn(found.text, "\n"), found.text);
    (void)snprintf(out->versions, sizeof out->versions, "%s", text.text);
    c3d_text_free(&text);
    c3d_text_free(&found);
}

void c3d_site_look(c3d_run *run, c3d_site_rank *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->host, run->comm->host, sizeof out->host);
    out->local_rank = run->comm->local_rank;
    out->first_local_rank = run->comm->first_local_rank;
    out->place = run->place;
    c3d_site_numa("", &out->place.cpus, out->numa);
    look_at_device(run, out);
    look_at_versions(out);
}

/* Widths of the two columns that vary. */
typedef struct widths {
    int host, cores;
} widths;

static widths measure(const c3d_site_rank *ranks, int n)
{
    widths w = { .host = 4, .cores = 5 };
    char cores[64];

    for (int r = 0; r < n; r++) {
        const int host = (int)strlen(ranks[r].host);
        const int list = (int)strlen(c3d_place_list(&ranks[r].place.cores, cores));
        if (host > w.host) w.host = host;
        if (list > w.cores) w.cores = list;
    }
    return w;
}

void c3d_site_print_ranks(const c3d_site_rank *ranks, int n, c3d_text *out)
{
    const widths w = measure(ranks, n);
    int n_hosts = 0;
    char cores[64];

    for (int r = 0; r < n; r++) n_hosts += ranks[r].first_local_rank == r;
    c3d_text_add(out, "ranks: %d, hosts: %d\n%5s %5s  %-*s  %-*s %8s %6s %6s  %s\n", n, n_hosts,
                 "rank", "local", w.host, "host", w.cores, "cores", "threads", "NUMA", "index",
                 "device");
    for (int r = 0; r < n; r++) {
        const c3d_site_rank *one = &ranks[r];
        char index[16] = "-";
        if (one->device_index >= 0) (void)snprintf(index, sizeof index, "%d", one->device_index);
        c3d_text_add(out, "%5d %5d  %-*s  %-*s %8d %6s %6s  %s%s%s\n", r, one->local_rank, w.host,
                     one->host, w.cores, c3d_place_list(&one->place.cores, cores),
                     one->place.n_threads, one->numa, index, one->device,
                     one->bus_id[0] ? ", at " : "", one->bus_id);
    }
    c3d_text_add(out, "threads: ");
    c3d_place_describe(&ranks[0].place, out);
    c3d_text_add(out, "\nversions: %s\n", ranks[0].versions);
}
