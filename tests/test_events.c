/* TensorBoard's event files: the bytes of one, what a kill leaves, what a run that goes on cuts
 * off. The committed bytes are of TensorBoard's own writer (golden/make_events.py). */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/cm.h"

#include "train/events.h"

#define DIR_NAME "events_of_a_run"

static const char *golden;

static int clear(void **state)
{
    (void)state;
    return system("rm -rf " DIR_NAME);
}

/* ---- the clock and the host are this test's -------------------------------------------------- */

static time_t second = 1700000000;

int clock_gettime(clockid_t clock, struct timespec *out)
{
    (void)clock;
    *out = (struct timespec){ .tv_sec = second, .tv_nsec = 250000000 };
    return 0;
}

time_t time(time_t *out)
{
    if (out) *out = second;
    return second;
}

int gethostname(char *name, size_t n)
{
    (void)snprintf(name, n, "node7");
    return 0;
}

/* ---- what is there --------------------------------------------------------------------------- */

#define FIRST DIR_NAME "/events.out.tfevents.1700000000.node7.c3d-train"

static c3d_events *begin(int64_t step)
{
    c3d_events *events;

    assert_int_equal(c3d_events_open(DIR_NAME, step, &events), C3D_OK);
    return events;
}

static void end(c3d_events *events)
{
    assert_int_equal(c3d_events_flush(events), C3D_OK);
    c3d_events_close(events);
}

/* Steps 100 and 300, an epoch that ends with 300. */
static void write_file(void)
{
    c3d_events *events = begin(0);
    const c3d_scalar step[] = { { "step/loss", 0.75 },
                                { "step/grad_norm", (double)NAN },
                                { "step/learning_rate", 1e-3 } };
    const c3d_scalar epoch[] = { { C3D_EVENTS_EPOCH "val_auc", (double)NAN },
                                 { C3D_EVENTS_EPOCH "val_loss", 0.5 } };

    c3d_events_scalars(events, 100, step, C3D_COUNT(step));
    c3d_events_scalars(events, 300, step, C3D_COUNT(step));
    c3d_events_scalars(events, 300, epoch, C3D_COUNT(epoch));
    end(events);
}

static size_t length_of(const char *path)
{
    char *bytes;
    size_t n;

    assert_int_equal(c3d_file_read(path, &bytes, &n), C3D_OK);
    free(bytes);
    return n;
}

/* Lengths after: the version, the start, 100, 300, the epoch. A head is 12 bytes, a tail 4. */
static void find_ends(size_t ends[5])
{
    char *bytes;
    size_t n, at = 0;

    write_file();
    assert_int_equal(c3d_file_read(FIRST, &bytes, &n), C3D_OK);
    for (int i = 0; i < 5; i++) ends[i] = at += 16 + (size_t)(unsigned char)bytes[at];
    assert_int_equal(at, n);
    free(bytes);
}

static void cut(int64_t step, bool in_epoch, size_t wanted)
{
    assert_int_equal(c3d_events_cut(DIR_NAME, step, in_epoch), C3D_OK);
    assert_int_equal(length_of(FIRST), wanted);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void a_file_has_these_bytes(void **state)
{
    char *mine, *wanted;
    size_t n_mine, n_wanted;

    (void)state;
    write_file();
    assert_int_equal(c3d_file_read(FIRST, &mine, &n_mine), C3D_OK);
    assert_int_equal(c3d_file_read(golden, &wanted, &n_wanted), C3D_OK);
    assert_int_equal(n_mine, n_wanted);
    assert_memory_equal(mine, wanted, n_mine);
    free(mine);
    free(wanted);
}

static void later_steps_go(void **state)
{
    size_t ends[5];

    (void)state;
    find_ends(ends);
    cut(300, false, ends[4]);
    cut(300, true, ends[3]); /* the epoch that ended with it is not over */
    cut(299, false, ends[2]);
    cut(100, true, ends[2]);
    cut(99, false, ends[1]);
    cut(0, false, ends[0]); /* even its start is later */
}

/* Wherever a kill or a power cut ended it, whole records stay and nothing else. */
static void half_a_record_goes(void **state)
{
    size_t ends[5];

    (void)state;
    find_ends(ends);
    for (size_t n = ends[4]; n-- > 0;) {
        size_t whole = 0;
        for (int i = 0; i < 5 && ends[i] <= n; i++) whole = ends[i];
        assert_int_equal(unlink(FIRST), 0);
        write_file();
        assert_int_equal(truncate(FIRST, (off_t)n), 0);
        cut(1000, false, whole);
    }
}

static void a_damaged_record_ends_the_file(void **state)
{
    size_t ends[5];

    (void)state;
    find_ends(ends);
    for (size_t at = ends[1]; at < ends[2]; at++) {
        assert_int_equal(unlink(FIRST), 0);
        write_file();
        FILE *file = fopen(FIRST, "r+b");
        assert_non_null(file);
        assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
        const int byte = getc(file);
        assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
        assert_int_equal(putc(byte ^ 16, file), byte ^ 16);
        assert_int_equal(fclose(file), 0);
        cut(1000, false, ends[1]);
    }
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_event_file(const struct dirent *e)
{
    return strncmp(e->d_name, "events", 6) == 0;
}

/* A clock that goes back, or two starts in a second, change nothing about the order. */
static void each_start_has_a_later_file(void **state)
{
    struct dirent **entries;

    (void)state;
    for (int i = 0; i < 3; i++) {
        second -= i;
        c3d_events *events = begin(10 * i);
        assert_int_equal(c3d_events_sync(events), C3D_OK);
        end(events);
    }
    second = 1700000000;
    assert_int_equal(scandir(DIR_NAME, &entries, is_event_file, by_name), 3);
    for (int i = 0; i < 3; i++) {
        char wanted[80];
        (void)snprintf(wanted, sizeof wanted, "events.out.tfevents.170000000%d.node7.c3d-train", i);
        assert_string_equal(entries[i]->d_name, wanted);
        free(entries[i]);
    }
    free(entries);
}

static void files_of_others_stay(void **state)
{
    (void)state;
    assert_int_equal(c3d_events_cut(DIR_NAME, 0, false), C3D_OK); /* none yet */
    write_file();
    assert_int_equal(rename(FIRST, DIR_NAME "/events.out.tfevents.1700000000.node7"), 0);
    const size_t n = length_of(DIR_NAME "/events.out.tfevents.1700000000.node7");
    assert_int_equal(c3d_events_cut(DIR_NAME, 0, false), C3D_OK);
    assert_int_equal(length_of(DIR_NAME "/events.out.tfevents.1700000000.node7"), n);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_has_these_bytes, clear, clear),
        cmocka_unit_test_setup_teardown(later_steps_go, clear, clear),
        cmocka_unit_test_setup_teardown(half_a_record_goes, clear, clear),
        cmocka_unit_test_setup_teardown(a_damaged_record_ends_the_file, clear, clear),
        cmocka_unit_test_setup_teardown(each_start_has_a_later_file, clear, clear),
        cmocka_unit_test_setup_teardown(files_of_others_stay, clear, clear),
    };

    golden = argc > 1 ? argv[1] : "";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
