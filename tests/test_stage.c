/* Which groups of samples a node reads and copies (data.stage_groups), against the dealing of
 * micro-batches played through; and what is said of needed and measured speeds. */
#include "train/feed.h"
#include "train/stage.h"

#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

enum { N_MOST = 64 };

typedef struct cluster {
    int n_nodes, n_ranks, n_groups;
    bool by_node; /* turns: node k has k, k + n_nodes, ... */
    int n_in_blocks;
} cluster;

static c3d_stage_share share_of(const cluster *c, int node)
{
    int ranks[N_MOST], turns[N_MOST];
    const int n_local = c->n_ranks / c->n_nodes;
    const c3d_seat seat = { .n_nodes = c->n_nodes,
                            .node = node,
                            .n_ranks = n_local,
                            .n_in_blocks = c->n_in_blocks,
                            .ranks = ranks,
                            .turns = turns };
    c3d_stage_share share;

    for (int i = 0; i < n_local; i++) {
        ranks[i] = node * n_local + i;
        turns[i] = c->by_node ? i * c->n_nodes + node : ranks[i];
    }
    assert_int_equal(c3d_stage_share_of(&seat, c->n_ranks, c->n_groups, &share), C3D_OK);
    return share;
}

/* The groups of the node's micro-batches; a step has as many as there can be without either number
 * dividing it too well. */
static void play(const cluster *c, int node, bool *is_read)
{
    const int n_micro = c->n_ranks * c->n_groups, n_local = c->n_ranks / c->n_nodes;

    memset(is_read, 0, N_MOST);
    for (int i = 0; i < n_micro; i++) {
        const int turn = i % c->n_ranks;
        const int owner = c->by_node ? turn % c->n_nodes : turn / n_local;
        if (owner == node) is_read[i % c->n_groups] = true;
    }
}

static void check(const cluster *c)
{
    const int n_most = (c->n_groups - 1) / c->n_nodes + 1;
    int n_copies[N_MOST] = { 0 };

    for (int node = 0; node < c->n_nodes; node++) {
        c3d_stage_share share = share_of(c, node);
        bool is_read[N_MOST];
        int n_read = 0, n_copied = 0;
        play(c, node, is_read);
        for (int g = 0; g < c->n_groups; g++) {
            assert_int_equal(share.is_read[g], is_read[g]);
            assert_true(share.is_read[g] || !share.is_copied[g]);
            n_read += share.is_read[g];
            n_copied += share.is_copied[g];
            n_copies[g] += share.is_copied[g];
        }
        assert_int_equal(share.n_read, n_read);
        assert_int_equal(share.n_copied, n_copied);
        assert_int_equal(n_copied, n_read < n_most ? n_read : n_most);
        /* the promise: where nodes divide the groups, all that a node reads is its own share */
        if (c->by_node && c->n_groups % c->n_nodes == 0)
            assert_int_equal(n_read, c->n_groups / c->n_nodes);
        c3d_stage_share_free(&share);
    }
    if (!c->by_node || c->n_groups % c->n_nodes != 0) return;
    for (int g = 0; g < c->n_groups; g++) assert_int_equal(n_copies[g], 1);
}

static void every_cluster(void **state)
{
    (void)state;
    for (int n_nodes = 1; n_nodes <= 6; n_nodes++)
        for (int n_local = 1; n_local <= 4; n_local++)
            for (int n_groups = 1; n_groups <= 12; n_groups++)
                for (int by_node = 0; by_node < 2; by_node++)
                    check(&(cluster){ n_nodes, n_nodes * n_local, n_groups, by_node, 0 });
}

/* Dealt in blocks: where nodes divide the groups each reads and copies its own. */
static void blocks_are_of_few_groups(void **state)
{
    (void)state;
    for (int n_nodes = 1; n_nodes <= 8; n_nodes *= 2)
        for (int n_groups = n_nodes; n_groups <= 16; n_groups *= 2) {
            const cluster c = { n_nodes, 8, n_groups, false, 48 };
            bool is_copied[N_MOST] = { false };
            for (int node = 0; node < n_nodes; node++) {
                c3d_stage_share share = share_of(&c, node);
                assert_int_equal(share.n_read, n_groups / n_nodes);
                assert_int_equal(share.n_copied, share.n_read);
                for (int g = 0; g < n_groups; g++) {
                    assert_false(is_copied[g] && share.is_copied[g]);
                    is_copied[g] = is_copied[g] || share.is_copied[g];
                }
                c3d_stage_share_free(&share);
            }
        }
}

/* One group is everything, wherever. */
static void one_group_is_all(void **state)
{
    (void)state;
    for (int node = 0; node < 4; node++) {
        c3d_stage_share share = share_of(&(cluster){ 4, 8, 1, false, 0 }, node);
        assert_true(share.n_read == 1 && share.n_copied == 1 && share.is_copied[0]);
        c3d_stage_share_free(&share);
    }
}

/* ---- needed against measured ----------------------------------------------------------------- */

/* 16 devices on 2 nodes that need 20 GB/s; speeds in GB/s. */
static void judge(c3d_config_stage used, double store, double node, double memory, bool is_slow,
                  const char *words)
{
    c3d_comm comm = { .n_ranks = 16 };
    c3d_config config = { .data.stage = used };
    const c3d_run run = { .comm = &comm, .config = &config, .seat = { .n_nodes = 2 } };
    const c3d_feed feed = { .needed = 20e9, .speed = { store * 1e9, node * 1e9, memory * 1e9 } };
    c3d_text text = { 0 };

    assert_int_equal(c3d_feed_judge(&run, &feed, &text), is_slow);
    if (!strstr(text.text, words)) fail_msg("\"%s\" is not in: %s", words, text.text);
    c3d_text_free(&text);
}

static void what_would_help(void **state)
{
    (void)state;
    judge(C3D_CONFIG_STAGE_NONE, 21, 5, 30, false,
          "16 devices on 2 nodes need 20 GB/s (1.25 a device, 10 a node), and 21 are read from the "
          "store: enough");
    judge(C3D_CONFIG_STAGE_NONE, 4, 22, 80, true, "data.stage: node would be enough");
    judge(C3D_CONFIG_STAGE_NONE, 4, 12, 80, true, "data.stage: memory would be enough");
    judge(C3D_CONFIG_STAGE_NONE, 4, 12, 8, true, "data.stage: node would help, and not be enough");
    judge(C3D_CONFIG_STAGE_NONE, 4, 0, 0, true, "no data.stage would");
    judge(C3D_CONFIG_STAGE_NONE, 4, 4.5, 4, true, "no data.stage would");
    judge(C3D_CONFIG_STAGE_NODE, 4, 12, 80, true,
          "12 are read from copies: reading limits the run; data.stage: memory would be enough");
    judge(C3D_CONFIG_STAGE_MEMORY, 4, 12, 80, false, "80 are read from copies: enough");
    judge(C3D_CONFIG_STAGE_MEMORY, 4, 0, 0, true, "4 are read from the store");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cluster),
        cmocka_unit_test(blocks_are_of_few_groups),
        cmocka_unit_test(one_group_is_all),
        cmocka_unit_test(what_would_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
