#include "train/checkpoint.h"
#include "train/ordered.h"
#include "train/run.h"

#include <inttypes.h>
#include <string.h>

static c3d_status compare_config(const c3d_run *run, const c3d_config *saved, const char *path)
{
    c3d_config_changes changes;
    c3d_text refused = { 0 };

    c3d_config_diff(saved, run->config, &changes);
    for (int i = 0; i < changes.n; i++) {
        const c3d_config_change *c = &changes.items[i];
        if (c->policy == C3D_CONFIG_REFUSE)
            c3d_text_add(&refused, "\n  %s: %s -> %s", c->key, c->from, c->to);
        else if (c->policy == C3D_CONFIG_WARN)
            c3d_log_warn("%s changed since the checkpoint: %s -> %s: %s", c->key, c->from, c->to,
                         c->warning);
    }
    c3d_status st = C3D_OK;
    if (refused.text)
        st = C3D_FAIL(C3D_ECONFIG,
                      "%s was saved with another configuration; going on would make another run "
                      "(--resume never starts anew):%s",
                      path, refused.text);
    c3d_text_free(&refused);
    c3d_config_changes_free(&changes);
    return st;
}

static c3d_status check_config(const c3d_run *run, const char *path)
{
    c3d_tensor_file *file;
    c3d_config saved;

    C3D_TRY(c3d_tensor_file_open(path, &file));
    c3d_status st = c3d_checkpoint_read_config(file, path, &saved);
    c3d_tensor_file_close(file);
    C3D_TRY(st);
    st = compare_config(run, &saved, path);
    c3d_config_free(&saved);
    return st;
}

c3d_status c3d_resume_choose(const c3d_run *run, c3d_resume resume, const char *resume_path,
                             char path_out[C3D_PATH_MAX])
{
    path_out[0] = '\0';
    if (resume == C3D_RESUME_NEVER) return C3D_OK;
    if (resume == C3D_RESUME_PATH)
        C3D_TRY(c3d_path_join(path_out, NULL, resume_path));
    else
        C3D_TRY(c3d_checkpoint_find(run->dir, path_out));
    return path_out[0] ? check_config(run, path_out) : C3D_OK;
}

static void compare_conditions(const c3d_run *run, const c3d_conditions *saved)
{
    char device[256];

    (void)run->backend.ops->describe((c3d_backend *)(uintptr_t)&run->backend, device);
    if ((saved->n_ranks == run->comm->n_ranks || c3d_is_ordered(run)) &&
        saved->n_threads == run->n_threads && strcmp(saved->device, device) == 0)
        return;
    c3d_log_warn("saved on %d ranks with %d threads (%s), continued on %d with %d (%s): the same "
                 "samples in the same batches, but bits may differ from an undisturbed run",
                 saved->n_ranks, saved->n_threads, saved->device, run->comm->n_ranks,
                 run->n_threads, device);
}

static void compare_versions(const c3d_run *run, const c3d_conditions *saved)
{
    static const char differ[] = "bits may differ from an undisturbed run";
    char adder[sizeof saved->adder];

    c3d_checkpoint_adder(run, adder);
    if (saved->software[0] && strcmp(saved->software, C3D_CHECKPOINT_SOFTWARE) != 0)
        c3d_log_warn("saved by %s, continued by %s: %s", saved->software, C3D_CHECKPOINT_SOFTWARE,
                     differ);
    if (saved->adder[0] && adder[0] && strcmp(saved->adder, adder) != 0)
        c3d_log_warn("saved where %s summed over ranks, continued with %s: %s", saved->adder, adder,
                     differ);
}

/* Ranks of a host are added first, so that the order of sums follows from who is where. */
static void compare_hosts(const c3d_run *run, const c3d_conditions *saved)
{
    const int n_now = run->comm->n_local_ranks;

    if (saved->n_ranks != run->comm->n_ranks) return; /* said already */
    if (c3d_is_ordered(run)) return;
    if (saved->n_local_ranks == 0 || saved->n_local_ranks == n_now) return;
    c3d_log_warn("saved with %lld of the %d ranks on the first host, continued with %d: gradients "
                 "are added in another order, so bits may differ from an undisturbed run",
                 saved->n_local_ranks, saved->n_ranks, n_now);
}

static void compare_course(const c3d_run *run, const c3d_conditions *saved)
{
    const long long n_steps = c3d_run_n_steps(run);

    if (run->config->optimizer.schedule == C3D_CONFIG_SCHEDULE_CONSTANT) return;
    if (saved->n_steps == 0 || saved->n_steps == n_steps) return;
    c3d_log_warn("the run now has %lld steps in all, %lld when the checkpoint was saved: from here "
                 "on the learning rate follows optimizer.schedule over the new number",
                 n_steps, saved->n_steps);
}

c3d_status c3d_resume_check(c3d_run *run, const char *path)
{
    c3d_tensor_file *file;
    c3d_conditions conditions;

    C3D_TRY(c3d_tensor_file_open(path, &file));
    c3d_status st = c3d_checkpoint_check_data(file, run);
    if (st == C3D_OK) st = c3d_checkpoint_read_conditions(file, &conditions);
    if (st == C3D_OK) compare_conditions(run, &conditions);
    if (st == C3D_OK) compare_hosts(run, &conditions);
    if (st == C3D_OK) compare_versions(run, &conditions);
    if (st == C3D_OK) compare_course(run, &conditions);
    c3d_tensor_file_close(file);
    return st == C3D_OK ? st : c3d_error_while("resuming from %s", path);
}
