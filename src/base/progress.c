#include "base/log.h"
#include "c3d/base.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static c3d_progress_mode mode = C3D_PROGRESS_AUTO;
static double line_every_s = 10;
static bool bar_is_shown; /* under the lock of the log */

#define BAR_EVERY_S 0.2
#define QUIET_FOR_S 1.0
#define BAR_WIDTH   24

void c3d_progress_set_mode(c3d_progress_mode new_mode, double every_s)
{
    mode = new_mode;
    if (every_s > 0) line_every_s = every_s;
}

void c3d_progress_clear_line(void)
{
    if (!bar_is_shown) return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    bar_is_shown = false;
}

static bool is_drawn_as_bar(void)
{
    return mode == C3D_PROGRESS_ALWAYS || (mode == C3D_PROGRESS_AUTO && isatty(STDERR_FILENO));
}

void c3d_duration_text(double seconds, char out[32])
{
    const long s = seconds < 0 ? 0 : (long)(seconds + 0.5);

    if (s >= 3600)
        (void)snprintf(out, 32, "%ld h %02ld min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        (void)snprintf(out, 32, "%ld min %02ld s", s / 60, s % 60);
    else
        (void)snprintf(out, 32, "%ld s", s);
}

static void show_json(const c3d_progress *p, double elapsed_s, double left_s, bool is_ended)
{
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "progress", c3d_json_string(p->label));
    c3d_json_set(json, "done", c3d_json_real(p->done));
    c3d_json_set(json, "total", c3d_json_real(p->total));
    c3d_json_set(json, "unit", c3d_json_string(p->unit));
    c3d_json_set(json, "elapsed_s", c3d_json_real(elapsed_s));
    c3d_json_set(json, "left_s", c3d_json_real(left_s));
    c3d_json_set(json, "ended", c3d_json_bool(is_ended));
    if (p->look) p->look(p->context, json, NULL);
    char *line = c3d_json_line(json);
    c3d_json_free(json);
    c3d_log_lock();
    (void)fprintf(stderr, "%s\n", line);
    (void)fflush(stderr);
    c3d_log_unlock();
    free(line);
}

static int terminal_columns(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* One row of the terminal: of a longer one \r would come back to its last row only. */
static void draw(const c3d_progress *p, double share, const char *left, const char *words)
{
    char bar[BAR_WIDTH + 1], line[512];
    const int n = (int)(share * BAR_WIDTH), columns = terminal_columns();

    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)(n < 0 ? 0 : n > BAR_WIDTH ? BAR_WIDTH : n));
    bar[BAR_WIDTH] = '\0';
    (void)snprintf(line, sizeof line, "%s [%s] %.0f/%.0f %s, %s left%s", p->label, bar, p->done,
                   p->total, p->unit, left, words);
    c3d_log_lock();
    (void)fprintf(stderr, "\r\033[K%.*s", columns - 1, line);
    (void)fflush(stderr);
    bar_is_shown = true;
    c3d_log_unlock();
}

static void show_text(const c3d_progress *p, double left_s)
{
    const double share = p->total > 0 ? p->done / p->total : 1;
    char left[32];
    c3d_text words = { 0 };

    c3d_duration_text(left_s, left);
    c3d_text_add(&words, "%s", p->look ? "; " : "");
    if (p->look) p->look(p->context, NULL, &words);
    if (p->is_bar)
        draw(p, share, left, words.text);
    else
        c3d_log_run("%s: %.0f of %.0f %s (%.0f %%), %s left%s", p->label, p->done, p->total,
                    p->unit, 100 * share, left, words.text);
    c3d_text_free(&words);
}

static void show(c3d_progress *p, double now_s)
{
    const double elapsed_s = now_s - p->start_s;
    const double left_s = p->done > 0 ? elapsed_s * (p->total - p->done) / p->done : 0;

    p->last_s = now_s;
    p->shown = true;
    if (mode == C3D_PROGRESS_JSON)
        show_json(p, elapsed_s, left_s, false);
    else
        show_text(p, left_s);
}

static bool is_silent(void)
{
    return mode == C3D_PROGRESS_NEVER || c3d_log_get_rank() != 0;
}

void c3d_progress_begin(c3d_progress *progress, const char *label, double total, const char *unit)
{
    *progress = (c3d_progress){ .label = label, .unit = unit, .total = total };
    progress->is_bar = is_drawn_as_bar();
    progress->start_s = progress->last_s = c3d_now_s();
}

void c3d_progress_update(c3d_progress *progress, double done)
{
    const double now_s = c3d_now_s();
    const double every_s = progress->is_bar ? BAR_EVERY_S : line_every_s;

    const double quiet_s = every_s < QUIET_FOR_S && !progress->is_bar ? every_s : QUIET_FOR_S;

    progress->done = done;
    c3d_phase_tick();
    if (is_silent() || now_s - progress->start_s < quiet_s) return;
    if (now_s - progress->last_s < every_s) return;
    show(progress, now_s);
}

void c3d_progress_end(c3d_progress *progress)
{
    const double elapsed_s = c3d_now_s() - progress->start_s;
    char took[32];

    if (is_silent()) return;
    if (mode == C3D_PROGRESS_JSON) {
        show_json(progress, elapsed_s, 0, true);
        return;
    }
    if (!progress->shown) return;
    c3d_log_lock();
    c3d_progress_clear_line();
    c3d_log_unlock();
    if (progress->end_is_said) return;
    c3d_duration_text(elapsed_s, took);
    c3d_log_run("%s: %.0f %s in %s", progress->label, progress->done, progress->unit, took);
}
