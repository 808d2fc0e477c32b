/* bench.h - what the benchmarks share: samples by name, tables, /proc.
 *
 * Every measurement is a sample of a named series. A program measures itself,
 * or runs others that print `SERIES VALUE` lines, and closes with a table:
 * median and spread of each series, and the ratios that have a target. A wrong
 * answer ends the program with status 1; a missed target is only printed.
 */
#ifndef CADRE_BENCH_H
#define CADRE_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The series, each with its samples. */
struct bench;

/* Print `title` as a heading. Given: bench_close(). */
struct bench *bench_open(const char *title);

void bench_add(struct bench *bench, const char *series, double value);

/* Run `command` in a shell and add the `SERIES VALUE` lines that it prints;
 * other lines are passed on. Leaves the program if it fails. */
void bench_run(struct bench *bench, const char *command);

/* Leaves the program if there is no such series. */
double bench_median(struct bench *bench, const char *series);
double bench_quantile(struct bench *bench, const char *series, double part);

/* The value below which `part` of `values` lie; sorts them. */
double bench_pick(double *values, size_t count, double part);

/* A line of the table: median, lowest, highest and number of the samples, each
 * times `scale`. */
void bench_row(struct bench *bench, const char *series, const char *what,
               double scale, const char *unit);

/* A line with a target: `ok` or `below`. */
void bench_at_least(struct bench *bench, const char *what, double value,
                    double target, const char *unit);
void bench_at_most(struct bench *bench, const char *what, double value,
                   double target, const char *unit);

/* Say how many targets were missed. */
void bench_close(struct bench *bench);

/* Leave the program unless `holds`. */
void bench_must(int holds, const char *what);

/* Since some moment. */
double bench_seconds(void);

/* Run this program again, behind `launcher` ("mpirun -n 3"; "": alone), as
 * `part`, and add what it prints. */
void bench_run_part(struct bench *bench, const char *launcher,
                    const char *part);

/* The part that this process is to play; NULL: it runs the others. */
const char *bench_part(void);

/* Print a sample for the program that runs this part. */
void bench_say(const char *series, double value);

/* Seconds of processor time that process `pid` has used, all threads. */
double bench_cpu_seconds(pid_t pid);

/* A field of /proc/PID/status in bytes: "VmRSS", "VmHWM". */
double bench_memory(pid_t pid, const char *field);

/* The highest resident size of `pid` is counted from here on. */
void bench_memory_restart(pid_t pid);

/* Parent of process `pid`. */
pid_t bench_parent(pid_t pid);

/* Up to `room` children of process `pid`; returns how many. */
size_t bench_children(pid_t pid, pid_t *children, size_t room);

#endif
