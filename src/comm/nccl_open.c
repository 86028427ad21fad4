/* Opening and closing the communicator "nccl". Its ranks find each other through MPI, and while
 * NCCL connects them they ask each other how it goes, so that none is left alone in a call of NCCL.
 */
#include "comm/choose.h"
#include "comm/nccl_state.h"

#include <stdlib.h>
#include <string.h>

/* Thread blocks that NCCL may take from the SMs that compute; NCCL_MAX_CTAS has the last word. */
#define MAX_CTAS        16
#define MAX_CTAS_SHARED 2 /* of a GPU that several ranks share */

/* All is done by then: what it still waits for may be left. */
#define FINALIZE_S 60.0

enum { DONE, GOING, LATE, FAILED };

c3d_status c3d_nccl_find_gpu(const c3d_comm_device *device, char bus_id[32])
{
    C3D_CUDA(cudaDeviceGetPCIBusId(bus_id, 32, device->index));
    return C3D_OK;
}

/* NCCL reads its environment once, at its first call; what the user has set stays. */
static c3d_status set_environment(const c3d_comm *self)
{
    static const char *const repeatable[][2] = {
        { "NCCL_ALGO", "Ring" },
        { "NCCL_PROTO", "Simple" },
        { "NCCL_NVLS_ENABLE", "0" },
    };
    char host[32];
    int code = 0;

    for (size_t i = 0; i < C3D_COUNT(repeatable) && self->device->deterministic; i++)
        code |= setenv(repeatable[i][0], repeatable[i][1], 0);
    if (self->shares_gpu) { /* NCCL refuses two ranks of one host on one GPU: be two hosts */
        (void)snprintf(host, sizeof host, "c3d-%d", self->rank);
        code |= setenv("NCCL_HOSTID", host, 0);
    }
    if (self->shares_gpu && self->n_local_ranks == self->n_ranks) {
        code |= setenv("NCCL_SOCKET_IFNAME", "lo", 0);
        code |= setenv("NCCL_IB_DISABLE", "1", 0);
    }
    return code == 0 ? C3D_OK : C3D_FAIL(C3D_ENOMEM, "NCCL: its environment could not be set");
}

static c3d_status create_events(c3d_nccl *state)
{
    for (int i = 0; i < C3D_FLIGHTS; i++) {
        C3D_CUDA(cudaEventCreate(&state->flights[i].begin));
        C3D_CUDA(cudaEventCreate(&state->flights[i].end));
        C3D_CUDA(cudaEventCreate(&state->flights[i].wait));
    }
    return C3D_OK;
}

/* What can fail on a rank by itself; the id is rank 0's. */
static c3d_status prepare(const c3d_comm *self, c3d_nccl *state, ncclUniqueId *id)
{
    int least, greatest;

    C3D_TRY(set_environment(self));
    C3D_CUDA(cudaSetDevice(self->device->index));
    C3D_CUDA(cudaDeviceGetStreamPriorityRange(&least, &greatest));
    C3D_CUDA(cudaStreamCreateWithPriority(&state->stream, cudaStreamNonBlocking, greatest));
    C3D_TRY(create_events(state));
    if (self->rank == 0) C3D_NCCL(ncclGetUniqueId(id));
    return C3D_OK;
}

static c3d_status start(const c3d_comm *self, c3d_nccl *state, const ncclUniqueId *id,
                        ncclResult_t *code_out)
{
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;

    config.blocking = 0;
    config.maxCTAs = self->shares_gpu ? MAX_CTAS_SHARED : MAX_CTAS;
    *code_out = ncclCommInitRankConfig(&state->nccl, self->n_ranks, *id, self->rank, &config);
    if (*code_out != ncclInProgress) C3D_NCCL(*code_out);
    return C3D_OK;
}

/* Some rank's failure is everybody's, and says that NCCL can be done without. */
static c3d_status agree_on_support(c3d_comm *self, c3d_status st)
{
    char message[sizeof c3d_error_last()->message];

    st = c3d_comm_agree_status(self, st);
    if (st == C3D_OK || !self->agreed) return st;
    self->agreed = false;
    memcpy(message, c3d_error_last()->message, sizeof message);
    return C3D_FAIL(C3D_EUNSUPPORTED, "%s", message);
}

/* The furthest from DONE of what the ranks say, and whose it is. */
typedef struct worst {
    int how;
    char who[200];
} worst;

static c3d_status find_worst(c3d_comm *self, int how, worst *out)
{
    void *all = NULL;
    size_t n_bytes = 0;

    *out = (worst){ .how = DONE };
    C3D_TRY(c3d_comm_gather(self, &how, sizeof how, &all, &n_bytes));
    const int *ways = all;
    for (int r = 0; ways && r < self->n_ranks; r++) {
        if (ways[r] <= out->how) continue;
        out->how = ways[r];
        (void)snprintf(out->who, sizeof out->who, "rank %d (%.100s)", r,
                       self->hosts + (size_t)r * C3D_HOST_MAX);
    }
    free(all);
    return c3d_comm_share(self, out, sizeof *out);
}

/* Every rank takes the same way out: all are connected, some failed (status is this rank's), or it
 * took too long. */
static c3d_status connect(c3d_comm *self, c3d_nccl *state, const ncclUniqueId *id, double limit_s)
{
    ncclResult_t code = ncclSuccess;
    c3d_status st = start(self, state, id, &code);
    const double start_s = c3d_now_s();
    worst all = { .how = GOING };

    while (all.how == GOING) {
        c3d_nccl_nap();
        if (st == C3D_OK && code == ncclInProgress)
            if (ncclCommGetAsyncError(state->nccl, &code) != ncclSuccess ||
                (code != ncclSuccess && code != ncclInProgress))
                st = c3d_nccl_failed(code, "ncclCommInitRankConfig", __FILE__, __LINE__);
        const bool is_late = c3d_now_s() - start_s > limit_s;
        const int how = st != C3D_OK ? FAILED : code == ncclSuccess ? DONE : is_late ? LATE : GOING;
        C3D_TRY(find_worst(self, how, &all));
    }
    if (all.how == LATE) {
        self->agreed = true;
        return C3D_FAIL(C3D_ECOMM, "NCCL: not connected after %g s: %s", limit_s, all.who);
    }
    return agree_on_support(self, st);
}

void c3d_comm_versions(c3d_text *out)
{
    int version = 0;

    (void)ncclGetVersion(&version);
    c3d_text_add(out, "NCCL %d.%d.%d", version / 10000, version / 100 % 100, version % 100);
}

static c3d_status open_state(c3d_comm *self, c3d_nccl *state, double timeout_s)
{
    ncclUniqueId id = { { 0 } };
    c3d_text version = { 0 };

    C3D_TRY(agree_on_support(self, prepare(self, state, &id)));
    C3D_TRY(c3d_comm_share(self, &id, sizeof id));
    C3D_TRY(connect(self, state, &id, timeout_s));
    c3d_comm_versions(&version);
    c3d_log_run("sums over %d ranks: %s%s", self->n_ranks, version.text,
                self->shares_gpu ? ", several ranks on one GPU: slow, for tests" : "");
    c3d_text_free(&version);
    return C3D_OK;
}

static void free_state(c3d_nccl *state)
{
    for (int i = 0; i < C3D_FLIGHTS; i++) {
        if (state->flights[i].begin) (void)cudaEventDestroy(state->flights[i].begin);
        if (state->flights[i].end) (void)cudaEventDestroy(state->flights[i].end);
        if (state->flights[i].wait) (void)cudaEventDestroy(state->flights[i].wait);
    }
    if (state->stream) (void)cudaStreamDestroy(state->stream);
    free(state);
}

c3d_status c3d_nccl_open(c3d_comm *self, double timeout_s)
{
    c3d_nccl *state = c3d_calloc(1, sizeof *state);

    if (!state) return C3D_ENOMEM;
    state->compute = self->device->stream;
    state->comm = self;
    const c3d_status st = open_state(self, state, timeout_s);
    if (st != C3D_OK) {
        c3d_nccl_give_up(state);
        free_state(state);
        return st;
    }
    self->state = state;
    return C3D_OK;
}

/* All that is enqueued, and then the communicator, unless the others are gone. */
static c3d_status finish(c3d_comm *self, c3d_nccl *state)
{
    C3D_TRY(self->ops->poll(self));
    while (state->n_flights > 0) {
        c3d_nccl_nap();
        C3D_TRY(self->ops->poll(self));
    }
    ncclResult_t code = ncclCommFinalize(state->nccl);
    C3D_TRY(c3d_nccl_settle(state, &code, "ncclCommFinalize", FINALIZE_S));
    code = ncclCommDestroy(state->nccl); /* may go on behind our back; nobody may ask any more */
    state->nccl = NULL;
    if (code != ncclInProgress) C3D_NCCL(code);
    return C3D_OK;
}

void c3d_nccl_close(c3d_comm *self)
{
    c3d_nccl *state = self->state;

    if (!state) return;
    if (state->nccl && finish(self, state) != C3D_OK) c3d_nccl_give_up(state);
    free_state(state);
    self->state = NULL;
}
