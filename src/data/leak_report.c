/* What was found, for people and for c3d-train. */
#include "leak.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const c3d_split gap_splits[N_GAPS][2] = { { C3D_SPLIT_TRAIN, C3D_SPLIT_VALIDATION },
                                                 { C3D_SPLIT_TRAIN, C3D_SPLIT_TEST },
                                                 { C3D_SPLIT_VALIDATION, C3D_SPLIT_TEST } };

/* ---- text -------------------------------------------------------------------------------------
 */

static void add_view(const c3d_leak *leak, c3d_text *out)
{
    if (leak->fold >= 0) c3d_text_add(out, "fold %d: ", leak->fold);
}

static void add_example(const leak_pairs *pairs, c3d_text *out)
{
    if (pairs->n == 0) return;
    const leak_pair *pair = &pairs->rows[0];
    c3d_text_add(out, ", such as frame %" PRId64 " (%s) and frame %" PRId64 " (%s)",
                 pair->frames[0], c3d_split_name(pair->splits[0]), pair->frames[1],
                 c3d_split_name(pair->splits[1]));
    if (!isnan(pair->difference))
        c3d_text_add(out, ", which differ by %.2g %% of their contrast", 100 * pair->difference);
}

static void add_finding(const c3d_leak *leak, const char *word, size_t n, const char *what,
                        const leak_pairs *pairs, c3d_text *out)
{
    if (n == 0) return;
    add_view(leak, out);
    c3d_text_add(out, "%s: %zu %s", word, n, what);
    add_example(pairs, out);
    c3d_text_add(out, "\n");
}

static void add_gap(const c3d_leak *leak, int g, c3d_text *out)
{
    const leak_gap *gap = &leak->gaps[g];

    add_view(leak, out);
    c3d_text_add(out, "%s and %s: ", c3d_split_name(gap_splits[g][0]),
                 c3d_split_name(gap_splits[g][1]));
    if (gap->frames[0] == gap->frames[1]) {
        c3d_text_add(out, "the same frames\n");
        return;
    }
    c3d_text_add(out, "nearest are frames %" PRId64 " and %" PRId64 ", %.1f px", gap->frames[0],
                 gap->frames[1], gap->px);
    if (!isnan(gap->m)) c3d_text_add(out, " (%.0f m)", gap->m);
    c3d_text_add(out, " apart\n");
}

void c3d_leak_findings(const c3d_leak *leak, c3d_text *out)
{
    add_finding(leak, "LEAK", leak->n_frames,
                "frames share source pixels with one of another split", &leak->pixels, out);
    add_finding(leak, "LEAK", leak->n_groups, "groups are in more than one split", &leak->groups,
                out);
    add_finding(leak, "LEAK", leak->n_duplicates,
                "frames have the very scene of a frame of another split", &leak->duplicates, out);
    add_finding(leak, "WARNING", leak->n_alike,
                "pairs of scenes of different splits are nearly equal", &leak->alike, out);
}

void c3d_leak_text(const c3d_leak *leak, c3d_text *out)
{
    for (int g = 0; g < N_GAPS; g++)
        if (leak->gaps[g].is_known) add_gap(leak, g, out);
    c3d_leak_findings(leak, out);
    if (c3d_leak_is(leak)) return;
    add_view(leak, out);
    c3d_text_add(out, "no two splits share a pixel in any month, a scene or a group\n");
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

static c3d_json *pair_to_json(const int64_t frames[2], const c3d_split splits[2])
{
    c3d_json *pair = c3d_json_object(), *ids = c3d_json_array(), *names = c3d_json_array();

    for (int i = 0; i < 2; i++) {
        c3d_json_append(ids, c3d_json_int(frames[i]));
        c3d_json_append(names, c3d_json_string(c3d_split_name(splits[i])));
    }
    c3d_json_set(pair, "frames", ids);
    c3d_json_set(pair, "splits", names);
    return pair;
}

static void set_pairs(c3d_json *to, const char *key, const leak_pairs *pairs)
{
    c3d_json *rows = c3d_json_array();

    for (int i = 0; i < pairs->n; i++) {
        c3d_json *pair = pair_to_json(pairs->rows[i].frames, pairs->rows[i].splits);
        if (!isnan(pairs->rows[i].difference))
            c3d_json_set(pair, "difference", c3d_json_real(pairs->rows[i].difference));
        c3d_json_append(rows, pair);
    }
    c3d_json_set(to, key, rows);
}

static c3d_json *gaps_to_json(const c3d_leak *leak)
{
    c3d_json *gaps = c3d_json_array();

    for (int g = 0; g < N_GAPS; g++) {
        if (!leak->gaps[g].is_known) continue;
        c3d_json *gap = pair_to_json(leak->gaps[g].frames, gap_splits[g]);
        c3d_json_set(gap, "px", c3d_json_real(leak->gaps[g].px));
        c3d_json_set(gap, "m", c3d_json_real(leak->gaps[g].m));
        c3d_json_append(gaps, gap);
    }
    return gaps;
}

static c3d_json *leak_to_json(const c3d_leak *leak, bool has_alike)
{
    c3d_json *json = c3d_json_object(), *examples = c3d_json_object();
    double px = (double)NAN, m = (double)NAN;

    for (int g = 0; g < N_GAPS; g++) {
        if (!leak->gaps[g].is_known) continue;
        px = fmin(px, leak->gaps[g].px); /* of a number and NaN, the number */
        m = fmin(m, leak->gaps[g].m);
    }
    if (leak->fold >= 0) c3d_json_set(json, "fold", c3d_json_int(leak->fold));
    c3d_json_set(json, "overlapping_pairs", c3d_json_int((long long)leak->n_pairs));
    c3d_json_set(json, "overlapping_frames", c3d_json_int((long long)leak->n_frames));
    c3d_json_set(json, "divided_groups", c3d_json_int((long long)leak->n_groups));
    c3d_json_set(json, "duplicate_frames", c3d_json_int((long long)leak->n_duplicates));
    if (has_alike) c3d_json_set(json, "alike_pairs", c3d_json_int((long long)leak->n_alike));
    c3d_json_set(json, "smallest_distance_px", c3d_json_real(px));
    c3d_json_set(json, "smallest_distance_m", c3d_json_real(m));
    c3d_json_set(json, "distances", gaps_to_json(leak));
    set_pairs(examples, "overlapping", &leak->pixels);
    set_pairs(examples, "groups", &leak->groups);
    set_pairs(examples, "duplicates", &leak->duplicates);
    if (has_alike) set_pairs(examples, "alike", &leak->alike);
    c3d_json_set(json, "examples", examples);
    return json;
}

c3d_json *c3d_leaks_to_json(const c3d_leaks *leaks)
{
    c3d_json *json = leak_to_json(&leaks->rows[0], leaks->has_alike);
    c3d_json *folds = c3d_json_array();

    for (int i = 1; i < leaks->n; i++)
        c3d_json_append(folds, leak_to_json(&leaks->rows[i], leaks->has_alike));
    c3d_json_set(json, "folds", folds);
    if (leaks->has_alike) c3d_json_set(json, "all_compared", c3d_json_bool(!leaks->is_cut));
    return json;
}

/* ---- what c3d-train asks ----------------------------------------------------------------------
 */

static const struct {
    const char *key, *text;
} findings[] = {
    { "overlapping_frames", "frames overlap a frame of another split" },
    { "divided_groups", "groups are in more than one split" },
    { "duplicate_frames", "frames have the very scene of a frame of another split" },
};

static const c3d_json *view_of(const c3d_json *leak, int fold)
{
    return fold < 0 ? leak : c3d_json_at(c3d_json_get(leak, "folds"), (size_t)fold);
}

static void add_known(const c3d_json *view, c3d_text *out)
{
    for (size_t i = 0; view && i < C3D_COUNT(findings); i++) {
        long long n = 0;
        if (!c3d_json_get_int(view, findings[i].key, &n) || n <= 0) continue;
        c3d_text_add(out, "%s%lld %s", out->length ? ", " : "", n, findings[i].text);
    }
}

/* A proof of other samples says nothing of these. */
static c3d_status read_proof(const char *dir, const c3d_dataset_info *info, c3d_json **out)
{
    const char *proved = "", *now = "";
    char path[C3D_PATH_MAX];

    *out = NULL;
    C3D_TRY(c3d_path_join(path, dir, LEAK_PROOF));
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_json_read(path, out));
    (void)c3d_json_get_string(*out, "samples_hash", &proved);
    (void)c3d_json_get_string(info->json, "samples_hash", &now);
    if (strcmp(proved, now) == 0) return C3D_OK;
    c3d_json_free(*out);
    *out = NULL;
    return C3D_OK;
}

c3d_status c3d_dataset_known_leaks(const char *dir, const c3d_dataset_info *info, int fold,
                                   c3d_text *out)
{
    const c3d_json *view = view_of(c3d_json_get(info->json, "leak"), fold);
    c3d_json *proof;

    C3D_TRY(read_proof(dir, info, &proof));
    add_known(view, out);
    if (out->length == 0) add_known(view_of(c3d_json_get(proof, "leak"), fold), out);
    if (fold >= 0 && !view)
        c3d_text_add(out, "nobody has measured its folds (c3d-dataset samples does)");
    c3d_json_free(proof);
    return C3D_OK;
}
