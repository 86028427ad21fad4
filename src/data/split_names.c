#include "c3d/data.h"

#include <string.h>

static const char *const names[] = { "train", "validation", "test", "none" };

const char *c3d_split_name(c3d_split split)
{
    return (unsigned)split < C3D_COUNT(names) ? names[split] : "?";
}

bool c3d_split_parse(const char *name, c3d_split *out)
{
    for (size_t i = 0; i < C3D_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (c3d_split)i;
            return true;
        }
    }
    return false;
}
