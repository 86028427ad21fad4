/* c3d-evaluate: scores of a trained network on a split; several compared. */
#include "cli/compare.h"
#include "cli/evaluate_choose.h"
#include "cli/evaluate_history.h"
#include "cli/program.h"

#include "c3d/raster.h"
#include "c3d/train.h"

#include <limits.h>
#include <string.h>

static const c3d_option options[] = {
    { .name = "--compare",
      .type = C3D_OPTION_FLAG,
      .help = "compare what was scored: each operand is a run, a directory of runs that differ in "
              "their seed, or one with a scores-SPLIT.csv made elsewhere; the first is what the "
              "others are compared with" },
    { .name = "--split",
      .type = C3D_OPTION_CHOICE,
      .value = "train|validation|test",
      .standard = "test",
      .help = "samples to score" },
    { .name = "--data",
      .type = C3D_OPTION_TEXT,
      .value = "DIR",
      .help = "another dataset than the one trained on" },
    { .name = "--fold",
      .type = C3D_OPTION_INT,
      .value = "K",
      .min = -1,
      .max = 99,
      .help =
          "with --data: the fold that is the test split; -1: the splits of its samples.csv; not "
          "given: data.fold of the run" },
    { .name = "--max-per-class",
      .type = C3D_OPTION_INT,
      .value = "N",
      .standard = "0",
      .min = 0,
      .max = INT_MAX,
      .help = "score at most this many samples of each class, drawn at random: the same ones for "
              "every model; 0: all" },
    { .name = "--threshold",
      .type = C3D_OPTION_REAL,
      .value = "T",
      .min = 0,
      .max = 1,
      .help = "a score above it counts as positive (model.outputs 1); not given: "
              "evaluation.threshold of "
              "the run" },
    { .name = "--choose",
      .type = C3D_OPTION_TEXT,
      .value = "RULE,...",
      .standard = "f1",
      .help = "thresholds found on the validation split, which is scored too unless it was: f1, "
              "f0.5, f2 (the largest), recall=R, precision=P (at least that), none" },
    { .name = "--regions",
      .type = C3D_OPTION_TEXT,
      .value = "FILE",
      .help = "vector file of named polygons to score by; not given: evaluation.regions of the "
              "run" },
    { .name = "--strata",
      .type = C3D_OPTION_TEXT,
      .value = "FILE.csv",
      .help = "weights for area-weighted figures: class, weight or frame_id, stratum, weight; not "
              "given: frames of each label in the dataset" },
    { .name = "--checkpoint",
      .type = C3D_OPTION_TEXT,
      .value = "best|last|PATH",
      .standard = "best",
      .help = "parameters to use" },
    { .name = "--device",
      .type = C3D_OPTION_CHOICE,
      .value = "run|auto|cpu|cuda",
      .standard = "run",
      .help = "what computes; run: run.device of the run" },
    { .name = "--precision",
      .type = C3D_OPTION_CHOICE,
      .value = "run|fp32|tf32|bf16|fp16",
      .standard = "run",
      .help = "of the arithmetic; run: as it was trained" },
    { .name = "--history",
      .type = C3D_OPTION_FLAG,
      .help = "also the score of each place month by month, by a window that ends there, and what "
              "single months weigh: history-, detections- and occlusion-SPLIT.csv" },
    { .name = "--frames",
      .type = C3D_OPTION_TEXT,
      .value = "ID,ID,...",
      .help = "with --history: of these frames alone, all of whose samples are looked at month by "
              "month; no file of scores is written then" },
    { .name = "--lasting",
      .type = C3D_OPTION_INT,
      .value = "N",
      .standard = "3",
      .min = 1,
      .max = 1000,
      .help = "with --history: months in a row above the threshold that make a lasting detection" },
    { .name = "--occlude",
      .type = C3D_OPTION_INT,
      .value = "N",
      .standard = "5",
      .min = 0,
      .max = 1000000,
      .help = "with --history, without --frames: take single months from this many of the surest "
              "hits, misses and false alarms each; 0: none" },
    { .name = "--out",
      .type = C3D_OPTION_TEXT,
      .value = "DIR",
      .help = "where the files go (default: the run directory; required by --compare)" },
};
static const c3d_command commands[] = {
    { .name = "",
      .summary = "Score a trained network: evaluation-SPLIT.json and scores-SPLIT.csv; with "
                 "--compare tell several apart: comparison.json, .csv and .txt.",
      .operands = "MODEL...",
      .n_operands_min = 1,
      .n_operands_max = C3D_COMPARE_MAX_NETWORKS,
      .options = options,
      .n_options = C3D_COUNT(options) },
};
static const c3d_program program = {
    .name = "c3d-evaluate",
    .summary = "mpirun -np N c3d-evaluate MODEL [--split test], or "
               "c3d-evaluate --compare A B [C...] --out DIR",
    .commands = commands,
    .n_commands = C3D_COUNT(commands),
    .libraries = C3D_LIBRARIES,
    .running = c3d_train_versions,
};

/* What is evaluated: parameters, their network, and the samples. */
typedef struct subject {
    char checkpoint[C3D_PATH_MAX], out_dir[C3D_PATH_MAX];
    c3d_tensor_file *file;
    c3d_config config;
    c3d_network_desc network;
    c3d_dataset *dataset;
    c3d_list list;
    c3d_split split;
    evaluate_choices choices;
    c3d_list_facts facts;         /* rank 0 */
    c3d_evaluation_strata strata; /* rank 0 */
    bool is_quiet;                /* scored for another split's sake */
} subject;

static c3d_status find_checkpoint(const char *model, const char *which, char out[C3D_PATH_MAX])
{
    if (!strcmp(which, "best")) {
        C3D_TRY(c3d_path_join(out, model, "best.safetensors"));
        if (c3d_path_exists(out)) return C3D_OK;
        return C3D_FAIL(C3D_EIO,
                        "%s: no best.safetensors; is it the directory of a run that finished an "
                        "epoch? --checkpoint last takes the newest checkpoint",
                        model);
    }
    if (strcmp(which, "last") != 0) return c3d_path_join(out, NULL, which);
    C3D_TRY(c3d_checkpoint_find(model, out));
    return out[0] ? C3D_OK : C3D_FAIL(C3D_EIO, "%s: no checkpoint", model);
}

/* Samples of another fold were trained on. */
static c3d_status choose_fold(subject *s, const c3d_args *args)
{
    const bool is_given = c3d_args_given(args, "--fold");
    const int fold = is_given ? (int)c3d_args_int(args, "--fold") : s->config.data.fold;

    if (!c3d_args_text(args, "--data")) {
        if (fold != s->config.data.fold)
            return C3D_FAIL(C3D_ECONFIG,
                            "--fold %d: trained with data.fold %d, so that samples of other folds "
                            "were trained on; only with --data DIR",
                            fold, s->config.data.fold);
        return c3d_dataset_choose_fold(s->dataset, fold, s->config.data.folds);
    }
    if (c3d_dataset_choose_fold(s->dataset, fold, 0) == C3D_OK) return C3D_OK;
    return c3d_error_while("scoring by fold; --fold -1 takes the splits of its samples.csv");
}

static c3d_status open_data(subject *s, const c3d_args *args)
{
    const char *other = c3d_args_text(args, "--data");
    char dir[C3D_PATH_MAX];

    if (other)
        C3D_TRY(c3d_path_join(dir, NULL, other));
    else
        C3D_TRY(c3d_config_path(&s->config, s->config.data.store, dir));
    C3D_ASSERT(c3d_split_parse(c3d_args_text(args, "--split"), &s->split));
    if (c3d_dataset_open(dir, &s->dataset) != C3D_OK)
        return c3d_error_while("opening the dataset %s; --data DIR names another",
                               other ? "of --data" : "the network was trained on");
    C3D_TRY(choose_fold(s, args));
    C3D_TRY(c3d_choose_time(&s->config, s->dataset));
    C3D_TRY(
        c3d_list_make(s->dataset, s->split, c3d_args_int(args, "--max-per-class"), 0, &s->list));
    if (s->list.n == 0)
        return C3D_FAIL(C3D_EDATA, "%s: no sample is in split %s", dir, c3d_split_name(s->split));
    C3D_TRY(evaluate_choose_frames(args, s->dataset, &s->list));
    return c3d_check_labels(s->dataset, dir, &s->list, s->network.model.outputs);
}

static c3d_status open_subject(subject *s, const c3d_args *args)
{
    const char *out = c3d_args_text(args, "--out");

    C3D_TRY(evaluate_check_history(args));
    C3D_TRY(find_checkpoint(args->operands[0], c3d_args_text(args, "--checkpoint"), s->checkpoint));
    C3D_TRY(c3d_path_join(s->out_dir, NULL, out ? out : args->operands[0]));
    C3D_TRY(c3d_make_dirs(s->out_dir));
    C3D_TRY(c3d_tensor_file_open(s->checkpoint, &s->file));
    C3D_TRY(c3d_tensor_file_verify(s->file));
    C3D_TRY(c3d_checkpoint_network(s->file, &s->config, &s->network));
    C3D_TRY(open_data(s, args));
    C3D_TRY(c3d_checkpoint_check_input(s->file, s->dataset, !c3d_args_text(args, "--data")));
    if (s->network.model.outputs > 1 && c3d_args_given(args, "--threshold") &&
        !c3d_args_flag(args, "--history"))
        return C3D_FAIL(C3D_ECONFIG,
                        "--threshold: %s tells %d classes apart by the largest of their scores",
                        s->checkpoint, s->network.model.outputs);
    return evaluate_read_choices(args, s->network.model.outputs, &s->choices);
}

/* Rank 0's: what the samples are of. */
static c3d_status find_facts(subject *s, const c3d_args *args)
{
    const char *given = c3d_args_text(args, "--regions"), *of_run = s->config.evaluation.regions;
    const char *strata = s->is_quiet ? NULL : c3d_args_text(args, "--strata");
    c3d_regions_desc regions = { .field = s->config.evaluation.region_field };
    char path[C3D_PATH_MAX];

    if (given)
        C3D_TRY(c3d_path_join(path, NULL, given));
    else if (of_run && *of_run)
        C3D_TRY(c3d_config_path(&s->config, of_run, path));
    if (given || (of_run && *of_run)) regions.path = path;
    c3d_raster_start();
    C3D_TRY(c3d_list_facts_find(s->dataset, &s->list, &regions, &s->facts));
    return c3d_evaluation_strata_find(s->dataset, &s->list, &s->facts, strata, &s->strata);
}

static void free_list(subject *s)
{
    c3d_evaluation_strata_free(&s->strata);
    c3d_list_facts_free(&s->facts);
    c3d_list_free(&s->list);
}

static void close_subject(subject *s)
{
    free_list(s);
    c3d_dataset_close(s->dataset);
    c3d_tensor_file_close(s->file);
    c3d_config_free(&s->config);
}

static c3d_precision precision_of(const subject *s, const c3d_args *args)
{
    const char *name = c3d_args_text(args, "--precision");

    for (int p = C3D_PRECISION_FP32; p <= C3D_PRECISION_FP16; p++)
        if (strcmp(name, c3d_precision_name((c3d_precision)p)) == 0) return (c3d_precision)p;
    return c3d_precision_from(s->config.model.precision);
}

static c3d_evaluation_files files_of(const subject *s, const c3d_args *args, double threshold)
{
    return (c3d_evaluation_files){
        .dir = s->out_dir,
        .split = c3d_split_name(s->split),
        .threshold = threshold,
        .n_chosen = s->choices.n,
        .chosen = s->choices.rows,
        .checkpoint = c3d_tensor_file_metadata(s->file, "checksum"),
        .precision = c3d_precision_name(precision_of(s, args)),
        .dataset = s->dataset,
        .list = &s->list,
        .facts = &s->facts,
        .strata = &s->strata,
    };
}

/* Rank 0: files and a few lines. */
static c3d_status report(subject *s, const c3d_args *args, const c3d_evaluation *ev,
                         double threshold)
{
    c3d_text text = { 0 };

    if (s->split == C3D_SPLIT_VALIDATION)
        C3D_TRY(evaluate_choose(&s->choices, ev->scores, ev->labels, ev->n));
    const c3d_evaluation_files files = files_of(s, args, threshold);
    c3d_text_add(&text, "%s, %s: %zu samples, loss %.4f\n", s->checkpoint, files.split, ev->n,
                 ev->loss);
    const c3d_status st = c3d_evaluation_write(&files, ev, &text);
    if (st == C3D_OK && !s->is_quiet) c3d_log_run("%s", text.text);
    c3d_text_free(&text);
    return st;
}

static bool is_device_of_run(const c3d_args *args)
{
    return strcmp(c3d_args_text(args, "--device"), "run") == 0;
}

static c3d_evaluator_desc describe(c3d_comm *comm, const c3d_args *args, const subject *s)
{
    return (c3d_evaluator_desc){
        .comm = comm,
        .dataset = s->dataset,
        .list = &s->list,
        .network = s->network,
        .backend =
            is_device_of_run(args) ? c3d_device_name(&s->config) : c3d_args_text(args, "--device"),
        .options = { .device_index = comm->local_rank,
                     .n_threads = s->config.evaluation.threads,
                     .precision = precision_of(s, args),
                     .deterministic = true },
        .batch = s->config.evaluation.batch,
        .n_readers = s->config.data.readers,
    };
}

static c3d_status open_evaluator(const c3d_evaluator_desc *desc, const c3d_args *args,
                                 const subject *s, c3d_evaluator **out)
{
    const c3d_status st = c3d_evaluator_create(desc, out);

    if (st != C3D_EUNSUPPORTED) return st;
    if (is_device_of_run(args) && s->config.run.device == C3D_CONFIG_DEVICE_CUDA)
        return c3d_error_while("opening the device it was trained on; --device cpu scores without");
    if (desc->options.precision != C3D_PRECISION_FP32)
        return c3d_error_while("opening the device; --precision fp32 scores in float32");
    return st;
}

/* The samples of the list, and on rank 0 their files. */
static c3d_status score(const c3d_evaluator_desc *desc, const c3d_args *args, subject *s,
                        double threshold, c3d_evaluation *ev)
{
    c3d_comm *comm = desc->comm;
    c3d_evaluator *evaluator = NULL;
    c3d_status st = c3d_comm_agree_status(comm, open_evaluator(desc, args, s, &evaluator));

    if (st == C3D_OK) st = c3d_comm_agree_status(comm, c3d_evaluator_read(evaluator, s->file));
    if (st == C3D_OK) st = c3d_evaluator_run(evaluator, c3d_split_name(s->split), ev);
    if (st == C3D_OK && !c3d_args_text(args, "--frames"))
        st = c3d_comm_agree_status(comm, comm->rank == 0 ? report(s, args, ev, threshold) : C3D_OK);
    c3d_evaluator_destroy(evaluator);
    return st;
}

/* ---- thresholds chosen on the validation split ----------------------------------------------- */

/* Of the dataset the network was trained on; empty where it has none. */
static c3d_status list_validation(const subject *s, const c3d_args *args, c3d_list *out)
{
    const c3d_samples *samples = c3d_dataset_get_samples(s->dataset);
    bool is_there = false;

    if (c3d_args_text(args, "--data")) return C3D_OK;
    for (size_t i = 0; i < samples->n; i++)
        is_there = is_there || samples->rows[i].split == C3D_SPLIT_VALIDATION;
    return is_there ? c3d_list_make(s->dataset, C3D_SPLIT_VALIDATION, 0, 0, out) : C3D_OK;
}

/* Rank 0: from scores that are there. */
static c3d_status choose_from_files(subject *s, const c3d_args *args, uint64_t list_hash,
                                    bool *is_done)
{
    const c3d_evaluation_files files = files_of(s, args, 0);
    c3d_score_table table;

    if (!evaluate_find_scores(s->out_dir, &files, list_hash, &table) &&
        !evaluate_find_scores(args->operands[0], &files, list_hash, &table))
        return C3D_OK;
    c3d_log_run("thresholds chosen by %s", table.path);
    *is_done = true;
    const c3d_status st = evaluate_choose(&s->choices, table.scores, table.labels, table.n);
    c3d_score_table_free(&table);
    return st;
}

/* Scores the validation split first; takes the list. COLLECTIVE. */
static c3d_status choose_by_scoring(const c3d_evaluator_desc *like, const c3d_args *args,
                                    subject *s, double threshold, c3d_list *list)
{
    subject other = *s;
    c3d_evaluator_desc desc = *like;
    c3d_evaluation ev = { 0 };

    other.list = *list;
    *list = (c3d_list){ 0 };
    other.split = C3D_SPLIT_VALIDATION;
    other.is_quiet = true;
    other.facts = (c3d_list_facts){ 0 };
    other.strata = (c3d_evaluation_strata){ 0 };
    desc.list = &other.list;
    c3d_status st = like->comm->rank == 0 ? find_facts(&other, args) : C3D_OK;
    st = c3d_comm_agree_status(like->comm, st);
    if (st == C3D_OK) st = score(&desc, args, &other, threshold, &ev);
    if (st == C3D_OK) s->choices = other.choices;
    c3d_evaluation_free(&ev);
    free_list(&other);
    return st;
}

static c3d_status nothing_to_choose_by(subject *s)
{
    s->choices.n = 0;
    if (s->choices.is_given)
        return C3D_FAIL(C3D_EDATA,
                        "--choose: no scores of the validation split by this checkpoint, and no "
                        "such samples to score; c3d-evaluate MODEL --split validation writes them");
    return C3D_OK;
}

/* COLLECTIVE. */
static c3d_status choose_thresholds(const c3d_evaluator_desc *desc, const c3d_args *args,
                                    subject *s, double threshold)
{
    c3d_comm *comm = desc->comm;
    c3d_list list = { 0 };
    bool is_done = false;
    c3d_status st;

    if (s->split == C3D_SPLIT_TRAIN || c3d_args_text(args, "--frames")) s->choices.n = 0;
    if (s->choices.n == 0 || s->split == C3D_SPLIT_VALIDATION) return C3D_OK;
    st = c3d_comm_agree_status(comm, list_validation(s, args, &list));
    if (st == C3D_OK && comm->rank == 0 && (list.n > 0 || c3d_args_text(args, "--data")))
        st = choose_from_files(s, args, list.hash, &is_done);
    st = c3d_comm_agree_status(comm, st);
    if (st == C3D_OK) st = c3d_comm_share(comm, &is_done, sizeof is_done);
    if (st == C3D_OK && !is_done)
        st = list.n > 0 ? choose_by_scoring(desc, args, s, threshold, &list)
                        : nothing_to_choose_by(s);
    c3d_list_free(&list);
    return st;
}

static c3d_status evaluate(c3d_comm *comm, const c3d_args *args, subject *s)
{
    c3d_evaluation ev = { 0 };
    c3d_place place;
    c3d_status st = c3d_comm_agree_status(comm, open_subject(s, args));

    if (st != C3D_OK) return st;
    c3d_comm_set_timeout(comm, s->config.distributed.timeout_s);
    const double threshold = c3d_args_given(args, "--threshold")
                                 ? c3d_args_real(args, "--threshold")
                                 : s->config.evaluation.threshold;
    const c3d_evaluator_desc desc = describe(comm, args, s);
    st = c3d_place_take(comm, s->config.evaluation.threads, NULL, &place);
    if (st == C3D_OK)
        st = c3d_comm_agree_status(comm, comm->rank == 0 ? find_facts(s, args) : C3D_OK);
    if (st == C3D_OK) st = choose_thresholds(&desc, args, s, threshold);
    if (st == C3D_OK) st = score(&desc, args, s, threshold, &ev);
    if (st == C3D_OK && c3d_args_flag(args, "--history"))
        st = evaluate_history(args, &(c3d_history_desc){ .evaluator = &desc,
                                                         .file = s->file,
                                                         .evaluation = &ev,
                                                         .dir = s->out_dir,
                                                         .split = c3d_split_name(s->split),
                                                         .threshold = threshold });
    c3d_evaluation_free(&ev);
    return st;
}

static c3d_status work(c3d_comm *comm, const c3d_args *args, subject *s)
{
    C3D_TRY(c3d_comm_agree_status(comm, c3d_compare_check_args(args)));
    if (c3d_args_flag(args, "--compare")) return c3d_compare_models(comm, args);
    return evaluate(comm, args, s);
}

int main(int argc, char **argv)
{
    c3d_comm comm;
    c3d_args args;
    subject s = { 0 };
    c3d_status st = c3d_program_start(&program, argc, argv, &comm, &args);

    if (st == C3D_OK && args.answer)
        st = c3d_program_print(&comm, args.answer);
    else if (st == C3D_OK)
        st = work(&comm, &args, &s);
    close_subject(&s);
    return c3d_program_end(&comm, &args, st);
}
