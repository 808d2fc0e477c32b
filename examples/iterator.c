/* iterator.c - a million items, made one by one as the workers need them, and
 * their results taken one by one: memory stays flat. */
#include <cadre.h>

#include <inttypes.h>
#include <stdio.h>

CADRE_TASK(int64_t, square, (int64_t i))
{
    return i * i;
}

struct progress {
    int64_t next;
    int64_t sum;
};

static bool next_item(void *user, struct cadre_row *row)
{
    struct progress *p = user;

    return p->next < 1000000 && cadre_row_give(row, p->next++) == CADRE_OK;
}

static bool on_item(void *user, const struct cadre_item *item)
{
    struct progress *p = user;

    if (item->err == CADRE_OK)
        p->sum += *(const int64_t *)item->outputs[0].data;
    return true;
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_pool *pool;
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2}, &pool));

    struct progress p = {0};
    CADRE_CHECK(cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(square),
                                                         .next = next_item,
                                                         .on_item = on_item,
                                                         .user = &p}));
    printf("%" PRId64 " squares, their sum is %" PRId64 "\n", p.next, p.sum);

    cadre_pool_destroy(pool);
    return cadre_finalize();
}
