/* place_fit.c - how many teams fit into a machine, and where.
 *
 * Counting goes from the leaves to the root: a node holds as many teams as its
 * free cores and GPUs allow; those that none of its children holds alone are
 * its own slots. Choosing picks slots, innermost first, as the policy says.
 * Taking then gives every slot its cores, again from the leaves to the root, so
 * that an outer slot gets what inner ones leave.
 */
#include "place_fit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 7 };

/* A slot that was chosen: one team will be put together in `node`. */
struct slot {
    uint32_t node;
    uint32_t order; /* in which it was dealt */
    uint32_t first; /* the first PU it got, once it has */
    uint32_t at;    /* its first rank in the list */
};

/* --- lists that grow ------------------------------------------------------ */

static bool grow(void *array, uint32_t *room, uint32_t need, size_t size)
{
    void *data, **where = array;
    uint32_t more = *room < 64 ? 64 : *room;

    if (need <= *room && *where != NULL)
        return true;
    while (more < need)
        more += more / 2;
    if ((data = realloc(*where, more * size)) == NULL)
        return false;
    *where = data;
    *room = more;
    return true;
}

/* Room for `ranks` more ranks: then appending cannot fail. */
static cadre_err reserve(struct cadre_fit *f, uint32_t ranks,
                         struct cadre_taken_list *out)
{
    uint32_t per_leaf = 1; /* PUs of the largest core */
    const struct cadre_node *n = f->machine->nodes;

    if (f->shape.unit == CADRE_UNIT_CORE)
        for (uint32_t i = 0; i < f->machine->nnodes; i++)
            if (n[i].type == CADRE_NODE_CORE && n[i].end - i - 1 > per_leaf)
                per_leaf = n[i].end - i - 1;
    if (!grow(&out->ranks, &out->ranks_room, out->nranks + ranks,
              sizeof *out->ranks) ||
        !grow(&out->nodes, &out->nodes_room,
              out->nnodes + ranks * f->shape.threads * per_leaf,
              sizeof *out->nodes) ||
        !grow(&out->gpus, &out->gpus_room, out->ngpus + ranks * f->shape.gpus,
              sizeof *out->gpus))
        return CADRE_ENOMEM;
    return CADRE_OK;
}

void cadre_taken_list_fini(struct cadre_taken_list *list)
{
    free(list->ranks);
    free(list->nodes);
    free(list->gpus);
    *list = (struct cadre_taken_list){0};
}

cadre_err cadre_fit_init(struct cadre_fit *fit,
                         const struct cadre_machine *machine)
{
    size_t n = machine->nnodes;
    uint32_t *at = calloc(n, COLUMNS * sizeof *at);

    if (at == NULL)
        return CADRE_ENOMEM;
    *fit = (struct cadre_fit){
        .machine = machine,
        .columns = at,
        .total = at,
        .free = at + n,
        .gpus = at + 2 * n,
        .bundles = at + 3 * n,
        .own = at + 4 * n,
        .open = at + 5 * n,
        .given = at + 6 * n,
    };
    return CADRE_OK;
}

void cadre_fit_fini(struct cadre_fit *fit)
{
    free(fit->columns);
    *fit = (struct cadre_fit){0};
}

/* --- counting ------------------------------------------------------------- */

static bool is_leaf(const struct cadre_fit *f, uint32_t i)
{
    return f->machine->nodes[i].type ==
           (f->shape.unit == CADRE_UNIT_CORE ? CADRE_NODE_CORE : CADRE_NODE_PU);
}

/* A PU below the cores that are looked at. */
static bool is_below(const struct cadre_fit *f, uint32_t i)
{
    return f->shape.unit == CADRE_UNIT_CORE &&
           f->machine->nodes[i].type == CADRE_NODE_PU;
}

/* No allowed PU of the core is held by `limit` ranks or more. */
static bool is_core_free(const struct cadre_fit *f, uint32_t core,
                         uint32_t limit)
{
    const struct cadre_node *n = f->machine->nodes;

    for (uint32_t i = core + 1; i < n[core].end; i++)
        if (n[i].is_allowed && f->use->pus[i] >= limit)
            return false;
    return n[core].is_allowed;
}

static bool is_leaf_free(const struct cadre_fit *f, uint32_t i)
{
    const struct cadre_node *n = f->machine->nodes;

    if (n[i].type == CADRE_NODE_CORE)
        return is_core_free(f, i, f->shape.limit);
    return n[i].is_allowed && f->use->pus[i] < f->shape.limit &&
           (!f->shape.free_cores || is_core_free(f, n[i].parent, 1));
}

/* May all cores of a rank lie somewhere in node i? Under the policy numa, i
 * must be a NUMA node or lie in one (or the machine has none). */
static bool may_hold_rank(const struct cadre_fit *f, uint32_t i)
{
    const struct cadre_node *n = f->machine->nodes;

    if (f->shape.policy != CADRE_PLACE_NUMA)
        return true;
    while (i > 0 && n[i].type != CADRE_NODE_NUMA)
        i = n[i].parent;
    if (i > 0)
        return true;
    for (uint32_t k = 0; k < f->machine->nnodes; k++)
        if (n[k].type == CADRE_NODE_NUMA)
            return false;
    return true;
}

static uint32_t ranks_in(const struct cadre_fit *f, uint32_t i)
{
    uint32_t ranks = f->bundles[i], by_gpus;

    if (f->shape.gpus == 0)
        return ranks;
    by_gpus = f->gpus[i] / f->shape.gpus;
    return ranks < by_gpus ? ranks : by_gpus;
}

/* Node i is complete: work out what fits, and add it to its parent. `fits`
 * collects the teams of children. */
static void count_node(struct cadre_fit *f, uint32_t i, uint32_t *fits)
{
    uint32_t parent = f->machine->nodes[i].parent, teams;

    if (may_hold_rank(f, i))
        f->bundles[i] = f->free[i] / f->shape.threads;
    teams = ranks_in(f, i) / f->shape.ranks;
    f->own[i] = teams - fits[i];
    fits[i] = teams;
    if (i == 0)
        return;
    f->total[parent] += f->total[i];
    f->free[parent] += f->free[i];
    f->gpus[parent] += f->gpus[i];
    f->bundles[parent] += f->bundles[i];
    fits[parent] += teams;
}

void cadre_fit_count(struct cadre_fit *fit, struct cadre_use *use,
                     const struct cadre_shape *shape)
{
    const struct cadre_machine *m = fit->machine;
    uint32_t *fits = fit->open; /* not needed before choosing */

    memset(fit->columns, 0, m->nnodes * COLUMNS * sizeof *fit->columns);
    fit->use = use;
    fit->shape = *shape;
    for (uint32_t i = 0; i < m->ngpus; i++)
        fit->gpus[m->gpus[i].node] += use->gpus[i] == 0;
    for (uint32_t i = m->nnodes; i-- > 0;) {
        if (is_below(fit, i))
            continue;
        if (is_leaf(fit, i)) {
            fit->total[i] = m->nodes[i].is_allowed;
            fit->free[i] = is_leaf_free(fit, i);
        }
        count_node(fit, i, fits);
    }
    fit->teams = fits[0];
    fit->ranks = ranks_in(fit, 0);
}

/* --- choosing slots ------------------------------------------------------- */

/* Slots are given out level by level, fast cores first. */
struct key {
    uint32_t level;
    uint32_t kind;
};

static bool is_before(struct key a, struct key b)
{
    return a.level != b.level ? a.level < b.level : a.kind > b.kind;
}

static struct key key_of(const struct cadre_fit *f, uint32_t i)
{
    return (struct key){f->machine->nodes[i].level, f->machine->nodes[i].kind};
}

/* The first key with slots after `last` (NULL: the first of all). */
static bool next_key(const struct cadre_fit *f, const struct key *last,
                     struct key *key)
{
    bool found = false;

    for (uint32_t i = 0; i < f->machine->nnodes; i++) {
        struct key k = key_of(f, i);
        if (f->own[i] == 0 || (last != NULL && !is_before(*last, k)))
            continue;
        if (!found || is_before(k, *key))
            *key = k;
        found = true;
    }
    return found;
}

/* Slots of this key, in every subtree; returns all. */
static uint32_t open_slots(struct cadre_fit *f, struct key key)
{
    const struct cadre_node *n = f->machine->nodes;

    for (uint32_t i = 0; i < f->machine->nnodes; i++) {
        struct key k = key_of(f, i);
        f->open[i] = k.level == key.level && k.kind == key.kind ? f->own[i] : 0;
    }
    for (uint32_t i = f->machine->nnodes; i-- > 1;)
        f->open[n[i].parent] += f->open[i];
    return f->open[0];
}

static bool has_own_slot(const struct cadre_fit *f, uint32_t i, struct key key)
{
    struct key k = key_of(f, i);

    return k.level == key.level && k.kind == key.kind;
}

/* Is a less used than b, in parts of what there is? */
static bool is_emptier(const struct cadre_fit *f, uint32_t a, uint32_t b)
{
    uint64_t size = (uint64_t)f->shape.threads * f->shape.ranks;
    uint64_t used_a = f->total[a] - f->free[a] + f->given[a] * size;
    uint64_t used_b = f->total[b] - f->free[b] + f->given[b] * size;

    return used_a * f->total[b] < used_b * f->total[a];
}

/* Where the next slot is: from the root to the emptiest child, or, inside a
 * NUMA node under the policy numa, to the first. */
static uint32_t deal_one(const struct cadre_fit *f, struct key key)
{
    const struct cadre_node *n = f->machine->nodes;
    bool spreads = true;
    uint32_t at = 0;

    while (!has_own_slot(f, at, key)) {
        uint32_t best = 0;
        if (f->shape.policy == CADRE_PLACE_NUMA &&
            n[at].type == CADRE_NODE_NUMA)
            spreads = false;
        for (uint32_t c = at + 1; c < n[at].end; c = n[c].end)
            if (f->open[c] > 0 &&
                (best == 0 || (spreads && is_emptier(f, c, best))))
                best = c;
        assert(best != 0);
        at = best;
    }
    return at;
}

static void give_slot(struct cadre_fit *f, uint32_t node, struct slot *slot,
                      uint32_t order)
{
    const struct cadre_node *n = f->machine->nodes;

    *slot = (struct slot){.node = node, .order = order};
    for (uint32_t i = node;; i = n[i].parent) {
        f->open[i]--;
        f->given[i]++;
        if (i == 0)
            return;
    }
}

/* The node with the fewest slots that has enough: what stays together leaves
 * large nodes to those who need them. */
static uint32_t smallest_with(const struct cadre_fit *f, uint32_t count)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < f->machine->nnodes; i++)
        if (f->open[i] >= count && f->open[i] <= f->open[best])
            if (f->open[i] < f->open[best] || f->machine->nodes[best].end > i)
                best = i; /* or deeper, with as many */
    return best;
}

static void choose_near(struct cadre_fit *f, struct key key, uint32_t count,
                        struct slot *slots, uint32_t order)
{
    uint32_t in = smallest_with(f, count);

    for (uint32_t i = in; count > 0 && i < f->machine->nodes[in].end; i++)
        if (has_own_slot(f, i, key))
            for (uint32_t k = f->own[i]; k > 0 && count > 0; k--, count--)
                give_slot(f, i, slots++, order++);
    assert(count == 0);
}

/* Choose `count` slots. */
static void choose(struct cadre_fit *f, uint32_t count, struct slot *slots)
{
    struct key key, last;
    uint32_t done = 0;

    for (bool is_first = true; done < count; is_first = false, last = key) {
        uint32_t here;
        if (!next_key(f, is_first ? NULL : &last, &key))
            break;
        here = open_slots(f, key);
        if (here > count - done)
            here = count - done;
        if (f->shape.policy == CADRE_PLACE_COMPACT)
            choose_near(f, key, here, slots + done, done);
        else
            for (uint32_t i = done; i < done + here; i++)
                give_slot(f, deal_one(f, key), &slots[i], i);
        done += here;
    }
    assert(done == count);
}

/* --- taking --------------------------------------------------------------- */

static bool is_inside(const struct cadre_node *n, uint32_t i, uint32_t in)
{
    return in <= i && i < n[in].end;
}

/* GPUs near node i that a rank could use: in the child of `in` that i is in. */
static uint32_t gpus_near(const struct cadre_fit *f, uint32_t in, uint32_t i)
{
    const struct cadre_node *n = f->machine->nodes;

    if (f->shape.gpus == 0)
        return 0;
    while (i != in && n[i].parent != in)
        i = n[i].parent;
    return f->gpus[i] < f->shape.gpus ? f->gpus[i] : f->shape.gpus;
}

/* Is node a of `in` better than b for a rank's cores? Tight, fast, near GPUs,
 * and then for compact the fuller one. */
static bool is_better(const struct cadre_fit *f, uint32_t in, uint32_t a,
                      uint32_t b)
{
    const struct cadre_node *n = f->machine->nodes;
    uint32_t near_a = gpus_near(f, in, a), near_b = gpus_near(f, in, b);

    if (n[a].level != n[b].level)
        return n[a].level < n[b].level;
    if (n[a].kind != n[b].kind)
        return n[a].kind > n[b].kind;
    if (near_a != near_b)
        return near_a > near_b;
    if (f->shape.policy == CADRE_PLACE_SCATTER)
        return f->free[a] > f->free[b];
    return f->free[a] < f->free[b];
}

/* The innermost node in `in` that has a rank's cores and `gpus` free. */
static uint32_t find_node(const struct cadre_fit *f, uint32_t in, uint32_t gpus)
{
    uint32_t best = in, end = f->machine->nodes[in].end;

    for (uint32_t i = in; i < end; i++) {
        if (is_below(f, i) || f->free[i] < f->shape.threads ||
            f->gpus[i] < gpus || !may_hold_rank(f, i))
            continue;
        if (!may_hold_rank(f, best) || is_better(f, in, i, best))
            best = i;
    }
    return best;
}

static void take_pu(struct cadre_fit *f, uint32_t pu,
                    struct cadre_taken_list *out)
{
    f->use->pus[pu]++;
    out->nodes[out->nnodes++] = pu;
}

static void take_leaf(struct cadre_fit *f, uint32_t leaf,
                      struct cadre_taken_list *out)
{
    const struct cadre_node *n = f->machine->nodes;

    if (n[leaf].type == CADRE_NODE_PU)
        take_pu(f, leaf, out);
    else
        for (uint32_t i = leaf + 1; i < n[leaf].end; i++)
            if (n[i].is_allowed)
                take_pu(f, i, out);
    for (uint32_t i = leaf;; i = n[i].parent) {
        f->free[i]--;
        if (i == 0)
            return;
    }
}

/* The child to take `need` leaves from: the smallest that has them all, else
 * the largest, fast cores before slow ones. */
static uint32_t choose_child(const struct cadre_fit *f, uint32_t at,
                             uint32_t need)
{
    const struct cadre_node *n = f->machine->nodes;
    uint32_t best = 0;

    for (uint32_t c = at + 1; c < n[at].end; c = n[c].end) {
        bool has_all = f->free[c] >= need;
        if (f->free[c] == 0)
            continue;
        if (best == 0 || has_all != (f->free[best] >= need)
                ? best == 0 || has_all
            : n[c].kind != n[best].kind ? n[c].kind > n[best].kind
            : has_all                   ? f->free[c] < f->free[best]
                                        : f->free[c] > f->free[best])
            best = c;
    }
    return best;
}

static void take_leaves(struct cadre_fit *f, uint32_t at, uint32_t need,
                        struct cadre_taken_list *out)
{
    if (is_leaf(f, at)) {
        take_leaf(f, at, out);
        return;
    }
    while (need > 0) {
        uint32_t child = choose_child(f, at, need), part;
        assert(child != 0);
        part = f->free[child] < need ? f->free[child] : need;
        take_leaves(f, child, part, out);
        need -= part;
    }
}

/* How far is the GPU from node `from`: the level of what holds both. */
static uint32_t distance(const struct cadre_fit *f, uint32_t from, uint32_t gpu)
{
    const struct cadre_node *n = f->machine->nodes;

    while (!is_inside(n, f->machine->gpus[gpu].node, from) && from != 0)
        from = n[from].parent;
    return n[from].level;
}

/* Free GPUs in `in` behind the switch of `gpu`, itself included. */
static uint32_t count_switch(const struct cadre_fit *f, uint32_t in,
                             uint32_t gpu)
{
    const struct cadre_machine *m = f->machine;
    uint32_t count = 0;

    if (m->gpus[gpu].pci_switch == 0)
        return 1;
    for (uint32_t i = 0; i < m->ngpus; i++)
        count += f->use->gpus[i] == 0 &&
                 m->gpus[i].pci_switch == m->gpus[gpu].pci_switch &&
                 is_inside(m->nodes, m->gpus[i].node, in);
    return count;
}

/* Is GPU a better than b for a rank at `from` that needs `need` more and has
 * some behind switch `has`? */
static bool is_better_gpu(const struct cadre_fit *f, uint32_t in, uint32_t from,
                          uint32_t need, uint32_t has, uint32_t a, uint32_t b)
{
    const struct cadre_gpu *g = f->machine->gpus;
    uint32_t far_a = distance(f, from, a), far_b = distance(f, from, b);
    uint32_t n_a = count_switch(f, in, a), n_b = count_switch(f, in, b);
    bool is_mate_a = has != 0 && g[a].pci_switch == has;
    bool is_mate_b = has != 0 && g[b].pci_switch == has;

    if (far_a != far_b)
        return far_a < far_b;
    if (g[a].vendor != g[b].vendor)
        return g[a].vendor < g[b].vendor;
    if (is_mate_a != is_mate_b)
        return is_mate_a;
    if ((n_a >= need) != (n_b >= need))
        return n_a >= need;
    return n_a >= need ? n_a < n_b : n_a > n_b;
}

static void take_gpu(struct cadre_fit *f, uint32_t gpu,
                     struct cadre_taken_list *out)
{
    const struct cadre_node *n = f->machine->nodes;

    f->use->gpus[gpu] = 1;
    out->gpus[out->ngpus++] = gpu;
    for (uint32_t i = f->machine->gpus[gpu].node;; i = n[i].parent) {
        f->gpus[i]--;
        if (i == 0)
            return;
    }
}

/* Take a rank's GPUs from those in `in`, the nearest to `from`. */
static void take_gpus(struct cadre_fit *f, uint32_t in, uint32_t from,
                      struct cadre_taken_list *out)
{
    const struct cadre_machine *m = f->machine;
    uint32_t has = 0;

    for (uint32_t need = f->shape.gpus; need > 0; need--) {
        uint32_t best = m->ngpus;
        for (uint32_t i = 0; i < m->ngpus; i++)
            if (f->use->gpus[i] == 0 &&
                is_inside(m->nodes, m->gpus[i].node, in) &&
                (best == m->ngpus ||
                 is_better_gpu(f, in, from, need, has, i, best)))
                best = i;
        assert(best < m->ngpus);
        has = m->gpus[best].pci_switch;
        take_gpu(f, best, out);
    }
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void sort_numbers(uint32_t *numbers, uint32_t count)
{
    if (count > 1)
        qsort(numbers, count, sizeof *numbers, compare_numbers);
}

/* One rank in `in`: first the innermost node with all that it needs, then the
 * innermost cores in there. */
static void take_rank(struct cadre_fit *f, uint32_t in,
                      struct cadre_taken_list *out)
{
    struct cadre_taken r = {.pus = out->nnodes, .gpus = out->ngpus};
    uint32_t within = find_node(f, in, f->shape.gpus);
    uint32_t from = find_node(f, within, 0);

    take_leaves(f, from, f->shape.threads, out);
    if (f->shape.gpus > 0)
        take_gpus(f, within, from, out);
    r.npus = out->nnodes - r.pus;
    r.ngpus = out->ngpus - r.gpus;
    sort_numbers(out->nodes + r.pus, r.npus);
    sort_numbers(out->gpus + r.gpus, r.ngpus);
    out->ranks[out->nranks++] = r;
}

/* Inner slots first: they come later in preorder. */
static int compare_depth(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;

    if (x->node != y->node)
        return x->node < y->node ? 1 : -1;
    return (x->order > y->order) - (x->order < y->order);
}

static int compare_order(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;

    return (x->order > y->order) - (x->order < y->order);
}

static int compare_first(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

/* Ranks of a team by their first PU. There are few. */
static void sort_team(struct cadre_taken_list *out, uint32_t at, uint32_t count)
{
    for (uint32_t i = at + 1; i < at + count; i++) {
        struct cadre_taken r = out->ranks[i];
        uint32_t k = i;
        for (; k > at && out->nodes[out->ranks[k - 1].pus] > out->nodes[r.pus];
             k--)
            out->ranks[k] = out->ranks[k - 1];
        out->ranks[k] = r;
    }
}

/* Put the teams, written in the order of taking, into the order of `slots`. */
static void reorder(const struct slot *slots, uint32_t count, uint32_t ranks,
                    struct cadre_taken *copy, struct cadre_taken *teams,
                    uint32_t base)
{
    memcpy(copy, teams, (size_t)count * ranks * sizeof *copy);
    for (uint32_t i = 0; i < count; i++)
        memcpy(teams + (size_t)i * ranks, copy + (slots[i].at - base),
               ranks * sizeof *copy);
}

static void take_slots(struct cadre_fit *f, struct slot *slots, uint32_t count,
                       struct cadre_taken_list *out)
{
    for (uint32_t i = 0; i < count; i++) {
        slots[i].at = out->nranks;
        for (uint32_t k = 0; k < f->shape.ranks; k++)
            take_rank(f, slots[i].node, out);
        sort_team(out, slots[i].at, f->shape.ranks);
        slots[i].first = out->nodes[out->ranks[slots[i].at].pus];
    }
}

cadre_err cadre_fit_take(struct cadre_fit *fit, uint32_t count,
                         struct cadre_taken_list *out)
{
    uint32_t ranks = count * fit->shape.ranks, base = out->nranks;
    struct slot *slots = calloc(count + 1, sizeof *slots);
    struct cadre_taken *copy = calloc(ranks + 1, sizeof *copy);
    cadre_err err =
        slots == NULL || copy == NULL ? CADRE_ENOMEM : reserve(fit, ranks, out);

    assert(count <= fit->teams);
    if (err == CADRE_OK) {
        choose(fit, count, slots);
        qsort(slots, count, sizeof *slots, compare_depth);
        take_slots(fit, slots, count, out);
        qsort(slots, count, sizeof *slots,
              fit->shape.policy == CADRE_PLACE_SCATTER ? compare_order
                                                       : compare_first);
        reorder(slots, count, fit->shape.ranks, copy, out->ranks + base, base);
    }
    free(slots);
    free(copy);
    return err;
}

cadre_err cadre_fit_take_gpus(struct cadre_fit *fit, uint32_t count,
                              struct cadre_taken_list *out)
{
    cadre_err err = reserve(fit, count, out);

    for (uint32_t i = 0; err == CADRE_OK && i < count; i++) {
        struct cadre_taken r = {.pus = out->nnodes, .gpus = out->ngpus};
        take_gpus(fit, 0, 0, out);
        r.ngpus = fit->shape.gpus;
        sort_numbers(out->gpus + r.gpus, r.ngpus);
        out->ranks[out->nranks++] = r;
    }
    return err;
}

void cadre_fit_give_back(const struct cadre_taken_list *list, uint32_t rank,
                         struct cadre_use *use)
{
    const struct cadre_taken *r = &list->ranks[rank];

    for (uint32_t i = 0; i < r->npus; i++)
        use->pus[list->nodes[r->pus + i]]--;
    for (uint32_t i = 0; i < r->ngpus; i++)
        use->gpus[list->gpus[r->gpus + i]] = 0;
}
