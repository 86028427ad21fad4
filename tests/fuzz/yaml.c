/* A configuration, for every use; what is accepted must be read again as the same. */
#include "fuzz/target.h"

#include <stdlib.h>
#include <string.h>

#include "c3d/config.h"

static void parse_again(const c3d_config *config)
{
    c3d_text first = { 0 }, second = { 0 }, mistakes = { 0 };
    c3d_config again;

    c3d_config_print(config, &first);
    const c3d_config_source_text source = {
        .text = first.text, .n_bytes = first.length, .name = "again", .use = C3D_CONFIG_FOR_READING
    };
    if (c3d_config_parse(&source, &again, &mistakes) != C3D_OK) abort();
    c3d_config_print(&again, &second);
    if (first.length != second.length || memcmp(first.text, second.text, first.length) != 0)
        abort();
    c3d_config_free(&again);
    c3d_text_free(&first);
    c3d_text_free(&second);
    c3d_text_free(&mistakes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    for (int use = C3D_CONFIG_FOR_DATASET; use <= C3D_CONFIG_FOR_READING; use++) {
        const c3d_config_source_text source = { .text = (const char *)bytes,
                                                .n_bytes = n,
                                                .name = "fuzz.yaml",
                                                .use = (c3d_config_use)use };
        c3d_config config;
        c3d_text mistakes = { 0 };

        if (c3d_config_parse(&source, &config, &mistakes) == C3D_OK) parse_again(&config);
        c3d_config_free(&config);
        c3d_text_free(&mistakes);
    }
    return 0;
}
