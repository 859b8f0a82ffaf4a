/* kept.h - descriptors that droverd wants to find again after its own death, by name.
 *
 * Owner: Keeper. A fixed table in a mapping of its own, of which only what was ever used takes memory. A name stands
 * there once: the same name replaces. */
#ifndef DROVER_KEEPER_KEPT_H
#define DROVER_KEEPER_KEPT_H

#include "link/keeper-protocol.h"

typedef struct Kept {
        char name[KEEPER_KEPT_NAME_MAX];
        int fd_plus_one; /* 0: free */
} Kept;

typedef struct KeptTable {
        uint32_t top; /* none at this index or above */
        Kept items[KEEPER_KEPT_MAX];
} KeptTable;

int kept_table_new(KeptTable **ret);
KeptTable *kept_table_free(KeptTable *t); /* with all its descriptors */
/** kept_put() - Return: 0, @fd_take is the table's; -ENOSPC: it is still the caller's. */
int kept_put(KeptTable *t, const char *name, int fd_take);
void kept_drop(KeptTable *t, const char *name);
int kept_fd(const KeptTable *t, uint32_t index); /* borrowed; -EBADF: free */

#endif
