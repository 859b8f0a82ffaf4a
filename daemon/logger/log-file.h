/* log-file.h - the inside of a sink that is a file; for log-sink-file.c, log-sink-lines.c and log-sink-turn.c only. */
#ifndef DROVER_LOGGER_LOG_FILE_H
#define DROVER_LOGGER_LOG_FILE_H

#include "logger/log-sink.h"

typedef struct FileSink {
        LogSink sink;
        int fd;
        bool is_index_checked; /* the index beside it is this file's */
        bool is_turn_due;      /* to be rotated at the end of the line that stands in it */
        bool is_form_known;
        uint8_t form;          /* LogForm of its lines */
        uint64_t dev, ino, size, line_bytes;
        uint64_t last_writer; /* 0: nobody since the sink was made */
        uint64_t n_grown;     /* bytes since the quota was looked at */
        usec_t begun_usec;    /* CLOCK_REALTIME of its first byte; 0: it is empty */
        usec_t checked_usec, index_usec, rotate_after_usec;
        LoopTimer turn;       /* rotate_usec; armed while there is something in the file */
} FileSink;

static inline FileSink *file_of(LogSink *s) {
        return container_of(s, FileSink, sink);
}

/* log-sink-file.c */
int file_open(FileSink *f);
int file_ready(FileSink *f); /* open, and still the file that has the name */
void file_close(LogSink *s);
void file_index(FileSink *f, LogForm form);
/* "x.stdout.log" -> "x.stdout.idx"; a path given by the user has no index beside it. */
bool file_index_name(const LogSink *s, const char *name, char buf[static LOG_SINK_NAME_MAX]);
void file_account(FileSink *f, const uint8_t *data, size_t n);
/* write() once, at most @n bytes of text that is nobody's block. */
int file_put_extra(FileSink *f, const uint8_t *data, size_t n);
size_t file_matches(int fd, uint64_t offset, const uint8_t *data, size_t n);

/* log-sink-lines.c: one step of a formatted block; the same decision for a dead logger's */
int file_step_lines(FileSink *f, LogWrite *w);
void file_settle_lines(FileSink *f, LogWrite *w, int fd, uint64_t size);
int file_mark(LogSink *s, const LogMark *m);
bool file_has_mark(LogSink *s, const LogMark *m, const LogMarkPlace *p);

/* The current file and number 1: which of them is inode @ino? Opened for reading and cutting; -ENOENT. */
int file_find(const LogSink *s, uint64_t dev, uint64_t ino, int *ret_fd, struct stat *ret_st);

/* log-sink-turn.c: rotation */
int file_take_form(FileSink *f, const LogWrite *w); /* a process that begins in another form begins a new file */
int file_turn(FileSink *f);              /* now; -errno: the file stays */
int file_turn_or_grow(FileSink *f);      /* a rotation that fails is no reason to lose or to wait */
bool file_is_overdue(const FileSink *f); /* by time or by request */
void file_arm_turn(FileSink *f);
void file_mend(LogSink *s);
int file_rotate(LogSink *s);
int file_clear(LogSink *s);
void file_set_bounds(LogSink *s, bool is_change);

#endif
