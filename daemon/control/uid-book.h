/* uid-book.h - what each user holds of us, and how much more he may.
 *
 * Owner: Control. An entry lives while its user has a connection. Each kind of thing has a bound for one user, and where
 * the whole is bounded too, a share rule: a user may hold at most 1/(n+1) of what the others leave, n being the users
 * present. So the first takes half at most, each newcomer still finds something, and no number of users has it all.
 * Root and the daemon's own user have bounds of their own and are not held to a share. */
#ifndef DROVER_CONTROL_UID_BOOK_H
#define DROVER_CONTROL_UID_BOOK_H

#include "base/macro.h"
#include <sys/types.h>

typedef struct UidBook UidBook;
typedef struct UidEntry UidEntry;

typedef enum UidCharge {
        UID_CONNECTIONS,
        UID_INPUT,   /* bytes of unfinished lines */
        UID_OUTPUT,  /* bytes of answers not read */
        UID_CALLS,   /* in flight */
        UID_STREAMS, /* of these, logs and events */
        UID_READS,   /* logs of single workers in these: each is read in the logger */
        UID_WATCHES, /* workers that calls in flight wait for */
        _UID_CHARGE_MAX,
} UidCharge;

/* The bounds of one kind. */
typedef struct UidLimit {
        size_t per_user, per_privileged;
        size_t total;    /* of all together; 0: not bounded */
        size_t reserved; /* of the total, for root and the own user */
} UidLimit;
extern const UidLimit uid_limits[_UID_CHARGE_MAX];

/**
 * uid_share_allows() - the share rule. Pure.
 * @own: what the user would hold. @others: what all others do. @n_users: present, himself among them.
 */
bool uid_share_allows(size_t total, size_t others, size_t own, size_t n_users);

int uid_book_new(UidBook **ret);
UidBook *uid_book_free(UidBook *b);
DEFINE_CLEANUP(UidBook, uid_book_free);

/**
 * uid_book_enter() - one more connection of @uid
 * @is_privileged: root or the own user, for whom some are kept free
 * Return: 0, *ret is handed back with uid_book_leave(); -EDQUOT when the user has too many; -EUSERS when all have;
 *         -ENOMEM.
 */
int uid_book_enter(UidBook *b, uid_t uid, bool is_privileged, UidEntry **ret);
void uid_book_leave(UidEntry *e);
/** uid_book_charge() - what the user holds of a kind goes up or down by @from to @to. -EDQUOT: beyond a bound, not charged. */
int uid_book_charge(UidEntry *e, UidCharge what, size_t from, size_t to);
/** uid_book_has_room() - could @n more be charged. */
bool uid_book_has_room(const UidEntry *e, UidCharge what, size_t n);
size_t uid_book_held(const UidEntry *e, UidCharge what);
size_t uid_book_total(const UidBook *b, UidCharge what);
/** uid_book_is_sound() - do the entries add up to the totals; for tests. */
bool uid_book_is_sound(const UidBook *b);

#endif
