#include "train/events.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PREFIX     "events.out.tfevents."
#define SUFFIX     ".c3d-train"
#define RECORD_MAX 4096 /* bytes of an event of ours, at most */

struct c3d_events {
    char path[C3D_PATH_MAX];
    FILE *file;
};

/* ---- checksums ------------------------------------------------------------------------------- */

/* CRC-32C (RFC 3720, B.4), its polynomial bit-reversed, four bits at a time. */
static uint32_t crc32c(const uint8_t *bytes, size_t n)
{
    static const uint32_t of_nibble[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ of_nibble[crc & 15];
        crc = crc >> 4 ^ of_nibble[crc & 15];
    }
    return ~crc;
}

static uint32_t masked(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

/* ---- bytes of a message ---------------------------------------------------------------------- */

/* Too small is our own mistake. */
typedef struct message {
    uint8_t bytes[RECORD_MAX];
    size_t n;
} message;

enum { VARINT = 0, EIGHT_BYTES = 1, COUNTED = 2, FOUR_BYTES = 5 };

static void put_bytes(message *m, const void *bytes, size_t n)
{
    C3D_ASSERT(n <= sizeof m->bytes - m->n);
    memcpy(m->bytes + m->n, bytes, n);
    m->n += n;
}

static void put_little_endian(message *m, uint64_t value, int n)
{
    for (int i = 0; i < n; i++, value >>= 8) {
        const uint8_t byte = (uint8_t)value;
        put_bytes(m, &byte, 1);
    }
}

static void put_varint(message *m, uint64_t value)
{
    while (value > 127) {
        put_little_endian(m, (value & 127) | 128, 1);
        value >>= 7;
    }
    put_little_endian(m, value, 1);
}

static void put_key(message *m, int field, int type)
{
    put_varint(m, (uint64_t)field << 3 | (uint64_t)type);
}

static void put_counted(message *m, int field, const void *bytes, size_t n)
{
    put_key(m, field, COUNTED);
    put_varint(m, n);
    put_bytes(m, bytes, n);
}

static void begin_event(message *m, int64_t step)
{
    struct timespec now;
    double wall_s;
    uint64_t bits;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    wall_s = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    memcpy(&bits, &wall_s, sizeof bits);
    m->n = 0;
    put_key(m, 1, EIGHT_BYTES);
    put_little_endian(m, bits, 8);
    if (step == 0) return; /* as protobuf leaves out what is 0 */
    put_key(m, 2, VARINT);
    put_varint(m, (uint64_t)step);
}

static void put_scalar(message *summary, const c3d_scalar *scalar)
{
    message value = { .n = 0 };
    const float rounded = (float)scalar->value;
    uint32_t bits;

    memcpy(&bits, &rounded, sizeof bits);
    put_counted(&value, 1, scalar->tag, strlen(scalar->tag));
    put_key(&value, 2, FOUR_BYTES);
    put_little_endian(&value, bits, 4);
    put_counted(summary, 1, value.bytes, value.n);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Whole or not at all, but for a kill. */
static void write_record(FILE *file, const message *event)
{
    message record = { .n = 0 };

    put_little_endian(&record, event->n, 8);
    put_little_endian(&record, masked(crc32c(record.bytes, 8)), 4);
    put_bytes(&record, event->bytes, event->n);
    put_little_endian(&record, masked(crc32c(event->bytes, event->n)), 4);
    (void)fwrite(record.bytes, 1, record.n, file);
}

void c3d_events_scalars(c3d_events *events, int64_t step, const c3d_scalar *scalars, size_t n)
{
    message event, summary = { .n = 0 };

    for (size_t i = 0; i < n; i++)
        if (isfinite(scalars[i].value)) put_scalar(&summary, &scalars[i]);
    begin_event(&event, step);
    put_counted(&event, 5, summary.bytes, summary.n);
    write_record(events->file, &event);
}

static void write_start(c3d_events *events, int64_t step)
{
    static const char version[] = "brain.Event:2";
    static const uint8_t start[] = { 1 << 3 | VARINT, 1 };
    message event;

    begin_event(&event, 0);
    put_counted(&event, 3, version, sizeof version - 1);
    write_record(events->file, &event);
    begin_event(&event, step + 1);
    put_counted(&event, 7, start, sizeof start);
    write_record(events->file, &event);
}

static bool is_ours(const char *name)
{
    const size_t n = strlen(name), n_suffix = sizeof SUFFIX - 1;

    return strncmp(name, PREFIX, sizeof PREFIX - 1) == 0 && n > n_suffix &&
           strcmp(name + n - n_suffix, SUFFIX) == 0;
}

/* The clock's second, or that after the newest file's: readers take files by their names. */
static c3d_status choose_second(const char *dir, long long *out)
{
    DIR *entries = opendir(dir);

    if (!entries) return C3D_FAIL(C3D_EIO, "%s: %s", dir, strerror(errno));
    *out = (long long)time(NULL);
    for (const struct dirent *e; (e = readdir(entries));) {
        char *end;
        if (strncmp(e->d_name, PREFIX, sizeof PREFIX - 1) != 0) continue;
        const long long second = strtoll(e->d_name + sizeof PREFIX - 1, &end, 10);
        if (second >= *out && second < 9999999999) *out = second + 1;
    }
    (void)closedir(entries);
    return C3D_OK;
}

static c3d_status create(c3d_events *events, const char *dir)
{
    char host[64] = "", name[160];
    long long second;

    C3D_TRY(c3d_make_dirs(dir));
    C3D_TRY(choose_second(dir, &second));
    if (gethostname(host, sizeof host - 1) != 0 || !host[0] || strchr(host, '/'))
        (void)snprintf(host, sizeof host, "host");
    (void)snprintf(name, sizeof name, PREFIX "%010lld.%s" SUFFIX, second, host);
    C3D_TRY(c3d_path_join(events->path, dir, name));
    events->file = fopen(events->path, "wbx");
    if (!events->file) return C3D_FAIL(C3D_EIO, "%s: %s", events->path, strerror(errno));
    return C3D_OK;
}

c3d_status c3d_events_open(const char *dir, int64_t step, c3d_events **out)
{
    c3d_events *events = c3d_calloc(1, sizeof *events);

    if (!events) return C3D_ENOMEM;
    c3d_status st = create(events, dir);
    if (st == C3D_OK) {
        write_start(events, step);
        st = c3d_events_flush(events);
    }
    if (st == C3D_OK)
        *out = events;
    else
        c3d_events_close(events);
    return st;
}

void c3d_events_close(c3d_events *events)
{
    if (!events) return;
    if (events->file) (void)fclose(events->file);
    free(events);
}

c3d_status c3d_events_flush(c3d_events *events)
{
    if (fflush(events->file) == 0 && !ferror(events->file)) return C3D_OK;
    return C3D_FAIL(C3D_EIO, "%s: cannot be written: %s", events->path,
                    strerror(errno ? errno : EIO));
}

c3d_status c3d_events_sync(const c3d_events *events)
{
    if (fsync(fileno(events->file)) == 0 || errno == EINVAL || errno == ENOSYS) return C3D_OK;
    return C3D_FAIL(C3D_EIO, "%s: cannot be written: %s", events->path, strerror(errno));
}

/* ---- cutting back ---------------------------------------------------------------------------- */

typedef struct event {
    int64_t step;
    bool is_of_epoch;
} event;

static uint64_t get_little_endian(const uint8_t *from, int n)
{
    uint64_t value = 0;

    for (int i = n; i > 0; i--) value = value << 8 | from[i - 1];
    return value;
}

static bool get_varint(const message *m, size_t *at, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && *at < m->n; shift += 7) {
        const uint8_t byte = m->bytes[(*at)++];
        *out |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

/* The first value's tag stands at a fixed place of what put_scalar makes of a short one. */
static bool begins_with_epoch(const uint8_t *summary, uint64_t n)
{
    static const char tag[] = C3D_EVENTS_EPOCH;

    return n >= 4 + sizeof tag - 1 && memcmp(summary + 4, tag, sizeof tag - 1) == 0;
}

static bool read_event(const message *m, event *out)
{
    uint64_t key, value;

    *out = (event){ 0 };
    for (size_t at = 0; at < m->n;) {
        if (!get_varint(m, &at, &key)) return false;
        value = key % 8 == EIGHT_BYTES ? 8 : 4;
        if (key % 8 == VARINT || key % 8 == COUNTED)
            if (!get_varint(m, &at, &value)) return false;
        if (key == (2 << 3 | VARINT)) out->step = (int64_t)value;
        if (key % 8 == VARINT) continue;
        if (value > m->n - at) return false;
        if (key == (5 << 3 | COUNTED)) out->is_of_epoch = begins_with_epoch(m->bytes + at, value);
        at += value;
    }
    return true;
}

/* False at the end of the file, or of what is whole of it. */
static bool read_record(FILE *file, event *out)
{
    uint8_t head[12], tail[4];
    message m;

    if (fread(head, 1, sizeof head, file) != sizeof head) return false;
    const uint64_t n = get_little_endian(head, 8);
    if (get_little_endian(head + 8, 4) != masked(crc32c(head, 8)) || n > sizeof m.bytes)
        return false;
    m.n = (size_t)n;
    if (fread(m.bytes, 1, m.n, file) != m.n) return false;
    if (fread(tail, 1, sizeof tail, file) != sizeof tail) return false;
    if (get_little_endian(tail, 4) != masked(crc32c(m.bytes, m.n))) return false;
    return read_event(&m, out);
}

/* Steps only rise within a file, so that what goes is its end. The file is cut where it is: a
 * reader that has come further finds nothing more in it and goes on to the next. */
static c3d_status cut_file(const char *path, int64_t step, bool in_epoch)
{
    FILE *file = fopen(path, "r+b");
    event e;
    off_t end = 0;

    if (!file) return C3D_FAIL(C3D_EIO, "%s: %s", path, strerror(errno));
    while (read_record(file, &e)) {
        if (e.step > step || (in_epoch && e.is_of_epoch && e.step == step)) break;
        end = ftello(file);
    }
    const bool is_cut = ftruncate(fileno(file), end) == 0;
    const int reason = errno;
    (void)fclose(file);
    return is_cut ? C3D_OK : C3D_FAIL(C3D_EIO, "%s: cannot be cut: %s", path, strerror(reason));
}

c3d_status c3d_events_cut(const char *dir, int64_t step, bool in_epoch)
{
    DIR *entries = opendir(dir);
    c3d_status st = C3D_OK;
    char path[C3D_PATH_MAX];

    if (!entries && errno == ENOENT) return C3D_OK;
    if (!entries) return C3D_FAIL(C3D_EIO, "%s: %s", dir, strerror(errno));
    for (const struct dirent *e; st == C3D_OK && (e = readdir(entries));) {
        if (!is_ours(e->d_name)) continue;
        st = c3d_path_join(path, dir, e->d_name);
        if (st == C3D_OK) st = cut_file(path, step, in_epoch);
    }
    (void)closedir(entries);
    return st;
}
