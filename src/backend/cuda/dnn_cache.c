/* Choices kept on disk, a file each: the key, the engine, its knobs, a line each. */
#include "backend/cuda/dnn_graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "c3d engine 1"

static c3d_status path_of(const char *dir, const char *key, char out[C3D_PATH_MAX])
{
    char name[64];

    (void)snprintf(name, sizeof name, "cudnn-%016" PRIx64 ".txt", c3d_hash(key, strlen(key)));
    return c3d_path_join(out, dir, name);
}

/* Moves *at past `word`, which it must begin with. */
static bool take(const char **at, const char *word)
{
    const size_t n = strlen(word);

    if (strncmp(*at, word, n) != 0) return false;
    *at += n;
    return true;
}

static bool take_int(const char **at, int64_t *out)
{
    char *end;

    *out = strtoll(*at, &end, 10);
    if (end == *at) return false;
    *at = end;
    return true;
}

static bool parse(const char *text, const char *key, c3d_dnn_choice *out)
{
    const char *at = text;
    int64_t type;

    *out = (c3d_dnn_choice){ 0 };
    if (!take(&at, HEAD "\n") || !take(&at, key) || !take(&at, "\nengine ") ||
        !take_int(&at, &out->engine) || !take(&at, "\n"))
        return false;
    for (; take(&at, "knob "); out->n_knobs++) {
        struct c3d_dnn_knob *knob = &out->knobs[out->n_knobs];
        if (out->n_knobs == C3D_DNN_KNOBS || !take_int(&at, &type) || !take(&at, " ") ||
            !take_int(&at, &knob->value) || !take(&at, "\n"))
            return false;
        knob->type = (int)type;
    }
    return take(&at, "end\n") && *at == '\0';
}

bool c3d_dnn_cache_read(const char *dir, const char *key, c3d_dnn_choice *out)
{
    char path[C3D_PATH_MAX], *text = NULL;
    bool is_good = false;

    if (path_of(dir, key, path) != C3D_OK || !c3d_path_exists(path)) return false;
    if (c3d_file_read(path, &text, NULL) == C3D_OK) is_good = parse(text, key, out);
    if (!is_good) c3d_log_rank("%s: no choice of an engine for %s; it is made anew", path, key);
    free(text);
    return is_good;
}

void c3d_dnn_cache_write(const char *dir, const char *key, const c3d_dnn_choice *choice)
{
    char path[C3D_PATH_MAX];
    c3d_text text = { 0 };

    c3d_text_add(&text, HEAD "\n%s\nengine %" PRId64 "\n", key, choice->engine);
    for (int i = 0; i < choice->n_knobs; i++)
        c3d_text_add(&text, "knob %d %" PRId64 "\n", choice->knobs[i].type, choice->knobs[i].value);
    c3d_text_add(&text, "end\n");
    c3d_status st = c3d_make_dirs(dir);
    if (st == C3D_OK) st = path_of(dir, key, path);
    if (st == C3D_OK) st = c3d_file_write(path, text.text, strlen(text.text));
    if (st != C3D_OK)
        c3d_log_rank("the choice of an engine is not kept: %s", c3d_error_last()->message);
    c3d_text_free(&text);
}
