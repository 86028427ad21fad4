/* Whether scores are of a network that the run still has: a run that was trained on after it was
 * scored has curves, cost and configuration of another. */
#include "report/report.h"

#include "c3d/tensor.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>

typedef struct checkpoints {
    int n;                  /* that could be read */
    int64_t scored, newest; /* steps; -1: none */
    bool has_it, is_whole;  /* among them is the one; all that are there could be read */
} checkpoints;

/* false: it cannot be read, or does not say. */
static bool look_at(const char *path, const char *checksum, checkpoints *of, bool *is_it)
{
    c3d_tensor_file *file;

    *is_it = false;
    if (c3d_tensor_file_open(path, &file) != C3D_OK) return of->is_whole = false;
    const char *its = c3d_tensor_file_metadata(file, "checksum");
    *is_it = its && strcmp(its, checksum) == 0;
    const bool is_said = its != NULL;
    c3d_tensor_file_close(file);
    if (!is_said) return of->is_whole = false;
    of->n++;
    of->has_it |= *is_it;
    return true;
}

static bool step_of(const char *name, int64_t *step)
{
    int end = 0;

    return sscanf(name, "step-%" SCNd64 ".safetensors%n", step, &end) == 1 && end > 0 && !name[end];
}

static void look_at_steps(const char *folder, const char *checksum, checkpoints *of)
{
    DIR *stream = opendir(folder);
    const struct dirent *entry;
    char path[C3D_PATH_MAX];

    while (stream && (entry = readdir(stream)) != NULL) {
        int64_t step;
        bool is_it;
        if (!step_of(entry->d_name, &step) ||
            c3d_path_join(path, folder, entry->d_name) != C3D_OK ||
            !look_at(path, checksum, of, &is_it))
            continue;
        if (is_it) of->scored = step;
        if (step > of->newest) of->newest = step;
    }
    if (stream) (void)closedir(stream);
}

bool report_tells_checkpoint(const report_run *run, int split, c3d_text *out)
{
    checkpoints of = { .scored = -1, .newest = -1, .is_whole = true };
    char path[C3D_PATH_MAX];
    const char *checksum;
    bool is_best = false;

    if (!c3d_json_get_string(run->evaluations[split], "checkpoint", &checksum)) return false;
    if (c3d_path_join(path, run->path, "best.safetensors") != C3D_OK) return false;
    if (c3d_path_exists(path)) (void)look_at(path, checksum, &of, &is_best);
    if (c3d_path_join(path, run->path, "checkpoints") != C3D_OK) return false;
    if (!is_best) look_at_steps(path, checksum, &of);
    if (is_best || of.n == 0 || (of.has_it && of.scored == of.newest)) return false;
    if (!of.has_it && !of.is_whole) return false;
    c3d_text_add(out, "%s: its %s scores are of ", run->label, report_split_names[split]);
    if (of.has_it)
        c3d_text_add(out, "step %" PRId64 ", and the run has gone on to step %" PRId64, of.scored,
                     of.newest);
    else
        c3d_text_add(out, "another checkpoint than its best.safetensors and those it has in "
                          "checkpoints/");
    c3d_text_add(out,
                 ", so its curves, cost and configuration may not belong to them; c3d-evaluate %s "
                 "--split %s scores it again",
                 run->path, report_split_names[split]);
    return true;
}
