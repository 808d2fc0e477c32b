/* bell.c - a futex for each process, in memory without a name. */
#include "bell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What changes with every task has a cache line of its own: who rings looks at
 * the other one with every message. */
struct bell {
    _Alignas(64) _Atomic uint32_t rung;  /* counts the rings; the futex */
    _Atomic uint32_t is_sleeping;        /* somebody wants to be rung */
    _Alignas(64) _Atomic uint64_t begun; /* batch << 32 | tasks */
    _Atomic uint64_t since_ns;           /* when that batch began */
    _Atomic uint32_t cancelled;          /* batch; 0: none */
    _Atomic uint32_t rests;              /* times that it had nothing to do */
    _Atomic uint64_t sent, came;         /* generation << 32 | messages */
};

/* The memory. What all read while they wait has a line of its own. */
struct shared {
    struct bell bell[CADRE_BELLS_MAX];
    _Alignas(64) _Atomic uint32_t is_crowded;
};

struct cadre_bells {
    int fd;
    struct shared *shared;
};

static const size_t BYTES = sizeof(struct shared);

/* The address of a memory's word is the futex's name across processes, so the
 * operations here are the shared ones, not the _PRIVATE. */
static long futex(_Atomic uint32_t *word, int operation, uint32_t value,
                  const struct timespec *timeout)
{
    return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

static cadre_err map(int fd, struct cadre_bells **bells)
{
    struct cadre_bells *b;
    struct stat st;
    void *memory;

    if (fd < 0)
        return CADRE_EIO;
    if (fstat(fd, &st) != 0 || st.st_size < (off_t)BYTES)
        goto fail_close;
    memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        goto fail_close;
    if ((b = malloc(sizeof *b)) == NULL) {
        munmap(memory, BYTES);
        close(fd);
        return CADRE_ENOMEM;
    }
    *b = (struct cadre_bells){.fd = fd, .shared = memory};
    *bells = b;
    return CADRE_OK;

fail_close:
    close(fd);
    return CADRE_EIO;
}

void cadre_bells_destroy(struct cadre_bells *bells)
{
    if (bells == NULL)
        return;
    munmap(bells->shared, BYTES);
    close(bells->fd);
    free(bells);
}

cadre_err cadre_bells_create(struct cadre_bells **bells)
{
    int fd = memfd_create("cadre-bells", MFD_CLOEXEC);

    if (fd >= 0 && ftruncate(fd, (off_t)BYTES) != 0) {
        close(fd);
        return CADRE_EIO;
    }
    return map(fd, bells);
}

cadre_err cadre_bells_open(pid_t pid, int fd, struct cadre_bells **bells)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)pid, fd);
    return map(open(path, O_RDWR | O_CLOEXEC), bells);
}

int cadre_bells_fd(const struct cadre_bells *bells)
{
    return bells->fd;
}

void cadre_bell_ring(struct cadre_bells *bells, uint32_t index)
{
    struct bell *b = &bells->shared->bell[index];

    /* The message must be visible before we look whether anybody sleeps. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&b->is_sleeping, memory_order_relaxed) == 0)
        return;
    atomic_fetch_add(&b->rung, 1);
    futex(&b->rung, FUTEX_WAKE, INT_MAX, NULL);
}

uint32_t cadre_bell_ticket(const struct cadre_bells *bells, uint32_t index)
{
    return atomic_load(&bells->shared->bell[index].rung);
}

uint32_t cadre_bell_prepare(struct cadre_bells *bells, uint32_t index)
{
    struct bell *b = &bells->shared->bell[index];
    uint32_t ticket = atomic_load(&b->rung);

    atomic_store(&b->is_sleeping, 1);
    atomic_thread_fence(memory_order_seq_cst);
    return ticket;
}

bool cadre_bell_sleep(struct cadre_bells *bells, uint32_t index,
                      uint32_t ticket, uint64_t timeout_ns)
{
    struct bell *b = &bells->shared->bell[index];
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000),
                               .tv_nsec = (long)(timeout_ns % 1000000000)};

    if (atomic_load(&b->rung) == ticket)
        futex(&b->rung, FUTEX_WAIT, ticket, &timeout);
    return atomic_load(&b->rung) != ticket;
}

void cadre_bell_awake(struct cadre_bells *bells, uint32_t index)
{
    _Atomic uint32_t *is_sleeping = &bells->shared->bell[index].is_sleeping;

    if (atomic_load_explicit(is_sleeping, memory_order_relaxed) != 0)
        atomic_store_explicit(is_sleeping, 0, memory_order_relaxed);
}

bool cadre_bell_is_wanted(const struct cadre_bells *bells, uint32_t index)
{
    return atomic_load_explicit(&bells->shared->bell[index].is_sleeping,
                                memory_order_relaxed) != 0;
}

/* --- the board ------------------------------------------------------------ */

void cadre_board_set_crowded(struct cadre_bells *bells, bool is_crowded)
{
    atomic_store_explicit(&bells->shared->is_crowded, is_crowded,
                          memory_order_relaxed);
}

bool cadre_board_is_crowded(const struct cadre_bells *bells)
{
    return atomic_load_explicit(&bells->shared->is_crowded,
                                memory_order_relaxed) != 0;
}

void cadre_board_begin(struct cadre_bells *bells, uint32_t index,
                       struct cadre_begun begun)
{
    if (begun.since_ns > 0) /* before the batch that it is of */
        atomic_store_explicit(&bells->shared->bell[index].since_ns,
                              begun.since_ns, memory_order_relaxed);
    atomic_store_explicit(&bells->shared->bell[index].begun,
                          (uint64_t)begun.batch << 32 | begun.tasks,
                          memory_order_release);
}

struct cadre_begun cadre_board_begun(const struct cadre_bells *bells,
                                     uint32_t index)
{
    uint64_t b = atomic_load_explicit(&bells->shared->bell[index].begun,
                                      memory_order_acquire);

    return (struct cadre_begun){
        .batch = (uint32_t)(b >> 32),
        .tasks = (uint32_t)b,
        .since_ns = atomic_load_explicit(&bells->shared->bell[index].since_ns,
                                         memory_order_relaxed)};
}

void cadre_board_cancel(struct cadre_bells *bells, uint32_t index,
                        uint32_t batch)
{
    atomic_store(&bells->shared->bell[index].cancelled, batch);
}

bool cadre_board_is_cancelled(const struct cadre_bells *bells, uint32_t index,
                              uint32_t batch)
{
    return atomic_load_explicit(&bells->shared->bell[index].cancelled,
                                memory_order_relaxed) == batch;
}

/* The last owner of the board may still be there: hence the generation. */
void cadre_board_rest(struct cadre_bells *bells, uint32_t index,
                      const struct cadre_rest *rest, bool has_looked)
{
    struct bell *b = &bells->shared->bell[index];
    uint64_t generation = (uint64_t)rest->generation << 32;

    atomic_store_explicit(&b->sent, generation | rest->sent,
                          memory_order_relaxed);
    atomic_store_explicit(&b->came, generation | rest->came,
                          memory_order_relaxed);
    atomic_fetch_add_explicit(&b->rests, has_looked, memory_order_relaxed);
}

struct cadre_rest cadre_board_rested(const struct cadre_bells *bells,
                                     uint32_t index, uint32_t generation)
{
    const struct bell *b = &bells->shared->bell[index];
    uint64_t sent = atomic_load_explicit(&b->sent, memory_order_relaxed);
    uint64_t came = atomic_load_explicit(&b->came, memory_order_relaxed);

    if (sent >> 32 != generation || came >> 32 != generation)
        return (struct cadre_rest){0};
    return (struct cadre_rest){
        .generation = generation,
        .sent = (uint32_t)sent,
        .came = (uint32_t)came,
        .times = atomic_load_explicit(&b->rests, memory_order_relaxed)};
}

void cadre_board_clear(struct cadre_bells *bells, uint32_t index)
{
    atomic_store(&bells->shared->bell[index].sent, 0);
    atomic_store(&bells->shared->bell[index].came, 0);
    atomic_store(&bells->shared->bell[index].begun, 0);
    atomic_store(&bells->shared->bell[index].cancelled, 0);
}
