#include "comm/cores.h"

#include <stdlib.h>
#include <string.h>

void c3d_cores_free(c3d_cores *cores)
{
    free(cores->list);
    *cores = (c3d_cores){ 0 };
}

cpu_set_t c3d_cores_of(const c3d_cores *cores, const cpu_set_t *cpus)
{
    cpu_set_t which, both;

    CPU_ZERO(&which);
    for (int c = 0; c < cores->n; c++) {
        CPU_AND(&both, &cores->list[c].cpus, cpus);
        if (CPU_COUNT(&both) > 0) CPU_SET((size_t)c, &which);
    }
    return which;
}

cpu_set_t c3d_cores_cpus(const c3d_cores *cores, const cpu_set_t *which)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    for (int c = 0; c < cores->n; c++)
        if (CPU_ISSET((size_t)c, which)) CPU_OR(&cpus, &cpus, &cores->list[c].cpus);
    return cpus;
}

bool c3d_cores_are_default(const c3d_cores *cores, const cpu_set_t *cpus, const cpu_set_t *allowed,
                           int n_ranks)
{
    const cpu_set_t which = c3d_cores_of(cores, cpus);
    cpu_set_t whole;
    int package = -1;

    if (n_ranks <= 2) return CPU_COUNT(&which) == 1;
    for (int c = 0; c < cores->n && package < 0; c++)
        if (CPU_ISSET((size_t)c, &which)) package = cores->list[c].package;
    CPU_ZERO(&whole);
    for (int c = 0; c < cores->n; c++)
        if (cores->list[c].package == package) CPU_OR(&whole, &whole, &cores->list[c].cpus);
    CPU_AND(&whole, &whole, allowed);
    return CPU_EQUAL(&whole, cpus);
}

int c3d_cores_share(const cpu_set_t *sets, int n, int which)
{
    double share = 0;

    for (size_t c = 0; c < CPU_SETSIZE; c++) {
        int n_users = 0;
        if (!CPU_ISSET(c, &sets[which])) continue;
        for (int i = 0; i < n; i++) n_users += CPU_ISSET(c, &sets[i]) != 0;
        share += 1.0 / n_users;
    }
    return (int)(share + 1e-6); /* three thirds are a whole one */
}

/* ---- dealing --------------------------------------------------------------------------------- */

typedef struct deal {
    const c3d_cores *cores;
    cpu_set_t left;
    int n_each;
} deal;

typedef enum within { WITHIN_NUMA, WITHIN_PACKAGE, ANYWHERE } within;

static bool is_beside(const c3d_core *a, const c3d_core *b, within level)
{
    if (level == ANYWHERE) return true;
    return a->package == b->package && (level == WITHIN_PACKAGE || a->numa == b->numa);
}

/* As many as a rank gets of those that are left beside core `first`; false: there are not so many.
 */
static bool take_beside(deal *d, int first, within level, cpu_set_t *part)
{
    cpu_set_t found;

    CPU_ZERO(&found);
    for (int c = 0, n = 0; c < d->cores->n && n < d->n_each; c++) {
        if (!CPU_ISSET((size_t)c, &d->left)) continue;
        if (!is_beside(&d->cores->list[c], &d->cores->list[first], level)) continue;
        CPU_SET((size_t)c, &found);
        n++;
    }
    if (CPU_COUNT(&found) < d->n_each) return false;
    CPU_XOR(&d->left, &d->left, &found);
    *part = found;
    return true;
}

static bool take(deal *d, within level, int numa, cpu_set_t *part)
{
    for (int c = 0; c < d->cores->n; c++) {
        if (!CPU_ISSET((size_t)c, &d->left)) continue;
        if (numa >= 0 && d->cores->list[c].numa != numa) continue;
        if (take_beside(d, c, level, part)) return true;
    }
    return false;
}

void c3d_cores_deal(const c3d_cores *cores, const cpu_set_t *allowed, const int *numa, int n,
                    cpu_set_t *parts)
{
    deal d = { .cores = cores, .left = *allowed, .n_each = CPU_COUNT(allowed) / n };

    /* who has a wish first, then who fits into one node, then one package, then anyhow */
    for (int i = 0; i < n; i++) CPU_ZERO(&parts[i]);
    for (int i = 0; i < n; i++)
        if (numa[i] >= 0) (void)take(&d, WITHIN_NUMA, numa[i], &parts[i]);
    for (int level = WITHIN_NUMA; level <= ANYWHERE; level++)
        for (int i = 0; i < n; i++)
            if (CPU_COUNT(&parts[i]) == 0) (void)take(&d, (within)level, -1, &parts[i]);
}

const char *c3d_place_list(const cpu_set_t *numbers, char out[64])
{
    size_t at = 0;

    out[0] = '\0';
    for (int first = 0; first < CPU_SETSIZE; first++) {
        int last = first;
        if (!CPU_ISSET((size_t)first, numbers)) continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET((size_t)last + 1, numbers)) last++;
        if (at > 48) {
            (void)snprintf(out + at, 64 - at, ",...");
            break;
        }
        at += (size_t)snprintf(out + at, 64 - at, "%s%d", at > 0 ? "," : "", first);
        if (last > first) at += (size_t)snprintf(out + at, 64 - at, "-%d", last);
        first = last;
    }
    return out;
}
