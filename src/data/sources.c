#include "sources.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const c3d_field_desc c3d_source_fields[C3D_SOURCE_FIELDS] = {
    { "path", C3D_FIELD_TEXT },    { "kind", C3D_FIELD_TEXT }, { "date", C3D_FIELD_TEXT },
    { "bytes", C3D_FIELD_INT },    { "hash", C3D_FIELD_TEXT }, { "modified", C3D_FIELD_TEXT },
    { "licence", C3D_FIELD_TEXT },
};

/* ---- licences -------------------------------------------------------------------------------- */

#define MAPBIOMAS                                                                                  \
    "File names look like MapBiomas: CC BY 4.0; name the MapBiomas Project and the collection "    \
    "(https://mapbiomas.org)."
#define PLANET                                                                                     \
    "File names look like Planet's tropical basemaps: under Planet's licence; name Planet Labs "   \
    "PBC, and do not pass the pixels on."
#define DRAWN                                                                                      \
    "Drawn by c3d-dataset demo: not imagery of any place, and not by Planet or MapBiomas. Public " \
    "domain (CC0 1.0)."
static const struct {
    const char *word, *line;
} licences[] = {
    { "mapbiomas", MAPBIOMAS },
    { "brasil_coverage", MAPBIOMAS },
    { "brazil_coverage", MAPBIOMAS },
    { "brazil_lulc_10m", MAPBIOMAS },
    { "mined_substance", MAPBIOMAS },
    { "planet_medres", PLANET },
    { "global_monthly_", PLANET },
    { "sentinel", "File names look like Sentinel: contains modified Copernicus Sentinel data." },
    { "cbers", "File names look like CBERS: CC BY-SA; name INPE." },
};

static bool contains_word(const char *text, const char *word)
{
    const size_t n = strlen(word);

    for (; *text; text++) {
        size_t i = 0;
        while (i < n && tolower((unsigned char)text[i]) == word[i]) i++;
        if (i == n) return true;
    }
    return false;
}

/* The demo's archive has quads and labels one folder below its demo.json. */
static bool is_drawn(const char *path)
{
    char folder[C3D_PATH_MAX], mark[C3D_PATH_MAX];

    (void)snprintf(folder, sizeof folder, "%s", path);
    for (int level = 0; level < 2; level++) {
        char *slash = strrchr(folder, '/');

        if (slash == NULL) {
            if (folder[0] == 0) return false;
            folder[0] = 0; /* the working directory */
        } else {
            *slash = 0;
        }
        if (c3d_path_join(mark, folder, "demo.json") == C3D_OK && c3d_path_exists(mark))
            return true;
    }
    return false;
}

const char *c3d_licence_of(const char *path)
{
    if (is_drawn(path)) return DRAWN;
    for (size_t i = 0; i < C3D_COUNT(licences); i++)
        if (contains_word(path, licences[i].word)) return licences[i].line;
    return NULL;
}

/* ---- hashes that are known ------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
    return strcmp(((const c3d_known_hash *)a)->path, ((const c3d_known_hash *)b)->path);
}

static void take_row(const c3d_vector *layer, size_t row, c3d_known_hashes *known)
{
    const char *path = c3d_vector_text(layer, row, c3d_vector_field(layer, "path"));
    const char *hash = c3d_vector_text(layer, row, c3d_vector_field(layer, "hash"));
    const char *modified = c3d_vector_text(layer, row, c3d_vector_field(layer, "modified"));
    const char *kind = c3d_vector_text(layer, row, c3d_vector_field(layer, "kind"));
    long long n_bytes;
    char *end;

    if (path == NULL || hash == NULL || modified == NULL || strlen(hash) != 16 ||
        !c3d_vector_int(layer, row, c3d_vector_field(layer, "bytes"), &n_bytes))
        return;
    known->rows[known->n++] = (c3d_known_hash){ path,
                                                (uint64_t)n_bytes,
                                                strtoull(hash, &end, 16),
                                                modified,
                                                kind != NULL && strcmp(kind, "mosaic") == 0,
                                                c3d_vector_row_id(layer, row) };
}

c3d_status c3d_known_hashes_read(const char *gpkg, c3d_known_hashes *out)
{
    c3d_known_hashes known = { 0 };

    *out = known;
    if (!c3d_path_exists(gpkg)) return C3D_OK;
    if (c3d_vector_open(gpkg, "sources", &known.layer) != C3D_OK) return C3D_OK;
    if (c3d_vector_field(known.layer, "modified") < 0) {
        c3d_vector_close(known.layer);
        return C3D_OK;
    }
    const size_t n = c3d_vector_n_rows(known.layer);
    known.rows = c3d_calloc(n + 1, sizeof *known.rows);
    if (known.rows == NULL) {
        c3d_vector_close(known.layer);
        return C3D_ENOMEM;
    }
    for (size_t row = 0; row < n; row++) take_row(known.layer, row, &known);
    qsort(known.rows, known.n, sizeof *known.rows, by_path);
    *out = known;
    return C3D_OK;
}

void c3d_known_hashes_free(c3d_known_hashes *known)
{
    c3d_vector_close(known->layer);
    free(known->rows);
    *known = (c3d_known_hashes){ 0 };
}

/* ---- the layer ------------------------------------------------------------------------------- */

uint64_t c3d_source_bytes(const char *path)
{
    struct stat file;

    return stat(path, &file) == 0 ? (uint64_t)file.st_size : 0;
}

typedef struct writing {
    c3d_vector_writer *writer;
    const c3d_known_hashes *known;
    c3d_progress progress;
    double done;
} writing;

static void time_of_change(const char *path, char out[40], uint64_t *n_bytes)
{
    struct stat file;

    out[0] = 0;
    if (stat(path, &file) != 0) return;
    (void)snprintf(out, 40, "%lld.%09ld", (long long)file.st_mtim.tv_sec,
                   (long)file.st_mtim.tv_nsec);
    *n_bytes = (uint64_t)file.st_size;
}

c3d_status c3d_source_hash(const char *path, char modified[40], uint64_t *hash_out,
                           uint64_t *n_bytes_out)
{
    uint64_t n_bytes = 0;

    time_of_change(path, modified, &n_bytes);
    return c3d_hash_file(path, hash_out, n_bytes_out);
}

static c3d_status find_hash(const writing *to, const char *path, char modified[40],
                            c3d_known_hash *out)
{
    const c3d_known_hash key = { .path = path };
    const c3d_known_hash *found = NULL;
    uint64_t n_bytes = 0;

    time_of_change(path, modified, &n_bytes);
    *out = key;
    if (to->known != NULL && to->known->n > 0)
        found = bsearch(&key, to->known->rows, to->known->n, sizeof key, by_path);
    if (found != NULL && modified[0] && strcmp(found->modified, modified) == 0 &&
        found->n_bytes == n_bytes) {
        *out = *found;
        return C3D_OK;
    }
    return c3d_source_hash(path, modified, &out->hash, &out->n_bytes);
}

static c3d_status write_archive(writing *to, const c3d_archive *archive, const char *kind)
{
    for (int m = 0; m < archive->n_months; m++) {
        for (int f = 0; f < archive->months[m].n_files; f++) {
            const char *path = archive->months[m].files[f];
            char date[12], hash[20], modified[40];
            c3d_known_hash facts;

            C3D_TRY(find_hash(to, path, modified, &facts));
            (void)snprintf(hash, sizeof hash, "%016" PRIx64, facts.hash);
            C3D_TRY(c3d_vector_writer_add(to->writer, NULL, 0,
                                          (const c3d_field_value[C3D_SOURCE_FIELDS]){
                                              { .t = path },
                                              { .t = kind },
                                              { .t = c3d_date_text(archive->months[m].date, date) },
                                              { .i = (long long)facts.n_bytes },
                                              { .t = hash },
                                              { .t = modified },
                                              { .t = c3d_licence_of(path) } }));
            to->done += (double)facts.n_bytes;
            c3d_progress_update(&to->progress, to->done);
        }
    }
    return C3D_OK;
}

static double archive_bytes(const c3d_archive *archive)
{
    double sum = 0;

    for (int m = 0; m < archive->n_months; m++)
        for (int f = 0; f < archive->months[m].n_files; f++)
            sum += (double)c3d_source_bytes(archive->months[m].files[f]);
    return sum;
}

c3d_status c3d_sources_write(c3d_vector_writer *writer, const c3d_archive *mosaics,
                             const c3d_archive *labels, const c3d_known_hashes *known)
{
    const bool is_list = mosaics->n_months > 0 && mosaics->months[0].date == 0;
    writing to = { .writer = writer, .known = known };
    c3d_status st;

    c3d_progress_begin(&to.progress, "hashing sources",
                       archive_bytes(mosaics) + archive_bytes(labels), "bytes");
    st = write_archive(&to, mosaics, is_list ? "scenes" : "mosaic");
    if (st == C3D_OK) st = write_archive(&to, labels, "label");
    c3d_progress_end(&to.progress);
    return st;
}

c3d_status c3d_sources_add(c3d_vector_writer *writer, const c3d_archive *mosaics,
                           const c3d_archive *labels)
{
    if (c3d_vector_writer_select(writer, "sources", C3D_SOURCE_FIELDS) != C3D_OK)
        C3D_TRY(c3d_vector_writer_select(writer, "sources", C3D_SOURCE_FIELDS - 2));
    return c3d_sources_write(writer, mosaics, labels, NULL);
}

/* ---- dataset.json ---------------------------------------------------------------------------- */

static c3d_json *source_to_json(const c3d_vector *layer, size_t row, const char *licence)
{
    c3d_json *source = c3d_json_object();

    for (int i = 0; i < C3D_SOURCE_FIELDS - 1; i++) {
        const char *key = c3d_source_fields[i].name;
        const int field = c3d_vector_field(layer, key);
        const char *text = field < 0 ? NULL : c3d_vector_text(layer, row, field);
        long long number;

        if (text == NULL || strcmp(key, "modified") == 0) continue;
        if (c3d_source_fields[i].type == C3D_FIELD_INT &&
            c3d_vector_int(layer, row, field, &number))
            c3d_json_set(source, key, c3d_json_int(number));
        else
            c3d_json_set(source, key, c3d_json_string(text));
    }
    if (licence != NULL) c3d_json_set(source, "licence", c3d_json_string(licence));
    return source;
}

/* The line the layer has; in a file that an older version wrote, what the name tells now. */
static const char *find_licence(const c3d_vector *layer, size_t row)
{
    const int field = c3d_vector_field(layer, "licence"), path = c3d_vector_field(layer, "path");
    const char *of = path < 0 ? NULL : c3d_vector_text(layer, row, path);

    if (field >= 0) return c3d_vector_text(layer, row, field);
    return of != NULL ? c3d_licence_of(of) : NULL;
}

static void add_line(c3d_json *lines, const char *line)
{
    for (size_t i = 0; i < c3d_json_length(lines); i++)
        if (strcmp(c3d_json_string_value(c3d_json_at(lines, i)), line) == 0) return;
    c3d_json_append(lines, c3d_json_string(line));
}

c3d_status c3d_sources_to_json(const char *gpkg, c3d_json *root)
{
    c3d_vector *layer;

    C3D_TRY(c3d_vector_open(gpkg, "sources", &layer));
    c3d_json *sources = c3d_json_array(), *lines = c3d_json_array();
    for (size_t row = 0; row < c3d_vector_n_rows(layer); row++) {
        const char *licence = find_licence(layer, row);

        if (licence != NULL) add_line(lines, licence);
        c3d_json_append(sources, source_to_json(layer, row, licence));
    }
    c3d_vector_close(layer);
    c3d_json_set(root, "sources", sources);
    c3d_json_set(root, "licences", lines);
    return C3D_OK;
}
