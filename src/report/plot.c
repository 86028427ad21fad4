/* Figures drawn by gnuplot as SVG. It gets a script in a file of its own and no shell sees it. */
#include "report/report.h"

#include <errno.h>
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

/* Behind an element of that name that begins here; NULL: none does. */
static const char *skip_element(const char *at, const char *name)
{
    char end[16];
    const size_t n = strlen(name);

    if (at[0] != '<' || strncmp(at + 1, name, n) != 0 || at[1 + n] != '>') return NULL;
    (void)snprintf(end, sizeof end, "</%s>", name);
    const char *behind = strstr(at, end);
    return behind ? behind + strlen(end) : NULL;
}

/* The element alone, its ids made its own, as several stand in one page, and without the titles
 * that browsers would show beside the pointer ("gnuplot_plot_1"). */
static void add_svg(report_page *page, const char *svg, const char *alt)
{
    static const char *const before_id[] = { " id='", " id=\"", "='#", "=\"#", "url(#" };
    const char *p = strstr(svg, "<svg");

    if (!p) return;
    c3d_text_add(&page->text, "<svg role=img aria-label=\"");
    c3d_text_add_html(&page->text, alt);
    c3d_text_add(&page->text, "\"");
    p += 4;
    while (*p) {
        const char *behind = skip_element(p, "title");
        size_t n = 0;
        if (!behind) behind = skip_element(p, "desc");
        if (behind) {
            p = behind;
            continue;
        }
        for (size_t i = 0; i < C3D_COUNT(before_id) && !n; i++) {
            if (strncmp(p, before_id[i], strlen(before_id[i])) == 0) n = strlen(before_id[i]);
        }
        c3d_text_add_bytes(&page->text, p, n ? n : 1);
        if (n) c3d_text_add(&page->text, "f%d", page->n_figures);
        p += n ? n : 1;
    }
}

/* gnuplot is not heard where it cannot write: what happens to a file of the size of a drawing. */
static void ask_disk(const char *dir, c3d_text *why)
{
    static const char drawing[1 << 16];
    char path[C3D_PATH_MAX];

    (void)snprintf(path, sizeof path, "%.4000s/probe", dir);
    if (c3d_file_write(path, drawing, sizeof drawing) != C3D_OK) {
        why->length = 0;
        c3d_text_add(why, "%s", c3d_error_last()->message);
    } else if (!why->length) {
        c3d_text_add(why, "gnuplot drew nothing");
    }
    (void)unlink(path);
}

static bool draw_in(const char *dir, const c3d_text *script, char **svg, c3d_text *why)
{
    char script_path[C3D_PATH_MAX], svg_path[C3D_PATH_MAX];

    *svg = NULL;
    (void)snprintf(script_path, sizeof script_path, "%.4000s/plot.gp", dir);
    (void)snprintf(svg_path, sizeof svg_path, "%.4000s/plot.svg", dir);
    if (c3d_file_write(script_path, script->text, script->length) != C3D_OK)
        c3d_text_add(why, "%s", c3d_error_last()->message);
    else if (run_gnuplot(script_path, svg_path, why) &&
             c3d_file_read(svg_path, svg, NULL) == C3D_OK &&
             !(strstr(*svg, "<svg") && strstr(*svg, "</svg>"))) {
        free(*svg);
        *svg = NULL;
    }
    (void)unlink(script_path);
    if (!*svg) ask_disk(dir, why);
    (void)unlink(svg_path);
    return *svg != NULL;
}

static bool draw(const c3d_text *script, char **svg, c3d_text *why)
{
    const char *parent = getenv("TMPDIR");
    char dir[C3D_PATH_MAX];

    (void)snprintf(dir, sizeof dir, "%.3900s/c3d-report-XXXXXX",
                   parent && *parent ? parent : "/tmp");
    if (!mkdtemp(dir)) {
        c3d_text_add(why, "%s: %s", dir, strerror(errno));
        return false;
    }
    const bool is_drawn = draw_in(dir, script, svg, why);
    (void)rmdir(dir);
    return is_drawn;
}

void report_add_figure(report_page *page, const report_figure *figure, const c3d_text *script)
{
    c3d_text all = { 0 };
    char *svg = NULL;
    const bool is_empty = script->length == 0;

    c3d_text_add(&page->text, "<figure class=plot><figcaption>");
    c3d_text_add_html(&page->text, figure->title);
    c3d_text_add(&page->text, "</figcaption>");
    c3d_text_add(&all,
                 "set term svg size 400,%d dynamic font 'sans-serif,13' noenhanced\n"
                 "set border 3\nset tics nomirror out\nunset key\n%s\n",
                 figure->height ? figure->height : 260, is_empty ? "" : script->text);
    if (is_empty) {
        c3d_text_add(&page->text, "<p class=note>no values</p>");
    } else if (!page->not_drawn.length && draw(&all, &svg, &page->not_drawn)) {
        add_svg(page, svg, figure->alt);
    } else {
        c3d_text_add(&page->text, "<p class=note>not drawn: ");
        c3d_text_add_html(&page->text, figure->alt);
        c3d_text_add(&page->text, "</p>");
    }
    c3d_text_add(&page->text, "</figure>\n");
    page->n_figures++;
    free(svg);
    c3d_text_free(&all);
}
