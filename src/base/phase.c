#include "c3d/base.h"

#include <inttypes.h>
#include <stdatomic.h>

static struct {
    _Atomic uint64_t n_changes; /* of the rest; odd while one is under way */
    atomic_int phase;
    _Atomic int64_t first, second;
    _Atomic uint64_t n_ticks;
} now;

void c3d_phase_set(c3d_phase phase, int64_t first, int64_t second)
{
    atomic_fetch_add(&now.n_changes, 1);
    atomic_store(&now.phase, (int)phase);
    atomic_store(&now.first, first);
    atomic_store(&now.second, second);
    atomic_fetch_add(&now.n_changes, 1);
    c3d_phase_tick();
}

void c3d_phase_tick(void)
{
    atomic_fetch_add_explicit(&now.n_ticks, 1, memory_order_relaxed);
}

/* Who changes it may lose its core in the middle: after some looks a mixture is good enough. */
c3d_phase_record c3d_phase_get(void)
{
    c3d_phase_record record;
    uint64_t before = 1, after = 0;

    for (int look = 0; look < 100 && (before != after || before % 2 != 0); look++) {
        before = atomic_load(&now.n_changes);
        record = (c3d_phase_record){ .phase = (c3d_phase)atomic_load(&now.phase),
                                     .first = atomic_load(&now.first),
                                     .second = atomic_load(&now.second) };
        after = atomic_load(&now.n_changes);
    }
    record.n_ticks = atomic_load(&now.n_ticks);
    return record;
}

void c3d_phase_print(const c3d_phase_record *record, char out[C3D_PHASE_MAX])
{
    static const struct {
        int n_numbers;
        const char *first, *second; /* words before the two numbers */
    } rows[] = {
#define PHASE_ROW(name, n, first, second) [name] = { n, first, second },
        C3D_PHASE_LIST(PHASE_ROW)
#undef PHASE_ROW
    };

    C3D_ASSERT((size_t)record->phase < C3D_COUNT(rows));
    const char *first = rows[record->phase].first, *second = rows[record->phase].second;
    switch (rows[record->phase].n_numbers) {
    case 0: (void)snprintf(out, C3D_PHASE_MAX, "%s", first); break;
    case 1: (void)snprintf(out, C3D_PHASE_MAX, "%s %" PRId64, first, record->first); break;
    default:
        (void)snprintf(out, C3D_PHASE_MAX, "%s %" PRId64 " %s %" PRId64, first, record->first,
                       second, record->second);
    }
}
