/* The steps of c3d_dataset_import: list -> scenes -> frames.gpkg, import.csv, import.json -> clip.
 * Private to data.
 *
 * A row is a line of the list: a window of a file at a date. A scene is a row, or all rows of one
 * name; a file that holds several dates gives all of a scene's dates in one row. */
#ifndef C3D_DATA_IMPORT_H
#define C3D_DATA_IMPORT_H

#include "c3d/dataset.h"

#define IMPORT_GROUPS_MAX 4

/* ---- mistakes: told line by line, all at once ------------------------------------------------ */

enum { IMPORT_MISTAKES_MAX = 200 };
typedef struct import_mistake {
    size_t line, number;
    char text[256];
} import_mistake;
typedef struct import_mistakes {
    const char *list; /* borrowed */
    size_t n;
    import_mistake items[IMPORT_MISTAKES_MAX]; /* the first of them */
} import_mistakes;
void c3d_import_mistake(import_mistakes *mistakes, size_t line, const char *format, ...)
    C3D_PRINTF(3, 4);
/* Tells the first 20 lines' and fails with C3D_EDATA when there was one. */
C3D_CHECKED c3d_status c3d_import_mistakes_end(import_mistakes *mistakes);

/* ---- the list -------------------------------------------------------------------------------- */

typedef struct import_row {
    size_t line;      /* of the list, from 1; 0: a file of a folder */
    const char *path; /* as a file can be opened by it; owned by the list */
    bool is_wrong;    /* and told */
    bool has_window;
    c3d_window window;                     /* width 0: to be as large as a frame */
    const char *label, *scene;             /* borrowed from the list; "" none */
    const char *groups[IMPORT_GROUPS_MAX]; /* likewise */
    c3d_date date;                         /* 0: none */
    double lon, lat;                       /* NaN: not given */
    bool has_split;
    c3d_split split;
    int fold; /* -1: not given */
} import_row;

typedef struct import_list {
    size_t n;
    import_row *rows;
    int n_groups;
    bool has_split, has_fold; /* columns */
    char *path;
    c3d_csv csv;  /* what rows point into */
    char **texts; /* [n_texts] owned, likewise */
    size_t n_texts;
} import_list;
C3D_CHECKED c3d_status c3d_import_list_read(const c3d_list_desc *desc, import_mistakes *mistakes,
                                            import_list *out);
void c3d_import_list_free(import_list *list);
/* FOLDER/CLASS/.../FILE: paths and labels; used by c3d_import_list_read. */
C3D_CHECKED c3d_status c3d_import_folder_read(const char *folder, import_list *list);
/* Keeps a text as long as the list; NULL when memory is short. */
const char *c3d_import_keep(import_list *list, char *taken);
/* A date as lists have them: 2020-09, 2020-09-14, 20200914, 2020/09/14, with or without a time of
 * day after it. */
bool c3d_import_date(const char *text, c3d_date *out);

/* ---- bands of a file: which is which date's -------------------------------------------------- */

typedef struct import_bands {
    int n_dates, n_bands;
    c3d_date *dates;   /* [n_dates] ascending; 0 when not known */
    char (*names)[64]; /* [n_bands] */
    int *numbers;      /* [n_dates, n_bands] in the file, from 1 */
} import_bands;
/* What the description and the file's info make of its bands; a file that is no stack has one date,
 * 0. C3D_EDATA says what is wrong, without the file's name. */
C3D_CHECKED c3d_status c3d_import_bands_of(const c3d_dataset_desc *desc,
                                           const c3d_raster_info *info, import_bands *out);
void c3d_import_bands_free(import_bands *bands);

/* Numbers texts by first appearance, from 0; equal texts are equal numbers, and an empty one is
 * like no other. */
C3D_CHECKED c3d_status c3d_import_number(const char *const *texts, size_t n, size_t *numbers_out,
                                         size_t *n_out);

/* ---- scenes ---------------------------------------------------------------------------------- */

typedef struct import_piece {
    size_t scene, row;
    int source; /* from 1 */
    int x, y;   /* of the frame in the file */
    int month;  /* index of the months; -1: the file holds all of them */
} import_piece;

typedef struct import_scenes {
    size_t n;
    size_t *first; /* [n + 1] its pieces */
    size_t n_pieces;
    import_piece *pieces; /* by scene, then date */
    int n_sources;
    const char **sources; /* [n_sources] paths, borrowed from the list; source k at k - 1 */
    int size_px, n_months, n_bands;
    c3d_date *months;
    char (*bands)[64];
    c3d_dtype dtype;
    double *lon, *lat;       /* [n] */
    double pixel_m;          /* 0: not known */
    int width_px, height_px; /* that hold all files */
} import_scenes;
/* Groups rows to scenes, opens every file once, finds the months and where each frame lies. */
C3D_CHECKED c3d_status c3d_import_scenes_find(const c3d_dataset_desc *desc, const import_list *list,
                                              import_mistakes *mistakes, import_scenes *out);
void c3d_import_scenes_free(import_scenes *scenes);
/* Of them, the part that looks into files. */
C3D_CHECKED c3d_status c3d_import_files_look(const c3d_dataset_desc *desc, const import_list *list,
                                             import_mistakes *mistakes, import_scenes *scenes);

/* ---- labels, splits -------------------------------------------------------------------------- */

/* years, labels, classes of the frames. */
C3D_CHECKED c3d_status c3d_import_label(const c3d_dataset_desc *desc, const import_list *list,
                                        const import_scenes *scenes, import_mistakes *mistakes,
                                        c3d_frames *frames);
/* split, fold and group of the frames, as listed or dealt. */
C3D_CHECKED c3d_status c3d_import_deal(const c3d_dataset_desc *desc, const import_list *list,
                                       const import_scenes *scenes, import_mistakes *mistakes,
                                       c3d_frames *frames);

/* ---- what a dataset keeps of its list -------------------------------------------------------- */

/* import.csv and import.json: what clipping needs. C3D_ECONFIG when the directory has scenes that
 * were cut from other places. */
C3D_CHECKED c3d_status c3d_import_plan_write(const c3d_dataset_desc *desc, const import_list *list,
                                             const import_scenes *scenes);
typedef struct import_plan {
    import_scenes scenes; /* without lon, lat */
    c3d_csv csv;          /* what its sources point into */
    c3d_json *json;
} import_plan;
/* C3D_ECONFIG when scenes are to be made in another way than those that are there were. */
C3D_CHECKED c3d_status c3d_import_plan_check(const c3d_dataset_desc *desc, const import_plan *plan);
C3D_CHECKED c3d_status c3d_import_plan_read(const char *dir, import_plan *out);
void c3d_import_plan_free(import_plan *plan);

/* What of the list and of how it is read frames.gpkg depends on, as text. */
C3D_CHECKED c3d_status c3d_import_fingerprint(const c3d_dataset_desc *desc, c3d_text *text);

C3D_CHECKED c3d_status c3d_import_clip(const c3d_dataset_desc *desc, const c3d_sharing *sharing,
                                       const c3d_frames *frames, const import_scenes *scenes);

#endif
