/* place_host.h - the machine we are on, and putting this process in its place.
 *
 * The only module that knows hwloc. Threads: any, but the environment is
 * changed by cadre_place_apply().
 *
 * Controller, once:            cadre_ledger_create(&ledger)
 * for each pool or executor:   cadre_ledger_add_this_host(ledger, &host, &e)
 *                              request = {.ranks = n, .threads_per_rank = ...}
 *                              cadre_ledger_reserve(ledger, &request, &plan,
 * &e) if (plan->must_say) cadre_log(CADRE_LOG_WARN, "%s", plan->note) for each
 * worker i:           cadre_place_encode(plan, i, &buffer), send worker, before
 * any task:     cadre_place_decode(bytes, len, &place, &e)
 *                              cadre_place_apply(place, &e)
 * controller, at the end:      cadre_ledger_release(ledger, plan)
 *
 * On several hosts a worker whose host cadre_ledger_find() does not know sends
 * cadre_machine_read() through cadre_machine_encode(); the controller adds it,
 * and names the host of every rank in `request.hosts`.
 */
#ifndef CADRE_RUNTIME_PLACE_HOST_H
#define CADRE_RUNTIME_PLACE_HOST_H

#include "place.h"

/* What this job may use of this host: its cgroup, the binding it was started
 * with (under mpirun: mpirun's own, since that binds ranks to single cores),
 * and the GPUs that the scheduler's variables name.
 *
 * Call before this process binds itself. Given: cadre_machine_destroy().
 * CADRE_EIO if hwloc cannot look.
 */
cadre_err cadre_machine_read(struct cadre_machine **machine,
                             struct cadre_error *error);

/* The same from a file of `lstopo FILE.xml`, or from a synthetic description
 * ("package:2 core:8 pu:2"). CADRE_ENOTFOUND, CADRE_EPARSE. */
cadre_err cadre_machine_read_file(const char *path,
                                  struct cadre_machine **machine,
                                  struct cadre_error *error);
cadre_err cadre_machine_read_synthetic(const char *text,
                                       struct cadre_machine **machine,
                                       struct cadre_error *error);

/* Look at this host once and add it; `*host` is its number. */
cadre_err cadre_ledger_add_this_host(struct cadre_ledger *ledger,
                                     uint32_t *host, struct cadre_error *error);

/* Bind this process, its threads of now and later, to `place`; prefer its
 * memory; set OMP_NUM_THREADS, OMP_PLACES, OMP_PROC_BIND and what makes only
 * its GPUs visible (CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER,
 * ROCR_VISIBLE_DEVICES, ZE_AFFINITY_MASK and ZE_ENABLE_PCI_ID_DEVICE_ORDER).
 * An OpenMP that the process has already gets the number of threads by
 * omp_set_num_threads(), which holds for the calling thread.
 * Call before anything can have looked at them, while no other thread reads the
 * environment. GPUs whose rank was given none stay as they are.
 *
 * Memory that the system does not let us bind (containers often do not) is
 * logged, once, and no error: a bound process allocates near its cores anyway.
 *
 * CADRE_EIO  the cores cannot be bound; nothing is changed.
 */
cadre_err cadre_place_apply(const struct cadre_place *place,
                            struct cadre_error *error);

/* All as before the first apply(), from the same thread: cores, memory,
 * OpenMP's threads and the environment. What else a library has read of that
 * meanwhile it keeps. */
void cadre_place_undo(void);

/* Where this process is, as the system says. */
struct cadre_place_seen {
    uint32_t *pus; /* bound to these, ascending */
    uint32_t npus;
    uint32_t *numa; /* and its memory to these */
    uint32_t nnuma;
    uint32_t last; /* PU that ran the calling thread last */
};

/* Given: cadre_place_seen_fini(). CADRE_EIO. */
cadre_err cadre_place_read_back(struct cadre_place_seen *seen,
                                struct cadre_error *error);
void cadre_place_seen_fini(struct cadre_place_seen *seen);

#endif
