/* What verify hands over from the scenes it read to the proof of the splits. Private to data. */
#ifndef C3D_DATA_VERIFY_H
#define C3D_DATA_VERIFY_H

#include "leak.h"

/* Proves the splits of DIR's samples.csv: writes DIR/leak-proof.json and adds what it found to out.
 * scenes [n]: those that were described. C3D_EDATA when a split or fold leaks. */
C3D_CHECKED c3d_status c3d_verify_splits(const char *dir, const c3d_store *store, size_t n,
                                         const alike_scene *scenes, c3d_text *out);

#endif
