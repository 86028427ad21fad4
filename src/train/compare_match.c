/* The same frozen test list, or a refusal. */
#include "train/compare_runs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    int64_t sample_id;
    size_t row;
} entry;

/* The first run's list, by sample. */
typedef struct frozen {
    const c3d_score_table *table;
    entry *entries; /* [n] by sample_id */
    bool *seen;     /* [n] by row */
    int64_t *blocks;
    const char *blocks_from; /* path of the file that has the blocks; NULL: none yet */
} frozen;

static size_t line_of(size_t row)
{
    return row + 2;
}

static int by_sample(const void *a, const void *b)
{
    const int64_t x = ((const entry *)a)->sample_id, y = ((const entry *)b)->sample_id;

    return (x > y) - (x < y);
}

static c3d_status freeze(frozen *list)
{
    const c3d_score_table *table = list->table;

    list->entries = c3d_calloc(table->n, sizeof *list->entries);
    list->seen = c3d_calloc(table->n, sizeof *list->seen);
    if (!list->entries || !list->seen) return C3D_ENOMEM;
    for (size_t i = 0; i < table->n; i++)
        list->entries[i] = (entry){ .sample_id = table->rows[i].sample_id, .row = i };
    qsort(list->entries, table->n, sizeof *list->entries, by_sample);
    return C3D_OK;
}

/* The same sample twice, or another one under its number. */
static c3d_status check_row(const frozen *list, const c3d_score_table *table, size_t row, size_t at)
{
    const c3d_score_row *here = &table->rows[row], *there = &list->table->rows[at];
    const char *path = list->table->path;
    const size_t line = line_of(row), its_line = line_of(at);

    if (list->seen[at])
        return C3D_FAIL(C3D_EDATA, "%s:%zu: sample %" PRId64 " a second time", table->path, line,
                        here->sample_id);
    if (here->frame_id != there->frame_id)
        return C3D_FAIL(C3D_EDATA,
                        "%s:%zu: sample %" PRId64 " is of frame %" PRId64 ", in %s:%zu of frame "
                        "%" PRId64 ": not the same test list",
                        table->path, line, here->sample_id, here->frame_id, path, its_line,
                        there->frame_id);
    if (strcmp(here->first_month, there->first_month) != 0)
        return C3D_FAIL(C3D_EDATA,
                        "%s:%zu: sample %" PRId64 " begins in %s, in %s:%zu in %s: not the same "
                        "test list",
                        table->path, line, here->sample_id, here->first_month, path, its_line,
                        there->first_month);
    if (here->label != there->label)
        return C3D_FAIL(C3D_EDATA,
                        "%s:%zu: sample %" PRId64 " has label %d, in %s:%zu label %d: not the same "
                        "test list",
                        table->path, line, here->sample_id, here->label, path, its_line,
                        there->label);
    return C3D_OK;
}

static c3d_status check_block(const frozen *list, const c3d_score_table *table, size_t row,
                              size_t at)
{
    const c3d_score_row *here = &table->rows[row];

    if (here->block == list->blocks[at]) return C3D_OK;
    return C3D_FAIL(C3D_EDATA,
                    "%s:%zu: sample %" PRId64 " lies in block %" PRId64 ", in %s in block %" PRId64
                    ": scored with other block sizes or datasets; score both again",
                    table->path, line_of(row), here->sample_id, here->block, list->blocks_from,
                    list->blocks[at]);
}

static c3d_status check_complete(const frozen *list, const c3d_score_table *table)
{
    for (size_t i = 0; i < list->table->n; i++)
        if (!list->seen[i])
            return C3D_FAIL(C3D_EDATA,
                            "%s:%zu: sample %" PRId64 " is not in %s: not the same test "
                            "list",
                            list->table->path, line_of(i), list->table->rows[i].sample_id,
                            table->path);
    return C3D_OK;
}

static c3d_status match(frozen *list, compared_run *run)
{
    const c3d_score_table *table = &run->table;
    const size_t n_outputs = (size_t)table->n_outputs;
    const bool tells_blocks = table->has_blocks && !list->blocks_from;

    if (table->n_outputs != list->table->n_outputs)
        return C3D_FAIL(C3D_EDATA, "%s: %d score columns, %s has %d", table->path, table->n_outputs,
                        list->table->path, list->table->n_outputs);
    run->scores = c3d_calloc(list->table->n * n_outputs, sizeof *run->scores);
    if (!run->scores) return C3D_ENOMEM;
    if (tells_blocks) list->blocks_from = table->path;
    memset(list->seen, 0, list->table->n * sizeof *list->seen);
    for (size_t i = 0; i < table->n; i++) {
        const entry key = { .sample_id = table->rows[i].sample_id };
        const entry *found =
            bsearch(&key, list->entries, list->table->n, sizeof *list->entries, by_sample);
        if (!found)
            return C3D_FAIL(C3D_EDATA,
                            "%s:%zu: sample %" PRId64 " is not in %s: not the same test list",
                            table->path, line_of(i), key.sample_id, list->table->path);
        C3D_TRY(check_row(list, table, i, found->row));
        if (tells_blocks) list->blocks[found->row] = table->rows[i].block;
        if (table->has_blocks) C3D_TRY(check_block(list, table, i, found->row));
        list->seen[found->row] = true;
        memcpy(run->scores + found->row * n_outputs, table->scores + i * n_outputs,
               n_outputs * sizeof *run->scores);
    }
    return check_complete(list, table);
}

/* Whether no block holds more than one frame. */
static c3d_status look_at_blocks(const c3d_score_table *table, const int64_t *blocks, bool *out)
{
    c3d_blocks by_block = { 0 }, by_frame = { 0 };
    int64_t *frames = c3d_calloc(table->n, sizeof *frames);
    c3d_status st = frames ? C3D_OK : C3D_ENOMEM;

    for (size_t i = 0; frames && i < table->n; i++) frames[i] = table->rows[i].frame_id;
    if (st == C3D_OK) st = c3d_blocks_make(frames, table->n, &by_frame);
    if (st == C3D_OK) st = c3d_blocks_make(blocks, table->n, &by_block);
    if (st == C3D_OK) *out = by_block.n == by_frame.n;
    c3d_blocks_free(&by_block);
    c3d_blocks_free(&by_frame);
    free(frames);
    return st;
}

/* A frame by itself is named as a block of which the lowest frame is that one: where all are named
 * so, only a known side of the blocks tells that there are any. */
static bool knows_blocks(const struct c3d_compared_runs_state *state, const frozen *list)
{
    if (!list->blocks_from) return false;
    for (size_t i = 0; i < list->table->n; i++)
        if (list->blocks[i] != list->table->rows[i].frame_id) return true;
    for (int r = 0; r < state->n_runs; r++)
        if (state->runs[r]->table.has_blocks && state->runs[r]->has_block_km) return true;
    return false;
}

c3d_status c3d_match_lists(struct c3d_compared_runs_state *state, c3d_compare_context *context)
{
    const c3d_score_table *table = &state->runs[0]->table;
    frozen list = { .table = table };

    state->labels = c3d_calloc(table->n, sizeof *state->labels);
    state->blocks = c3d_calloc(table->n, sizeof *state->blocks);
    if (!state->labels || !state->blocks) return C3D_ENOMEM;
    for (size_t i = 0; i < table->n; i++) {
        state->labels[i] = table->labels[i];
        state->blocks[i] = table->rows[i].frame_id;
    }
    list.blocks = state->blocks;
    c3d_status st = freeze(&list);
    for (int r = 0; st == C3D_OK && r < state->n_runs; r++) st = match(&list, state->runs[r]);
    free(list.entries);
    free(list.seen);
    C3D_TRY(st);
    context->has_blocks = knows_blocks(state, &list);
    return look_at_blocks(table, state->blocks, &context->are_blocks_lone);
}
