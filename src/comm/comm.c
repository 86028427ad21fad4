#include "comm/choose.h"
#include "comm/cores.h"
#include "comm/deadline.h"
#include "comm/ending.h"
#include "comm/watch.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

c3d_status c3d_mpi_failed(int code, const char *call, const char *file, int line)
{
    char words[MPI_MAX_ERROR_STRING] = "unknown error";
    int n;

    (void)MPI_Error_string(code, words, &n);
    return c3d_error_set(C3D_ECOMM, file, line, "%s: %s", call, words);
}

static c3d_status find_local_rank(c3d_comm *comm)
{
    MPI_Comm host;

    C3D_MPI(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL,
                                &host));
    C3D_MPI(MPI_Comm_rank(host, &comm->local_rank));
    C3D_MPI(MPI_Comm_size(host, &comm->n_local_ranks));
    comm->first_local_rank = comm->rank;
    C3D_MPI(MPI_Bcast(&comm->first_local_rank, 1, MPI_INT, 0, host));
    C3D_MPI(MPI_Comm_free(&host));
    return C3D_OK;
}

/* While all ranks are still there: later the host of one that is missing may be wanted. */
static c3d_status gather_hosts(c3d_comm *comm)
{
    const int n = sizeof comm->host;

    if (comm->rank == 0) {
        comm->hosts = c3d_calloc((size_t)comm->n_ranks, sizeof comm->host);
        if (!comm->hosts) return C3D_ENOMEM;
    }
    C3D_MPI(MPI_Gather(comm->host, n, MPI_CHAR, comm->hosts, n, MPI_CHAR, 0, MPI_COMM_WORLD));
    return C3D_OK;
}

/* Tasks of srun that were given no way to find each other (PMIx or PMI): Open MPI ends the process
 * in MPI_Init, other MPIs take each task for a run of its own. mpirun in a step gives its own. */
static c3d_status check_launch(c3d_comm *comm)
{
    static const char *const ways[] = {
        "PMIX_NAMESPACE",   "PMIX_RANK",           "PMI_FD", "PMI_RANK", "PMI_SIZE",
        "PMI_CONTROL_PORT", "OMPI_COMM_WORLD_SIZE"
    };
    const char *task = getenv("SLURM_PROCID"), *n_tasks = getenv("SLURM_STEP_NUM_TASKS");

    if (!getenv("SLURM_STEP_ID") || !task) return C3D_OK;
    for (size_t i = 0; i < C3D_COUNT(ways); i++)
        if (getenv(ways[i])) return C3D_OK;
    comm->rank = strcmp(task, "0") != 0; /* the first speaks for all */
    return C3D_FAIL(C3D_ECOMM,
                    "srun: its tasks (%s) cannot find each other, for it was not asked for PMIx; "
                    "use srun --mpi=pmix (srun --mpi=list says whether it is there), or mpirun "
                    "instead of srun",
                    n_tasks ? n_tasks : "1");
}

/* For tests of programs: one host plays several nodes. */
static void read_ranks_per_node(c3d_comm *comm)
{
    const char *wish = getenv("C3D_RANKS_PER_NODE");
    long long n;

    if (wish && c3d_parse_int(wish, &n) && n > 0 && n < comm->n_local_ranks)
        comm->ranks_per_node = (int)n;
}

/* Everybody is watched from the end of this on. */
static c3d_status meet_others(c3d_comm *comm)
{
    C3D_TRY(find_local_rank(comm));
    read_ranks_per_node(comm);
    C3D_TRY(gather_hosts(comm));
    return c3d_watch_start(comm);
}

c3d_status c3d_comm_join(c3d_comm *comm, const char *program)
{
    c3d_deadline deadline;
    int provided;

    *comm = (c3d_comm){ .ops = &c3d_comm_self, .n_ranks = 1, .n_local_ranks = 1 };
    c3d_log_set(program, 0, 1);
    C3D_TRY(check_launch(comm));
    C3D_MPI(MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided));
    C3D_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    C3D_MPI(MPI_Comm_rank(MPI_COMM_WORLD, &comm->rank));
    C3D_MPI(MPI_Comm_size(MPI_COMM_WORLD, &comm->n_ranks));
    if (provided < MPI_THREAD_FUNNELED)
        return C3D_FAIL(C3D_ECOMM, "this MPI offers no threads (MPI_THREAD_FUNNELED)");
    comm->has_threads = provided == MPI_THREAD_MULTIPLE;
    (void)gethostname(comm->host, sizeof comm->host - 1);
    c3d_log_set(program, comm->rank, comm->n_ranks);
    if (!comm->has_threads && comm->n_ranks > 1)
        c3d_log_warn("this MPI serves one thread of a rank only (no MPI_THREAD_MULTIPLE): %s",
                     "no communication beside computing, no watch over ranks that hang");
    comm->timeout_s = C3D_TIMEOUT_S;
    c3d_deadline_begin(&deadline, comm, comm->timeout_s,
                       "a rank has let the others wait at the start", c3d_exit_code(C3D_ECOMM));
    const c3d_status st = meet_others(comm);
    c3d_deadline_end(&deadline);
    return st;
}

void c3d_comm_mpi_version(c3d_text *out)
{
    char words[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int n;

    (void)MPI_Get_library_version(words, &n);
    words[strcspn(words, ",\n")] = '\0'; /* what follows is when and where it was built */
    c3d_text_add(out, "%s", words);
}

/* NCCL if it can be; nothing is open when it cannot. */
static c3d_status open_nccl(c3d_comm *comm, double timeout_s)
{
    c3d_choice choice;

    C3D_TRY(c3d_choose(comm, comm->device, &choice));
    if (!choice.nccl) {
        c3d_log_run("sums over %d ranks: MPI, by way of the hosts' memory: %s", comm->n_ranks,
                    choice.why_not);
        return C3D_OK;
    }
    comm->shares_gpu = choice.shares_gpu;
    const c3d_status st = c3d_comm_nccl.open(comm, timeout_s);
    if (st == C3D_OK) comm->ops = &c3d_comm_nccl;
    if (st != C3D_EUNSUPPORTED) return st;
    c3d_log_warn("%s: sums over %d ranks go by way of the hosts' memory (MPI), which is slower",
                 c3d_error_last()->message, comm->n_ranks);
    return C3D_OK;
}

/* mpirun that is asked to end before it knows that a host is lost waits for that host for ever. */
static void compare_keepalive(const c3d_comm *comm, double timeout_s)
{
    const double found_s = c3d_launch_keepalive_s();
    bool has_others = false;

    for (int r = 0; comm->hosts && r < comm->n_ranks; r++)
        has_others = has_others || strcmp(comm->hosts + (size_t)r * C3D_HOST_MAX, comm->host) != 0;
    if (has_others && found_s >= timeout_s)
        c3d_log_warn(
            "distributed.timeout_s is %g s, but mpirun finds out after %g s that a host is "
            "lost (OMPI_MCA_oob_tcp_keepalive_time, _intvl, _probes): until then it may "
            "not end when the ranks do; make one of them longer or the others shorter",
            timeout_s, found_s);
}

c3d_status c3d_comm_open(c3d_comm *comm, const c3d_comm_device *device, double timeout_s)
{
    c3d_comm_set_timeout(comm, timeout_s);
    compare_keepalive(comm, timeout_s);
    comm->device = device;
    comm->times = (c3d_comm_times){ 0 };
    comm->ops = comm->n_ranks > 1 ? &c3d_comm_mpi : &c3d_comm_self;
    if (comm->n_ranks > 1 && device) C3D_TRY(open_nccl(comm, timeout_s));
    return comm->ops == &c3d_comm_nccl ? C3D_OK : comm->ops->open(comm, timeout_s);
}

static bool is_joined(void)
{
    int begun = 0, ended = 0;

    (void)MPI_Initialized(&begun);
    (void)MPI_Finalized(&ended);
    return begun && !ended;
}

static void close_data_plane(c3d_comm *comm)
{
    c3d_watch_enter(comm, C3D_PLANE_CONTROL);
    if (comm->state) comm->ops->close(comm);
    c3d_watch_leave(comm, C3D_PLANE_CONTROL);
    comm->device = NULL;
}

void c3d_comm_close(c3d_comm *comm)
{
    if (!comm->given_up) close_data_plane(comm);
}

void c3d_comm_give_up(c3d_comm *comm)
{
    const c3d_error error = *c3d_error_last(); /* why we are here */

    if (comm->state && !comm->given_up) comm->ops->abort(comm);
    comm->given_up = true;
    if (comm->is_stuck) c3d_end_all(comm, &error);
}

/* Asked to run again (75) a program is so whoever is late; a rank that never ends is a failure. */
static void leave(c3d_comm *comm, int code)
{
    c3d_deadline deadline;

    close_data_plane(comm);
    c3d_watch_stop(comm);
    if (!is_joined()) return;
    c3d_deadline_begin(&deadline, comm, comm->timeout_s,
                       "a rank has let the others wait at the end",
                       code != 0 ? code : c3d_exit_code(C3D_ECOMM));
    (void)MPI_Finalize();
    c3d_deadline_end(&deadline);
    free(comm->hosts);
    comm->hosts = NULL;
}

void c3d_comm_leave(c3d_comm *comm)
{
    leave(comm, 0);
}

void c3d_comm_abort(c3d_comm *comm, const c3d_error *error)
{
    const int code = c3d_exit_code(error->status);

    c3d_comm_give_up(comm);
    if (comm->n_ranks > 1 && !comm->agreed) c3d_end_all(comm, error);
    if (comm->rank == 0) c3d_log_error(error);
    leave(comm, code);
    exit(code);
}

c3d_status c3d_comm_barrier(c3d_comm *comm)
{
    if (comm->n_ranks > 1) C3D_MEET(comm, MPI_Barrier(MPI_COMM_WORLD));
    return C3D_OK;
}

c3d_status c3d_comm_agree_max(c3d_comm *comm, int64_t *value)
{
    if (comm->n_ranks > 1)
        C3D_MEET(comm, MPI_Allreduce(MPI_IN_PLACE, value, 1, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD));
    return C3D_OK;
}

c3d_status c3d_comm_sum_i64(c3d_comm *comm, int64_t *values, size_t n)
{
    C3D_ASSERT(n <= INT_MAX);
    if (comm->n_ranks > 1)
        C3D_MEET(comm,
                 MPI_Allreduce(MPI_IN_PLACE, values, (int)n, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD));
    return C3D_OK;
}

c3d_status c3d_comm_sum_f64(c3d_comm *comm, double *values, size_t n)
{
    C3D_ASSERT(n <= INT_MAX);
    if (comm->n_ranks > 1)
        C3D_MEET(comm,
                 MPI_Allreduce(MPI_IN_PLACE, values, (int)n, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD));
    return C3D_OK;
}

c3d_status c3d_comm_share(c3d_comm *comm, void *bytes, size_t n)
{
    C3D_ASSERT(n <= INT_MAX);
    if (comm->n_ranks > 1) C3D_MEET(comm, MPI_Bcast(bytes, (int)n, MPI_BYTE, 0, MPI_COMM_WORLD));
    return C3D_OK;
}

c3d_status c3d_comm_share_text(c3d_comm *comm, char **text)
{
    uint64_t n = comm->rank == 0 ? strlen(*text) : 0;
    char *buffer = comm->rank == 0 ? *text : NULL;

    C3D_TRY(c3d_comm_share(comm, &n, sizeof n));
    if (comm->rank != 0) {
        buffer = c3d_calloc(n + 1, 1);
        if (!buffer) return C3D_ENOMEM;
    }
    const c3d_status st = c3d_comm_share(comm, buffer, n);
    if (comm->rank != 0) {
        if (st == C3D_OK)
            *text = buffer;
        else
            free(buffer);
    }
    return st;
}

/* Counts and places of every rank's bytes; on rank 0 only. */
typedef struct gather_plan {
    int *counts, *starts;
    size_t n_all;
} gather_plan;

/* Rank 0 alone has places to find and memory to take: all hear how that went. */
static c3d_status plan_places(const c3d_comm *comm, gather_plan *plan, char **all)
{
    if (comm->rank != 0) return C3D_OK;
    C3D_ASSERT(plan->starts && plan->counts);
    for (int r = 0; r < comm->n_ranks; r++) {
        plan->starts[r] = (int)plan->n_all;
        plan->n_all += (size_t)plan->counts[r];
        if (plan->n_all > INT_MAX)
            return C3D_FAIL(C3D_EUNSUPPORTED, "gathering more than %d bytes", INT_MAX);
    }
    *all = c3d_calloc(plan->n_all + 1, 1);
    return *all ? C3D_OK : C3D_ENOMEM;
}

static c3d_status gather_bytes(c3d_comm *comm, const void *bytes, int n, gather_plan *plan,
                               char **all)
{
    C3D_MEET(comm, MPI_Gather(&n, 1, MPI_INT, plan->counts, 1, MPI_INT, 0, MPI_COMM_WORLD));
    C3D_TRY(c3d_comm_agree_status(comm, plan_places(comm, plan, all)));
    C3D_MEET(comm, MPI_Gatherv(bytes, n, MPI_BYTE, *all, plan->counts, plan->starts, MPI_BYTE, 0,
                               MPI_COMM_WORLD));
    return C3D_OK;
}

c3d_status c3d_comm_gather(c3d_comm *comm, const void *bytes, size_t n_bytes, void **all_out,
                           size_t *n_all_out)
{
    gather_plan plan = { 0 };
    char *all = NULL;
    c3d_status st = C3D_OK;

    C3D_ASSERT(n_bytes <= INT_MAX);
    if (comm->n_ranks == 1) {
        all = c3d_calloc(n_bytes + 1, 1);
        if (!all) return C3D_ENOMEM;
        if (n_bytes) memcpy(all, bytes, n_bytes);
        *all_out = all;
        *n_all_out = n_bytes;
        return C3D_OK;
    }
    plan.counts = c3d_calloc((size_t)comm->n_ranks, sizeof(int));
    plan.starts = c3d_calloc((size_t)comm->n_ranks, sizeof(int));
    if (!plan.counts || !plan.starts) st = C3D_ENOMEM;
    st = c3d_comm_agree_status(comm, st);
    if (st == C3D_OK) st = gather_bytes(comm, bytes, (int)n_bytes, &plan, &all);
    free(plan.counts);
    free(plan.starts);
    if (st != C3D_OK) {
        free(all);
        return st;
    }
    *all_out = all;
    *n_all_out = plan.n_all;
    return C3D_OK;
}

c3d_status c3d_comm_agree_status(c3d_comm *comm, c3d_status status)
{
    int failing = status != C3D_OK ? comm->rank : comm->n_ranks;
    c3d_error error = *c3d_error_last();

    if (comm->n_ranks > 1)
        C3D_MEET(comm, MPI_Allreduce(MPI_IN_PLACE, &failing, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD));
    if (failing == comm->n_ranks) return C3D_OK;
    if (comm->n_ranks > 1) {
        C3D_MEET(comm, MPI_Bcast(&error, sizeof error, MPI_BYTE, failing, MPI_COMM_WORLD));
        if (comm->rank != failing)
            error.file = "(another rank)"; /* its pointer means nothing here */
        if (comm->rank != failing || failing != 0) {
            char message[sizeof error.message];
            (void)snprintf(message, sizeof message, "rank %d: %.990s", failing, error.message);
            memcpy(error.message, message, sizeof message);
        }
    }
    comm->agreed = true;
    return c3d_error_put(&error);
}
