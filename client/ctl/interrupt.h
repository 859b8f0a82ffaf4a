/* interrupt.h - waiting that Ctrl-C ends: a call, or a daemon coming back.
 *
 * SIGINT is taken as a descriptor (signalfd) only while a verb waits, so quick verbs pay nothing for it. What
 * was asked of the daemon is not taken back by an interrupt; the message says so. */
#ifndef DROVER_CTL_INTERRUPT_H
#define DROVER_CTL_INTERRUPT_H

#include "ctl/session.h"

/* How long a daemon may be away before it is given up. Its keeper starts it again at once, at worst every 5
 * s. */
#define REOPEN_TIMEOUT (15 * USEC_PER_SEC)

/**
 * interrupt_call() - as session_call(), but ended by SIGINT with the error "interrupted"
 * @deadline: monotonic µs, USEC_INFINITY: none; then the error "timeout"
 */
int interrupt_call(Session *s, const char *method, json_t *params, usec_t deadline, json_t **ret,
                   CallError *error);
/* Something to do while it is waited: @on_tick after @first, then every @period. */
typedef struct InterruptTick {
        usec_t first, period;
        void (*on_tick)(Session *s, void *userdata);
        void *userdata;
} InterruptTick;
/** interrupt_call_ticking() - the same; @tick may be NULL */
int interrupt_call_ticking(Session *s, const char *method, json_t *params, usec_t deadline, const InterruptTick *tick,
                           json_t **ret, CallError *error);
/**
 * interrupt_reopen() - connect again, with growing pauses, for REOPEN_TIMEOUT at most
 * Return: 0, -EINTR (SIGINT), -ETIMEDOUT.
 */
int interrupt_reopen(Session *s, usec_t deadline);
/** interrupt_open() - the descriptor that becomes readable on SIGINT, made at the first call. -errno. */
int interrupt_open(void);

#endif
