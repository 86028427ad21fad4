/* base: what every module needs, on libc alone: errors, log, progress, clock, random numbers, text,
 * paths, JSON and CSV, stop requests.
 *
 * Words used in all headers:
 *   borrowed    the caller keeps the object and it must outlive the use named
 *   owned       the object that holds it frees it
 *   taken       ownership moves into the callee;  given: it moves to the caller
 *   COLLECTIVE  every rank calls it, in the same order, with arguments that agree where said
 *   enqueued    the result is valid after the backend's or communicator's wait
 * Defaults, where a comment says nothing else: pointers are borrowed for the call, out-parameters
 * are set only on success, functions are thread-safe on different objects and not on the same one,
 * and nothing here is collective. Every error is described by c3d_error_last() of the calling
 * thread. */
#ifndef C3D_BASE_H
#define C3D_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define C3D_CHECKED      __attribute__((warn_unused_result))
#define C3D_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define C3D_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define C3D_PATH_MAX     4096

/* ---- status and errors ---------------------------------------------------------------------- */

/* Status, exit code of the program that ends with it (design: 1 internal, 2 usage or configuration,
 * 3 data or files, 4 device or MPI, 5 diverged, 75 stopped on request), text. */
#define C3D_STATUS_LIST(X)                                                                         \
    X(C3D_OK, 0, "success")                                                                        \
    X(C3D_EINTERNAL, 1, "internal error")                                                          \
    X(C3D_EINVAL, 1, "an argument breaks the contract")                                            \
    X(C3D_ENOMEM, 1, "host or device memory exhausted")                                            \
    X(C3D_ECONFIG, 2, "the command line or the configuration is not valid")                        \
    X(C3D_EIO, 3, "a file could not be read or written")                                           \
    X(C3D_EDATA, 3, "a data file has unexpected content")                                          \
    X(C3D_EUNSUPPORTED, 4, "not in this build or not on this device")                              \
    X(C3D_EBACKEND, 4, "oneDNN, CUDA or cuDNN reported an error")                                  \
    X(C3D_ECOMM, 4, "MPI or NCCL reported an error, or a peer is gone")                            \
    X(C3D_EDIVERGED, 5, "the training diverged")                                                   \
    X(C3D_ESTOPPED, 75, "stopped on request after saving; run the same command again")

#define C3D_STATUS_ENUM(name, code, text) name,
typedef enum c3d_status { C3D_STATUS_LIST(C3D_STATUS_ENUM) } c3d_status;
#undef C3D_STATUS_ENUM

/* The last error of a thread: one line, the object first ("s2.tif: 9 bands, config says 10"). */
typedef struct c3d_error {
    c3d_status status;
    const char *file; /* source file and line of the origin; static storage */
    int line;
    char message[1024];
    char context[512]; /* "while ..." lines, innermost first; empty when none */
} c3d_error;

/* Sets this thread's error and returns status, so that `return C3D_FAIL(C3D_EIO, ...)` works. */
c3d_status c3d_error_set(c3d_status status, const char *file, int line, const char *format, ...)
    C3D_PRINTF(4, 5);
/* Adds "while ..." to this thread's error and returns its status. */
c3d_status c3d_error_while(const char *format, ...) C3D_PRINTF(1, 2);
const c3d_error *
c3d_error_last(void);                /* never NULL; borrowed until the next error of this thread */
void c3d_error_take(c3d_error *out); /* moves this thread's error out, to hand it to another */
c3d_status c3d_error_put(const c3d_error *error); /* makes it this thread's; returns its status */
const char *c3d_status_text(c3d_status status);
int c3d_exit_code(c3d_status status);

/* The status is the macro's own value, so that compilers and analysers see a failure as one. */
static inline c3d_status c3d_status_same(c3d_status status)
{
    return status;
}
#define C3D_FAIL(status, ...)                                                                      \
    (c3d_error_set((status), __FILE__, __LINE__, __VA_ARGS__), c3d_status_same(status))
#define C3D_TRY(call)                                                                              \
    do {                                                                                           \
        const c3d_status c3d_try_status = (call);                                                  \
        if (c3d_try_status != C3D_OK) return c3d_try_status;                                       \
    } while (0)
#define C3D_TRY_TO(label, call)                                                                    \
    do {                                                                                           \
        st = (call);                                                                               \
        if (st != C3D_OK) goto label;                                                              \
    } while (0)
/* For our own mistakes only; stays on in release builds; prints and aborts. (C++ reads this too.)
 */
#define C3D_ASSERT(condition)                                                                      \
    ((condition) ? (void)0 : c3d_assert_failed(#condition, __FILE__, __LINE__))
__attribute__((noreturn)) void c3d_assert_failed(const char *condition, const char *file, int line);

/* Memory that is zeroed; NULL only when exhausted (then an error is set). n * size may not wrap. */
void *c3d_calloc(size_t n, size_t size);
/* Memory aligned to 64 bytes, not zeroed; arrays from 1 MiB on pages of their own, which can be
 * page-locked, and large ones on huge pages where there are any; freed with free(). */
void *c3d_aligned(size_t n_bytes);

/* ---- log and progress ------------------------------------------------------------------------ */

typedef enum c3d_log_format { C3D_LOG_TEXT, C3D_LOG_JSON } c3d_log_format;
typedef enum c3d_progress_mode {
    C3D_PROGRESS_AUTO, /* a bar on a terminal, a plain line every 10 s elsewhere */
    C3D_PROGRESS_ALWAYS,
    C3D_PROGRESS_NEVER,
    C3D_PROGRESS_JSON, /* one JSON object a line on standard error (docs/logs.md) */
} c3d_progress_mode;

void c3d_log_set(const char *program, int rank, int n_ranks); /* program: static storage */
void c3d_log_set_format(c3d_log_format format);
/* Everything logged also goes to this file from now on (appended, rank 0 only); NULL closes it. */
C3D_CHECKED c3d_status c3d_log_set_file(const char *path);
void c3d_log_run(const char *format, ...) C3D_PRINTF(1, 2);  /* rank 0 says it for all */
void c3d_log_rank(const char *format, ...) C3D_PRINTF(1, 2); /* this rank, named when n_ranks > 1 */
void c3d_log_warn(const char *format, ...) C3D_PRINTF(1, 2); /* rank 0; "warning: ..." */
void c3d_log_error(const c3d_error *error); /* how main() prints the error that ends the program */
/* Each line of a text by itself, as it is, on standard error: several mistakes in one file. Rank 0.
 */
void c3d_log_mistakes(const char *text);
/* As that, from any thread: where another thread does not let go of the log (its file hangs) for
 * about a second, the error goes to stderr all the same. */
void c3d_log_last_error(const c3d_error *error);

void c3d_progress_set_mode(c3d_progress_mode mode, double every_s);
struct json_t;
struct c3d_text;
typedef struct c3d_progress {
    const char *label; /* borrowed */
    const char *unit;  /* "scenes"; borrowed */
    double total, done, start_s, last_s;
    bool is_bar, shown;
    bool end_is_said; /* the caller says what came of it: no last line as text */
    /* More to be said with each line, or NULL: members added to `json` or, where that is NULL,
     * words to `text`, the most important first, for a terminal may have no room for all. Called
     * by update and end, and only where something is shown. */
    void (*look)(void *context, struct json_t *json, struct c3d_text *text);
    void *context;
} c3d_progress;
/* On other ranks than 0 these do nothing. Of what ends within a second, or before the first line is
 * due, nothing is printed, but as JSON its end. */
void c3d_progress_begin(c3d_progress *progress, const char *label, double total, const char *unit);
void c3d_progress_update(c3d_progress *progress, double done);
void c3d_progress_end(c3d_progress *progress);
/* "12 s", "3 min 04 s", "2 h 05 min". */
void c3d_duration_text(double seconds, char out[32]);

/* ---- clock and stop requests ----------------------------------------------------------------- */

double c3d_now_s(void); /* monotonic seconds */
/* UTC now as "2024-05-01T12:00:00Z". */
void c3d_now_text(char out[24]);

/* SIGUSR1, SIGINT and SIGTERM set a flag from now on (design, Signals): SIGUSR1 may come again
 * without effect; a second SIGINT or SIGTERM more than 5 s after the first ends the process at once
 * with 128 + n. Call before MPI_Init. */
void c3d_stop_install(void);
bool c3d_stop_requested(void);
void c3d_stop_request(void); /* as if SIGUSR1 had come; for tests */

/* ---- work shared between ranks --------------------------------------------------------------- */

/* How work is shared: agree is called where all ranks must wait for each other, and carries a
 * status so that they fail together; NULL for one rank. */
typedef struct c3d_sharing {
    int rank, n_ranks;
    c3d_status (*agree)(void *context, c3d_status status); /* COLLECTIVE */
    /* Concatenates all ranks' bytes on rank 0, given there (free()), NULL elsewhere. COLLECTIVE;
     * not needed by one rank. */
    c3d_status (*gather)(void *context, const void *bytes, size_t n_bytes, void **all_out,
                         size_t *n_all_out);
    void *context;
} c3d_sharing;

/* ---- work beside the caller ------------------------------------------------------------------ */

/* One job at a time on a thread of its own, for what waits for a disk. All calls come from one
 * thread; the job reports errors as everybody does, and gets no signals. */
typedef struct c3d_background c3d_background;
C3D_CHECKED c3d_status c3d_background_create(c3d_background **out);
/* Runs job(context) beside the caller, who waits for the one before first. The context is the job's
 * until it is waited for. C3D_ENOMEM: no thread could be had. */
C3D_CHECKED c3d_status c3d_background_start(c3d_background *self, c3d_status (*job)(void *context),
                                            void *context);
/* Without waiting: whether the job that was started has ended, or ended badly. False once it was
 * waited for. */
bool c3d_background_is_done(const c3d_background *self);
bool c3d_background_has_failed(const c3d_background *self);
/* Until the job has ended: its status, with its error as this thread's. C3D_OK without a job. */
C3D_CHECKED c3d_status c3d_background_wait(c3d_background *self);
void c3d_background_destroy(c3d_background *self); /* waits; NULL is fine */

/* ---- what this process is doing ---------------------------------------------------------------
 */

/* For others that wait for it: of a rank that is late the phase is printed. Name, how many numbers
 * follow, the words before each: "reading sample 1234 of step 56". Steps count from 1. */
#define C3D_PHASE_LIST(X)                                                                          \
    X(C3D_PHASE_STARTING, 0, "starting", NULL)                                                     \
    X(C3D_PHASE_OPENING, 0, "opening the run", NULL)                                               \
    X(C3D_PHASE_READING, 2, "reading sample", "of step")                                           \
    X(C3D_PHASE_COMPUTING, 2, "computing micro-batch", "of step")                                  \
    X(C3D_PHASE_SUMMING, 2, "summing bucket", "of step")                                           \
    X(C3D_PHASE_UPDATING, 1, "updating the parameters of step", NULL)                              \
    X(C3D_PHASE_ENDING_STEP, 1, "ending step", NULL)                                               \
    X(C3D_PHASE_SAVING, 1, "saving the checkpoint of step", NULL)                                  \
    X(C3D_PHASE_EVALUATING, 2, "evaluating block", "from sample")                                  \
    X(C3D_PHASE_SCORING, 0, "putting the scores together", NULL)                                   \
    X(C3D_PHASE_FRAMES, 0, "choosing frames", NULL)                                                \
    X(C3D_PHASE_CLIPPING, 0, "clipping scenes", NULL)                                              \
    X(C3D_PHASE_SAMPLES, 0, "writing samples.csv", NULL)                                           \
    X(C3D_PHASE_VERIFYING, 0, "verifying checksums", NULL)                                         \
    X(C3D_PHASE_LEAVING, 0, "leaving", NULL)

#define C3D_PHASE_ENUM(name, n, first, second) name,
typedef enum c3d_phase { C3D_PHASE_LIST(C3D_PHASE_ENUM) } c3d_phase;
#undef C3D_PHASE_ENUM

typedef struct c3d_phase_record {
    c3d_phase phase;
    int64_t first, second; /* the numbers */
    uint64_t n_ticks;      /* a rank whose ticks go on is at work */
} c3d_phase_record;

/* The main thread's; a few stores. It is a tick too. */
void c3d_phase_set(c3d_phase phase, int64_t first, int64_t second);
/* Any thread's, whenever a piece of long work is done: a file written, a sample read, a layer. */
void c3d_phase_tick(void);
c3d_phase_record c3d_phase_get(void); /* from any thread */
#define C3D_PHASE_MAX 96
void c3d_phase_print(const c3d_phase_record *record, char out[C3D_PHASE_MAX]);

/* ---- random numbers -------------------------------------------------------------------------- */

/* Every random number is a pure function of (seed, stream, index): Philox4x32-10 (Salmon et al.
 * 2011, Random123) with key = seed and counter = (index, stream). A stream is a purpose,
 * C3D_STREAM( purpose, detail); two purposes never share numbers. */
typedef enum c3d_purpose {
    C3D_PURPOSE_INIT = 1, /* weights; detail: parameter number */
    C3D_PURPOSE_EPOCH,    /* order of samples; detail: epoch */
    C3D_PURPOSE_DROPOUT,  /* detail: dropout layer */
    C3D_PURPOSE_AUGMENT,  /* detail: kind */
    C3D_PURPOSE_SLICE,    /* random slice of the 2D network */
    C3D_PURPOSE_SPLIT,    /* blocks to splits */
    C3D_PURPOSE_FOLD,
    C3D_PURPOSE_SUBSET, /* max_per_class */
    C3D_PURPOSE_DEMO,   /* detail: kind of thing drawn */
    C3D_PURPOSE_BOOTSTRAP,
    C3D_PURPOSE_TEST,
    C3D_PURPOSE_CLASSES,  /* balanced order; detail: 0 the classes of a round, 1 + label a class */
    C3D_PURPOSE_LIKENESS, /* directions that scenes are compared along */
} c3d_purpose;
#define C3D_STREAM(purpose, detail) (((uint64_t)(purpose) << 48) | (uint64_t)(detail))

void c3d_random_4x32(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]);
uint64_t c3d_random_u64(uint64_t seed, uint64_t stream, uint64_t index);
double c3d_random_unit(uint64_t seed, uint64_t stream, uint64_t index);   /* [0, 1), 53 bits */
double c3d_random_normal(uint64_t seed, uint64_t stream, uint64_t index); /* mean 0, variance 1 */
/* Normals number 4 index to 4 index + 3 of a stream, in float: far cheaper for many of them. */
void c3d_random_4_normals(uint64_t seed, uint64_t stream, uint64_t index, float out[4]);
uint64_t c3d_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n); /* [0, n) */
/* A keyed permutation of 0..n-1: i -> its image (Feistel network with Philox rounds and cycle
 * walking); a bijection for every (seed, stream). n in 1..2^62, i < n. */
uint64_t c3d_random_permute(uint64_t seed, uint64_t stream, uint64_t n, uint64_t i);

/* ---- checksums ------------------------------------------------------------------------------- */

uint64_t c3d_hash(const void *data, size_t n_bytes); /* XXH3-64 */
typedef struct c3d_hasher c3d_hasher;                /* the same over several pieces */
c3d_hasher *c3d_hasher_create(void);                 /* NULL: memory exhausted */
void c3d_hasher_add(c3d_hasher *hasher, const void *data, size_t n_bytes);
uint64_t c3d_hasher_value(const c3d_hasher *hasher);
void c3d_hasher_destroy(c3d_hasher *hasher);
/* XXH3-64 of a file's bytes. */
C3D_CHECKED c3d_status c3d_hash_file(const char *path, uint64_t *hash_out, uint64_t *n_bytes_out);

/* ---- text, paths, files ---------------------------------------------------------------------- */

/* A growing text. Zero-initialise; text is NULL or NUL-terminated and owned. Exhausted memory ends
 * the process (messages and small files only). */
typedef struct c3d_text {
    char *text;
    size_t length, capacity;
} c3d_text;
void c3d_text_add(c3d_text *text, const char *format, ...) C3D_PRINTF(2, 3);
void c3d_text_add_bytes(c3d_text *text, const char *bytes, size_t n);
/* With <, >, & and quotes as HTML wants them, inside attributes too. */
void c3d_text_add_html(c3d_text *text, const char *plain);
void c3d_text_add_base64(c3d_text *text, const void *bytes, size_t n); /* RFC 4648, padded */
void c3d_text_free(c3d_text *text);

char *c3d_strdup(const char *text); /* given; exhausted memory ends the process */
/* Whole-string parse; false when text is not exactly one number (no leading or trailing blanks). */
bool c3d_parse_int(const char *text, long long *out);
bool c3d_parse_real(const char *text, double *out);
/* The nearest of n candidates by edit distance, or NULL when none is near enough to suggest. */
const char *c3d_nearest(const char *word, const char *const *candidates, size_t n);

/* Where programs keep what they can make again: $C3D_CACHE_DIR, or c3d-train in $XDG_CACHE_HOME or
 * in
 * ~/.cache; empty when none of these is set. Not created. */
void c3d_cache_dir(char out[C3D_PATH_MAX]);
/* Paths fail with C3D_EINVAL when they do not fit C3D_PATH_MAX. An absolute `name` wins over dir.
 */
C3D_CHECKED c3d_status c3d_path_join(char out[C3D_PATH_MAX], const char *dir, const char *name);
/* The path itself if there is such a file or directory, or else its nearest parent that there is.
 */
C3D_CHECKED c3d_status c3d_path_existing(char out[C3D_PATH_MAX], const char *path);
bool c3d_path_exists(const char *path);
bool c3d_path_is_dir(const char *path);
C3D_CHECKED c3d_status c3d_make_dirs(const char *path); /* like mkdir -p */
/* Whole file, NUL-terminated besides n_bytes; given (free()). */
C3D_CHECKED c3d_status c3d_file_read(const char *path, char **bytes_out, size_t *n_bytes_out);
/* Writes beside path, syncs, renames: readers see the old or the new file, whole. C3D_EIO names the
 * path and, on a full disk, the bytes that were wanted. */
C3D_CHECKED c3d_status c3d_file_write(const char *path, const void *bytes, size_t n_bytes);
/* As above in pieces: open gives a stream on "PATH.part"; commit syncs, closes and renames; discard
 * closes and removes. Both end the life of the stream. */
C3D_CHECKED c3d_status c3d_file_open_new(const char *path, FILE **out);
C3D_CHECKED c3d_status c3d_file_commit(const char *path, FILE *stream);
void c3d_file_discard(const char *path, FILE *stream);
/* fwrite in pieces, a tick after each (see c3d_phase_tick); what is written goes to the disk as it
 * grows, so that the sync of commit has little left. Returns false, and errno says why. */
C3D_CHECKED bool c3d_file_put(FILE *stream, const void *bytes, size_t n_bytes);
/* pread/pwrite that go on after short counts; C3D_EIO names path, offset and bytes. */
C3D_CHECKED c3d_status c3d_pread_all(int fd, const char *path, void *to, size_t n, int64_t offset);
C3D_CHECKED c3d_status c3d_pwrite_all(int fd, const char *path, const void *from, size_t n,
                                      int64_t offset);
/* The bytes from offset on, to n places one after the other, at most 1024; places is used up. */
struct iovec;
C3D_CHECKED c3d_status c3d_preadv_all(int fd, const char *path, struct iovec *places, int n,
                                      int64_t offset);
/* Bytes free for this user on the file system that holds path (or its nearest existing parent). */
C3D_CHECKED c3d_status c3d_free_bytes(const char *path, uint64_t *out);
/* As many files open as the system lets this process have: a large dataset holds hundreds. */
void c3d_allow_open_files(void);

/* ---- JSON (jansson behind a small front) ------------------------------------------------------
 */

typedef struct json_t c3d_json; /* reference counted by jansson; release with c3d_json_free */
C3D_CHECKED c3d_status c3d_json_read(const char *path, c3d_json **out);
C3D_CHECKED c3d_status c3d_json_parse(const char *text, size_t n, const char *name, c3d_json **out);
/* Indented, keys in insertion order, reals with 17 digits. */
C3D_CHECKED c3d_status c3d_json_write(const char *path, const c3d_json *json);
c3d_json *c3d_json_copy(const c3d_json *json);            /* given */
char *c3d_json_text(const c3d_json *json, bool indented); /* given */
char *c3d_json_line(const c3d_json *json); /* in one line, reals with 9 digits; given */
void c3d_json_free(c3d_json *json);
c3d_json *c3d_json_object(void);
c3d_json *c3d_json_array(void);
c3d_json *c3d_json_string(const char *value);
c3d_json *c3d_json_int(long long value);
c3d_json *c3d_json_real(double value); /* a value that is not finite becomes null */
c3d_json *c3d_json_bool(bool value);
/* Take the value. */
void c3d_json_set(c3d_json *object, const char *key, c3d_json *value);
void c3d_json_append(c3d_json *array, c3d_json *value);
/* Borrowed; NULL when absent. */
const c3d_json *c3d_json_get(const c3d_json *object, const char *key);
const c3d_json *c3d_json_at(const c3d_json *array, size_t index);
size_t c3d_json_length(const c3d_json *array); /* 0 when not an array */
/* The next key of an object after `key` (NULL: the first); NULL at the end. */
const char *c3d_json_next_key(const c3d_json *object, const char *key);
/* Values of an object's member; false when absent or of another type. The string is borrowed. */
bool c3d_json_get_string(const c3d_json *object, const char *key, const char **out);
bool c3d_json_get_int(const c3d_json *object, const char *key, long long *out);
bool c3d_json_get_real(const c3d_json *object, const char *key, double *out);
bool c3d_json_get_bool(const c3d_json *object, const char *key, bool *out);
/* Value of the element or node itself. */
const char *c3d_json_string_value(const c3d_json *json); /* NULL when not a string; borrowed */
bool c3d_json_int_value(const c3d_json *json, long long *out);
bool c3d_json_real_value(const c3d_json *json, double *out); /* integers too */

/* ---- CSV (RFC 4180) ---------------------------------------------------------------------------
 */

/* A whole table in memory: a header row and n_rows rows of n_columns fields, NUL-terminated. */
typedef struct c3d_csv {
    int n_columns;
    size_t n_rows;
    const char **header; /* [n_columns] */
    const char **fields; /* [n_rows * n_columns], row-major */
    size_t *lines;       /* [1 + n_rows] of the file, from 1: where the header and the rows begin */
    char *bytes;         /* owns all text */
    char *path;          /* for messages */
} c3d_csv;
/* Separator by the header: comma, semicolon or tab. C3D_EDATA names path and line. */
C3D_CHECKED c3d_status c3d_csv_read(const char *path, c3d_csv *out);
void c3d_csv_free(c3d_csv *csv);
int c3d_csv_column(const c3d_csv *csv, const char *name); /* -1 when absent */
static inline const char *c3d_csv_field(const c3d_csv *csv, size_t row, int column)
{
    return csv->fields[row * (size_t)csv->n_columns + (size_t)column];
}
static inline size_t c3d_csv_line(const c3d_csv *csv, size_t row)
{
    return csv->lines[row + 1];
}
/* Fields as numbers; C3D_EDATA "PATH:LINE: column NAME: expected an integer, got ..." . */
C3D_CHECKED c3d_status c3d_csv_int(const c3d_csv *csv, size_t row, int column, long long *out);
C3D_CHECKED c3d_status c3d_csv_real(const c3d_csv *csv, size_t row, int column, double *out);
/* Writes one field, quoted where needed, without separator. */
void c3d_csv_put(FILE *stream, const char *field);

#endif
