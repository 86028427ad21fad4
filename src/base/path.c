#include "c3d/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

c3d_status c3d_path_join(char out[C3D_PATH_MAX], const char *dir, const char *name)
{
    const bool alone = name[0] == '/' || !dir || !dir[0];
    const size_t n_dir = alone ? 0 : strlen(dir);
    const bool slash = n_dir && dir[n_dir - 1] != '/';

    if (n_dir + slash + strlen(name) + 1 > C3D_PATH_MAX)
        return C3D_FAIL(C3D_EINVAL, "%.64s.../%.64s: path longer than %d bytes", alone ? "" : dir,
                        name, C3D_PATH_MAX);
    (void)snprintf(out, C3D_PATH_MAX, "%s%s%s", alone ? "" : dir, slash ? "/" : "", name);
    return C3D_OK;
}

bool c3d_path_exists(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0;
}

bool c3d_path_is_dir(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

static c3d_status make_dir(const char *path)
{
    if (mkdir(path, 0777) == 0) return C3D_OK;
    const int reason = errno;
    if (reason == EEXIST && c3d_path_is_dir(path)) return C3D_OK;
    return C3D_FAIL(C3D_EIO, "%s: cannot make this directory: %s", path, strerror(reason));
}

c3d_status c3d_make_dirs(const char *path)
{
    char part[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(part, NULL, path));
    for (char *p = part + 1; *p; p++) {
        if (*p != '/') continue;
        *p = '\0';
        C3D_TRY(make_dir(part));
        *p = '/';
    }
    return make_dir(part);
}

void c3d_cache_dir(char out[C3D_PATH_MAX])
{
    static const struct {
        const char *variable, *below;
    } places[] = { { "C3D_CACHE_DIR", "" },
                   { "XDG_CACHE_HOME", "/c3d-train" },
                   { "HOME", "/.cache/c3d-train" } };

    out[0] = '\0';
    for (size_t i = 0; i < C3D_COUNT(places); i++) {
        const char *place = getenv(places[i].variable);
        if (!place || place[0] != '/') continue; /* a relative one would move with the program */
        if ((size_t)snprintf(out, C3D_PATH_MAX, "%s%s", place, places[i].below) < C3D_PATH_MAX)
            return;
        out[0] = '\0';
    }
}

c3d_status c3d_path_existing(char out[C3D_PATH_MAX], const char *path)
{
    C3D_TRY(c3d_path_join(out, NULL, path));
    while (!c3d_path_exists(out)) {
        char *slash = strrchr(out, '/');
        if (!slash) {
            (void)snprintf(out, C3D_PATH_MAX, ".");
            break;
        }
        slash[slash == out] = '\0';
    }
    return C3D_OK;
}

c3d_status c3d_free_bytes(const char *path, uint64_t *out)
{
    char existing[C3D_PATH_MAX];
    struct statvfs fs;

    C3D_TRY(c3d_path_existing(existing, path));
    if (statvfs(existing, &fs) != 0) return C3D_FAIL(C3D_EIO, "%s: %s", existing, strerror(errno));
    *out = (uint64_t)fs.f_bavail * fs.f_frsize;
    return C3D_OK;
}
