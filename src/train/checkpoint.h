/* Between checkpoint, run and records. */
#ifndef C3D_TRAIN_CHECKPOINT_H
#define C3D_TRAIN_CHECKPOINT_H

#include "c3d/train.h"

#define C3D_CHECKPOINT_FORMAT "c3d-train checkpoint"
#define C3D_CHECKPOINT_SCHEMA 1

/* Facts that the bits of a resumed run depend on, as saved. */
typedef struct c3d_conditions {
    int n_ranks, n_threads;
    long long n_local_ranks; /* of rank 0's host; 0: not known */
    long long n_steps;       /* c3d_run_n_steps; 0: not known */
    char device[256];
    char software[256], adder[256]; /* c3d_checkpoint_adder; "": not known */
} c3d_conditions;

#define C3D_CHECKPOINT_SOFTWARE "c3d-train " C3D_VERSION
/* The library with its version that sums over ranks; "" for one rank. Local. */
void c3d_checkpoint_adder(const c3d_run *run, char out[256]);

/* Local: reads them, and the configuration (given), from an open checkpoint. C3D_EDATA when it is
 * not one of ours or too new. */
C3D_CHECKED c3d_status c3d_checkpoint_read_config(c3d_tensor_file *file, const char *path,
                                                  c3d_config *out);
C3D_CHECKED c3d_status c3d_checkpoint_read_conditions(c3d_tensor_file *file, c3d_conditions *out);
/* Local: one tensor into an arena of the model, as its parameter p. C3D_EDATA names the file. */
C3D_CHECKED c3d_status c3d_checkpoint_read_param(c3d_tensor_file *file, const char *name,
                                                 c3d_model *model, int p, float *arena);
/* Local: the step of DIR's checkpoint whose metadata have this checksum, and of its newest one; -1:
 * none. Bytes are not verified; one that cannot be read is passed over. */
C3D_CHECKED c3d_status c3d_checkpoint_find_checksum(const char *dir, const char *checksum,
                                                    int64_t *step_out, int64_t *newest_out);
/* Local: position, sums, best and patience, without touching parameters. */
C3D_CHECKED c3d_status c3d_checkpoint_read_state(c3d_tensor_file *file, c3d_run *run);
C3D_CHECKED c3d_status c3d_checkpoint_read_best(c3d_tensor_file *file, c3d_best *out);
/* The samples trained on and the dataset must be those of the checkpoint: C3D_ECONFIG otherwise. */
C3D_CHECKED c3d_status c3d_checkpoint_check_data(c3d_tensor_file *file, const c3d_run *run);

/* Local: a file of the run as it stands, with its metadata, and its tensors declared: parameters,
 * with moments those of Adam, running statistics, with moments the epoch's sums. Their bytes come
 * from a snapshot (train/saver.h), given to the writer later. */
C3D_CHECKED c3d_status c3d_checkpoint_begin(c3d_run *run, const char *path, bool moments,
                                            c3d_tensor_writer **out);

/* Rank 0, before anything is saved: removes what saves that were killed left half written. */
C3D_CHECKED c3d_status c3d_checkpoint_remove_parts(const char *dir);
/* Rank 0: removes the files of DIR/checkpoints but the newest keep_last and, if every_steps > 0,
 * those whose step it divides. */
C3D_CHECKED c3d_status c3d_checkpoint_prune(const char *dir, int keep_last, int64_t every_steps);

/* What a configuration says of the network; the others add statistics and input shape, */
void c3d_network_from_config(const c3d_config *config, c3d_network_desc *out);
/* the samples that a loader delivers and, with model.match_parameters, the width. C3D_ECONFIG when
 * the sizes make no network. */
C3D_CHECKED c3d_status c3d_network_set_input(const c3d_config *config, const c3d_loader_size *input,
                                             c3d_network_desc *network);
/* A line about that width, n_params being the network's own; nothing where it was given. */
void c3d_network_say_width(const c3d_config *config, const c3d_network_desc *network,
                           uint64_t n_params, c3d_text *out);
void c3d_network_set_statistics(c3d_network_desc *network, int band, double mean, double deviation);

#endif
