/* Gives a target the files on the command line, one after the other, whole and cut off. */
#include "fuzz/target.h"

#include <stdio.h>
#include <stdlib.h>

#include "c3d/base.h"

int main(int argc, char **argv)
{
    (void)LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        char *bytes = NULL;
        size_t n = 0;

        if (c3d_file_read(argv[i], &bytes, &n) != C3D_OK) {
            (void)fprintf(stderr, "%s\n", c3d_error_last()->message);
            return 3;
        }
        (void)LLVMFuzzerTestOneInput((const uint8_t *)bytes, n);
        for (int part = 1; part < 8; part++)
            (void)LLVMFuzzerTestOneInput((const uint8_t *)bytes, n * (size_t)part / 8);
        printf("%s: %zu bytes\n", argv[i], n);
        free(bytes);
    }
    return 0;
}
