/* test_place.c - the planner on stored machines, and against brute force on
 * random small ones. */
#include "place_host.h"
#include "place_wish.h"

#include "alloc.h"
#include "check.h"
#include "frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- scenes --------------------------------------------------------------- */

static struct cadre_ledger *ledger;
static struct cadre_error error;

static struct cadre_machine *load(const char *name)
{
    struct cadre_machine *machine = NULL;
    char path[256];

    if (strchr(name, ':') != NULL) {
        CU_ASSERT_EQUAL_FATAL(
            cadre_machine_read_synthetic(name, &machine, &error), CADRE_OK);
        return machine;
    }
    snprintf(path, sizeof path, "%s/%s.xml", TOPOLOGIES, name);
    CU_ASSERT_EQUAL_FATAL(cadre_machine_read_file(path, &machine, &error),
                          CADRE_OK);
    return machine;
}

static void begin_with(struct cadre_machine *machine)
{
    uint32_t host;

    CU_ASSERT_EQUAL_FATAL(cadre_ledger_create(&ledger), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(cadre_ledger_add(ledger, machine, &host, &error),
                          CADRE_OK);
    CU_ASSERT_EQUAL(host, 0);
}

static void begin(const char *name)
{
    begin_with(load(name));
}

/* More hosts like the first. */
static void add_hosts(int count)
{
    char name[32];
    uint32_t host;

    for (int i = 1; i <= count; i++) {
        snprintf(name, sizeof name, "n%d", i);
        CU_ASSERT_EQUAL_FATAL(
            cadre_ledger_add_like(ledger, 0, name, &host, &error), CADRE_OK);
    }
}

static void end(void)
{
    cadre_ledger_destroy(ledger);
}

static struct cadre_plan *reserve(struct cadre_place_request request)
{
    struct cadre_plan *plan = NULL;
    cadre_err err = cadre_ledger_reserve(ledger, &request, &plan, &error);

    if (err != CADRE_OK)
        printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(err, CADRE_OK);
    return plan;
}

static void refuse(struct cadre_place_request request, const char *text)
{
    struct cadre_plan *plan = NULL;

    CU_ASSERT_EQUAL_FATAL(cadre_ledger_reserve(ledger, &request, &plan, &error),
                          CADRE_EINVAL);
    CU_ASSERT_STRING_EQUAL(error.text, text);
    CU_ASSERT_PTR_NULL(plan);
}

/* "0,4 1,5": the PUs of every rank, and its GPUs as "+0+1"; with several hosts
 * "1:" in front. */
static const char *shown(const struct cadre_plan *plan)
{
    static char text[4096];
    char list[256];
    size_t len = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < plan->nplaces; i++) {
        const struct cadre_place *p = &plan->places[i];
        len += (size_t)snprintf(text + len, sizeof text - len, "%s",
                                i > 0 ? " " : "");
        if (cadre_ledger_hosts(ledger) > 1)
            len +=
                (size_t)snprintf(text + len, sizeof text - len, "%u:", p->host);
        len += (size_t)snprintf(
            text + len, sizeof text - len, "%s",
            cadre_place_list(p->pus, p->npus, list, sizeof list));
        for (uint32_t k = 0; k < p->ngpus; k++)
            len += (size_t)snprintf(text + len, sizeof text - len, "+%u",
                                    p->gpus[k].index);
    }
    return text;
}

/* What the request gets; it is given back at once. */
static const char *try(struct cadre_place_request request)
{
    struct cadre_plan *plan = reserve(request);
    const char *text = shown(plan);

    cadre_ledger_release(ledger, plan);
    return text;
}

#define REQUEST(...) ((struct cadre_place_request){__VA_ARGS__})
#define GETS(text, ...) CU_ASSERT_STRING_EQUAL(try(REQUEST(__VA_ARGS__)), text)

/* --- one machine ---------------------------------------------------------- */

static void a_thread_gets_a_core_with_all_its_hardware_threads(void)
{
    begin("laptop");
    GETS("0,4 1,5 2,6", .ranks = 3);
    GETS("0,1,4,5 2,3,6,7", .ranks = 2, .threads_per_rank = 2);
    end();
}

static void without_enough_cores_it_gets_a_hardware_thread(void)
{
    begin("laptop");
    GETS("0 4 1 5 2", .ranks = 5);
    GETS("0-2,4-6", .ranks = 1, .threads_per_rank = 6);
    refuse(REQUEST(.ranks = 5, .whole_cores = true),
           "placement: asked for 5 ranks of 1 thread (5 cores), but laptop has "
           "4 cores, 8 hardware threads and 1 GPU: ask for less, or "
           "oversubscribe");
    end();
}

static void compact_fills_from_the_first_core(void)
{
    begin("two-sockets");
    GETS("0 1 2 3 4 5 6 7 8", .ranks = 9);
    GETS("0-2 3-5 8-10", .ranks = 3, .threads_per_rank = 3);
    end();
}

static void scatter_goes_to_the_other_package_first(void)
{
    begin("two-sockets");
    GETS("0 8 1 9", .ranks = 4, .policy = CADRE_PLACE_SCATTER);
    GETS("0 1 8 9 2 3", .ranks = 6, .ranks_per_team = 2,
         .policy = CADRE_PLACE_SCATTER);
    end();
    begin("four-numa");
    GETS("0 12 6 18 3 15", .ranks = 6, .policy = CADRE_PLACE_SCATTER);
    end();
}

static void numa_deals_evenly_and_crosses_no_node(void)
{
    begin("four-numa");
    GETS("0 1 6 12 18", .ranks = 5, .policy = CADRE_PLACE_NUMA);
    GETS("0-3 6-9 12-15 18-21", .ranks = 4, .threads_per_rank = 4,
         .policy = CADRE_PLACE_NUMA);
    refuse(
        REQUEST(.ranks = 5, .threads_per_rank = 4, .policy = CADRE_PLACE_NUMA),
        "placement: asked for 5 ranks of 4 threads, each within a NUMA node "
        "(20 cores), but four-numa has 24 cores and 0 GPUs: ask for less, "
        "or oversubscribe");
    GETS("0-3 4,5,10,11 6-9 12-15 18-21", .ranks = 5, .threads_per_rank = 4);
    end();
}

static void a_rank_stays_below_one_cache_if_it_can(void)
{
    begin("four-numa");
    GETS("0,1 3,4 6,7 9,10 12,13 15,16 18,19 21,22", .ranks = 8,
         .threads_per_rank = 2);
    GETS("0,1 2,5 3,4 6,7 9,10 12,13 15,16 18,19 21,22", .ranks = 9,
         .threads_per_rank = 2);
    end();
}

static void a_team_stays_in_one_numa_node_if_it_can(void)
{
    begin("four-numa");
    GETS("0 1 2 3 6 7 8 9", .ranks = 8, .ranks_per_team = 4);
    GETS("0,1 2,5 3,4 6,7 8,11 9,10", .ranks = 6, .threads_per_rank = 2,
         .ranks_per_team = 3);
    end();
}

static void what_fits_into_one_package_is_not_torn_apart(void)
{
    begin("two-sockets");
    struct cadre_plan *first = reserve(REQUEST(.ranks = 5));
    GETS("8 9 10 11", .ranks = 4);
    GETS("5 6 7", .ranks = 3);
    cadre_ledger_release(ledger, first);
    end();
}

static void cores_outside_of_the_cgroup_stay_untouched(void)
{
    begin("cgroup");
    GETS("1,9 2,10 5,13 6", .ranks = 4);
    GETS("1 9 2 10 5 13 6", .ranks = 7);
    refuse(REQUEST(.ranks = 8),
           "placement: asked for 8 ranks of 1 thread (8 cores), but cgroup has "
           "4 cores, 7 hardware threads and 0 GPUs: ask for less, or "
           "oversubscribe");
    end();
}

static void fast_cores_come_first_and_are_not_mixed_with_slow_ones(void)
{
    begin("hybrid");
    GETS("0,1 2,3 4,5 6,7 8,9 10,11 12", .ranks = 7);
    GETS("0-7 12-15 16-19", .ranks = 3, .threads_per_rank = 4);
    GETS("0-11 12-17", .ranks = 2, .threads_per_rank = 6);
    end();
}

/* --- GPUs ----------------------------------------------------------------- */

static void a_gpu_comes_with_the_cores_nearest_to_it(void)
{
    begin("four-gpus");
    GETS("0,16+0 1,17+1 8,24+2 9,25+3", .ranks = 4, .gpus_per_rank = 1);
    GETS("0-3,16-19+0+1 8-11,24-27+2+3", .ranks = 2, .threads_per_rank = 4,
         .gpus_per_rank = 2);
    GETS("0,16+0 8,24+2", .ranks = 2, .gpus_per_rank = 1,
         .policy = CADRE_PLACE_SCATTER);
    end();
}

static void gpus_behind_one_switch_stay_together(void)
{
    begin("eight-gpus");
    struct cadre_plan *one = reserve(REQUEST(.ranks = 1, .gpus_per_rank = 1));
    CU_ASSERT_STRING_EQUAL(shown(one), "0+0");
    GETS("1+2+3 16+4+5 17+6+7", .ranks = 3, .gpus_per_rank = 2);
    GETS("1+1", .ranks = 1, .gpus_per_rank = 1);
    cadre_ledger_release(ledger, one);
    GETS("0+0+1 1+2+3 16+4+5 17+6+7", .ranks = 4, .gpus_per_rank = 2);
    end();
}

static void gpus_are_never_shared(void)
{
    begin("four-gpus");
    refuse(REQUEST(.ranks = 5, .gpus_per_rank = 1, .oversubscribe = true),
           "placement: asked for 5 ranks of 1 thread and 1 GPU (5 cores, 5 "
           "GPUs), but four-gpus has 16 cores, 32 hardware threads and 4 GPUs: "
           "ask for less; GPUs are never shared");
    end();
}

static void cores_far_from_a_gpu_will_do_when_the_near_ones_are_taken(void)
{
    begin("four-gpus");
    struct cadre_plan *near = reserve(REQUEST(.ranks = 8));
    GETS("8,24+2 9,25+3 10,26+0", .ranks = 3, .gpus_per_rank = 1);
    GETS("8-11,24-27+0+2+3", .ranks = 1, .threads_per_rank = 4,
         .gpus_per_rank = 3);
    cadre_ledger_release(ledger, near);
    end();
}

static const struct cadre_gpu_limits nothing;

static const char *limited(const char *name, struct cadre_gpu_limits limits)
{
    static char text[256];
    struct cadre_machine *m = load(name);
    size_t len = 0;

    text[0] = '\0';
    CU_ASSERT_EQUAL(cadre_machine_limit_gpus(m, &limits), CADRE_OK);
    for (uint32_t i = 0; i < m->ngpus; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%u%s",
                                i > 0 ? " " : "", m->gpus[i].index,
                                strncmp(m->gpus[i].uuid, "MIG", 3) ? "" : "m");
    cadre_machine_destroy(m);
    return text;
}

#define LIMITED(name, text, ...)                                               \
    CU_ASSERT_STRING_EQUAL(                                                    \
        limited(name, (struct cadre_gpu_limits){__VA_ARGS__}), text)

static void the_schedulers_gpus_are_all_there_is(void)
{
    CU_ASSERT_STRING_EQUAL(limited("four-gpus", nothing), "0 1 2 3");
    LIMITED("four-gpus", "3 1", .cuda = "3, 1");
    LIMITED("four-gpus", "2", .cuda = "2,9,1"); /* CUDA stops there, too */
    LIMITED("four-gpus", "", .cuda = "");
    LIMITED("four-gpus", "", .cuda = "-1");
    LIMITED("four-gpus", "", .cuda = "NoDevFiles");
    LIMITED("four-gpus", "1",
            .cuda = "GPU-00000000-0000-4000-8000-000000000001");
    LIMITED("four-gpus", "", .cuda = "GPU-0"); /* which one? */
    LIMITED("four-gpus", "0m 1m", .cuda = "MIG-1234,MIG-5678");
    LIMITED("four-gpus", "0 2", .slurm = "0,2");
    LIMITED("four-gpus", "1", .slurm = "0,2", .cuda = "1");
    LIMITED("four-gpus", "0 1 2 3", .rocr = "0", .ze = "0");
    LIMITED("eight-gpus", "7 5", .rocr = "7,5", .cuda = "0");
    LIMITED("eight-gpus", "4", .slurm = "4");
    LIMITED("four-gpus", "1", .cuda = "1,1");
}

/* --- several objects ------------------------------------------------------ */

static void two_objects_get_different_cores(void)
{
    begin("hyper-threads");
    struct cadre_plan *a = reserve(REQUEST(.ranks = 4));
    CU_ASSERT_STRING_EQUAL(shown(a), "0,12 1,13 2,14 3,15");
    struct cadre_plan *b = reserve(REQUEST(.ranks = 7));
    CU_ASSERT_STRING_EQUAL(shown(b), "4,16 5,17 6,18 7,19 8,20 9,21 10,22");
    struct cadre_plan *c = reserve(REQUEST(.ranks = 2));
    CU_ASSERT_STRING_EQUAL(shown(c), "11 23");
    refuse(REQUEST(.ranks = 1),
           "placement: asked for 1 rank of 1 thread (1 core), but "
           "hyper-threads has 12 cores (0 free), 24 hardware threads (0 free) "
           "and 0 GPUs: ask for less, or oversubscribe");
    cadre_ledger_release(ledger, a);
    GETS("0,12", .ranks = 1);
    cadre_ledger_release(ledger, c);
    cadre_ledger_release(ledger, b);
    GETS("0-23", .ranks = 1, .threads_per_rank = 12);
    end();
}

/* --- more than there is --------------------------------------------------- */

static void oversubscribed_ranks_are_not_bound_and_that_is_said_once(void)
{
    begin("two-sockets");
    struct cadre_plan *a = reserve(REQUEST(.ranks = 17, .oversubscribe = true));
    CU_ASSERT(a->is_oversubscribed && a->must_say);
    CU_ASSERT_STRING_EQUAL(a->note,
                           "oversubscribed: 17 ranks of 1 thread (17 cores), "
                           "but two-sockets has 16 cores and 0 GPUs: ranks are "
                           "not bound");
    CU_ASSERT_EQUAL(a->places[16].npus, 0);
    CU_ASSERT_EQUAL(a->places[16].memory, CADRE_MEMORY_ANY);
    struct cadre_plan *b = reserve(REQUEST(.ranks = 17, .oversubscribe = true));
    CU_ASSERT(b->is_oversubscribed && !b->must_say);
    cadre_ledger_release(ledger, b);
    cadre_ledger_release(ledger, a);
    struct cadre_plan *c = reserve(REQUEST(.ranks = 16, .oversubscribe = true));
    CU_ASSERT(!c->is_oversubscribed && c->places[15].npus == 1);
    cadre_ledger_release(ledger, c);
    end();
}

static void oversubscribed_ranks_share_cores_evenly_if_asked_for(void)
{
    const struct cadre_place_request twice = {
        .ranks = 8, .oversubscribe = true, .binds_oversubscribed = true};

    begin("package:1 core:3 pu:1");
    GETS("0 1 2 0 1 2 0 1", .ranks = 8, .oversubscribe = true,
         .binds_oversubscribed = true);
    GETS("0-2 0-2", .ranks = 2, .threads_per_rank = 5, .oversubscribe = true,
         .binds_oversubscribed = true);
    struct cadre_plan *a = reserve(twice), *b = reserve(twice);
    CU_ASSERT_STRING_EQUAL(shown(b), "2 0 1 2 0 1 2 0");
    cadre_ledger_release(ledger, a);
    cadre_ledger_release(ledger, b);
    GETS("0 1 2", .ranks = 3);
    end();
}

static void policy_none_binds_nothing_but_gives_gpus(void)
{
    begin("four-gpus");
    struct cadre_plan *plan = reserve(
        REQUEST(.ranks = 2, .gpus_per_rank = 2, .policy = CADRE_PLACE_NONE));
    CU_ASSERT_STRING_EQUAL(shown(plan), "+0+1 +2+3");
    CU_ASSERT(!plan->is_oversubscribed);
    refuse(REQUEST(.ranks = 1, .gpus_per_rank = 1, .policy = CADRE_PLACE_NONE),
           "placement: asked for 1 rank of 1 thread and 1 GPU (1 core, 1 GPU), "
           "but four-gpus has 16 cores, 32 hardware threads and 4 GPUs (0 "
           "free): ask for less; GPUs are never shared");
    cadre_ledger_release(ledger, plan);
    end();
}

/* --- wrong requests ------------------------------------------------------- */

static void a_request_that_contradicts_itself_is_refused(void)
{
    const uint32_t nowhere[] = {0, 1};

    begin("laptop");
    refuse(REQUEST(.ranks = 0), "placement: 0 ranks: from 1 to 16777216");
    refuse(REQUEST(.ranks = 5, .ranks_per_team = 2),
           "placement: 5 ranks do not make teams of 2");
    refuse(REQUEST(.ranks = 1, .policy = 4), "placement: policy 4 is unknown");
    refuse(REQUEST(.ranks = 1, .gpus_per_rank = 2000),
           "placement: 2000 GPUs per rank: from 0 to 1024");
    refuse(REQUEST(.ranks = 1, .threads_per_rank = 1 << 21),
           "placement: 2097152 threads per rank: from 1 to 1048576");
    refuse(REQUEST(.ranks = 2, .hosts = nowhere),
           "placement: rank 1 is on host 1 of 1");
    end();
}

static void a_host_is_added_once_and_must_have_a_core(void)
{
    struct cadre_machine *again = load("laptop"), *empty = load("laptop");
    uint32_t host = 7;

    begin("laptop");
    CU_ASSERT_EQUAL(cadre_ledger_add(ledger, again, &host, &error),
                    CADRE_EINVAL);
    CU_ASSERT_STRING_EQUAL(error.text,
                           "placement: host laptop is there already");
    snprintf(empty->host, sizeof empty->host, "empty");
    for (uint32_t i = 0; i < empty->nnodes; i++)
        empty->nodes[i].is_allowed = false;
    CU_ASSERT_EQUAL(cadre_machine_finish(empty, &error), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_ledger_add(ledger, empty, &host, &error),
                    CADRE_EINVAL);
    CU_ASSERT_EQUAL(host, 7);
    cadre_machine_destroy(again);
    cadre_machine_destroy(empty);
    end();
}

/* --- several hosts -------------------------------------------------------- */

static void hosts_are_filled_one_after_another_or_dealt_to(void)
{
    begin("package:1 core:3 pu:1");
    add_hosts(2);
    GETS("0:0 0:1", .ranks = 2);
    GETS("0:0 0:1 0:2 1:0", .ranks = 4);
    GETS("0:0 1:0 2:0 0:1", .ranks = 4, .policy = CADRE_PLACE_SCATTER);
    GETS("0:0 0:1 1:0 1:1", .ranks = 4, .ranks_per_team = 2);
    end();
}

static void a_team_spans_hosts_only_if_none_has_room_for_it(void)
{
    begin("package:1 core:3 pu:1");
    add_hosts(2);
    GETS("0:0 0:1 1:0 1:1 2:0 2:1 0:2 1:2", .ranks = 8, .ranks_per_team = 2);
    GETS("0:0 0:1 0:2 1:0", .ranks = 4, .ranks_per_team = 4);
    refuse(REQUEST(.ranks = 10),
           "placement: asked for 10 ranks of 1 thread (10 cores), but 3 hosts "
           "have 9 cores and 0 GPUs: ask for less, or oversubscribe");
    refuse(REQUEST(.ranks = 1, .threads_per_rank = 4),
           "placement: asked for 1 rank of 4 threads (4 cores), but 3 hosts "
           "have 9 cores and 0 GPUs: ask for less, or oversubscribe");
    end();
}

static void ranks_that_are_somewhere_stay_there(void)
{
    const uint32_t hosts[] = {2, 0, 2, 2}, many[] = {1, 1, 1, 1};

    begin("package:1 core:3 pu:1");
    add_hosts(2);
    GETS("2:0 0:0 2:1 2:2", .ranks = 4, .hosts = hosts);
    GETS("2:2 0:0 2:0 2:1", .ranks = 4, .hosts = hosts, .ranks_per_team = 2);
    refuse(REQUEST(.ranks = 4, .hosts = many),
           "placement: asked for 4 ranks of 1 thread (4 cores), but 3 hosts "
           "have 9 cores and 0 GPUs: ask for less, or oversubscribe");
    GETS("1:0 1:1 1:2 1:0", .ranks = 4, .hosts = many, .oversubscribe = true,
         .binds_oversubscribed = true);
    GETS("1: 1: 1: 1:", .ranks = 4, .hosts = many, .oversubscribe = true);
    end();
}

/* --- bytes and text ------------------------------------------------------- */

static void a_place_survives_the_journey(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_place *place = NULL;
    char text[256];

    begin("four-gpus");
    struct cadre_plan *plan =
        reserve(REQUEST(.ranks = 2, .threads_per_rank = 3, .gpus_per_rank = 2,
                        .policy = CADRE_PLACE_NUMA));
    CU_ASSERT_EQUAL(cadre_place_encode(plan, 1, &buffer), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(
        cadre_place_decode(buffer.data, buffer.len, &place, &error), CADRE_OK);
    CU_ASSERT_EQUAL(place->threads, 3);
    CU_ASSERT_EQUAL(place->unit, CADRE_UNIT_CORE);
    CU_ASSERT_EQUAL(place->memory, CADRE_MEMORY_BIND);
    CU_ASSERT_STRING_EQUAL(place->gpus[1].uuid,
                           "GPU-00000000-0000-4000-8000-000000000003");
    CU_ASSERT_STRING_EQUAL(
        cadre_place_describe(place, text, sizeof text),
        "four-gpus: PUs 8-10,24-26, NUMA node 1, NVIDIA GPU 0000:41:00.0, "
        "NVIDIA GPU 0000:51:00.0");
    cadre_place_destroy(place);
    cadre_buffer_fini(&buffer);
    cadre_ledger_release(ledger, plan);
    end();
}

static void damaged_places_are_refused(void)
{
    struct cadre_buffer buffer = {0};
    struct cadre_place *place = NULL;

    begin("four-gpus");
    struct cadre_plan *plan =
        reserve(REQUEST(.ranks = 1, .threads_per_rank = 3, .gpus_per_rank = 1));
    CU_ASSERT_EQUAL(cadre_place_encode(plan, 0, &buffer), CADRE_OK);
    for (size_t len = 0; len < buffer.len; len++)
        CU_ASSERT_EQUAL(cadre_place_decode(buffer.data, len, &place, &error),
                        CADRE_EPROTO);
    for (size_t i = 0; i < buffer.len; i++)
        for (int bit = 0; bit < 8; bit++) { /* read, or refused: no harm */
            buffer.data[i] ^= (unsigned char)(1 << bit);
            if (cadre_place_decode(buffer.data, buffer.len, &place, &error) ==
                CADRE_OK)
                cadre_place_destroy(place);
            buffer.data[i] ^= (unsigned char)(1 << bit);
        }
    buffer.data[4]++;
    CU_ASSERT_EQUAL(cadre_place_decode(buffer.data, buffer.len, &place, &error),
                    CADRE_EVERSION);
    cadre_buffer_fini(&buffer);
    cadre_ledger_release(ledger, plan);
    end();
}

static void a_machine_survives_the_journey(void)
{
    static const char *const names[] = {
        "laptop", "two-sockets", "four-numa",  "hyper-threads",
        "cgroup", "four-gpus",   "eight-gpus", "hybrid"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct cadre_machine *m = load(names[i]), *copy = NULL;
        struct cadre_buffer buffer = {0};
        CU_ASSERT_EQUAL(cadre_machine_encode(m, &buffer), CADRE_OK);
        CU_ASSERT_EQUAL_FATAL(
            cadre_machine_decode(buffer.data, buffer.len, &copy, &error),
            CADRE_OK);
        CU_ASSERT_STRING_EQUAL(copy->host, m->host);
        CU_ASSERT_EQUAL_FATAL(copy->nnodes, m->nnodes);
        for (uint32_t k = 0; k < m->nnodes; k++)
            CU_ASSERT(memcmp(&copy->nodes[k], &m->nodes[k], sizeof *m->nodes) ==
                      0);
        CU_ASSERT_EQUAL_FATAL(copy->ngpus, m->ngpus);
        CU_ASSERT(memcmp(copy->gpus, m->gpus, m->ngpus * sizeof *m->gpus) == 0);
        cadre_machine_destroy(copy);
        cadre_machine_destroy(m);
        cadre_buffer_fini(&buffer);
    }
}

static void damaged_machines_are_refused(void)
{
    struct cadre_machine *m = load("laptop"), *copy = NULL;
    struct cadre_buffer buffer = {0};

    CU_ASSERT_EQUAL(cadre_machine_encode(m, &buffer), CADRE_OK);
    for (size_t len = 0; len < buffer.len; len++)
        CU_ASSERT_EQUAL(cadre_machine_decode(buffer.data, len, &copy, &error),
                        CADRE_EPROTO);
    for (size_t i = 0; i < buffer.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            buffer.data[i] ^= (unsigned char)(1 << bit);
            if (cadre_machine_decode(buffer.data, buffer.len, &copy, &error) ==
                CADRE_OK)
                cadre_machine_destroy(copy);
            buffer.data[i] ^= (unsigned char)(1 << bit);
        }
    cadre_buffer_fini(&buffer);
    cadre_machine_destroy(m);
}

static void numbers_are_listed_as_ranges(void)
{
    const uint32_t numbers[] = {0, 1, 2, 5, 7, 8};
    char text[32], tiny[4];

    CU_ASSERT_STRING_EQUAL(cadre_place_list(numbers, 6, text, sizeof text),
                           "0-2,5,7,8");
    CU_ASSERT_STRING_EQUAL(cadre_place_list(numbers, 0, text, sizeof text), "");
    CU_ASSERT_STRING_EQUAL(cadre_place_list(numbers, 6, tiny, sizeof tiny),
                           "0-2");
}

static void without_memory_nothing_is_taken(void)
{
    struct cadre_place_request request = {
        .ranks = 4, .threads_per_rank = 2, .gpus_per_rank = 1};
    struct cadre_plan *plan = NULL;
    bool has_failed = true;

    begin("four-gpus");
    for (unsigned n = 1; has_failed; n++) {
        cadre_err err;
        alloc_fail_at(n);
        err = cadre_ledger_reserve(ledger, &request, &plan, &error);
        has_failed = alloc_has_failed();
        CU_ASSERT_EQUAL(err, has_failed ? CADRE_ENOMEM : CADRE_OK);
        if (err != CADRE_OK)
            GETS("0-7,16-23 8-15,24-31", .ranks = 2, .threads_per_rank = 8,
                 .gpus_per_rank = 0);
    }
    cadre_ledger_release(ledger, plan);
    end();
}

/* --- random requests ------------------------------------------------------ */

static uint32_t seed = 1;

/* From 0 to below `limit`. */
static uint32_t any(uint32_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % limit;
}

enum { LIVE = 6, PUS_MAX = 64 };

static struct {
    int holder[PUS_MAX]; /* plan + 1, by the PU's number */
    int gpu_holder[16];
} seen;

static uint32_t core_of(const struct cadre_machine *m, uint32_t pu)
{
    for (uint32_t i = 0; i < m->nnodes; i++)
        if (m->nodes[i].type == CADRE_NODE_PU && m->nodes[i].index == pu)
            return m->nodes[i].parent;
    CU_FAIL_FATAL("a PU that is not there");
    return 0;
}

/* Holders of the core's PUs, plan `who` not counted. */
static bool is_core_shared(const struct cadre_machine *m, uint32_t core,
                           int who)
{
    for (uint32_t i = core + 1; i < m->nodes[core].end; i++) {
        int holder = seen.holder[m->nodes[i].index];
        if (holder != 0 && holder != who)
            return true;
    }
    return false;
}

static uint32_t free_cores(const struct cadre_machine *m)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < m->nnodes; i++)
        count += m->nodes[i].type == CADRE_NODE_CORE &&
                 m->nodes[i].is_allowed && !is_core_shared(m, i, 0);
    return count;
}

static void hold(const struct cadre_machine *m, const struct cadre_plan *plan,
                 int who, const struct cadre_place_request *request,
                 bool was_enough)
{
    bool must_be_alone =
        free_cores(m) >= request->ranks * request->threads_per_rank &&
        request->policy != CADRE_PLACE_NUMA;

    CU_ASSERT(was_enough);
    for (uint32_t r = 0; r < plan->nplaces; r++) {
        const struct cadre_place *p = &plan->places[r];
        CU_ASSERT(p->npus >= request->threads_per_rank);
        CU_ASSERT_EQUAL(p->ngpus, request->gpus_per_rank);
        for (uint32_t i = 0; i < p->npus; i++) {
            uint32_t core = core_of(m, p->pus[i]);
            CU_ASSERT_EQUAL(seen.holder[p->pus[i]], 0);
            if (must_be_alone)
                CU_ASSERT(!is_core_shared(m, core, who));
            seen.holder[p->pus[i]] = who;
        }
        for (uint32_t i = 0; i < p->ngpus; i++) {
            CU_ASSERT_EQUAL(seen.gpu_holder[p->gpus[i].index], 0);
            seen.gpu_holder[p->gpus[i].index] = who;
        }
    }
}

static void let_go(struct cadre_plan *plan, int who)
{
    for (int i = 0; i < PUS_MAX; i++)
        if (seen.holder[i] == who)
            seen.holder[i] = 0;
    for (int i = 0; i < 16; i++)
        if (seen.gpu_holder[i] == who)
            seen.gpu_holder[i] = 0;
    cadre_ledger_release(ledger, plan);
}

static struct cadre_place_request any_request(uint32_t ngpus)
{
    struct cadre_place_request r = {.threads_per_rank = 1 + any(4),
                                    .gpus_per_rank =
                                        ngpus > 0 && any(2) ? 1 + any(2) : 0,
                                    .ranks_per_team = 1 + any(3),
                                    .policy = (enum cadre_place_policy)any(3),
                                    .whole_cores = any(4) == 0};

    r.ranks = r.ranks_per_team * (1 + any(4));
    return r;
}

/* Free units (cores or hardware threads) in nodes from `i` to below `end`. */
static uint32_t count_units(const struct cadre_machine *m, uint32_t i,
                            uint32_t end, bool whole_cores)
{
    uint32_t count = 0;

    for (; i < end; i++) {
        if (!m->nodes[i].is_allowed)
            continue;
        if (whole_cores)
            count +=
                m->nodes[i].type == CADRE_NODE_CORE && !is_core_shared(m, i, 0);
        else
            count += m->nodes[i].type == CADRE_NODE_PU &&
                     seen.holder[m->nodes[i].index] == 0;
    }
    return count;
}

/* Is there enough for the request? */
static bool is_enough(const struct cadre_machine *m,
                      const struct cadre_place_request *r)
{
    uint32_t ranks = 0, gpus = 0;

    for (uint32_t i = 0; i < m->ngpus; i++)
        gpus += seen.gpu_holder[m->gpus[i].index] == 0;
    for (uint32_t i = 0; i < m->nnodes; i++)
        if (r->policy == CADRE_PLACE_NUMA ? m->nodes[i].type == CADRE_NODE_NUMA
                                          : i == 0)
            ranks += count_units(m, i, m->nodes[i].end, r->whole_cores) /
                     r->threads_per_rank;
    return ranks >= r->ranks && gpus >= r->ranks * r->gpus_per_rank;
}

/* Nothing is given twice, and nobody shares a core while there are free ones.
 */
static void play(const char *name, int rounds)
{
    struct cadre_plan *plans[LIVE] = {NULL};
    const struct cadre_machine *m;

    begin(name);
    m = cadre_ledger_machine(ledger, 0);
    for (int i = 0; i < rounds; i++) {
        int who = (int)any(LIVE);
        struct cadre_place_request r = any_request(m->ngpus);
        if (plans[who] != NULL) {
            let_go(plans[who], who + 1);
            plans[who] = NULL;
            continue;
        }
        if (cadre_ledger_reserve(ledger, &r, &plans[who], &error) == CADRE_OK)
            hold(m, plans[who], who + 1, &r, is_enough(m, &r));
        else
            CU_ASSERT(!is_enough(m, &r));
    }
    for (int i = 0; i < LIVE; i++)
        let_go(plans[i], i + 1);
    end();
}

static void nothing_is_given_twice_and_errors_are_exact(void)
{
    static const char *const names[] = {
        "laptop", "two-sockets", "four-numa",  "hyper-threads",
        "cgroup", "four-gpus",   "eight-gpus", "hybrid"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        play(names[i], 3000);
}

/* --- against brute force -------------------------------------------------- */

/* Small machines: packages of NUMA nodes of caches of cores of one PU each. */
enum { CORES_MAX = 7, GPUS_MAX = 3, KINDS = 4 };

static const enum cadre_node_type levels[KINDS] = {
    CADRE_NODE_L3, CADRE_NODE_NUMA, CADRE_NODE_PACKAGE, CADRE_NODE_MACHINE};

static void add_node(struct cadre_machine *m, enum cadre_node_type type,
                     uint32_t parent)
{
    static uint32_t counts[CADRE_NODE_PU + 1];

    if (m->nnodes == 0)
        memset(counts, 0, sizeof counts);
    m->nodes[m->nnodes++] = (struct cadre_node){.type = type,
                                                .parent = parent,
                                                .index = counts[type]++,
                                                .is_allowed = any(12) > 0};
}

static void add_cores(struct cadre_machine *m, uint32_t parent, uint32_t *left)
{
    for (uint32_t n = 1 + any(3); n > 0 && *left > 0; n--, --*left) {
        add_node(m, CADRE_NODE_CORE, parent);
        add_node(m, CADRE_NODE_PU, m->nnodes - 1);
    }
}

static struct cadre_machine *any_machine(void)
{
    struct cadre_machine *m = calloc(1, sizeof *m);
    uint32_t left = 2 + any(CORES_MAX - 1);

    m->nodes = calloc(64, sizeof *m->nodes);
    m->gpus = calloc(GPUS_MAX, sizeof *m->gpus);
    add_node(m, CADRE_NODE_MACHINE, 0);
    while (left > 0) {
        uint32_t package = m->nnodes;
        add_node(m, CADRE_NODE_PACKAGE, 0);
        for (uint32_t i = 1 + any(2); i > 0 && left > 0; i--) {
            uint32_t numa = m->nnodes;
            add_node(m, CADRE_NODE_NUMA, package);
            for (uint32_t k = 1 + any(2); k > 0 && left > 0; k--) {
                add_node(m, CADRE_NODE_L3, numa);
                add_cores(m, m->nnodes - 1, &left);
            }
        }
    }
    m->ngpus = any(GPUS_MAX + 1);
    for (uint32_t i = 0; i < m->ngpus; i++) {
        uint32_t near = any(m->nnodes);
        while (m->nodes[near].type >= CADRE_NODE_CORE)
            near = m->nodes[near].parent;
        m->gpus[i] = (struct cadre_gpu){
            .vendor = CADRE_GPU_NVIDIA, .index = i, .node = near};
    }
    CU_ASSERT_EQUAL_FATAL(cadre_machine_finish(m, &error), CADRE_OK);
    return m;
}

/* All ways to give `units` ranks their cores and GPUs. */
struct brute {
    const struct cadre_machine *m;
    uint32_t cores[CORES_MAX], ncores; /* nodes of the free ones */
    uint32_t ngpus;
    uint32_t units, threads, gpus; /* wanted */
    bool within_numa;
    bool is_possible;
    uint32_t best[KINDS]; /* units that lie within one such node, at most */
};

static uint32_t ancestor(const struct cadre_machine *m, uint32_t i,
                         enum cadre_node_type type)
{
    while (i != 0 && m->nodes[i].type > type)
        i = m->nodes[i].parent;
    return m->nodes[i].type == type ? i : UINT32_MAX;
}

/* Do these cores and GPUs lie in one node of this type? */
static bool is_within(const struct brute *b, uint32_t cores, uint32_t gpus,
                      enum cadre_node_type type)
{
    uint32_t node = UINT32_MAX;

    for (uint32_t i = 0; i < b->ncores; i++) {
        uint32_t a = ancestor(b->m, b->cores[i], type);
        if ((cores >> i & 1) == 0)
            continue;
        if (node != UINT32_MAX && a != node)
            return false;
        node = a;
    }
    for (uint32_t i = 0; i < b->m->ngpus; i++)
        if ((gpus >> i & 1) != 0 &&
            ancestor(b->m, b->m->gpus[i].node, type) != node)
            return false;
    return true;
}

static uint32_t ones(uint32_t mask)
{
    return (uint32_t)__builtin_popcount(mask);
}

/* Units in the order of their first cores, so that each way is seen once. */
static void search(struct brute *b, uint32_t unit, uint32_t cores,
                   uint32_t gpus, uint32_t first, const uint32_t *within)
{
    if (unit == b->units) {
        b->is_possible = true;
        for (int k = 0; k < KINDS; k++)
            if (within[k] > b->best[k])
                b->best[k] = within[k];
        return;
    }
    for (uint32_t c = 1; c < 1u << b->ncores; c++) {
        if ((c & cores) != 0 || ones(c) != b->threads ||
            (uint32_t)__builtin_ctz(c) < first ||
            (b->within_numa && !is_within(b, c, 0, CADRE_NODE_NUMA)))
            continue;
        for (uint32_t g = 0; g < 1u << b->m->ngpus; g++) {
            uint32_t now[KINDS];
            if ((g & gpus) != 0 || ones(g) != b->gpus)
                continue;
            for (int k = 0; k < KINDS; k++)
                now[k] = within[k] + is_within(b, c, g, levels[k]);
            search(b, unit + 1, cores | c, gpus | g,
                   (uint32_t)__builtin_ctz(c) + 1, now);
        }
    }
}

static struct brute brute_force(const struct cadre_machine *m, uint32_t units,
                                uint32_t threads, uint32_t gpus,
                                bool within_numa)
{
    const uint32_t none[KINDS] = {0};
    struct brute b = {.m = m,
                      .units = units,
                      .threads = threads,
                      .gpus = gpus,
                      .within_numa = within_numa};

    for (uint32_t i = 0; i < m->nnodes; i++)
        if (m->nodes[i].type == CADRE_NODE_CORE && m->nodes[i].is_allowed)
            b.cores[b.ncores++] = i;
    search(&b, 0, 0, 0, 0, none);
    return b;
}

/* The same numbers of a plan, `size` ranks being a unit. */
static uint32_t count_within(const struct brute *b,
                             const struct cadre_plan *plan, uint32_t size,
                             enum cadre_node_type type)
{
    uint32_t count = 0;

    for (uint32_t u = 0; u < plan->nplaces; u += size) {
        uint32_t cores = 0, gpus = 0;
        for (uint32_t r = u; r < u + size; r++) {
            const struct cadre_place *p = &plan->places[r];
            for (uint32_t i = 0; i < p->npus; i++)
                for (uint32_t c = 0; c < b->ncores; c++)
                    if (b->m->nodes[b->cores[c] + 1].index == p->pus[i])
                        cores |= 1u << c;
            for (uint32_t i = 0; i < p->ngpus; i++)
                gpus |= 1u << p->gpus[i].index;
        }
        count += is_within(b, cores, gpus, type);
    }
    return count;
}

static uint64_t compared; /* plans that were held against the best */

static void compare_with_best(const struct cadre_place_request *r)
{
    const struct cadre_machine *m = cadre_ledger_machine(ledger, 0);
    uint32_t size = r->ranks_per_team;
    struct brute teams =
        brute_force(m, r->ranks / size, r->threads_per_rank * size,
                    r->gpus_per_rank * size, r->policy == CADRE_PLACE_NUMA);
    struct cadre_plan *plan = NULL;
    cadre_err err = cadre_ledger_reserve(ledger, r, &plan, &error);

    CU_ASSERT_EQUAL_FATAL(err, teams.is_possible ? CADRE_OK : CADRE_EINVAL);
    if (err != CADRE_OK)
        return;
    for (int k = 0; k < KINDS; k++)
        CU_ASSERT_EQUAL(count_within(&teams, plan, size, levels[k]),
                        teams.best[k]);
    if (size >
        1) { /* of each team's ranks, one more at most crosses a border */
        struct brute ranks = brute_force(m, r->ranks, r->threads_per_rank,
                                         r->gpus_per_rank, false);
        for (int k = 0; k < KINDS; k++)
            CU_ASSERT(count_within(&ranks, plan, 1, levels[k]) +
                          r->ranks / size >=
                      ranks.best[k]);
    }
    compared++;
    cadre_ledger_release(ledger, plan);
}

static void no_plan_is_worse_than_the_best_that_there_is(void)
{
    compared = 0;
    for (int i = 0; i < 20000; i++) {
        struct cadre_machine *m = any_machine();
        uint32_t gpus = m->ngpus;
        struct cadre_place_request r = {.threads_per_rank = 1 + any(3),
                                        .gpus_per_rank = gpus > 0 ? any(3) : 0,
                                        .policy =
                                            (enum cadre_place_policy)any(3)};
        r.ranks_per_team = r.policy == CADRE_PLACE_NUMA ? 1 : 1 + any(2);
        r.ranks = r.ranks_per_team * (1 + any(3));
        if (cadre_machine_cores(m) == 0) {
            cadre_machine_destroy(m);
            continue;
        }
        begin_with(m);
        compare_with_best(&r);
        end();
    }
    CU_ASSERT(compared > 5000);
}

/* Hosts of different machines: a plan exactly if their ranks add up, and on
 * every host nothing twice. */
static void check_hosts(const struct cadre_place_request *r, uint32_t room)
{
    uint64_t held[3] = {0};
    struct cadre_plan *plan = NULL;
    cadre_err err = cadre_ledger_reserve(ledger, r, &plan, &error);

    CU_ASSERT_EQUAL_FATAL(err, room >= r->ranks ? CADRE_OK : CADRE_EINVAL);
    for (uint32_t i = 0; err == CADRE_OK && i < plan->nplaces; i++) {
        const struct cadre_place *p = &plan->places[i];
        CU_ASSERT_EQUAL(p->npus, r->threads_per_rank);
        for (uint32_t k = 0; k < p->npus; k++) {
            CU_ASSERT((held[p->host] >> p->pus[k] & 1) == 0);
            held[p->host] |= UINT64_C(1) << p->pus[k];
        }
        for (uint32_t k = 0; k < p->ngpus; k++) {
            CU_ASSERT((held[p->host] >> (32 + p->gpus[k].index) & 1) == 0);
            held[p->host] |= UINT64_C(1) << (32 + p->gpus[k].index);
        }
    }
    cadre_ledger_release(ledger, plan);
}

static void hosts_of_any_kind_hold_as_much_as_they_can(void)
{
    for (int i = 0; i < 5000; i++) {
        struct cadre_place_request r = {.threads_per_rank = 1 + any(3),
                                        .gpus_per_rank = any(2),
                                        .ranks_per_team = 1 + any(4),
                                        .policy =
                                            (enum cadre_place_policy)any(2)};
        uint32_t room = 0, host;
        r.ranks = r.ranks_per_team * (1 + any(4));
        CU_ASSERT_EQUAL_FATAL(cadre_ledger_create(&ledger), CADRE_OK);
        for (int h = 0; h < 3; h++) {
            struct cadre_machine *m = any_machine();
            uint32_t cores = cadre_machine_cores(m), ranks;
            ranks = cores / r.threads_per_rank;
            if (r.gpus_per_rank > 0 && m->ngpus / r.gpus_per_rank < ranks)
                ranks = m->ngpus / r.gpus_per_rank;
            snprintf(m->host, sizeof m->host, "n%d", h);
            if (cadre_ledger_add(ledger, m, &host, &error) == CADRE_OK)
                room += ranks;
            else
                cadre_machine_destroy(m); /* no core may be used */
        }
        if (cadre_ledger_hosts(ledger) > 0)
            check_hosts(&r, room);
        end();
    }
}

/* --- wishes, for hosts that the controller does not see --------------------
 */

/* Each rank of a host plans for all, and takes its own part. */
static void ranks_that_plan_for_themselves_agree(void)
{
    struct cadre_place_wish wish = {.request = {.ranks = 6,
                                                .threads_per_rank = 2,
                                                .ranks_per_team = 2,
                                                .policy = CADRE_PLACE_SCATTER}};
    uint64_t taken = 0;

    for (wish.index = 0; wish.index < 6; wish.index++) {
        struct cadre_buffer bytes = {0}, place = {0};
        struct cadre_place_wish again;
        struct cadre_place *p;

        CU_ASSERT_EQUAL_FATAL(cadre_wish_encode(&wish, &bytes), CADRE_OK);
        CU_ASSERT(cadre_is_wish(bytes.data, bytes.len));
        CU_ASSERT_EQUAL_FATAL(
            cadre_wish_decode(bytes.data, bytes.len, &again, &error), CADRE_OK);
        CU_ASSERT_EQUAL_FATAL(cadre_wish_plan(&again,
                                              load("package:2 core:8 pu:1"),
                                              &place, &error),
                              CADRE_OK);
        CU_ASSERT_FALSE(cadre_is_wish(place.data, place.len));
        CU_ASSERT_EQUAL_FATAL(
            cadre_place_decode(place.data, place.len, &p, &error), CADRE_OK);
        CU_ASSERT_EQUAL(p->npus, 2);
        for (uint32_t i = 0; i < p->npus; i++) {
            CU_ASSERT_EQUAL(taken >> p->pus[i] & 1, 0);
            taken |= UINT64_C(1) << p->pus[i];
        }
        cadre_place_destroy(p);
        cadre_buffer_fini(&bytes);
        cadre_buffer_fini(&place);
    }
    CU_ASSERT_EQUAL(__builtin_popcountll(taken), 12);
}

static void a_wish_that_cannot_be_is_refused(void)
{
    struct cadre_place_wish wish = {.request = {.ranks = 3}, .index = 2}, got;
    struct cadre_buffer bytes = {0}, place = {0};

    CU_ASSERT_EQUAL_FATAL(cadre_wish_encode(&wish, &bytes), CADRE_OK);
    for (size_t len = 0; len < bytes.len; len++)
        CU_ASSERT_EQUAL(cadre_wish_decode(bytes.data, len, &got, &error),
                        CADRE_EPROTO);
    bytes.data[4] = 9;
    CU_ASSERT_EQUAL(cadre_wish_decode(bytes.data, bytes.len, &got, &error),
                    CADRE_EVERSION);
    bytes.data[4] = 1;
    bytes.data[28] = 3;
    CU_ASSERT_EQUAL(cadre_wish_decode(bytes.data, bytes.len, &got, &error),
                    CADRE_EPROTO);
    wish.request.threads_per_rank = 100;
    CU_ASSERT_EQUAL(cadre_wish_plan(&wish, load("core:4 pu:1"), &place, &error),
                    CADRE_EINVAL);
    cadre_buffer_fini(&bytes);
    cadre_buffer_fini(&place);
}

static const struct check_test tests[] = {
    CHECK(a_thread_gets_a_core_with_all_its_hardware_threads),
    CHECK(without_enough_cores_it_gets_a_hardware_thread),
    CHECK(compact_fills_from_the_first_core),
    CHECK(scatter_goes_to_the_other_package_first),
    CHECK(numa_deals_evenly_and_crosses_no_node),
    CHECK(a_rank_stays_below_one_cache_if_it_can),
    CHECK(a_team_stays_in_one_numa_node_if_it_can),
    CHECK(what_fits_into_one_package_is_not_torn_apart),
    CHECK(cores_outside_of_the_cgroup_stay_untouched),
    CHECK(fast_cores_come_first_and_are_not_mixed_with_slow_ones),
    CHECK(a_gpu_comes_with_the_cores_nearest_to_it),
    CHECK(gpus_behind_one_switch_stay_together),
    CHECK(gpus_are_never_shared),
    CHECK(cores_far_from_a_gpu_will_do_when_the_near_ones_are_taken),
    CHECK(the_schedulers_gpus_are_all_there_is),
    CHECK(two_objects_get_different_cores),
    CHECK(oversubscribed_ranks_are_not_bound_and_that_is_said_once),
    CHECK(oversubscribed_ranks_share_cores_evenly_if_asked_for),
    CHECK(policy_none_binds_nothing_but_gives_gpus),
    CHECK(a_request_that_contradicts_itself_is_refused),
    CHECK(a_host_is_added_once_and_must_have_a_core),
    CHECK(hosts_are_filled_one_after_another_or_dealt_to),
    CHECK(a_team_spans_hosts_only_if_none_has_room_for_it),
    CHECK(ranks_that_are_somewhere_stay_there),
    CHECK(a_place_survives_the_journey),
    CHECK(damaged_places_are_refused),
    CHECK(a_machine_survives_the_journey),
    CHECK(damaged_machines_are_refused),
    CHECK(numbers_are_listed_as_ranges),
    CHECK(without_memory_nothing_is_taken),
    CHECK(nothing_is_given_twice_and_errors_are_exact),
    CHECK(no_plan_is_worse_than_the_best_that_there_is),
    CHECK(hosts_of_any_kind_hold_as_much_as_they_can),
    CHECK(ranks_that_plan_for_themselves_agree),
    CHECK(a_wish_that_cannot_be_is_refused),
    {NULL, NULL},
};

int main(void)
{
    return check_run("place", tests);
}
