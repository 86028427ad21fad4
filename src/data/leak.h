/* The proof that splits are apart. Private to data.
 *
 * A view is one way of dealing samples to splits: the column split, or a fold. In each of them,
 * of two frames in different splits (or one frame in two) whose samples have a month in common,
 *   shared source pixels are a leak,
 *   scenes equal to the last bit are a leak, unless every month and band of them is constant,
 *   scenes that are nearly equal (leak_alike.c) are a warning;
 * a group in two splits is a leak, whatever the months. */
#ifndef C3D_DATA_LEAK_H
#define C3D_DATA_LEAK_H

#include "c3d/dataset.h"
#include "store.h"

#define LEAK_PROOF "leak-proof.json"

enum { LEAK_EXAMPLES = 10 };

typedef struct leak_pair {
    int64_t frames[2];
    c3d_split splits[2];
    double difference; /* of pairs that are alike: share of their own contrast */
} leak_pair;
typedef struct leak_pairs {
    int n; /* the first ones, at most LEAK_EXAMPLES */
    leak_pair rows[LEAK_EXAMPLES];
} leak_pairs;

/* The nearest frames of two splits, edge to edge. */
typedef struct leak_gap {
    bool is_known; /* both have frames, in one source */
    int64_t frames[2];
    double px, m; /* m NaN where a pixel's size is not known */
} leak_gap;

enum { N_GAPS = 3 }; /* train and validation, train and test, validation and test */

typedef struct c3d_leak {
    int fold; /* -1: the column split */
    leak_gap gaps[N_GAPS];
    size_t n_pairs;      /* of frames in different splits that share source pixels */
    size_t n_frames;     /* in at least one such pair */
    size_t n_groups;     /* in more than one split */
    size_t n_duplicates; /* frames whose scene is that of a frame of another split, not constant */
    size_t n_alike;      /* pairs of frames: warnings */
    leak_pairs pixels, groups, duplicates, alike;
} c3d_leak;

typedef struct c3d_leaks {
    int n;          /* 1, and the folds where there are 3 or more */
    c3d_leak *rows; /* [n] the column split, then the folds */
    bool has_alike; /* scenes were compared by content, not by checksum alone */
    bool is_cut;    /* too many are alike: not all were compared */
} c3d_leaks;

/* Scenes that may be alike: rows of c3d_frames. */
typedef struct alike_pair {
    uint32_t frames[2];
    float difference;
} alike_pair;
typedef struct alike_pairs {
    size_t n, capacity;
    alike_pair *rows;
    bool is_cut;
} alike_pairs;

/* Where a frame's pixels are from: an imported one may have a file a month. */
typedef struct leak_piece {
    uint32_t frame; /* row of c3d_frames */
    int source, x, y;
    int month; /* of the store; -1: any */
} leak_piece;
typedef struct leak_pieces {
    size_t n;
    leak_piece *rows; /* ascending by frame; NULL: each frame is its own piece */
} leak_pieces;
/* Those of the dataset in dir; none when it was not imported. */
C3D_CHECKED c3d_status c3d_leak_pieces_read(const char *dir, const c3d_frames *frames,
                                            const c3d_store *store, leak_pieces *out);

typedef struct leak_input {
    const c3d_frames *frames;
    const c3d_samples *samples;
    const c3d_store *store;   /* NULL: places and groups only, all months taken as one */
    const alike_pairs *alike; /* NULL: not compared */
    leak_pieces pieces;
} leak_input;

/* Rank 0's work: some seconds for 264,000 frames. */
C3D_CHECKED c3d_status c3d_leak_find(const leak_input *in, c3d_leaks *out);
void c3d_leaks_free(c3d_leaks *leaks);
static inline bool c3d_leak_is(const c3d_leak *leak)
{
    return leak->n_frames + leak->n_groups + leak->n_duplicates > 0;
}
/* Adds what it found of one view, a line each; findings: only what leaks, or may. */
void c3d_leak_text(const c3d_leak *leak, c3d_text *out);
void c3d_leak_findings(const c3d_leak *leak, c3d_text *out);
/* For dataset.json and leak-proof.json: the column split's facts, those of folds as `folds`. */
c3d_json *c3d_leaks_to_json(const c3d_leaks *leaks);

/* ---- parts of it ------------------------------------------------------------------------------
 */

/* Who is in which split, and when: bit m of when[(frame * C3D_N_SPLITS + split) * n_words ...] is
 * set when a sample of the frame in that split has month m. */
typedef struct leak_view {
    const c3d_frames *frames;
    leak_pieces pieces;
    int n_words;
    uint64_t *when;
} leak_view;
bool c3d_leak_is_in(const leak_view *view, size_t frame, int split);
bool c3d_leak_is_in_month(const leak_view *view, size_t frame, int split, int month);
/* Whether frame a in split s and frame b in split t have a month in common. */
bool c3d_leak_meet(const leak_view *view, size_t a, int s, size_t b, int t);
/* Whether they do in any two different splits; a may be b. Says which. */
bool c3d_leak_conflict(const leak_view *view, size_t a, size_t b, c3d_split splits[2]);
void c3d_leak_note(leak_pairs *pairs, const leak_view *view, const size_t frames[2],
                   const c3d_split splits[2]);

/* Gaps and shared pixels. */
C3D_CHECKED c3d_status c3d_leak_places(const leak_view *view, c3d_leak *leak);

/* ---- likeness ---------------------------------------------------------------------------------
 */

enum { ALIKE_VALUES = 128, ALIKE_WORDS = 4 };

/* A scene in few numbers: means over blocks of pixels, of a few months and bands. */
typedef struct alike_scene {
    int64_t frame_id;
    uint64_t checksum, bits[ALIKE_WORDS];
    float
        contrast; /* root of the sum of squares of what differs from its month's and band's mean */
    float values[ALIKE_VALUES];
} alike_scene;
/* False for a scene without contrast: nothing to compare. */
bool c3d_alike_describe(const c3d_shard_shape *shape, const void *values, alike_scene *out);
/* The pairs among them whose values differ by less than 5 % of their contrast (root of the sum of
 * squares), but for equal checksums. */
C3D_CHECKED c3d_status c3d_alike_find(const c3d_frames *frames, size_t n, const alike_scene *scenes,
                                      alike_pairs *out);

#endif
