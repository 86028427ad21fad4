/* compare_tensors equal A B            all tensors of two files have the same names and bytes
 * compare_tensors near A B PREFIX N    tensors whose names begin with PREFIX differ by no more than
 *                                      two ways of summing the same N terms may: 8 u sqrt(N) times
 *                                      the largest magnitude of the tensor (u = 2^-24). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c3d/tensor.h"

static c3d_status read_all(c3d_tensor_file *file, const c3d_tensor_entry *entry, void **out)
{
    void *bytes = c3d_calloc(entry->end - entry->begin, 1);

    if (!bytes) return C3D_ENOMEM;
    const c3d_status st = c3d_tensor_file_read(file, entry, bytes, entry->end - entry->begin);
    if (st == C3D_OK)
        *out = bytes;
    else
        free(bytes);
    return st;
}

static c3d_status compare_near(const char *name, const float *a, const float *b, size_t n,
                               double n_terms)
{
    double largest = 0;

    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs((double)a[i]));
    const double tolerance = 8 * 0x1p-24 * sqrt(n_terms) * largest;
    for (size_t i = 0; i < n; i++) {
        if (fabs((double)a[i] - (double)b[i]) <= tolerance) continue;
        return C3D_FAIL(C3D_EDATA, "%s[%zu]: %.9g and %.9g differ by more than %.3g", name, i,
                        (double)a[i], (double)b[i], tolerance);
    }
    return C3D_OK;
}

static c3d_status compare_one(c3d_tensor_file *a, c3d_tensor_file *b, const c3d_tensor_entry *entry,
                              double n_terms)
{
    const c3d_tensor_entry *twin = c3d_tensor_file_find(b, entry->name);
    const uint64_t n_bytes = entry->end - entry->begin;
    void *x = NULL, *y = NULL;

    if (!twin || twin->end - twin->begin != n_bytes)
        return C3D_FAIL(C3D_EDATA, "%s: not in both files alike", entry->name);
    c3d_status st = read_all(a, entry, &x);
    if (st == C3D_OK) st = read_all(b, twin, &y);
    if (st == C3D_OK && n_terms > 0)
        st = compare_near(entry->name, x, y, n_bytes / sizeof(float), n_terms);
    else if (st == C3D_OK && memcmp(x, y, n_bytes) != 0)
        st = C3D_FAIL(C3D_EDATA, "%s: the bytes differ", entry->name);
    free(x);
    free(y);
    return st;
}

static c3d_status compare(int argc, char **argv)
{
    const bool near = argc == 6 && strcmp(argv[1], "near") == 0;
    const char *prefix = near ? argv[4] : "";
    double n_terms = 0;
    c3d_tensor_file *a = NULL, *b = NULL;
    int n_compared = 0;

    if ((!near && argc != 4) || (near && !c3d_parse_real(argv[5], &n_terms)))
        return C3D_FAIL(C3D_ECONFIG, "usage: compare_tensors equal|near A B [PREFIX N]");
    c3d_status st = c3d_tensor_file_open(argv[2], &a);
    if (st == C3D_OK) st = c3d_tensor_file_open(argv[3], &b);
    if (st == C3D_OK && !near && c3d_tensor_file_count(a) != c3d_tensor_file_count(b))
        st = C3D_FAIL(C3D_EDATA, "the files hold different tensors");
    for (size_t i = 0; st == C3D_OK && i < c3d_tensor_file_count(a); i++) {
        const c3d_tensor_entry *entry = c3d_tensor_file_entry(a, i);
        /* the epoch's sums hold seconds, which are never the same */
        if (strncmp(entry->name, prefix, strlen(prefix)) != 0) continue;
        if (strcmp(entry->name, "epoch.sums") == 0) continue;
        st = compare_one(a, b, entry, n_terms);
        n_compared++;
    }
    if (st == C3D_OK && n_compared == 0)
        st = C3D_FAIL(C3D_EDATA, "no tensor begins with \"%s\"", prefix);
    if (st == C3D_OK) printf("%d tensors compared\n", n_compared);
    c3d_tensor_file_close(a);
    c3d_tensor_file_close(b);
    return st;
}

int main(int argc, char **argv)
{
    const c3d_status st = compare(argc, argv);

    c3d_log_set("compare_tensors", 0, 1);
    if (st != C3D_OK) c3d_log_error(c3d_error_last());
    return c3d_exit_code(st);
}
