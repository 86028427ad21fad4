/* Whom the watch names, from what rank 0 may have heard. */
#include "comm/judge.h"
#include "support/cm.h"

#include <string.h>

enum { N = 3 };
#define LIMIT_S 60.0

static const char hosts[N][C3D_HOST_MAX] = { "north", "north", "south" };
static c3d_seen seen[N];
static c3d_text who;

/* All three have come to `n` calls of each plane and compute. */
static void all_compute(uint64_t n)
{
    memset(seen, 0, sizeof seen);
    for (int r = 0; r < N; r++)
        seen[r].sign =
            (c3d_sign){ .phase = { C3D_PHASE_COMPUTING, 2, 56, 1000 }, .n_begun = { n, n } };
}

static void wait_in(int rank, c3d_plane plane, double seconds)
{
    seen[rank].sign.n_begun[plane]++;
    seen[rank].sign.waited_s[plane] = seconds;
    seen[rank].at_rest_s = seconds;
}

static void expect_judgement(c3d_judgement expected, const char *words)
{
    const c3d_panel panel = { .seen = seen, .hosts = hosts[0], .n = N, .limit_s = LIMIT_S };

    c3d_text_free(&who);
    assert_int_equal(c3d_judge(&panel, &who), expected);
    if (words)
        assert_string_equal(who.text, words);
    else
        assert_null(who.text);
}

static void nobody_waits(void **state)
{
    (void)state;
    all_compute(7);
    expect_judgement(C3D_NONE_LATE, NULL);
    seen[1].at_rest_s = 1000; /* a long layer */
    expect_judgement(C3D_NONE_LATE, NULL);
    seen[2].silent_s = 1000; /* stopped, and nobody misses it yet */
    wait_in(0, C3D_PLANE_DATA, 59);
    expect_judgement(C3D_NONE_LATE, NULL);
}

static void a_stopped_rank_is_named(void **state)
{
    (void)state;
    all_compute(7);
    wait_in(0, C3D_PLANE_DATA, 60);
    wait_in(1, C3D_PLANE_DATA, 60);
    seen[2].silent_s = seen[2].at_rest_s = 60;
    seen[2].sign.phase = (c3d_phase_record){ C3D_PHASE_READING, 1234, 56, 0 };
    expect_judgement(C3D_SOME_LATE,
                     "rank 2 (south): no sign of life for 60 s; last: reading sample "
                     "1234 of step 56");
}

/* It had come to the call, and was stopped in the middle of it. */
static void a_rank_stopped_in_a_call_is_named(void **state)
{
    (void)state;
    all_compute(7);
    for (int r = 0; r < N; r++) wait_in(r, C3D_PLANE_DATA, r == 1 ? 0.5 : 61);
    seen[1].silent_s = 61;
    expect_judgement(C3D_SOME_LATE, "rank 1 (north): no sign of life for 60 s; last: computing "
                                    "micro-batch 2 of step 56");
}

static void a_rank_that_rests_is_named(void **state)
{
    (void)state;
    all_compute(7);
    wait_in(1, C3D_PLANE_CONTROL, 100);
    wait_in(2, C3D_PLANE_CONTROL, 90);
    seen[0].at_rest_s = 61;
    seen[0].sign.phase = (c3d_phase_record){ C3D_PHASE_SCORING, 0, 0, 0 };
    expect_judgement(C3D_SOME_LATE, "rank 0 (north): has let the others wait for 60 s; last: "
                                    "putting the scores together");
}

/* A slow disk is waited for, but not for ever, and not on a host that is gone. */
static void a_rank_that_saves_has_more_time(void **state)
{
    (void)state;
    all_compute(7);
    wait_in(1, C3D_PLANE_CONTROL, 1000);
    wait_in(2, C3D_PLANE_CONTROL, 1000);
    seen[0].sign.phase = (c3d_phase_record){ C3D_PHASE_SAVING, 300, 0, 0 };
    seen[0].at_rest_s = 599;
    expect_judgement(C3D_SOME_WORK,
                     "rank 0 (north): has let the others wait for 60 s; last: saving "
                     "the checkpoint of step 300, which may take 10 times as long");
    seen[0].at_rest_s = 600;
    expect_judgement(C3D_SOME_LATE,
                     "rank 0 (north): has let the others wait for 600 s; last: saving "
                     "the checkpoint of step 300");
    seen[0].at_rest_s = seen[0].silent_s = 60;
    expect_judgement(C3D_SOME_LATE, "rank 0 (north): no sign of life for 60 s; last: saving the "
                                    "checkpoint of step 300");
}

static void a_rank_that_works_on_is_not_late(void **state)
{
    (void)state;
    all_compute(7);
    wait_in(1, C3D_PLANE_CONTROL, 3600);
    wait_in(2, C3D_PLANE_CONTROL, 3600);
    seen[0].at_rest_s = 0.5;
    expect_judgement(C3D_SOME_WORK, "rank 0 (north): has let the others wait for 60 s; last: "
                                    "computing micro-batch 2 of step 56");
}

/* 0 waits in the data plane for 1, and 1 in the control plane for 2. */
static void who_waits_is_not_to_blame(void **state)
{
    (void)state;
    all_compute(7);
    wait_in(0, C3D_PLANE_DATA, 70);
    wait_in(1, C3D_PLANE_CONTROL, 80);
    seen[2].at_rest_s = 80;
    expect_judgement(C3D_SOME_LATE, "rank 2 (south): has let the others wait for 60 s; last: "
                                    "computing micro-batch 2 of step 56");
}

/* A message that is lost between hosts, say. */
static void all_may_wait_for_nobody(void **state)
{
    (void)state;
    all_compute(7);
    for (int r = 0; r < N; r++) wait_in(r, C3D_PLANE_DATA, 60 + r);
    expect_judgement(C3D_ALL_WAIT, "all 3 ranks: have come to a collective call that does not end "
                                   "for 60 s; last of rank 0 (north): computing micro-batch 2 of "
                                   "step 56");
    seen[1].sign.waited_s[C3D_PLANE_DATA] = 0.5; /* some of it has just gone on */
    expect_judgement(C3D_NONE_LATE, NULL);
}

/* The root of a broadcast does not wait for the others, and may hang elsewhere. */
static void who_is_ahead_may_rest(void **state)
{
    (void)state;
    all_compute(7);
    wait_in(1, C3D_PLANE_CONTROL, 60);
    wait_in(2, C3D_PLANE_CONTROL, 60);
    seen[0].sign.n_begun[C3D_PLANE_CONTROL]++;
    expect_judgement(C3D_SOME_WORK, "rank 0 (north): has let the others wait for 60 s; last: "
                                    "computing micro-batch 2 of step 56");
    seen[0].at_rest_s = 60;
    expect_judgement(C3D_SOME_LATE, "rank 0 (north): has let the others wait for 60 s; last: "
                                    "computing micro-batch 2 of step 56");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_waits),
        cmocka_unit_test(a_stopped_rank_is_named),
        cmocka_unit_test(a_rank_stopped_in_a_call_is_named),
        cmocka_unit_test(a_rank_that_rests_is_named),
        cmocka_unit_test(a_rank_that_saves_has_more_time),
        cmocka_unit_test(a_rank_that_works_on_is_not_late),
        cmocka_unit_test(who_waits_is_not_to_blame),
        cmocka_unit_test(all_may_wait_for_nobody),
        cmocka_unit_test(who_is_ahead_may_rest),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);

    c3d_text_free(&who);
    return failed;
}
