/* The configuration that a dataset was made with, kept beside it and published with it. */
#ifndef C3D_CLI_DATASET_CONFIG_H
#define C3D_CLI_DATASET_CONFIG_H

#include "c3d/config.h"

/* DIR/config.yaml: section data of the effective configuration. */
C3D_CHECKED c3d_status c3d_dataset_config_keep(const c3d_config *config, const char *dir);
/* Publishes DIR as OUT (c3d_dataset_publish), with that configuration; paths are told from the
 * folder that images and labels have in common, which becomes data.root. C3D_ECONFIG when none was
 * kept. */
C3D_CHECKED c3d_status c3d_dataset_config_publish(const char *dir, const char *out);

#endif
