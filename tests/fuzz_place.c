/* fuzz_place.c - a place or a machine may come as any bytes; what is accepted
 * can be described, planned on and sent again. */
#include "place.h"

#include "frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static volatile size_t touched;

static void try_place(const uint8_t *data, size_t len)
{
    struct cadre_place *place;
    char text[64];

    if (cadre_place_decode(data, len, &place, NULL) != CADRE_OK)
        return;
    touched += strlen(cadre_place_describe(place, text, sizeof text));
    for (uint32_t i = 0; i < place->npus; i++)
        touched += place->pus[i];
    cadre_place_destroy(place);
}

static void plan_on(struct cadre_ledger *ledger)
{
    struct cadre_place_request request = {.ranks = 2, .threads_per_rank = 2};
    struct cadre_buffer buffer = {0};
    struct cadre_place *copy;
    struct cadre_plan *plan;

    for (int i = 0; i < 6; i++) {
        request.policy = (enum cadre_place_policy)(i % 3);
        request.gpus_per_rank = i / 3;
        if (cadre_ledger_reserve(ledger, &request, &plan, NULL) != CADRE_OK)
            continue;
        if (plan->places[0].npus < 2 ||
            plan->places[0].ngpus != request.gpus_per_rank)
            abort();
        /* numbers and names from a damaged machine may be refused */
        if (cadre_place_encode(plan, 1, &buffer) == CADRE_OK &&
            cadre_place_decode(buffer.data, buffer.len, &copy, NULL) ==
                CADRE_OK)
            cadre_place_destroy(copy);
        buffer.len = 0;
        cadre_ledger_release(ledger, plan);
    }
    cadre_buffer_fini(&buffer);
}

static void try_machine(const uint8_t *data, size_t len)
{
    struct cadre_machine *machine;
    struct cadre_ledger *ledger;
    uint32_t host;

    if (cadre_machine_decode(data, len, &machine, NULL) != CADRE_OK)
        return;
    if (cadre_ledger_create(&ledger) != CADRE_OK)
        abort();
    if (cadre_ledger_add(ledger, machine, &host, NULL) == CADRE_OK)
        plan_on(ledger);
    else
        cadre_machine_destroy(machine);
    cadre_ledger_destroy(ledger);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    try_place(data, len);
    try_machine(data, len);
    return 0;
}
