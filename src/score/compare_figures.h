/* Figures of a comparison as text: table, paragraph and files write each through these alone, so
 * that none says another number than the others. */
#ifndef C3D_SCORE_COMPARE_FIGURES_H
#define C3D_SCORE_COMPARE_FIGURES_H

#include "c3d/compare.h"

#define C3D_FIGURE_MAX 32
void c3d_figure_value(double value, char out[C3D_FIGURE_MAX]);      /* 0.9531, "-" for NaN */
void c3d_figure_difference(double value, char out[C3D_FIGURE_MAX]); /* +0.0412 */
/* 0.0123; <0.0001; more digits where four would be those of the level itself. */
void c3d_figure_p(double p, char out[C3D_FIGURE_MAX]);
void c3d_figure_blocks(double blocks, char out[C3D_FIGURE_MAX]); /* 21.3 */

#endif
