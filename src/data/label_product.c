#include "label_product.h"

#include <ctype.h>
#include <string.h>

/* Codes of MapBiomas' coverage legends, collections 7.1 to 11 and 10 m: what any of them has. */
#define COVERAGE                                                                                   \
    .has_code_27 = true, .n_ranges = 10,                                                           \
    .ranges = { { 0, 1 },   { 3, 6 },   { 9, 15 },  { 18, 27 }, { 29, 33 },                        \
                { 35, 36 }, { 39, 41 }, { 46, 50 }, { 62, 62 }, { 75, 75 } }

/* The first whose stem a name holds. */
static const label_product products[] = {
    { .name = "mined substances of MapBiomas Brazil",
      .pattern = "*mined_substance*{YYYY}.tif",
      .stem = "mined_substance",
      .zero_is_seen = true,
      .n_ranges = 4,
      .ranges = { { 0, 0 }, { 101, 130 }, { 201, 226 }, { 301, 301 } } },
    { .name = "MapBiomas Brazil, collection 7.1, 8 or 9, 30 m",
      .pattern = "brasil_coverage_{YYYY}.tif",
      .stem = "brasil_coverage_",
      COVERAGE },
    { .name = "MapBiomas Brazil, collection 11, 30 m",
      .pattern = "brazil_coverage-col11_{YYYY}.tif",
      .stem = "brazil_coverage-col11_",
      COVERAGE },
    { .name = "MapBiomas Brazil, collection 10, 30 m",
      .pattern = "brazil_coverage_{YYYY}.tif",
      .stem = "brazil_coverage_",
      COVERAGE },
    { .name = "MapBiomas Brazil, 10 m",
      .pattern = "brazil_lulc_10m_{YYYY}.tif",
      .stem = "brazil_lulc_10m_",
      COVERAGE },
    { .name = "MapBiomas, of a collection that the name does not tell",
      .stem = "mapbiomas",
      COVERAGE },
};

static bool holds(const char *text, const char *stem)
{
    const size_t n = strlen(stem);

    for (; *text; text++) {
        size_t i = 0;

        while (i < n && tolower((unsigned char)text[i]) == stem[i]) i++;
        if (i == n) return true;
    }
    return false;
}

const label_product *c3d_label_product_find(const char *path)
{
    const char *slash = strrchr(path, '/');

    for (size_t i = 0; i < C3D_COUNT(products); i++)
        if (holds(slash ? slash + 1 : path, products[i].stem)) return &products[i];
    return NULL;
}

bool c3d_label_product_knows(const label_product *product, int code)
{
    for (int r = 0; r < product->n_ranges; r++)
        if (code >= product->ranges[r][0] && code <= product->ranges[r][1]) return true;
    return false;
}

static bool has_files(const char *pattern)
{
    c3d_archive found = { 0 };

    if (c3d_archive_find(pattern, 0, 0, &found) != C3D_OK) return false;
    c3d_archive_free(&found);
    return true;
}

static c3d_status fail_none(const char *dir)
{
    c3d_text names = { 0 };
    c3d_status st;

    for (size_t i = 0; i < C3D_COUNT(products); i++)
        if (products[i].pattern)
            c3d_text_add(&names, "%s%s", names.length ? ", " : "", products[i].pattern);
    st = C3D_FAIL(C3D_EDATA,
                  "%s: a directory without label rasters of a known name (%s); data.labels takes "
                  "any path or pattern with {YYYY}",
                  dir, names.text);
    c3d_text_free(&names);
    return st;
}

c3d_status c3d_label_pattern(const char *labels, char out[C3D_PATH_MAX])
{
    const label_product *found = NULL;
    char pattern[C3D_PATH_MAX];

    if (!c3d_path_is_dir(labels)) {
        if (strlen(labels) >= C3D_PATH_MAX)
            return C3D_FAIL(C3D_ECONFIG, "data.labels: longer than %d bytes", C3D_PATH_MAX - 1);
        memcpy(out, labels, strlen(labels) + 1);
        return C3D_OK;
    }
    for (size_t i = 0; i < C3D_COUNT(products); i++) {
        if (products[i].pattern == NULL) continue;
        C3D_TRY(c3d_path_join(pattern, labels, products[i].pattern));
        if (!has_files(pattern)) continue;
        if (found)
            return C3D_FAIL(C3D_ECONFIG,
                            "data.labels: %s holds files of several products, %s and %s; say which "
                            "in data.labels",
                            labels, found->pattern, products[i].pattern);
        found = &products[i];
        memcpy(out, pattern, sizeof pattern);
    }
    return found ? C3D_OK : fail_none(labels);
}
