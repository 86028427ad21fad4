/* What a training run does with a dataset before its first step, for bench/large.sh:
 *
 *   bench_opening DIR      seconds, and the most memory so far, of each part */
#include "c3d/data.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

typedef struct opening {
    c3d_dataset *dataset;
    c3d_list list;
    c3d_loader *loader;
    double since_s;
} opening;

static void tell(opening *self, const char *what)
{
    const double now_s = c3d_now_s();
    struct rusage usage = { 0 };

    (void)getrusage(RUSAGE_SELF, &usage);
    printf("%-34s %8.3f s %8ld MB\n", what, now_s - self->since_s, usage.ru_maxrss / 1024);
    self->since_s = c3d_now_s();
}

static c3d_status load(opening *self, bool is_balanced, int n_groups)
{
    const int batch = 64;

    c3d_loader_destroy(self->loader);
    self->loader = NULL;
    C3D_TRY(c3d_loader_create(&(c3d_loader_desc){ .dataset = self->dataset,
                                                  .list = &self->list,
                                                  .shuffle = true,
                                                  .balanced = is_balanced,
                                                  .n_groups = n_groups,
                                                  .seed = 1,
                                                  .global_batch = batch * n_groups,
                                                  .micro_batch = batch,
                                                  .n_ranks = 1 },
                              &self->loader));
    c3d_batch first;
    C3D_TRY(c3d_loader_start(self->loader, 0, 0));
    return c3d_loader_next(self->loader, &first);
}

static c3d_status measure(opening *self, const char *dir)
{
    uint64_t sum = 0;

    C3D_TRY(c3d_dataset_open(dir, &self->dataset));
    tell(self, "open");
    C3D_TRY(c3d_list_make(self->dataset, C3D_SPLIT_TRAIN, 0, 1, &self->list));
    tell(self, "list of the training split");
    const int n_bands = c3d_dataset_get_info(self->dataset)->n_bands;
    double *mean = c3d_calloc((size_t)n_bands * 2, sizeof *mean);
    if (!mean) return C3D_ENOMEM;
    const c3d_status st = c3d_statistics(self->dataset, &self->list, mean, mean + n_bands);
    free(mean);
    C3D_TRY(st);
    tell(self, "mean and deviation");
    C3D_TRY(load(self, true, 1));
    tell(self, "loader, balanced: first batch");
    C3D_TRY(load(self, false, 4));
    tell(self, "loader, 4 groups: first batch");
    C3D_TRY(load(self, false, 1));
    tell(self, "loader, shuffled: first batch");
    for (uint64_t i = 0; i < self->list.n; i++) sum += c3d_loader_order(self->loader, 1, i);
    tell(self, "all positions of an epoch");
    printf("%zu of %zu samples; sum of rows %" PRIu64 "\n", self->list.n,
           c3d_dataset_get_samples(self->dataset)->n, sum);
    return C3D_OK;
}

int main(int argc, char **argv)
{
    opening self = { .since_s = c3d_now_s() };

    if (argc != 2) {
        (void)fprintf(stderr, "usage: bench_opening DIR\n");
        return 2;
    }
    const c3d_status st = measure(&self, argv[1]);
    c3d_loader_destroy(self.loader);
    c3d_list_free(&self.list);
    if (self.dataset) c3d_dataset_close(self.dataset);
    if (st != C3D_OK) (void)fprintf(stderr, "bench_opening: %s\n", c3d_error_last()->message);
    return st == C3D_OK ? 0 : 1;
}
