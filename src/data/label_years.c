/* Since when a frame holds a class, as the labels say. */
#include "dataset_open.h"
#include "frames.h"

#include <string.h>

static int first_year_of(const c3d_frames *frames, int64_t frame_id)
{
    const size_t frame = c3d_frames_find(frames, frame_id);

    for (int y = 0; frame != (size_t)-1 && y < frames->n_years; y++)
        if (frames->labels[frame * (size_t)frames->n_years + (size_t)y] >= C3D_FRAME_POSITIVE)
            return frames->years[y];
    return 0;
}

c3d_status c3d_dataset_first_label_years(const c3d_dataset *dataset, const int64_t *frame_ids,
                                         size_t n_frames, int *out, bool *has_years_out)
{
    char path[C3D_PATH_MAX];
    c3d_frames frames;

    memset(out, 0, n_frames * sizeof *out);
    *has_years_out = false;
    C3D_TRY(c3d_path_join(path, dataset->dir, "frames.gpkg"));
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_frames_read(path, &frames));
    for (size_t i = 0; i < n_frames; i++) out[i] = first_year_of(&frames, frame_ids[i]);
    *has_years_out = frames.n_years > 0 && frames.years[frames.n_years - 1] > 0;
    c3d_frames_free(&frames);
    return C3D_OK;
}
