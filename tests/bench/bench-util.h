/* bench-util.h - what every bench needs: a droverd of its own in a fresh directory, raw calls on its socket, medians,
 * one JSON line per figure. Faults end the bench at once with exit status 1. */
#ifndef DROVER_BENCH_UTIL_H
#define DROVER_BENCH_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The first lines of every bench: reads $DROVER_BENCH_SMOKE, raises the limit of descriptors. */
void bench_init(const char *name);
/** bench_size() - @full, or @smoke when $DROVER_BENCH_SMOKE is set: smoke runs prove that the bench works. */
size_t bench_size(size_t full, size_t smoke);
double bench_now(void); /* seconds, CLOCK_MONOTONIC */
void bench_die(const char *what) __attribute__((noreturn));
const char *bench_tiny(void); /* path of tests/helper/tiny */

/** bench_daemon_start() - droverd on {"pools": @pools_json}; returns once it answers. Its keeper's pid. */
pid_t bench_daemon_start(const char *pools_json);
void bench_daemon_stop(void);
const char *bench_directory(void); /* of the running daemon; removed by stop */
const char *bench_socket(void);
/* Pids of the three programs, from daemon.info. */
void bench_daemon_pids(pid_t ret[3]);

int bench_connect(const char *path);
/** bench_call() - one line out, one line in (malloc'ed, without newline; the caller frees). Dies on an error answer. */
char *bench_call(int fd, const char *line);
size_t bench_exchange(int fd, const char *line, size_t length); /* the same, only counting the answer's bytes */

pid_t bench_vfork_tiny(const char *const *argv); /* the floor: vfork + exec */

double bench_median(double *v, size_t n); /* sorts */
double bench_percentile(double *sorted, size_t n, double p);
/** bench_print() - one figure. @floor <= 0: none. @goal <= 0: none; else met when ratio (or value) <= goal. */
void bench_print(const char *figure, const char *unit, double value, double floor, double goal);
/* The same where more is better: met when value / floor >= goal. */
void bench_print_rate(const char *figure, const char *unit, double value, double floor, double goal);

#endif
