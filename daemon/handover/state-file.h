/* state-file.h - what must survive a restart of the machine: one JSON file, replaced as a whole.
 *
 * DIR/state.json is the newest, DIR/state.json.old the one before it. A new one is written beside them, synced, and
 * renamed into place, then the directory is synced: at every moment one of the two is whole. Blocks on the disk: the
 * supervisor calls state_file_write() in a process of its own. No state. */
#ifndef DROVER_HANDOVER_STATE_FILE_H
#define DROVER_HANDOVER_STATE_FILE_H

#include "base/macro.h"
#include <jansson.h>
#include <sys/types.h>

#define STATE_FILE_MAX (8u << 20)

/* What was found. */
typedef struct StateFileReport {
        bool is_newest_good;  /* the newest was read; the next write shall keep it as the one before */
        char text[512];       /* a warning for people; "" when all is well */
} StateFileReport;

/**
 * state_file_read() - the newest that is whole, else the one before, else an empty object
 * Only a regular file of root's or @uid's that nobody else can write is believed.
 * Return: 0 with a new reference; -ENOMEM.
 */
int state_file_read(const char *dir, uid_t uid, json_t **ret, StateFileReport *report);
/** state_file_write() - replace it; @keep_previous: what is there becomes the one before. -errno: nothing is changed. */
int state_file_write(const char *dir, const char *text, size_t size, bool keep_previous);

#endif
