#include "c3d/base.h"

#include <time.h>

double c3d_now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void c3d_now_text(char out[24])
{
    const time_t now = time(NULL);
    struct tm utc;

    (void)gmtime_r(&now, &utc);
    (void)strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
