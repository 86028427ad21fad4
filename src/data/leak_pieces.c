/* Where the pixels of an imported dataset's frames are from. */
#include "frames.h"
#include "import.h"
#include "leak.h"

#include <stdlib.h>

/* The store's number of each month of the plan; -1: not there. */
static c3d_status number_months(const import_scenes *scenes, const c3d_store *store, int **out)
{
    c3d_date *months = c3d_calloc((size_t)store->n_months + 1, sizeof *months);
    int *numbers = c3d_calloc((size_t)scenes->n_months, sizeof *numbers);

    if (!months || !numbers) {
        free(months);
        free(numbers);
        return C3D_ENOMEM;
    }
    c3d_store_months(store, months);
    for (int i = 0; i < scenes->n_months; i++) {
        numbers[i] = store->n_months - 1;
        while (numbers[i] >= 0 && months[numbers[i]] != scenes->months[i]) numbers[i]--;
    }
    free(months);
    *out = numbers;
    return C3D_OK;
}

/* Frames that were deleted by hand have no pieces. */
static c3d_status take(const import_scenes *scenes, const c3d_frames *frames,
                       const c3d_store *store, leak_pieces *out)
{
    int *months;

    if (scenes->n_pieces > UINT32_MAX)
        return C3D_FAIL(C3D_EDATA, "import.csv: %zu rows", scenes->n_pieces);
    C3D_TRY(number_months(scenes, store, &months));
    out->rows = c3d_calloc(scenes->n_pieces + 1, sizeof *out->rows);
    for (size_t i = 0; out->rows && i < scenes->n_pieces; i++) {
        const import_piece *piece = &scenes->pieces[i];
        const size_t frame = c3d_frames_find(frames, (int64_t)piece->scene);

        if (frame == (size_t)-1) continue;
        out->rows[out->n++] = (leak_piece){ (uint32_t)frame, piece->source, piece->x, piece->y,
                                            piece->month < 0 ? -1 : months[piece->month] };
    }
    free(months);
    return out->rows ? C3D_OK : C3D_ENOMEM;
}

c3d_status c3d_leak_pieces_read(const char *dir, const c3d_frames *frames, const c3d_store *store,
                                leak_pieces *out)
{
    char path[C3D_PATH_MAX];
    import_plan plan = { 0 };
    c3d_status st;

    *out = (leak_pieces){ 0 };
    C3D_TRY(c3d_path_join(path, dir, "import.csv"));
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_import_plan_read(dir, &plan));
    st = take(&plan.scenes, frames, store, out);
    c3d_import_plan_free(&plan);
    return st;
}
