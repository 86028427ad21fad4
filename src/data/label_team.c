#include "label_team.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PART "labels.part"

/* ---- a block's file -------------------------------------------------------------------------- */

typedef struct block_head {
    char magic[8];
    uint64_t key, first, n, n_codes; /* codes with an area follow as (code, area) */
    double other_area, example, zero_unseen;
} block_head;

static c3d_status block_path(const char *dir, size_t block, char out[C3D_PATH_MAX])
{
    char name[64];

    (void)snprintf(name, sizeof name, PART "/block-%06zu", block);
    return c3d_path_join(out, dir, name);
}

static size_t n_values(const label_block *block, const c3d_frames *frames)
{
    return block->n * (size_t)frames->n_years * ((size_t)frames->n_classes + 2);
}

static c3d_status save_block(const char *path, uint64_t key, const c3d_frames *frames,
                             const label_block *block, const label_report *report)
{
    const size_t n_rows = block->n * (size_t)frames->n_years;
    block_head head = { .magic = "c3dlabel",
                        .key = key,
                        .first = block->first,
                        .n = block->n,
                        .other_area = report->other_area,
                        .example = report->example,
                        .zero_unseen = report->zero_unseen };
    c3d_text out = { 0 };
    uint64_t checksum;
    c3d_status st;

    for (int code = 0; code < LABEL_CODES_MAX; code++) head.n_codes += report->code_area[code] > 0;
    c3d_text_add_bytes(&out, (const char *)&head, sizeof head);
    c3d_text_add_bytes(&out, (const char *)block->shares,
                       n_rows * (size_t)frames->n_classes * sizeof(double));
    c3d_text_add_bytes(&out, (const char *)block->observed, n_rows * sizeof(double));
    c3d_text_add_bytes(&out, (const char *)block->hard, n_rows * sizeof(double));
    for (int code = 0; code < LABEL_CODES_MAX; code++) {
        const double pair[2] = { code, report->code_area[code] };

        if (pair[1] > 0) c3d_text_add_bytes(&out, (const char *)pair, sizeof pair);
    }
    checksum = c3d_hash(out.text, out.length);
    c3d_text_add_bytes(&out, (const char *)&checksum, sizeof checksum);
    st = c3d_file_write(path, out.text, out.length);
    c3d_text_free(&out);
    return st;
}

/* Whole, and of this key and block. */
static bool is_good(const char *bytes, size_t n_bytes, uint64_t key, const c3d_frames *frames,
                    const label_block *block)
{
    block_head head;
    uint64_t checksum;

    if (n_bytes < sizeof head + sizeof checksum) return false;
    memcpy(&head, bytes, sizeof head);
    memcpy(&checksum, bytes + n_bytes - sizeof checksum, sizeof checksum);
    return memcmp(head.magic, "c3dlabel", sizeof head.magic) == 0 && head.key == key &&
           head.first == block->first && head.n == block->n && head.n_codes <= LABEL_CODES_MAX &&
           n_bytes == sizeof head + (n_values(block, frames) + 2 * head.n_codes) * sizeof(double) +
                          sizeof checksum &&
           c3d_hash(bytes, n_bytes - sizeof checksum) == checksum;
}

/* False when the file is not there or not whole; then it is measured. */
static bool load_block(const char *path, uint64_t key, const c3d_frames *frames, label_block *block,
                       label_report *report)
{
    const size_t n_rows = block->n * (size_t)frames->n_years;
    const size_t n_shares = n_rows * (size_t)frames->n_classes;
    char *bytes = NULL;
    const char *at;
    size_t n_bytes = 0;
    block_head head;

    if (!c3d_path_exists(path) || c3d_file_read(path, &bytes, &n_bytes) != C3D_OK) return false;
    if (!is_good(bytes, n_bytes, key, frames, block)) {
        free(bytes);
        return false;
    }
    memcpy(&head, bytes, sizeof head);
    at = bytes + sizeof head;
    memcpy(block->shares, at, n_shares * sizeof(double));
    memcpy(block->observed, at + n_shares * sizeof(double), n_rows * sizeof(double));
    memcpy(block->hard, at + (n_shares + n_rows) * sizeof(double), n_rows * sizeof(double));
    at += n_values(block, frames) * sizeof(double);
    for (uint64_t i = 0; i < head.n_codes; i++) {
        double pair[2];

        memcpy(pair, at + i * sizeof pair, sizeof pair);
        if (pair[0] >= 0 && pair[0] < LABEL_CODES_MAX) report->code_area[(int)pair[0]] += pair[1];
    }
    report->other_area += head.other_area;
    report->example = head.example;
    report->zero_unseen += head.zero_unseen;
    free(bytes);
    return true;
}

/* ---- the folder ------------------------------------------------------------------------------ */

void c3d_label_team_clear(const char *dir)
{
    char folder[C3D_PATH_MAX], path[C3D_PATH_MAX];
    const struct dirent *entry;
    DIR *list;

    if (c3d_path_join(folder, dir, PART) != C3D_OK || (list = opendir(folder)) == NULL) return;
    while ((entry = readdir(list)) != NULL)
        if (entry->d_name[0] != '.' && c3d_path_join(path, folder, entry->d_name) == C3D_OK)
            (void)unlink(path);
    (void)closedir(list);
    (void)rmdir(folder);
}

/* Of what is measured: the same number on all ranks, and in a run that goes on. */
static c3d_status key_of(const c3d_dataset_desc *desc, const c3d_frames *frames,
                         const c3d_archive *archive, uint64_t *out)
{
    c3d_hasher *hasher = c3d_hasher_create();
    uint64_t fingerprint;

    if (hasher == NULL) return C3D_ENOMEM;
    const c3d_status st = c3d_frames_fingerprint(desc, archive, &fingerprint);
    c3d_hasher_add(hasher, &fingerprint, sizeof fingerprint);
    c3d_hasher_add(hasher, frames->transform, sizeof frames->transform);
    for (size_t i = 0; i < frames->n; i++)
        c3d_hasher_add(hasher, (const int[]){ frames->rows[i].x, frames->rows[i].y },
                       2 * sizeof(int));
    *out = c3d_hasher_value(hasher);
    c3d_hasher_destroy(hasher);
    return st;
}

static c3d_status read_key(const char *path, uint64_t *out)
{
    char *text = NULL;
    size_t n;

    *out = 0;
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_file_read(path, &text, &n));
    if (n != sizeof *out)
        *out = 0;
    else
        memcpy(out, text, sizeof *out);
    free(text);
    return C3D_OK;
}

/* Blocks of another key go. */
static c3d_status start_folder(const char *dir, uint64_t key)
{
    char folder[C3D_PATH_MAX], path[C3D_PATH_MAX];
    uint64_t there;

    C3D_TRY(c3d_path_join(folder, dir, PART));
    C3D_TRY(c3d_path_join(path, folder, "key"));
    C3D_TRY(read_key(path, &there));
    if (there == key) return C3D_OK;
    c3d_label_team_clear(dir);
    C3D_TRY(c3d_make_dirs(folder));
    return c3d_file_write(path, &key, sizeof key);
}

/* ---- measuring ------------------------------------------------------------------------------- */

typedef struct team_work {
    const c3d_dataset_desc *desc;
    const c3d_frames *frames;
    label_meter *meter;
    uint64_t key;
    size_t n_blocks;
} team_work;

static c3d_status make_block(const team_work *work, size_t number, label_block *out)
{
    const size_t first = number * LABEL_BLOCK_FRAMES, left = work->frames->n - first;

    return c3d_label_block_make(first, left < LABEL_BLOCK_FRAMES ? left : LABEL_BLOCK_FRAMES,
                                work->frames->n_years, work->frames->n_classes, out);
}

static c3d_status report_make(label_report *out)
{
    *out = (label_report){ .code_area = c3d_calloc(LABEL_CODES_MAX, sizeof *out->code_area) };
    return out->code_area != NULL ? C3D_OK : C3D_ENOMEM;
}

static c3d_status measure_block(const team_work *work, size_t number)
{
    char path[C3D_PATH_MAX];
    label_report report;
    label_block block = { 0 };
    c3d_status st;

    C3D_TRY(block_path(work->desc->out_dir, number, path));
    C3D_TRY(report_make(&report));
    st = make_block(work, number, &block);
    if (st == C3D_OK && !load_block(path, work->key, work->frames, &block, &report)) {
        st = c3d_label_meter_measure(work->meter, &block, &report);
        if (st == C3D_OK) st = save_block(path, work->key, work->frames, &block, &report);
    }
    c3d_label_block_free(&block);
    c3d_label_report_free(&report);
    return st;
}

static c3d_status measure_share(const team_work *work, const c3d_sharing *sharing)
{
    const size_t n_ranks = (size_t)c3d_sharing_n_ranks(sharing);
    c3d_progress progress;
    c3d_status st = C3D_OK;

    c3d_progress_begin(&progress, "label shares", (double)work->n_blocks, "blocks");
    for (size_t b = (size_t)c3d_sharing_rank(sharing); b < work->n_blocks && st == C3D_OK;
         b += n_ranks) {
        st = c3d_stop_requested()
                 ? C3D_FAIL(C3D_ESTOPPED,
                            "stopped while measuring labels; what is measured is kept, and the "
                            "same command goes on")
                 : measure_block(work, b);
        c3d_phase_tick();
        c3d_progress_update(&progress, (double)(b + n_ranks));
    }
    c3d_progress_end(&progress);
    return st;
}

static c3d_status gather(const team_work *work, c3d_frames *frames, label_report *report)
{
    c3d_status st = C3D_OK;

    for (size_t b = 0; b < work->n_blocks && st == C3D_OK; b++) {
        char path[C3D_PATH_MAX];
        label_block block = { 0 };

        C3D_TRY(block_path(work->desc->out_dir, b, path));
        st = make_block(work, b, &block);
        if (st == C3D_OK && !load_block(path, work->key, frames, &block, report))
            st = C3D_FAIL(C3D_EIO, "%s: absent or broken, though it was written just now", path);
        if (st == C3D_OK) c3d_labels_take(work->desc, &block, frames, report);
        c3d_label_block_free(&block);
    }
    return st;
}

static c3d_status meet(label_team *team, c3d_status status)
{
    team->n_met++;
    return c3d_sharing_agree(team->sharing, status);
}

c3d_status c3d_label_team_measure(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                  label_meter *meter, c3d_frames *frames, label_report *report)
{
    team_work work = { .desc = desc,
                       .frames = frames,
                       .meter = meter,
                       .n_blocks = (frames->n - 1) / LABEL_BLOCK_FRAMES + 1 };
    c3d_status st = key_of(desc, frames, archive, &work.key);

    if (st == C3D_OK) st = start_folder(desc->out_dir, work.key);
    C3D_TRY(meet(desc->team, st));
    C3D_TRY(meet(desc->team, measure_share(&work, desc->team->sharing)));
    return gather(&work, frames, report);
}

c3d_status c3d_label_team_end(label_team *team, const char *dir, c3d_status status)
{
    if (team->n_met == 0) c3d_label_team_clear(dir); /* nothing to be shared: no key, no help */
    while (team->n_met < 2) status = meet(team, status);
    if (status == C3D_OK) c3d_label_team_clear(dir);
    return status;
}

static c3d_status help(const c3d_dataset_desc *desc, const c3d_sharing *sharing, uint64_t wanted)
{
    c3d_archive archive = { 0 };
    c3d_frames frames = { 0 };
    label_report report = { 0 };
    team_work work = { .desc = desc, .frames = &frames };
    c3d_status st;

    C3D_TRY_TO(done,
               c3d_archive_find(desc->mosaics, desc->month_first, desc->month_last, &archive));
    C3D_TRY_TO(done, c3d_frames_place(desc, &archive, &frames));
    C3D_TRY_TO(done, key_of(desc, &frames, &archive, &work.key));
    if (work.key != wanted)
        C3D_TRY_TO(done, C3D_FAIL(C3D_EDATA,
                                  "%s: rank %d sees other images or labels than rank 0; did files "
                                  "change just now, or do hosts see different ones?",
                                  desc->mosaics, c3d_sharing_rank(sharing)));
    C3D_TRY_TO(done, c3d_labels_open(desc, &archive, &frames, &report, &work.meter));
    work.n_blocks = (frames.n - 1) / LABEL_BLOCK_FRAMES + 1;
    C3D_TRY_TO(done, measure_share(&work, sharing));
done:
    c3d_label_meter_close(work.meter);
    c3d_label_report_free(&report);
    c3d_frames_free(&frames);
    c3d_archive_free(&archive);
    return st;
}

c3d_status c3d_label_team_help(const c3d_dataset_desc *desc, const c3d_sharing *sharing)
{
    char path[C3D_PATH_MAX];
    uint64_t wanted = 0;
    c3d_status st = c3d_sharing_agree(sharing, C3D_OK);

    if (st == C3D_OK) st = c3d_path_join(path, desc->out_dir, PART "/key");
    if (st == C3D_OK) st = read_key(path, &wanted);
    if (st == C3D_OK && wanted != 0) st = help(desc, sharing, wanted);
    return c3d_sharing_agree(sharing, st);
}
