/* Placement: cores of hosts that are not there (hwloc's synthetic ones), dealt out to 1 to 16
 * ranks; which bindings count as nobody's; shares of cores that ranks have in common. */
#include "comm/cores.h"

#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#define TWO_SOCKETS "package:2 [numa] core:8 pu:2"
#define FOUR_NODES  "package:2 group:2 [numa] core:4 pu:2"
#define MAX_RANKS   16

static cpu_set_t range(int first, int last)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (int i = first; i <= last; i++) CPU_SET((size_t)i, &set);
    return set;
}

static c3d_cores find(const char *synthetic)
{
    c3d_cores cores;
    const c3d_status st = c3d_cores_find(synthetic, &cores);

    if (st == C3D_EUNSUPPORTED) skip();
    assert_int_equal(st, C3D_OK);
    assert_true(cores.is_known);
    return cores;
}

static void cores_of_a_host(void **state)
{
    c3d_cores cores = find(TWO_SOCKETS);
    const cpu_set_t odd = range(3, 4); /* the second thread of core 1, the first of core 2 */

    (void)state;
    assert_int_equal(cores.n, 16);
    for (int c = 0; c < cores.n; c++) {
        assert_int_equal(CPU_COUNT(&cores.list[c].cpus), 2);
        assert_int_equal(cores.list[c].package, c / 8);
        assert_int_equal(cores.list[c].numa, c / 8);
    }
    const cpu_set_t which = c3d_cores_of(&cores, &odd), expected = range(1, 2);
    assert_true(CPU_EQUAL(&which, &expected));
    const cpu_set_t cpus = c3d_cores_cpus(&cores, &which), all = range(2, 5);
    assert_true(CPU_EQUAL(&cpus, &all));
    c3d_cores_free(&cores);
}

static void this_host(void **state)
{
    c3d_cores cores;

    (void)state;
    assert_int_equal(c3d_cores_find(NULL, &cores), C3D_OK);
    assert_true(cores.n >= 1);
    for (int c = 0; c < cores.n; c++) assert_true(CPU_COUNT(&cores.list[c].cpus) >= 1);
    c3d_cores_free(&cores);
}

static int count_nodes(const c3d_cores *cores, const cpu_set_t *part)
{
    cpu_set_t nodes;

    CPU_ZERO(&nodes);
    for (int c = 0; c < cores->n; c++)
        if (CPU_ISSET((size_t)c, part)) CPU_SET((size_t)cores->list[c].numa, &nodes);
    return CPU_COUNT(&nodes);
}

/* As many to each, nothing twice, nothing that is not allowed; ranks whose part lies on more nodes
 * than it must. */
static int deal(const c3d_cores *cores, const cpu_set_t *allowed, const int *numa, int n,
                cpu_set_t *parts)
{
    const int n_each = CPU_COUNT(allowed) / n;
    cpu_set_t seen, both;
    int n_split = 0;

    c3d_cores_deal(cores, allowed, numa, n, parts);
    CPU_ZERO(&seen);
    for (int i = 0; i < n; i++) {
        assert_int_equal(CPU_COUNT(&parts[i]), n_each);
        CPU_AND(&both, &seen, &parts[i]);
        assert_int_equal(CPU_COUNT(&both), 0);
        CPU_AND(&both, allowed, &parts[i]);
        assert_int_equal(CPU_COUNT(&both), n_each);
        CPU_OR(&seen, &seen, &parts[i]);
        n_split += n_each <= 8 && count_nodes(cores, &parts[i]) > 1;
    }
    return n_split;
}

static const int anywhere[MAX_RANKS] = { -1, -1, -1, -1, -1, -1, -1, -1,
                                         -1, -1, -1, -1, -1, -1, -1, -1 };

static void dealt_to_any_number(void **state)
{
    /* 8 cores a node: k each leave 8 mod k over on both, which a rank more may have to do with */
    static const int n_split[MAX_RANKS + 1] = { [3] = 1, [5] = 1 };
    c3d_cores cores = find(TWO_SOCKETS);
    const cpu_set_t all = range(0, 15);
    cpu_set_t parts[MAX_RANKS];
    char list[64];

    (void)state;
    for (int n = 1; n <= MAX_RANKS; n++)
        assert_int_equal(deal(&cores, &all, anywhere, n, parts), n_split[n]);
    (void)deal(&cores, &all, anywhere, 4, parts);
    assert_string_equal(c3d_place_list(&parts[0], list), "0-3");
    assert_string_equal(c3d_place_list(&parts[3], list), "12-15");
    (void)deal(&cores, &all, anywhere, 1, parts);
    assert_string_equal(c3d_place_list(&parts[0], list), "0-15");
    (void)deal(&cores, &all, anywhere, 3, parts);
    assert_string_equal(c3d_place_list(&parts[1], list), "8-12");
    assert_string_equal(c3d_place_list(&parts[2], list), "5-7,13-14");
    c3d_cores_free(&cores);
}

/* A job that may use part of a host only: six cores of one node, two of the other. */
static void dealt_within_a_set(void **state)
{
    c3d_cores cores = find(TWO_SOCKETS);
    const cpu_set_t some = range(2, 9);
    cpu_set_t parts[MAX_RANKS];
    char list[64];

    (void)state;
    for (int n = 1; n <= 8; n++) (void)deal(&cores, &some, anywhere, n, parts);
    assert_int_equal(deal(&cores, &some, anywhere, 4, parts), 0);
    assert_string_equal(c3d_place_list(&parts[2], list), "6-7");
    assert_string_equal(c3d_place_list(&parts[3], list), "8-9");
    assert_int_equal(deal(&cores, &some, anywhere, 2, parts), 1);
    assert_string_equal(c3d_place_list(&parts[0], list), "2-5");
    c3d_cores_free(&cores);
}

static void nodes_smaller_than_packages(void **state)
{
    c3d_cores cores = find(FOUR_NODES);
    const cpu_set_t all = range(0, 15);
    cpu_set_t parts[MAX_RANKS];
    char list[64];

    (void)state;
    assert_int_equal(cores.list[5].numa, 1);
    assert_int_equal(cores.list[5].package, 0);
    (void)deal(&cores, &all, anywhere, 2, parts); /* no node has 8: a package then */
    assert_string_equal(c3d_place_list(&parts[0], list), "0-7");
    assert_string_equal(c3d_place_list(&parts[1], list), "8-15");
    (void)deal(&cores, &all, anywhere, 3, parts);
    assert_string_equal(c3d_place_list(&parts[0], list), "0-4");
    assert_string_equal(c3d_place_list(&parts[1], list), "8-12");
    assert_int_equal(deal(&cores, &all, anywhere, 4, parts), 0);
    c3d_cores_free(&cores);
}

static void near_their_gpus(void **state)
{
    static const int crossed[4] = { 1, 1, 0, 0 }, all_on_one[4] = { 1, 1, 1, 1 };
    static const int absent[4] = { 7, -1, 7, 1 };
    c3d_cores cores = find(TWO_SOCKETS);
    const cpu_set_t all = range(0, 15);
    cpu_set_t parts[MAX_RANKS];

    (void)state;
    assert_int_equal(deal(&cores, &all, crossed, 4, parts), 0);
    for (int i = 0; i < 4; i++)
        assert_true(CPU_ISSET((size_t)(8 * crossed[i] + 4 * (i % 2)), &parts[i]));
    assert_int_equal(deal(&cores, &all, all_on_one, 4, parts), 0); /* two must do without */
    assert_true(CPU_ISSET(8, &parts[0]) && CPU_ISSET(12, &parts[1]));
    assert_true(CPU_ISSET(0, &parts[2]) && CPU_ISSET(4, &parts[3]));
    assert_int_equal(deal(&cores, &all, absent, 4, parts), 0);
    assert_true(CPU_ISSET(8, &parts[3]));
    c3d_cores_free(&cores);
}

static void what_mpirun_does_unasked(void **state)
{
    c3d_cores cores = find(TWO_SOCKETS);
    const cpu_set_t all = range(0, 31), one_core = range(2, 3), thread = range(2, 2);
    const cpu_set_t two_cores = range(2, 5), package = range(16, 31), half = range(16, 23);

    (void)state;
    for (int n = 1; n <= 2; n++) {
        assert_true(c3d_cores_are_default(&cores, &one_core, &all, n));
        assert_true(c3d_cores_are_default(&cores, &thread, &all, n));
        assert_false(c3d_cores_are_default(&cores, &two_cores, &all, n));
        assert_false(c3d_cores_are_default(&cores, &package, &all, n));
    }
    assert_true(c3d_cores_are_default(&cores, &package, &all, 3));
    assert_false(c3d_cores_are_default(&cores, &one_core, &all, 3));
    assert_false(c3d_cores_are_default(&cores, &half, &all, 16));
    assert_true(c3d_cores_are_default(&cores, &half, &half, 16)); /* mpirun has no more of it */
    assert_false(c3d_cores_are_default(&cores, &all, &all, 4));
    c3d_cores_free(&cores);
    assert_true(c3d_launch_maps_nodes("node") && c3d_launch_maps_nodes("slot:OVERSUBSCRIBE"));
    assert_true(c3d_launch_maps_nodes(":OVERSUBSCRIBE") && c3d_launch_maps_nodes("ppr:4:node"));
    assert_false(c3d_launch_maps_nodes("core") || c3d_launch_maps_nodes("node:PE=4"));
    assert_false(c3d_launch_maps_nodes("ppr:2:socket") || c3d_launch_maps_nodes("socket"));
    assert_false(c3d_launch_maps_nodes("ppr") || c3d_launch_maps_nodes("numa:PE=2"));
}

static void shares(void **state)
{
    const cpu_set_t sets[6] = { range(0, 7),  range(0, 7),  range(0, 7),
                                range(8, 11), range(8, 15), range(16, 16) };

    (void)state;
    assert_int_equal(c3d_cores_share(sets, 6, 0), 2); /* a third of eight */
    assert_int_equal(c3d_cores_share(sets, 6, 3), 2); /* half of four */
    assert_int_equal(c3d_cores_share(sets, 6, 4), 6); /* and four alone */
    assert_int_equal(c3d_cores_share(sets, 6, 5), 1);
    const cpu_set_t three[3] = { range(0, 2), range(0, 2), range(0, 2) };
    assert_int_equal(c3d_cores_share(three, 3, 1), 1); /* thrice a third */
}

static void lists(void **state)
{
    cpu_set_t set = range(5, 5);
    char list[64];

    (void)state;
    assert_string_equal(c3d_place_list(&set, list), "5");
    CPU_SET(7, &set);
    CPU_SET(8, &set);
    assert_string_equal(c3d_place_list(&set, list), "5,7-8");
    CPU_SET(CPU_SETSIZE - 1, &set);
    assert_string_equal(c3d_place_list(&set, list), "5,7-8,1023");
    for (size_t i = 100; i < CPU_SETSIZE; i += 2) CPU_SET(i, &set);
    assert_non_null(strstr(c3d_place_list(&set, list), ",..."));
    CPU_ZERO(&set);
    assert_string_equal(c3d_place_list(&set, list), "");
}

static void nodes_of_gpus(void **state)
{
    static const char dir[] = "place_root/sys/bus/pci/devices/0000:3b:00.0";
    char path[C3D_PATH_MAX];

    (void)state;
    assert_int_equal(c3d_gpu_numa("place_root", "0000:3B:00.0"), -1);
    assert_int_equal(c3d_make_dirs(dir), C3D_OK);
    (void)snprintf(path, sizeof path, "%s/numa_node", dir);
    assert_int_equal(c3d_file_write(path, "1\n", 2), C3D_OK);
    assert_int_equal(c3d_gpu_numa("place_root", "0000:3B:00.0"), 1);
    assert_int_equal(c3d_file_write(path, "-1\n", 3), C3D_OK);
    assert_int_equal(c3d_gpu_numa("place_root", "0000:3B:00.0"), -1);
    assert_int_equal(system("rm -rf place_root"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cores_of_a_host),
        cmocka_unit_test(this_host),
        cmocka_unit_test(dealt_to_any_number),
        cmocka_unit_test(dealt_within_a_set),
        cmocka_unit_test(nodes_smaller_than_packages),
        cmocka_unit_test(near_their_gpus),
        cmocka_unit_test(what_mpirun_does_unasked),
        cmocka_unit_test(shares),
        cmocka_unit_test(lists),
        cmocka_unit_test(nodes_of_gpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
