#include "base/log.h"
#include "c3d/base.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    const char *program;
    int rank, n_ranks;
    c3d_log_format format;
    FILE *file;
} logger = { .program = "c3d", .n_ranks = 1 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void c3d_log_set(const char *program, int rank, int n_ranks)
{
    logger.program = program;
    logger.rank = rank;
    logger.n_ranks = n_ranks;
}

void c3d_log_set_format(c3d_log_format format)
{
    logger.format = format;
}

int c3d_log_get_rank(void)
{
    return logger.rank;
}

void c3d_log_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void c3d_log_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

static void replace_file(FILE *file)
{
    c3d_log_lock();
    FILE *old = logger.file;
    logger.file = file;
    c3d_log_unlock();
    if (old) (void)fclose(old);
}

c3d_status c3d_log_set_file(const char *path)
{
    replace_file(NULL);
    if (!path || logger.rank != 0) return C3D_OK;
    FILE *file = fopen(path, "a+");
    if (!file) return C3D_FAIL(C3D_EIO, "%s: %s", path, strerror(errno));
    (void)setvbuf(file, NULL, _IOLBF, 0);
    const bool is_cut = fseek(file, -1, SEEK_END) == 0 && getc(file) != '\n';
    (void)fseek(file, 0, SEEK_END);
    if (is_cut) (void)putc('\n', file); /* the end of a line that a kill cut off */
    replace_file(file);
    return C3D_OK;
}

static void put_json(FILE *stream, const char *level, const char *message)
{
    char time[24];
    c3d_json *line = c3d_json_object();

    c3d_now_text(time);
    c3d_json_set(line, "time", c3d_json_string(time));
    c3d_json_set(line, "program", c3d_json_string(logger.program));
    c3d_json_set(line, "rank", c3d_json_int(logger.rank));
    c3d_json_set(line, "level", c3d_json_string(level));
    c3d_json_set(line, "message", c3d_json_string(message));
    char *text = c3d_json_text(line, false);
    (void)fprintf(stream, "%s\n", text);
    free(text);
    c3d_json_free(line);
}

static void say_locked(FILE *stream, const char *level, const char *prefix, const char *message)
{
    c3d_progress_clear_line();
    if (logger.format == C3D_LOG_JSON) {
        put_json(stream, level, message);
    } else {
        (void)fprintf(stream, "%s%s\n", prefix, message);
    }
    (void)fflush(stream);
    if (logger.file) {
        char time[24];
        c3d_now_text(time);
        (void)fprintf(logger.file, "%s %s%s\n", time, prefix, message);
    }
}

static void say(FILE *stream, const char *level, const char *prefix, const char *message)
{
    c3d_log_lock();
    say_locked(stream, level, prefix, message);
    c3d_log_unlock();
}

void c3d_log_run(const char *format, ...)
{
    char message[2048];
    va_list arguments;

    if (logger.rank != 0) return;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    say(stdout, "info", "", message);
}

void c3d_log_rank(const char *format, ...)
{
    char message[2048], prefix[64] = "";
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (logger.n_ranks > 1)
        (void)snprintf(prefix, sizeof prefix, "rank %d of %d: ", logger.rank, logger.n_ranks);
    say(stdout, "info", prefix, message);
}

void c3d_log_warn(const char *format, ...)
{
    char message[2048];
    va_list arguments;

    if (logger.rank != 0) return;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    say(stderr, "warning", "warning: ", message);
}

void c3d_log_mistakes(const char *text)
{
    char line[2048];

    for (size_t n; logger.rank == 0 && *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)n, text);
        say(stderr, "error", "", line);
    }
}

#define PREFIX_MAX 96

static void error_prefix(char out[PREFIX_MAX])
{
    (void)snprintf(out, PREFIX_MAX, "%s: ", logger.program);
    if (logger.n_ranks > 1)
        (void)snprintf(out, PREFIX_MAX, "%s: rank %d of %d: ", logger.program, logger.rank,
                       logger.n_ranks);
}

static void error_text(const c3d_error *error, c3d_text *message)
{
    c3d_text_add(message, "%s", error->message);
    if (error->context[0]) {
        const char *rest = error->context;
        while (*rest) {
            const size_t n = strcspn(rest, "\n");
            c3d_text_add(message, "\n    %.*s", (int)n, rest);
            rest += n + (rest[n] == '\n');
        }
    }
    if (error->status == C3D_EINTERNAL || error->status == C3D_EINVAL)
        c3d_text_add(message, "\n    [%s, %s:%d]", c3d_status_text(error->status), error->file,
                     error->line);
}

void c3d_log_error(const c3d_error *error)
{
    char prefix[PREFIX_MAX];
    c3d_text message = { 0 };

    error_prefix(prefix);
    error_text(error, &message);
    say(stderr, "error", prefix, message.text);
    c3d_text_free(&message);
}

/* As far as it can be without a lock. */
static void write_plainly(const char *prefix, const char *message)
{
    c3d_text line = { 0 };

    c3d_text_add(&line, "\n%s%s\n", prefix, message);
    if (write(STDERR_FILENO, line.text, line.length) < 0) { /* nobody is left to be told */
    }
    c3d_text_free(&line);
}

void c3d_log_last_error(const c3d_error *error)
{
    char prefix[PREFIX_MAX];
    c3d_text message = { 0 };
    struct timespec until;

    error_prefix(prefix);
    error_text(error, &message);
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    if (pthread_mutex_timedlock(&lock, &until) == 0) {
        say_locked(stderr, "error", prefix, message.text);
        c3d_log_unlock();
    } else {
        write_plainly(prefix, message.text);
    }
    c3d_text_free(&message);
}
