#include "frames.h"
#include "verify.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct proof {
    c3d_frames frames;
    c3d_samples samples;
    alike_pairs alike;
    c3d_leaks leaks;
} proof;

/* Splits that were edited after samples.csv was made are not those one trains on. */
static void tell_edited(const proof *of, c3d_text *out)
{
    size_t n = 0;

    for (size_t i = 0; i < of->samples.n; i++) {
        const c3d_sample *sample = &of->samples.rows[i];
        const size_t frame = c3d_frames_find(&of->frames, sample->frame_id);
        n += frame != (size_t)-1 && of->frames.rows[frame].edited &&
             of->frames.rows[frame].split != sample->split;
    }
    if (n > 0)
        c3d_text_add(out,
                     "%zu samples have another split than their frame in frames.gpkg, which was "
                     "edited: c3d-dataset samples takes it over\n",
                     n);
}

static bool is_leaking(const c3d_leaks *leaks)
{
    for (int i = 0; i < leaks->n; i++)
        if (c3d_leak_is(&leaks->rows[i])) return true;
    return false;
}

static c3d_json *rule_to_json(void)
{
    c3d_json *rule = c3d_json_object();

    c3d_json_set(rule, "leak",
                 c3d_json_string("two splits share source pixels or a scene that is not constant, "
                                 "in a month of both; or they share a group"));
    c3d_json_set(
        rule, "alike",
        c3d_json_string("means of blocks of pixels, of up to 8 months and bands, differ by "
                        "less than 5 % of their contrast: a warning"));
    return rule;
}

static c3d_status write_proof(const char *dir, const proof *of)
{
    c3d_dataset_info info;
    char path[C3D_PATH_MAX], content[20];
    const char *samples_hash = "";
    c3d_status st;

    C3D_TRY(c3d_path_join(path, dir, LEAK_PROOF));
    C3D_TRY(c3d_dataset_info_read(dir, &info));
    c3d_json *root = c3d_json_object();
    (void)c3d_json_get_string(info.json, "samples_hash", &samples_hash);
    (void)snprintf(content, sizeof content, "%016" PRIx64, info.hash);
    c3d_json_set(root, "schema", c3d_json_int(1));
    c3d_json_set(root, "samples_hash", c3d_json_string(samples_hash));
    c3d_json_set(root, "content", c3d_json_string(content));
    c3d_json_set(root, "is_leaking", c3d_json_bool(is_leaking(&of->leaks)));
    c3d_json_set(root, "rule", rule_to_json());
    c3d_json_set(root, "leak", c3d_leaks_to_json(&of->leaks));
    st = c3d_json_write(path, root);
    c3d_json_free(root);
    c3d_dataset_info_free(&info);
    return st;
}

static c3d_status prove(const char *dir, const leak_input *in, proof *of, c3d_text *out)
{
    C3D_TRY(c3d_leak_find(in, &of->leaks));
    C3D_TRY(write_proof(dir, of));
    tell_edited(of, out);
    for (int i = 0; i < of->leaks.n; i++) c3d_leak_text(&of->leaks.rows[i], out);
    if (of->leaks.is_cut)
        c3d_text_add(out, "more scenes are alike than were compared: not all pairs are known\n");
    if (!is_leaking(&of->leaks)) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: its splits leak%s; %s has more", dir,
                    c3d_leak_is(&of->leaks.rows[0]) ? "" : " by fold", LEAK_PROOF);
}

c3d_status c3d_verify_splits(const char *dir, const c3d_store *store, size_t n,
                             const alike_scene *scenes, c3d_text *out)
{
    char gpkg[C3D_PATH_MAX], csv[C3D_PATH_MAX];
    proof of = { 0 };
    leak_input in = {
        .frames = &of.frames, .samples = &of.samples, .store = store, .alike = &of.alike
    };
    c3d_status st;

    C3D_TRY(c3d_path_join(gpkg, dir, "frames.gpkg"));
    C3D_TRY(c3d_path_join(csv, dir, "samples.csv"));
    st = c3d_frames_read(gpkg, &of.frames);
    if (st == C3D_OK) st = c3d_samples_read(csv, &of.samples);
    if (st == C3D_OK) st = c3d_alike_find(&of.frames, n, scenes, &of.alike);
    if (st == C3D_OK) st = c3d_leak_pieces_read(dir, &of.frames, store, &in.pieces);
    if (st == C3D_OK) st = prove(dir, &in, &of, out);
    c3d_leaks_free(&of.leaks);
    free(of.alike.rows);
    free(in.pieces.rows);
    c3d_samples_free(&of.samples);
    c3d_frames_free(&of.frames);
    return st;
}
