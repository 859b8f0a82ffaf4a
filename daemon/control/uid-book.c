/* uid-book.c - a hash by uid. All sums are small (connections times 128 KiB), so nothing can overflow. */
#include "control/uid-book.h"
#include "base/alloc.h"
#include "control/control.h"

#include <uthash.h>

struct UidEntry {
        uid_t uid;
        UidBook *book;
        size_t n_connections, n_input_bytes;
        UT_hash_handle hh;
};

struct UidBook {
        UidEntry *entries;
        size_t n_connections;
};

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

static UidEntry *entry_make(UidBook *b, uid_t uid) {
        UidEntry *e = NEW0(UidEntry);

        if (!e)
                return NULL;
        e->uid = uid;
        e->book = b;
        HASH_ADD(hh, b->entries, uid, sizeof(e->uid), e);
        return e;
}

int uid_book_enter(UidBook *b, uid_t uid, bool is_privileged, UidEntry **ret) {
        size_t most = CONTROL_CONNECTIONS_MAX - (is_privileged ? 0 : CONTROL_CONNECTIONS_RESERVED);
        UidEntry *e;

        HASH_FIND(hh, b->entries, &uid, sizeof(uid), e);
        if (e && e->n_connections >= CONTROL_CONNECTIONS_PER_UID_MAX)
                return -EDQUOT;
        if (b->n_connections >= most)
                return -EUSERS;
        if (!e)
                e = entry_make(b, uid);
        if (!e)
                return -ENOMEM;
        e->n_connections++;
        b->n_connections++;
        *ret = e;
        return 0;
}

void uid_book_leave(UidEntry *e) {
        if (!e)
                return;
        e->book->n_connections--;
        if (--e->n_connections > 0)
                return;
        HASH_DEL(e->book->entries, e);
        free(e);
}

int uid_book_charge(UidEntry *e, size_t from, size_t to) {
        if (to > from && e->n_input_bytes + (to - from) > CONTROL_INPUT_PER_UID_MAX)
                return -EDQUOT;
        e->n_input_bytes += to;
        e->n_input_bytes -= from;
        return 0;
}

size_t uid_book_connections(const UidBook *b) {
        return b->n_connections;
}
