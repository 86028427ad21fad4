/* What ranks exchange through the window of a node, with MPI between the first ranks of the nodes.
 * Private to comm. */
#ifndef C3D_COMM_NODE_H
#define C3D_COMM_NODE_H

#include "comm/window.h"

typedef struct c3d_node {
    MPI_Comm ranks;   /* of this node, in the order of all; owned */
    MPI_Comm leaders; /* the first rank of each node; MPI_COMM_NULL on others; owned */
    int n_nodes;
    bool is_root;      /* rank 0 of all */
    c3d_window window; /* closed when no node has more than one rank */
    uint64_t turn;     /* pieces that went through the window */
} c3d_node;

/* `all`: the data plane's ranks, those of comm. A window that cannot be had is an error on that
 * rank alone: agree before using it. COLLECTIVE, as is everything below. */
C3D_CHECKED c3d_status c3d_node_open(c3d_node *node, const c3d_comm *comm, MPI_Comm all);
void c3d_node_close(c3d_node *node); /* after a failed open too */
/* Needs the window. */
C3D_CHECKED c3d_status c3d_node_sum(c3d_node *node, float *buffer, size_t n);
C3D_CHECKED c3d_status c3d_node_broadcast(c3d_node *node, void *buffer, size_t n_bytes);
/* As c3d_comm_ops says; need the window, and all ranks in one node. */
C3D_CHECKED c3d_status c3d_node_reduce_scatter(c3d_node *node, float *all, size_t n_share);
C3D_CHECKED c3d_status c3d_node_all_gather(c3d_node *node, void *all, size_t n_bytes);

#endif
