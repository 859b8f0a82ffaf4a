/* pending.c - a uthash by id; its list keeps the order of insertion, and ids only grow, so the head is the
 * oldest. */
#define HASH_NONFATAL_OOM 1
#include "lib/pending.h"
#include "base/alloc.h"

#include <uthash.h>

struct PendingCall {
        uint64_t id;
        PendingWho who;
        UT_hash_handle hh;
};

static PendingCall *find(const PendingSet *set, uint64_t id) {
        PendingCall *call = NULL;

        HASH_FIND(hh, set->by_id, &id, sizeof(id), call);
        return call;
}

int pending_add(PendingSet *set, uint64_t id, const PendingWho *who) {
        PendingCall *call = NEW0(PendingCall);

        if (!call)
                return -ENOMEM;
        call->id = id;
        call->who = *who;
        HASH_ADD(hh, set->by_id, id, sizeof(call->id), call);
        if (!call->hh.tbl) { /* uthash found no memory */
                free(call);
                return -ENOMEM;
        }
        return 0;
}

int pending_find(const PendingSet *set, uint64_t id, PendingWho *ret) {
        PendingCall *call = find(set, id);

        if (!call)
                return -ENOENT;
        *ret = call->who;
        return 0;
}

int pending_take(PendingSet *set, uint64_t id, PendingWho *ret) {
        PendingCall *call = find(set, id);

        if (!call)
                return -ENOENT;
        *ret = call->who;
        HASH_DEL(set->by_id, call);
        free(call);
        return 0;
}

uint64_t pending_after(const PendingSet *set, uint64_t id) {
        for (const PendingCall *call = set->by_id; call; call = call->hh.next)
                if (call->id > id)
                        return call->id;
        return 0;
}

size_t pending_count(const PendingSet *set) {
        return HASH_COUNT(set->by_id);
}

void pending_done(PendingSet *set) {
        PendingCall *call, *next;

        HASH_ITER(hh, set->by_id, call, next) {
                HASH_DEL(set->by_id, call);
                free(call);
        }
}
