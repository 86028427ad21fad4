#include "base/log.h"
#include "c3d/base.h"

#include <string.h>
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

static void duration_text(double seconds, char out[32])
{
    const long s = seconds < 0 ? 0 : (long)(seconds + 0.5);

    if (s >= 3600)
        (void)snprintf(out, 32, "%ld h %02ld min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        (void)snprintf(out, 32, "%ld min %02ld s", s / 60, s % 60);
    else
        (void)snprintf(out, 32, "%ld s", s);
}

static void show_json(const c3d_progress *p, double elapsed_s, double left_s)
{
    (void)fprintf(stderr,
                  "{\"progress\": \"%s\", \"done\": %.0f, \"total\": %.0f, \"unit\": \"%s\", "
                  "\"elapsed_s\": %.1f, \"left_s\": %.1f}\n",
                  p->label, p->done, p->total, p->unit, elapsed_s, left_s);
    (void)fflush(stderr);
}

static void show(c3d_progress *p, double now_s)
{
    const double elapsed_s = now_s - p->start_s;
    const double share = p->total > 0 ? p->done / p->total : 1;
    const double left_s = p->done > 0 ? elapsed_s * (p->total - p->done) / p->done : 0;
    char left[32];

    p->last_s = now_s;
    p->shown = true;
    duration_text(left_s, left);
    if (mode == C3D_PROGRESS_JSON) {
        show_json(p, elapsed_s, left_s);
    } else if (p->is_bar) {
        char bar[BAR_WIDTH + 1];
        const int n = (int)(share * BAR_WIDTH);
        memset(bar, '.', BAR_WIDTH);
        memset(bar, '#', (size_t)(n < 0 ? 0 : n > BAR_WIDTH ? BAR_WIDTH : n));
        bar[BAR_WIDTH] = '\0';
        c3d_log_lock();
        (void)fprintf(stderr, "\r\033[K%s [%s] %.0f/%.0f %s, %s left", p->label, bar, p->done,
                      p->total, p->unit, left);
        (void)fflush(stderr);
        bar_is_shown = true;
        c3d_log_unlock();
    } else {
        c3d_log_run("%s: %.0f of %.0f %s (%.0f %%), %s left", p->label, p->done, p->total, p->unit,
                    100 * share, left);
    }
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

    progress->done = done;
    c3d_phase_tick();
    if (is_silent() || now_s - progress->start_s < QUIET_FOR_S) return;
    if (now_s - progress->last_s < every_s) return;
    show(progress, now_s);
}

void c3d_progress_end(c3d_progress *progress)
{
    char took[32];

    if (is_silent() || !progress->shown) return;
    c3d_log_lock();
    c3d_progress_clear_line();
    c3d_log_unlock();
    if (progress->end_is_said && mode != C3D_PROGRESS_JSON) return;
    duration_text(c3d_now_s() - progress->start_s, took);
    if (mode == C3D_PROGRESS_JSON)
        show_json(progress, c3d_now_s() - progress->start_s, 0);
    else
        c3d_log_run("%s: %.0f %s in %s", progress->label, progress->done, progress->unit, took);
}
