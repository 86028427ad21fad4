#include "comm/judge.h"

/* More ranks than these are counted, not named. */
#define N_NAMED 4

/* The furthest call of each plane that somebody has waited in for so long; 0: none. */
static bool find_goals(const c3d_panel *panel, uint64_t goals[C3D_N_PLANES])
{
    bool any = false;

    for (int p = 0; p < C3D_N_PLANES; p++) {
        goals[p] = 0;
        for (int r = 0; r < panel->n; r++) {
            const c3d_sign *sign = &panel->seen[r].sign;
            if (sign->waited_s[p] < panel->limit_s) continue;
            if (sign->n_begun[p] > goals[p]) goals[p] = sign->n_begun[p];
            any = true;
        }
    }
    return any;
}

static bool is_behind(const c3d_sign *sign, const uint64_t goals[C3D_N_PLANES])
{
    for (int p = 0; p < C3D_N_PLANES; p++)
        if (sign->n_begun[p] < goals[p]) return true;
    return false;
}

/* A rank that is behind in one plane may itself wait in the other, for a third. */
static bool is_waiting(const c3d_sign *sign, double at_least_s)
{
    for (int p = 0; p < C3D_N_PLANES; p++)
        if (sign->waited_s[p] > 0 && sign->waited_s[p] >= at_least_s) return true;
    return false;
}

static double rest_allowed_s(const c3d_sign *sign, double limit_s)
{
    return sign->phase.phase == C3D_PHASE_SAVING ? C3D_SAVING_TIMES * limit_s : limit_s;
}

void c3d_judge_name(const c3d_seen *seen, int rank, const char *host, double limit_s, c3d_text *who)
{
    const double allowed_s = rest_allowed_s(&seen->sign, limit_s);
    const bool is_silent = seen->silent_s >= limit_s, is_late = seen->at_rest_s >= allowed_s;
    char phase[C3D_PHASE_MAX];

    c3d_phase_print(&seen->sign.phase, phase);
    c3d_text_add(who, "rank %d (%.40s): %s for %g s; last: %s", rank, host,
                 is_silent ? "no sign of life" : "has let the others wait",
                 is_silent || !is_late ? limit_s : allowed_s, phase);
    if (allowed_s > limit_s && !is_silent && !is_late)
        c3d_text_add(who, ", which may take %d times as long", C3D_SAVING_TIMES);
}

typedef enum role { WAITS, WORKS, LATE } role;

static role role_of(const c3d_seen *seen, const uint64_t *goals, double limit_s)
{
    if (seen->silent_s >= limit_s) return LATE;
    if (is_waiting(&seen->sign, 0) || (goals && !is_behind(&seen->sign, goals))) return WAITS;
    return seen->at_rest_s >= rest_allowed_s(&seen->sign, limit_s) ? LATE : WORKS;
}

static int name_all(const c3d_panel *panel, role wanted, const uint64_t *goals, c3d_text *who)
{
    int n = 0;

    for (int r = 0; r < panel->n; r++) {
        if (role_of(&panel->seen[r], goals, panel->limit_s) != wanted || n++ >= N_NAMED) continue;
        if (n > 1) c3d_text_add(who, "; ");
        c3d_judge_name(&panel->seen[r], r, panel->hosts + (size_t)r * C3D_HOST_MAX, panel->limit_s,
                       who);
    }
    if (n > N_NAMED) c3d_text_add(who, "; and %d more", n - N_NAMED);
    return n;
}

/* No message reaches its rank, or ranks wait for each other. */
static c3d_judgement judge_all_waiting(const c3d_panel *panel, c3d_text *who)
{
    char phase[C3D_PHASE_MAX];

    for (int r = 0; r < panel->n; r++)
        if (!is_waiting(&panel->seen[r].sign, panel->limit_s)) return C3D_NONE_LATE;
    c3d_phase_print(&panel->seen[0].sign.phase, phase);
    c3d_text_add(who,
                 "all %d ranks: have come to a collective call that does not end for %g s; "
                 "last of rank 0 (%.40s): %s",
                 panel->n, panel->limit_s, panel->hosts, phase);
    return C3D_ALL_WAIT;
}

c3d_judgement c3d_judge(const c3d_panel *panel, c3d_text *who)
{
    uint64_t goals[C3D_N_PLANES];

    if (!find_goals(panel, goals)) return C3D_NONE_LATE;
    if (name_all(panel, LATE, goals, who) > 0) return C3D_SOME_LATE;
    if (name_all(panel, WORKS, goals, who) > 0) return C3D_SOME_WORK;
    /* nobody is behind: a root may have left the call that the others are in */
    if (name_all(panel, LATE, NULL, who) > 0) return C3D_SOME_LATE;
    if (name_all(panel, WORKS, NULL, who) > 0) return C3D_SOME_WORK;
    return judge_all_waiting(panel, who);
}
