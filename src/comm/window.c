#include "comm/window.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A rank that waits looks this often before it sleeps: ten to twenty microseconds, which is what
 * falling asleep and being woken costs; more would take the core from the rank it waits for. */
#define N_LOOKS 20000
/* It wakes this often to let MPI send what it still holds back: MPI may count a small message as
 * sent that leaves only in a later call, and the rank we wait for may be waiting for it. */
#define NAP_MS 10

#define PAGE ((size_t)4096)

/* Every mapping has it at another address, so it holds no pointers; the atomics must be lock-free,
 * which makes them address-free (C17 7.17.5). The kernel hands out zeros: a valid start for all. */
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "atomics between processes need the lock-free kind");

struct c3d_window_head {
    _Atomic uint32_t n_here; /* ranks that wait at the meeting in progress */
    _Atomic uint32_t n_met;  /* meetings that are over; the word that waiters sleep on */
};

/* Of a page of its own. */
static const size_t head_bytes = PAGE;
_Static_assert(sizeof(c3d_window_head) <= PAGE, "the head is one page");

static const size_t result_bytes = C3D_WINDOW_RESULTS * C3D_WINDOW_FLOATS * sizeof(float);
static const size_t slot_bytes = C3D_WINDOW_SLOTS * C3D_WINDOW_FLOATS * sizeof(float);

size_t c3d_window_bytes(int n_ranks)
{
    return head_bytes + result_bytes + (size_t)n_ranks * slot_bytes;
}

float *c3d_window_slot(const c3d_window *window, int rank, uint64_t turn)
{
    const size_t piece = (size_t)rank * C3D_WINDOW_SLOTS + turn % C3D_WINDOW_SLOTS;

    return window->slots + piece * C3D_WINDOW_FLOATS;
}

float *c3d_window_result(const c3d_window *window, uint64_t turn)
{
    return window->results + turn % C3D_WINDOW_RESULTS * C3D_WINDOW_FLOATS;
}

/* The first rank's part: a new object of the right size. */
static c3d_status create(const c3d_window *window, const char *name, int *fd)
{
    *fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
    if (*fd < 0) return C3D_FAIL(C3D_ECOMM, "shared memory %s: %s", name, strerror(errno));
    if (ftruncate(*fd, (off_t)window->n_bytes) != 0)
        return C3D_FAIL(C3D_ECOMM, "shared memory %s: %zu bytes: %s", name, window->n_bytes,
                        strerror(errno));
    return C3D_OK;
}

static c3d_status reserve(int fd, size_t begin, size_t n_bytes)
{
    int code;

    do code = posix_fallocate(fd, (off_t)begin, (off_t)n_bytes);
    while (code == EINTR);
    if (code == 0) return C3D_OK;
    return C3D_FAIL(C3D_ECOMM, "shared memory (/dev/shm): %zu bytes: %s", n_bytes, strerror(code));
}

/* Reserves what this rank writes first, so that a full /dev/shm is an error here and not a SIGBUS
 * in a step, and so that the pages lie in this rank's memory where a host has several. */
static c3d_status map(c3d_window *window, int fd)
{
    const size_t shared = head_bytes + result_bytes;
    void *memory;

    if (window->rank == 0) C3D_TRY(reserve(fd, 0, shared));
    C3D_TRY(reserve(fd, shared + (size_t)window->rank * slot_bytes, slot_bytes));
    memory = mmap(NULL, window->n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return C3D_FAIL(C3D_ECOMM, "shared memory: mapping %zu bytes: %s", window->n_bytes,
                        strerror(errno));
    window->head = memory;
    window->results = (float *)((char *)memory + head_bytes);
    window->slots = window->results + C3D_WINDOW_RESULTS * C3D_WINDOW_FLOATS;
    return C3D_OK;
}

/* The first rank makes the object and tells the others its name; an empty one when it could not. */
static c3d_status create_or_find(const c3d_window *window, char name[64], int *fd)
{
    c3d_status st = C3D_OK;

    if (window->rank == 0) {
        (void)snprintf(name, 64, "/c3d-%ld-%.0f", (long)getpid(), c3d_now_s() * 1e9);
        st = create(window, name, fd);
    }
    char told[64] = "";
    if (st == C3D_OK) memcpy(told, name, sizeof told);
    C3D_MEET(window->comm, MPI_Bcast(told, sizeof told, MPI_CHAR, 0, window->ranks));
    if (window->rank == 0) return st;
    if (told[0] == 0) return C3D_FAIL(C3D_ECOMM, "shared memory: the first rank has none");
    *fd = shm_open(told, O_RDWR, 0);
    if (*fd < 0) return C3D_FAIL(C3D_ECOMM, "shared memory %s: %s", told, strerror(errno));
    return C3D_OK;
}

c3d_status c3d_window_open(c3d_window *window, const c3d_comm *comm, MPI_Comm ranks)
{
    char name[64] = "";
    int fd = -1;

    *window = (c3d_window){ .comm = comm, .ranks = ranks };
    C3D_MPI(MPI_Comm_rank(ranks, &window->rank));
    C3D_MPI(MPI_Comm_size(ranks, &window->n_ranks));
    window->n_bytes = c3d_window_bytes(window->n_ranks);
    c3d_status st = create_or_find(window, name, &fd);
    if (st == C3D_OK) st = map(window, fd);
    /* Nameless as soon as all have it: nothing stays behind, however the ranks end. */
    c3d_watch_enter(comm, C3D_PLANE_CONTROL);
    const int code = MPI_Barrier(ranks);
    c3d_watch_leave(comm, C3D_PLANE_CONTROL);
    if (window->rank == 0 && fd >= 0) (void)shm_unlink(name);
    if (fd >= 0) (void)close(fd);
    C3D_TRY(st);
    C3D_MPI(code);
    return C3D_OK;
}

void c3d_window_close(c3d_window *window)
{
    if (window->head) (void)munmap(window->head, window->n_bytes);
    *window = (c3d_window){ 0 };
}

/* Sleeps while *word is `value`, at most NAP_MS; true if that long. */
static bool nap(_Atomic uint32_t *word, uint32_t value)
{
    const struct timespec at_most = { .tv_nsec = NAP_MS * 1000000L };

    return syscall(SYS_futex, word, FUTEX_WAIT, value, &at_most, NULL, 0) != 0 &&
           errno == ETIMEDOUT;
}

/* Until meeting number `meeting` is over. */
static c3d_status wait_for_end(const c3d_window *window, uint32_t meeting)
{
    _Atomic uint32_t *n_met = &window->head->n_met;

    for (int i = 0; i < N_LOOKS; i++)
        if (atomic_load_explicit(n_met, memory_order_acquire) != meeting) return C3D_OK;
    while (atomic_load_explicit(n_met, memory_order_acquire) == meeting) {
        int has_message;
        if (window->is_given_up && atomic_load(window->is_given_up))
            return C3D_FAIL(C3D_ECOMM, "given up");
        if (!nap(n_met, meeting)) continue;
        C3D_MPI(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, window->ranks, &has_message,
                           MPI_STATUS_IGNORE));
    }
    return C3D_OK;
}

/* Why all see what each wrote: every arrival is a release on n_here and, being a read-modify-write,
 * goes on with the release sequences of the earlier ones; the last arrival acquires them all and
 * releases n_met, which every waiter acquires. n_here is set back before that release, so the next
 * meeting starts from 0 for everybody. No wake-up is lost: the kernel compares n_met with `meeting`
 * before it lets a rank sleep, and the wake-up comes after n_met has changed. */
c3d_status c3d_window_meet(c3d_window *window)
{
    c3d_window_head *head = window->head;
    const uint32_t meeting = atomic_load_explicit(&head->n_met, memory_order_relaxed);

    if (window->n_ranks == 1) return C3D_OK;
    c3d_watch_move(window->comm, C3D_PLANE_DATA);
    const uint32_t n_before = atomic_fetch_add_explicit(&head->n_here, 1, memory_order_acq_rel);
    if (n_before + 1 < (uint32_t)window->n_ranks) return wait_for_end(window, meeting);
    atomic_store_explicit(&head->n_here, 0, memory_order_relaxed);
    atomic_store_explicit(&head->n_met, meeting + 1, memory_order_release);
    (void)syscall(SYS_futex, &head->n_met, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    return C3D_OK;
}
