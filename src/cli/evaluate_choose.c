#include "cli/evaluate_choose.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static c3d_status add_choice(const char *word, evaluate_choices *out)
{
    c3d_choice choice;

    if (!c3d_choice_parse(word, &choice))
        return C3D_FAIL(
            C3D_ECONFIG,
            "--choose: \"%s\" is none of f1, f0.5, f2, recall=R, precision=P with R and "
            "P above 0 and up to 1, or none",
            word);
    for (int i = 0; i < out->n; i++)
        if (strcmp(out->rows[i].choice.name, choice.name) == 0)
            return C3D_FAIL(C3D_ECONFIG, "--choose: %s is there twice", choice.name);
    if (out->n == C3D_CHOSEN_MAX)
        return C3D_FAIL(C3D_ECONFIG, "--choose: more than %d thresholds", C3D_CHOSEN_MAX);
    out->rows[out->n++] = (c3d_chosen){ .choice = choice };
    return C3D_OK;
}

c3d_status evaluate_read_choices(const c3d_args *args, int n_outputs, evaluate_choices *out)
{
    const char *text = c3d_args_text(args, "--choose");
    char *words, *next = NULL;
    c3d_status st = C3D_OK;

    out->is_given = c3d_args_given(args, "--choose");
    if (strcmp(text, "none") == 0) return C3D_OK;
    if (n_outputs > 1 && out->is_given)
        return C3D_FAIL(C3D_ECONFIG,
                        "--choose: %d classes are told apart by the largest of their scores, not "
                        "by a threshold",
                        n_outputs);
    if (n_outputs > 1) return C3D_OK;
    words = c3d_strdup(text);
    for (char *word = strtok_r(words, ",", &next); st == C3D_OK && word;
         word = strtok_r(NULL, ",", &next))
        st = add_choice(word, out);
    free(words);
    return st;
}

static bool is_text(const c3d_json *json, const char *key, const char *expected)
{
    const char *text;

    return c3d_json_get_string(json, key, &text) && strcmp(text, expected) == 0;
}

bool evaluate_find_scores(const char *dir, const c3d_evaluation_files *as, uint64_t list_hash,
                          c3d_score_table *out)
{
    char path[C3D_PATH_MAX], scores[C3D_PATH_MAX], hash[20];
    c3d_score_table table = { 0 };
    c3d_json *json = NULL;

    (void)snprintf(hash, sizeof hash, "%016" PRIx64, list_hash);
    if (c3d_path_join(path, dir, "evaluation-validation.json") != C3D_OK ||
        c3d_path_join(scores, dir, "scores-validation.csv") != C3D_OK || !c3d_path_exists(path) ||
        c3d_json_read(path, &json) != C3D_OK)
        return false;
    const bool is_found =
        is_text(json, "checkpoint", as->checkpoint) && is_text(json, "precision", as->precision) &&
        (list_hash == 0 || is_text(json, "list_hash", hash)) &&
        c3d_score_table_read(scores, &table) == C3D_OK && c3d_scores_belong(&table, json);
    c3d_json_free(json);
    if (is_found)
        *out = table;
    else
        c3d_score_table_free(&table);
    return is_found;
}

c3d_status evaluate_choose(evaluate_choices *choices, const float *scores, const int32_t *labels,
                           size_t n)
{
    for (int i = 0; i < choices->n; i++)
        C3D_TRY(c3d_choose_threshold(&choices->rows[i].choice, scores, labels, n,
                                     &choices->rows[i].threshold));
    return C3D_OK;
}
