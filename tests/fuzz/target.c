#include "fuzz/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "c3d/base.h"
#include "c3d/raster.h"

static char dir[64], path[128];

static void clean_up(void)
{
    if (path[0]) (void)unlink(path);
    (void)rmdir(dir);
}

void fuzz_start(void)
{
    c3d_raster_start();
    (void)snprintf(dir, sizeof dir, "/dev/shm/c3d-fuzz-%ld", (long)getpid());
    if (c3d_make_dirs(dir) != C3D_OK || atexit(clean_up) != 0) abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

const char *fuzz_file(const char *name, const uint8_t *bytes, size_t n, const char **dir_out)
{
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, n, file) != n || fclose(file) != 0) abort();
    if (dir_out) *dir_out = dir;
    return path;
}
