#include "archive_table.h"
#include "source.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- quads ----------------------------------------------------------------------------------- */

typedef struct quad_cell {
    int n_files, n_warped;
    size_t n_scenes;
    double empty; /* sum over scenes */
} quad_cell;

typedef struct table {
    int n_months;
    size_t n, capacity; /* quads */
    c3d_window *quads;
    quad_cell *cells; /* [quad, month] */
} table;

static bool is_equal(const c3d_window *a, const c3d_window *b)
{
    return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

static bool holds(const c3d_window *w, double x, double y)
{
    return x >= w->x && y >= w->y && x < (double)w->x + w->width && y < (double)w->y + w->height;
}

static bool holds_middle(const c3d_window *outer, const c3d_window *inner)
{
    return holds(outer, inner->x + inner->width / 2.0, inner->y + inner->height / 2.0);
}

/* A file on another grid is a quad of its own only where none is. */
static bool is_known(const table *of, const c3d_window *window, bool is_warped)
{
    for (size_t q = 0; q < of->n; q++)
        if (is_equal(&of->quads[q], window) || (is_warped && (holds_middle(&of->quads[q], window) ||
                                                              holds_middle(window, &of->quads[q]))))
            return true;
    return false;
}

static c3d_status add_quad(table *of, c3d_window window)
{
    if (of->n == of->capacity) {
        const size_t capacity = of->capacity ? 2 * of->capacity : 64;
        c3d_window *quads = realloc(of->quads, capacity * sizeof *quads);

        if (quads == NULL) return C3D_FAIL(C3D_ENOMEM, "%zu quads", capacity);
        of->quads = quads;
        of->capacity = capacity;
    }
    of->quads[of->n++] = window;
    return C3D_OK;
}

static c3d_status add_quads(table *of, const c3d_source *source, bool warped)
{
    for (int m = 0; m < source->n_months; m++)
        for (int p = 0; p < source->months[m].n_parts; p++) {
            const c3d_raster *raster = source->months[m].parts[p].raster;

            for (int f = 0; f < c3d_raster_n_files(raster); f++) {
                const c3d_window window = c3d_raster_file_window(raster, f);

                if ((c3d_raster_file_warp(raster, f) != NULL) != warped) continue;
                if (!is_known(of, &window, warped)) C3D_TRY(add_quad(of, window));
            }
        }
    return C3D_OK;
}

static int from_north_west(const void *a, const void *b)
{
    const c3d_window *left = a, *right = b;

    if (left->y != right->y) return left->y < right->y ? -1 : 1;
    return (left->x > right->x) - (left->x < right->x);
}

/* A file counts for the quads whose middle it covers. */
static void count_files(table *of, const c3d_source *source)
{
    for (int m = 0; m < source->n_months; m++)
        for (int p = 0; p < source->months[m].n_parts; p++) {
            const c3d_raster *raster = source->months[m].parts[p].raster;

            for (int f = 0; f < c3d_raster_n_files(raster); f++) {
                const c3d_window window = c3d_raster_file_window(raster, f);

                for (size_t q = 0; q < of->n; q++) {
                    quad_cell *cell = &of->cells[q * (size_t)of->n_months + (size_t)m];

                    if (!holds_middle(&window, &of->quads[q])) continue;
                    cell->n_files++;
                    cell->n_warped += c3d_raster_file_warp(raster, f) != NULL;
                }
            }
        }
}

/* The month's place among the store's; -1: not clipped. */
static int find_date(c3d_date date, const c3d_date *dates, int n)
{
    for (int i = 0; i < n; i++)
        if (dates[i] == date) return i;
    return -1;
}

static void add_scene(table *of, const c3d_window *window, const int *months, const float *missing)
{
    for (size_t q = 0; q < of->n; q++) {
        if (!holds_middle(&of->quads[q], window)) continue;
        for (int m = 0; m < of->n_months; m++) {
            quad_cell *cell = &of->cells[q * (size_t)of->n_months + (size_t)m];

            if (months[m] < 0) continue;
            cell->n_scenes++;
            cell->empty += (double)missing[months[m]];
        }
    }
}

static c3d_status count_scenes(table *of, const c3d_source *source, const c3d_frames *frames,
                               const c3d_store *store)
{
    const size_t n_store = (size_t)store->n_months + 1;
    float *missing = c3d_calloc(n_store, sizeof *missing);
    c3d_date *dates = c3d_calloc(n_store, sizeof *dates);
    int *months = c3d_calloc((size_t)of->n_months + 1, sizeof *months);
    c3d_status st = missing && dates && months ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK) c3d_store_months(store, dates);
    for (int m = 0; st == C3D_OK && m < of->n_months; m++)
        months[m] = find_date(source->months[m].date, dates, store->n_months);
    for (size_t i = 0; st == C3D_OK && i < frames->n; i++) {
        const c3d_frame *frame = &frames->rows[i];
        const c3d_window window = { frame->x, frame->y, frames->size_px, frames->size_px };

        if (frame->source != 0) continue; /* of a list */
        st = c3d_store_read_missing(store, frame->frame_id, missing);
        if (st == C3D_OK) add_scene(of, &window, months, missing);
    }
    free(missing);
    free(dates);
    free(months);
    return st;
}

static c3d_status fill(table *of, const c3d_source *source, const c3d_frames *frames,
                       const c3d_store *store)
{
    of->n_months = source->n_months;
    C3D_TRY(add_quads(of, source, false));
    C3D_TRY(add_quads(of, source, true));
    if (of->n > 0) qsort(of->quads, of->n, sizeof *of->quads, from_north_west);
    of->cells = c3d_calloc(of->n * (size_t)of->n_months + 1, sizeof *of->cells);
    if (of->cells == NULL) return C3D_ENOMEM;
    count_files(of, source);
    return store->n_months > 0 ? count_scenes(of, source, frames, store) : C3D_OK;
}

/* ---- the file -------------------------------------------------------------------------------- */

static const char *status_of(const quad_cell *cell)
{
    if (cell->n_files == 0) return "missing";
    return cell->n_warped > 0 ? "resampled" : "present";
}

static c3d_status write_file(const char *path, const table *of, const c3d_source *source)
{
    c3d_text text = { 0 };
    char month[12];

    c3d_text_add(&text, "month,quad,x,y,width,height,status,files,scenes,share_empty\n");
    for (int m = 0; m < of->n_months; m++)
        for (size_t q = 0; q < of->n; q++) {
            const quad_cell *cell = &of->cells[q * (size_t)of->n_months + (size_t)m];
            const c3d_window *w = &of->quads[q];

            c3d_text_add(&text, "%s,%zu,%d,%d,%d,%d,%s,%d,%zu,",
                         c3d_date_text(source->months[m].date, month), q + 1, w->x, w->y, w->width,
                         w->height, status_of(cell), cell->n_files, cell->n_scenes);
            if (cell->n_scenes > 0)
                c3d_text_add(&text, "%.6f", cell->empty / (double)cell->n_scenes);
            c3d_text_add(&text, "\n");
        }
    const c3d_status st = c3d_file_write(path, text.text, text.length);
    c3d_text_free(&text);
    return st;
}

c3d_status c3d_archive_table_write(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                   const c3d_frames *frames, const c3d_store *store)
{
    char path[C3D_PATH_MAX];
    c3d_source source = { 0 };
    c3d_text line = { 0 };
    table of = { 0 };
    c3d_status st;

    C3D_TRY(c3d_path_join(path, desc->out_dir, C3D_ARCHIVE_TABLE_NAME));
    C3D_TRY(c3d_source_open(desc, archive, frames, &source));
    st = fill(&of, &source, frames, store);
    if (st == C3D_OK) st = write_file(path, &of, &source);
    if (st == C3D_OK) st = c3d_archive_table_describe(desc->out_dir, &line);
    if (st == C3D_OK) c3d_log_run("%s: %s", path, line.text);
    c3d_text_free(&line);
    free(of.quads);
    free(of.cells);
    c3d_source_close(&source);
    return st;
}

/* ---- for a person ---------------------------------------------------------------------------- */

typedef struct totals {
    size_t n_rows, n_present, n_resampled;
    long long n_quads, n_months, n_empty_months; /* without a file */
    double scenes, empty;                        /* where there is a file */
} totals;

static c3d_status add_row(const c3d_csv *csv, size_t row, totals *of)
{
    const char *status = c3d_csv_field(csv, row, c3d_csv_column(csv, "status"));
    const int share = c3d_csv_column(csv, "share_empty");
    const bool is_missing = strcmp(status, "missing") == 0;
    long long quad, n_scenes;
    double empty;

    C3D_TRY(c3d_csv_int(csv, row, c3d_csv_column(csv, "quad"), &quad));
    C3D_TRY(c3d_csv_int(csv, row, c3d_csv_column(csv, "scenes"), &n_scenes));
    of->n_rows++;
    of->n_present += !is_missing;
    of->n_resampled += strcmp(status, "resampled") == 0;
    if (quad > of->n_quads) of->n_quads = quad;
    if (quad == 1) of->n_months++;
    if (is_missing || n_scenes == 0) return C3D_OK;
    C3D_TRY(c3d_csv_real(csv, row, share, &empty));
    of->scenes += (double)n_scenes;
    of->empty += empty * (double)n_scenes;
    return C3D_OK;
}

/* Rows of a month follow each other. */
static void count_empty_months(const c3d_csv *csv, totals *of)
{
    for (size_t first = 0; of->n_quads > 0 && first < csv->n_rows; first += (size_t)of->n_quads) {
        bool has_file = false;

        for (size_t i = first; i < first + (size_t)of->n_quads && i < csv->n_rows; i++)
            has_file |=
                strcmp(c3d_csv_field(csv, i, c3d_csv_column(csv, "status")), "missing") != 0;
        of->n_empty_months += !has_file;
    }
}

c3d_status c3d_archive_table_describe(const char *dir, c3d_text *out)
{
    static const char *const columns[] = { "quad", "status", "scenes", "share_empty" };
    char path[C3D_PATH_MAX];
    totals of = { 0 };
    c3d_csv csv;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_path_join(path, dir, C3D_ARCHIVE_TABLE_NAME));
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_csv_read(path, &csv));
    for (size_t i = 0; i < C3D_COUNT(columns) && st == C3D_OK; i++)
        if (c3d_csv_column(&csv, columns[i]) < 0)
            st = C3D_FAIL(C3D_EDATA, "%s: no column %s", path, columns[i]);
    for (size_t row = 0; row < csv.n_rows && st == C3D_OK; row++) st = add_row(&csv, row, &of);
    if (st == C3D_OK) {
        count_empty_months(&csv, &of);
        c3d_text_add(out, "%lld quads x %lld months: %zu present", of.n_quads, of.n_months,
                     of.n_present);
        if (of.n_resampled > 0) c3d_text_add(out, " (%zu resampled)", of.n_resampled);
        c3d_text_add(out, ", %zu missing", of.n_rows - of.n_present);
        if (of.n_empty_months > 0) c3d_text_add(out, " (%lld whole months)", of.n_empty_months);
        if (of.scenes > 0)
            c3d_text_add(out, "; %.2f %% of what is present is empty, by its scenes",
                         100 * of.empty / of.scenes);
    }
    c3d_csv_free(&csv);
    return st;
}
