#include "labels.h"

#include <string.h>

/* Frames of a list have labels and no shares. */
static int n_shares(const c3d_frames *frames)
{
    return frames->shares != NULL ? frames->n_classes : 0;
}

int c3d_year_columns_max(const c3d_frames *frames)
{
    return 3 + n_shares(frames);
}

static void add(c3d_field_desc *fields, int *n, const char *name, c3d_field_type type)
{
    fields[(*n)++] = (c3d_field_desc){ c3d_strdup(name), type };
}

int c3d_year_columns(const c3d_frames *frames, int k, c3d_field_desc *out)
{
    const int year = frames->years[k];
    char name[96];
    int n = 0;

    (void)snprintf(name, sizeof name, "label_%04d", year);
    add(out, &n, name, C3D_FIELD_TEXT);
    for (int c = 0; c < n_shares(frames); c++) {
        (void)snprintf(name, sizeof name, "share_%.60s_%04d", frames->classes[c], year);
        add(out, &n, name, C3D_FIELD_REAL);
    }
    (void)snprintf(name, sizeof name, "change_%04d", year);
    if (k > 0) add(out, &n, name, C3D_FIELD_INT);
    (void)snprintf(name, sizeof name, "hard_%04d", year);
    if (frames->hard != NULL) add(out, &n, name, C3D_FIELD_INT);
    return n;
}

int c3d_year_values(const c3d_frames *frames, size_t i, int k, c3d_field_value *out)
{
    const size_t row = i * (size_t)frames->n_years + (size_t)k;
    int n = 0;

    out[n++].t = c3d_frame_label_name(frames, frames->labels[row]);
    for (int c = 0; c < n_shares(frames); c++)
        out[n++].r = frames->shares[row * (size_t)frames->n_classes + (size_t)c];
    if (k > 0) out[n++].i = c3d_label_changes(frames, i, k);
    if (frames->hard != NULL) out[n++].i = frames->hard[row];
    return n;
}
