/* penalty.c - the arithmetic of one record, and a hash of them. uthash keeps the order of insertion: who offends again is
 * taken out and put at the end, so the first one is the quietest. */
#include "control/penalty.h"
#include "base/alloc.h"

#include <uthash.h>

typedef struct PenaltyEntry {
        uid_t uid;
        PenaltyRecord record;
        UT_hash_handle hh;
} PenaltyEntry;

struct PenaltyTable {
        PenaltyEntry *entries;
};

unsigned penalty_points(const PenaltyRecord *r, usec_t now) {
        usec_t forgiven = usec_sub(now, r->since) * PENALTY_FORGIVEN_PER_SEC / USEC_PER_SEC;

        return forgiven >= r->points ? 0 : r->points - (unsigned) forgiven;
}

usec_t penalty_left(const PenaltyRecord *r, usec_t now) {
        return usec_sub(r->until, now);
}

PenaltyRecord penalty_add(const PenaltyRecord *r, PenaltyKind kind, usec_t now) {
        static const unsigned points[_PENALTY_KIND_MAX] = {
                [PENALTY_PROTOCOL] = 2, [PENALTY_QUOTA] = 5, [PENALTY_TIMEOUT] = 10, [PENALTY_DESCRIPTOR] = 50};
        PenaltyRecord next = *r;
        bool is_remembered = r->until != 0 && now < usec_add(r->until, PENALTY_MEMORY);

        if (penalty_left(r, now) > 0) /* on what was connected before: the refusal is not made longer by it */
                return next;
        next.points = penalty_points(r, now) + points[kind];
        next.since = now;
        if (next.points < PENALTY_THRESHOLD)
                return next;
        next.length = is_remembered ? MIN(2 * r->length, PENALTY_LONGEST) : PENALTY_FIRST;
        next.until = usec_add(now, next.length);
        next.points = 0;
        return next;
}

int penalty_table_new(PenaltyTable **ret) {
        PenaltyTable *t = NEW0(PenaltyTable);

        if (!t)
                return -ENOMEM;
        *ret = t;
        return 0;
}

static void drop(PenaltyTable *t, PenaltyEntry *e) {
        HASH_DEL(t->entries, e);
        free(e);
}

PenaltyTable *penalty_table_free(PenaltyTable *t) {
        if (!t)
                return NULL;
        while (t->entries)
                drop(t, t->entries);
        free(t);
        return NULL;
}

static PenaltyEntry *find(PenaltyTable *t, uid_t uid) {
        PenaltyEntry *e;

        HASH_FIND(hh, t->entries, &uid, sizeof(uid), e);
        return e;
}

/* The entry of @uid, the last in order. */
static PenaltyEntry *take_last(PenaltyTable *t, uid_t uid) {
        PenaltyEntry *e = find(t, uid);

        if (e)
                HASH_DEL(t->entries, e);
        else {
                while (HASH_COUNT(t->entries) >= PENALTY_USERS_MAX)
                        drop(t, t->entries);
                e = NEW0(PenaltyEntry);
        }
        if (!e)
                return NULL;
        e->uid = uid;
        HASH_ADD(hh, t->entries, uid, sizeof(e->uid), e);
        return e;
}

bool penalty_table_add(PenaltyTable *t, uid_t uid, PenaltyKind kind, usec_t now) {
        PenaltyEntry *e = take_last(t, uid);
        usec_t until;

        if (!e)
                return false;
        until = e->record.until;
        e->record = penalty_add(&e->record, kind, now);
        return e->record.until != until;
}

usec_t penalty_table_left(PenaltyTable *t, uid_t uid, usec_t now) {
        const PenaltyEntry *e = find(t, uid);

        return e ? penalty_left(&e->record, now) : 0;
}

size_t penalty_table_count(const PenaltyTable *t) {
        return HASH_COUNT(t->entries);
}
