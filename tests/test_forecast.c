/* Memory: what a host says it has left, from files planted for it, and when ranks do not fit. */
#include "train/forecast.h"

#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#define GIB ((uint64_t)1 << 30)

static const char *root = "forecast_root";

static void plant(const char *path, const char *text)
{
    char full[C3D_PATH_MAX], dir[C3D_PATH_MAX];

    assert_int_equal(c3d_path_join(full, root, path), C3D_OK);
    memcpy(dir, full, sizeof dir);
    *strrchr(dir, '/') = '\0';
    assert_int_equal(c3d_make_dirs(dir), C3D_OK);
    assert_int_equal(c3d_file_write(full, text, strlen(text)), C3D_OK);
}

static int clear(void **state)
{
    (void)state;
    return system("rm -rf forecast_root") == 0 ? 0 : -1;
}

static void expect_left(uint64_t bytes, bool is_of_group)
{
    const c3d_host_memory memory = c3d_host_memory_of(root);

    assert_true(memory.available == bytes);
    assert_int_equal(memory.is_of_group, is_of_group);
}

static void the_host(void **state)
{
    (void)state;
    expect_left(UINT64_MAX, false);
    plant("proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable:    4194304 kB\n");
    expect_left(4 * GIB, false);
    plant("proc/self/cgroup", "0::/\n");
    expect_left(4 * GIB, false);
}

static void group_version_2(void **state)
{
    (void)state;
    plant("proc/meminfo", "MemAvailable: 4194304 kB\n");
    plant("proc/self/cgroup", "0::/job/step\n");
    plant("sys/fs/cgroup/job/step/memory.max", "max\n");
    plant("sys/fs/cgroup/job/step/memory.current", "1073741824\n");
    expect_left(4 * GIB, false);
    plant("sys/fs/cgroup/job/memory.max", "3221225472\n"); /* of the group above */
    plant("sys/fs/cgroup/job/memory.current", "2147483648\n");
    expect_left(GIB, true);
    plant("sys/fs/cgroup/job/memory.stat",
          "anon 5\nfile 9\ninactive_file 268435456\nactive_file 268435456\n");
    expect_left(GIB + GIB / 2, true);
    plant("sys/fs/cgroup/job/memory.max", "1\n");
    expect_left(0, true);
}

/* Version 1, in a container that sees its own group at the mount. */
static void group_version_1(void **state)
{
    (void)state;
    plant("proc/meminfo", "MemAvailable: 4194304 kB\n");
    plant("proc/self/cgroup", "3:cpu,cpuacct:/\n2:blkio,memory:/docker/0123\n1:name=systemd:/\n");
    plant("sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n");
    plant("sys/fs/cgroup/memory/memory.usage_in_bytes", "1073741824\n");
    plant("sys/fs/cgroup/memory/memory.stat", "total_inactive_file 1024\ntotal_active_file 0\n");
    expect_left(GIB + 1024, true);
    plant("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    expect_left(4 * GIB, false);
}

static c3d_rank_memory rank(const char *host, uint64_t need, uint64_t available, c3d_need largest)
{
    c3d_rank_memory r = {
        .memory = { available, false }, .need = need, .largest = largest, .largest_bytes = need / 2
    };

    (void)snprintf(r.host, sizeof r.host, "%s", host);
    return r;
}

static void expect_refused(const c3d_rank_memory *ranks, int n, const char *what, const char *keys)
{
    assert_int_equal(c3d_forecast_compare(ranks, n), C3D_ECONFIG);
    const char *message = c3d_error_last()->message;
    if (!strstr(message, what) || !strstr(message, keys)) fail_msg("%s", message);
}

static void ranks_of_a_host_add_up(void **state)
{
    c3d_rank_memory ranks[4] = {
        rank("a", 3 * GIB, 7 * GIB, C3D_NEED_ACTIVATIONS),
        rank("a", 2 * GIB, 7 * GIB, C3D_NEED_PARAMETERS),
        rank("b", 3 * GIB, 5 * GIB, C3D_NEED_EVALUATION),
        rank("a", 2 * GIB, 7 * GIB, C3D_NEED_PARAMETERS),
    };

    (void)state;
    assert_int_equal(c3d_forecast_compare(ranks, 4), C3D_OK);
    ranks[1].memory.available--; /* another rank saw less of the same host */
    expect_refused(ranks, 4, "a: 3 ranks would need 7.00 GiB", "train.micro_batch");
    ranks[1].memory.available++;
    ranks[2].need = 5 * GIB + 1;
    expect_refused(ranks, 4, "b: 1 rank would need 5.00 GiB", "evaluation.batch");
    ranks[2].is_least = true;
    expect_refused(ranks, 4, "b: 1 rank would need at least 5.00 GiB", "model.width");
    ranks[2].memory.available = UINT64_MAX; /* a host that says nothing is not refused */
    assert_int_equal(c3d_forecast_compare(ranks, 4), C3D_OK);
}

static void this_process(void **state)
{
    const size_t n = (size_t)64 << 20;
    const c3d_held_memory before = c3d_held_memory_now();
    char *const bytes = malloc(n);

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 1, n);
    const c3d_held_memory with = c3d_held_memory_now();
    assert_true(before.now > 0 && before.most >= before.now);
    assert_true(with.now >= before.now + n / 2 && with.most >= with.now);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_host, clear),
        cmocka_unit_test_setup(group_version_2, clear),
        cmocka_unit_test_setup_teardown(group_version_1, clear, clear),
        cmocka_unit_test(ranks_of_a_host_add_up),
        cmocka_unit_test(this_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
