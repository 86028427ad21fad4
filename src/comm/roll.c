/* A star around rank 0 with calls that do not block: a collective call of MPI could not be left
 * when a rank stays away, nor would it tell which. */
#include "comm/roll.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Time is counted in naps, as in window.c. */
#define NAP_S 0.001
/* The others wait so much longer, for rank 0 to tell them who is missing. */
#define GRACE_S 5.0

typedef struct verdict {
    int n_missing;
    c3d_roll roll; /* who: the missing if there are any */
} verdict;

/* What may still be on its way to a rank that stays away when we have left. */
static struct {
    int answer;
    verdict verdict;
} underway;

static void nap(double *waited_s)
{
    static const struct timespec length = { .tv_nsec = (long)(NAP_S * 1e9) };

    (void)nanosleep(&length, NULL);
    *waited_s += NAP_S;
}

static c3d_status wait_for_all(MPI_Request *requests, int n, double timeout_s, bool *done_out)
{
    double waited_s = 0;
    int done = 0;

    C3D_MPI(MPI_Testall(n, requests, &done, MPI_STATUSES_IGNORE));
    while (!done && waited_s < timeout_s) {
        nap(&waited_s);
        C3D_MPI(MPI_Testall(n, requests, &done, MPI_STATUSES_IGNORE));
    }
    *done_out = done != 0;
    return C3D_OK;
}

static void add_name(const c3d_comm *comm, int rank, char who[256])
{
    const size_t n = strlen(who);
    const char *host = comm->hosts ? comm->hosts + (size_t)rank * sizeof comm->host : "?";

    if (n < 200) /* enough to look for the cause */
        (void)snprintf(who + n, 256 - n, "%srank %d (%.30s)", n ? ", " : "", rank, host);
    else if (who[n - 1] != '.')
        (void)snprintf(who + n, 256 - n, ", ...");
}

static c3d_status find_missing(const c3d_comm *comm, MPI_Request *requests, verdict *told)
{
    for (int r = 1; r < comm->n_ranks; r++) {
        int here;
        C3D_MPI(MPI_Test(&requests[r], &here, MPI_STATUS_IGNORE));
        if (here) continue;
        C3D_MPI(MPI_Cancel(&requests[r]));
        C3D_MPI(MPI_Wait(&requests[r], MPI_STATUS_IGNORE));
        told->n_missing++;
        add_name(comm, r, told->roll.who);
    }
    return C3D_OK;
}

static void find_worst(const c3d_comm *comm, const int *answers, c3d_roll *roll)
{
    for (int r = 0; r < comm->n_ranks; r++)
        if (answers[r] > roll->worst) roll->worst = answers[r];
    for (int r = 0; r < comm->n_ranks; r++)
        if (answers[r] == roll->worst) add_name(comm, r, roll->who);
}

static c3d_status tell(const c3d_comm *comm, int tag, MPI_Request *requests)
{
    bool all_told = false;

    for (int r = 1; r < comm->n_ranks; r++)
        C3D_MPI(MPI_Isend(&underway.verdict, sizeof underway.verdict, MPI_BYTE, r, tag,
                          MPI_COMM_WORLD, &requests[r]));
    C3D_TRY(wait_for_all(requests + 1, comm->n_ranks - 1, GRACE_S, &all_told));
    for (int r = 1; r < comm->n_ranks && !all_told; r++)
        if (requests[r] != MPI_REQUEST_NULL) C3D_MPI(MPI_Request_free(&requests[r]));
    return C3D_OK;
}

/* answers: [n_ranks], the first is ours. */
static c3d_status ask(const c3d_comm *comm, int tag, double timeout_s, int *answers,
                      MPI_Request *requests)
{
    bool all_here = false;

    for (int r = 1; r < comm->n_ranks; r++)
        C3D_MPI(MPI_Irecv(&answers[r], 1, MPI_INT, r, tag, MPI_COMM_WORLD, &requests[r]));
    C3D_TRY(wait_for_all(requests + 1, comm->n_ranks - 1, timeout_s, &all_here));
    underway.verdict = (verdict){ .roll.worst = answers[0] };
    if (!all_here) C3D_TRY(find_missing(comm, requests, &underway.verdict));
    if (underway.verdict.n_missing == 0) find_worst(comm, answers, &underway.verdict.roll);
    return tell(comm, tag, requests);
}

static c3d_status ask_all(const c3d_comm *comm, int tag, int answer, double timeout_s, verdict *out)
{
    int *answers = c3d_calloc((size_t)comm->n_ranks, sizeof *answers);
    MPI_Request *requests = c3d_calloc((size_t)comm->n_ranks, sizeof *requests);
    c3d_status st = answers && requests ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK) {
        answers[0] = answer;
        st = ask(comm, tag, timeout_s, answers, requests);
    }
    free(answers);
    free(requests);
    *out = underway.verdict;
    return st;
}

static c3d_status reply(int tag, int answer, double timeout_s, verdict *out)
{
    MPI_Request requests[2];
    bool done = false;

    underway.answer = answer;
    C3D_MPI(MPI_Irecv(out, sizeof *out, MPI_BYTE, 0, tag, MPI_COMM_WORLD, &requests[0]));
    C3D_MPI(MPI_Isend(&underway.answer, 1, MPI_INT, 0, tag, MPI_COMM_WORLD, &requests[1]));
    C3D_TRY(wait_for_all(requests, 2, timeout_s + GRACE_S, &done));
    if (done) return C3D_OK;
    if (requests[0] != MPI_REQUEST_NULL) {
        C3D_MPI(MPI_Cancel(&requests[0]));
        C3D_MPI(MPI_Wait(&requests[0], MPI_STATUS_IGNORE));
    }
    if (requests[1] != MPI_REQUEST_NULL) C3D_MPI(MPI_Request_free(&requests[1]));
    *out = (verdict){ .n_missing = 1, .roll.who = "rank 0" };
    return C3D_OK;
}

c3d_status c3d_roll_call(const c3d_comm *comm, int tag, int answer, double timeout_s, c3d_roll *out)
{
    verdict told;

    if (comm->rank == 0)
        C3D_TRY(ask_all(comm, tag, answer, timeout_s, &told));
    else
        C3D_TRY(reply(tag, answer, timeout_s, &told));
    if (told.n_missing > 0)
        return C3D_FAIL(C3D_ECOMM, "%s: no answer within %g s", told.roll.who, timeout_s);
    *out = told.roll;
    return C3D_OK;
}
