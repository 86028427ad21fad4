/* A folder of the test's own below its working directory, which goes with the program. */
#ifndef C3D_TESTS_OWN_FOLDER_H
#define C3D_TESTS_OWN_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *own_folder;
static pid_t own_folder_maker;

static inline int remove_entry(const char *path, const struct stat *facts, int kind,
                               struct FTW *place)
{
    (void)facts;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Not by a child that was forked off; what is mounted in it stays. */
static inline void remove_own_folder(void)
{
    if (getpid() != own_folder_maker || chdir("/") != 0) return;
    if (nftw(own_folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
        perror(own_folder);
}

static inline void make_own_folder(char *template)
{
    if (mkdtemp(template) == NULL || (own_folder = realpath(template, NULL)) == NULL ||
        atexit(remove_own_folder) != 0) {
        perror(template);
        exit(1);
    }
    own_folder_maker = getpid();
}

/* Makes it the working directory. */
static inline void enter_own_folder(char *template)
{
    make_own_folder(template);
    if (chdir(template) == 0) return;
    perror(template);
    exit(1);
}

#endif
