/* A list of scenes to import, with standard columns and with columns, cells and groups by name. */
#include "fuzz/target.h"

#include <stdlib.h>
#include <string.h>

#include "data/import.h"

/* Every text is read to its end, and what was accepted keeps its bounds. */
static size_t read_row(const import_list *list, const import_row *row)
{
    const c3d_window *window = &row->window;
    size_t n = strlen(row->path) + strlen(row->label) + strlen(row->scene);

    for (int g = 0; g < list->n_groups; g++) n += strlen(row->groups[g]);
    if (row->is_wrong) return n;
    if (row->has_window &&
        (window->x < 0 || window->y < 0 || window->width < 0 || window->height < 0))
        abort();
    if (row->fold < -1 || row->fold > 99 || row->lon < -360 || row->lon > 360 || row->lat < -90 ||
        row->lat > 90)
        abort();
    return n;
}

static bool same_row(const import_row *a, const import_row *b)
{
    return a->line == b->line && a->date == b->date && a->split == b->split && a->fold == b->fold &&
           a->is_wrong == b->is_wrong && strcmp(a->path, b->path) == 0 &&
           strcmp(a->label, b->label) == 0 && strcmp(a->scene, b->scene) == 0;
}

static c3d_status read_list(const c3d_list_desc *desc, import_list *out)
{
    import_mistakes mistakes = { .list = desc->path };
    const c3d_status st = c3d_import_list_read(desc, &mistakes, out);

    if (mistakes.n > 0 && mistakes.items[0].text[0] == '\0') abort();
    return st;
}

static void read_twice(const c3d_list_desc *desc)
{
    import_list list = { 0 }, again = { 0 };

    if (read_list(desc, &list) != C3D_OK) return;
    if (list.n == 0 || read_list(desc, &again) != C3D_OK || list.n != again.n) abort();
    for (size_t i = 0; i < list.n; i++) {
        (void)read_row(&list, &list.rows[i]);
        if (!same_row(&list.rows[i], &again.rows[i])) abort();
    }
    c3d_import_list_free(&again);
    c3d_import_list_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const cells[] = { "row", "col", "chip_px" };
    static const char *const groups[] = { "gallery", "overlap_group" };
    const c3d_list_desc standard = { .path = fuzz_file("list.csv", bytes, n, NULL) };
    const c3d_list_desc named = { .path = standard.path,
                                  .folder = "galleries",
                                  .path_column = "gallery",
                                  .date_column = "date_from",
                                  .n_window = 3,
                                  .window = cells,
                                  .n_groups = 2,
                                  .groups = groups,
                                  .group_match = "^(.*)_S2L1C_" };

    read_twice(&standard);
    read_twice(&named);
    return 0;
}
