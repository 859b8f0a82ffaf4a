/* hub.h - what has happened: emit to subscribers, keep a bounded ring for late joiners.
 *
 * Owner: Supervisor. Every event has a sequence number that only grows, over restarts of droverd too (the journal
 * reserves numbers ahead). Data is kept as JSON text. Subscribers are called from hub_emit() and must only
 * note it (control queues output; it never calls back into a room below). */
#ifndef DROVER_EVENT_HUB_H
#define DROVER_EVENT_HUB_H

#include "event/event.h"

typedef struct Hub Hub;
typedef struct HubSubscriber HubSubscriber;
typedef void (*hub_callback)(const Event *e, void *userdata);

/**
 * hub_new() - @first_seq: the number of the first event to come (1 or more)
 * The ring holds at most @ring_max_events and @ring_max_bytes of their data and names; the newest one stays even when it alone is
 * larger. Return: 0; -EINVAL when a bound is 0; -ENOMEM.
 */
int hub_new(Hub **ret, size_t ring_max_events, size_t ring_max_bytes, uint64_t first_seq);
Hub *hub_free(Hub *h);
DEFINE_CLEANUP(Hub, hub_free);

/** hub_emit() - @data: a JSON object as text, or NULL. Short of memory: the number is used and a gap remains. */
void hub_emit(Hub *h, EventKind k, const char *pool, const char *worker, const char *data);
uint64_t hub_last_seq(const Hub *h); /* of the last event; first_seq - 1 before any */
/**
 * hub_replay() - call @cb for each ring event with seq > @since
 * Return: how many events after @since are no longer (or were never) there: the explicit gap.
 */
uint64_t hub_replay(Hub *h, uint64_t since, hub_callback cb, void *userdata);
/** hub_subscribe() - call @cb for every event from now on. It may unsubscribe itself or others, not free the hub. */
int hub_subscribe(HubSubscriber **ret, Hub *h, hub_callback cb, void *userdata);
HubSubscriber *hub_unsubscribe(HubSubscriber *s);

#endif
