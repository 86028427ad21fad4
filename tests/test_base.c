/* base: errors, random numbers, text, CSV, files. */

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cm.h"

#include "c3d/base.h"

static c3d_status fail_inside(void)
{
    return C3D_FAIL(C3D_EIO, "%s: gone", "a.tif");
}

static c3d_status fail_outside(void)
{
    C3D_TRY(fail_inside());
    return C3D_OK;
}

static void errors_travel_with_context(void **state)
{
    (void)state;
    assert_int_equal(fail_outside(), C3D_EIO);
    assert_int_equal(c3d_error_while("reading sample %d", 7), C3D_EIO);
    assert_string_equal(c3d_error_last()->message, "a.tif: gone");
    assert_string_equal(c3d_error_last()->context, "while reading sample 7");
    c3d_error taken;
    c3d_error_take(&taken);
    assert_int_equal(c3d_error_last()->status, C3D_OK);
    assert_int_equal(c3d_error_put(&taken), C3D_EIO);
    assert_int_equal(C3D_FAIL(C3D_EDATA, "x: %s", c3d_error_last()->message), C3D_EDATA);
    assert_string_equal(c3d_error_last()->message, "x: a.tif: gone");
    assert_int_equal(c3d_exit_code(C3D_EIO), 3);
    assert_int_equal(c3d_exit_code(C3D_ESTOPPED), 75);
    assert_int_equal(c3d_exit_code(C3D_ECONFIG), 2);
}

/* The known answers of Philox4x32-10 for counter and key 0 and all ones (Random123's kat_vectors).
 */
static void random_numbers_are_philox(void **state)
{
    uint32_t r[4];

    (void)state;
    c3d_random_4x32(0, 0, 0, r);
    assert_int_equal(r[0], 0x6627e8d5);
    assert_int_equal(r[1], 0xe169c58d);
    assert_int_equal(r[2], 0xbc57ac4c);
    assert_int_equal(r[3], 0x9b00dbd8);
    c3d_random_4x32(UINT64_MAX, UINT64_MAX, UINT64_MAX, r);
    assert_int_equal(r[0], 0x408f276d);
    assert_int_equal(r[1], 0x41c83b0e);
    assert_int_equal(r[2], 0xa20bc7c6);
    assert_int_equal(r[3], 0x6d5451fd);
}

static void permutations_are_bijections(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 300; n += n < 20 ? 1 : 37) {
        for (uint64_t stream = 0; stream < 5; stream++) {
            char seen[300] = { 0 };
            for (uint64_t i = 0; i < n; i++) {
                const uint64_t image = c3d_random_permute(42, stream, n, i);
                assert_true(image < n);
                assert_false(seen[image]);
                seen[image] = 1;
            }
        }
    }
}

/* Over many epochs a place gets every value about equally often: chi-squared, 9 degrees of freedom,
 * stays under the 1e-6 quantile (45.1). Fixed seed: it either holds or does not. */
static void permutations_are_fair(void **state)
{
    int count[10] = { 0 };
    double chi = 0;

    (void)state;
    for (uint64_t epoch = 0; epoch < 10000; epoch++)
        count[c3d_random_permute(7, C3D_STREAM(C3D_PURPOSE_EPOCH, epoch), 10, 3)]++;
    for (int i = 0; i < 10; i++) chi += (count[i] - 1000.0) * (count[i] - 1000.0) / 1000.0;
    assert_true(chi < 45.1);
}

static void units_and_normals_have_their_moments(void **state)
{
    double sum = 0, normal_sum = 0, normal_squares = 0;
    enum { N = 20000 };

    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        const double u = c3d_random_unit(1, C3D_STREAM(C3D_PURPOSE_TEST, 0), i);
        const double z = c3d_random_normal(1, C3D_STREAM(C3D_PURPOSE_TEST, 1), i);
        assert_true(u >= 0 && u < 1);
        sum += u;
        normal_sum += z;
        normal_squares += z * z;
    }
    /* 6 standard errors each */
    assert_true(sum / N > 0.5 - 6 * 0.2887 / 141.4 && sum / N < 0.5 + 6 * 0.2887 / 141.4);
    assert_true(normal_sum / N > -6 / 141.4 && normal_sum / N < 6 / 141.4);
    assert_true(normal_squares / N > 1 - 6 / 100.0 && normal_squares / N < 1 + 6 / 100.0);
}

/* Mean, variance, fourth moment, shares beyond 1 and 3, and no tie between the four of a block. */
static void four_normals_are_normal(void **state)
{
    double sum = 0, squares = 0, fourth = 0, products = 0, beyond_1 = 0, beyond_3 = 0;
    enum { BLOCKS = 50000, N = 4 * BLOCKS };

    (void)state;
    for (uint64_t block = 0; block < BLOCKS; block++) {
        float z[4];

        c3d_random_4_normals(1, C3D_STREAM(C3D_PURPOSE_TEST, 2), block, z);
        for (int i = 0; i < 4; i++) {
            const double x = (double)z[i], next = (double)z[(i + 1) % 4];
            sum += x;
            squares += x * x;
            fourth += x * x * x * x;
            products += x * next;
            beyond_1 += fabs(x) > 1;
            beyond_3 += fabs(x) > 3;
        }
    }
    /* 6 standard errors each: of x 1, of x^2 sqrt 2, of x^4 sqrt 96, of a share sqrt(p (1-p)) */
    const double error = 6 / sqrt(N);
    assert_true(fabs(sum / N) < error && fabs(products / N) < error);
    assert_true(fabs(squares / N - 1) < error * sqrt(2.0));
    assert_true(fabs(fourth / N - 3) < error * sqrt(96.0));
    assert_true(fabs(beyond_1 / N - 0.3173105) < error * 0.4654);
    assert_true(fabs(beyond_3 / N - 0.0026998) < error * 0.0519);
}

static void numbers_are_parsed_whole(void **state)
{
    long long i;
    double r;

    (void)state;
    assert_true(c3d_parse_int("-12", &i) && i == -12);
    assert_false(c3d_parse_int("12x", &i));
    assert_false(c3d_parse_int("", &i));
    assert_false(c3d_parse_int("99999999999999999999", &i));
    assert_true(c3d_parse_real("1e-3", &r) && r == 1e-3);
    assert_false(c3d_parse_real("1e999", &r));
    assert_false(c3d_parse_real("1.0 ", &r));
}

static void words_are_suggested(void **state)
{
    static const char *const words[] = { "data.stride_px", "data.store", "model.width" };

    (void)state;
    assert_string_equal(c3d_nearest("data.strid_px", words, 3), "data.stride_px");
    assert_string_equal(c3d_nearest("model.widht", words, 3), "model.width");
    assert_null(c3d_nearest("quite.different", words, 3));
}

static void write_text(const char *path, const char *text)
{
    assert_int_equal(c3d_file_write(path, text, strlen(text)), C3D_OK);
}

static void csv_is_read_as_written(void **state)
{
    c3d_csv csv;
    long long i;

    (void)state;
    write_text("t.csv", "a,b\r\n1,\"x \"\"y\"\", z\"\n\n2,\n");
    assert_int_equal(c3d_csv_read("t.csv", &csv), C3D_OK);
    assert_int_equal(csv.n_rows, 2);
    assert_string_equal(c3d_csv_field(&csv, 0, 1), "x \"y\", z");
    assert_int_equal(c3d_csv_int(&csv, 1, c3d_csv_column(&csv, "a"), &i), C3D_OK);
    assert_int_equal(i, 2);
    assert_int_equal(c3d_csv_int(&csv, 1, 1, &i), C3D_EDATA);
    assert_int_equal(c3d_csv_column(&csv, "c"), -1);
    c3d_csv_free(&csv);
    write_text("t.csv", "a\tb\n1\t2\n3\n");
    assert_int_equal(c3d_csv_read("t.csv", &csv), C3D_EDATA);
    assert_non_null(strstr(c3d_error_last()->message, "t.csv:3: 1 fields, the header has 2"));
    write_text("t.csv", "a,b\n\"1,2\n");
    assert_int_equal(c3d_csv_read("t.csv", &csv), C3D_EDATA);
    assert_int_equal(unlink("t.csv"), 0);
}

static void a_file_is_replaced_whole_or_not_at_all(void **state)
{
    FILE *stream;
    char *text;

    (void)state;
    write_text("f.txt", "old");
    assert_int_equal(c3d_file_open_new("f.txt", &stream), C3D_OK);
    (void)fputs("new", stream);
    c3d_file_discard("f.txt", stream);
    assert_int_equal(c3d_file_read("f.txt", &text, NULL), C3D_OK);
    assert_string_equal(text, "old");
    free(text);
    assert_false(c3d_path_exists("f.txt.part"));
    assert_int_equal(c3d_file_write("no/such/dir/f.txt", "x", 1), C3D_EIO);
    assert_int_equal(unlink("f.txt"), 0);
}

static void json_keeps_order_and_rejects_duplicates(void **state)
{
    c3d_json *json, *object = c3d_json_object();
    const char *text = "{\"a\": 1, \"a\": 2}";

    (void)state;
    assert_int_equal(c3d_json_parse(text, strlen(text), "t", &json), C3D_EDATA);
    c3d_json_set(object, "z", c3d_json_real(0.1));
    c3d_json_set(object, "a", c3d_json_string("\xff latin"));
    c3d_json_set(object, "b\xe9", c3d_json_int(1)); /* two odd keys stay two */
    c3d_json_set(object, "b\xe8", c3d_json_int(2));
    char *line = c3d_json_text(object, false);
    assert_string_equal(line, "{\"z\": 0.10000000000000001, \"a\": \"? latin\", \"b?\": 1, "
                              "\"b??\": 2}");
    free(line);
    c3d_json_free(object);
}

typedef struct work {
    int n, sum;
    bool fails;
} work;

static c3d_status add_numbers(void *context)
{
    work *w = context;

    for (int i = 1; i <= w->n; i++) w->sum += i;
    return w->fails ? C3D_FAIL(C3D_EIO, "%d: cannot be written", w->sum) : C3D_OK;
}

/* Looked at while it runs; under ThreadSanitizer too. */
static void a_job_runs_beside_the_caller(void **state)
{
    c3d_background *thread;
    work w = { 0 };

    (void)state;
    assert_int_equal(c3d_background_create(&thread), C3D_OK);
    assert_false(c3d_background_is_done(thread));
    assert_int_equal(c3d_background_wait(thread), C3D_OK);
    for (int round = 0; round < 50; round++) {
        w = (work){ .n = 100 * round, .fails = round % 3 == 1 };
        assert_int_equal(c3d_background_start(thread, add_numbers, &w), C3D_OK);
        while (round % 2 && !c3d_background_is_done(thread)) (void)usleep(10);
        if (round % 2) assert_int_equal(c3d_background_has_failed(thread), w.fails);
        (void)C3D_FAIL(C3D_EDATA, "the caller's own");
        assert_int_equal(c3d_background_wait(thread), w.fails ? C3D_EIO : C3D_OK);
        assert_int_equal(w.sum, w.n * (w.n + 1) / 2);
        assert_int_equal(strstr(c3d_error_last()->message, "cannot be written") != NULL, w.fails);
        assert_false(c3d_background_is_done(thread) || c3d_background_has_failed(thread));
        assert_int_equal(c3d_background_wait(thread), C3D_OK); /* its error is said once */
    }
    w = (work){ .n = 1000, .fails = true };
    assert_int_equal(c3d_background_start(thread, add_numbers, &w), C3D_OK);
    c3d_background_destroy(thread);
    assert_int_equal(w.sum, 500500);
}

/* ---- who logs beside others: the stderr of these tests is a file ----------------------------- */

static char filler[1 << 16];

static int begin_capture(void)
{
    const int terminal = dup(STDERR_FILENO);
    const int file = open("stderr.txt", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);

    (void)fflush(stderr);
    assert_true(terminal >= 0 && file >= 0 && dup2(file, STDERR_FILENO) >= 0);
    (void)close(file);
    return terminal;
}

static void end_capture(int terminal)
{
    assert_true(dup2(terminal, STDERR_FILENO) >= 0);
    (void)close(terminal);
    assert_int_equal(unlink("stderr.txt"), 0);
}

static int count_captured(const char *words)
{
    char *text;
    int n = 0;

    assert_int_equal(c3d_file_read("stderr.txt", &text, NULL), C3D_OK);
    for (const char *at = text; (at = strstr(at, words)); at++) n++;
    free(text);
    return n;
}

static c3d_status warn_often(void *context)
{
    for (int i = 0; i < *(const int *)context; i++) c3d_log_warn("line %d;", i);
    return C3D_OK;
}

/* For the thread sanitizer, mostly. */
static void bars_and_lines_take_turns(void **state)
{
    c3d_background *thread;
    c3d_progress progress;
    int n = 200;

    (void)state;
    const int terminal = begin_capture();
    c3d_progress_set_mode(C3D_PROGRESS_ALWAYS, 0);
    assert_int_equal(c3d_background_create(&thread), C3D_OK);
    assert_int_equal(c3d_background_start(thread, warn_often, &n), C3D_OK);
    c3d_progress_begin(&progress, "bar", n, "things");
    progress.start_s -= 100;
    for (int i = 0; i < n; i++) {
        progress.last_s = progress.start_s;
        c3d_progress_update(&progress, i);
        if (i % 50 == 0) assert_int_equal(c3d_log_set_file(i % 100 ? NULL : "log.txt"), C3D_OK);
    }
    assert_int_equal(c3d_background_wait(thread), C3D_OK);
    c3d_progress_end(&progress);
    c3d_background_destroy(thread);
    c3d_progress_set_mode(C3D_PROGRESS_AUTO, 0);
    assert_int_equal(c3d_log_set_file(NULL), C3D_OK);
    assert_int_equal(count_captured(";\n"), n);
    assert_int_equal(count_captured("bar ["), n);
    assert_int_equal(unlink("log.txt"), 0);
    end_capture(terminal);
}

static void look(void *context, c3d_json *json, c3d_text *text)
{
    int *n_looks = context;

    ++*n_looks;
    if (json)
        c3d_json_set(json, "loss", c3d_json_real(0.1));
    else
        c3d_text_add(text, "loss 0.1, and more than there is room for on a line of a terminal");
}

static void begin_looked_at(c3d_progress *progress, int *n_looks)
{
    *n_looks = 0;
    c3d_progress_begin(progress, "a \"b\"", 4, "things");
    progress->look = look;
    progress->context = n_looks;
}

/* What is there once more is to be said, in each form; without a terminal a line has 80 columns. */
static void progress_says_more_where_there_is_room(void **state)
{
    c3d_progress progress;
    int n_looks;

    (void)state;
    const int terminal = begin_capture();
    c3d_progress_set_mode(C3D_PROGRESS_JSON, 0);
    begin_looked_at(&progress, &n_looks);
    c3d_progress_update(&progress, 1);
    assert_int_equal(n_looks, 0); /* not yet */
    progress.start_s = progress.last_s -= 100;
    c3d_progress_update(&progress, 2);
    c3d_progress_update(&progress, 3);
    assert_int_equal(n_looks, 1);
    c3d_progress_end(&progress);
    assert_int_equal(n_looks, 2);
    assert_int_equal(
        count_captured("{\"progress\": \"a \\\"b\\\"\", \"done\": 2.0, \"total\": 4.0"), 1);
    assert_int_equal(count_captured("\"ended\": false, \"loss\": 0.1}\n"), 1);
    assert_int_equal(count_captured("\"left_s\": 0.0, \"ended\": true, \"loss\": 0.1}\n"), 1);

    c3d_progress_set_mode(C3D_PROGRESS_ALWAYS, 0);
    begin_looked_at(&progress, &n_looks);
    progress.start_s = progress.last_s -= 10;
    c3d_progress_update(&progress, 2);
    assert_int_equal(
        count_captured("\r\033[Ka \"b\" [############............] 2/4 things, 10 s left; "
                       "loss 0.1, and more than"),
        1);
    assert_int_equal(count_captured("than there"), 0);
    c3d_progress_end(&progress);
    c3d_progress_set_mode(C3D_PROGRESS_AUTO, 0);
    end_capture(terminal);
}

static void mistakes_are_lines_of_the_log(void **state)
{
    (void)state;
    const int terminal = begin_capture();
    c3d_log_mistakes("a.yaml:1: no\nb\n");
    c3d_log_set_format(C3D_LOG_JSON);
    c3d_log_mistakes("a.yaml:2: \"no\"");
    c3d_log_set_format(C3D_LOG_TEXT);
    assert_int_equal(count_captured("a.yaml:1: no\nb\n{"), 1);
    assert_int_equal(
        count_captured("\"level\": \"error\", \"message\": \"a.yaml:2: \\\"no\\\"\"}\n"), 1);
    end_capture(terminal);
}

/* The log file is a pipe that nobody reads, and a thread hangs in it. */
static void the_last_error_waits_for_no_log(void **state)
{
    c3d_background *thread;
    int n = 1;

    (void)state;
    (void)unlink("pipe");
    assert_int_equal(mkfifo("pipe", 0600), 0);
    const int pipe = open("pipe", O_RDWR | O_NONBLOCK);
    assert_true(pipe >= 0);
    while (write(pipe, filler, sizeof filler) > 0) continue;
    assert_int_equal(c3d_log_set_file("pipe"), C3D_OK);
    const int terminal = begin_capture();
    assert_int_equal(c3d_background_create(&thread), C3D_OK);
    assert_int_equal(c3d_background_start(thread, warn_often, &n), C3D_OK);
    while (count_captured("line 0;") == 0) (void)usleep(1000); /* from now on it has the log */
    assert_int_equal(C3D_FAIL(C3D_ECOMM, "rank 7: gone"), C3D_ECOMM);
    c3d_log_last_error(c3d_error_last());
    assert_false(c3d_background_is_done(thread));
    assert_int_equal(count_captured(": rank 7: gone\n"), 1);
    while (!c3d_background_is_done(thread))
        if (read(pipe, filler, sizeof filler) < 0) (void)usleep(1000);
    assert_int_equal(c3d_background_wait(thread), C3D_OK);
    c3d_background_destroy(thread);
    end_capture(terminal);
    assert_int_equal(c3d_log_set_file(NULL), C3D_OK);
    (void)close(pipe);
    assert_int_equal(unlink("pipe"), 0);
}

static void large_files_are_put_in_pieces(void **state)
{
    const size_t n = ((size_t)37 << 20) + 5; /* it is synced once on the way */
    char *bytes = malloc(n), *back;
    FILE *stream;
    size_t n_back;

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++) bytes[i] = (char)(i >> 20 ^ i);
    const uint64_t n_ticks = c3d_phase_get().n_ticks;
    assert_int_equal(c3d_file_open_new("large", &stream), C3D_OK);
    assert_true(c3d_file_put(stream, bytes, 0));
    assert_true(c3d_file_put(stream, bytes, 3));
    assert_true(c3d_file_put(stream, bytes + 3, n - 3));
    assert_true(c3d_phase_get().n_ticks >= n_ticks + 10);
    assert_int_equal(c3d_file_commit("large", stream), C3D_OK);
    assert_int_equal(c3d_file_read("large", &back, &n_back), C3D_OK);
    assert_int_equal(n_back, n);
    assert_memory_equal(back, bytes, n);
    free(back);
    free(bytes);
    assert_int_equal(unlink("large"), 0);
    stream = fopen("/dev/full", "wb");
    assert_non_null(stream);
    assert_false(c3d_file_put(stream, filler, sizeof filler));
    (void)fclose(stream);
}

static void large_arrays_share_no_page(void **state)
{
    enum { N = 4 };
    const size_t n_bytes = ((size_t)1 << 20) + 3, page = (size_t)64 << 10;
    void *arrays[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        arrays[i] = c3d_aligned(n_bytes);
        assert_non_null(arrays[i]);
        assert_int_equal((uintptr_t)arrays[i] % page, 0);
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            assert_true(i == j ||
                        ((uintptr_t)arrays[i] + n_bytes - 1) / page < (uintptr_t)arrays[j] / page ||
                        (uintptr_t)arrays[j] < (uintptr_t)arrays[i]);
    for (int i = 0; i < N; i++) free(arrays[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_travel_with_context),
        cmocka_unit_test(large_arrays_share_no_page),
        cmocka_unit_test(large_files_are_put_in_pieces),
        cmocka_unit_test(bars_and_lines_take_turns),
        cmocka_unit_test(progress_says_more_where_there_is_room),
        cmocka_unit_test(mistakes_are_lines_of_the_log),
        cmocka_unit_test(the_last_error_waits_for_no_log),
        cmocka_unit_test(a_job_runs_beside_the_caller),
        cmocka_unit_test(random_numbers_are_philox),
        cmocka_unit_test(permutations_are_bijections),
        cmocka_unit_test(permutations_are_fair),
        cmocka_unit_test(units_and_normals_have_their_moments),
        cmocka_unit_test(four_normals_are_normal),
        cmocka_unit_test(numbers_are_parsed_whole),
        cmocka_unit_test(words_are_suggested),
        cmocka_unit_test(csv_is_read_as_written),
        cmocka_unit_test(a_file_is_replaced_whole_or_not_at_all),
        cmocka_unit_test(json_keeps_order_and_rejects_duplicates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
