#include "planet.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

typedef enum series { ANALYTIC, VISUAL, GLOBAL, N_SERIES } series;

/* '0' stands for a digit. Of one series monthly names come first. */
static const struct {
    series series;
    const char *shape, *pattern;
} names[] = {
    { ANALYTIC, "planet_medres_normalized_analytic_0000-00_mosaic",
      "planet_medres_normalized_analytic_{YYYY}-{MM}_mosaic/*.tif" },
    { ANALYTIC, "planet_medres_normalized_analytic_0000-00_0000-00_mosaic",
      "planet_medres_normalized_analytic_{YYYY}-{MM}_{YYYY2}-{MM2}_mosaic/*.tif" },
    { VISUAL, "planet_medres_visual_0000-00_mosaic",
      "planet_medres_visual_{YYYY}-{MM}_mosaic/*.tif" },
    { VISUAL, "planet_medres_visual_0000-00_0000-00_mosaic",
      "planet_medres_visual_{YYYY}-{MM}_{YYYY2}-{MM2}_mosaic/*.tif" },
    { GLOBAL, "global_monthly_0000_00_mosaic", "global_monthly_{YYYY}_{MM}_mosaic/*.tif" },
};
static const char *const series_names[N_SERIES] = { "normalized analytic", "visual",
                                                    "global monthly" };

static bool has_shape(const char *name, const char *shape)
{
    for (; *shape != 0; shape++, name++) {
        const bool is_digit = *name >= '0' && *name <= '9';

        if (*shape == '0' ? !is_digit : *name != *shape) return false;
    }
    return *name == 0;
}

static c3d_status count_folders(const char *folder, int counts[C3D_COUNT(names)])
{
    DIR *stream = opendir(folder);
    const struct dirent *entry;

    if (stream == NULL) return C3D_FAIL(C3D_EIO, "%s: %s", folder, strerror(errno));
    while ((entry = readdir(stream)) != NULL)
        for (size_t i = 0; i < C3D_COUNT(names); i++)
            if (has_shape(entry->d_name, names[i].shape)) counts[i]++;
    (void)closedir(stream);
    return C3D_OK;
}

static c3d_status fail_choice(const char *folder, const int counts[C3D_COUNT(names)])
{
    c3d_text list = { 0 };

    for (size_t i = 0; i < C3D_COUNT(names); i++)
        if (counts[i] > 0)
            c3d_text_add(&list, "%s%d folders for data.mosaics: \"%s/%s\"", list.length ? ", " : "",
                         counts[i], folder, names[i].pattern);
    const c3d_status st = C3D_FAIL(
        C3D_ECONFIG, "%s: more than one series of mosaics; say which: %s", folder, list.text);
    c3d_text_free(&list);
    return st;
}

c3d_status c3d_planet_find(const char *folder, c3d_planet_patterns *out)
{
    int counts[C3D_COUNT(names)] = { 0 }, n_folders = 0, n_series = 0;
    bool has[N_SERIES] = { false };
    series found = ANALYTIC;

    C3D_TRY(count_folders(folder, counts));
    for (size_t i = 0; i < C3D_COUNT(names); i++) {
        if (counts[i] == 0) continue;
        n_series += !has[names[i].series];
        has[names[i].series] = true;
        found = names[i].series;
        n_folders += counts[i];
    }
    if (n_series == 0)
        return C3D_FAIL(C3D_EDATA,
                        "%s: a folder without mosaics under Planet's names (such as "
                        "global_monthly_2021_05_mosaic); give data.mosaics a pattern with {YYYY}",
                        folder);
    if (n_series > 1) return fail_choice(folder, counts);
    *out = (c3d_planet_patterns){ 0 };
    for (size_t i = 0; i < C3D_COUNT(names); i++) {
        if (counts[i] == 0) continue;
        C3D_TRY(c3d_path_join(out->text[out->n], folder, names[i].pattern));
        out->patterns[out->n] = out->text[out->n];
        out->n++;
    }
    c3d_log_run("%s: %d folders of Planet's %s mosaics", folder, n_folders, series_names[found]);
    return C3D_OK;
}
