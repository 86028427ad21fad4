/* A folder of folders, one a class, as a list. */
#include "import.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What lies beside images and is none. */
static bool is_beside(const char *name)
{
    static const char *const endings[] = { ".xml", ".txt", ".md",  ".csv", ".tsv", ".json",
                                           ".prj", ".ovr", ".msk", ".tfw", ".pgw", ".jgw",
                                           ".wld", ".db",  ".hdr", ".html" };
    const size_t n = strlen(name);

    for (size_t i = 0; i < C3D_COUNT(endings); i++) {
        const size_t n_ending = strlen(endings[i]);
        if (n > n_ending && strcasecmp(name + n - n_ending, endings[i]) == 0) return true;
    }
    return false;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static c3d_status add_file(import_list *list, const char *path, const char *label)
{
    if ((list->n & (list->n - 1)) == 0) { /* full at powers of two */
        import_row *grown = realloc(list->rows, (list->n ? 2 * list->n : 1) * sizeof *grown);
        if (grown == NULL) return C3D_FAIL(C3D_ENOMEM, "no memory for %zu files", list->n);
        list->rows = grown;
    }
    const char *kept = c3d_import_keep(list, c3d_strdup(path));
    if (kept == NULL) return C3D_ENOMEM;
    list->rows[list->n++] = (import_row){ .path = kept,
                                          .label = label,
                                          .scene = "",
                                          .lon = (double)NAN,
                                          .lat = (double)NAN,
                                          .split = C3D_SPLIT_NONE,
                                          .fold = -1 };
    return C3D_OK;
}

/* What may be an image in the folder of classes itself has no class. */
typedef struct loose_files {
    size_t n;
    char first[C3D_PATH_MAX];
} loose_files;

/* label NULL: in the folder of classes. */
static c3d_status walk(import_list *list, const char *folder, const char *label, int depth,
                       loose_files *loose)
{
    struct dirent **entries = NULL;
    const int n = depth > 64 ? 0 : scandir(folder, &entries, is_visible, alphasort);
    c3d_status st = C3D_OK;

    if (n < 0) return C3D_FAIL(C3D_EIO, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        char path[C3D_PATH_MAX];

        if (st == C3D_OK) st = c3d_path_join(path, folder, name);
        if (st == C3D_OK && c3d_path_is_dir(path)) {
            const char *class = label ? label : c3d_import_keep(list, c3d_strdup(name));
            st = class ? walk(list, path, class, depth + 1, loose) : C3D_ENOMEM;
        } else if (st == C3D_OK && label && !is_beside(name)) {
            st = add_file(list, path, label);
        } else if (st == C3D_OK && !label && !is_beside(name) && loose->n++ == 0) {
            memcpy(loose->first, path, sizeof path);
        }
        free(entries[i]);
    }
    free(entries);
    return st;
}

c3d_status c3d_import_folder_read(const char *folder, import_list *list)
{
    loose_files loose = { 0 };

    C3D_TRY(walk(list, folder, NULL, 0, &loose));
    if (loose.n > 0)
        c3d_log_warn("%s: %zu files in no folder of a class are left out, such as %s", folder,
                     loose.n, loose.first);
    if (list->n > 0) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: no images in folders of it; expected a folder a class", folder);
}
