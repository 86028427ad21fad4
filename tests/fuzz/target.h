/* A fuzz target: given any bytes as a file, its reader reports them or reads them; it neither
 * crashes nor takes memory out of proportion. tests/soak.sh fuzz drives the targets with libFuzzer;
 * linked with replay.c they read the files named on the command line. */
#ifndef C3D_TESTS_FUZZ_TARGET_H
#define C3D_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's names */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* The bytes as a file of that name in a directory of the process's own, in memory. The directory is
 * borrowed; it is removed at exit. */
const char *fuzz_file(const char *name, const uint8_t *bytes, size_t n, const char **dir_out);

/* Messages of refused input are not wanted. */
void fuzz_start(void);

#endif
