#include "comm/watch.h"

#include "comm/ending.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAP_S    0.02
#define BEAT_S   1.0  /* between two signs; an eighth of the time-out if that is less */
#define SOON_S   30.0 /* the least wait that is worth a warning */
#define ENDING_S 3.0  /* in which mpirun ends ranks */
#define MOST_S   2.0  /* of a turn */
#define N_QUIET  25
#define SIGN_TAG 1

/* Where this rank stands in a plane: written by the thread that makes its calls. */
typedef struct standing {
    _Atomic uint64_t n_begun;
    _Atomic uint64_t n_moves; /* of anything that goes on */
    _Atomic uint64_t n_asked;
    atomic_bool waits;
} standing;

/* The other end of an exchange of signs. */
typedef struct peer {
    c3d_sign in, out;
    MPI_Request receives, sends; /* MPI_REQUEST_NULL: nothing is under way */
    bool is_owed;                /* it waits for an answer */
    bool has_left;
} peer;

struct c3d_watch {
    const c3d_comm *comm;
    MPI_Comm line;
    pthread_t thread;
    c3d_panel panel; /* limit_s is set when it is looked at */
    c3d_seen *seen;  /* [n]: on rank 0 of all ranks, elsewhere of rank 0 */
    peer *peers;     /* [n]: on rank 0 all ranks but the first of them, elsewhere rank 0 */
    char host_of_0[C3D_HOST_MAX];
    standing standings[C3D_N_PLANES];
    _Atomic double timeout_s;
    atomic_bool is_ending;
    /* the thread's own: */
    uint64_t n_moves[C3D_N_PLANES], n_asked[C3D_N_PLANES], n_warned[C3D_N_PLANES];
    int n_quiet[C3D_N_PLANES]; /* naps since it asked */
    c3d_sign mine;
    double since_sign_s;
    bool is_over;
};

/* ---- what the calls say ---------------------------------------------------------------------- */

void c3d_watch_move(const c3d_comm *comm, c3d_plane plane)
{
    if (comm->watch) atomic_fetch_add(&comm->watch->standings[plane].n_moves, 1);
}

void c3d_watch_begin(const c3d_comm *comm, c3d_plane plane)
{
    if (comm->watch) atomic_fetch_add(&comm->watch->standings[plane].n_begun, 1);
    c3d_phase_tick();
}

void c3d_watch_ask(const c3d_comm *comm, c3d_plane plane)
{
    if (comm->watch) atomic_fetch_add(&comm->watch->standings[plane].n_asked, 1);
}

void c3d_watch_enter(const c3d_comm *comm, c3d_plane plane)
{
    c3d_watch_begin(comm, plane);
    c3d_watch_move(comm, plane);
    if (comm->watch) atomic_store(&comm->watch->standings[plane].waits, true);
}

void c3d_watch_leave(const c3d_comm *comm, c3d_plane plane)
{
    if (comm->watch) atomic_store(&comm->watch->standings[plane].waits, false);
    c3d_phase_tick();
}

/* ---- signs ----------------------------------------------------------------------------------- */

/* A busy machine may let several naps pass between two questions. */
static bool is_asking(c3d_watch *w, int p)
{
    const uint64_t n_asked = atomic_load(&w->standings[p].n_asked);

    w->n_quiet[p] = n_asked != w->n_asked[p] ? 0 : w->n_quiet[p] + 1;
    w->n_asked[p] = n_asked;
    return n_asked > 0 && w->n_quiet[p] < N_QUIET;
}

static void take_sign(c3d_watch *w)
{
    w->mine.phase = c3d_phase_get();
    for (int p = 0; p < C3D_N_PLANES; p++) {
        const standing *s = &w->standings[p];
        const uint64_t n_moves = atomic_load(&s->n_moves);
        const bool waits = atomic_load(&s->waits) || is_asking(w, p);
        w->mine.waited_s[p] = waits && n_moves == w->n_moves[p] ? w->mine.waited_s[p] + NAP_S : 0;
        w->mine.n_begun[p] = atomic_load(&s->n_begun);
        w->n_moves[p] = n_moves;
    }
}

static void see(c3d_seen *seen, const c3d_sign *sign)
{
    if (sign->phase.n_ticks != seen->sign.phase.n_ticks) seen->at_rest_s = 0;
    seen->silent_s = 0;
    seen->sign = *sign;
}

static c3d_status is_done(MPI_Request *request, bool *out)
{
    int done;

    C3D_MPI(MPI_Test(request, &done, MPI_STATUS_IGNORE));
    *out = done != 0;
    return C3D_OK;
}

static c3d_status send_sign(c3d_watch *w, peer *to, int rank)
{
    to->out = w->mine;
    C3D_MPI(MPI_Isend(&to->out, sizeof to->out, MPI_BYTE, rank, SIGN_TAG, w->line, &to->sends));
    return C3D_OK;
}

static c3d_status receive_sign(c3d_watch *w, peer *from, int rank)
{
    C3D_MPI(
        MPI_Irecv(&from->in, sizeof from->in, MPI_BYTE, rank, SIGN_TAG, w->line, &from->receives));
    return C3D_OK;
}

/* Rank 0: the sign of one rank, if it has come, and the answer as soon as the last has left us. */
static c3d_status hear(c3d_watch *w, int rank)
{
    peer *p = &w->peers[rank];
    bool came = false, sent = false;

    if (p->receives != MPI_REQUEST_NULL) {
        C3D_TRY(is_done(&p->receives, &came));
        if (came) see(&w->seen[rank], &p->in);
        p->is_owed = came;
    }
    C3D_TRY(is_done(&p->sends, &sent));
    if (!p->is_owed) {
        p->has_left = w->seen[rank].sign.is_leaving && sent;
        return C3D_OK;
    }
    if (!sent) return C3D_OK;
    p->is_owed = false;
    C3D_TRY(send_sign(w, p, rank));
    return p->in.is_leaving ? C3D_OK : receive_sign(w, p, rank);
}

static c3d_status hear_all(c3d_watch *w)
{
    bool all_left = true;

    see(&w->seen[0], &w->mine);
    for (int r = 1; r < w->panel.n; r++) {
        if (!w->peers[r].has_left) C3D_TRY(hear(w, r));
        all_left = all_left && w->peers[r].has_left;
    }
    w->is_over = all_left && atomic_load(&w->is_ending);
    return C3D_OK;
}

/* Any other rank: a sign now and then, once the last was answered. */
static c3d_status talk(c3d_watch *w)
{
    peer *p = &w->peers[0];
    bool came = false, sent = false;

    if (p->receives != MPI_REQUEST_NULL) C3D_TRY(is_done(&p->receives, &came));
    if (came) see(&w->seen[0], &p->in);
    C3D_TRY(is_done(&p->sends, &sent));
    if (p->receives != MPI_REQUEST_NULL || !sent) return C3D_OK;
    w->is_over = w->mine.is_leaving;
    w->since_sign_s += NAP_S;
    const bool is_ending = atomic_load(&w->is_ending);
    if (w->is_over ||
        (!is_ending && w->since_sign_s < fmin(BEAT_S, atomic_load(&w->timeout_s) / 8)))
        return C3D_OK;
    w->since_sign_s = 0;
    w->mine.is_leaving = is_ending;
    C3D_TRY(send_sign(w, p, 0));
    return receive_sign(w, p, 0);
}

/* ---- judging --------------------------------------------------------------------------------- */

static void nap(double seconds)
{
    const struct timespec length = { .tv_sec = (time_t)seconds,
                                     .tv_nsec = (long)(fmod(seconds, 1) * 1e9) };

    (void)nanosleep(&length, NULL);
}

_Noreturn static void end(const c3d_watch *w, const char *who)
{
    (void)C3D_FAIL(C3D_ECOMM, "%s", who);
    c3d_end_all(w->comm, c3d_error_last());
}

/* Once for each call that somebody waits in. */
static void warn(c3d_watch *w, const char *who)
{
    bool is_new = false;

    for (int p = 0; p < C3D_N_PLANES; p++) {
        for (int r = 0; r < w->panel.n; r++) {
            const c3d_sign *sign = &w->seen[r].sign;
            if (sign->waited_s[p] < w->panel.limit_s || sign->n_begun[p] <= w->n_warned[p])
                continue;
            w->n_warned[p] = sign->n_begun[p];
            is_new = true;
        }
    }
    if (is_new)
        c3d_log_warn("%s (after %g s without progress the run ends: distributed.timeout_s)", who,
                     atomic_load(&w->timeout_s));
}

static void judge_all(c3d_watch *w)
{
    const double timeout_s = atomic_load(&w->timeout_s);
    c3d_text who = { 0 };

    w->panel.limit_s = timeout_s;
    c3d_judgement found = c3d_judge(&w->panel, &who);
    if (found == C3D_SOME_LATE || found == C3D_ALL_WAIT) end(w, who.text);
    if (found == C3D_NONE_LATE) {
        w->panel.limit_s = fmax(SOON_S, timeout_s / 2);
        found = c3d_judge(&w->panel, &who);
    }
    if (found != C3D_NONE_LATE) warn(w, who.text);
    c3d_text_free(&who);
}

/* Rank 0 judges itself while it can be heard, and is silent when it has just ended all. Hosts take
 * turns: the first that can ends the others before they say the same. */
static void judge_rank_0(c3d_watch *w)
{
    const double timeout_s = fmax(atomic_load(&w->timeout_s), ENDING_S);
    c3d_text who = { 0 };

    for (int p = 0; p < C3D_N_PLANES; p++) {
        if (w->mine.waited_s[p] < timeout_s || w->seen[0].silent_s < timeout_s) continue;
        nap(fmin(MOST_S, NAP_S * w->comm->first_local_rank));
        c3d_judge_name(&w->seen[0], 0, w->host_of_0, timeout_s, &who);
        end(w, who.text);
    }
}

static void grow_older(c3d_watch *w)
{
    const int n = w->comm->rank == 0 ? w->panel.n : 1;

    for (int r = 0; r < n; r++) {
        if (w->peers[r].has_left) { /* it waits for the others to leave too */
            w->seen[r].sign.waited_s[C3D_PLANE_CONTROL] += NAP_S;
            continue;
        }
        w->seen[r].silent_s += NAP_S;
        w->seen[r].at_rest_s += NAP_S;
    }
}

static void *watch(void *argument)
{
    c3d_watch *w = argument;
    c3d_status st = C3D_OK;

    while (!w->is_over) {
        nap(NAP_S);
        take_sign(w);
        grow_older(w);
        /* where MPI fails there are no more signs, which is for the others to judge */
        if (st == C3D_OK) st = w->comm->rank == 0 ? hear_all(w) : talk(w);
        if (w->comm->rank == 0)
            judge_all(w);
        else
            judge_rank_0(w);
        if (st != C3D_OK && atomic_load(&w->is_ending)) break;
    }
    return NULL;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

/* What all ranks know of rank 0. */
typedef struct origin {
    uint64_t job;
    char host[C3D_HOST_MAX];
} origin;

static c3d_status open_line(c3d_comm *comm, c3d_watch *w)
{
    origin from = { .job = (uint64_t)(c3d_now_s() * 1e9) ^ (uint64_t)getpid() << 40 };
    int all_allocated = w->seen && w->peers;

    memcpy(from.host, comm->host, sizeof from.host);
    C3D_MPI(MPI_Bcast(&from, sizeof from, MPI_BYTE, 0, MPI_COMM_WORLD));
    comm->job = from.job;
    memcpy(w->host_of_0, from.host, sizeof w->host_of_0);
    C3D_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &w->line));
    C3D_MPI(MPI_Allreduce(MPI_IN_PLACE, &all_allocated, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD));
    if (!all_allocated) return C3D_ENOMEM;
    for (int r = 0; r < w->panel.n; r++)
        w->peers[r].receives = w->peers[r].sends = MPI_REQUEST_NULL;
    for (int r = 1; r < w->panel.n && comm->rank == 0; r++)
        C3D_TRY(receive_sign(w, &w->peers[r], r));
    return C3D_OK;
}

/* Signals are the main thread's business. */
static c3d_status start_thread(c3d_watch *w)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int reason = pthread_create(&w->thread, NULL, watch, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reason != 0)
        return C3D_FAIL(C3D_ENOMEM, "the thread that watches the ranks: %s", strerror(reason));
    return C3D_OK;
}

static void destroy(c3d_watch *w)
{
    free(w->seen);
    free(w->peers);
    free(w);
}

c3d_status c3d_watch_start(c3d_comm *comm)
{
    if (comm->n_ranks == 1 || !comm->has_threads) return C3D_OK;
    c3d_watch *w = c3d_calloc(1, sizeof *w);
    if (!w) return C3D_ENOMEM;
    w->comm = comm;
    w->timeout_s = C3D_TIMEOUT_S;
    w->panel = (c3d_panel){ .n = comm->n_ranks, .hosts = comm->hosts };
    w->seen = c3d_calloc((size_t)comm->n_ranks, sizeof *w->seen);
    w->peers = c3d_calloc((size_t)comm->n_ranks, sizeof *w->peers);
    w->panel.seen = w->seen;
    c3d_status st = open_line(comm, w);
    if (st == C3D_OK) st = start_thread(w);
    if (st != C3D_OK) {
        destroy(w);
        return st;
    }
    comm->watch = w;
    return C3D_OK;
}

void c3d_watch_stop(c3d_comm *comm)
{
    c3d_watch *w = comm->watch;

    if (!w) return;
    c3d_phase_set(C3D_PHASE_LEAVING, 0, 0);
    c3d_watch_enter(comm, C3D_PLANE_CONTROL); /* the others may still be at work */
    atomic_store(&w->is_ending, true);
    (void)pthread_join(w->thread, NULL);
    (void)MPI_Comm_free(&w->line);
    comm->watch = NULL;
    destroy(w);
}

void c3d_comm_set_timeout(c3d_comm *comm, double timeout_s)
{
    comm->timeout_s = timeout_s;
    if (comm->watch) atomic_store(&comm->watch->timeout_s, timeout_s);
}
