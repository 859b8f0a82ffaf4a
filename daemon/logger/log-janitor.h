/* log-janitor.h - what is done with rotated files when there is time: compress them, keep a pool within its quota.
 *
 * Owner: Logger. Jobs stand in a table, each once; one is worked on at a time, in slices of JANITOR_SLICE_BYTES or
 * JANITOR_SLICE_NAMES, one a turn of the loop, and with at most a third of the time while pipes are busy: no stream waits
 * for more than a slice. Nothing is held whole in memory. The logger is the only one that renames, and does so between
 * slices, so names stand still during each of them; a file is known by its inode.
 *
 *   COMPRESS  NAME.2 -> NAME.compressing, which is brought to the disk (log-sync.h), then a rename to NAME.2.gz, then NAME.2
 *             is removed: a power cut finds one of them whole. A logger killed before the rename leaves a temporary file,
 *             which the next job on this log removes; after it, two files with one text, of which the next job removes the
 *             plain one. While one file is on its way to the disk the other jobs wait too.
 *   QUOTA     adds up what the pool has and removes the oldest rotated files, whosever they are, until it fits. Current
 *             files are never touched. */
#ifndef DROVER_LOGGER_LOG_JANITOR_H
#define DROVER_LOGGER_LOG_JANITOR_H

#include "logger/log-loop.h"
#include "logger/log-pack.h"
#include "logger/log-sync.h"
#include <dirent.h>
#include <sys/stat.h>
#include <uthash.h>

#define JANITOR_SLICE_BYTES (32u * 1024)
#define JANITOR_SLICE_NAMES 64u
#define JANITOR_OLDEST_MAX 64u /* removed after one look at the directory */

typedef enum LogJobKind {
        LOG_JOB_COMPRESS,
        LOG_JOB_QUOTA,
} LogJobKind;

typedef struct LogJob {
        UT_hash_handle hh;
        char *key;   /* kind and path */
        char *path;  /* COMPRESS: of the current file; QUOTA: the prefix of all files, "/var/log/drover/web/" */
        LogJobKind kind;
        LogCompress method;
        uint64_t max_total;
        uint32_t is_whole_directory; /* QUOTA: the prefix is followed by any slot's number */
} LogJob;

typedef struct LogOldFile {
        struct timespec mtime;
        uint64_t size;
        uint32_t number;
        char *stem; /* "0.stdout.log" */
} LogOldFile;

typedef struct LogJanitor {
        LogLoop *loop; /* borrowed */
        LogJob *jobs;
        LogJob *current; /* not in jobs */
        LoopTimer step;
        int dir_fd;
        /* COMPRESS */
        int from_fd, to_fd;
        struct stat from;
        uint64_t done;
        LogPacker *packer;
        LogSync sync; /* on: all is written, and waits for the disk */
        uint8_t *buffer;
        /* QUOTA */
        DIR *dir;
        uint64_t total;
        size_t n_oldest;
        LogOldFile oldest[JANITOR_OLDEST_MAX]; /* oldest first */
} LogJanitor;

void log_janitor_init(LogJanitor *j, LogLoop *loop);
void log_janitor_done(LogJanitor *j);
/** log_janitor_compress() - the rotated files of the log at @path, some time soon. -ENOMEM: perhaps next time. */
int log_janitor_compress(LogJanitor *j, const char *path, LogCompress method);
/**
 * log_janitor_quota() - all files of a pool shall have at most @max_total bytes
 * @path:      as in LogSpec: "/var/log/drover/web/0", "/var/log/drover/run/NAME", or a file of the user's own
 * @is_pool:   the last component is the number of a slot, and every slot's files belong to the pool
 */
int log_janitor_quota(LogJanitor *j, const char *path, bool is_pool, uint64_t max_total);
/** log_janitor_forget() - the files of the log at @path are about to be removed: leave them alone */
void log_janitor_forget(LogJanitor *j, const char *path);

/* log-quota.c: one slice; 0: more to do, 1: done, -errno */
int log_quota_step(LogJanitor *j);
void log_quota_end(LogJanitor *j);

#endif
