/* health.h - the questions put to one worker: is it ready yet, is it still well.
 *
 * Owner: its Worker; made and freed by health_follow() alone. */
#ifndef DROVER_POOL_HEALTH_H
#define DROVER_POOL_HEALTH_H

#include "pool/worker.h"

#define HEALTH_WORD_MAX 256 /* bytes of a probe's sentence that are kept */

typedef struct Health Health;

/** health_follow() - the worker is in another state, paused, thawed, or has another configuration: begin to ask, or end it. */
void health_follow(Worker *w);
Health *health_free(Health *h); /* NULL is accepted. Returns NULL */
/** health_last_word() - what the last failed try of now said; borrowed, NULL when there is none. */
const char *health_last_word(const Worker *w);
/** health_note() - "not ready yet: …", "health check failed twice: …" into @buf; false when there is nothing to say. */
bool health_note(const Worker *w, char *buf, size_t size);
/**
 * worker_set_unwatched() - for whoever freezes and thaws workers: while @is_unwatched neither its health nor its watchdog
 * counts; afterwards both begin anew.
 */
void worker_set_unwatched(Worker *w, bool is_unwatched);
/**
 * health_next_check() - Pure: when to ask, µs from now
 * The first time anywhere within one interval after @grace, then after the interval +- a tenth: a thousand workers
 * that became ready together are not asked together. @random: any number.
 */
usec_t health_next_check(usec_t interval, usec_t grace, bool is_first, uint64_t random);

#endif
