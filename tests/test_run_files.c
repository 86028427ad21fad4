/* The files of a run: who has its directory, which checkpoint is whole and which may go, what of
 * the records stays. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/cm.h"

#include "c3d/lock.h"
#include "train/checkpoint.h"
#include "train/directory.h"
#include "train/records.h"

#define DIR_NAME "files_of_a_run"

static int clear(void **state)
{
    (void)state;
    return system("rm -rf " DIR_NAME " " DIR_NAME ".1 && mkdir -p " DIR_NAME "/checkpoints");
}

static void put(const char *name, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof path, DIR_NAME "/%s", name);
    assert_int_equal(c3d_file_write(path, text, strlen(text)), C3D_OK);
}

static void expect_text(const char *name, const char *wanted)
{
    char path[256], *text;

    (void)snprintf(path, sizeof path, DIR_NAME "/%s", name);
    assert_int_equal(c3d_file_read(path, &text, NULL), C3D_OK);
    assert_string_equal(text, wanted);
    free(text);
}

static bool is_there(const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof path, DIR_NAME "/%s", name);
    return c3d_path_exists(path);
}

/* ---- the lock: flock and naps are this test's ------------------------------------------------ */

static struct {
    int reason, n_refused; /* the first so many calls, -1: all */
    int n_calls, n_naps;
} fake;

int flock(int fd, int operation)
{
    (void)fd;
    (void)operation;
    if (fake.n_refused >= 0 && fake.n_calls++ >= fake.n_refused) return 0;
    errno = fake.reason;
    return -1;
}

int nanosleep(const struct timespec *nap, struct timespec *left)
{
    (void)nap;
    (void)left;
    fake.n_naps++;
    return 0;
}

static char *my_text(const char *job)
{
    static char text[256];
    char host[64] = "";

    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(text, sizeof text, "process %ld on %s%s%s", (long)getpid(), host,
                   job ? ", SLURM job " : "", job ? job : "");
    return text;
}

static void lock(int reason, int n_refused, const char *job, c3d_status wanted)
{
    int fd = -1;

    memset(&fake, 0, sizeof fake);
    fake.reason = reason;
    fake.n_refused = n_refused;
    if (job)
        (void)setenv("SLURM_JOB_ID", job, 1);
    else
        (void)unsetenv("SLURM_JOB_ID");
    assert_int_equal(c3d_directory_open(DIR_NAME, false, &fd), wanted);
    if (wanted == C3D_OK) {
        expect_text("lock", my_text(job));
        c3d_lock_release(fd);
        expect_text("lock", ""); /* an end in good order says so */
    }
}

static void a_lock_says_who_has_it(void **state)
{
    (void)state;
    lock(0, 0, NULL, C3D_OK);
    lock(0, 0, "17", C3D_OK);
    put("lock", "process 99999999 on far, SLURM job 5"); /* killed: flock is what counts */
    lock(0, 0, NULL, C3D_OK);
    put("lock", "process 12 on far, SLURM job 5\n");
    lock(EWOULDBLOCK, -1, NULL, C3D_EIO);
    assert_non_null(strstr(c3d_error_last()->message, "(process 12 on far, SLURM job 5)"));
    lock(EWOULDBLOCK, -1, "6", C3D_EIO);
    assert_int_equal(fake.n_naps, 0);
    expect_text("lock", "process 12 on far, SLURM job 5\n");
    put("lock", "");
    lock(EWOULDBLOCK, -1, "6", C3D_EIO);
}

/* A file server may remember the lock of a host that died; the job was queued again meanwhile. */
static void the_same_job_waits_for_its_earlier_start(void **state)
{
    (void)state;
    put("lock", "process 12 on far, SLURM job 5");
    lock(EWOULDBLOCK, 3, "5", C3D_OK);
    assert_int_equal(fake.n_naps, 3);
    put("lock", "process 12 on far, SLURM job 5");
    lock(EWOULDBLOCK, -1, "5", C3D_EIO);
    assert_true(fake.n_naps > 100);
}

static void without_locks_the_text_decides(void **state)
{
    char host[64] = "", text[256];

    (void)state;
    (void)gethostname(host, sizeof host - 1);
    lock(ENOSYS, -1, NULL, C3D_OK);
    put("lock", "process 12 on far, SLURM job 5");
    lock(ENOLCK, -1, "6", C3D_EIO);
    assert_non_null(strstr(c3d_error_last()->message, "remove the file"));
    lock(ENOLCK, -1, NULL, C3D_EIO);
    lock(ENOTSUP, -1, "5", C3D_OK); /* a job runs once */
    (void)snprintf(text, sizeof text, "process %ld on %s", (long)getppid(), host);
    put("lock", text);
    lock(ENOSYS, -1, NULL, C3D_EIO);
    (void)snprintf(text, sizeof text, "process 99999999 on %s", host); /* above any pid */
    put("lock", text);
    lock(ENOSYS, -1, NULL, C3D_OK);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

static void put_checkpoint(int64_t step, char out[256])
{
    const int64_t shape[] = { 100 };
    float values[100];
    c3d_tensor_writer *w;

    for (int i = 0; i < 100; i++) values[i] = (float)(step + i);
    (void)snprintf(out, 256, DIR_NAME "/checkpoints/step-%08" PRId64 ".safetensors", step);
    assert_int_equal(c3d_tensor_writer_create(out, &w), C3D_OK);
    assert_int_equal(c3d_tensor_writer_declare(w, "a", C3D_F32, 1, shape), C3D_OK);
    assert_int_equal(c3d_tensor_writer_put(w, values, sizeof values), C3D_OK);
    assert_int_equal(c3d_tensor_writer_commit(w), C3D_OK);
}

static void expect_found(const char *wanted)
{
    char found[C3D_PATH_MAX];

    assert_int_equal(c3d_checkpoint_find(DIR_NAME, found), C3D_OK);
    assert_string_equal(found, wanted);
}

static void flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");

    assert_non_null(file);
    assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    const int byte = getc(file);
    assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    assert_int_equal(putc(byte ^ 1, file), byte ^ 1);
    assert_int_equal(fclose(file), 0);
}

/* Each of the newer ones is broken in another way. */
static void the_newest_whole_checkpoint_is_found(void **state)
{
    char path[9][256], found[C3D_PATH_MAX];
    struct stat facts;

    (void)state;
    expect_found("");
    for (int i = 1; i < 9; i++) put_checkpoint(i, path[i]);
    expect_found(path[8]);
    assert_int_equal(truncate(path[8], 0), 0);
    expect_found(path[7]);
    assert_int_equal(stat(path[7], &facts), 0);
    assert_int_equal(truncate(path[7], facts.st_size - 1), 0);
    expect_found(path[6]);
    assert_int_equal(truncate(path[6], facts.st_size - 1), 0);
    assert_int_equal(truncate(path[6], facts.st_size), 0); /* the hole reads as zeros */
    expect_found(path[5]);
    flip(path[5], -200); /* in a tensor */
    expect_found(path[4]);
    flip(path[4], 30); /* in the header */
    expect_found(path[3]);
    flip(path[3], 0); /* the header's size */
    expect_found(path[2]);
    assert_int_equal(truncate(path[2], 5), 0);
    expect_found(path[1]);
    flip(path[1], -1);
    assert_int_equal(c3d_checkpoint_find(DIR_NAME, found), C3D_EDATA);
    assert_non_null(strstr(c3d_error_last()->message, "none of its 8 checkpoints is whole"));
}

static void kept(const char *wanted)
{
    char names[256] = "", name[64];

    for (int64_t step = 1; step <= 30; step++) {
        (void)snprintf(name, sizeof name, "checkpoints/step-%08" PRId64 ".safetensors", step);
        const size_t n = strlen(names);
        if (is_there(name)) (void)snprintf(names + n, sizeof names - n, " %d", (int)step);
    }
    assert_string_equal(names, wanted);
}

static void what_is_not_to_be_kept_goes(void **state)
{
    char path[256];

    (void)state;
    for (int i = 1; i <= 20; i++) put_checkpoint(i, path);
    assert_int_equal(c3d_checkpoint_prune(DIR_NAME, 7, 5), C3D_OK);
    kept(" 5 10 14 15 16 17 18 19 20");
    assert_int_equal(c3d_checkpoint_prune(DIR_NAME, 2, 10), C3D_OK);
    kept(" 10 19 20");
    put_checkpoint(21, path);
    assert_int_equal(c3d_checkpoint_prune(DIR_NAME, 1, 0), C3D_OK);
    kept(" 21");
    for (int i = 22; i <= 24; i++) put_checkpoint(i, path);
    assert_int_equal(c3d_checkpoint_set_aside(DIR_NAME, 22), C3D_OK);
    kept(" 21 22");
    assert_true(is_there("checkpoints/step-00000023.safetensors.aside"));
    put_checkpoint(23, path); /* a later run's, beside that of the one that was given up */
    assert_int_equal(c3d_checkpoint_prune(DIR_NAME, 1, 0), C3D_OK);
    kept(" 23");
    assert_true(is_there("checkpoints/step-00000024.safetensors.aside"));
}

static void half_written_files_go(void **state)
{
    (void)state;
    put("best.safetensors", "whole");
    put("best.safetensors.part", "half");
    put("checkpoints/step-00000003.safetensors.part", "half");
    put("checkpoints/other.part", "not ours");
    assert_int_equal(c3d_checkpoint_remove_parts(DIR_NAME), C3D_OK);
    assert_true(is_there("best.safetensors") && is_there("checkpoints/other.part"));
    assert_false(is_there("best.safetensors.part"));
    assert_false(is_there("checkpoints/step-00000003.safetensors.part"));
    assert_int_equal(system("rm -r " DIR_NAME "/checkpoints"), 0);
    assert_int_equal(c3d_checkpoint_remove_parts(DIR_NAME), C3D_OK);
}

/* ---- records --------------------------------------------------------------------------------- */

#define HEADER                                                                                     \
    "epoch,step,train_loss,train_accuracy,train_precision,train_recall,val_loss,val_accuracy,"     \
    "val_precision,val_recall,val_f1,val_auc,learning_rate,scenes_per_s\n"

/* Killed in the middle of a line, of step 4, which the checkpoint of step 2 knows nothing of. */
static void records_end_at_the_checkpoint(void **state)
{
    const int64_t ids[] = { 8, 9 };
    c3d_records_desc desc = { .dir = DIR_NAME, .at = { .step = 2, .epoch = 1 } };
    c3d_records *r;

    (void)state;
    put("steps.jsonl", "{\"step\": 1, \"a\": 1}\n{\"step\": 2}\n{\"step\": 3}\n{\"step\": 4, \"a");
    put("samples.jsonl", "{\"step\": 1, \"samples\": [5]}\n{\"step\": 2, \"samples\": [6, 1");
    put("metrics.csv", HEADER "1,2,0.5\n2,4,0.25\n3,6");
    assert_int_equal(c3d_records_open(&desc, &r), C3D_OK);
    c3d_records_close(r);
    expect_text("steps.jsonl", "{\"step\": 1, \"a\": 1}\n{\"step\": 2}\n");
    expect_text("samples.jsonl", "{\"step\": 1, \"samples\": [5]}\n");
    expect_text("metrics.csv", HEADER "1,2,0.5\n");
    assert_false(is_there("tensorboard"));
    /* stopped after the epoch's last step: its row is to be made again */
    desc.at = (c3d_position){ .step = 2, .epoch = 0, .step_in_epoch = 2 };
    assert_int_equal(c3d_records_open(&desc, &r), C3D_OK);
    c3d_records_close(r);
    expect_text("steps.jsonl", "{\"step\": 1, \"a\": 1}\n{\"step\": 2}\n");
    expect_text("metrics.csv", HEADER);
    desc = (c3d_records_desc){ .dir = DIR_NAME, .at = { .step = 1 }, .with_samples = true };
    assert_int_equal(c3d_records_open(&desc, &r), C3D_OK);
    c3d_records_samples(r, 2, ids, 2);
    assert_int_equal(c3d_records_flush(r), C3D_OK);
    assert_int_equal(c3d_records_sync(r), C3D_OK);
    c3d_records_close(r);
    expect_text("steps.jsonl", "{\"step\": 1, \"a\": 1}\n");
    expect_text("samples.jsonl",
                "{\"step\": 1, \"samples\": [5]}\n{\"step\": 2, \"samples\": [8, 9]}\n");
    expect_text("metrics.csv", HEADER);
}

static void a_log_goes_on_in_a_new_line(void **state)
{
    char *text;

    (void)state;
    put("log.txt", "whole\nha");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(c3d_log_set_file(DIR_NAME "/log.txt"), C3D_OK);
        c3d_log_run("next");
        assert_int_equal(c3d_log_set_file(NULL), C3D_OK);
    }
    assert_int_equal(c3d_file_read(DIR_NAME "/log.txt", &text, NULL), C3D_OK);
    assert_memory_equal(text, "whole\nha\n2", 10); /* then a time */
    assert_null(strstr(text, "\n\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_lock_says_who_has_it, clear),
        cmocka_unit_test_setup(the_same_job_waits_for_its_earlier_start, clear),
        cmocka_unit_test_setup(without_locks_the_text_decides, clear),
        cmocka_unit_test_setup(the_newest_whole_checkpoint_is_found, clear),
        cmocka_unit_test_setup(what_is_not_to_be_kept_goes, clear),
        cmocka_unit_test_setup(half_written_files_go, clear),
        cmocka_unit_test_setup(records_end_at_the_checkpoint, clear),
        cmocka_unit_test_setup(a_log_goes_on_in_a_new_line, clear),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);

    (void)clear(NULL);
    (void)!system("rm -rf " DIR_NAME);
    return failed;
}
