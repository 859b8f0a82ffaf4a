/* logger-protocol.h - the lines of drover-logger: one to the keeper, one to droverd. SOCK_SEQPACKET pairs.
 *
 * keeper -> logger: SCRATCH (first, +memfd), then ATTACH for every live output, PEER (+fd: droverd's line), LINGER,
 * RESPEC, REOPEN, FINISH. logger -> keeper: DETACHED, REFUSED, NO_PEER. The logger finds this line at descriptor
 * $DROVER_KEEPER_FD.
 * droverd -> logger: READ, CANCEL, CREDIT, ROTATE, CLEAR. logger -> droverd: LINES, END, DROPPED.
 *
 * The keeper has duplicates of every pipe it attaches, and the scratch memfd in which the logger notes what it
 * has read and not yet written: a new logger after a SIGKILL goes on where the old one was. */
#ifndef DROVER_LINK_LOGGER_PROTOCOL_H
#define DROVER_LINK_LOGGER_PROTOCOL_H

#include "link/log-spec.h"
#include <stddef.h>
#include <stdint.h>

#define LOGGER_SCRATCH_BYTES (256u * 1024) /* size of the scratch memfd, sealed against resizing */
#define LOGGER_ALL_SLOTS UINT32_MAX
#define LOGGER_LINES_MAX 49152             /* payload bytes of one LINES packet */
#define LOGGER_LINE_MAX 16384              /* longer lines are delivered in pieces, marked as continued */

typedef enum LoggerMessageType {
        LOGGER_SCRATCH = 1, /* +memfd */
        LOGGER_ATTACH,      /* slot, generation, attach; fds: read ends of stdout, stderr as attach.streams says */
        LOGGER_LINGER,      /* slot, generation, linger_usec: process gone, give up on its pipes after this */
        LOGGER_PEER,        /* +fd: a new line to droverd; the old one is finished; generation: its number */
        LOGGER_REOPEN,
        LOGGER_FINISH,      /* drain every pipe that is at its end or idle, flush, exit 0 */
        LOGGER_DETACHED,    /* slot, generation: all its pipes are at their end and written (or given up) */
        LOGGER_REFUSED,     /* slot, generation: no room for this output now, attach it again in a while; or LOGGER_ALL_SLOTS */
        LOGGER_RESPEC,      /* slot, generation, respec: other bounds for a live output; its path and form stay */
        LOGGER_NO_PEER,     /* generation: this line to droverd never came, or is at its end; a new one is welcome */

        LOGGER_READ = 64, /* request; read */
        LOGGER_CANCEL,    /* request */
        LOGGER_CREDIT,    /* request; credit: so many payload bytes more may be sent */
        LOGGER_LINES,     /* request; lines; then lines.n_bytes of payload: LoggerLine + bytes, repeated */
        LOGGER_END,       /* request; end */
        LOGGER_ROTATE,    /* request; read.streams, read.spec: these files are rotated; END follows */
        LOGGER_CLEAR,     /* the same: emptied, rotated ones removed */
        LOGGER_DROPPED,   /* dropped: a full disk and on_full "drop" */
} LoggerMessageType;

typedef struct LoggerLine { /* followed by n_bytes of text without its newline; no padding */
        uint64_t time_usec; /* CLOCK_REALTIME; 0 when unknown */
        uint32_t n_bytes;
        uint8_t stream;     /* LOG_STREAM_STDOUT or _STDERR; 0 unknown */
        uint8_t is_continued; /* the line goes on in the next piece (it was longer than LOGGER_LINE_MAX, or its end never came) */
        uint16_t pad;
} LoggerLine;

typedef struct LoggerMessage {
        uint32_t type;
        uint32_t slot;
        uint64_t generation;
        uint64_t request; /* chosen by droverd, unique among the open ones */
        union {
                struct {
                        uint32_t streams; /* LOG_STREAM_* bits that have a pipe */
                        uint32_t is_again; /* 1: re-attached after the logger's restart */
                        LogSpec spec;
                } attach;
                uint64_t linger_usec;
                struct {
                        uint32_t streams;
                        uint32_t follow;   /* 1: go on with new lines until CANCEL */
                        uint64_t n_lines;  /* last lines before that; UINT64_MAX: all */
                        uint64_t credit;   /* payload bytes that may be sent at first */
                        uint64_t since_usec; /* CLOCK_REALTIME: no older lines, as far as their time is known; 0: all */
                        LogSpec spec;
                } read;
                struct {
                        LogSpec spec;
                } respec;
                struct {
                        uint32_t stream;   /* LOG_STREAM_* */
                        int32_t error;     /* positive errno: why */
                        uint64_t n_lines, n_bytes; /* until now */
                        uint32_t is_over;  /* there is room again, and the file tells of it */
                        char worker[LOG_WORKER_MAX];
                } dropped;
                uint64_t credit;
                struct {
                        uint32_t n_bytes;
                        uint32_t pad;
                        uint64_t n_dropped; /* lines this follower missed just before these */
                } lines;
                struct {
                        int32_t error; /* 0 or positive errno */
                        uint32_t pad;
                        uint64_t n_dropped;
                        char text[128];
                } end;
        };
} LoggerMessage;

/** logger_message_size() - exact packet length of a type without payload; 0 for an unknown one. */
size_t logger_message_size(uint32_t type);

#endif
