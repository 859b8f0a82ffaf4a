/* log-sink.h - where lines go: one LogSink per file, or per worker in the journal, shared by all who write or follow it.
 *
 * Owner: the LogSinkTable holds them by key without counting; streams and readers hold references; the last one
 * frees. A sink exists without its file being open: it is opened by the first write, and may be closed at any time
 * between two writes when descriptors are short. How a sink writes is its LogSinkOps.
 *
 * Health: a write that fails is told to the journal at once and then once a minute, and its end once. Errors of a
 * path that waiting cannot heal (log_open_is_refusal) are met by throwing data away, so that no worker stands still for ever;
 * every other error makes the worker wait: its output stays in its pipe. Only what is left of a process that ended is
 * waited for no longer than its linger time. */
#ifndef DROVER_LOGGER_LOG_SINK_H
#define DROVER_LOGGER_LOG_SINK_H

#include "link/log-spec.h"
#include "logger/log-loop.h"
#include "logger/log-scratch.h"
#include <uthash.h>

#define LOG_RETRY_USEC USEC_PER_SEC
#define LOG_REPORT_USEC USEC_PER_MINUTE

/* A LogSpec in as many bytes as it needs. */
typedef struct LogTarget {
        uint32_t kind, max_files;
        uint64_t max_size;
        char *worker, *path; /* owned */
} LogTarget;
int log_target_init(LogTarget *t, const LogSpec *spec); /* -EINVAL for unterminated text, -ENOMEM */
void log_target_done(LogTarget *t);
void log_target_spec(const LogTarget *t, LogSpec *ret);

typedef struct LogSink LogSink;
typedef struct LogSinkTable LogSinkTable;

/* One block on its way. The note's place is kept true by whoever writes. */
typedef struct LogWrite {
        ScratchNote *note;
        const uint8_t *data; /* the whole block; writing goes on at the note's place.done */
        size_t n_bytes;
        uint32_t stream;  /* LOG_STREAM_* */
        uint64_t writer;  /* who writes: changes when another process does */
        bool is_again;    /* this writer may have begun before the logger did */
} LogWrite;

/* Who is told of data right after it was written. Embedded in a follower. */
typedef struct LogTail LogTail;
struct LogTail {
        LogTail *prev, *next;
        void (*on_data)(LogTail *t, const uint8_t *data, size_t n, uint32_t stream, usec_t time);
};

typedef struct LogSinkOps {
        const char *name;
        bool whole_lines; /* takes only whole lines: several writers meet here */
        LogSink *(*alloc)(void);
        /* Writes on from place.done; returns 0 when all is written, or -errno: place.done tells how far it came. */
        int (*write)(LogSink *s, LogWrite *w);
        /* place.done brought up to what a dead logger really wrote, by looking at the file. */
        void (*settle)(LogSink *s, ScratchNote *note, const uint8_t *data);
        void (*close)(LogSink *s); /* gives up descriptors; the next write opens again */
} LogSinkOps;

struct LogSink {
        const LogSinkOps *ops;
        LogSinkTable *table; /* borrowed */
        UT_hash_handle hh;
        char *key;           /* path of the file, or "journal:WORKER" */
        char *worker;        /* of the first who asked for it; for messages */
        uint64_t max_size;
        uint32_t max_files, n_refs;
        LogTail *tails;
        usec_t used_usec, failing_usec, report_usec; /* 0: not failing */
        uint64_t n_thrown;                           /* bytes thrown away since the last report */
        bool is_open;                                /* holds a descriptor */
};

struct LogSinkTable {
        LogLoop *loop; /* borrowed */
        LogSink *sinks;
        const char *journal_path; /* socket of journald */
        int journal_fd;
        size_t n_open; /* sinks that hold a descriptor */
};

void log_sink_table_init(LogSinkTable *t, LogLoop *loop);
void log_sink_table_done(LogSinkTable *t); /* every sink must be gone */
/** log_sink_table_evict() - close the @n least recently used open sinks. Returns how many it closed. */
size_t log_sink_table_evict(LogSinkTable *t, size_t n);
void log_sink_table_reopen(LogSinkTable *t);

/** log_sink_get() - a new reference to the sink of a stream. -EINVAL when the kind has none, -ENOMEM. */
int log_sink_get(LogSinkTable *t, const LogTarget *target, uint32_t stream, LogSink **ret);
void log_sink_set_limits(LogSink *s, const LogTarget *target); /* the newest writer's count */
LogSink *log_sink_ref(LogSink *s);
LogSink *log_sink_unref(LogSink *s);
DEFINE_CLEANUP(LogSink, log_sink_unref);
/** log_sink_write() - ops->write, with the report of failure and recovery */
int log_sink_write(LogSink *s, LogWrite *w);
void log_sink_throw(LogSink *s, size_t n_bytes); /* bytes of a refused sink that are thrown away */
void log_sink_lose(LogSink *s, size_t n_bytes);  /* bytes that nobody waits for any longer; told at once */
void log_sink_push(LogSink *s, const uint8_t *data, size_t n, uint32_t stream);
void log_sink_set_open(LogSink *s, bool is_open); /* for ops: counts */

extern const LogSinkOps log_sink_file_ops, log_sink_shared_ops, log_sink_journal_ops;

#endif
