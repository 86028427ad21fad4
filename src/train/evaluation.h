/* Between the sources of evaluation-SPLIT.json. */
#ifndef C3D_TRAIN_EVALUATION_H
#define C3D_TRAIN_EVALUATION_H

#include "c3d/train.h"

c3d_json *c3d_figure_json(const c3d_figure *f);
c3d_json *c3d_counts_json(c3d_counts counts);
/* {name: figure} of all metrics. */
c3d_json *c3d_metrics_json(const c3d_figure metrics[C3D_N_METRICS]);
c3d_json *c3d_curves_json(const c3d_sheet *sheet);
c3d_json *c3d_calibration_json(const c3d_evaluation *ev, const c3d_sheet *sheet);
/* {confusion, confusion_shares, classes} of K classes. */
void c3d_classes_to_json(const c3d_sheet *sheet, const c3d_dataset_info *info, c3d_json *to);

/* {region, year, mine_size, missing}, given. */
C3D_CHECKED c3d_status c3d_parts_json(const c3d_evaluation_files *files, const c3d_evaluation *ev,
                                      c3d_json **out);
/* Adds area_weighted where strata are known. */
C3D_CHECKED c3d_status c3d_weighted_to_json(const c3d_evaluation_files *files,
                                            const c3d_evaluation *ev, c3d_json *to);

void c3d_sheet_print(const c3d_evaluation_files *files, const c3d_sheet *sheet, c3d_text *out);

#endif
