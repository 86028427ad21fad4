/* Curves drawn by gnuplot as SVG. It gets a script in a file of its own and no shell sees it. */
#include "report/report.h"

#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

const char *report_color(int run)
{
    /* told apart by most eyes, and at least 3:1 against white and against near-black */
    static const char *const colors[] = { "#2f86c8", "#d9640f", "#169e78", "#b763b0",
                                          "#9a7b00", "#7d8590", "#c2475a", "#4c72d9" };
    return colors[(size_t)run % C3D_COUNT(colors)];
}

static void add_blocks(c3d_text *script, const report_plot *plot, const report_run *runs,
                       int n_runs)
{
    for (int i = 0; i < n_runs; i++) {
        c3d_text_add(script, "$run%d << EOD\n", i);
        for (size_t row = 0; runs[i].has_metrics && row < runs[i].metrics.n_rows; row++) {
            c3d_text_add(script, "%.17g %.17g %.17g\n", report_run_metric(&runs[i], row, "epoch"),
                         report_run_metric(&runs[i], row, plot->train),
                         report_run_metric(&runs[i], row, plot->validation));
        }
        c3d_text_add(script, "EOD\n");
    }
}

/* A column without a single number is not drawn: gnuplot takes it for an error. */
static bool has_values(const report_run *run, const char *column)
{
    for (size_t row = 0; run->has_metrics && row < run->metrics.n_rows; row++) {
        if (isfinite(report_run_metric(run, row, column))) return true;
    }
    return false;
}

static bool write_script(const report_plot *plot, const report_run *runs, int n_runs,
                         c3d_text *script)
{
    int n_curves = 0;

    c3d_text_add(script, "set term svg size 520,300 dynamic font 'sans-serif,13' noenhanced\n"
                         "set border 3\nset tics nomirror out\nset xlabel 'epoch'\nunset key\n"
                         "set xtics autofreq\n");
    if (plot->is_share)
        c3d_text_add(script, "set yrange [0:1]\n");
    else
        c3d_text_add(script, "set yrange [0:*]\n");
    add_blocks(script, plot, runs, n_runs);
    for (int i = 0; i < n_runs; i++) {
        const char *columns[] = { plot->train, plot->validation };
        for (int c = 0; c < 2; c++) {
            if (!has_values(&runs[i], columns[c])) continue;
            c3d_text_add(script,
                         "%s $run%d using 1:%d with linespoints pt 7 ps %s lw %s dt %d "
                         "lc rgb '%s' notitle",
                         n_curves++ ? "," : "plot", i, c + 2, c ? "0.4" : "0.2", c ? "2" : "1.2",
                         c ? 1 : 2, report_color(i));
        }
    }
    c3d_text_add(script, "\n");
    return n_curves > 0;
}

static bool run_gnuplot(const char *script, const char *out, c3d_text *why)
{
    char name[] = "gnuplot", path[C3D_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s", script);
    char *const arguments[] = { name, path, NULL };
    posix_spawn_file_actions_t actions;
    pid_t child;
    int state = 0;

    if (posix_spawn_file_actions_init(&actions) != 0) return false;
    int failed = posix_spawn_file_actions_addopen(&actions, 1, out, 0x41 /* create, write */, 0600);
    if (!failed) failed = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);
    if (!failed) failed = posix_spawnp(&child, name, &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (failed) {
        c3d_text_add(why, "gnuplot: %s", strerror(failed));
        return false;
    }
    while (waitpid(child, &state, 0) < 0 && errno == EINTR) continue;
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return true;
    c3d_text_add(why, "gnuplot ended with status %d",
                 WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state));
    return false;
}

/* The element alone, its ids made its own: several stand in one page. */
static void add_svg(c3d_text *page, const char *svg, int number, const char *title)
{
    static const char *const before_id[] = { " id='", " id=\"", "='#", "=\"#", "url(#" };
    const char *p = strstr(svg, "<svg");

    if (!p) return;
    c3d_text_add(page, "<svg role=\"img\" aria-label=\"%s by epoch\"", title);
    p += 4;
    while (*p) {
        size_t n = 0;
        for (size_t i = 0; i < C3D_COUNT(before_id) && !n; i++) {
            if (strncmp(p, before_id[i], strlen(before_id[i])) == 0) n = strlen(before_id[i]);
        }
        c3d_text_add_bytes(page, p, n ? n : 1);
        if (n) c3d_text_add(page, "p%d", number);
        p += n ? n : 1;
    }
}

static bool draw(const char *dir, const char *script, c3d_text *svg, c3d_text *why)
{
    char script_path[C3D_PATH_MAX], svg_path[C3D_PATH_MAX], *bytes;
    bool is_drawn = false;

    (void)snprintf(script_path, sizeof script_path, "%.4000s/plot.gp", dir);
    (void)snprintf(svg_path, sizeof svg_path, "%.4000s/plot.svg", dir);
    if (c3d_file_write(script_path, script, strlen(script)) == C3D_OK &&
        run_gnuplot(script_path, svg_path, why) &&
        c3d_file_read(svg_path, &bytes, NULL) == C3D_OK) {
        is_drawn = strstr(bytes, "<svg") != NULL;
        c3d_text_add(svg, "%s", bytes);
        free(bytes);
    }
    (void)unlink(script_path);
    (void)unlink(svg_path);
    if (!is_drawn && !why->length) c3d_text_add(why, "gnuplot drew nothing");
    return is_drawn;
}

bool report_plot_add(const report_plot *plot, int number, const report_run *runs, int n_runs,
                     c3d_text *page, c3d_text *why)
{
    const char *parent = getenv("TMPDIR");
    char dir[C3D_PATH_MAX];
    c3d_text script = { 0 }, svg = { 0 };
    bool is_drawn = false;

    (void)snprintf(dir, sizeof dir, "%.3900s/c3d-report-XXXXXX",
                   parent && *parent ? parent : "/tmp");
    if (!write_script(plot, runs, n_runs, &script)) {
        c3d_text_add(why, "no values");
    } else if (!mkdtemp(dir)) {
        c3d_text_add(why, "%s: %s", dir, strerror(errno));
    } else {
        is_drawn = draw(dir, script.text, &svg, why);
        (void)rmdir(dir);
    }
    if (is_drawn) add_svg(page, svg.text, number, plot->title);
    c3d_text_free(&script);
    c3d_text_free(&svg);
    return is_drawn;
}
