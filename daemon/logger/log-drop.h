/* log-drop.h - output.on_full "drop": what a full disk does not take is read, counted and thrown away.
 *
 * A count belongs to a sink and stands in the scratch memory, so that it survives the logger: lines and bytes, and
 * which block was counted up to where, so that a new logger that finds the same block unfinished counts nothing twice.
 * Dropping ends at a line's end. When there is room again the file gets one line,
 *
 *   drover: 12 lines (3456 bytes) dropped: No space left on device
 *
 * and the count begins anew. Before it is written its place is noted with the count, so that a new logger which finds both
 * sees whether the line is there: it stands in the file exactly once. (droverd may hear of it twice.) While something is counted the disk is
 * tried once a second; otherwise nothing here has a timer. */
#ifndef DROVER_LOGGER_LOG_DROP_H
#define DROVER_LOGGER_LOG_DROP_H

#include "logger/log-sink.h"

#define LOG_DROP_USEC USEC_PER_SEC

typedef struct LogDropCount {
        uint64_t n_lines, n_bytes;
        uint64_t block, upto; /* the block counted last, and how much of it; block 0: none */
        int32_t error;        /* positive errno */
        uint32_t is_in_line;  /* the line that was dropped last is not at its end */
        LogMarkPlace mark;    /* where the line that tells of them is being written */
} LogDropCount;

/* In the scratch memory. Two copies and an index, so that it changes in one store. */
typedef struct LogDropRecord {
        uint64_t key; /* hash of the sink's key; 0: free */
        uint32_t index, pad;
        LogDropCount count[2];
} LogDropRecord;

typedef struct LogDrop {
        LogDropRecord *record; /* in the scratch, or `own` when that is full */
        LogDropRecord own;
        LogSink *sink;         /* borrowed: it owns this */
        LogTarget target;      /* of who wrote last */
        uint32_t stream;
        usec_t again_usec;     /* not tried before */
        LoopTimer timer;
} LogDrop;

/** log_drop_write() - log_sink_write(), and with on_full "drop" no error but those of a wrong path and -EAGAIN */
int log_drop_write(LogSink *s, LogWrite *w);
/** log_drop_adopt() - a new sink: what a logger before counted for it */
void log_drop_adopt(LogSink *s, const LogTarget *target, uint32_t stream);
/** log_drop_settle() - a dead logger's block: what it counted already is not written */
void log_drop_settle(LogSink *s, ScratchNote *note);
void log_drop_end(LogSink *s); /* one last try to write the line; the count stays in the scratch otherwise */

#endif
