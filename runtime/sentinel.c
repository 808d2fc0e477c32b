/* sentinel.c - see sentinel.h.
 *
 * Two threads, of which a process has one or the other: `run_watch` sleeps
 * until the controller's process has ended; `run_pulse` is either waiting for
 * the greeting or listening, and sleeps in between.
 */
#include "sentinel.h"

#include "line.h"
#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    GRACE_MS = 3000,  /* to end by itself when the controller has ended */
    STARTING_S = 300, /* for a controller to greet whom it has started */
    WAITING_MS = 1000 /* between looks while it has not */
};

/* The one of this process. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_started;  /* by cadre_sentinel_start() */
    bool has_thread;  /* run_pulse */
    pthread_t thread; /* it */
    bool is_greeted;  /* the wait for the greeting is over */
    bool is_deaf;     /* it is to stop */
    uint64_t gone_ns; /* when the controller was found to be gone; 0: not */
    struct cadre_line *line; /* NULL: not listening. The thread's, as the two
                                below, from when it is set */
    const struct cadre_channel *channel;
    struct cadre_pulse pulse;
    uint32_t beat_ms;
    bool has_listened;
} sentinel = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Noreturn void leave(const char *why)
{
    cadre_log(CADRE_LOG_INFO, "%s: so does this worker", why);
    _exit(1);
}

/* --- a controller of this host -------------------------------------------- */

static void *run_watch(void *arg)
{
    int watch = (int)(intptr_t)arg;
    struct timespec grace = {.tv_sec = GRACE_MS / 1000,
                             .tv_nsec = (GRACE_MS % 1000) * 1000000L};

    while (!cadre_process_has_ended(watch, -1)) {
    }
    nanosleep(&grace, NULL);
    leave("the controller has ended");
}

static void watch_over(const struct cadre_process *controller)
{
    pthread_t thread;
    int watch = cadre_process_watch(controller->pid);

    if (watch < 0 && errno != ESRCH) {
        cadre_log(CADRE_LOG_WARN, "cannot watch the controller: %s",
                  strerror(errno));
        return;
    }
    if (watch < 0) {
        cadre_log(CADRE_LOG_WARN, "the controller has ended already");
        _exit(1);
    }
    if (pthread_create(&thread, NULL, run_watch, (void *)(intptr_t)watch) != 0)
        cadre_log(CADRE_LOG_WARN, "no sentinel: out of threads");
    else
        pthread_detach(thread);
}

/* --- a controller of another host ----------------------------------------- */

/* Sleep, unless something changes. Called with the lock. */
static void nap(uint32_t ms)
{
    cadre_wait_until(&sentinel.changed, &sentinel.lock,
                     cadre_now_ns() + ms * UINT64_C(1000000));
}

static void hear(void)
{
    enum cadre_pulse_kind kind;
    int peer;

    while (cadre_line_receive(sentinel.line, &peer, &kind)) {
        cadre_pulse_hear(&sentinel.pulse);
        if (kind == CADRE_PULSE_KIND_END)
            leave("the controller wants this process to end");
    }
}

/* One look, and a beat if it is time. */
static void look(void)
{
    uint64_t now = cadre_now_ns();

    hear();
    switch (cadre_pulse_look(&sentinel.pulse, now,
                             cadre_channel_burden(sentinel.channel, 0))) {
    case CADRE_PULSE_REST:
        return;
    case CADRE_PULSE_BEAT:
        if (cadre_line_send(sentinel.line, 0, CADRE_PULSE_KIND_BEAT) ==
            CADRE_LINE_GONE)
            sentinel.gone_ns = now;
        return;
    case CADRE_PULSE_LOST:
        leave("the controller, on another host, has said nothing for too long");
    }
}

static void listen(void)
{
    while (!sentinel.is_deaf) {
        uint64_t gone = sentinel.gone_ns;

        pthread_mutex_unlock(&sentinel.lock);
        if (gone == 0)
            look();
        else if (cadre_now_ns() - gone > GRACE_MS * 1000000ull)
            leave("the controller, on another host, has ended");
        pthread_mutex_lock(&sentinel.lock);
        if (!sentinel.is_deaf)
            nap(sentinel.beat_ms);
    }
}

static void *run_pulse(void *arg)
{
    uint64_t start = cadre_now_ns();

    (void)arg;
    pthread_mutex_lock(&sentinel.lock);
    while (!sentinel.is_greeted) {
        if (cadre_now_ns() - start > STARTING_S * 1000000000ull)
            leave("the controller, on another host, does not come");
        nap(WAITING_MS);
    }
    if (sentinel.line != NULL)
        listen();
    pthread_mutex_unlock(&sentinel.lock);
    return NULL;
}

/* Called with the lock. */
static bool start_pulse(void)
{
    if (sentinel.has_thread)
        return true;
    pthread_cond_init(&sentinel.changed, NULL);
    sentinel.has_thread =
        pthread_create(&sentinel.thread, NULL, run_pulse, NULL) == 0;
    if (!sentinel.has_thread)
        cadre_log(CADRE_LOG_WARN, "no sentinel: out of threads");
    return sentinel.has_thread;
}

/* Called with the lock. */
static bool begin_listening(const struct cadre_channel *channel,
                            uint32_t generation,
                            const struct cadre_pulse_terms *terms)
{
    struct cadre_line *line;

    if (sentinel.line != NULL ||
        cadre_line_create(cadre_channel_comm(channel), generation, &line) !=
            CADRE_OK)
        return false;
    sentinel.channel = channel;
    sentinel.beat_ms = terms->beat_ms;
    cadre_pulse_begin(&sentinel.pulse, terms, cadre_now_ns());
    sentinel.line = line;
    sentinel.has_listened = true;
    return true;
}

void cadre_sentinel_start(const struct cadre_process *controller,
                          bool will_greet)
{
    struct cadre_process self;

    if (sentinel.is_started)
        return;
    sentinel.is_started = true;
    cadre_process_self(&self);
    if (cadre_process_is_near(&self, controller)) {
        watch_over(controller);
    } else if (will_greet) {
        pthread_mutex_lock(&sentinel.lock);
        start_pulse();
        pthread_mutex_unlock(&sentinel.lock);
    }
}

bool cadre_sentinel_listen(const struct cadre_process *controller,
                           const struct cadre_channel *channel,
                           uint32_t generation,
                           const struct cadre_pulse_terms *terms)
{
    struct cadre_process self;
    bool can_listen;
    int level;

    cadre_process_self(&self);
    if (cadre_process_is_near(&self, controller))
        return false;
    MPI_Query_thread(&level);
    pthread_mutex_lock(&sentinel.lock);
    can_listen = level == MPI_THREAD_MULTIPLE && terms->beat_ms > 0 &&
                 begin_listening(channel, generation, terms);
    sentinel.is_greeted = true;
    if (can_listen && !start_pulse()) {
        cadre_line_destroy(sentinel.line);
        sentinel.line = NULL;
        can_listen = false;
    }
    if (sentinel.has_thread)
        pthread_cond_signal(&sentinel.changed);
    pthread_mutex_unlock(&sentinel.lock);
    if (!can_listen)
        cadre_log(CADRE_LOG_WARN,
                  "the end of the controller, on another host, goes unnoticed: "
                  "it needs MPI_THREAD_MULTIPLE on both sides");
    return can_listen;
}

void cadre_sentinel_deafen(void)
{
    pthread_mutex_lock(&sentinel.lock);
    sentinel.is_deaf = sentinel.is_greeted = true;
    if (sentinel.has_thread)
        pthread_cond_signal(&sentinel.changed);
    pthread_mutex_unlock(&sentinel.lock);
    if (!sentinel.has_thread)
        return;
    pthread_join(sentinel.thread, NULL);
    if (sentinel.line != NULL)
        hear(); /* what came before BYE */
    cadre_line_destroy(sentinel.line);
    sentinel.line = NULL;
    sentinel.has_thread = false;
}

bool cadre_sentinel_has_listened(void)
{
    return sentinel.has_listened;
}
