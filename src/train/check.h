/* Between the sources of --check. */
#ifndef C3D_TRAIN_CHECK_H
#define C3D_TRAIN_CHECK_H

#include "c3d/train.h"

/* What a rank tells rank 0 of itself. */
typedef struct c3d_site_rank {
    char host[64];
    int local_rank, first_local_rank; /* as in c3d_comm; the latter tells hosts apart */
    c3d_place place;                  /* its cores and threads */
    char numa[32];                    /* nodes of its cores, "0,1"; "-": not known */
    c3d_status status;                /* of opening its device */
    char device[256];                 /* as the backend describes it, or why it cannot be used */
    int device_index;                 /* -1: it computes in host memory */
    char bus_id[32];                  /* of the GPU; "": none, or not known */
    char versions[256];
} c3d_site_rank;

/* What is wrong, in the order found. Zero-initialise. */
typedef struct c3d_site_findings {
    c3d_text lines; /* one sentence a line */
    int n_warnings, n_stops;
    c3d_status status; /* of the first that would stop a run; C3D_OK: none */
    char what[512];    /* and its sentence */
} c3d_site_findings;

void c3d_site_warn(c3d_site_findings *out, const char *format, ...) C3D_PRINTF(2, 3);
/* What a run would end with. */
void c3d_site_stop(c3d_site_findings *out, c3d_status status, const char *format, ...)
    C3D_PRINTF(3, 4);
void c3d_site_findings_free(c3d_site_findings *findings);

/* This rank, with run->backend open if that can be. Local. */
void c3d_site_look(c3d_run *run, c3d_site_rank *out);
/* NUMA nodes of a set of processors, as listed in ROOT/sys; root: "" but for tests. */
void c3d_site_numa(const char *root, const cpu_set_t *cpus, char out[32]);
void c3d_site_print_ranks(const c3d_site_rank *ranks, int n, c3d_text *out);
/* Cores, devices and versions of n ranks, beside each other. */
void c3d_site_judge(const c3d_site_rank *ranks, int n, c3d_site_findings *out);

/* Opens the communicator, compares a sum with what it must be, and times sums of a few sizes.
 * C3D_ECOMM for a wrong sum. The text is rank 0's. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_site_time_sums(c3d_run *run, c3d_text *out);

/* Where DIR would lie: whether rank 0 can write there, and whether the others see what it wrote (a
 * file that is removed at once). out is rank 0's. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_site_check_directory(c3d_comm *comm, const char *dir,
                                                c3d_site_findings *out);

#endif
