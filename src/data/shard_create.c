/* The HDF5 side of shards: making a file whose datasets have their place, and finding that place
 * again. Filling and reading is shard.c, with pwrite and pread. */
#include "shard_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATA_ALIGNMENT 4096
#define BAND_NAME_SIZE 64
#define H5_TEXT_SIZE   512

static const struct {
    const char *name;
    int rank;
} parts[C3D_N_PARTS] = {
    [C3D_PART_SCENES] = { "scenes", 5 },     [C3D_PART_VALID] = { "valid", 4 },
    [C3D_PART_FRAME_ID] = { "frame_id", 1 }, [C3D_PART_STATUS] = { "status", 1 },
    [C3D_PART_CHECKSUM] = { "checksum", 1 }, [C3D_PART_MISSING_SHARE] = { "missing_share", 2 },
    [C3D_PART_SUM] = { "sum", 3 },           [C3D_PART_SUM_SQUARES] = { "sum_squares", 3 },
};

static c3d_dtype part_dtype(const c3d_shard_shape *shape, c3d_shard_part part)
{
    switch (part) {
    case C3D_PART_SCENES: return shape->dtype;
    case C3D_PART_VALID:
    case C3D_PART_STATUS: return C3D_U8;
    case C3D_PART_FRAME_ID: return C3D_I64;
    case C3D_PART_CHECKSUM: return C3D_U64;
    case C3D_PART_MISSING_SHARE: return C3D_F32;
    case C3D_PART_SUM:
    case C3D_PART_SUM_SQUARES:
    case C3D_N_PARTS: break;
    }
    return c3d_shard_sum_dtype(shape);
}

static void part_dims(const c3d_shard_shape *shape, c3d_shard_part part, hsize_t dims[5])
{
    const hsize_t size = (hsize_t)shape->size_px;

    dims[0] = (hsize_t)shape->n_scenes;
    dims[1] = (hsize_t)shape->n_months;
    dims[2] = part == C3D_PART_VALID ? size : (hsize_t)shape->n_bands;
    dims[3] = part == C3D_PART_VALID ? (size + 7) / 8 : size;
    dims[4] = size;
}

static hid_t native_type(c3d_dtype dtype)
{
    switch (dtype) {
    case C3D_F32: return H5T_NATIVE_FLOAT;
    case C3D_F64: return H5T_NATIVE_DOUBLE;
    case C3D_U8: return H5T_NATIVE_UINT8;
    case C3D_I16: return H5T_NATIVE_INT16;
    case C3D_U16: return H5T_NATIVE_UINT16;
    case C3D_I32: return H5T_NATIVE_INT32;
    case C3D_U32: return H5T_NATIVE_UINT32;
    case C3D_I64: return H5T_NATIVE_INT64;
    case C3D_U64: return H5T_NATIVE_UINT64;
    case C3D_DTYPES: break;
    }
    return -1;
}

static herr_t keep_first(unsigned n, const H5E_error2_t *entry, void *context)
{
    char *text = context;

    (void)n;
    if (text[0] == '\0' && entry->desc) snprintf(text, H5_TEXT_SIZE, "%s", entry->desc);
    return 0;
}

/* HDF5 prints nothing, and is not taken down at exit: we close all we open, and a file that a full
 * disk kept it from closing makes it crash there. */
static void start_hdf5(void)
{
    (void)H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* HDF5's own innermost words, after ours: of several lines of facts the system's message. */
static c3d_status h5_fail(const char *path, const char *what)
{
    static const char mark[] = "error message = '";
    char text[H5_TEXT_SIZE] = "";

    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, text);
    char *words = strstr(text, mark) ? strstr(text, mark) + strlen(mark) : text;
    words[strcspn(words, words == text ? "\n" : "'")] = '\0';
    return C3D_FAIL(C3D_EIO, "%s: %s: HDF5: %s", path, what, words[0] ? words : "no reason given");
}

/* ---- create ---------------------------------------------------------------------------------- */

/* Early allocation gives each dataset its place when the file is closed; times are left out so that
 * the same content is the same bytes. All but status and checksum are holes in the file until
 * written. */
static hid_t create_part(hid_t file, const c3d_shard_shape *shape, c3d_shard_part part)
{
    const bool is_filled = part == C3D_PART_STATUS || part == C3D_PART_CHECKSUM;
    hsize_t dims[5];
    hid_t dataset = -1;

    part_dims(shape, part, dims);
    const hid_t space = H5Screate_simple(parts[part].rank, dims, NULL);
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (space >= 0 && list >= 0 && H5Pset_layout(list, H5D_CONTIGUOUS) >= 0 &&
        H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY) >= 0 &&
        H5Pset_fill_time(list, is_filled ? H5D_FILL_TIME_ALLOC : H5D_FILL_TIME_NEVER) >= 0 &&
        H5Pset_obj_track_times(list, 0) >= 0)
        dataset = H5Dcreate2(file, parts[part].name, native_type(part_dtype(shape, part)), space,
                             H5P_DEFAULT, list, H5P_DEFAULT);
    if (list >= 0) H5Pclose(list);
    if (space >= 0) H5Sclose(space);
    return dataset;
}

static bool write_attribute(hid_t object, const char *name, hid_t type, hsize_t n, const void *data)
{
    const hid_t space = H5Screate_simple(1, &n, NULL);
    const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool is_written = attribute >= 0 && H5Awrite(attribute, type, data) >= 0;

    if (attribute >= 0) H5Aclose(attribute);
    if (space >= 0) H5Sclose(space);
    return is_written;
}

static bool write_bands(hid_t object, int n_bands, const char *const *bands)
{
    char(*names)[BAND_NAME_SIZE] = c3d_calloc((size_t)n_bands, BAND_NAME_SIZE);
    const hid_t type = H5Tcopy(H5T_C_S1);
    bool is_written = false;

    if (names && type >= 0 && H5Tset_size(type, BAND_NAME_SIZE) >= 0 &&
        H5Tset_cset(type, H5T_CSET_UTF8) >= 0) {
        for (int i = 0; i < n_bands; i++) snprintf(names[i], BAND_NAME_SIZE, "%s", bands[i]);
        is_written = write_attribute(object, "bands", type, (hsize_t)n_bands, names);
    }
    if (type >= 0) H5Tclose(type);
    free(names);
    return is_written;
}

typedef struct contents {
    const c3d_shard_shape *shape;
    const int64_t *frame_ids;
    const c3d_date *months;
    const char *const *bands;
} contents;

static bool fill_part(hid_t dataset, c3d_shard_part part, const contents *with)
{
    if (part == C3D_PART_FRAME_ID)
        return H5Dwrite(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                        with->frame_ids) >= 0;
    if (part != C3D_PART_SCENES) return true;
    return write_attribute(dataset, "months", H5T_NATIVE_INT32, (hsize_t)with->shape->n_months,
                           with->months) &&
           write_bands(dataset, with->shape->n_bands, with->bands);
}

static c3d_status create_parts(const char *path, hid_t file, const contents *with)
{
    const int32_t schema = C3D_DATASET_SCHEMA;

    if (!write_attribute(file, "schema", H5T_NATIVE_INT32, 1, &schema))
        return h5_fail(path, "writing the schema");
    for (int part = 0; part < C3D_N_PARTS; part++) {
        const hid_t dataset = create_part(file, with->shape, (c3d_shard_part)part);
        if (dataset < 0) return h5_fail(path, parts[part].name);
        const bool is_filled = fill_part(dataset, (c3d_shard_part)part, with);
        if (H5Dclose(dataset) < 0 || !is_filled) return h5_fail(path, parts[part].name);
    }
    return C3D_OK;
}

static hid_t create_file(const char *path)
{
    const hid_t list = H5Pcreate(H5P_FILE_ACCESS), contents_list = H5Pcreate(H5P_FILE_CREATE);
    hid_t file = -1;

    if (list >= 0 && contents_list >= 0 &&
        H5Pset_alignment(list, DATA_ALIGNMENT, DATA_ALIGNMENT) >= 0 &&
        H5Pset_userblock(contents_list, C3D_SHARD_SEAL_BYTES) >= 0 &&
        H5Pset_file_locking(list, 0, 1) >= 0)
        file = H5Fcreate(path, H5F_ACC_TRUNC, contents_list, list);
    if (list >= 0) H5Pclose(list);
    if (contents_list >= 0) H5Pclose(contents_list);
    return file;
}

static c3d_status seal_and_sync(const char *path)
{
    c3d_shard *shard;
    c3d_status st;

    C3D_TRY(c3d_shard_open_unsealed(path, &shard));
    st = c3d_shard_seal(shard);
    if (st == C3D_OK) st = c3d_shard_sync(shard);
    c3d_shard_close(shard);
    return st;
}

c3d_status c3d_shard_create(const char *path, const c3d_shard_shape *shape,
                            const int64_t *frame_ids, const c3d_date *months,
                            const char *const *bands)
{
    const contents with = { shape, frame_ids, months, bands };
    char part[C3D_PATH_MAX];
    c3d_status st;

    C3D_TRY(c3d_shard_check_shape(path, shape));
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
        return C3D_FAIL(C3D_EINVAL, "%s: path is too long", path);
    start_hdf5();
    const hid_t file = create_file(part);
    if (file < 0) return h5_fail(part, "creating it");
    st = create_parts(part, file, &with);
    if (H5Fclose(file) < 0 && st == C3D_OK) st = h5_fail(part, "closing it");
    if (st == C3D_OK) st = seal_and_sync(part);
    if (st == C3D_OK && rename(part, path) != 0)
        st = C3D_FAIL(C3D_EIO, "%s: renaming from %s: %s", path, part, strerror(errno));
    if (st != C3D_OK) unlink(part);
    return st;
}

/* ---- open ------------------------------------------------------------------------------------ */

static c3d_status malformed(const c3d_shard *shard, const char *what)
{
    return C3D_FAIL(C3D_EDATA, "%s: %s", shard->path, what);
}

static bool dtype_from_native(hid_t type, c3d_dtype *out)
{
    for (int i = 0; i < C3D_DTYPES; i++) {
        if (H5Tequal(type, native_type((c3d_dtype)i)) > 0) {
            *out = (c3d_dtype)i;
            return true;
        }
    }
    return false;
}

static c3d_status read_shape(c3d_shard *shard, hid_t dataset)
{
    hsize_t dims[5];
    c3d_shard_shape *shape = &shard->shape;
    const hid_t space = H5Dget_space(dataset);
    const hid_t type = H5Dget_type(dataset);
    const bool is_known = type >= 0 && dtype_from_native(type, &shape->dtype);
    const bool has_rank = space >= 0 && H5Sget_simple_extent_ndims(space) == 5 &&
                          H5Sget_simple_extent_dims(space, dims, NULL) == 5;

    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    if (!is_known) return malformed(shard, "/scenes has a type that is not supported");
    if (!has_rank || dims[3] != dims[4])
        return malformed(shard, "/scenes is not [frame, month, band, y, x] with y = x");
    for (int i = 0; i < 5; i++)
        if (dims[i] > INT32_MAX) return malformed(shard, "/scenes is too large");
    shape->n_scenes = (int)dims[0];
    shape->n_months = (int)dims[1];
    shape->n_bands = (int)dims[2];
    shape->size_px = (int)dims[3];
    return c3d_shard_check_shape(shard->path, shape);
}

static bool is_part_as_expected(const c3d_shard *shard, hid_t dataset, c3d_shard_part part)
{
    hsize_t expected[5], dims[H5S_MAX_RANK];
    c3d_dtype dtype = C3D_DTYPES;
    const hid_t space = H5Dget_space(dataset);
    const hid_t type = H5Dget_type(dataset);
    bool is_same = space >= 0 && type >= 0 && dtype_from_native(type, &dtype) &&
                   dtype == part_dtype(&shard->shape, part) &&
                   H5Sget_simple_extent_ndims(space) == parts[part].rank &&
                   H5Sget_simple_extent_dims(space, dims, NULL) >= 0;

    part_dims(&shard->shape, part, expected);
    for (int i = 0; is_same && i < parts[part].rank; i++) is_same = dims[i] == expected[i];
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    return is_same;
}

static c3d_status read_months(c3d_shard *shard, hid_t dataset)
{
    const hid_t attribute = H5Aopen(dataset, "months", H5P_DEFAULT);
    const hid_t space = attribute >= 0 ? H5Aget_space(attribute) : -1;
    const bool is_read = space >= 0 &&
                         H5Sget_simple_extent_npoints(space) == shard->shape.n_months &&
                         H5Aread(attribute, H5T_NATIVE_INT32, shard->months) >= 0;

    if (space >= 0) H5Sclose(space);
    if (attribute >= 0) H5Aclose(attribute);
    return is_read ? C3D_OK : malformed(shard, "/scenes has no attribute months as expected");
}

static c3d_status read_bands(c3d_shard *shard, hid_t dataset)
{
    const int n = shard->shape.n_bands;
    char(*names)[BAND_NAME_SIZE] = c3d_calloc((size_t)n, BAND_NAME_SIZE);
    const hid_t attribute = H5Aopen(dataset, "bands", H5P_DEFAULT);
    const hid_t space = attribute >= 0 ? H5Aget_space(attribute) : -1;
    const hid_t type = attribute >= 0 ? H5Aget_type(attribute) : -1;
    const bool is_read =
        names && space >= 0 && type >= 0 && H5Sget_simple_extent_npoints(space) == n &&
        H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
        H5Tget_size(type) == BAND_NAME_SIZE && H5Aread(attribute, type, names) >= 0;

    for (int i = 0; is_read && i < n; i++) {
        names[i][BAND_NAME_SIZE - 1] = '\0';
        shard->bands[i] = c3d_strdup(names[i]);
    }
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    if (attribute >= 0) H5Aclose(attribute);
    free(names);
    return is_read ? C3D_OK : malformed(shard, "/scenes has no attribute bands as expected");
}

static c3d_status read_part(c3d_shard *shard, hid_t dataset, c3d_shard_part part)
{
    if (!is_part_as_expected(shard, dataset, part))
        return C3D_FAIL(C3D_EDATA, "%s: /%s has another shape or type than /scenes asks for",
                        shard->path, parts[part].name);
    const haddr_t offset = H5Dget_offset(dataset);
    if (offset == HADDR_UNDEF)
        return C3D_FAIL(C3D_EDATA, "%s: /%s is not contiguous", shard->path, parts[part].name);
    shard->offset[part] = (int64_t)offset;
    shard->row_bytes[part] = c3d_shard_row_bytes(&shard->shape, part);
    if (part == C3D_PART_FRAME_ID &&
        H5Dread(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, shard->frame_ids) < 0)
        return h5_fail(shard->path, "reading /frame_id");
    if (part != C3D_PART_SCENES) return C3D_OK;
    C3D_TRY(read_months(shard, dataset));
    return read_bands(shard, dataset);
}

static c3d_status read_parts(c3d_shard *shard, hid_t file)
{
    for (int part = 0; part < C3D_N_PARTS; part++) {
        const hid_t dataset = H5Dopen2(file, parts[part].name, H5P_DEFAULT);
        if (dataset < 0)
            return C3D_FAIL(C3D_EDATA, "%s: no dataset /%s", shard->path, parts[part].name);
        c3d_status st = C3D_OK;
        if (part == C3D_PART_SCENES) {
            st = read_shape(shard, dataset);
            const c3d_shard_shape *shape = &shard->shape;
            if (st == C3D_OK) {
                shard->frame_ids = c3d_calloc((size_t)shape->n_scenes, sizeof *shard->frame_ids);
                shard->months = c3d_calloc((size_t)shape->n_months, sizeof *shard->months);
                shard->bands = c3d_calloc((size_t)shape->n_bands, sizeof *shard->bands);
                if (!shard->frame_ids || !shard->months || !shard->bands) st = C3D_ENOMEM;
            }
        }
        if (st == C3D_OK) st = read_part(shard, dataset, (c3d_shard_part)part);
        H5Dclose(dataset);
        if (st != C3D_OK) return st;
    }
    return C3D_OK;
}

c3d_status c3d_shard_read_layout(c3d_shard *shard)
{
    start_hdf5();
    const hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    if (list < 0) return h5_fail(shard->path, "opening it");
    const hid_t file =
        H5Pset_file_locking(list, 0, 1) < 0 ? -1 : H5Fopen(shard->path, H5F_ACC_RDONLY, list);
    H5Pclose(list);
    if (file < 0) return h5_fail(shard->path, "opening it");
    const c3d_status st = read_parts(shard, file);
    H5Fclose(file);
    return st;
}
