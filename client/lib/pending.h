/* pending.h - calls that await their reply, found by id, kept in the order they were made. Owner: the client.
 */
#ifndef DROVER_LIB_PENDING_H
#define DROVER_LIB_PENDING_H

#include "base/macro.h"
#include "drover.h"

typedef struct PendingCall PendingCall;

typedef struct PendingWho {
        drover_reply_fn *on_reply;
        drover_notify_fn *on_notify; /* NULL: not a stream */
        drover_results_fn *on_results; /* of a map */
        void (*on_cancel)(drover_client *client, void *userdata); /* drover_cancel() forgot it; may be NULL */
        void *userdata;
} PendingWho;

typedef struct PendingSet {
        PendingCall *by_id;
} PendingSet;

int pending_add(PendingSet *set, uint64_t id, const PendingWho *who);
/** pending_find() - whose call @id is: 0, -ENOENT. */
int pending_find(const PendingSet *set, uint64_t id, PendingWho *ret);
/** pending_take() - the same, and the set forgets it. */
int pending_take(PendingSet *set, uint64_t id, PendingWho *ret);
/** pending_after() - the oldest call with an id greater than @id; 0 when there is none. */
uint64_t pending_after(const PendingSet *set, uint64_t id);
size_t pending_count(const PendingSet *set);
void pending_done(PendingSet *set);

#endif
