/* calllib.c - a library that knows nothing of Cadre, for test_call.c to call.
 *
 * Every function answers with something that is wrong as soon as one argument
 * arrives in the wrong place or width.
 */
#include <complex.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int call_version = 3; /* data, not a function */

/* Results of every type: the argument, changed. */
#define SAME(name, T)                                                          \
    T call_##name(T x);                                                        \
    T call_##name(T x)                                                         \
    {                                                                          \
        return x;                                                              \
    }

SAME(bool, bool)
SAME(int8, int8_t)
SAME(uint8, uint8_t)
SAME(int16, int16_t)
SAME(uint16, uint16_t)
SAME(int32, int32_t)
SAME(uint32, uint32_t)
SAME(int64, int64_t)
SAME(uint64, uint64_t)
SAME(float, float)
SAME(double, double)
SAME(long_double, long double)
SAME(float_complex, float complex)
SAME(double_complex, double complex)
SAME(long_double_complex, long double complex)

/* All registers full, and one argument more, which comes back where the others
 * are right. */
#define FULL                                                                   \
    int8_t a, double b, uint16_t c, float d, int32_t e, double f, bool g,      \
        float h, uint64_t i, double j, int16_t k, float l, double m, float n
#define IS_FULL                                                                \
    (a == -1 && b == 2 && c == 65533 && d == -4 && e == -5 && f == 6 && g &&   \
     h == 8 && i == (uint64_t)-9 && j == -10 && k == -11 && l == 12 &&         \
     m == 13 && n == -14)
#define LATE(name, T)                                                          \
    T call_##name##_late(FULL, T x);                                           \
    T call_##name##_late(FULL, T x)                                            \
    {                                                                          \
        return IS_FULL ? x : (T)0;                                             \
    }

LATE(bool, bool)
LATE(int8, int8_t)
LATE(uint8, uint8_t)
LATE(int16, int16_t)
LATE(uint16, uint16_t)
LATE(int32, int32_t)
LATE(uint32, uint32_t)
LATE(int64, int64_t)
LATE(uint64, uint64_t)
LATE(float, float)
LATE(double, double)

int16_t call_full(FULL);
int16_t call_full(FULL)
{
    return IS_FULL ? -321 : 0;
}

float call_full_of_real(FULL);
float call_full_of_real(FULL)
{
    return IS_FULL ? -0.5f : 0;
}

/* Of `count` numbers that a prototype says how to pass. */
double call_sum(int count, ...);
double call_sum(int count, ...)
{
    double sum = 0;
    va_list list;

    va_start(list, count);
    for (int i = 0; i < count; i++)
        sum += va_arg(list, double);
    va_end(list);
    return sum;
}

int call_length_of(const char *format, ...);
int call_length_of(const char *format, ...)
{
    char text[64];
    va_list list;
    int len;

    va_start(list, format);
    len = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return len;
}

/* Thirty-six parameters of all types: the sum of each times its position. */
#define PARAMS(n)                                                              \
    bool a##n, int8_t b##n, float c##n, uint8_t d##n, double e##n,             \
        int16_t f##n, long double g##n, uint16_t h##n, int32_t i##n,           \
        double complex j##n, int64_t k##n, uint64_t l##n
#define SUM(n)                                                                 \
    (1 + 12 * n) * (a##n ? 1.0L : 0.0L) + (2 + 12 * n) * (long double)b##n +   \
        (3 + 12 * n) * (long double)c##n + (4 + 12 * n) * (long double)d##n +  \
        (5 + 12 * n) * (long double)e##n + (6 + 12 * n) * (long double)f##n +  \
        (7 + 12 * n) * g##n + (8 + 12 * n) * (long double)h##n +               \
        (9 + 12 * n) * (long double)i##n +                                     \
        (10 + 12 * n) * ((long double)creal(j##n) - cimag(j##n)) +             \
        (11 + 12 * n) * (long double)k##n + (12 + 12 * n) * (long double)l##n

long double call_many(PARAMS(0), PARAMS(1), PARAMS(2));
long double call_many(PARAMS(0), PARAMS(1), PARAMS(2))
{
    return SUM(0) + SUM(1) + SUM(2);
}

/* Complex numbers of every width between other things. */
double call_complex(char a, float complex b, int c, long double complex d,
                    double e, double complex f, float complex g);
double call_complex(char a, float complex b, int c, long double complex d,
                    double e, double complex f, float complex g)
{
    return a + 10.0 * (double)(crealf(b) - cimagf(b)) + 100.0 * c +
           1000.0 * (double)(creall(d) - cimagl(d)) + 10000.0 * e +
           100000.0 * (creal(f) - cimag(f)) +
           1000000.0 * (double)(crealf(g) - cimagf(g));
}

/* Nothing in, nothing out. */
static int ticks;

void call_tick(void);
void call_tick(void)
{
    ticks++;
}

int call_ticks(void);
int call_ticks(void)
{
    return ticks;
}

/* Strings: the length, -1 for a null pointer; a copy; a constant. */
int call_length(const char *s);
int call_length(const char *s)
{
    return s != NULL ? (int)strlen(s) : -1;
}

char *call_copy(const char *s);
char *call_copy(const char *s)
{
    return s != NULL ? strdup(s) : NULL;
}

const char *call_greeting(void);
const char *call_greeting(void)
{
    return "good morning";
}

/* Arrays: sums of the rows in, the matrix doubled in place. */
void call_rows(size_t rows, size_t cols, double *m, float *sums);
void call_rows(size_t rows, size_t cols, double *m, float *sums)
{
    for (size_t r = 0; r < rows; r++) {
        sums[r] = 0;
        for (size_t c = 0; c < cols; c++) {
            sums[r] += (float)m[r * cols + c];
            m[r * cols + c] *= 2;
        }
    }
}

/* Pointers that come in places of their own: the same out again. */
int call_pointers(void *comm, void *store, void *self, void *object,
                  void **seen);
int call_pointers(void *comm, void *store, void *self, void *object,
                  void **seen)
{
    seen[0] = comm;
    seen[1] = store;
    seen[2] = self;
    seen[3] = object;
    return 4;
}
