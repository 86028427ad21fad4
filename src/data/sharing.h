/* Ranks as a c3d_sharing tells them; NULL is one rank alone. Private to data. */
#ifndef C3D_DATA_SHARING_H
#define C3D_DATA_SHARING_H

#include "c3d/data.h"

static inline int c3d_sharing_rank(const c3d_sharing *sharing)
{
    return sharing ? sharing->rank : 0;
}

static inline int c3d_sharing_n_ranks(const c3d_sharing *sharing)
{
    return sharing && sharing->n_ranks > 0 ? sharing->n_ranks : 1;
}

/* COLLECTIVE: all ranks go on, or all have an error. */
C3D_CHECKED static inline c3d_status c3d_sharing_agree(const c3d_sharing *sharing,
                                                       c3d_status status)
{
    return sharing && sharing->agree ? sharing->agree(sharing->context, status) : status;
}

#endif
