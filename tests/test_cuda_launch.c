/* What running kernels on the host (tests/cuda_host) finds, and that it runs right ones right. */
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cm.h"

#include "c3d/base.h"
#include "cuda_host/faulty.h"
#include "cuda_host/launch.h"

static void right_kernels_run_in_any_order(void **state)
{
    float first[64], out[64];

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        const uint64_t n_before = c3d_cuda_host_launches();

        c3d_cuda_host_shuffle(seed);
        assert_int_equal(faulty_run(FAULTY_NONE, out), cudaSuccess);
        assert_int_equal(c3d_cuda_host_launches(), n_before + 1);
        for (int i = 0; i < 64; i++) assert_true(out[i] == (float)((i + 1) % 32));
    }
    c3d_cuda_host_shuffle(0);
    assert_int_equal(faulty_run(FAULTY_NONE, first), cudaSuccess);
    assert_memory_equal(first, out, sizeof out);
}

static void a_missing_barrier_shows(void **state)
{
    bool is_same = true;
    float first[64], out[64];

    (void)state;
    c3d_cuda_host_shuffle(1);
    assert_int_equal(faulty_run(FAULTY_NO_BARRIER, first), cudaSuccess);
    for (uint64_t seed = 2; seed < 5; seed++) {
        c3d_cuda_host_shuffle(seed);
        assert_int_equal(faulty_run(FAULTY_NO_BARRIER, out), cudaSuccess);
        is_same = is_same && memcmp(first, out, 32 * sizeof(float)) == 0;
    }
    assert_false(is_same);
    c3d_cuda_host_shuffle(0);
}

static void shared_memory_begins_as_nan(void **state)
{
    float out[64];

    (void)state;
    assert_int_equal(faulty_run(FAULTY_STALE_MEMORY, out), cudaSuccess);
    assert_true(out[0] == 1 && isnan(out[1]));
}

static void limits_are_checked_at_the_launch(void **state)
{
    (void)state;
    assert_int_equal(faulty_run(FAULTY_TOO_LARGE, NULL), cudaErrorInvalidConfiguration);
}

/* What a process that runs the kernel says before it ends; it must not end well. */
static void last_words(faulty_kernel which, char *text, size_t n_text)
{
    int ends[2], status;
    float out[64];
    size_t n = 0;

    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL); /* cmocka's would go on with the next test */
        (void)dup2(ends[1], STDERR_FILENO);
        (void)faulty_run(which, out);
        _exit(0);
    }
    (void)close(ends[1]);
    for (ssize_t got = 1; got > 0 && n + 1 < n_text; n += got > 0 ? (size_t)got : 0)
        got = read(ends[0], text + n, n_text - 1 - n);
    text[n] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void barriers_that_not_all_reach_name_the_kernel(void **state)
{
    char text[4096];

    (void)state;
    last_words(FAULTY_EARLY_LEAVER, text, sizeof text);
    assert_non_null(strstr(text, "early_leaver"));
    assert_non_null(strstr(text, "others of the block have ended, at the barrier of"));
    last_words(FAULTY_PARTED_WAYS, text, sizeof text);
    assert_non_null(strstr(text, "parted_ways"));
    assert_non_null(strstr(text, "others wait elsewhere"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_kernels_run_in_any_order),
        cmocka_unit_test(a_missing_barrier_shows),
        cmocka_unit_test(shared_memory_begins_as_nan),
        cmocka_unit_test(limits_are_checked_at_the_launch),
        cmocka_unit_test(barriers_that_not_all_reach_name_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
