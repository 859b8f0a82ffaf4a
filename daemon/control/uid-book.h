/* uid-book.h - what each user holds of us: connections, and bytes of unfinished lines.
 *
 * Owner: Control. An entry lives while its user has a connection. */
#ifndef DROVER_CONTROL_UID_BOOK_H
#define DROVER_CONTROL_UID_BOOK_H

#include "base/macro.h"
#include <sys/types.h>

typedef struct UidBook UidBook;
typedef struct UidEntry UidEntry;

int uid_book_new(UidBook **ret);
UidBook *uid_book_free(UidBook *b);
DEFINE_CLEANUP(UidBook, uid_book_free);

/**
 * uid_book_enter() - one more connection of @uid
 * @is_privileged: root or the own user, for whom CONTROL_CONNECTIONS_RESERVED are kept free
 * Return: 0, *ret is handed back with uid_book_leave(); -EDQUOT when the user has too many; -EUSERS when all have;
 *         -ENOMEM.
 */
int uid_book_enter(UidBook *b, uid_t uid, bool is_privileged, UidEntry **ret);
void uid_book_leave(UidEntry *e);
/** uid_book_charge() - input held for the user goes from @from to @to bytes. -EDQUOT: beyond the bound, not charged. */
int uid_book_charge(UidEntry *e, size_t from, size_t to);
size_t uid_book_connections(const UidBook *b);

#endif
