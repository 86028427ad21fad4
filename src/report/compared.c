/* Whether a comparison is of the runs on the page, and of the scores that they have now. */
#include "report/report.h"

#include <string.h>

typedef enum standing {
    IS_COMPARED,  /* with these scores, as far as is known */
    IS_UNKNOWN,   /* the comparison does not say with which */
    IS_OF_OTHERS, /* with other scores than these */
    IS_NOT_THERE
} standing;

/* Both say it, and not the same. */
static bool differ_in(const c3d_json *a, const c3d_json *b, const char *key)
{
    const char *x, *y;

    return c3d_json_get_string(a, key, &x) && c3d_json_get_string(b, key, &y) && strcmp(x, y) != 0;
}

static bool are_other_scores(const c3d_json *scored, const c3d_json *evaluation)
{
    static const char *const keys[] = { "checkpoint", "list_hash", "precision" };

    for (size_t k = 0; k < C3D_COUNT(keys); k++)
        if (differ_in(scored, evaluation, keys[k])) return true;
    return false;
}

/* By what was scored, wherever the run has been moved to. */
static bool are_these_scores(const c3d_json *scored, const c3d_json *evaluation)
{
    const char *checkpoint;

    return c3d_json_get_string(scored, "checkpoint", &checkpoint) &&
           c3d_json_get_string(evaluation, "checkpoint", &checkpoint) &&
           !are_other_scores(scored, evaluation);
}

static standing find_in_network(const c3d_json *network, const report_run *run,
                                const c3d_json *evaluation)
{
    const c3d_json *scored = c3d_json_get(network, "scored");
    const char *source, *dir;
    bool is_it;
    standing found = IS_NOT_THERE;

    if (!scored) /* of a version that did not write it */
        return c3d_json_get_string(network, "source", &source) &&
                       report_is_within(run, source, &is_it)
                   ? IS_UNKNOWN
                   : IS_NOT_THERE;
    for (size_t i = 0; i < c3d_json_length(scored); i++) {
        const c3d_json *entry = c3d_json_at(scored, i);
        if (are_these_scores(entry, evaluation)) return IS_COMPARED;
        if (!c3d_json_get_string(entry, "dir", &dir) || !report_is_within(run, dir, &is_it) ||
            !is_it)
            continue;
        found = are_other_scores(entry, evaluation) ? IS_OF_OTHERS : IS_COMPARED;
    }
    return found;
}

static standing find_run(const c3d_json *comparison, const report_run *run,
                         const c3d_json *evaluation)
{
    const c3d_json *networks = c3d_json_get(comparison, "networks");
    standing found = IS_NOT_THERE;
    long long n, n_scored;

    for (size_t k = 0; k < c3d_json_length(networks); k++) {
        const standing in = find_in_network(c3d_json_at(networks, k), run, evaluation);
        if (in < found) found = in;
    }
    if (found != IS_NOT_THERE && c3d_json_get_int(comparison, "n", &n) &&
        c3d_json_get_int(evaluation, "n", &n_scored) && n != n_scored)
        return IS_OF_OTHERS;
    return found;
}

static void tell_absent(const report_page *page, const standing *of, int n_absent, c3d_text *out)
{
    const c3d_json *networks = c3d_json_get(page->comparison, "networks");
    bool is_begun = false;

    if (n_absent == page->n_runs) {
        c3d_text_add(out, "The comparison shows none of these runs but ");
        for (size_t k = 0; k < c3d_json_length(networks); k++) {
            const char *name = "?";
            (void)c3d_json_get_string(c3d_json_at(networks, k), "name", &name);
            c3d_text_add(out, "%s%s", k ? ", " : "", name);
        }
        c3d_text_add(out, ".\n");
        return;
    }
    for (int i = 0; i < page->n_runs; i++) {
        if (of[i] != IS_NOT_THERE) continue;
        c3d_text_add(out, "%s%s", is_begun ? ", " : "The comparison does not show ",
                     page->runs[i].label);
        is_begun = true;
    }
    if (is_begun) c3d_text_add(out, ".\n");
}

void report_tell_comparison(const report_page *page, c3d_text *out)
{
    standing of[C3D_REPORT_MAX_RUNS];
    const char *name = "";
    int split = 0, n_absent = 0;
    bool is_unknown = false;

    if (!page->comparison) return;
    (void)c3d_json_get_string(page->comparison, "split", &name);
    while (split < REPORT_SPLITS && strcmp(name, report_split_names[split]) != 0) split++;
    for (int i = 0; i < page->n_runs; i++) {
        const report_run *run = &page->runs[i];
        of[i] =
            find_run(page->comparison, run, split < REPORT_SPLITS ? run->evaluations[split] : NULL);
        n_absent += of[i] == IS_NOT_THERE;
        is_unknown |= of[i] == IS_UNKNOWN;
        if (of[i] == IS_OF_OTHERS)
            c3d_text_add(out,
                         "%s: the comparison is of other scores than these; c3d-evaluate --compare "
                         "makes it again.\n",
                         run->label);
    }
    tell_absent(page, of, n_absent, out);
    if (is_unknown)
        c3d_text_add(out, "comparison.json does not say of which scores it is, which may not be "
                          "these; c3d-evaluate --compare makes it again.\n");
}
