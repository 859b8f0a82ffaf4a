/* journal.h - what must survive droverd's own death, in a memfd that the keeper holds.
 *
 * Keyed records, the last one of a key wins: one line each, "crc32 length key json\n". A torn last line (SIGKILL in the
 * middle of a write) is dropped. Records are gathered in memory and reach the memfd with journal_flush(), which runs
 * before any answer is written to a client: what was answered is on record. When the memfd has grown to several times
 * what is live, the owner writes everything anew into a fresh one (on_compact) and the keeper gets that. */
#ifndef DROVER_HANDOVER_JOURNAL_H
#define DROVER_HANDOVER_JOURNAL_H

#include "base/macro.h"
#include <jansson.h>

typedef struct Journal Journal;
typedef struct JournalHooks {
        void (*on_compact)(Journal *j, void *userdata);         /* put every live record again */
        int (*on_new_fd)(Journal *j, int fd, void *userdata);   /* give @fd (borrowed) to the keeper */
} JournalHooks;
typedef int (*journal_replay_callback)(const char *key, json_t *value, void *userdata);

/** journal_new() - @fd_consume: the memfd of the life before, or -1. */
int journal_new(Journal **ret, int fd_consume, const JournalHooks *hooks, void *userdata);
Journal *journal_free(Journal *j);
DEFINE_CLEANUP(Journal, journal_free);
/** journal_replay() - each live key with its last value, in the order of first appearance. Return: records skipped as
 *  unreadable (they are reported by the caller, never fatal), or -errno. */
int journal_replay(Journal *j, journal_replay_callback cb, void *userdata);
void journal_put(Journal *j, const char *key, const char *json);
void journal_delete(Journal *j, const char *key);
int journal_flush(Journal *j); /* -errno: kept in memory and tried again with the next flush */

#endif
