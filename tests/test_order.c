/* Orders of an epoch: what balanced sampling promises, counted position by position. */
#include "data/dataset_open.h"
#include "data/order.h"

#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

enum { N_MOST = 64 };

/* Every second row of the dataset is of the list, so that rows and positions differ. */
typedef struct listed {
    c3d_sample rows[2 * N_MOST];
    c3d_dataset dataset;
    uint32_t index[N_MOST];
    c3d_list list;
    c3d_order *order;
} listed;

/* labels: one digit a sample. */
static void open_order(listed *l, const char *labels, uint64_t seed)
{
    const size_t n = strlen(labels);

    *l = (listed){ 0 };
    for (size_t i = 0; i < n; i++) {
        l->rows[2 * i].label = 9;
        l->rows[2 * i + 1].label = labels[i] - '0';
        l->index[i] = (uint32_t)(2 * i + 1);
    }
    l->dataset.samples = (c3d_samples){ 2 * n, l->rows };
    l->list = (c3d_list){ .n = n, .index = l->index };
    const c3d_loader_desc desc = {
        .dataset = &l->dataset, .list = &l->list, .shuffle = true, .balanced = true, .seed = seed
    };
    assert_int_equal(c3d_order_create(&desc, &l->order), C3D_OK);
}

static int label_at(const listed *l, int64_t epoch, uint64_t i)
{
    return l->rows[c3d_order_at(l->order, epoch, i).index].label;
}

/* 45, 12 and 3 samples; 20 rounds an epoch. */
static const char *const rare = "000100101000000001000001010001000010001020001000010002010002";
/* 5 of label 0, 2 of label 3, 1 of label 7; 3 rounds, of which the last is cut short. */
static const char *const gaps = "00300730";

static void check_counts(const char *labels, int n_classes)
{
    const size_t n = strlen(labels);
    listed l;

    open_order(&l, labels, 11);
    for (int64_t epoch = 0; epoch < 20; epoch++) {
        int n_seen[10] = { 0 };
        for (size_t i = 0; i < n; i++) {
            int least = 1000, most = 0, n_there = 0;
            n_seen[label_at(&l, epoch, i)]++;
            for (size_t k = 0; k < 10; k++) {
                if (!strchr(labels, '0' + (int)k)) {
                    assert_int_equal(n_seen[k], 0);
                    continue;
                }
                n_there++;
                if (n_seen[k] < least) least = n_seen[k];
                if (n_seen[k] > most) most = n_seen[k];
            }
            assert_int_equal(n_there, n_classes);
            assert_true(most - least <= 1);
        }
    }
    c3d_order_destroy(l.order);
}

static void every_class_equally_often(void **state)
{
    (void)state;
    check_counts(rare, 3);
    check_counts(gaps, 3);
    check_counts("0101", 2);
    check_counts("1111111", 1);
    check_counts("0123456789", 10);
}

/* Over 9 epochs of 20 rounds a class of n_k samples is used up 180 / n_k times, whole each time. */
static void each_sample_once_until_the_class_is_used_up(void **state)
{
    const int sizes[3] = { 45, 12, 3 };
    listed l;

    (void)state;
    open_order(&l, rare, 11);
    for (int k = 0; k < 3; k++) {
        bool seen[2 * N_MOST] = { false };
        uint32_t passes[180];
        int n = 0, n_same = 0;
        for (int64_t epoch = 0; epoch < 9; epoch++)
            for (uint64_t i = 0; i < 60; i++) {
                const uint32_t index = c3d_order_at(l.order, epoch, i).index;
                if (l.rows[index].label != k) continue;
                assert_int_equal(index % 2, 1);
                assert_false(seen[index]);
                seen[index] = true;
                n_same += n >= sizes[k] && passes[n - sizes[k]] == index;
                passes[n++] = index;
                if (n % sizes[k] == 0) memset(seen, 0, sizeof seen);
            }
        assert_int_equal(n, 180);
        assert_true(n_same < 180 / 2); /* another permutation each time */
    }
    c3d_order_destroy(l.order);
}

/* A class shown several times in an epoch: no two showings have the same sample and turn. */
static void turns_tell_showings_apart(void **state)
{
    const char *const lists[2] = { rare, gaps };
    listed l;

    (void)state;
    for (int k = 0; k < 2; k++) {
        open_order(&l, lists[k], 3);
        for (int64_t epoch = 0; epoch < 30; epoch++)
            for (uint64_t i = 0; i < l.list.n; i++)
                for (uint64_t j = 0; j < i; j++) {
                    const c3d_place a = c3d_order_at(l.order, epoch, i);
                    const c3d_place b = c3d_order_at(l.order, epoch, j);
                    assert_true(a.index != b.index || a.turn != b.turn);
                }
        c3d_order_destroy(l.order);
    }
}

static size_t n_equal(const listed *a, int64_t epoch_a, const listed *b, int64_t epoch_b)
{
    size_t n = 0;

    for (uint64_t i = 0; i < a->list.n; i++)
        n += c3d_order_at(a->order, epoch_a, i).index == c3d_order_at(b->order, epoch_b, i).index;
    return n;
}

static void a_function_of_seed_and_epoch(void **state)
{
    listed a, again, other;

    (void)state;
    open_order(&a, rare, 11);
    open_order(&again, rare, 11);
    open_order(&other, rare, 12);
    assert_int_equal(n_equal(&a, 4, &again, 4), 60);
    assert_true(n_equal(&a, 4, &a, 5) < 30);
    assert_true(n_equal(&a, 4, &other, 4) < 30);
    assert_true(c3d_order_at(a.order, INT32_MAX, 59).index < 120);
    c3d_order_destroy(a.order);
    c3d_order_destroy(again.order);
    c3d_order_destroy(other.order);
    c3d_order_destroy(NULL);
}

/* No class has a fixed place in a round: 1,200 rounds, 6 orders of 3 classes, about 200 of each
 * (standard deviation 13). */
static void orders_within_rounds_are_drawn(void **state)
{
    int n_orders[27] = { 0 }, n_there = 0;
    listed l;

    (void)state;
    open_order(&l, rare, 11);
    for (int64_t epoch = 0; epoch < 60; epoch++)
        for (uint64_t i = 0; i < 60; i += 3)
            n_orders[9 * label_at(&l, epoch, i) + 3 * label_at(&l, epoch, i + 1) +
                     label_at(&l, epoch, i + 2)]++;
    for (int k = 0; k < 27; k++) {
        if (n_orders[k] == 0) continue;
        n_there++;
        assert_in_range(n_orders[k], 140, 260);
    }
    assert_int_equal(n_there, 6);
    c3d_order_destroy(l.order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_class_equally_often),
        cmocka_unit_test(each_sample_once_until_the_class_is_used_up),
        cmocka_unit_test(turns_tell_showings_apart),
        cmocka_unit_test(a_function_of_seed_and_epoch),
        cmocka_unit_test(orders_within_rounds_are_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
