/* What tests and documentation ask of module config without a training program:
 *   c3d-config-table markdown              docs/configuration.md
 *   c3d-config-table check FILE...         parses: dataset-*.yaml as such, published-*.yaml for
 *                                        --plan, others for training */
#include "c3d/config.h"

#include <stdlib.h>
#include <string.h>

static int check(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const c3d_config_use use = strncmp(name, "dataset-", 8) == 0      ? C3D_CONFIG_FOR_DATASET
                               : strncmp(name, "published-", 10) == 0 ? C3D_CONFIG_FOR_PLAN
                                                                      : C3D_CONFIG_FOR_TRAIN;
    c3d_config config;
    c3d_text mistakes = { 0 };

    const c3d_status st = c3d_config_load(path, use, NULL, 0, &config, &mistakes);
    if (mistakes.text) (void)fputs(mistakes.text, stdout);
    if (st != C3D_OK) (void)printf("%s\n", c3d_error_last()->message);
    c3d_text_free(&mistakes);
    c3d_config_free(&config);
    return st == C3D_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    c3d_text text = { 0 };
    int n_bad = 0;

    if (argc == 2 && strcmp(argv[1], "markdown") == 0) {
        c3d_config_markdown(&text);
        (void)fputs(text.text, stdout);
        c3d_text_free(&text);
        return 0;
    }
    if (argc < 3 || strcmp(argv[1], "check") != 0) {
        (void)fputs("usage: c3d-config-table markdown | check FILE...\n", stderr);
        return 2;
    }
    for (int i = 2; i < argc; i++) n_bad += check(argv[i]);
    return n_bad ? 1 : 0;
}
