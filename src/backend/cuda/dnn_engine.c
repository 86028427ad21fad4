/* The engines that can compute a graph: proposed by heuristics, sorted out by their notes. */
#include "backend/cuda/dnn_graph.h"

#include <stdlib.h>
#include <string.h>

typedef cudnnBackendDescriptor_t descriptor;

/* Proposals of one heuristic that are looked at; no list seen was longer. */
#define PROPOSALS 64
/* Compiling takes seconds an engine, so only the first are compiled to be timed. */
#define COMPILED 3

static c3d_status set(descriptor d, cudnnBackendAttributeName_t name,
                      cudnnBackendAttributeType_t type, int64_t n, const void *values)
{
    C3D_CUDNN(cudnnBackendSetAttribute(d, name, type, n, values));
    return C3D_OK;
}

static void destroy(descriptor *d)
{
    if (*d) (void)cudnnBackendDestroyDescriptor(*d);
    *d = NULL;
}

void c3d_dnn_candidate_free(c3d_dnn_candidate *candidate)
{
    destroy(&candidate->plan);
    destroy(&candidate->config);
    *candidate = (c3d_dnn_candidate){ 0 };
}

void c3d_dnn_candidates_free(c3d_dnn_candidates *candidates)
{
    while (candidates->n > 0) c3d_dnn_candidate_free(&candidates->list[--candidates->n]);
}

/* ---- what an engine is ----------------------------------------------------------------------- */

/* Notes are small numbers: as bits. */
static c3d_status notes_of(descriptor engine, cudnnBackendAttributeName_t name,
                           cudnnBackendAttributeType_t type, unsigned *out)
{
    int notes[32];
    int64_t n = 0;

    *out = 0;
    C3D_CUDNN(cudnnBackendGetAttribute(engine, name, type, C3D_COUNT(notes), &n, notes));
    for (int64_t i = 0; i < n && i < (int64_t)C3D_COUNT(notes); i++) *out |= 1U << notes[i];
    return C3D_OK;
}

static bool is_left_out(const c3d_dnn_search *search, unsigned notes)
{
    unsigned unwanted = 1U << CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION |
                        1U << CUDNN_NUMERICAL_NOTE_WINOGRAD | 1U << CUDNN_NUMERICAL_NOTE_FFT;

    if (search->precision == C3D_PRECISION_FP32)
        unwanted |=
            1U << CUDNN_NUMERICAL_NOTE_TENSOR_CORE | 1U << CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
    if (search->deterministic) unwanted |= 1U << CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    return (notes & unwanted) != 0;
}

/* Number and notes of a configuration's engine. */
static c3d_status look_at_engine(const c3d_dnn_search *search, c3d_dnn_candidate *c, bool *left_out)
{
    descriptor engine = NULL;
    unsigned numerical, behaviour;
    int64_t n;

    C3D_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine));
    cudnnStatus_t status =
        cudnnBackendGetAttribute(c->config, CUDNN_ATTR_ENGINECFG_ENGINE,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n, (void *)&engine);
    if (status == CUDNN_STATUS_SUCCESS)
        status = cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64,
                                          1, &n, &c->choice.engine);
    c3d_status st = status == CUDNN_STATUS_SUCCESS ? C3D_OK : c3d_dnn_failed(status, "an engine");
    if (st == C3D_OK)
        st = notes_of(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                      &numerical);
    if (st == C3D_OK)
        st =
            notes_of(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE, &behaviour);
    if (st == C3D_OK) {
        *left_out = is_left_out(search, numerical);
        c->is_compiled = behaviour >> CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION & 1;
    }
    destroy(&engine);
    return st;
}

static c3d_status read_knob(descriptor knob, struct c3d_dnn_knob *out)
{
    cudnnBackendKnobType_t type;
    int64_t n;

    C3D_CUDNN(cudnnBackendGetAttribute(knob, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE,
                                       1, &n, &type));
    C3D_CUDNN(cudnnBackendGetAttribute(knob, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1,
                                       &n, &out->value));
    out->type = (int)type;
    return C3D_OK;
}

/* How many there are is known only after all that there could be were asked for. */
static c3d_status read_knobs(c3d_dnn_candidate *c)
{
    descriptor knobs[C3D_DNN_KNOBS] = { NULL };
    c3d_dnn_choice *choice = &c->choice;
    int64_t n = 0;
    c3d_status st = C3D_OK;

    for (int i = 0; i < C3D_DNN_KNOBS && st == C3D_OK; i++) {
        const cudnnStatus_t status =
            cudnnBackendCreateDescriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, &knobs[i]);
        if (status != CUDNN_STATUS_SUCCESS) st = c3d_dnn_failed(status, "a knob");
    }
    if (st == C3D_OK) {
        const cudnnStatus_t status = cudnnBackendGetAttribute(
            c->config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR,
            C3D_DNN_KNOBS, &n, (void *)knobs);
        if (status != CUDNN_STATUS_SUCCESS) st = c3d_dnn_failed(status, "an engine's knobs");
    }
    if (st == C3D_OK && n > C3D_DNN_KNOBS)
        st = C3D_FAIL(C3D_EUNSUPPORTED, "cuDNN: engine %lld has %lld knobs, expected at most %d",
                      (long long)choice->engine, (long long)n, C3D_DNN_KNOBS);
    for (int64_t i = 0; i < n && st == C3D_OK; i++) st = read_knob(knobs[i], &choice->knobs[i]);
    choice->n_knobs = st == C3D_OK ? (int)n : 0;
    for (int i = 0; i < C3D_DNN_KNOBS; i++) destroy(&knobs[i]);
    return st;
}

static bool is_same(const c3d_dnn_choice *a, const c3d_dnn_choice *b)
{
    if (a->engine != b->engine || a->n_knobs != b->n_knobs) return false;
    for (int i = 0; i < a->n_knobs; i++)
        if (a->knobs[i].type != b->knobs[i].type || a->knobs[i].value != b->knobs[i].value)
            return false;
    return true;
}

/* ---- from configuration to plan -------------------------------------------------------------- */

static c3d_status make_plan(const c3d_dnn_search *search, c3d_dnn_candidate *c)
{
    int64_t n, workspace;

    C3D_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &c->plan));
    if (search->handle)
        C3D_TRY(set(c->plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1,
                    (const void *)&search->handle));
    if (search->device_prop)
        C3D_TRY(set(c->plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                    (const void *)&search->device_prop));
    C3D_TRY(set(c->plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                (const void *)&c->config));
    C3D_CUDNN(cudnnBackendFinalize(c->plan));
    C3D_CUDNN(cudnnBackendGetAttribute(c->plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                       CUDNN_TYPE_INT64, 1, &n, &workspace));
    c->workspace = (size_t)workspace;
    return C3D_OK;
}

static c3d_status make_knob(const struct c3d_dnn_knob *knob, descriptor *out)
{
    const cudnnBackendKnobType_t type = (cudnnBackendKnobType_t)knob->type;

    C3D_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, out));
    C3D_TRY(set(*out, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &type));
    C3D_TRY(set(*out, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &knob->value));
    C3D_CUDNN(cudnnBackendFinalize(*out));
    return C3D_OK;
}

static c3d_status make_engine(const c3d_dnn_search *search, const c3d_dnn_graph *graph,
                              int64_t number, descriptor *out)
{
    C3D_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, out));
    C3D_TRY(set(*out, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                (const void *)&graph->whole));
    C3D_TRY(set(*out, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &number));
    if (search->device_prop)
        C3D_TRY(set(*out, CUDNN_ATTR_ENGINE_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                    (const void *)&search->device_prop));
    C3D_CUDNN(cudnnBackendFinalize(*out));
    return C3D_OK;
}

static c3d_status make_config(const c3d_dnn_choice *choice, descriptor *engine,
                              descriptor knobs[C3D_DNN_KNOBS], descriptor *out)
{
    for (int i = 0; i < choice->n_knobs; i++) C3D_TRY(make_knob(&choice->knobs[i], &knobs[i]));
    C3D_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, out));
    C3D_TRY(set(*out, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                (const void *)engine));
    if (choice->n_knobs > 0)
        C3D_TRY(set(*out, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                    choice->n_knobs, (const void *)knobs));
    C3D_CUDNN(cudnnBackendFinalize(*out));
    return C3D_OK;
}

c3d_status c3d_dnn_engine_ready(const c3d_dnn_search *search, const c3d_dnn_graph *graph,
                                const c3d_dnn_choice *choice, c3d_dnn_candidate *out)
{
    descriptor engine = NULL, knobs[C3D_DNN_KNOBS] = { NULL };
    bool left_out = false;

    *out = (c3d_dnn_candidate){ 0 };
    c3d_status st = make_engine(search, graph, choice->engine, &engine);
    if (st == C3D_OK) st = make_config(choice, &engine, knobs, &out->config);
    if (st == C3D_OK) st = look_at_engine(search, out, &left_out);
    if (st == C3D_OK && left_out)
        st = C3D_FAIL(C3D_EUNSUPPORTED, "cuDNN: engine %lld is none of those that may be used",
                      (long long)choice->engine);
    out->choice = *choice;
    if (st == C3D_OK) st = make_plan(search, out);
    for (int i = 0; i < C3D_DNN_KNOBS; i++) destroy(&knobs[i]);
    destroy(&engine);
    if (st != C3D_OK) c3d_dnn_candidate_free(out);
    return st;
}

/* ---- heuristics ------------------------------------------------------------------------------ */

typedef struct proposals {
    descriptor heuristic, configs[PROPOSALS];
    int64_t n;
} proposals;

static c3d_status ask(const c3d_dnn_search *search, const c3d_dnn_graph *graph,
                      cudnnBackendHeurMode_t mode, proposals *p)
{
    C3D_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &p->heuristic));
    C3D_TRY(set(p->heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                1, (const void *)&graph->whole));
    C3D_TRY(set(p->heuristic, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode));
    if (search->device_prop)
        C3D_TRY(set(p->heuristic, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                    1, (const void *)&search->device_prop));
    C3D_CUDNN(cudnnBackendFinalize(p->heuristic));
    C3D_CUDNN(cudnnBackendGetAttribute(p->heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &p->n, NULL));
    if (p->n > PROPOSALS) p->n = PROPOSALS;
    for (int64_t i = 0; i < p->n; i++)
        C3D_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &p->configs[i]));
    if (p->n > 0)
        C3D_CUDNN(cudnnBackendGetAttribute(p->heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                           CUDNN_TYPE_BACKEND_DESCRIPTOR, p->n, &p->n,
                                           (void *)p->configs));
    return C3D_OK;
}

static void proposals_free(proposals *p)
{
    for (int i = 0; i < PROPOSALS; i++) destroy(&p->configs[i]);
    destroy(&p->heuristic);
}

/* Of those that pass the limit of workspace the least is kept, in case there is no other. */
static void keep_least(c3d_dnn_candidate *least, c3d_dnn_candidate *c)
{
    if (!least->plan || c->workspace < least->workspace) {
        c3d_dnn_candidate_free(least);
        *least = *c;
    } else {
        c3d_dnn_candidate_free(c);
    }
}

static bool is_known(const c3d_dnn_candidates *all, const c3d_dnn_choice *choice)
{
    for (int i = 0; i < all->n; i++)
        if (is_same(&all->list[i].choice, choice)) return true;
    return false;
}

static int n_compiled(const c3d_dnn_candidates *all)
{
    int n = 0;

    for (int i = 0; i < all->n; i++) n += all->list[i].is_compiled;
    return n;
}

/* Takes the configuration over. What cannot be is passed over: other proposals may do. */
static void consider(const c3d_dnn_search *search, descriptor config, c3d_dnn_candidates *all,
                     c3d_dnn_candidate *least)
{
    c3d_dnn_candidate c = { .config = config };
    bool left_out = false;
    c3d_status st = look_at_engine(search, &c, &left_out);

    if (st == C3D_OK) st = read_knobs(&c);
    if (st != C3D_OK || left_out || is_known(all, &c.choice)) {
        c3d_dnn_candidate_free(&c);
        return;
    }
    all->n_proposed++;
    if (all->n >= search->n_wanted || (c.is_compiled && n_compiled(all) >= COMPILED) ||
        make_plan(search, &c) != C3D_OK)
        c3d_dnn_candidate_free(&c);
    else if (c.workspace > search->workspace_max)
        keep_least(least, &c);
    else
        all->list[all->n++] = c;
}

c3d_status c3d_dnn_engines_find(const c3d_dnn_search *search, const c3d_dnn_graph *graph,
                                c3d_dnn_candidates *out)
{
    static const cudnnBackendHeurMode_t modes[] = { CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_B,
                                                    CUDNN_HEUR_MODE_FALLBACK };
    c3d_dnn_candidate least = { 0 };
    c3d_dnn_search part = *search; /* the first heuristic leaves a third to the second */
    proposals *p = c3d_calloc(1, sizeof *p);

    if (!p) return C3D_ENOMEM;
    C3D_ASSERT(search->n_wanted <= C3D_DNN_CANDIDATES);
    *out = (c3d_dnn_candidates){ 0 };
    (void)C3D_FAIL(C3D_EUNSUPPORTED,
                   "none that may be used was proposed"); /* unless more is said */
    for (size_t m = 0; m < C3D_COUNT(modes) && out->n < search->n_wanted; m++) {
        if (modes[m] == CUDNN_HEUR_MODE_FALLBACK && out->n > 0) break;
        part.n_wanted = search->n_wanted - (m == 0 ? search->n_wanted / 3 : 0);
        if (ask(search, graph, modes[m], p) == C3D_OK)
            for (int64_t i = 0; i < p->n; i++) {
                consider(&part, p->configs[i], out, &least);
                p->configs[i] = NULL;
            }
        proposals_free(p);
    }
    free(p);
    if (out->n == 0 && least.plan)
        out->list[out->n++] = least;
    else
        c3d_dnn_candidate_free(&least);
    return C3D_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

static c3d_status fill_pack(descriptor pack, int n, void *const *pointers, const int64_t *ids,
                            void *workspace)
{
    C3D_TRY(set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n,
                (const void *)pointers));
    C3D_TRY(set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, ids));
    C3D_TRY(set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1,
                (const void *)&workspace));
    C3D_CUDNN(cudnnBackendFinalize(pack));
    return C3D_OK;
}

static c3d_status run_pack(cudnnHandle_t handle, descriptor plan, descriptor pack)
{
    C3D_CUDNN(cudnnBackendExecute(handle, plan, pack));
    return C3D_OK;
}

c3d_status c3d_dnn_execute(cudnnHandle_t handle, const c3d_dnn_conv *conv,
                           const c3d_dnn_candidate *candidate, void *const *tensors,
                           void *workspace)
{
    void *pointers[C3D_DNN_ROLES];
    int64_t ids[C3D_DNN_ROLES];
    descriptor pack = NULL;
    int n = 0;

    for (int role = 0; role < C3D_DNN_ROLES; role++) {
        if (c3d_dnn_tensor_bytes(conv, (c3d_dnn_role)role) == 0) continue;
        if (!tensors[role])
            return C3D_FAIL(C3D_EINVAL, "cuDNN: %s without its tensor %d",
                            c3d_dnn_kind_name(conv->kind), role);
        pointers[n] = tensors[role];
        ids[n++] = role;
    }
    C3D_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack));
    c3d_status st = fill_pack(pack, n, pointers, ids, workspace);
    if (st == C3D_OK) st = run_pack(handle, candidate->plan, pack);
    destroy(&pack);
    return st;
}
