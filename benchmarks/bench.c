/* bench.c - samples by name, tables, /proc. */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SERIES_MAX = 64, NAME_MAX_BYTES = 64 };

struct series {
    char name[NAME_MAX_BYTES];
    double *values;
    size_t count;
    size_t room;
};

struct bench {
    struct series series[SERIES_MAX];
    size_t count;
    int goals;
    int missed;
};

void bench_must(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "benchmark: %s\n", what);
    exit(1);
}

double bench_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* --- samples --- */

struct bench *bench_open(const char *title)
{
    struct bench *b = calloc(1, sizeof *b);
    double load[1] = {0};

    bench_must(b != NULL, "no memory");
    if (getloadavg(load, 1) != 1)
        load[0] = 0;
    printf("\n%s (load %.1f on %ld cores)\n", title, load[0],
           sysconf(_SC_NPROCESSORS_ONLN));
    fflush(stdout);
    return b;
}

static struct series *find(struct bench *b, const char *name)
{
    for (size_t i = 0; i < b->count; i++)
        if (strcmp(b->series[i].name, name) == 0)
            return &b->series[i];
    return NULL;
}

void bench_add(struct bench *b, const char *name, double value)
{
    struct series *s = find(b, name);

    if (s == NULL) {
        bench_must(b->count < SERIES_MAX, "too many series");
        s = &b->series[b->count++];
        snprintf(s->name, sizeof s->name, "%s", name);
    }
    if (s->count == s->room) {
        s->room = s->room == 0 ? 64 : 2 * s->room;
        s->values = realloc(s->values, s->room * sizeof *s->values);
        bench_must(s->values != NULL, "no memory");
    }
    s->values[s->count++] = value;
}

void bench_run(struct bench *b, const char *command)
{
    FILE *out = popen(command, "r");
    char line[256], name[NAME_MAX_BYTES], rest[2];
    double value;

    bench_must(out != NULL, "no pipe");
    while (fgets(line, sizeof line, out) != NULL)
        if (sscanf(line, "%63s %lf %1s", name, &value, rest) == 2)
            bench_add(b, name, value);
        else
            fputs(line, stdout);
    if (pclose(out) != 0) {
        fprintf(stderr, "benchmark: failed: %s\n", command);
        exit(1);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_pick(double *values, size_t count, double part)
{
    qsort(values, count, sizeof *values, compare);
    return values[(size_t)(part * (double)(count - 1) + 0.5)];
}

double bench_quantile(struct bench *b, const char *name, double part)
{
    struct series *s = find(b, name);

    if (s == NULL) {
        fprintf(stderr, "benchmark: nothing measured for %s\n", name);
        exit(1);
    }
    return bench_pick(s->values, s->count, part);
}

double bench_median(struct bench *b, const char *name)
{
    return bench_quantile(b, name, 0.5);
}

/* --- tables --- */

void bench_row(struct bench *b, const char *name, const char *what,
               double scale, const char *unit)
{
    double low = bench_quantile(b, name, 0) * scale;
    double high = bench_quantile(b, name, 1) * scale;

    printf("  %-44s %10.4g %-8s %.4g to %.4g, %zu samples\n", what,
           bench_median(b, name) * scale, unit, low, high,
           find(b, name)->count);
    fflush(stdout);
}

static void goal(struct bench *b, const char *what, double value, double target,
                 const char *unit, bool is_ok, const char *relation)
{
    printf("  %-44s %10.4g %-8s target %s %.4g: %s\n", what, value, unit,
           relation, target, is_ok ? "ok" : "below");
    fflush(stdout);
    b->goals++;
    b->missed += !is_ok;
}

void bench_at_least(struct bench *b, const char *what, double value,
                    double target, const char *unit)
{
    goal(b, what, value, target, unit, value >= target, ">=");
}

void bench_at_most(struct bench *b, const char *what, double value,
                   double target, const char *unit)
{
    goal(b, what, value, target, unit, value <= target, "<=");
}

void bench_close(struct bench *b)
{
    printf("  %d of %d targets reached\n", b->goals - b->missed, b->goals);
    for (size_t i = 0; i < b->count; i++)
        free(b->series[i].values);
    free(b);
}

/* --- parts --- */

const char *bench_part(void)
{
    return getenv("BENCH_PART");
}

void bench_run_part(struct bench *b, const char *launcher, const char *part)
{
    char self[1024], command[1200];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

    bench_must(len > 0, "who am I?");
    self[len] = '\0';
    snprintf(command, sizeof command, "%s '%s'", launcher, self);
    setenv("BENCH_PART", part, 1);
    bench_run(b, command);
    unsetenv("BENCH_PART");
}

void bench_say(const char *series, double value)
{
    printf("%s %.9g\n", series, value);
    fflush(stdout);
}

/* --- processes --- */

double bench_cpu_seconds(pid_t pid)
{
    struct timespec used;
    clockid_t clock;

    bench_must(clock_getcpuclockid(pid, &clock) == 0 &&
                   clock_gettime(clock, &used) == 0,
               "a process has gone");
    return (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
}

static FILE *open_of(pid_t pid, const char *name, const char *mode)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    return fopen(path, mode);
}

/* The number behind `field` in /proc/PID/status; -1: there is none. */
static double status_of(pid_t pid, const char *field)
{
    FILE *file = open_of(pid, "status", "r");
    size_t len = strlen(field);
    char line[256];
    double value = -1;

    if (file == NULL)
        return -1;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, len) == 0 && line[len] == ':')
            value = strtod(line + len + 1, NULL);
    fclose(file);
    return value;
}

double bench_memory(pid_t pid, const char *field)
{
    double kilobytes = status_of(pid, field);

    bench_must(kilobytes >= 0, "a process has gone");
    return kilobytes * 1024;
}

void bench_memory_restart(pid_t pid)
{
    FILE *file = open_of(pid, "clear_refs", "w");

    if (file == NULL)
        return; /* then from the start of the process */
    fputs("5", file);
    fclose(file);
}

pid_t bench_parent(pid_t pid)
{
    return (pid_t)status_of(pid, "PPid");
}

size_t bench_children(pid_t pid, pid_t *children, size_t room)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    size_t count = 0;

    bench_must(proc != NULL, "no /proc");
    while ((entry = readdir(proc)) != NULL && count < room) {
        pid_t child = (pid_t)strtol(entry->d_name, NULL, 10);
        if (child > 0 && bench_parent(child) == pid)
            children[count++] = child;
    }
    closedir(proc);
    return count;
}
