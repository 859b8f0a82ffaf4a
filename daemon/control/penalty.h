/* penalty.h - points for those who misbehave; above a threshold their new connections are refused for a while.
 *
 * Points go away with time. Each refusal that follows within PENALTY_MEMORY of the one before lasts twice as long, from
 * 1 s up to 60 s. Time is the caller's, monotonic; nothing here looks at a clock or waits. The table holds
 * PENALTY_USERS_MAX users; the one that was quiet for longest makes room. Root and the own user are not entered at all. */
#ifndef DROVER_CONTROL_PENALTY_H
#define DROVER_CONTROL_PENALTY_H

#include "base/clock.h"
#include "base/macro.h"
#include <sys/types.h>

#define PENALTY_USERS_MAX 1024u
#define PENALTY_THRESHOLD 100u         /* points */
#define PENALTY_FORGIVEN_PER_SEC 5u    /* points that go away */
#define PENALTY_FIRST USEC_PER_SEC
#define PENALTY_LONGEST (60 * USEC_PER_SEC)
#define PENALTY_MEMORY (120 * USEC_PER_SEC) /* after this long without a refusal the next one is short again */

/* What is counted, and for how much. */
typedef enum PenaltyKind {
        PENALTY_PROTOCOL, /* no JSON, no request, too large: 2 points; so a client with a bug is left alone */
        PENALTY_QUOTA,    /* beyond a quota: 5 */
        PENALTY_TIMEOUT,  /* a line not finished, answers not read: 10 */
        PENALTY_DESCRIPTOR, /* descriptors passed along: 50 */
        _PENALTY_KIND_MAX,
} PenaltyKind;

/* What is remembered of one user. */
typedef struct PenaltyRecord {
        unsigned points;
        usec_t since;     /* the moment `points` were right */
        usec_t until;     /* connections are refused until then; 0: none were yet */
        usec_t length;    /* of that refusal */
} PenaltyRecord;

/** penalty_points() - what is left of them at @now. Pure. */
unsigned penalty_points(const PenaltyRecord *r, usec_t now);
/** penalty_add() - the record after one more offence. Pure. */
PenaltyRecord penalty_add(const PenaltyRecord *r, PenaltyKind kind, usec_t now);
/** penalty_left() - how long connections are still refused; 0: they are not. Pure. */
usec_t penalty_left(const PenaltyRecord *r, usec_t now);

typedef struct PenaltyTable PenaltyTable;

int penalty_table_new(PenaltyTable **ret);
PenaltyTable *penalty_table_free(PenaltyTable *t);
DEFINE_CLEANUP(PenaltyTable, penalty_table_free);
/** penalty_table_add() - one more offence of @uid. Return: true when it begins a refusal. Short of memory: not counted. */
bool penalty_table_add(PenaltyTable *t, uid_t uid, PenaltyKind kind, usec_t now);
usec_t penalty_table_left(PenaltyTable *t, uid_t uid, usec_t now);
size_t penalty_table_count(const PenaltyTable *t);

#endif
