/* journal.h - what must survive droverd's own death, in a memfd that the keeper holds.
 *
 * Keyed records, the last one of a key wins: one line each (journal-record.h). A torn last line (SIGKILL in the middle
 * of a write) is dropped. Records are gathered in memory, the last one of each key, and reach the memfd with
 * journal_flush(), which runs before any answer is written to a client: what was answered is on record.
 *
 * When the memfd has grown to JOURNAL_SLACK times what is live, the live records are copied into a fresh one and the
 * keeper gets that. Both are complete at that moment, so it does not matter which one a new life finds.
 *
 * Owner: Supervisor. Values are JSON on one line; keys are printable without a blank, up to JOURNAL_KEY_MAX. */
#ifndef DROVER_HANDOVER_JOURNAL_H
#define DROVER_HANDOVER_JOURNAL_H

#include "base/macro.h"
#include <jansson.h>

#define JOURNAL_KEY_MAX 200u
#define JOURNAL_SLACK 4u
#define JOURNAL_COMPACT_MIN (256u * 1024) /* bytes; below it is not worth it */

typedef struct Journal Journal;
typedef struct JournalHooks {
        /* Give @fd (borrowed) to the keeper. -errno: tried again with the next flush. From journal_flush(). */
        int (*on_new_fd)(Journal *j, int fd, void *userdata);
} JournalHooks;
/* @key and @value are borrowed. A negative return stops the replay. */
typedef int (*journal_replay_callback)(const char *key, json_t *value, void *userdata);

/** journal_new() - @fd_consume: the memfd of the life before, or -1. -ENOMEM, errors of memfd_create(2) and read(2). */
int journal_new(Journal **ret, int fd_consume, const JournalHooks *hooks, void *userdata);
Journal *journal_free(Journal *j);
DEFINE_CLEANUP(Journal, journal_free);
/** journal_replay() - each live key that begins with @prefix, with its last value, in the order of first appearance.
 *  Return: records skipped as unreadable (they are reported by the caller, never fatal), or -errno, or what stopped it. */
int journal_replay(Journal *j, const char *prefix, journal_replay_callback cb, void *userdata);
void journal_put(Journal *j, const char *key, const char *json);
void journal_delete(Journal *j, const char *key);
/**
 * journal_flush() - write what was put since
 * Return: 0; -ESTALE when a put was lost for want of memory: the owner puts everything anew; other -errno: kept in
 * memory and tried again with the next flush.
 */
int journal_flush(Journal *j);

#endif
