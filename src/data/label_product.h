/* Label rasters that are known by their names. Private to data. */
#ifndef C3D_DATA_LABEL_PRODUCT_H
#define C3D_DATA_LABEL_PRODUCT_H

#include "c3d/dataset.h"

typedef struct label_product {
    const char *name;    /* for people */
    const char *pattern; /* of its files in a directory; NULL: not looked for */
    const char *stem;    /* a file is of this product when its name holds this, in any case */
    bool zero_is_seen;   /* 0 means "none of these classes", not "not observed" */
    bool has_code_27;    /* which means not observed */
    int n_ranges;
    int ranges[24][2]; /* codes of its legend, from..to */
} label_product;

/* NULL: a name that says nothing. */
const label_product *c3d_label_product_find(const char *path);
bool c3d_label_product_knows(const label_product *product, int code);
/* The pattern in out: of data.labels itself, or, where that is a directory, of the one product in
 * it. C3D_EDATA when it holds none, C3D_ECONFIG when it holds several. */
C3D_CHECKED c3d_status c3d_label_pattern(const char *labels, char out[C3D_PATH_MAX]);

#endif
