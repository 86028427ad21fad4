/* dataset: how a scene store is built from rasters: archive -> frames and labels -> clip ->
 * samples. Part of module data; knows raster. Reading a store is in data.h. */
#ifndef C3D_DATASET_H
#define C3D_DATASET_H

#include "c3d/data.h"
#include "c3d/raster.h"

/* ---- what is asked for
 * ------------------------------------------------------------------------------ */

typedef struct c3d_label_class {
    char name[32];
    int n_ranges;
    int ranges[32][2]; /* codes from..to, inclusive */
    int n_texts;       /* values of data.label_field; "*": any */
    char texts[16][48];
} c3d_label_class;

typedef enum c3d_samples_mode {
    C3D_SAMPLES_SERIES,
    C3D_SAMPLES_YEARLY,
    C3D_SAMPLES_MONTHLY
} c3d_samples_mode;
typedef enum c3d_series_label { C3D_SERIES_ANY, C3D_SERIES_LAST, C3D_SERIES_ALL } c3d_series_label;
typedef enum c3d_label_year_rule {
    C3D_YEAR_SAME,
    C3D_YEAR_PREVIOUS,
    C3D_YEAR_BOTH_AGREE
} c3d_label_year_rule;
typedef enum c3d_gaps { C3D_GAPS_PREVIOUS, C3D_GAPS_LINEAR, C3D_GAPS_ZERO } c3d_gaps;
const char *c3d_gaps_name(c3d_gaps gaps); /* "previous", "linear", "zero" */
typedef enum c3d_split_mode {
    C3D_SPLIT_BLOCKS,
    C3D_SPLIT_POLYGONS,
    C3D_SPLIT_YEARS,
    C3D_SPLIT_RANDOM
} c3d_split_mode;

typedef struct c3d_year_range {
    int first, last; /* label years, inclusive */
    c3d_split split;
} c3d_year_range;
/* In what order a file's bands are, when it holds several dates: band by band of the first date,
 * then of the next; or date by date of the first band; or as each band's description says ("2020-09
 * red", "NDVI_20200914": a date, and the rest is the band). */
typedef enum c3d_stack {
    C3D_STACK_NONE, /* a file is one date */
    C3D_STACK_BY_DATE,
    C3D_STACK_BY_BAND,
    C3D_STACK_BY_NAME
} c3d_stack;
typedef enum c3d_list_dates {
    C3D_LIST_DATES_AUTO,   /* own where each scene has one date, and these differ; else common */
    C3D_LIST_DATES_COMMON, /* month i is the same date in all scenes; what a scene lacks is a gap */
    C3D_LIST_DATES_OWN /* month i is a scene's i-th date; the store calls it 0001-01, 0001-02.. */
} c3d_list_dates;
/* A list of scenes: a table with a header (CSV, TSV or with semicolons), or a folder with a folder
 * a class and an image a file. Names of columns: NULL or "" is the standard name, upper or lower
 * case, of a column that may be absent (all but path); a name given must be there. */
typedef struct c3d_list_desc {
    const char *path;
    const char *folder; /* where relative paths in it begin; NULL: the list's own folder */
    const char *path_column, *label_column, *date_column, *scene_column;
    const char *lon_column, *lat_column, *split_column, *fold_column;
    /* 0: x_off, y_off, x_size, y_size where there are such; 2: x, y; 4: with sizes; 3: row, column,
     * size of cells */
    int n_window;
    const char *const *window;
    /* 0: group, where there is one. Scenes equal in the first are dealt together; of scenes equal
     * in another that came to different splits or folds, those of one stay in, the rest has none.
     */
    int n_groups;
    const char *const *groups;
    const char *group_match; /* extended regular expression: its first parenthesis, or all that
                                matches, stands for the first group's values; NULL: they do */
    bool crop;               /* cut the middle out of what is larger than frame_size_px */
    double pixel_m;          /* of files that do not know; 0: unknown */
    c3d_stack stack;
    int n_stack_dates;
    const char *const *stack_dates; /* of by_date and by_band; none: numbered */
    c3d_list_dates dates;
} c3d_list_desc;

typedef struct c3d_dataset_desc {
    const c3d_list_desc *list; /* c3d_dataset_import only, and what samples must know of it */
    const char *out_dir;
    const char *mosaics; /* pattern, absolute or relative to the working directory */
    const char *labels;  /* pattern or directory; NULL: frames without labels */
    /* fields of a vector file that name the class and the year of a feature; NULL: none */
    const char *label_field, *label_date_field;
    /* label_period of one label raster, whose label year is then that of label_last; 0: by {YYYY}
     */
    c3d_date label_first, label_last;
    int n_classes;
    const c3d_label_class *classes;
    const char *positive; /* name of the positive class; NULL: every class is a label of its own */
    int n_bands;          /* 0: all */
    const char *const *bands;         /* names or 1-based numbers as text */
    c3d_date month_first, month_last; /* 0: all */
    c3d_resampling resampling;  /* of files on another grid or in another CRS; zero: refused */
    const char *mask_band;      /* NULL: none */
    int n_mask_valid;           /* codes of mask_band whose pixels are used; 0: all but code 0 */
    const int (*mask_valid)[2]; /* from..to, inclusive */
    double aoi[4];              /* x_min, y_min, x_max, y_max in the mosaics' CRS; all 0: none */
    int frame_size_px, stride_px;
    double positive_share, negative_share;
    int n_hard; /* classes that make a negative a hard one (positive_share of its area) */
    const c3d_label_class *hard;
    double hard_share;          /* of training negatives; 0: as it comes */
    double negative_distance_m; /* negatives nearer to a class are uncertain */
    c3d_label_year_rule label_year;
    c3d_samples_mode samples;
    c3d_series_label series_label;
    c3d_gaps gaps;
    double max_missing_share;
    int n_periods;           /* after the first, besides those an update added */
    const c3d_date *periods; /* [n_periods] ascending: where each begins */
    c3d_split_mode split;
    double block_km, buffer_m;
    double split_shares[C3D_N_SPLITS]; /* sum 1 */
    const char *split_file;            /* of C3D_SPLIT_POLYGONS */
    int n_split_years;
    const c3d_year_range *split_years; /* [n_split_years] */
    int folds;
    int64_t max_per_class; /* 0: all */
    uint64_t seed;
    struct label_team *team; /* private: who measures labels together; NULL */
    int scenes_per_shard;    /* 0: 2000 */
    size_t memory_bytes;     /* a rank's limit for a spatial batch; 0: 512 MiB */
    int n_threads;           /* of a rank, that clip; 0: 1 */
} c3d_dataset_desc;

/* ---- archive: files of a pattern by month
 * ------------------------------------------------------------ */

typedef struct c3d_archive_month {
    c3d_date date;
    int n_files;
    char **files; /* sorted */
    char **bands; /* [n_files] what {BAND} stands for; NULL without it in the pattern */
} c3d_archive_month;
typedef struct c3d_archive {
    int n_months;
    c3d_archive_month *months; /* ascending; months between first and last without a file are listed
                                  with n_files 0 when the pattern has no {DD} */
} c3d_archive;
/* Finds the files of a pattern with {YYYY} {MM} {DD} and * (within one path part). A number that
 * occurs twice must be the same; what the pattern does not have is 0 in the date (YYYY0000 for a
 * pattern by year, 0 for one without tokens). first and last, when not 0, limit the dates, by month
 * when they have no day. C3D_EDATA when none is found, saying the folder looked in and how far the
 * pattern matched; C3D_ECONFIG for a pattern that makes no sense. */
C3D_CHECKED c3d_status c3d_archive_find(const char *pattern, c3d_date first, c3d_date last,
                                        c3d_archive *out);
void c3d_archive_free(c3d_archive *archive);

/* ---- frames
 * -------------------------------------------------------------------------------------------- */

/* Of a frame in a year: what a sample of it would be labelled, 0 or a class from 1 on, or < 0. */
typedef int c3d_frame_label;
enum {
    C3D_FRAME_UNLABELLED = -2,
    C3D_FRAME_UNCERTAIN,
    C3D_FRAME_NEGATIVE,
    C3D_FRAME_POSITIVE /* with by_class: the first class, the others follow */
};

typedef struct c3d_frame {
    int64_t frame_id; /* its place in the grid of frames: row times columns plus column */
    int x, y;         /* first pixel in the mosaic's grid */
    c3d_split split;  /* C3D_SPLIT_NONE: too near to another split (buffer_m) */
    int fold;         /* 0 without folds; -1: too near to another fold */
    bool edited;      /* split or a label is not what was written; by hand, in QGIS */
    int source;       /* 0: the mosaics' grid; k > 0: file k of an imported list, in whose pixels x
                         and y then are: frames of two sources never overlap nor neighbour there */
    int64_t group;    /* frames of one group may not be in two splits or folds; 0: none */
    double lon, lat;  /* centre of a frame with source > 0, degrees; NaN: not known */
} c3d_frame;
/* What a person changed in frames.gpkg. */
enum { C3D_EDIT_SPLIT = -1, C3D_EDIT_FOLD = -2 };
typedef struct c3d_frame_edit {
    int64_t frame_id;
    int what;    /* one of those, or the year of a label */
    int was, is; /* c3d_split, fold, c3d_frame_label */
} c3d_frame_edit;
typedef struct c3d_frames {
    size_t n;
    c3d_frame *rows; /* ascending frame_id */
    int n_years;
    int *years; /* label years, ascending */
    int n_classes;
    char **classes;          /* label classes as configured */
    int positive;            /* the class that labels are of; -1: none, or by_class */
    bool by_class;           /* class c is label c + 1; else positive is the only class of labels */
    c3d_frame_label *labels; /* [n, n_years] */
    uint8_t *hard;           /* [n, n_years] 1: holds what hard negatives hold; NULL: not asked */
    double *shares; /* [n, n_years, n_classes] of the frame's area; NaN: nothing observed */
    /* the grid all months are read on */
    char *crs_wkt;
    double transform[6];
    int width_px, height_px;
    int size_px;
    int block_px[2]; /* sides of squares of data.block_km whatever the split, whole strides; 0: in
                        older files */
    /* as read from a file */
    size_t n_deleted; /* rows that were made and are gone */
    size_t n_edits;
    c3d_frame_edit *edits; /* in the file's order */
} c3d_frames;
void c3d_frames_free(c3d_frames *frames);
/* Classes that a label can name: labels are below 1 + this. */
int c3d_frames_n_labels(const c3d_frames *frames);
/* "negative", "uncertain", "unlabelled", and "positive" or the class; borrowed from frames. */
const char *c3d_frame_label_name(const c3d_frames *frames, c3d_frame_label label);
bool c3d_frame_label_parse(const c3d_frames *frames, const char *name, c3d_frame_label *out);
/* Writes and reads frames.gpkg: layer frames (squares; frame_id, split, fold, label_YYYY,
 * share_CLASS_YYYY, edited, x, y, and source, group, lon, lat where a frame has a source or group,
 * made; a frame with a source and no lon, lat has no geometry), layer sources (path, kind, date,
 * bytes, hash: XXH3 of the file), table settings (the grid and what the rest needs), and a QGIS
 * styles. Writing is one transaction on a file beside path, renamed at its end. Reading honours
 * edits: deleted rows are gone, changed splits, folds and labels are taken, in whatever order rows
 * and columns are. `made` holds what was written, by which edits are told. Refused, with the
 * frame's number: a place or shape that was changed, a row that was added or occurs twice, a value
 * that cannot be understood, and a file all frames of which were deleted (C3D_EDATA). */
C3D_CHECKED c3d_status c3d_frames_write(const char *path, const c3d_frames *frames,
                                        const c3d_dataset_desc *desc, const c3d_archive *archive);
C3D_CHECKED c3d_status c3d_frames_read(const char *path, c3d_frames *out);
/* The grid, the label shares, the label gate, the splits. Rank 0's work.
 *
 * Grid: the first month's pixels, grown to hold all months; a month on another pixel grid or CRS is
 * C3D_EDATA. Frames lie on multiples of stride_px, inside aoi, where at least one month has a file,
 * and each wholly inside one split block.
 * Labels: share of a frame's area (in the plane of the mosaics' CRS) that each class covers, label
 * pixels being polygons between their transformed corners. Not observed are nodata, and, in files
 * that tag nothing and where no class claims them, code 0 and (8 bit) 27. A frame is positive when
 * the positive class has positive_share or more, negative at negative_share or less, else
 * uncertain; unlabelled when more than half of it is not observed. Where every class is a label,
 * the one with the largest share (the first of equals) needs positive_share, and a frame is
 * negative when all classes together have negative_share or less. Label years: those of the label
 * files that are years of the archive's months or the year before. Splits: blocks are squares of
 * block_km (CRS metres; rounded to whole strides), counted from the grid's corner; they are drawn
 * in random order, those with positives first, each to the split that lacks most of its share, so
 * that every split has positives where that is possible. Frames nearer than buffer_m to one of a
 * split before theirs in test, validation, train get no split.
 * random: each frame by itself, without buffer; frames of a group together.
 * polygons: a frame wholly inside a polygon of split_file gets its split, one that a border crosses
 * none; outside all, train if no polygon is named train, else none. A buffer as for blocks.
 * years: of frames all are train; a sample's split is that of its label year in split_years, of a
 * year not listed train if no year is listed as train, else none. With another mode, and
 * split_years given, only samples are made whose frame and year are of one split.
 * Folds are dealt to blocks likewise (with polygons too: frames then lie in one block each); of two
 * frames of different folds nearer than buffer_m one is left out of the folds (fold -1). random:
 * frame by frame; years: label years in turn.
 * Gate: C3D_EDATA with a sentence when the labels cannot be right for these images. */
C3D_CHECKED c3d_status c3d_frames_make(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                       c3d_frames *out);

/* ---- the parts of `c3d-dataset build`
 * ------------------------------------------------------------------- */

/* Makes DIR/frames.gpkg on rank 0. One that was made with the same settings is kept, with its
 * edits; with other settings it is made again, unless it was edited: then C3D_ECONFIG. */
C3D_CHECKED c3d_status c3d_dataset_frames(const c3d_dataset_desc *desc, const c3d_sharing *sharing);
C3D_CHECKED c3d_status c3d_dataset_clip(const c3d_dataset_desc *desc, const c3d_sharing *sharing);
/* A dataset of the scenes of a list: frames.gpkg and import.csv (which file and line a scene comes
 * from), shards, samples.csv, dataset.json; goes on where it was stopped. frame_size_px 0: as the
 * first scene. Frames are numbered in the order of the list. Mistakes in the list are told line by
 * line, up to 20, and end it before anything is written: C3D_EDATA. */
C3D_CHECKED c3d_status c3d_dataset_import(const c3d_dataset_desc *desc, const c3d_sharing *sharing);
/* samples.csv from frames.gpkg and what the shards hold, then dataset.json. */
C3D_CHECKED c3d_status c3d_dataset_samples(const c3d_dataset_desc *desc,
                                           const c3d_sharing *sharing);
/* Clips the archive's months after those of dataset.json as a further period, and measures label
 * years after the last. Frames, labels, splits and samples.csv stay, and so does the dataset's
 * hash; frames.gpkg gets the new sources and columns, dataset.json the period, last. C3D_ECONFIG
 * when settings differ that would make other frames or pixels. An interrupted update goes on. */
C3D_CHECKED c3d_status c3d_dataset_update(const c3d_dataset_desc *desc, const c3d_sharing *sharing);
typedef struct c3d_preview_desc {
    const char *dir;
    const char *path;    /* of the page; NULL: DIR/preview.html */
    const char *bands;   /* three names or numbers for red, green, blue, or one for grey; NULL: the
                            bands of these names, else the first three, else the first */
    const char *made_by; /* "c3d-dataset 0.1.0" */
    int n;               /* scenes of each kind */
    int max_mb;          /* the page's size; in 10^6 bytes */
    uint64_t seed;
} c3d_preview_desc;
/* One HTML page, without network, of some scenes of DIR: all their months in natural colours, what
 * is missing in them, the label areas drawn over them, shares, labels, splits, places.
 * Kinds, n scenes each, drawn by seed: every label in every split, scenes whose label changes
 * between years, uncertain ones, edited ones, and those with most missing.
 * Size: pictures are made from means of 2 x 2, 3 x 3, ... pixels where they would not fit max_mb;
 * scenes that do not fit all the same are left out, and the page says so.
 * Rank 0's work. `said` gets lines for a terminal. */
C3D_CHECKED c3d_status c3d_dataset_preview(const c3d_preview_desc *desc, c3d_text *said);

/* ---- pictures of scenes, for other pages
 * ---------------------------------------------------------- */

/* How they look: CSS that wants the variables --soft, --gap and --gap2. */
extern const char c3d_pictures_style[];

typedef struct c3d_pictures_desc {
    const char *dir;
    size_t n;
    const int64_t *frame_ids; /* [n] that will be asked for: colours and sizes are made for them */
    double max_bytes;         /* of all pictures, about; they get coarser until they fit */
    const char *id;           /* ids in the page begin with it */
} c3d_pictures_desc;
/* Scenes as c3d_dataset_preview draws them, in natural colours where there are bands of these
 * names. */
typedef struct c3d_pictures c3d_pictures;
/* notes gets a line for what cannot be drawn. C3D_EIO, C3D_EDATA: no frames, or no scenes. */
C3D_CHECKED c3d_status c3d_pictures_open(const c3d_pictures_desc *desc, c3d_pictures **out,
                                         c3d_text *notes);
void c3d_pictures_close(c3d_pictures *pictures); /* NULL is fine */
/* Appends sentences: what the colours and the borders of the label areas are. */
void c3d_pictures_key(const c3d_pictures *pictures, c3d_text *out);
/* CSS: the colours of the borders. */
void c3d_pictures_colours(const c3d_pictures *pictures, c3d_text *out);
typedef struct c3d_picture_strip {
    int64_t frame_id;
    int label_year; /* whose label areas are drawn over it; 0: the last that is known */
    c3d_date first; /* months outside first and n_months from it are dimmed; 0: none is */
    int n_months;
} c3d_picture_strip;
/* Appends all months of a frame, <div class=months>. C3D_EDATA when there is no such frame. */
C3D_CHECKED c3d_status c3d_pictures_add(c3d_pictures *pictures, const c3d_picture_strip *strip,
                                        c3d_text *out);

typedef struct c3d_publish_desc {
    const char *dir, *out;
    const char *roots[2]; /* folders that paths are told without; NULL: none */
    const char *config;   /* text of the package's config.yaml */
    const char *made_by;  /* "c3d-dataset 0.1.0" */
} c3d_publish_desc;
/* Writes a dataset without its pixels: frames.gpkg, samples.csv, checksums.csv of all scenes,
 * dataset.json (last, with the hashes of the others), config.yaml and README.md. C3D_EDATA when the
 * dataset is not finished. One rank's work. */
C3D_CHECKED c3d_status c3d_dataset_publish(const c3d_publish_desc *desc);

/* All parts of a build again for what was published of a dataset: its frames, months, periods and
 * samples; only the pixels are one's own. Before clipping, sources are compared with the archive:
 * C3D_EDATA names files that are not there, a warning those with other hashes; at the end all
 * checksums with the published ones (C3D_EDATA). A second call goes on. */
C3D_CHECKED c3d_status c3d_dataset_rebuild(const char *package, const c3d_dataset_desc *desc,
                                           const c3d_sharing *sharing);
/* What is in DIR as text for a person; adds up to the last frame. */
C3D_CHECKED c3d_status c3d_dataset_describe(const char *dir, c3d_text *out);
/* Every checksum; C3D_EDATA at the end when any differs. Prints what it found. */
C3D_CHECKED c3d_status c3d_dataset_verify(const char *dir, const c3d_sharing *sharing,
                                          c3d_text *out);

#endif
