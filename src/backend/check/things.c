#include "backend/check/check.h"

#include <stdlib.h>
#include <string.h>

/* 0xFF everywhere is a NaN in every element type. */
#define POISON 0xFF
#define GUARD  64 /* bytes */

c3d_status c3d_check_add(check *k, const thing *given)
{
    thing *known = c3d_check_find(k, given->kind, given->address);

    if (known) { /* a plan's or activation's address, used again */
        *known = *given;
        return C3D_OK;
    }
    if (k->n_things == k->n_room) {
        const size_t n_room = 2 * k->n_room + 64;
        thing *const larger = realloc(k->things, n_room * sizeof *larger);
        if (!larger) return C3D_FAIL(C3D_ENOMEM, "check: memory exhausted");
        k->things = larger;
        k->n_room = n_room;
    }
    k->things[k->n_things++] = *given;
    return C3D_OK;
}

thing *c3d_check_find(const check *k, thing_kind kind, const void *address)
{
    for (size_t i = 0; i < k->n_things; i++)
        if (k->things[i].kind == kind && k->things[i].address == address) return &k->things[i];
    return NULL;
}

c3d_status c3d_check_live(const check *k, thing_kind kind, const void *address, const char *what)
{
    const thing *t = c3d_check_find(k, kind, address);

    if (!t) return C3D_FAIL(C3D_EINTERNAL, "check: %s was not made by this backend", what);
    if (t->freed) return C3D_FAIL(C3D_EINTERNAL, "check: %s is used after it was freed", what);
    return C3D_OK;
}

c3d_status c3d_check_range(const check *k, const void *begin, size_t n_bytes, const char *what)
{
    const char *from = begin;

    if (n_bytes == 0) return C3D_OK;
    for (size_t i = 0; i < k->n_things; i++) {
        const thing *t = &k->things[i];
        if (t->kind != THING_BUFFER || from + n_bytes <= t->address ||
            from >= t->address + t->n_bytes)
            continue;
        if (t->freed) return C3D_FAIL(C3D_EINTERNAL, "check: %s is used after it was freed", what);
        if (from < t->address || from + n_bytes > t->address + t->n_bytes)
            return C3D_FAIL(C3D_EINTERNAL, "check: %s: %zu bytes run out of a buffer of %zu", what,
                            n_bytes, t->n_bytes);
        return C3D_OK;
    }
    if (!k->inner.ops->host_memory)
        return C3D_FAIL(C3D_EINTERNAL, "check: %s is not in this backend's memory", what);
    return C3D_OK;
}

/* ---- buffers --------------------------------------------------------------------------------- */

static c3d_status fill(check *k, void *to, size_t n_bytes)
{
    char poison[4096];

    memset(poison, POISON, sizeof poison);
    for (size_t at = 0; at < n_bytes; at += sizeof poison) {
        const size_t n = n_bytes - at < sizeof poison ? n_bytes - at : sizeof poison;
        C3D_TRY(k->inner.ops->upload(&k->inner, (char *)to + at, poison, n));
    }
    return C3D_OK;
}

static c3d_status is_poison(check *k, const char *from, size_t n_bytes, bool *out)
{
    char bytes[4096];

    *out = true;
    for (size_t at = 0; at < n_bytes; at += sizeof bytes) {
        const size_t n = n_bytes - at < sizeof bytes ? n_bytes - at : sizeof bytes;
        C3D_TRY(k->inner.ops->download(&k->inner, bytes, from + at, n));
        for (size_t i = 0; i < n; i++) *out = *out && (unsigned char)bytes[i] == POISON;
    }
    return C3D_OK;
}

c3d_status c3d_check_alloc(c3d_backend *self, size_t n_bytes, void **out)
{
    check *k = check_of(self);
    void *buffer;

    C3D_TRY(k->inner.ops->alloc(&k->inner, n_bytes + GUARD, &buffer));
    self->n_bytes = k->inner.n_bytes;
    *out = buffer;
    if (self->options.dry_run) return C3D_OK;
    C3D_TRY(fill(k, (char *)buffer + n_bytes, GUARD));
    return c3d_check_add(k, &(thing){ .address = buffer, .n_bytes = n_bytes });
}

void c3d_check_free(c3d_backend *self, void *buffer)
{
    check *k = check_of(self);
    thing *t = c3d_check_find(k, THING_BUFFER, buffer);

    if (self->options.dry_run) k->inner.ops->free(&k->inner, buffer);
    if (!buffer || self->options.dry_run) return;
    if (!t || t->freed) {
        c3d_log_warn("check: a buffer is freed %s", t ? "twice" : "that was never given");
        return;
    }
    t->freed = true;
    if (fill(k, buffer, t->n_bytes) != C3D_OK) c3d_log_warn("%s", c3d_error_last()->message);
}

c3d_status c3d_check_memory(check *k)
{
    for (size_t i = 0; i < k->n_things; i++) {
        const thing *t = &k->things[i];
        bool whole = true, untouched = true;

        if (t->kind != THING_BUFFER) continue;
        C3D_TRY(is_poison(k, t->address + t->n_bytes, GUARD, &whole));
        if (!whole)
            return C3D_FAIL(C3D_EINTERNAL, "check: written past the end of a buffer of %zu bytes",
                            t->n_bytes);
        if (t->freed) C3D_TRY(is_poison(k, t->address, t->n_bytes, &untouched));
        if (!untouched)
            return C3D_FAIL(C3D_EINTERNAL,
                            "check: a buffer of %zu bytes was written to after it "
                            "was freed",
                            t->n_bytes);
    }
    return C3D_OK;
}
