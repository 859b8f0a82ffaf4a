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
#include "logger/log-format.h"
#include "logger/log-janitor.h"
#include "logger/log-loop.h"
#include "logger/log-scratch.h"
#include <uthash.h>

#define LOG_RETRY_USEC USEC_PER_SEC
#define LOG_REPORT_USEC USEC_PER_MINUTE

/* A LogSpec in as many bytes as it needs. */
typedef struct LogBounds { /* what may change while the worker runs */
        uint64_t max_size, max_total;
        usec_t rotate_usec;
        uint32_t max_files;
        uint8_t compress, on_full; /* LogCompress, LogOnFull */
} LogBounds;

typedef struct LogTarget {
        uint32_t kind;
        LogBounds bounds;
        LogStyle style;
        char *worker, *path; /* owned */
} LogTarget;
int log_target_init(LogTarget *t, const LogSpec *spec); /* -EINVAL for unterminated text, -ENOMEM */
void log_target_done(LogTarget *t);
void log_target_spec(const LogTarget *t, LogSpec *ret);
LogBounds log_bounds_of(const LogSpec *spec);
/** log_target_is_whole() - only whole lines are taken: several writers meet there, or each line is formatted. */
bool log_target_is_whole(const LogTarget *t);

typedef struct LogSink LogSink;
typedef struct LogSinkTable LogSinkTable;

/* One block on its way. The note's place is kept true by whoever writes. */
typedef struct LogWrite {
        ScratchNote *note;
        const LogTarget *target;
        const uint8_t *data; /* the whole block; writing goes on at the note's place.done */
        size_t n_bytes;
        bool is_cut;      /* the newline at its end was added: the line goes on in the next block, or never */
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

typedef struct LogMessageDropped {
        const char *worker;
        uint32_t stream;
        uint64_t n_lines, n_bytes;
        int error;    /* positive errno */
        bool is_over;
} LogMessageDropped;

/* Where a line of our own is written: what is needed to tell whether it was. */
typedef struct LogMarkPlace {
        uint64_t dev, ino, offset; /* ino 0: nowhere */
        uint64_t time_usec;
        uint64_t is_in_line; /* a newline goes before it */
} LogMarkPlace;

typedef struct LogMark {
        const LogTarget *target;
        const char *text; /* without newline, at most LOG_MARK_MAX bytes */
        uint32_t stream;
        void (*on_place)(void *userdata, const LogMarkPlace *p); /* just before it is written */
        void *userdata;
} LogMark;
#define LOG_MARK_MAX 200u

#define LOG_SINK_NAME_MAX 300 /* NAME_MAX and a number */

typedef struct LogSinkOps {
        const char *name;
        bool has_index; /* files of ours, with an index beside them */
        LogSink *(*alloc)(void);
        /* Writes on from place.done; returns 0 when all is written, or -errno: place.done tells how far it came. */
        int (*write)(LogSink *s, LogWrite *w);
        /* place.done brought up to what a dead logger really wrote, by looking at the file. */
        void (*settle)(LogSink *s, LogWrite *w);
        void (*mend)(LogSink *s);  /* what a dead logger left half done beside the block; may be NULL */
        void (*close)(LogSink *s); /* gives up descriptors; the next write opens again */
        /* Those below may be NULL. */
        void (*set_bounds)(LogSink *s, bool is_change); /* s->bounds are new, or were changed */
        int (*rotate)(LogSink *s);      /* now, or at the end of the line that stands there */
        int (*clear)(LogSink *s);       /* everything in it, rotated files too */
        int (*mark)(LogSink *s, const LogMark *m);
        bool (*has_mark)(LogSink *s, const LogMark *m, const LogMarkPlace *p); /* it was written there */
        void (*done)(LogSink *s);
} LogSinkOps;

struct LogSink {
        const LogSinkOps *ops;
        LogSinkTable *table; /* borrowed */
        UT_hash_handle hh;
        char *key;           /* path of the file, or "journal:WORKER" */
        char *worker;        /* of the first who asked for it; for messages */
        char *quota_path;    /* for log_janitor_quota() */
        bool is_of_pool;
        LogBounds bounds;
        uint32_t n_refs;
        LogTail *tails;
        struct LogDrop *drop; /* log-drop.h; NULL: nothing was dropped */
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
        LogJanitor janitor;
        LogScratch *scratch; /* borrowed; NULL until there is one */
        /* Lines were dropped: at the beginning, and (is_over) when the mark that tells of them is written. */
        void (*on_dropped)(LogSinkTable *t, const LogMessageDropped *d);
};

void log_sink_table_init(LogSinkTable *t, LogLoop *loop);
void log_sink_table_done(LogSinkTable *t); /* every sink must be gone */
/** log_sink_table_evict() - close the @n least recently used open sinks. Returns how many it closed. */
size_t log_sink_table_evict(LogSinkTable *t, size_t n);
void log_sink_table_reopen(LogSinkTable *t);

/** log_sink_get() - a new reference to the sink of a stream. -EINVAL when the kind has none, -ENOMEM. */
int log_sink_get(LogSinkTable *t, const LogTarget *target, uint32_t stream, LogSink **ret);
void log_sink_set_bounds(LogSink *s, const LogBounds *bounds); /* the newest writer's count */
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
