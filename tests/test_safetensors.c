/* Files of tensors: what is written is read back bit for bit, and every way in which a file can be
 * wrong is refused with C3D_EDATA and a message that names it. */
#include "c3d/tensor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "safetensors-XXXXXX";
static char path[C3D_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir)) return -1;
    return c3d_path_join(path, dir, "a.safetensors") == C3D_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != C3D_OK) fail_msg("%s: %s", #call, c3d_error_last()->message);                \
    } while (0)

/* A file of header text and n_buffer bytes 0, 1, 2, ... */
static void write_raw(const char *header, uint64_t n_header, size_t n_buffer)
{
    FILE *stream = fopen(path, "wb");

    assert_non_null(stream);
    for (int i = 0; i < 8; i++) fputc((int)(n_header >> (8 * i) & 0xff), stream);
    fwrite(header, 1, strlen(header), stream);
    for (size_t i = 0; i < n_buffer; i++) fputc((int)(i & 0xff), stream);
    assert_int_equal(fclose(stream), 0);
}

static void expect_refused(const char *words)
{
    c3d_tensor_file *file = NULL;

    assert_int_equal(c3d_tensor_file_open(path, &file), C3D_EDATA);
    assert_null(file);
    assert_non_null(strstr(c3d_error_last()->message, path));
    if (!strstr(c3d_error_last()->message, words))
        fail_msg("expected \"%s\" in \"%s\"", words, c3d_error_last()->message);
}

static void refuse(const char *header, size_t n_buffer, const char *words)
{
    write_raw(header, strlen(header), n_buffer);
    expect_refused(words);
}

static const int64_t weight_shape[5] = { 2, 3, 1, 2, 2 }, bias_shape[1] = { 2 };

static void write_good(float weight[24], const uint16_t bias[2])
{
    c3d_tensor_writer *writer;

    for (int i = 0; i < 24; i++) weight[i] = (float)i / 7.0F;
    OK(c3d_tensor_writer_create(path, &writer));
    OK(c3d_tensor_writer_metadata(writer, "note", "caf\xc3\xa9 \"quoted\" 0000000000000000"));
    OK(c3d_tensor_writer_declare(writer, "conv1.weight", C3D_F32, 5, weight_shape));
    OK(c3d_tensor_writer_declare(writer, "nothing", C3D_F64, 1, (const int64_t[]){ 0 }));
    OK(c3d_tensor_writer_declare(writer, "conv1.bias", C3D_U16, 1, bias_shape));
    OK(c3d_tensor_writer_declare(writer, "step", C3D_I64, 0, NULL));
    OK(c3d_tensor_writer_put(writer, weight, 24 * sizeof *weight));
    OK(c3d_tensor_writer_put(writer, NULL, 0));
    OK(c3d_tensor_writer_put(writer, bias, 2 * sizeof *bias));
    OK(c3d_tensor_writer_put(writer, &(int64_t){ -5 }, sizeof(int64_t)));
    OK(c3d_tensor_writer_commit(writer));
}

static void test_round_trip(void **state)
{
    float weight[24], weight_read[24];
    const uint16_t bias[2] = { 7, 65535 };
    uint16_t bias_read[2];
    int64_t step;
    c3d_tensor_file *file;
    const c3d_tensor_entry *entry;

    (void)state;
    write_good(weight, bias);
    OK(c3d_tensor_file_open(path, &file));
    OK(c3d_tensor_file_verify(file));
    assert_int_equal(c3d_tensor_file_count(file), 4);
    assert_string_equal(c3d_tensor_file_metadata(file, "note"),
                        "caf\xc3\xa9 \"quoted\" 0000000000000000");
    assert_null(c3d_tensor_file_metadata(file, "other"));
    entry = c3d_tensor_file_find(file, "conv1.weight");
    assert_non_null(entry);
    assert_ptr_equal(entry, c3d_tensor_file_entry(file, 0));
    assert_null(c3d_tensor_file_entry(file, 4));
    assert_int_equal(entry->dtype, C3D_F32);
    assert_int_equal(entry->rank, 5);
    assert_memory_equal(entry->shape, weight_shape, sizeof weight_shape);
    OK(c3d_tensor_file_read(file, entry, weight_read, sizeof weight_read));
    assert_memory_equal(weight, weight_read, sizeof weight);
    assert_int_equal(c3d_tensor_file_read(file, entry, weight_read, 8), C3D_EDATA);
    OK(c3d_tensor_file_read(file, c3d_tensor_file_find(file, "conv1.bias"), bias_read, 4));
    assert_memory_equal(bias, bias_read, sizeof bias);
    OK(c3d_tensor_file_read(file, c3d_tensor_file_find(file, "step"), &step, 8));
    assert_int_equal(step, -5);
    assert_null(c3d_tensor_file_find(file, "conv1"));
    c3d_tensor_file_close(file);
}

/* The layout on disk, byte by byte where the format fixes it. */
static void test_format(void **state)
{
    float weight[24];
    const uint16_t bias[2] = { 7, 65535 };
    char *bytes;
    size_t n;
    uint64_t n_header = 0;

    (void)state;
    write_good(weight, bias);
    OK(c3d_file_read(path, &bytes, &n));
    for (int i = 0; i < 8; i++) n_header |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    assert_int_equal(n_header % 8, 0);
    assert_int_equal(bytes[8], '{');
    assert_int_equal(n, 8 + n_header + 24 * 4 + 2 * 2 + 8);
    assert_memory_equal(bytes + 8 + n_header, weight, sizeof weight);
    assert_memory_equal(bytes + 8 + n_header + sizeof weight, bias, sizeof bias);
    free(bytes);
}

static void test_changed_byte(void **state)
{
    float weight[24];
    const uint16_t bias[2] = { 7, 65535 };
    c3d_tensor_file *file;
    FILE *stream;

    (void)state;
    write_good(weight, bias);
    stream = fopen(path, "r+b");
    assert_non_null(stream);
    fseek(stream, -20, SEEK_END);
    fputc(0x55, stream);
    fclose(stream);
    OK(c3d_tensor_file_open(path, &file));
    assert_int_equal(c3d_tensor_file_verify(file), C3D_EDATA);
    c3d_tensor_file_close(file);
}

static void flip(long at)
{
    FILE *stream = fopen(path, "r+b");

    assert_non_null(stream);
    fseek(stream, at, SEEK_SET);
    const int byte = fgetc(stream);
    fseek(stream, at, SEEK_SET);
    fputc(byte ^ 1, stream);
    fclose(stream);
}

/* One bit anywhere in the header: names, shapes, metadata. Only without the name of the header's
 * own checksum a file is taken for one of before. */
static void test_changed_header(void **state)
{
    const char key[] = "header_checksum";
    float weight[24];
    const uint16_t bias[2] = { 7, 65535 };
    char *text, *own;
    size_t n;
    c3d_tensor_file *file;

    (void)state;
    write_good(weight, bias);
    OK(c3d_file_read(path, &text, &n));
    const long length = (unsigned char)text[0] + 256L * (unsigned char)text[1];
    own = strstr(text + 8, key);
    assert_non_null(own);
    const long begin = own - text, end = begin + (long)strlen(key);
    for (long at = 8; at < 8 + length; at++) {
        if (at >= begin && at < end) continue;
        flip(at);
        c3d_status st = c3d_tensor_file_open(path, &file);
        if (st == C3D_OK) {
            st = c3d_tensor_file_verify(file);
            c3d_tensor_file_close(file);
        }
        if (st != C3D_EDATA) fail_msg("byte %ld (%c): status %d", at, text[at], (int)st);
        flip(at);
    }
    free(text);
    OK(c3d_tensor_file_open(path, &file));
    OK(c3d_tensor_file_verify(file));
    c3d_tensor_file_close(file);
}

static void test_truncated(void **state)
{
    float weight[24];
    const uint16_t bias[2] = { 7, 65535 };
    char *bytes;
    size_t n;

    (void)state;
    write_good(weight, bias);
    OK(c3d_file_read(path, &bytes, &n));
    free(bytes);
    for (size_t keep = n; keep-- > 0;) { /* every shorter file */
        assert_int_equal(truncate(path, (off_t)keep), 0);
        expect_refused(keep < 8 ? "too short" : "truncated");
    }
}

#define T(name, dtype, shape, begin, end)                                                          \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end   \
    "]}"

static void test_header_mistakes(void **state)
{
    (void)state;
    refuse("{" T("a", "F32", "[2]", "0", "8") "," T("b", "F32", "[1]", "12", "16") "}", 16, "hole");
    refuse("{" T("a", "F32", "[2]", "4", "12") "}", 12, "hole");
    refuse("{" T("a", "F32", "[2]", "0", "8") "," T("b", "F32", "[2]", "4", "12") "}", 12,
           "overlap");
    refuse("{" T("a", "F32", "[2]", "0", "8") "," T("b", "F32", "[2]", "0", "8") "}", 8, "overlap");
    refuse("{" T("a", "F32", "[2]", "0", "8") "," T("a", "F32", "[1]", "8", "12") "}", 12, "");
    refuse("{" T("a", "F32", "[3]", "0", "8") "}", 8, "shape and dtype");
    refuse("{" T("a", "F64", "[2]", "0", "8") "}", 8, "shape and dtype");
    refuse("{" T("a", "F32", "[4294967296,4294967296]", "0", "0") "}", 0, "shape and dtype");
    refuse("{" T("a", "F32", "[-2,-1]", "0", "8") "}", 8, "shape");
    refuse("{" T("a", "F32", "[2.0]", "0", "8") "}", 8, "shape");
    refuse("{" T("a", "F32", "[1,1,1,1,1,2]", "0", "8") "}", 8, "shape");
    refuse("{" T("a", "F32", "[2]", "8", "0") "}", 8, "data_offsets");
    refuse("{" T("a", "F32", "[2]", "-8", "0") "}", 8, "data_offsets");
    refuse("{" T("a", "Q7", "[2]", "0", "8") "}", 8, "Q7");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets");
    refuse("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "shape");
    refuse("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "dtype");
    refuse("{\"a\":7}", 8, "dtype");
    refuse("{\"__metadata__\":{\"k\":7}," T("a", "F32", "[2]", "0", "8") "}", 8, "metadata");
    refuse("{" T("a", "F32", "[2]", "0", "8") "}", 9, "after the last tensor");
    refuse("{" T("a", "F32", "[2]", "0", "8"), 8, "");
    refuse("[]", 0, "JSON object");
    refuse("", 0, "JSON object");
    write_raw("{}", 100000001, 0);
    expect_refused("header");
    write_raw("{}", UINT64_MAX, 0);
    expect_refused("header");
    write_raw("{}", 3, 0);
    expect_refused("truncated");
}

/* What another program may write: blanks after the header, no metadata, entries in any order. */
static void test_foreign(void **state)
{
    const char header[] =
        "{" T("b", "U8", "[2]", "8", "10") "," T("a", "F32", "[2]", "0", "8") "}   ";
    c3d_tensor_file *file;
    uint8_t b[2];

    (void)state;
    write_raw(header, strlen(header), 10);
    OK(c3d_tensor_file_open(path, &file));
    assert_string_equal(c3d_tensor_file_entry(file, 0)->name, "a");
    OK(c3d_tensor_file_read(file, c3d_tensor_file_find(file, "b"), b, 2));
    assert_int_equal(b[0], 8);
    assert_int_equal(b[1], 9);
    assert_int_equal(c3d_tensor_file_verify(file), C3D_EDATA);
    c3d_tensor_file_close(file);
}

static void test_garbage(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 300; i++) {
        FILE *stream = fopen(path, "wb");
        c3d_tensor_file *file;
        const uint64_t n = c3d_random_below(1, C3D_STREAM(C3D_PURPOSE_TEST, 0), i, 400);

        assert_non_null(stream);
        fwrite((const unsigned char[8]){ (unsigned char)(i % 200) }, 1, i % 3 ? 8 : 0, stream);
        if (i % 2) fputc('{', stream);
        for (uint64_t j = 0; j < n; j++)
            fputc((int)(c3d_random_u64(1, C3D_STREAM(C3D_PURPOSE_TEST, 1), i << 10 | j) & 0xff),
                  stream);
        fclose(stream);
        assert_int_equal(c3d_tensor_file_open(path, &file), C3D_EDATA);
    }
}

static void test_absent(void **state)
{
    c3d_tensor_file *file;

    (void)state;
    unlink(path);
    assert_int_equal(c3d_tensor_file_open(path, &file), C3D_EIO);
}

/* A discarded or refused write leaves the old file as it was. */
static void test_old_file_stays(void **state)
{
    float weight[24];
    const uint16_t bias[2] = { 7, 65535 };
    c3d_tensor_writer *writer;
    c3d_tensor_file *file;

    (void)state;
    write_good(weight, bias);
    OK(c3d_tensor_writer_create(path, &writer));
    OK(c3d_tensor_writer_declare(writer, "a", C3D_F32, 1, (const int64_t[]){ 2 }));
    OK(c3d_tensor_writer_declare(writer, "b", C3D_F32, 1, (const int64_t[]){ 2 }));
    assert_int_equal(c3d_tensor_writer_declare(writer, "a", C3D_F32, 1, (const int64_t[]){ 2 }),
                     C3D_EINVAL);
    assert_int_equal(c3d_tensor_writer_metadata(writer, "checksum", "x"), C3D_EINVAL);
    assert_int_equal(c3d_tensor_writer_put(writer, weight, 4), C3D_EINVAL);
    OK(c3d_tensor_writer_put(writer, weight, 8));
    assert_int_equal(c3d_tensor_writer_metadata(writer, "late", "x"), C3D_EINVAL);
    assert_int_equal(c3d_tensor_writer_commit(writer), C3D_EINVAL); /* b is missing */
    OK(c3d_tensor_file_open(path, &file));
    OK(c3d_tensor_file_verify(file));
    assert_int_equal(c3d_tensor_file_count(file), 4);
    c3d_tensor_file_close(file);
}

static void test_dtypes(void **state)
{
    const uint16_t u16[2] = { 1, 65535 };
    const int16_t i16[2] = { 1, -3 };
    const float f32[2] = { 1, -2.5F };
    c3d_dtype dtype;
    char text[64];

    (void)state;
    for (int i = 0; i < C3D_DTYPES; i++) {
        assert_true(c3d_dtype_from_name(c3d_dtype_name((c3d_dtype)i), &dtype));
        assert_int_equal(dtype, i);
    }
    assert_false(c3d_dtype_from_name("float", &dtype));
    assert_true(c3d_dtype_get(u16, C3D_U16, 1) == 65535);
    assert_true(c3d_dtype_get(i16, C3D_I16, 1) == -3);
    assert_true(c3d_dtype_get(f32, C3D_F32, 1) == -2.5);
    assert_string_equal(c3d_shape_text((c3d_shape){ 8, 64, 16, 112, 112 }, text),
                        "[8, 64, 16, 112, 112]");
    assert_int_equal(c3d_shape_count((c3d_shape){ 8, 64, 16, 112, 112 }), 102760448);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_format),
        cmocka_unit_test(test_changed_byte), cmocka_unit_test(test_changed_header),
        cmocka_unit_test(test_truncated),    cmocka_unit_test(test_header_mistakes),
        cmocka_unit_test(test_foreign),      cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_absent),       cmocka_unit_test(test_old_file_stays),
        cmocka_unit_test(test_dtypes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
