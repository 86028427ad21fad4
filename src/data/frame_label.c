#include "c3d/dataset.h"

#include <string.h>

static const struct {
    const char *name;
    c3d_frame_label label;
} fixed[] = {
    { "negative", C3D_FRAME_NEGATIVE },
    { "uncertain", C3D_FRAME_UNCERTAIN },
    { "unlabelled", C3D_FRAME_UNLABELLED },
};

int c3d_frames_n_labels(const c3d_frames *frames)
{
    return frames->by_class ? frames->n_classes : 1;
}

const char *c3d_frame_label_name(const c3d_frames *frames, c3d_frame_label label)
{
    for (size_t i = 0; i < C3D_COUNT(fixed); i++)
        if (fixed[i].label == label) return fixed[i].name;
    if (label < 0 || label > c3d_frames_n_labels(frames)) return "?";
    return frames->by_class ? frames->classes[label - 1] : "positive";
}

bool c3d_frame_label_parse(const c3d_frames *frames, const char *name, c3d_frame_label *out)
{
    for (c3d_frame_label label = C3D_FRAME_UNLABELLED; label <= c3d_frames_n_labels(frames);
         label++) {
        if (strcmp(name, c3d_frame_label_name(frames, label)) != 0) continue;
        *out = label;
        return true;
    }
    return false;
}
