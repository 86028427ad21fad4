/* Memory of this host and of this process, as the kernel tells it. */
#ifndef C3D_TRAIN_HOST_MEMORY_H
#define C3D_TRAIN_HOST_MEMORY_H

#include "c3d/base.h"

typedef struct c3d_host_memory {
    uint64_t available; /* bytes that can still be taken; UINT64_MAX: the host does not say */
    bool is_of_group;   /* set by the limit of a control group, not by the host */
} c3d_host_memory;

/* MemAvailable, or what the limit of this process's control group (v1 or v2), or of one above it,
 * leaves where that is less: page cache that would be given back counts as left. root comes before
 * /proc and /sys: "" but for tests. */
c3d_host_memory c3d_host_memory_of(const char *root);

/* Resident bytes of this process, and the most there were; 0 where the system does not say. */
typedef struct c3d_held_memory {
    uint64_t now, most;
} c3d_held_memory;
c3d_held_memory c3d_held_memory_now(void);

#endif
