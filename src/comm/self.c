/* One rank: every sum is already there. */
#include "c3d/comm.h"

static c3d_status self_open(c3d_comm *self, double timeout_s)
{
    (void)self, (void)timeout_s;
    return C3D_OK;
}

static void self_close(c3d_comm *self)
{
    (void)self;
}

static c3d_status self_sum(c3d_comm *self, float *buffer, size_t n)
{
    (void)self, (void)buffer, (void)n;
    return C3D_OK;
}

static c3d_status self_broadcast(c3d_comm *self, void *buffer, size_t n_bytes)
{
    (void)self, (void)buffer, (void)n_bytes;
    return C3D_OK;
}

static c3d_status self_reduce_scatter(c3d_comm *self, float *all, size_t n_share)
{
    (void)self, (void)all, (void)n_share;
    return C3D_OK;
}

static c3d_status self_all_gather(c3d_comm *self, void *all, size_t n_bytes)
{
    (void)self, (void)all, (void)n_bytes;
    return C3D_OK;
}

static c3d_status self_exchange(c3d_comm *self, int partner, const float *send, float *receive,
                                size_t n)
{
    (void)self, (void)send, (void)receive, (void)n;
    return C3D_FAIL(C3D_EINVAL, "exchange with rank %d: there is one rank", partner);
}

static c3d_status self_wait(c3d_comm *self)
{
    (void)self;
    return C3D_OK;
}

const c3d_comm_ops c3d_comm_self = {
    .name = "self",
    .open = self_open,
    .close = self_close,
    .abort = self_close,
    .sum = self_sum,
    .broadcast = self_broadcast,
    .reduce_scatter = self_reduce_scatter,
    .all_gather = self_all_gather,
    .exchange = self_exchange,
    .wait = self_wait,
    .poll = self_wait,
};
