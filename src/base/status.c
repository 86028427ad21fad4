#include "c3d/base.h"

#include <stdlib.h>
#include <string.h>

static _Thread_local c3d_error last_error;

static const struct {
    int exit_code;
    const char *text;
} status_rows[] = {
#define STATUS_ROW(name, code, words) [name] = { code, words },
    C3D_STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
};

c3d_status c3d_error_set(c3d_status status, const char *file, int line, const char *format, ...)
{
    char message[sizeof last_error.message]; /* the arguments may be the last error's own text */
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    last_error.status = status;
    last_error.file = file;
    last_error.line = line;
    last_error.context[0] = '\0';
    memcpy(last_error.message, message, sizeof message);
    return status;
}

c3d_status c3d_error_while(const char *format, ...)
{
    const size_t used = strlen(last_error.context);
    va_list arguments;

    if (used + 1 < sizeof last_error.context) {
        char *end = last_error.context + used;
        const size_t room = sizeof last_error.context - used;
        const int n = snprintf(end, room, "%swhile ", used ? "\n" : "");
        if (n > 0 && (size_t)n < room) {
            va_start(arguments, format);
            (void)vsnprintf(end + n, room - (size_t)n, format, arguments);
            va_end(arguments);
        }
    }
    return last_error.status;
}

const c3d_error *c3d_error_last(void)
{
    return &last_error;
}

void c3d_error_take(c3d_error *out)
{
    *out = last_error;
    memset(&last_error, 0, sizeof last_error);
}

c3d_status c3d_error_put(const c3d_error *error)
{
    last_error = *error;
    return last_error.status;
}

const char *c3d_status_text(c3d_status status)
{
    return (size_t)status < C3D_COUNT(status_rows) ? status_rows[status].text : "unknown status";
}

int c3d_exit_code(c3d_status status)
{
    return (size_t)status < C3D_COUNT(status_rows) ? status_rows[status].exit_code : 1;
}

void c3d_assert_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
