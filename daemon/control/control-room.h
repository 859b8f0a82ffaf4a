/* control-room.h - struct Control as its own room sees it; nobody else includes this.
 *
 * Everything that changes in a turn of the loop is only noted here: connections with output to write (unsent), with
 * requests not yet handled (unhandled), with a deadline (timed), gone but not yet freed (closed). control_flush(), at
 * the end of the turn, writes and frees, so that no callback finds its own connection freed under it.
 *
 * However much was noted, a turn of the loop works on each kind for CONTROL_TURN_USEC, and on one thing at least; the
 * rest has the next turn. So nobody waits for all that somebody else has asked for at once. */
#ifndef DROVER_CONTROL_CONTROL_ROOM_H
#define DROVER_CONTROL_CONTROL_ROOM_H

#include "control/access.h"
#include "control/audit.h"
#include "process/closer.h"
#include "control/control.h"
#include "control/connection.h"
#include "control/listener.h"
#include "control/payload.h"
#include "control/penalty.h"
#include "control/uid-book.h"
#include "control/waiter.h"

#define CONTROL_TURN_USEC (2 * USEC_PER_MSEC)

struct Control {
        ControlWorld world;
        uid_t own_uid;
        bool is_shutting_down;
        bool is_access_stale; /* roles have changed: calls in flight are to be looked at */
        Listener *listener;
        UidBook *books;
        PenaltyTable *penalties;
        Closer *closer;
        WaiterSet *waiters;
        Connection *connections; /* all that are not closed */
        Connection *unsent[_RANK_MAX], *unhandled[_RANK_MAX], *timed, *closed;
        sd_event_source *more[_RANK_MAX]; /* defer: the next turn of what a rank has left over */
        sd_event_source *sweep_source; /* timer: looks at `timed` */
        Call *current;                 /* whose handler is on the stack; NULL once it is answered */
        Text nowhere;                  /* where answers to notifications are written */
        uint64_t n_runs;               /* for "run-N" */
        Audit audit;
        Payload payload; /* of the request at hand */
        struct MapCall *maps; /* with results to send; method-task-map.c */
};

void control_arm_sweep(Control *c);
/** control_want_more() - one more turn, when those of this rank have theirs. */
void control_want_more(Control *c, ConnectionRank rank);
/** control_punish() - note an offence. Return: true when the user's connections are refused for now. Never of root. */
bool control_punish(Control *c, const Peer *peer, PenaltyKind kind);
/** control_rules() - of this moment; borrows from the configuration in force. */
AccessRules control_rules(const Control *c);

#endif
