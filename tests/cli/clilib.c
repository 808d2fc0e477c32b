/* clilib.c - functions that misbehave on purpose, for test_cli.py to call. */
#include <cadre/task.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a library does as it is loaded is said in the environment. */
__attribute__((constructor)) static void load(void)
{
    const char *what = getenv("CLILIB_LOAD");

    if (what != NULL && strcmp(what, "crash") == 0)
        abort();
    if (what != NULL && strcmp(what, "exit") == 0)
        exit(0);
    if (what != NULL && strcmp(what, "hang") == 0)
        sleep(1000);
}

/* Fails for multiples of `by`. */
long fussy(long i, long by);
long fussy(long i, long by)
{
    if (i % by == 0)
        cadre_task_fail(7, "%ld is a multiple of %ld", i, by);
    return 10 * i;
}

/* Sleeps. */
int doze(int ms);
int doze(int ms)
{
    usleep((useconds_t)ms * 1000);
    return ms;
}

/* Dies at `at`. */
long fatal(long i, long at);
long fatal(long i, long at)
{
    if (i == at)
        abort();
    return i;
}

/* Takes the longer the smaller `i` is: results come in another order. */
int slow_first(int i);
int slow_first(int i)
{
    if (i == 1)
        usleep(300000);
    return i;
}

char *greet(const char *name);
char *greet(const char *name)
{
    char *text;

    return asprintf(&text, "hello,\t%s", name) < 0 ? NULL : text;
}

/* Sum and scaled copy. */
double scale(size_t n, double by, const double x[], double y[]);
double scale(size_t n, double by, const double x[], double y[])
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += y[i] = by * x[i];
    return sum;
}

uint8_t next_byte(uint8_t x);
uint8_t next_byte(uint8_t x)
{
    return (uint8_t)(x + 1);
}

double _Complex turn(double _Complex z);
double _Complex turn(double _Complex z)
{
    return z * (__extension__ 1.0i);
}

/* Structs: by value, within each other, in arrays, and back. */
struct point {
    double x, y;
};
struct segment {
    struct point a, b;
    int tags[2];
};

double norm(struct point p);
double norm(struct point p)
{
    return __builtin_sqrt(p.x * p.x + p.y * p.y);
}

struct segment reversed(struct segment s, float by);
struct segment reversed(struct segment s, float by)
{
    struct segment r = {{s.b.x * (double)by, s.b.y * (double)by},
                        {s.a.x * (double)by, s.a.y * (double)by},
                        {s.tags[1], s.tags[0]}};

    return r;
}

/* The sum of the points; copies in the other order. */
struct point gather(size_t n, const struct point p[], struct point turned[]);
struct point gather(size_t n, const struct point p[], struct point turned[])
{
    struct point sum = {0, 0};

    for (size_t i = 0; i < n; i++) {
        sum.x += p[i].x;
        sum.y += p[i].y;
        turned[n - 1 - i] = p[i];
    }
    return sum;
}

/* A table of n rows: the sum of each column. */
void sums(size_t n, const long x[][3], long y[3]);
void sums(size_t n, const long x[][3], long y[3])
{
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 3; k++)
            y[k] += x[i][k];
}

double _Complex total(size_t n, const float _Complex z[]);
double _Complex total(size_t n, const float _Complex z[])
{
    double _Complex sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += z[i];
    return sum;
}

/* Notes each run in `file`, and takes `us` microseconds. */
long noted(const char *file, long i, unsigned us);
long noted(const char *file, long i, unsigned us)
{
    char line[32];
    int len = snprintf(line, sizeof line, "%ld\n", i);
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (fd < 0 || write(fd, line, (size_t)len) != len)
        cadre_task_fail(1, "%s cannot be written", file);
    if (fd >= 0)
        close(fd);
    usleep(us);
    return i * i;
}

/* Fails where it has not left its mark before. */
int at_second(const char *path);
int at_second(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

    if (fd < 0)
        return 2;
    close(fd);
    cadre_task_fail(1, "this is the first time");
    return 1;
}
