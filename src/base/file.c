#include "c3d/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

c3d_status c3d_file_read(const char *path, char **bytes_out, size_t *n_bytes_out)
{
    c3d_text content = { 0 };
    char piece[65536];
    FILE *stream = fopen(path, "rb");

    if (!stream) return C3D_FAIL(C3D_EIO, "%s: %s", path, strerror(errno));
    c3d_text_add_bytes(&content, "", 0);
    for (size_t n; (n = fread(piece, 1, sizeof piece, stream)) > 0;)
        c3d_text_add_bytes(&content, piece, n);
    if (ferror(stream)) {
        const int reason = errno;
        (void)fclose(stream);
        c3d_text_free(&content);
        return C3D_FAIL(C3D_EIO, "%s: %s", path, strerror(reason));
    }
    (void)fclose(stream);
    *bytes_out = content.text;
    if (n_bytes_out) *n_bytes_out = content.length;
    return C3D_OK;
}

static c3d_status part_path(char out[C3D_PATH_MAX], const char *path)
{
    if (strlen(path) + sizeof ".part" > C3D_PATH_MAX)
        return C3D_FAIL(C3D_EINVAL, "%.128s...: path too long", path);
    (void)snprintf(out, C3D_PATH_MAX, "%s.part", path);
    return C3D_OK;
}

c3d_status c3d_file_open_new(const char *path, FILE **out)
{
    char part[C3D_PATH_MAX];

    C3D_TRY(part_path(part, path));
    FILE *stream = fopen(part, "wb");
    if (!stream) return C3D_FAIL(C3D_EIO, "%s: cannot be written: %s", path, strerror(errno));
    *out = stream;
    return C3D_OK;
}

/* So that the new name survives a power cut. Some file systems refuse: then it is their business.
 */
static void sync_directory_of(const char *path)
{
    char dir[C3D_PATH_MAX];

    if (c3d_path_join(dir, NULL, path) != C3D_OK) return;
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = '\0';
    else
        (void)snprintf(dir, sizeof dir, ".");
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    (void)close(fd);
}

#define PIECE_BYTES ((size_t)4 << 20)
#define SYNC_BYTES  (32LL << 20)

/* Whenever SYNC_BYTES more have been written. What is no file cannot be synced: as it is. */
static bool sync_at_times(FILE *stream, size_t n_new)
{
    const long long at = ftello(stream);

    if (at < 0 || at / SYNC_BYTES == (at - (long long)n_new) / SYNC_BYTES) return true;
    return fflush(stream) == 0 && (fdatasync(fileno(stream)) == 0 || errno == EINVAL);
}

bool c3d_file_put(FILE *stream, const void *bytes, size_t n_bytes)
{
    const char *from = bytes;

    while (n_bytes > 0) {
        const size_t n = n_bytes < PIECE_BYTES ? n_bytes : PIECE_BYTES;
        if (fwrite(from, 1, n, stream) != n || !sync_at_times(stream, n)) return false;
        c3d_phase_tick();
        from += n;
        n_bytes -= n;
    }
    return true;
}

c3d_status c3d_file_commit(const char *path, FILE *stream)
{
    char part[C3D_PATH_MAX];
    c3d_status st = part_path(part, path);

    if (st != C3D_OK) {
        (void)fclose(stream);
        return st;
    }
    const long long at = ftello(stream);
    bool good = !ferror(stream) && fflush(stream) == 0 && fsync(fileno(stream)) == 0;
    int reason = errno;
    c3d_phase_tick();
    if (fclose(stream) != 0 && good) {
        good = false;
        reason = errno;
    }
    if (good && rename(part, path) != 0) {
        good = false;
        reason = errno;
    }
    if (!good) {
        (void)unlink(part);
        return C3D_FAIL(C3D_EIO, "%s: could not write its %lld bytes: %s", path, at,
                        strerror(reason ? reason : EIO));
    }
    sync_directory_of(path);
    return C3D_OK;
}

void c3d_file_discard(const char *path, FILE *stream)
{
    char part[C3D_PATH_MAX];

    if (!stream) return;
    (void)fclose(stream);
    if (part_path(part, path) == C3D_OK) (void)unlink(part);
}

c3d_status c3d_file_write(const char *path, const void *bytes, size_t n_bytes)
{
    FILE *stream;

    C3D_TRY(c3d_file_open_new(path, &stream));
    (void)fwrite(bytes, 1, n_bytes, stream); /* commit sees the stream's error */
    return c3d_file_commit(path, stream);
}

c3d_status c3d_pread_all(int fd, const char *path, void *to, size_t n, int64_t offset)
{
    char *at = to;

    while (n > 0) {
        const ssize_t got = pread(fd, at, n, offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return C3D_FAIL(C3D_EIO, "%s: reading %zu bytes at %lld: %s", path, n,
                            (long long)offset, strerror(errno));
        if (got == 0)
            return C3D_FAIL(C3D_EIO, "%s: ends %zu bytes before byte %lld: cut short?", path, n,
                            (long long)offset + (long long)n);
        c3d_phase_tick();
        at += got;
        offset += got;
        n -= (size_t)got;
    }
    return C3D_OK;
}

/* Takes n bytes off the front; what is left, from the first place that is not full on. */
static void use_up(struct iovec **places, int *n_places, size_t n)
{
    while (n > 0 && n >= (*places)->iov_len) {
        n -= (*places)->iov_len;
        (*places)++;
        (*n_places)--;
    }
    if (n == 0) return;
    (*places)->iov_base = (char *)(*places)->iov_base + n;
    (*places)->iov_len -= n;
}

c3d_status c3d_preadv_all(int fd, const char *path, struct iovec *places, int n, int64_t offset)
{
    while (n > 0) {
        const ssize_t got = preadv(fd, places, n, offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return C3D_FAIL(C3D_EIO, "%s: reading at %lld: %s", path, (long long)offset,
                            strerror(errno));
        if (got == 0)
            return C3D_FAIL(C3D_EIO, "%s: ends at byte %lld: cut short?", path, (long long)offset);
        c3d_phase_tick();
        offset += got;
        use_up(&places, &n, (size_t)got);
    }
    return C3D_OK;
}

c3d_status c3d_pwrite_all(int fd, const char *path, const void *from, size_t n, int64_t offset)
{
    const char *at = from;

    while (n > 0) {
        const ssize_t put = pwrite(fd, at, n, offset);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0)
            return C3D_FAIL(C3D_EIO, "%s: writing %zu bytes at %lld: %s", path, n,
                            (long long)offset, strerror(put < 0 ? errno : EIO));
        c3d_phase_tick();
        at += put;
        offset += put;
        n -= (size_t)put;
    }
    return C3D_OK;
}

void c3d_allow_open_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* what is refused leaves the old limit */
}
