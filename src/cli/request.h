/* What the configuration and the command line of c3d-dataset ask for, as the description of a
 * dataset. Private to the program. */
#ifndef C3D_CLI_REQUEST_H
#define C3D_CLI_REQUEST_H

#include "c3d/args.h"
#include "c3d/dataset.h"

/* The description and what it points to. */
typedef struct c3d_request {
    c3d_dataset_desc desc;
    c3d_list_desc list;
    char list_path[C3D_PATH_MAX];
    char mosaics[C3D_PATH_MAX], labels[C3D_PATH_MAX], split_file[C3D_PATH_MAX];
    c3d_label_class *classes, *hard;
    c3d_date *periods;
    int (*mask_valid)[2];
    c3d_year_range split_years[C3D_N_SPLITS * C3D_CONFIG_MAX_RANGES];
} c3d_request;

/* config and args are borrowed until free. C3D_ECONFIG. Freed by c3d_request_free, also after a
 * failure; a zeroed one is fine. */
C3D_CHECKED c3d_status c3d_request_take(const c3d_args *args, const c3d_config *config,
                                        c3d_request *out);
void c3d_request_free(c3d_request *request);

#endif
