/* A piece of a sum passes three stages, with a meeting of the node's ranks between each two:
 *   put    every rank lays its numbers into its slot;
 *   add    every rank adds one part of the piece over all ranks, into the result;
 *   take   every rank copies the result. (Between nodes, the leaders first add their results.)
 * Stages of successive pieces share a meeting: after meeting i piece i is added, piece i-1 is added
 * between nodes, and the piece before is taken; then piece i+1 is put. So a slot is written again
 * two meetings after it was read (2 slots), and a result three after it was begun (3 results).
 * Every call ends after a meeting with only its last result still being read. */
#include "comm/node.h"

#include <string.h>

/* Floats added at a time: they stay in the first cache while one rank after the other is added. */
#define BLOCK ((size_t)2048)
#define LINE  ((size_t)16) /* floats of a cache line: no two ranks write to the same */

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static c3d_status split_nodes(c3d_node *node, const c3d_comm *comm, MPI_Comm all)
{
    MPI_Comm host;
    int rank, local_rank, node_rank;

    C3D_MPI(MPI_Comm_rank(all, &rank));
    C3D_MEET(comm, MPI_Comm_split_type(all, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &host));
    C3D_MPI(MPI_Comm_rank(host, &local_rank));
    const int colour = comm->ranks_per_node > 0 ? local_rank / comm->ranks_per_node : 0;
    C3D_MEET(comm, MPI_Comm_split(host, colour, rank, &node->ranks));
    C3D_MPI(MPI_Comm_free(&host));
    C3D_MPI(MPI_Comm_rank(node->ranks, &node_rank));
    C3D_MEET(comm, MPI_Comm_split(all, node_rank == 0 ? 0 : MPI_UNDEFINED, rank, &node->leaders));
    node->is_root = rank == 0;
    node->n_nodes = node_rank == 0;
    C3D_MEET(comm, MPI_Allreduce(MPI_IN_PLACE, &node->n_nodes, 1, MPI_INT, MPI_SUM, all));
    return C3D_OK;
}

c3d_status c3d_node_open(c3d_node *node, const c3d_comm *comm, MPI_Comm all)
{
    int n_all;

    *node = (c3d_node){ .ranks = MPI_COMM_NULL, .leaders = MPI_COMM_NULL };
    C3D_TRY(split_nodes(node, comm, all));
    C3D_MPI(MPI_Comm_size(all, &n_all));
    if (node->n_nodes == n_all) return C3D_OK;
    return c3d_window_open(&node->window, comm, node->ranks);
}

void c3d_node_close(c3d_node *node)
{
    c3d_window_close(&node->window);
    if (node->leaders != MPI_COMM_NULL) (void)MPI_Comm_free(&node->leaders);
    if (node->ranks != MPI_COMM_NULL) (void)MPI_Comm_free(&node->ranks);
}

/* Piece number i of a buffer. */
typedef struct piece {
    float *x;
    size_t n;
    uint64_t turn;
} piece;

static piece piece_of(const c3d_node *node, float *buffer, size_t n, size_t i)
{
    const size_t begin = i * C3D_WINDOW_FLOATS;

    return (piece){ buffer + begin, min_size(n - begin, C3D_WINDOW_FLOATS), node->turn + i };
}

/* What a rank adds of a piece: floats begin to end. */
typedef struct part {
    size_t begin, end;
} part;

static part own_part(const c3d_window *window, size_t n)
{
    const size_t n_ranks = (size_t)window->n_ranks, r = (size_t)window->rank;
    const size_t share = ((n + n_ranks - 1) / n_ranks + LINE - 1) / LINE * LINE;

    return (part){ min_size(n, r * share), min_size(n, (r + 1) * share) };
}

static void copy(float *to, const float *from, size_t begin, size_t end)
{
    memcpy(to + begin, from + begin, (end - begin) * sizeof(float));
}

/* A rank adds its own part straight from its buffer, so nobody else needs it. */
static void put(const c3d_node *node, piece p)
{
    float *slot = c3d_window_slot(&node->window, node->window.rank, p.turn);
    const part own = own_part(&node->window, p.n);

    copy(slot, p.x, 0, own.begin);
    copy(slot, p.x, own.end, p.n);
}

static void add_to(float *restrict sum, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++) sum[i] += x[i];
}

/* In rank order, whichever rank does it. */
static void add(const c3d_node *node, piece p)
{
    const c3d_window *window = &node->window;
    float *sum = c3d_window_result(window, p.turn);
    const part own = own_part(window, p.n);

    for (size_t i = own.begin; i < own.end; i += BLOCK) {
        const size_t end = min_size(i + BLOCK, own.end);
        for (int r = 0; r < window->n_ranks; r++) {
            const float *term = r == window->rank ? p.x : c3d_window_slot(window, r, p.turn);
            if (r == 0)
                copy(sum, term, i, end);
            else
                add_to(sum + i, term + i, end - i);
        }
        if (node->n_nodes == 1) copy(p.x, sum, i, end);
    }
}

static c3d_status add_nodes(const c3d_node *node, piece p)
{
    if (node->leaders != MPI_COMM_NULL)
        C3D_MPI(MPI_Allreduce(MPI_IN_PLACE, c3d_window_result(&node->window, p.turn), (int)p.n,
                              MPI_FLOAT, MPI_SUM, node->leaders));
    return C3D_OK;
}

static void take(const c3d_node *node, piece p)
{
    const float *sum = c3d_window_result(&node->window, p.turn);
    const part own = own_part(&node->window, p.n);

    copy(p.x, sum, 0, own.begin);
    if (node->n_nodes > 1) copy(p.x, sum, own.begin, own.end);
    copy(p.x, sum, own.end, p.n);
}

c3d_status c3d_node_sum(c3d_node *node, float *buffer, size_t n)
{
    const size_t n_pieces = (n + C3D_WINDOW_FLOATS - 1) / C3D_WINDOW_FLOATS;
    const bool has_others = node->n_nodes > 1;
    const size_t lag = has_others ? 2 : 1;

    if (n == 0) return C3D_OK;
    for (size_t i = 0; i < n_pieces + lag; i++) {
        if (i < n_pieces) put(node, piece_of(node, buffer, n, i));
        C3D_TRY(c3d_window_meet(&node->window));
        if (i < n_pieces) add(node, piece_of(node, buffer, n, i));
        if (has_others && i >= 1 && i <= n_pieces)
            C3D_TRY(add_nodes(node, piece_of(node, buffer, n, i - 1)));
        if (i >= lag) take(node, piece_of(node, buffer, n, i - lag));
    }
    node->turn += n_pieces;
    return C3D_OK;
}

/* Rank 0's bytes into its node's result, and from there into those of the other nodes. */
static c3d_status put_result(const c3d_node *node, const char *x, size_t n_bytes)
{
    float *result = c3d_window_result(&node->window, node->turn);

    if (node->is_root) memcpy(result, x, n_bytes);
    if (node->n_nodes > 1) C3D_MPI(MPI_Bcast(result, (int)n_bytes, MPI_BYTE, 0, node->leaders));
    return C3D_OK;
}

/* While the others copy one piece out of its result, the leader fills the next. */
c3d_status c3d_node_broadcast(c3d_node *node, void *buffer, size_t n_bytes)
{
    const size_t piece_bytes = C3D_WINDOW_FLOATS * sizeof(float);
    char *bytes = buffer;

    for (size_t done = 0; done < n_bytes; done += piece_bytes, node->turn++) {
        const size_t n = min_size(n_bytes - done, piece_bytes);
        if (node->leaders != MPI_COMM_NULL) C3D_TRY(put_result(node, bytes + done, n));
        C3D_TRY(c3d_window_meet(&node->window));
        if (!node->is_root) memcpy(bytes + done, c3d_window_result(&node->window, node->turn), n);
    }
    return C3D_OK;
}

/* ---- shares ---------------------------------------------------------------------------------- */

/* Floats of every rank's share in a piece: a slot has room for all of them. */
static size_t share_step(const c3d_window *window)
{
    const size_t n = C3D_WINDOW_FLOATS / (size_t)window->n_ranks;

    return n < LINE ? n : n / LINE * LINE;
}

/* x: this rank's numbers of the piece, overwritten by the sum. In rank order, as add does. */
static void add_share(const c3d_node *node, float *x, size_t n)
{
    const c3d_window *window = &node->window;
    const size_t place = (size_t)window->rank * share_step(window);
    float sum[BLOCK];

    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t count = min_size(BLOCK, n - i);
        for (int r = 0; r < window->n_ranks; r++) {
            const float *slot = c3d_window_slot(window, r, node->turn) + place;
            const float *term = r == window->rank ? x + i : slot + i;
            if (r == 0)
                copy(sum, term, 0, count);
            else
                add_to(sum, term, count);
        }
        copy(x + i, sum, 0, count);
    }
}

/* Only slots are used, and one meeting a piece is enough: a slot that is still being read is
 * written again after the next meeting. */
c3d_status c3d_node_reduce_scatter(c3d_node *node, float *all, size_t n_share)
{
    c3d_window *window = &node->window;
    const size_t step = share_step(window);

    for (size_t done = 0; done < n_share; done += step, node->turn++) {
        float *slot = c3d_window_slot(window, window->rank, node->turn);
        const size_t n = min_size(n_share - done, step);
        for (int r = 0; r < window->n_ranks; r++)
            if (r != window->rank)
                copy(slot + (size_t)r * step, all + (size_t)r * n_share + done, 0, n);
        C3D_TRY(c3d_window_meet(window));
        add_share(node, all + (size_t)window->rank * n_share + done, n);
    }
    return C3D_OK;
}

c3d_status c3d_node_all_gather(c3d_node *node, void *all, size_t n_bytes)
{
    c3d_window *window = &node->window;
    const size_t piece_bytes = C3D_WINDOW_FLOATS * sizeof(float);
    char *bytes = all;

    for (size_t done = 0; done < n_bytes; done += piece_bytes, node->turn++) {
        const size_t n = min_size(n_bytes - done, piece_bytes);
        memcpy(c3d_window_slot(window, window->rank, node->turn),
               bytes + (size_t)window->rank * n_bytes + done, n);
        C3D_TRY(c3d_window_meet(window));
        for (int r = 0; r < window->n_ranks; r++)
            if (r != window->rank)
                memcpy(bytes + (size_t)r * n_bytes + done, c3d_window_slot(window, r, node->turn),
                       n);
    }
    return C3D_OK;
}
