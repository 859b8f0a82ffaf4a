/* log-loop.h - the logger's event loop: epoll and a heap of timers.
 *
 * Owner: Logger. Watches and timers are embedded in the objects they serve and cost no memory of their own, since
 * a thousand idle workers have two thousand watches. A watch or timer may be removed from inside any callback,
 * its own included. Nothing wakes the loop unless a descriptor is ready or a timer is due. */
#ifndef DROVER_LOGGER_LOG_LOOP_H
#define DROVER_LOGGER_LOG_LOOP_H

#include "base/clock.h"
#include "base/macro.h"
#include <sys/epoll.h>

typedef struct LoopWatch LoopWatch;
struct LoopWatch {
        int fd;          /* borrowed */
        uint32_t events; /* what epoll was told; 0: not in epoll (so that a hang-up cannot spin) */
        void (*on_ready)(LoopWatch *w, uint32_t events);
};

typedef struct LoopTimer LoopTimer;
struct LoopTimer {
        usec_t at;
        size_t place; /* in the heap, from 1; 0: not armed */
        void (*on_time)(LoopTimer *t);
};

#define LOOP_BATCH 64

typedef struct LogLoop {
        int epoll_fd;
        LoopTimer **heap;
        size_t n_timers, capacity;
        struct epoll_event batch[LOOP_BATCH]; /* being handled; entries of removed watches are emptied */
        int n_batch;
        usec_t now; /* CLOCK_MONOTONIC of this turn */
        bool is_over, was_busy; /* was_busy: descriptors were ready in this turn */
        int exit_code;
} LogLoop;

int log_loop_init(LogLoop *l);
void log_loop_done(LogLoop *l);

/** log_loop_watch() - set what a watch waits for; 0 takes it out. -errno of epoll_ctl. */
int log_loop_watch(LogLoop *l, LoopWatch *w, uint32_t events);
/** log_loop_arm() - (re)set a timer; one that is due fires in the next turn, not in this one. -ENOMEM. */
int log_loop_arm(LogLoop *l, LoopTimer *t, usec_t at);
void log_loop_disarm(LogLoop *l, LoopTimer *t);
/** log_loop_turn() - wait for and handle one round. 0, or -errno of epoll_wait. */
int log_loop_turn(LogLoop *l);
void log_loop_exit(LogLoop *l, int code);

#endif
