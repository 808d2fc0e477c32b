/* progress.c - draws the progress line; see progress.h.
 *
 * terminfo says how this terminal returns to the start of a line and erases it,
 * so nothing is written that it does not understand; a terminal that can do
 * neither gets no line. The line is cut to the terminal's width, asked for anew
 * each time, because a line that wraps cannot be removed.
 *
 * The share done is that of the bytes read, corrected by the rows that have
 * been read but are not done yet. The rate is smoothed over some seconds.
 */
#include "progress.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_S 0.1  /* between two drawings: at most 10 a second */
#define SMOOTHING_S 5 /* the rate forgets what is older */

enum { LINE_MAX_BYTES = 256, CONTROL_MAX = 64, BAR_WIDTH = 24 };

struct cadre_progress {
    struct cadre_progress_options options;
    atomic_uint_fast64_t given, done, read;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wake;
    bool is_ending;
    bool is_paused;
    bool is_drawn;           /* the line stands on the terminal now */
    char start[CONTROL_MAX]; /* to the first column */
    char erase[CONTROL_MAX]; /* from there to the end of the line */
    struct timespec began;
    double rate, rated_at; /* rows per second; seconds since `began` */
    uint64_t rated_done;   /* rows done at `rated_at` */
};

static double seconds_since(const struct timespec *then)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - then->tv_sec) +
           1e-9 * (double)(now.tv_nsec - then->tv_nsec);
}

/* --- what it says --------------------------------------------------------- */

/* 950, 12.3k, 4.56M */
static void put_number(char *to, size_t room, double x)
{
    const char *unit = "";

    if (x >= 999.5e6) {
        x /= 1e9;
        unit = "G";
    } else if (x >= 999.5e3) {
        x /= 1e6;
        unit = "M";
    } else if (x >= 9999.5) {
        x /= 1e3;
        unit = "k";
    }
    snprintf(to, room, "%.*f%s", unit[0] == '\0' || x >= 99.95 ? 0 : 1, x,
             unit);
}

/* 0:07, 12:34, 3:00:12 */
static void put_time(char *to, size_t room, double seconds)
{
    long s = seconds < 360000 ? lround(seconds) : 360000;

    if (s >= 3600)
        snprintf(to, room, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(to, room, "%ld:%02ld", s / 60, s % 60);
}

/* From 0 to 1; negative where the total is not known. */
static double share_done(const struct cadre_progress_state *state)
{
    double share;

    if (state->bytes == 0 || state->given == 0)
        return state->bytes == 0 ? -1 : 0;
    share = (double)state->read / (double)state->bytes *
            ((double)state->done / (double)state->given);
    return share < 1 ? share : 1;
}

static void put_bar(char *to, double share)
{
    int full = (int)(share * BAR_WIDTH);

    *to++ = '[';
    for (int i = 0; i < BAR_WIDTH; i++)
        *to++ = i < full ? '#' : '.';
    *to++ = ']';
    *to = '\0';
}

void cadre_progress_format(const struct cadre_progress_state *state, int width,
                           char *line, size_t room)
{
    double share = share_done(state);
    char rows[32], rate[32], left[32], bar[BAR_WIDTH + 3];
    size_t most = width > 1 ? (size_t)width - 1 : 0;

    put_number(rows, sizeof rows, (double)state->done);
    put_number(rate, sizeof rate, state->rate);
    if (share < 0) {
        put_time(left, sizeof left, state->seconds);
        snprintf(line, room, "%s rows  %s/s  %s", rows, rate, left);
    } else {
        put_bar(bar, share);
        put_time(left, sizeof left,
                 share > 0 ? state->seconds * (1 - share) / share : 0);
        snprintf(line, room, "%3.0f%% %s %s rows  %s/s  %s left",
                 floor(100 * share), bar, rows, rate,
                 share > 0 ? left : "-:--");
    }
    if (strlen(line) > most)
        line[most] = '\0';
}

/* --- how it is drawn ------------------------------------------------------ */

/* Copy the terminal's control `name`, without the padding that only printing
 * terminals want. False if it has none. */
static bool get_control(const char *name, char *to)
{
    const char *text = tigetstr(name);
    size_t len = 0;

    if (text == NULL || text == (const char *)-1)
        return false;
    for (const char *c = text; *c != '\0' && len + 1 < CONTROL_MAX; c++) {
        if (c[0] == '$' && c[1] == '<' && strchr(c, '>') != NULL)
            c = strchr(c, '>');
        else
            to[len++] = *c;
    }
    to[len] = '\0';
    return len > 0;
}

/* Can this terminal take back what was written on a line? */
static bool learn_terminal(struct cadre_progress *p)
{
    int ignored;
    bool is_able;

    if (setupterm(NULL, STDERR_FILENO, &ignored) != 0)
        return false;
    is_able = get_control("cr", p->start) && get_control("el", p->erase);
    del_curterm(cur_term);
    return is_able;
}

static int terminal_width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static void put(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* there is no terminal any more */
}

static void erase(struct cadre_progress *p)
{
    char text[2 * CONTROL_MAX + 1];

    if (!p->is_drawn)
        return;
    snprintf(text, sizeof text, "%s%s", p->start, p->erase);
    put(text);
    p->is_drawn = false;
}

static void update_rate(struct cadre_progress *p, double now, uint64_t done)
{
    double passed = now - p->rated_at;
    double weight = 1 - exp(-passed / SMOOTHING_S);

    if (passed <= 0)
        return;
    if (p->rated_at < SMOOTHING_S) /* too early to forget anything */
        p->rate = (double)done / now;
    else
        p->rate += weight * ((double)(done - p->rated_done) / passed - p->rate);
    p->rated_at = now;
    p->rated_done = done;
}

static void draw(struct cadre_progress *p)
{
    char line[LINE_MAX_BYTES], text[LINE_MAX_BYTES + 2 * CONTROL_MAX];
    struct cadre_progress_state state = {
        .given = atomic_load(&p->given),
        .done = atomic_load(&p->done),
        .read = atomic_load(&p->read),
        .bytes = p->options.bytes,
        .seconds = seconds_since(&p->began),
    };

    update_rate(p, state.seconds, state.done);
    state.rate = p->rate;
    cadre_progress_format(&state, terminal_width(), line, sizeof line);
    snprintf(text, sizeof text, "%s%s%s", p->start, line, p->erase);
    put(text);
    p->is_drawn = true;
}

/* --- the thread ----------------------------------------------------------- */

static void wait_period(struct cadre_progress *p)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(PERIOD_S * 1e9);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&p->wake, &p->lock, &until);
}

static void *run(void *argument)
{
    struct cadre_progress *p = argument;

    pthread_mutex_lock(&p->lock);
    while (wait_period(p), !p->is_ending) {
        if (p->options.is_shown && !p->is_paused)
            draw(p);
        pthread_mutex_unlock(&p->lock);
        p->options.on_tick(p->options.user);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Signals are for the main thread. */
static bool start_thread(struct cadre_progress *p)
{
    sigset_t all, before;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&p->thread, NULL, run, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}

/* --- the interface -------------------------------------------------------- */

struct cadre_progress *
cadre_progress_create(const struct cadre_progress_options *options)
{
    struct cadre_progress *p = calloc(1, sizeof *p);
    pthread_condattr_t clock;

    if (p == NULL)
        return NULL;
    p->options = *options;
    if (p->options.is_shown)
        p->options.is_shown = learn_terminal(p);
    clock_gettime(CLOCK_MONOTONIC, &p->began);
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &clock);
    pthread_condattr_destroy(&clock);
    if (start_thread(p))
        return p;
    free(p);
    return NULL;
}

void cadre_progress_destroy(struct cadre_progress *progress)
{
    if (progress == NULL)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->is_ending = true;
    pthread_cond_signal(&progress->wake);
    pthread_mutex_unlock(&progress->lock);
    pthread_join(progress->thread, NULL);
    erase(progress);
    pthread_cond_destroy(&progress->wake);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}

void cadre_progress_set(struct cadre_progress *progress, uint64_t given,
                        uint64_t done, uint64_t bytes)
{
    atomic_store_explicit(&progress->given, given, memory_order_relaxed);
    atomic_store_explicit(&progress->done, done, memory_order_relaxed);
    atomic_store_explicit(&progress->read, bytes, memory_order_relaxed);
}

void cadre_progress_pause(struct cadre_progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    erase(progress);
    progress->is_paused = true;
    pthread_mutex_unlock(&progress->lock);
}

void cadre_progress_resume(struct cadre_progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    progress->is_paused = false;
    pthread_mutex_unlock(&progress->lock);
}
