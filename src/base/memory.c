#include "c3d/base.h"

#include <stdlib.h>
#include <sys/mman.h>

void *c3d_calloc(size_t n, size_t size)
{
    void *memory = calloc(n ? n : 1, size ? size : 1);

    if (!memory) (void)C3D_FAIL(C3D_ENOMEM, "no memory for %zu x %zu bytes", n, size);
    return memory;
}

#define HUGE_PAGE ((size_t)2 << 20)
#define PAGE      ((size_t)64 << 10) /* the largest that common systems have */
#define OWN_PAGES ((size_t)1 << 20)

/* Large arrays are swept as a whole: huge pages spare most page faults and misses of the address
 * cache. Where the system refuses, everything works as before. */
static void prefer_huge_pages(void *memory, size_t n_bytes)
{
    const size_t skipped = (HUGE_PAGE - (uintptr_t)memory % HUGE_PAGE) % HUGE_PAGE;

    if (n_bytes >= skipped + HUGE_PAGE)
        (void)madvise((char *)memory + skipped, (n_bytes - skipped) / HUGE_PAGE * HUGE_PAGE,
                      MADV_HUGEPAGE);
}

void *c3d_aligned(size_t n_bytes)
{
    const size_t grain = n_bytes < OWN_PAGES ? 64 : PAGE;
    const size_t rounded = (n_bytes + grain - 1) / grain * grain;
    void *memory = rounded >= n_bytes ? aligned_alloc(grain, rounded ? rounded : grain) : NULL;

    if (!memory)
        (void)C3D_FAIL(C3D_ENOMEM, "no memory for %zu bytes", n_bytes);
    else if (rounded >= 2 * HUGE_PAGE)
        prefer_huge_pages(memory, rounded);
    return memory;
}
