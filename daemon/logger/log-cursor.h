/* log-cursor.h - reads the lines of a log file and of the rotated ones behind it, from disk, in small steps.
 *
 * Embedded in a LogRead, one for each stream. First it walks back from the end counting lines (log_cursor_back), then
 * forward handing them out (log_cursor_next). The file it stands in is known by device and inode, so names may rotate under
 * it at any time; a file that was rotated away altogether is counted as a gap.
 *
 * Compressed files are read as streams (log-pack.h): counting back through one means reading it twice, first to count its
 * lines, then up to the one that is wanted; never is more of it in memory than the buffer. A file that is compressed while
 * it is being read is read to its end from the descriptor, and known again by the inode it had.
 *
 * Formatted files give back what the worker wrote (log-format.h); a line in another form is handed out as it stands.
 *
 * A line longer than LOGGER_LINE_MAX comes in pieces. At the end of the newest file an unfinished line is not handed out:
 * the caller may ask for it (log_cursor_rest). */
#ifndef DROVER_LOGGER_LOG_CURSOR_H
#define DROVER_LOGGER_LOG_CURSOR_H

#include "link/logger-protocol.h"
#include "logger/log-format.h"
#include "logger/log-index.h"
#include "logger/log-pack.h"

#define LOG_CURSOR_BYTES (2u * LOGGER_LINE_MAX)
#define LOG_CURSOR_LINES_BYTES (LOG_FORMAT_LINE_MAX + LOGGER_LINE_MAX) /* of a formatted file */

/* Counting back through a compressed file. */
typedef enum LogCursorPack {
        LOG_CURSOR_COUNT, /* to its end: how many lines there are */
        LOG_CURSOR_SKIP,  /* from its start: so many newlines */
} LogCursorPack;

typedef struct LogCursor {
        char *path;       /* owned: of the newest file */
        bool has_index;
        uint32_t stream;  /* for the lines; 0: unknown */
        int fd;
        uint64_t dev, file_ino;
        uint64_t ino; /* of the text: a compressed file has that of the file it was */
        LogUnpacker *unpacker; /* of a compressed one */
        LogCursorPack pack;
        uint64_t n_pack_lines, n_pack_skip;
        usec_t since_usec; /* nothing older is wanted */
        const LogStyle *style; /* borrowed */
        Text plain;        /* the formatted line at the front, as the worker wrote it */
        size_t n_formatted; /* its length in the file; 0: none */
        LoggerLine plain_line;
        bool is_mine;      /* the line at the front is this worker's */
        uint64_t position; /* file offset of buffer[begin] (forward) or of where counting back has come to */
        uint64_t end_ino, end_offset; /* the end that is not passed unless following; ino 0: no file was there */
        uint64_t n_back;   /* lines counted so far */
        uint64_t n_gaps;   /* files that were gone before they were read */
        bool is_back_done;
        bool in_line; /* the pieces of one line are being handed out */
        usec_t line_usec;  /* its time */
        LogIndex index;
        uint8_t *buffer;   /* of `capacity`, while reading */
        size_t begin, end, capacity;
} LogCursor;

/** log_cursor_init() - @path is copied, @style borrowed. Stands at the end of the newest file. No file: an empty log. -ENOMEM, open errors. */
int log_cursor_init(LogCursor *c, const char *path, bool has_index, uint32_t stream, const LogStyle *style);
void log_cursor_done(LogCursor *c);

/**
 * log_cursor_back() - one step back of at most @budget bytes
 * Return: 1 when the start of the @n_lines -th line from the end, or of the oldest file, is reached (c->n_back says how
 *         many lines there are from here); 0 when there is more to do; -errno.
 */
int log_cursor_back(LogCursor *c, uint64_t n_lines, size_t budget);

/* Between log-cursor.c and log-cursor-back.c. 1: it stands at the end of the next older file; 0: none, or none that is wanted. */
int log_cursor_go_older(LogCursor *c);
int log_cursor_allocate(LogCursor *c); /* its buffer; -ENOMEM */

/* Somewhere in the log, whatever becomes of the file's name. */
typedef struct LogCursorPlace {
        uint64_t dev, file_ino, ino, position; /* ino 0: nowhere, there was no file */
        bool is_packed;
} LogCursorPlace;
LogCursorPlace log_cursor_place(const LogCursor *c);
/** log_cursor_return() - to a place; counting back begins anew. A file that is gone: to the start of the oldest. 0; -errno. */
int log_cursor_return(LogCursor *c, const LogCursorPlace *p);

/**
 * log_cursor_next() - the next line, left in place (log_cursor_take() goes past it)
 * @is_following: go on past the end the log had at first
 * Return: 1 with *ret and *ret_text (valid until the next call); 0 at the end; -errno.
 */
int log_cursor_next(LogCursor *c, bool is_following, LoggerLine *ret, const uint8_t **ret_text);
void log_cursor_take(LogCursor *c, const LoggerLine *line);
/** log_cursor_rest() - the unfinished line at the end, at most LOGGER_LINE_MAX bytes. Its length; 0: none. */
size_t log_cursor_rest(LogCursor *c, const uint8_t **ret_text, usec_t *ret_usec);

#endif
