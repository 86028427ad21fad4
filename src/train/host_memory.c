#include "train/host_memory.h"

#include <inttypes.h>
#include <string.h>

/* Where a version of control groups keeps its numbers. */
typedef struct group_files {
    const char *mount, *controller; /* of a line of /proc/self/cgroup: "" is version 2 */
    const char *limit, *used;
    const char *cache[2]; /* rows of memory.stat: files' pages, which can be given back */
} group_files;
static const group_files versions[] = {
    { "/sys/fs/cgroup", "", "memory.max", "memory.current", { "inactive_file", "active_file" } },
    { "/sys/fs/cgroup/memory",
      "memory",
      "memory.limit_in_bytes",
      "memory.usage_in_bytes",
      { "total_inactive_file", "total_active_file" } },
};

/* The number of the first line "NAME 123" or "NAME: 123"; name "" for a file of one number. */
static bool read_row(const char *path, const char *name, uint64_t *out)
{
    const size_t n = strlen(name);
    char line[512];
    bool found = false;
    FILE *const file = fopen(path, "r");

    if (!file) return false;
    while (!found && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, n) != 0) continue;
        found = sscanf(line + n + (line[n] == ':'), "%" SCNu64, out) == 1;
    }
    (void)fclose(file);
    return found;
}

static bool read_of(const char *dir, const char *file, const char *name, uint64_t *out)
{
    char path[C3D_PATH_MAX];

    return (size_t)snprintf(path, sizeof path, "%s/%s", dir, file) < sizeof path &&
           read_row(path, name, out);
}

/* What the limit of one group leaves; nothing is said by one without a limit ("max"). */
static void look_at_group(const group_files *v, const char *dir, uint64_t *left)
{
    uint64_t limit, used, cache = 0, row;

    if (!read_of(dir, v->limit, "", &limit) || !read_of(dir, v->used, "", &used)) return;
    for (size_t i = 0; i < C3D_COUNT(v->cache); i++)
        if (read_of(dir, "memory.stat", v->cache[i], &row)) cache += row;
    if (cache > used) cache = used;
    used -= cache;
    const uint64_t here = limit > used ? limit - used : 0;
    if (here < *left) *left = here;
}

/* The group of the process and all above it, up to the mount: a container may be shown a path of
 * the host that it cannot see, and finds its own limit at the mount. */
static void look_at_groups(const group_files *v, const char *root, const char *group,
                           uint64_t *left)
{
    char dir[C3D_PATH_MAX];
    const size_t n_mount = strlen(root) + strlen(v->mount);

    if ((size_t)snprintf(dir, sizeof dir, "%s%s%s", root, v->mount, group) >= sizeof dir) return;
    for (;;) {
        look_at_group(v, dir, left);
        char *const slash = strrchr(dir, '/');
        if (strlen(dir) <= n_mount || !slash) return;
        *slash = '\0';
    }
}

static bool names_controller(const char *list, const char *controller)
{
    const size_t n = strlen(controller);

    if (n == 0) return list[0] == ':';
    for (; *list && *list != ':'; list += *list == ',')
        if (strncmp(list, controller, n) == 0 && (list[n] == ',' || list[n] == ':'))
            return true;
        else
            list += strcspn(list, ",:");
    return false;
}

/* Lines "ID:CONTROLLERS:PATH". */
static uint64_t left_by_groups(const char *root)
{
    char path[C3D_PATH_MAX], line[C3D_PATH_MAX];
    uint64_t left = UINT64_MAX;
    FILE *file = NULL;

    if ((size_t)snprintf(path, sizeof path, "%s/proc/self/cgroup", root) < sizeof path)
        file = fopen(path, "r");
    if (!file) return left;
    while (fgets(line, sizeof line, file)) {
        const char *list = strchr(line, ':'), *group = list ? strchr(list + 1, ':') : NULL;
        if (!group) continue;
        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; i < C3D_COUNT(versions); i++)
            if (names_controller(list + 1, versions[i].controller))
                look_at_groups(&versions[i], root, group + 1, &left);
    }
    (void)fclose(file);
    return left;
}

c3d_host_memory c3d_host_memory_of(const char *root)
{
    const uint64_t by_groups = left_by_groups(root);
    uint64_t kib, of_host = UINT64_MAX;

    if (read_of(root, "proc/meminfo", "MemAvailable", &kib)) of_host = kib * 1024;
    if (by_groups < of_host) return (c3d_host_memory){ by_groups, true };
    return (c3d_host_memory){ of_host, false };
}

c3d_held_memory c3d_held_memory_now(void)
{
    uint64_t now, most;

    if (!read_row("/proc/self/status", "VmRSS", &now) ||
        !read_row("/proc/self/status", "VmHWM", &most))
        return (c3d_held_memory){ 0 };
    return (c3d_held_memory){ now * 1024, most * 1024 };
}
