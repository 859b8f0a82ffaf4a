/* hook.h - commands that run when something has happened.
 *
 * Owner: Supervisor. Each hook of the configuration stands for some types of events and some pools. Its command runs
 * as droverd's own user, with a small environment ($DROVER_HOOK, $DROVER_EVENT, $DROVER_SEQ, $DROVER_POOL,
 * $DROVER_NAME, $DROVER_EVENT_COUNT, $DROVER_SOCKET) and the event as one line of JSON on stdin; its output goes to
 * LOG_DIR/hooks/NAME.*. A hook runs once at a time and at most once every min_interval: what happens meanwhile is
 * counted, and the next run is told the last event and the count. So a storm costs a bounded number of processes,
 * and no end of a storm goes unnoticed. A run that lasts longer than timeout is killed with its tree; at drover's own end
 * all that still run have HOOK_FINISH_USEC.
 *
 * Events of hooks call no hook. A run that droverd's own death interrupts is ended, not repeated. */
#ifndef DROVER_HOOK_HOOK_H
#define DROVER_HOOK_HOOK_H

#include "config/config.h"
#include "event/hub.h"
#include "process/keeper-link.h"

typedef struct HookSet HookSet;

/* Borrowed, outliving the set. */
typedef struct HookWorld {
        sd_event *event;
        KeeperLink *keeper;
        Hub *hub;
        const char *control_socket; /* for $DROVER_SOCKET; NULL: not set */
} HookWorld;

int hook_set_new(HookSet **ret, const HookWorld *world); /* -ENOMEM or 0 */
HookSet *hook_set_free(HookSet *s);
DEFINE_CLEANUP(HookSet, hook_set_free);
/** hook_set_configure() - the hooks of @c from now on, of which a reference is taken; runs that go on are left to their end. -ENOMEM: nothing changed. */
int hook_set_configure(HookSet *s, Config *c);
/** hook_set_converge() - start what is due, free what is over. From the post source, before the keeper's line is flushed. */
void hook_set_converge(HookSet *s);
/** hook_set_finish() - drover ends: what waits for its interval runs now, once. After HOOK_FINISH_USEC what still runs is
 *  killed, and a moment later nobody waits for it any more. To be called again and again. */
#define HOOK_FINISH_USEC (10 * USEC_PER_SEC)
void hook_set_finish(HookSet *s);
bool hook_set_is_idle(const HookSet *s); /* nothing runs and nothing waits */

#endif
