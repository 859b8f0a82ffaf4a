/* log-rotate.h - when a file is full, and what becomes of its names.
 *
 * log_rotate_cut() is pure. A file is cut at a newline only, so it may pass its size by at most one line; a
 * line longer than LOG_LINE_CUT is cut there, else a worker that never ends its line would fill the disk.
 *
 * Names: NAME is written, NAME.1 is the newest rotated one, NAME.2 the next; a compressed one is NAME.2.gz or NAME.2.zst.
 * A number stands for one file; both a plain and a compressed one under it are the same text (a dead logger's work). */
#ifndef DROVER_LOGGER_LOG_ROTATE_H
#define DROVER_LOGGER_LOG_ROTATE_H

#include "base/clock.h"
#include "base/macro.h"
#include "link/log-spec.h"
#include <sys/stat.h>

#define LOG_LINE_CUT (1u << 20)   /* bytes */
#define LOG_FILES_MAX 9999u       /* rotated files at most, whatever the configuration says */
#define LOG_NAME_TEXT_MAX 300     /* NAME_MAX and a number */

#define LOG_ROTATE_SUFFIXES 3u
extern const char *const log_rotate_suffixes[LOG_ROTATE_SUFFIXES]; /* by LogCompress */

typedef struct RotateCut {
        size_t n_write; /* so many bytes into this file */
        bool rotate;    /* then go on in a new one */
} RotateCut;

/**
 * log_rotate_cut() - how much of @data still belongs into the current file
 * @size:       bytes in the file
 * @line_bytes: bytes since the last newline in the file; 0: at the start of a line
 * @max_size:   bytes; 0: no bound
 * Never {0, false} for n > 0, and never rotates an empty file.
 */
RotateCut log_rotate_cut(uint64_t size, uint64_t line_bytes, uint64_t max_size, const uint8_t *data, size_t n);

/** log_rotate_is_due() - a file begun at @begin, seen at @now (CLOCK_REALTIME), has passed a multiple of @every. Pure. */
bool log_rotate_is_due(usec_t begin, usec_t now, usec_t every);
/** log_rotate_next() - the next multiple of @every after @now; USEC_INFINITY for @every of 0. Pure. */
usec_t log_rotate_next(usec_t now, usec_t every);

/**
 * log_rotate_names() - NAME.1 becomes NAME.2 and so on up to NAME.@max_files, NAME becomes NAME.1
 * Missing numbers are filled first, so nothing is thrown away earlier than needed. @max_files of 0: NAME is removed.
 * Return: 0 (also when there is no NAME); -errno of renameat(2): the names so far are moved, NAME is as it was.
 */
int log_rotate_names(int dir_fd, const char *name, uint32_t max_files);

/** log_rotate_name() - "NAME.3", or NAME for number 0. Returns @buf. */
const char *log_rotate_name(char buf[static LOG_NAME_TEXT_MAX], const char *name, uint32_t number);
const char *log_rotate_name_packed(char buf[static LOG_NAME_TEXT_MAX], const char *name, uint32_t number,
                                   LogCompress method);
/** log_rotate_find() - what stands under @number: its LogCompress, *ret_st (may be NULL); -ENOENT. A plain one first. */
int log_rotate_find(int dir_fd, const char *name, uint32_t number, struct stat *ret_st);
/** log_rotate_remove() - remove @number, compressed or not. Was there one? */
bool log_rotate_remove(int dir_fd, const char *name, uint32_t number);
/** log_rotate_trim() - remove all numbers above @max_files */
void log_rotate_trim(int dir_fd, const char *name, uint32_t max_files);

#endif
