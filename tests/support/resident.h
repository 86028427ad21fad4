/* What a process really holds in memory. */
#ifndef C3D_TESTS_RESIDENT_H
#define C3D_TESTS_RESIDENT_H

#include <stdio.h>
#include <unistd.h>

static inline size_t resident_bytes(void)
{
    unsigned long n_all, n_resident = 0;
    FILE *const file = fopen("/proc/self/statm", "r");

    if (file && fscanf(file, "%lu %lu", &n_all, &n_resident) != 2) n_resident = 0;
    if (file) (void)fclose(file);
    return (size_t)n_resident * (size_t)sysconf(_SC_PAGESIZE);
}

#endif
