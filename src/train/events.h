/* TensorBoard's event files of a run: DIR/events.out.tfevents.SECONDS.HOST.c3d-train, one each time
 * the run is started, the later in the alphabet the later begun. All calls are rank 0's.
 *
 * A file is a row of records: length (u64), its checksum (u32), that many bytes, their checksum
 * (u32), all little-endian; a checksum is CRC-32C, rotated right by 15 bits, plus 0xa282ead8. The
 * bytes are a protobuf message Event: wall_time = 1 (double), step = 2 (int64), file_version = 3
 * (string, of the first record: "brain.Event:2"), summary = 5, session_log = 7. A Summary is
 * repeated value = 1: tag = 1 (string), simple_value = 2 (float). The session_log (status = 1:
 * START) of the second record tells a reader that runs meanwhile to forget events of its step and
 * later. */
#ifndef C3D_TRAIN_EVENTS_H
#define C3D_TRAIN_EVENTS_H

#include "c3d/base.h"

typedef struct c3d_events c3d_events;

/* Tags of what belongs to a whole epoch begin so. */
#define C3D_EVENTS_EPOCH "epoch/"

typedef struct c3d_scalar {
    const char *tag;
    double value; /* NaN or infinite: left out */
} c3d_scalar;

/* What files of ours in dir hold of later steps than `step` goes, so does what a kill left of a
 * last record, and, with in_epoch, what was written of an epoch that ended with `step`: the run
 * goes on before that. Files of others stay as they are. A directory that is not there is fine.
 * C3D_EIO.
 */
C3D_CHECKED c3d_status c3d_events_cut(const char *dir, int64_t step, bool in_epoch);
/* A new file in dir, which is made where it is not there, for the steps after `step`. C3D_EIO. */
C3D_CHECKED c3d_status c3d_events_open(const char *dir, int64_t step, c3d_events **out);
void c3d_events_close(c3d_events *events); /* NULL is fine */
/* One event; allocates nothing. Failures are told by flush. */
void c3d_events_scalars(c3d_events *events, int64_t step, const c3d_scalar *scalars, size_t n);
C3D_CHECKED c3d_status c3d_events_flush(c3d_events *events);
/* Until what was flushed is on disk; from any thread. */
C3D_CHECKED c3d_status c3d_events_sync(const c3d_events *events);

#endif
