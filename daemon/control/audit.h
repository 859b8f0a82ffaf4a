/* audit.h - one record of every call that changes something: who, what, of what, with which result.
 *
 * It goes to the daemon's log at once, with fields where that is the journal, and as an event "audit" that only
 * administrators see. What an administrator does by that role is always written. Of the rest, AUDIT_PER_SEC in a second are; those
 * beyond are counted, and the number is told with the next record: thousands of `run` in a second shall not wait for the
 * journal, nor push everything else out of the ring of events.
 *
 * Events are emitted from control_settle(), never in the middle of an answer. */
#ifndef DROVER_CONTROL_AUDIT_H
#define DROVER_CONTROL_AUDIT_H

#include "base/clock.h"
#include "base/text.h"
#include "event/hub.h"

typedef struct Call Call;

#define AUDIT_PER_SEC 100u

/* The rate of one daemon; zeroed at first. */
typedef struct Audit {
        usec_t since; /* the second that is counted */
        unsigned n, n_silent;
        char **events; /* data of the events to be emitted */
        size_t n_events, events_capacity;
} Audit;

/** audit_admit() - may one more be written at @now; *ret_silent: how many were not since the last one. Pure but for @a. */
bool audit_admit(Audit *a, bool is_always, usec_t now, unsigned *ret_silent);
/** audit_call() - @c ends with @result; once a call, nothing when it changes nothing. */
void audit_call(Call *c, const char *result);
void audit_emit(Audit *a, Hub *hub);
bool audit_is_pending(const Audit *a);
void audit_done(Audit *a);

#endif
