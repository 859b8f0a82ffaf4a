/* uid-book.c - a hash by uid, and the sums over it. All sums are small (connections times a few MiB), so nothing can
 * overflow. */
#include "control/uid-book.h"
#include "base/alloc.h"
#include "control/control.h"

#include <uthash.h>

const UidLimit uid_limits[_UID_CHARGE_MAX] = {
        [UID_CONNECTIONS] = {CONTROL_CONNECTIONS_PER_UID_MAX, CONTROL_CONNECTIONS_PER_UID_MAX, CONTROL_CONNECTIONS_MAX,
                             CONTROL_CONNECTIONS_RESERVED},
        [UID_INPUT] = {CONTROL_INPUT_PER_UID_MAX, CONTROL_INPUT_PER_UID_MAX, CONTROL_INPUT_MAX, CONTROL_INPUT_PER_UID_MAX},
        [UID_OUTPUT] = {CONTROL_OUTPUT_PER_UID_MAX, CONTROL_OUTPUT_MAX, CONTROL_OUTPUT_MAX, CONTROL_OUTPUT_PER_UID_MAX},
        [UID_CALLS] = {CONTROL_CALLS_PER_UID_MAX, SIZE_MAX, 0, 0},
        [UID_STREAMS] = {CONTROL_STREAMS_PER_UID_MAX, SIZE_MAX, 0, 0},
        [UID_READS] = {CONTROL_READS_PER_UID_MAX, CONTROL_READS_MAX, CONTROL_READS_MAX, CONTROL_READS_PER_UID_MAX},
        [UID_WATCHES] = {CONTROL_WATCHES_PER_UID_MAX, CONTROL_WATCHES_MAX, CONTROL_WATCHES_MAX, CONTROL_WATCHES_PER_UID_MAX},
};

struct UidEntry {
        uid_t uid;
        bool is_privileged;
        UidBook *book;
        size_t held[_UID_CHARGE_MAX];
        UT_hash_handle hh;
};

struct UidBook {
        UidEntry *entries;
        size_t totals[_UID_CHARGE_MAX];
        size_t n_users; /* entries that are not privileged */
};

bool uid_share_allows(size_t total, size_t others, size_t own, size_t n_users) {
        return others <= total && own <= (total - others) / (n_users + 1);
}

int uid_book_new(UidBook **ret) {
        UidBook *b = NEW0(UidBook);

        if (!b)
                return -ENOMEM;
        *ret = b;
        return 0;
}

UidBook *uid_book_free(UidBook *b) {
        UidEntry *e, *next;

        if (!b)
                return NULL;
        HASH_ITER(hh, b->entries, e, next) {
                HASH_DEL(b->entries, e);
                free(e);
        }
        free(b);
        return NULL;
}

static UidEntry *entry_make(UidBook *b, uid_t uid, bool is_privileged) {
        UidEntry *e = NEW0(UidEntry);

        if (!e)
                return NULL;
        *e = (UidEntry){.uid = uid, .is_privileged = is_privileged, .book = b};
        HASH_ADD(hh, b->entries, uid, sizeof(e->uid), e);
        b->n_users += !is_privileged;
        return e;
}

static void entry_drop_if_empty(UidEntry *e) {
        UidBook *b = e->book;

        if (e->held[UID_CONNECTIONS] > 0)
                return;
        b->n_users -= !e->is_privileged;
        for (size_t i = 0; i < _UID_CHARGE_MAX; i++) /* all zero, unless somebody forgot to give back */
                b->totals[i] -= e->held[i];
        HASH_DEL(b->entries, e);
        free(e);
}

/* 0, -EDQUOT: the user's own bound or share, -EUSERS: that of all. */
static int check(const UidEntry *e, UidCharge what, size_t to) {
        const UidLimit *l = &uid_limits[what];
        size_t others = e->book->totals[what] - e->held[what], total = l->total - (e->is_privileged ? 0 : l->reserved);

        if (to > (e->is_privileged ? l->per_privileged : l->per_user))
                return -EDQUOT;
        if (l->total == 0)
                return 0;
        if (others > total || to > total - others)
                return -EUSERS;
        return e->is_privileged || uid_share_allows(total, others, to, e->book->n_users) ? 0 : -EDQUOT;
}

static void set(UidEntry *e, UidCharge what, size_t to) {
        e->book->totals[what] += to;
        e->book->totals[what] -= e->held[what];
        e->held[what] = to;
}

int uid_book_enter(UidBook *b, uid_t uid, bool is_privileged, UidEntry **ret) {
        UidEntry *e;
        int r;

        HASH_FIND(hh, b->entries, &uid, sizeof(uid), e);
        if (!e)
                e = entry_make(b, uid, is_privileged);
        if (!e)
                return -ENOMEM;
        r = check(e, UID_CONNECTIONS, e->held[UID_CONNECTIONS] + 1);
        if (r < 0) {
                entry_drop_if_empty(e);
                return r;
        }
        set(e, UID_CONNECTIONS, e->held[UID_CONNECTIONS] + 1);
        *ret = e;
        return 0;
}

void uid_book_leave(UidEntry *e) {
        if (!e)
                return;
        set(e, UID_CONNECTIONS, e->held[UID_CONNECTIONS] - 1);
        entry_drop_if_empty(e);
}

int uid_book_charge(UidEntry *e, UidCharge what, size_t from, size_t to) {
        size_t held = e->held[what] - from + to;

        if (to > from && check(e, what, held) < 0)
                return -EDQUOT;
        set(e, what, held);
        return 0;
}

bool uid_book_has_room(const UidEntry *e, UidCharge what, size_t n) {
        return check(e, what, e->held[what] + n) == 0;
}

size_t uid_book_held(const UidEntry *e, UidCharge what) {
        return e->held[what];
}

size_t uid_book_total(const UidBook *b, UidCharge what) {
        return b->totals[what];
}

bool uid_book_is_sound(const UidBook *b) {
        size_t sums[_UID_CHARGE_MAX] = {0};
        const UidEntry *e;

        for (e = b->entries; e; e = e->hh.next)
                for (size_t i = 0; i < _UID_CHARGE_MAX; i++)
                        sums[i] += e->held[i];
        return memcmp(sums, b->totals, sizeof(sums)) == 0;
}
