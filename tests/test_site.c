/* --check: what is said of ranks, cores, devices and versions that were made up, and NUMA nodes as
 * files planted for it list them. */
#include "train/check.h"

#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#define MAX_RANKS 8

/* Two hosts of 4 cores, two ranks each, bound to two cores each: nothing is wrong. */
static int make_ranks(c3d_site_rank *ranks)
{
    memset(ranks, 0, MAX_RANKS * sizeof *ranks);
    for (int r = 0; r < 4; r++) {
        c3d_site_rank *one = &ranks[r];
        (void)snprintf(one->host, sizeof one->host, "node%d", r / 2);
        one->local_rank = r % 2;
        one->first_local_rank = r - r % 2;
        one->place.n_host_cores = 4;
        one->place.n_threads = 2;
        one->device_index = r % 2;
        CPU_SET((size_t)(2 * (r % 2)), &one->place.cores);
        CPU_SET((size_t)(2 * (r % 2) + 1), &one->place.cores);
        (void)snprintf(one->device, sizeof one->device, "H200 (sm_90)");
        (void)snprintf(one->bus_id, sizeof one->bus_id, "0000:%d0:00.0", 1 + r % 2);
        (void)snprintf(one->versions, sizeof one->versions, "c3d-train 0.1.0, Open MPI v4.1.4");
    }
    return 4;
}

static void expect(const c3d_site_rank *ranks, int n, int n_warnings, c3d_status status,
                   const char *sentence)
{
    c3d_site_findings found = { 0 };

    c3d_site_judge(ranks, n, &found);
    assert_int_equal(found.n_warnings, n_warnings);
    assert_int_equal(found.status, status);
    assert_int_equal(found.n_stops, status != C3D_OK);
    if (status != C3D_OK) assert_non_null(strstr(found.what, sentence));
    if (sentence) assert_non_null(found.lines.text ? strstr(found.lines.text, sentence) : NULL);
    c3d_site_findings_free(&found);
}

static void nothing_wrong(void **state)
{
    c3d_site_rank ranks[MAX_RANKS];

    (void)state;
    expect(ranks, make_ranks(ranks), 0, C3D_OK, NULL); /* same GPU address on two hosts is fine */
}

static void cores(void **state)
{
    c3d_site_rank ranks[MAX_RANKS];
    const int n = make_ranks(ranks);

    (void)state;
    ranks[3].place.n_threads = 3;
    expect(ranks, n, 1, C3D_OK, "node1: 2 ranks would take 5 threads on 4 cores (oversubscribed)");
    make_ranks(ranks);
    for (int r = 2; r < 4; r++) {
        CPU_ZERO(&ranks[r].place.cores);
        CPU_SET(0, &ranks[r].place.cores);
        ranks[r].place.n_threads = 1;
    }
    ranks[2].place.n_host_cores = ranks[3].place.n_host_cores = 1;
    expect(ranks, n, 1, C3D_OK, "node1: 2 ranks share 1 core (oversubscribed)");
    CPU_ZERO(&ranks[3].place.cores);
    CPU_SET(1, &ranks[3].place.cores);
    ranks[2].place.n_host_cores = ranks[3].place.n_host_cores = 2; /* both are used */
    expect(ranks, n, 0, C3D_OK, NULL);
    ranks[2].place.n_host_cores = ranks[3].place.n_host_cores = 64;
    expect(ranks, n, 1, C3D_OK, "node1: every rank is bound to one core, and 62 of 64 are left");
}

static void shared_gpus(void **state)
{
    c3d_site_rank ranks[MAX_RANKS];
    const int n = make_ranks(ranks);

    (void)state;
    memcpy(ranks[3].bus_id, ranks[2].bus_id, sizeof ranks[3].bus_id);
    expect(ranks, n, 1, C3D_OK, "node1: ranks 2 and 3 share one GPU (0000:10:00.0)");
    for (int r = 0; r < n; r++) {
        ranks[r].first_local_rank = 0;
        ranks[r].place.n_threads = 1;
        memcpy(ranks[r].bus_id, ranks[2].bus_id, sizeof ranks[r].bus_id);
    }
    expect(ranks, n, 1, C3D_OK, "ranks 0, 1 and 2 more share one GPU");
}

static void unlike_hosts(void **state)
{
    c3d_site_rank ranks[MAX_RANKS];
    const int n = make_ranks(ranks);

    (void)state;
    (void)snprintf(ranks[2].versions, sizeof ranks[2].versions, "c3d-train 0.0.9");
    expect(ranks, n, 1, C3D_OK, "rank 2 (node1) runs with \"c3d-train 0.0.9\", rank 0 (node0)");
    make_ranks(ranks);
    (void)snprintf(ranks[3].device, sizeof ranks[3].device, "A100 (sm_80)");
    expect(ranks, n, 0, C3D_EUNSUPPORTED,
           "rank 3 (node1) computes with \"A100 (sm_80)\", rank 0 (node0) with \"H200 (sm_90)\"");
    ranks[1].status = C3D_EBACKEND;
    (void)snprintf(ranks[1].device, sizeof ranks[1].device, "cudaSetDevice: busy");
    expect(ranks, n, 0, C3D_EBACKEND, "rank 1 (node0): cudaSetDevice: busy");
}

static void numa_nodes(void **state)
{
    static const char *const lists[] = { "0-3,8\n", "4-7,9-10\n" };
    char path[C3D_PATH_MAX], out[32];
    cpu_set_t cores;

    (void)state;
    CPU_ZERO(&cores);
    CPU_SET(9, &cores);
    c3d_site_numa("site_root", &cores, out);
    assert_string_equal(out, "-"); /* not listed */
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "site_root/sys/devices/system/node/node%d", 5 * i);
        assert_int_equal(c3d_make_dirs(path), C3D_OK);
        strcat(path, "/cpulist");
        assert_int_equal(c3d_file_write(path, lists[i], strlen(lists[i])), C3D_OK);
    }
    c3d_site_numa("site_root", &cores, out);
    assert_string_equal(out, "5");
    CPU_SET(8, &cores);
    c3d_site_numa("site_root", &cores, out);
    assert_string_equal(out, "0,5");
    CPU_ZERO(&cores);
    CPU_SET(11, &cores);
    c3d_site_numa("site_root", &cores, out);
    assert_string_equal(out, "-");
    assert_int_equal(system("rm -rf site_root"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_wrong), cmocka_unit_test(cores),
        cmocka_unit_test(shared_gpus),   cmocka_unit_test(unlike_hosts),
        cmocka_unit_test(numa_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
