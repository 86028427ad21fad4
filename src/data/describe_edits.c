/* What `info` says of edits: how many of each kind, and what deleted frames leave behind. */
#include "census.h"
#include "describe.h"

#include <stdlib.h>

static int by_kind(const void *a, const void *b)
{
    const c3d_frame_edit *x = a, *y = b;

    if (x->what != y->what) return x->what < y->what ? -1 : 1;
    if (x->was != y->was) return x->was < y->was ? -1 : 1;
    return (x->is > y->is) - (x->is < y->is);
}

static const char *value_name(const c3d_frames *frames, int what, int value)
{
    if (what == C3D_EDIT_SPLIT) return c3d_split_name((c3d_split)value);
    return c3d_frame_label_name(frames, value);
}

static void add_kind(const c3d_frames *frames, const c3d_frame_edit *edit, size_t n, c3d_text *out)
{
    c3d_text_add(out, "  %8zu  ", n);
    if (edit->what == C3D_EDIT_FOLD)
        c3d_text_add(out, "fold: %d to %d\n", edit->was, edit->is);
    else if (edit->what == C3D_EDIT_SPLIT)
        c3d_text_add(out, "split: ");
    else
        c3d_text_add(out, "label_%04d: ", edit->what);
    if (edit->what != C3D_EDIT_FOLD)
        c3d_text_add(out, "%s to %s\n", value_name(frames, edit->what, edit->was),
                     value_name(frames, edit->what, edit->is));
}

static c3d_status add_kinds(const c3d_frames *frames, c3d_text *out)
{
    c3d_frame_edit *sorted = c3d_calloc(frames->n_edits + 1, sizeof *sorted);

    if (!sorted) return C3D_ENOMEM;
    for (size_t i = 0; i < frames->n_edits; i++) sorted[i] = frames->edits[i];
    qsort(sorted, frames->n_edits, sizeof *sorted, by_kind);
    for (size_t i = 0, first = 0; i < frames->n_edits; i++) {
        if (i + 1 < frames->n_edits && by_kind(&sorted[i], &sorted[i + 1]) == 0) continue;
        add_kind(frames, &sorted[i], i + 1 - first, out);
        first = i + 1;
    }
    free(sorted);
    return C3D_OK;
}

static size_t count_scenes_left(const c3d_frames *frames, const c3d_store *store)
{
    size_t n = 0;

    for (size_t i = 0; i < store->n_rows; i++)
        n += c3d_frames_find(frames, store->rows[i].frame_id) == (size_t)-1;
    return n;
}

c3d_status c3d_describe_edits(const c3d_frames *frames, const c3d_store *store, c3d_text *out)
{
    size_t n_edited = 0;

    for (size_t i = 0; i < frames->n; i++) n_edited += frames->rows[i].edited;
    if (n_edited + frames->n_deleted == 0) return C3D_OK;
    c3d_text_add(out, "\nedits       %zu frame%s edited, %zu deleted by hand\n", n_edited,
                 n_edited == 1 ? "" : "s", frames->n_deleted);
    C3D_TRY(add_kinds(frames, out));
    const size_t n_left = count_scenes_left(frames, store);
    if (n_left > 0)
        c3d_text_add(out, "  %8zu  scenes of deleted frames stay in the files and in no sample\n",
                     n_left);
    return C3D_OK;
}
