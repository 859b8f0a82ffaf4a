/* durable-log.h - records that survive the power: a file that is only appended to, DIR/tasks.log.
 *
 * Lines as in the journal (journal-record.h), the last one of a key wins, null deletes it. What is put is written with the
 * next flush, and synced to the disk behind the loop's back (fdatasync by the kernel's AIO; where there is none, in the loop),
 * all that was written meanwhile together with the next sync. A ticket tells when something is on the disk.
 *
 * The disk is full: the write is tried again with each flush, and durable_log_fault() says so until it succeeds. With
 * durable_log_reserve() space for what must be written later is set aside, where the file system can. A failed sync is never
 * trusted again: all goes to a new file.
 *
 * Grown to DURABLE_SLACK times what it began with, the file is written anew beside itself (DIR/tasks.log.new), from the
 * owner's memory, a slice at a time; both get what is put meanwhile, and it takes the place of the old one once it is on the
 * disk. Until then it is the old one that counts.
 *
 * Owner: TaskRoom. */
#ifndef DROVER_HANDOVER_DURABLE_LOG_H
#define DROVER_HANDOVER_DURABLE_LOG_H

#include "base/macro.h"
#include <jansson.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define DURABLE_SLACK 4u
#define DURABLE_COMPACT_MIN (1u << 20) /* bytes */

typedef struct DurableLog DurableLog;
typedef struct DurableHooks {
        void (*on_synced)(uint64_t ticket, void *userdata); /* up to this one; may put */
        /* What was put after the last synced ticket may not be on the disk. May put. */
        void (*on_failed)(int error, void *userdata);
        /* Put live records, about a millisecond's work: from the first on, or on from where the last call ended. What is changed
         * or new meanwhile may be put or not, for it is put by itself as well. Return: that was the last. */
        bool (*put_some)(bool is_first, void *userdata);
} DurableHooks;
typedef int (*durable_replay_callback)(const char *key, json_t *value, void *userdata);

/** durable_log_exists() - is there one in @dir. */
bool durable_log_exists(const char *dir);
/**
 * durable_log_replay() - each live key of the file with its last value, in the order of first appearance
 * A torn end and spoilt lines are skipped and counted. Return: how many; -errno. A missing file is empty.
 */
int durable_log_replay(const char *dir, durable_replay_callback cb, void *userdata);
/**
 * durable_log_new() - open or make it; one that is there is written anew by the first flush
 * Return: 0; -errno of the file. -EPERM: it is not a regular file of ours that nobody else can write to.
 */
int durable_log_new(DurableLog **ret, sd_event *event, const char *dir, int64_t priority, const DurableHooks *hooks, void *userdata);
DurableLog *durable_log_free(DurableLog *l); /* what is written is synced */
DEFINE_CLEANUP(DurableLog, durable_log_free);
void durable_log_put(DurableLog *l, const char *key, const char *json);
/** durable_log_reserve() - room for @bytes more on the disk. -ENOSPC, -EDQUOT, -EIO; 0 also where it cannot be told. */
int durable_log_reserve(DurableLog *l, size_t bytes);
/** durable_log_ticket() - of what was put so far. */
uint64_t durable_log_ticket(const DurableLog *l);
int durable_log_fault(const DurableLog *l); /* 0, or why nothing can be written now, negative */
/** durable_log_flush() - write, and let it be synced. From the loop's post source. */
void durable_log_flush(DurableLog *l);

#endif
