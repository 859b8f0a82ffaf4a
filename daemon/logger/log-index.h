/* log-index.h - the sidecar that gives lines their time: NAME.idx beside NAME.log.
 *
 * Format: 16-byte records of two little-endian 64-bit numbers. The first is {LOG_INDEX_MAGIC + form, inode of the log
 * file}, where form is the LogForm (log-format.h) of its lines;
 * each other one {offset, time}: the bytes from offset on were written at time (CLOCK_REALTIME, µs). Offsets
 * never fall; of equal ones the last counts. An index whose inode is another file's is no index: then
 * times are unknown (0). It is a help only: nothing is lost, nobody waits when it cannot be written. */
#ifndef DROVER_LOGGER_LOG_INDEX_H
#define DROVER_LOGGER_LOG_INDEX_H

#include "base/clock.h"
#include "base/macro.h"
#include "logger/log-format.h"

#define LOG_INDEX_MAGIC 0x3178646972767264u /* "drvridx1" */
#define LOG_INDEX_STEP_USEC (10 * USEC_PER_MSEC) /* a new record only when so much time has passed */

typedef struct LogIndexRecord {
        uint64_t offset, time_usec;
} LogIndexRecord;

/**
 * log_index_append() - add one record to the index @name in @dir_fd, making the file when needed
 * @ino:   inode of the log file
 * @form:  of the lines, for a new index
 * @check: look whether the index belongs to it, and begin anew when not; needed once for each opening of the log file
 */
int log_index_append(int dir_fd, const char *name, uint64_t ino, LogForm form, const LogIndexRecord *record, bool check);

/** log_index_owner() - the inode of the log file that the index @name tells of; 0: none. */
uint64_t log_index_owner(int dir_fd, const char *name);

#define LOG_INDEX_WINDOW 128

/* For a reader: looks up times of rising offsets. Embedded; fd < 0: no index, all times 0. */
typedef struct LogIndex {
        int fd;
        LogForm form;
        uint64_t n_records; /* without the header */
        uint64_t base;      /* number of the record window[0] is */
        size_t n_window, at;
        LogIndexRecord window[LOG_INDEX_WINDOW];
} LogIndex;

void log_index_open(LogIndex *i, int dir_fd, const char *name, uint64_t ino); /* never fails: no index is one too */
void log_index_close(LogIndex *i);
void log_index_refresh(LogIndex *i); /* it may have grown */
usec_t log_index_first(LogIndex *i); /* when the file was begun; 0: unknown */
/** log_index_time() - when the byte at @offset was written; 0: unknown. */
usec_t log_index_time(LogIndex *i, uint64_t offset);

#endif
