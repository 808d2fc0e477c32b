/* internal.h - what the files of api/ share. */
#ifndef CADRE_API_INTERNAL_H
#define CADRE_API_INTERNAL_H

#include "runtime/farm.h"
#include "runtime/pack.h"
#include "runtime/store.h"
#include "unseen.h"

#include <cadre/pool.h>

/* A pool or an executor: all kinds are this. When it is destroyed its farm is,
 * and this small rest stays to the end of the process, so that a call that
 * comes later finds it closed. */
struct cadre_object {
    struct cadre_object *next; /* of the open or the destroyed ones; guarded by
                                  the lists' lock */
    struct cadre_farm *farm;   /* NULL: it is destroyed */
    const char *kind;          /* what it is called in messages */
    bool oversubscribe;
    struct cadre_unseen unseen; /* what destroy is to tell */
    uint64_t bytes;     /* arguments of its single tasks that have not ended;
                           guarded by the engine's lock */
    uint64_t max_bytes; /* who submits waits while they are so many */
};

/* What the options of all kinds come down to; zero means the default. */
struct cadre_staffing {
    int teams;
    int ranks;                /* of each team */
    int min_teams;            /* go on with so many; 0: all or none */
    int min_ranks;            /* likewise, where counts_ranks */
    const char *min_option;   /* what that is called */
    bool counts_ranks;        /* `max_ranks` is given in the place of `teams` */
    int max_ranks;            /* of all teams */
    const char *option;       /* what the number of teams or ranks is called */
    const char *ranks_option; /* and that of the ranks of a team; NULL: 1 */
    bool has_all_ranks;       /* every rank's outputs are wanted */
    bool is_fresh;            /* new processes for every task */
    bool has_store; /* arguments may be left out, init function or not */
    struct cadre_function *init_function;
    int threads_per_rank;
    enum cadre_placement placement;
    int gpus_per_rank;
    const char *gpus_option; /* what that is called */
    bool oversubscribe;
    const char *worker_program;
    const char *cwd;
    double spawn_timeout_s;
    double task_timeout_s;
    uint64_t max_pending;
    uint64_t max_pending_bytes;
    bool isolate;
    uint64_t memory_bytes;
    double cpu_s;
};

/* --- object.c ---------------------------------------------------------------
 */

/* Check the options, get the workers, put the object on the list. `kind` is for
 * messages. Publishes its error. */
cadre_err cadre_object_create(const char *kind,
                              const struct cadre_staffing *staffing,
                              struct cadre_object **object);

/* Wait for its tasks and let the workers go. NULL is allowed; does nothing the
 * second time. The first failure that nobody looked at is returned and
 * published; the other function logs it. */
cadre_err cadre_object_end(struct cadre_object *object);
void cadre_object_destroy(struct cadre_object *object);

/* CADRE_EINVAL where `object` is NULL, CADRE_ECLOSED where it is destroyed;
 * `call` is what the caller called. */
cadre_err cadre_object_check(const struct cadre_object *object,
                             const char *call, struct cadre_error *error);

/* From now on so many teams. `option` is what the caller calls it. Publishes
 * its error. */
cadre_err cadre_object_resize(struct cadre_object *object, const char *option,
                              int teams);

/* An option that counts something is 0 to `most`. CADRE_EINVAL. */
cadre_err cadre_option_check(const char *name, int value, int most,
                             struct cadre_error *error);

/* Publishes its error. (pool.c) */
cadre_err cadre_object_run(struct cadre_object *object,
                           const struct cadre_map *map);

/* The engine of the controller; CADRE_ESTATE before init, after finalize and on
 * a worker. */
cadre_err cadre_engine_current(struct cadre_engine **engine,
                               struct cadre_error *error);

/* The one engine of this process; NULL: there is none (any more). What has
 * tasks that have not ended has it. */
struct cadre_engine *cadre_engine_now(void);

/* Every object is on a list, so that finalize can end what was left open: its
 * tasks have until `deadline_ns`, then they are cancelled and ended, and that
 * is logged. False: a callback still runs, and the engine is needed on. */
bool cadre_objects_end_all(struct cadre_engine *engine, uint64_t deadline_ns);

/* --- socket.c ------------------------------------------------------------- */

/* Close those that were left open. */
void cadre_sockets_close_all(void);

/* --- future.c ------------------------------------------------------------- */

struct cadre_invocation;
struct cadre_future;

/* A task that no farm gets: who runs it uses the ops of `*job` as a farm does,
 * done() once and last. `*future` is given: cadre_future_free() after that.
 * CADRE_ETYPE, ...: what is wrong with the call. */
cadre_err cadre_future_prepare(struct cadre_invocation call,
                               struct cadre_future **future,
                               struct cadre_job **job,
                               struct cadre_error *error);

/* --- init.c --------------------------------------------------------------- */

/* For the other end of a socket: start MPI unless it runs, and find the
 * controller that started this process. `*comm` is given. CADRE_ESTATE: there
 * is none. */
cadre_err cadre_child_begin(int *argc, char ***argv, MPI_Comm *comm,
                            struct cadre_error *error);
void cadre_child_end(void); /* ends MPI if begin() started it */

/* --- values.c: the arguments of one task ---------------------------------- */

/* Find for each parameter of `fn` its value: `by_param[i]` (CADRE_PARAMS_MAX of
 * them) points into `values`, or is NULL where the worker fills it in. Checks
 * names, counts and types; numbers are converted later. `has_store`: what is
 * missing may be in the workers' store, and is NULL too.
 *
 * CADRE_ETYPE   too many, missing, given twice, unknown name, wrong type.
 */
cadre_err cadre_values_bind(const struct cadre_function *fn,
                            struct cadre_values values, bool has_store,
                            const struct cadre_value **by_param,
                            struct cadre_error *error);

/* Write scalar `value` as a `param->type` at `slot`. CADRE_ETYPE if that would
 * change it. */
cadre_err cadre_value_convert(const struct cadre_value *value,
                              const struct cadre_param *param, void *slot,
                              struct cadre_error *error);

/* Elements of array parameter `param` in a call with these values; checks that
 * the array given is large enough, where its size is known. */
cadre_err cadre_values_length(const struct cadre_proto *proto, int param,
                              const struct cadre_value *const *by_param,
                              uint64_t *length, struct cadre_error *error);

/* --- store.c ----------------------------------------------------------------
 */

/* Room for one number. */
struct cadre_number {
    _Alignas(16) unsigned char bytes[32];
};

/* See `value`, a number or a string that is to be kept as `name`, as the store
 * does. `kept` lends `number` and the string.
 *
 * CADRE_ETYPE  an array, whose length a value does not tell, or a function.
 */
cadre_err cadre_value_see(const char *name, const struct cadre_value *value,
                          struct cadre_number *number, struct cadre_kept *kept,
                          struct cadre_error *error);

/* The same for an array, which `kept` borrows. CADRE_ETYPE: pointers, or fewer
 * elements than it says. */
cadre_err cadre_array_see(const char *name, const struct cadre_numbers *array,
                          struct cadre_kept *kept, struct cadre_error *error);

/* Can `fn` fill a store before the first task (CADRE_INIT)? */
cadre_err cadre_function_check_init(const struct cadre_function *fn,
                                    struct cadre_error *error);

/* --- views.c: columns and outputs of many tasks ----------------------------
 */

/* Can workers run `fn`, with a store or without? */
cadre_err cadre_function_check(const struct cadre_function *fn, bool has_store,
                               struct cadre_error *error);

/* The parameter that column `c` is for, -1: none. `*position`, 0 at first, goes
 * on from column to column. */
int cadre_column_target(const struct cadre_proto *proto,
                        const struct cadre_column *c, int *position);

/* Can the object of `farm` run it? Includes cadre_function_check(). (submit.c)
 */
cadre_err cadre_farm_check(const struct cadre_farm *farm,
                           const struct cadre_function *fn,
                           struct cadre_error *error);

/* Fill `table->args` from `columns`, by name or position; check types, and
 * sizes of scalars. `table->count` is set. `must_have_all`: a parameter without
 * a column is an error (not so where the workers have a store). */
cadre_err cadre_columns_view(struct cadre_table *table,
                             const struct cadre_columns *columns,
                             bool must_have_all, struct cadre_error *error);

/* Fill `table->outputs` from `into`; check types. */
cadre_err cadre_outputs_view(struct cadre_table *table,
                             const struct cadre_outputs *into,
                             struct cadre_error *error);

/* With the lengths measured: is the memory of every column and output large
 * enough? */
cadre_err cadre_columns_check_sizes(const struct cadre_table *table,
                                    const struct cadre_columns *columns,
                                    struct cadre_error *error);
cadre_err cadre_outputs_check_sizes(const struct cadre_table *table,
                                    const struct cadre_outputs *into,
                                    struct cadre_error *error);

/* A table for `proto` with all views absent. cadre_table_free(). NULL: out of
 * memory. */
struct cadre_table *cadre_table_new(const struct cadre_proto *proto);
void cadre_table_free(struct cadre_table *table);

/* Give `table` (measured) room of its own for every output that has none, in
 * `*room`: free() it after the table; a string column's copies are freed by
 * cadre_table_free_strings(). CADRE_ENOMEM. */
cadre_err cadre_table_own_outputs(struct cadre_table *table, void **room);
void cadre_table_free_strings(struct cadre_table *table);

/* Elements of all rows before `row` in output `output` of `table`, and in the
 * row itself. */
size_t cadre_output_size(const struct cadre_proto *proto, int output); /* of one
                                                                 element */
uint64_t cadre_output_start(const struct cadre_table *table, int output,
                            uint64_t row);
uint64_t cadre_output_length(const struct cadre_table *table, int output,
                             uint64_t row);

/* --- feed.c: rows from an iterator ------------------------------------------
 */

/* Collects rows one by one into a table. */
struct cadre_row;

cadre_err cadre_feed_create(const struct cadre_function *fn,
                            const struct cadre_columns *same,
                            struct cadre_row **row, struct cadre_error *error);
void cadre_feed_destroy(struct cadre_row *row);

/* Rows given since the last take; bytes they hold; the first mistake made in
 * giving one (CADRE_OK: none). */
uint64_t cadre_feed_rows(const struct cadre_row *row);
size_t cadre_feed_bytes(const struct cadre_row *row);
cadre_err cadre_feed_error(const struct cadre_row *row,
                           struct cadre_error *error);

/* Make a measured table with room for outputs of the rows given so far, and
 * start afresh. The table lives in `*memory`: cadre_feed_release(). */
struct cadre_feed_memory;
cadre_err cadre_feed_take(struct cadre_row *row, struct cadre_table **table,
                          struct cadre_feed_memory **memory,
                          struct cadre_error *error);
void cadre_feed_release(struct cadre_feed_memory *memory);

/* --- submit.c, future.c -----------------------------------------------------
 */

/* Does this thread run callbacks? It must not wait for what others take. */
bool cadre_is_in_callback(void);

/* Are all in range? CADRE_EINVAL. */
cadre_err cadre_task_options_check(const struct cadre_task_options *options,
                                   struct cadre_error *error);

/* enum cadre_retry as bits 1 << cadre_err. */
uint32_t cadre_retry_errors(unsigned retry_on);

/* Seconds given by a user, 0 to 1e6; what is above 0 stays so. */
static inline uint64_t cadre_ns_of(double seconds)
{
    return seconds > 0 ? (uint64_t)(seconds * 1e9) + 1 : 0;
}

/* Run one task on `farm`; `options` NULL: the defaults. Never NULL. */
struct cadre_future *
cadre_farm_submit_call(struct cadre_farm *farm, struct cadre_invocation call,
                       const struct cadre_task_options *options);

/* Say so before `farm` is destroyed: it would wait for callbacks that this
 * thread is in. */
void cadre_futures_leave(struct cadre_farm *farm);

/* --- map.c ------------------------------------------------------------------
 */

cadre_err cadre_map_run(struct cadre_farm *farm, const struct cadre_map *map,
                        struct cadre_error *error);

#endif
