/* place_wish.c - see place_wish.h. */
#include "place_wish.h"

#include "bytes.h"
#include "frame.h"

#include <string.h>

static const unsigned char magic[4] = {'C', 'W', 'S', 'H'};

enum { VERSION = 1, WISH_BYTES = 32 };

enum { WHOLE_CORES = 1, OVERSUBSCRIBE = 2, BINDS_OVERSUBSCRIBED = 4 };

cadre_err cadre_wish_encode(const struct cadre_place_wish *wish,
                            struct cadre_buffer *buffer)
{
    const struct cadre_place_request *r = &wish->request;
    unsigned char *at;

    if (cadre_buffer_reserve(buffer, WISH_BYTES) != CADRE_OK)
        return CADRE_ENOMEM;
    at = buffer->data + buffer->len;
    memcpy(at, magic, sizeof magic);
    cadre_put_u16(at + 4, VERSION);
    cadre_put_u16(
        at + 6,
        (uint16_t)((r->whole_cores ? WHOLE_CORES : 0) |
                   (r->oversubscribe ? OVERSUBSCRIBE : 0) |
                   (r->binds_oversubscribed ? BINDS_OVERSUBSCRIBED : 0)));
    cadre_put_u32(at + 8, r->ranks);
    cadre_put_u32(at + 12, r->threads_per_rank);
    cadre_put_u32(at + 16, r->gpus_per_rank);
    cadre_put_u32(at + 20, r->ranks_per_team);
    cadre_put_u32(at + 24, (uint32_t)r->policy);
    cadre_put_u32(at + 28, wish->index);
    buffer->len += WISH_BYTES;
    return CADRE_OK;
}

bool cadre_is_wish(const void *data, size_t len)
{
    return len >= sizeof magic && memcmp(data, magic, sizeof magic) == 0;
}

cadre_err cadre_wish_decode(const void *data, size_t len,
                            struct cadre_place_wish *wish,
                            struct cadre_error *error)
{
    const unsigned char *at = data;
    unsigned version, flags;

    if (!cadre_is_wish(data, len) || len != WISH_BYTES)
        return cadre_error_set(error, CADRE_EPROTO,
                               "a damaged wish for a place: %zu bytes", len);
    if ((version = cadre_get_u16(at + 4)) != VERSION)
        return cadre_error_set(error, CADRE_EVERSION,
                               "a wish for a place of version %u, not %d",
                               version, VERSION);
    flags = cadre_get_u16(at + 6);
    *wish = (struct cadre_place_wish){
        .request = {.ranks = cadre_get_u32(at + 8),
                    .threads_per_rank = cadre_get_u32(at + 12),
                    .gpus_per_rank = cadre_get_u32(at + 16),
                    .ranks_per_team = cadre_get_u32(at + 20),
                    .policy = (enum cadre_place_policy)cadre_get_u32(at + 24),
                    .whole_cores = (flags & WHOLE_CORES) != 0,
                    .oversubscribe = (flags & OVERSUBSCRIBE) != 0,
                    .binds_oversubscribed =
                        (flags & BINDS_OVERSUBSCRIBED) != 0},
        .index = cadre_get_u32(at + 28)};
    if (wish->request.policy > CADRE_PLACE_NONE ||
        wish->index >= wish->request.ranks || wish->request.ranks > 1 << 20)
        return cadre_error_set(error, CADRE_EPROTO,
                               "a wish for a place that cannot be: rank %u of "
                               "%u, policy %u",
                               (unsigned)wish->index,
                               (unsigned)wish->request.ranks,
                               (unsigned)wish->request.policy);
    return CADRE_OK;
}

cadre_err cadre_wish_plan(const struct cadre_place_wish *wish,
                          struct cadre_machine *machine,
                          struct cadre_buffer *place, struct cadre_error *error)
{
    struct cadre_place_request request = wish->request;
    struct cadre_ledger *ledger = NULL;
    struct cadre_plan *plan = NULL;
    uint32_t host;
    cadre_err err;

    request.hosts = NULL;
    if ((err = cadre_ledger_create(&ledger)) != CADRE_OK) {
        cadre_machine_destroy(machine);
        return cadre_error_set(error, err, "out of memory");
    }
    if ((err = cadre_ledger_add(ledger, machine, &host, error)) == CADRE_OK)
        err = cadre_ledger_reserve(ledger, &request, &plan, error);
    if (err == CADRE_OK &&
        (err = cadre_place_encode(plan, wish->index, place)) != CADRE_OK)
        cadre_error_set(error, err, "out of memory");
    cadre_ledger_release(ledger, plan);
    cadre_ledger_destroy(ledger);
    return err;
}
