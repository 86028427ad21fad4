/* From label files to what each frame is labelled: measuring, then the rules. Private to data. */
#ifndef C3D_DATA_LABELS_H
#define C3D_DATA_LABELS_H

#include "frames.h"

/* What was measured of frames first .. first + n - 1, in shares of a frame's area. */
typedef struct label_block {
    size_t first, n;
    double *shares;          /* [n, n_years, n_classes] */
    double *observed, *hard; /* [n, n_years]; hard: of data.hard_negatives */
} label_block;
C3D_CHECKED c3d_status c3d_label_block_make(size_t first, size_t n, int n_years, int n_classes,
                                            label_block *out);
void c3d_label_block_free(label_block *block);

/* Open label files of all years; measures any block of the frames. */
typedef struct label_meter label_meter;
C3D_CHECKED c3d_status c3d_label_meter_open(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                            const c3d_archive *labels, label_report *report,
                                            label_meter **out);
void c3d_label_meter_close(label_meter *meter);
/* Says in one line a product and its years what the labels are. */
void c3d_label_meter_tell(const label_meter *meter);
/* Adds to report too. */
C3D_CHECKED c3d_status c3d_label_meter_measure(label_meter *meter, label_block *block,
                                               label_report *report);
/* Finds and opens the label files, and makes room in frames for what they will give. */
C3D_CHECKED c3d_status c3d_labels_open(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                       c3d_frames *frames, label_report *report, label_meter **out);
/* A measured block into frames and report. */
void c3d_labels_take(const c3d_dataset_desc *desc, const label_block *block, c3d_frames *frames,
                     label_report *report);

double c3d_label_rounded(double share);
int c3d_label_class_index(const c3d_dataset_desc *desc, const char *name); /* -1: none */
/* The labels of a block's frames, its shares and hard flags go into frames. */
void c3d_labels_decide(const c3d_dataset_desc *desc, const label_block *block, c3d_frames *frames);
/* Negatives nearer than data.negative_distance_m to a frame that holds a class become uncertain. */
C3D_CHECKED c3d_status c3d_labels_keep_distance(const c3d_dataset_desc *desc, c3d_frames *frames);
/* Whether the label of year k differs from that of the last year before it that has one; uncertain
 * and unlabelled years have none. */
bool c3d_label_changes(const c3d_frames *frames, size_t frame, int k);

#endif
