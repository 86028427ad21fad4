/* Between the sources of a run. */
#ifndef C3D_TRAIN_RUN_H
#define C3D_TRAIN_RUN_H

#include "c3d/train.h"

/* run->place: the cores of this rank and its number of threads, distributed.threads or what
 * c3d_place_take finds. Before other threads are started. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_run_take_place(c3d_run *run);
/* Adds "8 of 16 cores a rank (cores 0-7, NUMA 0; ...)" for this rank. Local. */
void c3d_place_describe(const c3d_place *place, c3d_text *out);

/* Micro-batches before the last one that a device may still be reading. */
#define C3D_TRAIN_HELD 2

/* The parts of c3d_run_open, for what only looks at a run (c3d_run_plan). begin is COLLECTIVE. */
C3D_CHECKED c3d_status c3d_run_begin(c3d_run *run, c3d_comm *comm, const c3d_config *config);
C3D_CHECKED c3d_status c3d_run_open_data(c3d_run *run);
/* C3D_ECONFIG when there are more ranks than micro-batches in a step. */
C3D_CHECKED c3d_status c3d_run_check_batches(const c3d_run *run);
c3d_loader_desc c3d_run_loader_desc(const c3d_run *run);
c3d_evaluator_desc c3d_run_evaluator_desc(const c3d_run *run);
c3d_backend_options c3d_run_backend_options(const c3d_run *run, int n_threads);
/* Backend, model and optimiser for run->network; not initialised. */
C3D_CHECKED c3d_status c3d_run_build_network(c3d_run *run, bool dry_run);
void c3d_run_close_network(c3d_run *run); /* half-built is fine */
/* For the memory of run->backend, which stays open until the ranks leave. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_run_open_comm(c3d_run *run);

/* Uploads of what the loader reads need not wait then. Unpinned before the backend is closed or the
 * loader destroyed; what was not pinned, or NULL, is fine. Local. */
C3D_CHECKED c3d_status c3d_pin_loader(c3d_backend *backend, const c3d_loader *loader);
void c3d_unpin_loader(c3d_backend *backend, const c3d_loader *loader);

/* Rank 0: which checkpoint to start from ("" for none) and whether the configuration may go on from
 * it: C3D_ECONFIG with a diff otherwise. */
C3D_CHECKED c3d_status c3d_resume_choose(const c3d_run *run, c3d_resume resume,
                                         const char *resume_path, char path_out[C3D_PATH_MAX]);
/* Rank 0, before loading: the data must be the checkpoint's; says which promise of exactness no
 * longer holds. */
C3D_CHECKED c3d_status c3d_resume_check(c3d_run *run, const char *path);

/* The parameters of a new run from model.init_from, if given: a safetensors file with this
 * network's tensors, or a directory with best.safetensors. The last layer stays as it was drawn
 * where the file has another number of outputs. C3D_ECONFIG names the first tensor that does not
 * fit. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_run_init_from(c3d_run *run);
/* Parameters and running statistics of rank 0 to all. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_run_share_params(c3d_run *run);

/* Records and a checkpoint of the run as it stands, with is_best the best parameters too.
 * COLLECTIVE. */
C3D_CHECKED c3d_status c3d_run_save(c3d_run *run, bool is_best);
/* C3D_ESTOPPED, to be returned on all ranks, once what was saved is on disk. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_run_stopped(c3d_run *run);
/* All steps of the epoch are done: validation, the epoch's row, the best parameters; then the epoch
 * is over and saved. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_run_finish_epoch(c3d_run *run);

/* Local: no step of the epoch was done yet. */
void c3d_run_reset_sums(c3d_run *run);
/* Local: the epoch's sums as one array of c3d_epoch_sums_n: loss, n, counts, seconds. */
size_t c3d_epoch_sums_n(const c3d_run *run);
void c3d_epoch_sums_pack(const c3d_run *run, double *out);
void c3d_epoch_sums_unpack(c3d_run *run, const double *from);

/* The steps of the whole run, done and to come, as the configuration is now. Local. */
int64_t c3d_run_n_steps(const c3d_run *run);
#define C3D_WHY_MAX 200
/* Whether nothing is left to do; if so `why` says the reason. The same on all ranks. Local. */
bool c3d_run_is_over(const c3d_run *run, char why[C3D_WHY_MAX]);
/* The value of one more epoch. Local. */
void c3d_patience_see(c3d_patience *patience, double value);
/* C3D_ECONFIG when data and configuration do not let the run end as asked. Local. */
C3D_CHECKED c3d_status c3d_run_check_ending(const c3d_run *run);

#endif
