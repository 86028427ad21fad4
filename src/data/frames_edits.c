/* Column made of layer frames: a frame's number, place, split, fold and labels as they were
 * written, by which later edits are told, and what was there before them. */
#include "frames.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing --------------------------------------------------------------------------------- */

static char *add_number(char *to, long long value)
{
    char digits[24];
    unsigned long long rest =
        value < 0 ? 0ULL - (unsigned long long)value : (unsigned long long)value;
    int n = 0;

    if (value < 0) *to++ = '-';
    do digits[n++] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    while (n > 0) *to++ = digits[--n];
    *to++ = ' ';
    return to;
}

size_t c3d_frames_made_max(const c3d_frames *frames)
{
    return 21 * (5 + (size_t)frames->n_years) + 1;
}

void c3d_frames_made(const c3d_frames *frames, size_t i, char *out)
{
    const c3d_frame *frame = &frames->rows[i];

    out = add_number(out, frame->frame_id);
    out = add_number(out, frame->x);
    out = add_number(out, frame->y);
    out = add_number(out, (long long)frame->split);
    out = add_number(out, frame->fold);
    for (int k = 0; k < frames->n_years; k++)
        out = add_number(out, frames->labels[i * (size_t)frames->n_years + (size_t)k]);
    out[-1] = '\0';
}

/* ---- comparing ------------------------------------------------------------------------------- */

static bool next_number(const char **text, long long *out)
{
    char *end;

    *out = strtoll(*text, &end, 10);
    if (end == *text || (*end != ' ' && *end != '\0')) return false;
    *text = *end ? end + 1 : end;
    return true;
}

static c3d_status note(c3d_frames *frames, c3d_frame *frame, int what, long long was, int is)
{
    if (was == is) return C3D_OK;
    frame->edited = true;
    if ((frames->n_edits & (frames->n_edits - 1)) == 0) {
        const size_t wanted = frames->n_edits ? 2 * frames->n_edits : 1;
        c3d_frame_edit *grown = realloc(frames->edits, wanted * sizeof *grown);
        if (!grown) return C3D_FAIL(C3D_ENOMEM, "%zu edits of frames", wanted);
        frames->edits = grown;
    }
    frames->edits[frames->n_edits++] = (c3d_frame_edit){ frame->frame_id, what, (int)was, is };
    return C3D_OK;
}

static c3d_status not_ours(const char *path, const c3d_frame *frame)
{
    return C3D_FAIL(
        C3D_EDATA,
        "%s: frame %" PRId64 ": c3d-dataset did not make it (column made): it was added "
        "or renumbered; frames can be edited and deleted, not added: delete the row, and "
        "for frames in other places make them with another data.aoi or data.stride_px",
        path, frame->frame_id);
}

c3d_status c3d_frames_compare(const char *path, c3d_frames *frames, size_t i, const char *made)
{
    c3d_frame *frame = &frames->rows[i];
    const char *at = made ? made : "";
    long long id, x, y, split, fold, label;

    if (!next_number(&at, &id) || !next_number(&at, &x) || !next_number(&at, &y) ||
        !next_number(&at, &split) || !next_number(&at, &fold) || id != frame->frame_id)
        return not_ours(path, frame);
    if (x != frame->x || y != frame->y)
        return C3D_FAIL(
            C3D_EDATA,
            "%s: frame %" PRId64 ": x, y were changed from %lld, %lld to %d, %d; frames "
            "stay on the pixels they were made of: change them back, or delete the frame",
            path, frame->frame_id, x, y, frame->x, frame->y);
    C3D_TRY(note(frames, frame, C3D_EDIT_SPLIT, split, (int)frame->split));
    C3D_TRY(note(frames, frame, C3D_EDIT_FOLD, fold, frame->fold));
    for (int k = 0; k < frames->n_years; k++) {
        if (!next_number(&at, &label)) return not_ours(path, frame);
        C3D_TRY(note(frames, frame, frames->years[k], label,
                     frames->labels[i * (size_t)frames->n_years + (size_t)k]));
    }
    return C3D_OK;
}

/* ---- geometry -------------------------------------------------------------------------------- */

bool c3d_frames_has_shape(const c3d_frames *frames, const c3d_frame *frame, const double bounds[4],
                          double area)
{
    const double slack = 0.01 * hypot(frames->transform[1], frames->transform[4]);
    double ring[10], wanted[4] = { INFINITY, INFINITY, -INFINITY, -INFINITY }, twice = 0;

    if (!c3d_frames_ring(frames, frame, ring)) return true;
    for (int i = 0; i < 4; i++) {
        for (int axis = 0; axis < 2; axis++) {
            wanted[axis] = fmin(wanted[axis], ring[2 * i + axis]);
            wanted[2 + axis] = fmax(wanted[2 + axis], ring[2 * i + axis]);
        }
        twice += ring[2 * i] * ring[2 * i + 3] - ring[2 * i + 2] * ring[2 * i + 1];
    }
    for (int i = 0; i < 4; i++)
        if (!(fabs(bounds[i] - wanted[i]) <= slack)) return false;
    return fabs(area - fabs(twice) / 2) <=
           4 * slack * hypot(wanted[2] - wanted[0], wanted[3] - wanted[1]);
}
