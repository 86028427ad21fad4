/* The folder of checkpoints: which there are, which is whole, which may go. */
#include "train/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct step_list {
    int64_t *steps; /* descending */
    size_t n;
} step_list;

static int descending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (y > x) - (y < x);
}

static bool step_of(const char *name, int64_t *step)
{
    int end = 0;

    return sscanf(name, "step-%" SCNd64 ".safetensors%n", step, &end) == 1 && end > 0 && !name[end];
}

static c3d_status list_steps(const char *folder, step_list *out)
{
    step_list list = { 0 };
    size_t capacity = 64;
    DIR *dir = opendir(folder);

    *out = list;
    if (!dir) {
        if (errno == ENOENT) return C3D_OK;
        return C3D_FAIL(C3D_EIO, "%s: %s", folder, strerror(errno));
    }
    list.steps = c3d_calloc(capacity, sizeof *list.steps);
    for (struct dirent *entry; list.steps && (entry = readdir(dir));) {
        int64_t step;
        if (!step_of(entry->d_name, &step)) continue;
        if (list.n == capacity) {
            int64_t *grown = realloc(list.steps, (capacity *= 2) * sizeof *grown);
            if (!grown) break;
            list.steps = grown;
        }
        list.steps[list.n++] = step;
    }
    (void)closedir(dir);
    if (!list.steps) return C3D_ENOMEM;
    qsort(list.steps, list.n, sizeof *list.steps, descending);
    *out = list;
    return C3D_OK;
}

static c3d_status path_of(const char *folder, int64_t step, char out[C3D_PATH_MAX])
{
    char name[64];

    (void)snprintf(name, sizeof name, "step-%08" PRId64 ".safetensors", step);
    return c3d_path_join(out, folder, name);
}

static c3d_status check_whole(const char *path)
{
    c3d_tensor_file *file;

    C3D_TRY(c3d_tensor_file_open(path, &file));
    const c3d_status st = c3d_tensor_file_verify(file);
    c3d_tensor_file_close(file);
    return st;
}

static bool has_checksum(const char *path, const char *checksum)
{
    c3d_tensor_file *file;

    if (c3d_tensor_file_open(path, &file) != C3D_OK) return false;
    const char *its = c3d_tensor_file_metadata(file, "checksum");
    const bool is_it = its && strcmp(its, checksum) == 0;
    c3d_tensor_file_close(file);
    return is_it;
}

c3d_status c3d_checkpoint_find_checksum(const char *dir, const char *checksum, int64_t *step_out,
                                        int64_t *newest_out)
{
    char folder[C3D_PATH_MAX], path[C3D_PATH_MAX];
    step_list list;
    c3d_status st = C3D_OK;

    *step_out = *newest_out = -1;
    C3D_TRY(c3d_path_join(folder, dir, "checkpoints"));
    C3D_TRY(list_steps(folder, &list));
    if (list.n > 0) *newest_out = list.steps[0];
    for (size_t i = 0; i < list.n && *step_out < 0 && st == C3D_OK; i++) {
        st = path_of(folder, list.steps[i], path);
        if (st == C3D_OK && has_checksum(path, checksum)) *step_out = list.steps[i];
    }
    free(list.steps);
    return st;
}

c3d_status c3d_checkpoint_find(const char *dir, char path_out[C3D_PATH_MAX])
{
    char folder[C3D_PATH_MAX], path[C3D_PATH_MAX];
    step_list list;
    c3d_status st = C3D_OK;
    bool found = false;

    C3D_TRY(c3d_path_join(folder, dir, "checkpoints"));
    C3D_TRY(list_steps(folder, &list));
    for (size_t i = 0; i < list.n && !found && st == C3D_OK; i++) {
        st = path_of(folder, list.steps[i], path);
        if (st != C3D_OK) break;
        if (check_whole(path) == C3D_OK)
            found = true;
        else
            c3d_log_warn("%s; trying the checkpoint before it", c3d_error_last()->message);
    }
    if (st == C3D_OK && !found && list.n > 0)
        st = C3D_FAIL(
            C3D_EDATA,
            "%s: none of its %zu checkpoints is whole; --resume FILE takes another one, --resume "
            "never starts again (model.init_from: from the best parameters)",
            folder, list.n);
    free(list.steps);
    C3D_TRY(st);
    (void)snprintf(path_out, C3D_PATH_MAX, "%s", found ? path : "");
    return C3D_OK;
}

c3d_status c3d_checkpoint_set_aside(const char *dir, int64_t step)
{
    char folder[C3D_PATH_MAX], path[C3D_PATH_MAX], aside[C3D_PATH_MAX + 8];
    step_list list;
    c3d_status st = C3D_OK;
    size_t n = 0;

    C3D_TRY(c3d_path_join(folder, dir, "checkpoints"));
    C3D_TRY(list_steps(folder, &list));
    for (size_t i = 0; i < list.n && list.steps[i] > step && st == C3D_OK; i++, n++) {
        st = path_of(folder, list.steps[i], path);
        if (st != C3D_OK) break;
        (void)snprintf(aside, sizeof aside, "%s.aside", path);
        if (rename(path, aside) != 0)
            st = C3D_FAIL(C3D_EIO, "%s: cannot be set aside: %s", path, strerror(errno));
    }
    free(list.steps);
    if (st == C3D_OK && n > 0)
        c3d_log_run("%s: %zu checkpoints of later steps set aside (.aside)", folder, n);
    return st;
}

/* Other things of that name were not made by a save. */
static c3d_status remove_part(const char *folder, const char *name)
{
    char path[C3D_PATH_MAX];
    struct stat facts;

    C3D_TRY(c3d_path_join(path, folder, name));
    if (lstat(path, &facts) != 0 || !S_ISREG(facts.st_mode)) return C3D_OK;
    if (unlink(path) != 0)
        return C3D_FAIL(C3D_EIO, "%s: cannot be removed: %s", path, strerror(errno));
    c3d_log_run("%s: removed; a save that was cut off had begun it", path);
    return C3D_OK;
}

c3d_status c3d_checkpoint_remove_parts(const char *dir)
{
    static const char end[] = ".safetensors.part";
    char folder[C3D_PATH_MAX];
    c3d_status st = remove_part(dir, "best.safetensors.part");

    if (st == C3D_OK) st = c3d_path_join(folder, dir, "checkpoints");
    DIR *files = st == C3D_OK ? opendir(folder) : NULL;
    for (struct dirent *entry; st == C3D_OK && files && (entry = readdir(files));) {
        const size_t n = strlen(entry->d_name);
        if (n < sizeof end || strcmp(entry->d_name + n + 1 - sizeof end, end) != 0) continue;
        st = remove_part(folder, entry->d_name);
    }
    if (files) (void)closedir(files);
    return st;
}

c3d_status c3d_checkpoint_prune(const char *dir, int keep_last, int64_t every_steps)
{
    char folder[C3D_PATH_MAX], path[C3D_PATH_MAX];
    step_list list;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_path_join(folder, dir, "checkpoints"));
    C3D_TRY(list_steps(folder, &list));
    for (size_t i = (size_t)keep_last; i < list.n && st == C3D_OK; i++) {
        C3D_ASSERT(list.steps);
        if (every_steps > 0 && list.steps[i] % every_steps == 0) continue;
        st = path_of(folder, list.steps[i], path);
        if (st == C3D_OK && unlink(path) != 0 && errno != ENOENT)
            st = C3D_FAIL(C3D_EIO, "%s: %s", path, strerror(errno));
    }
    free(list.steps);
    return st;
}
