/* connection.h - one peer: its bytes in and out, its calls in flight.
 *
 * Owner: Control. States:
 *   open       reads and answers
 *   half       the peer has finished sending; calls in flight are still answered, then it closes
 *   lingering  the framing is lost or a bound is broken: the error is sent, what still comes is thrown away for a short
 *              while, so that the peer can read why
 *   closed     nothing is read or written any more; freed by control_flush()
 *
 * Nothing is written from here but by connection_flush(), at the end of a turn of the loop. A connection with more than
 * CONTROL_UNREAD_MARK of unread output reads no further requests and its streams pause. */
#ifndef DROVER_CONTROL_CONNECTION_H
#define DROVER_CONTROL_CONNECTION_H

#include "base/clock.h"
#include "base/text.h"
#include "config/config.h"
#include "control/peer.h"
#include "control/penalty.h"
#include "control/uid-book.h"
#include "task/blob.h"
#include "wire/stream.h"
#include <systemd/sd-event.h>

typedef struct Control Control;
typedef struct Connection Connection;
typedef struct Call Call;

typedef enum ConnectionState {
        CONNECTION_OPEN,
        CONNECTION_HALF,
        CONNECTION_LINGERING,
        CONNECTION_CLOSED,
} ConnectionState;

/* Whose turn it is first; each has a share of the turn of its own, so that neither starves the other. */
typedef enum ConnectionRank {
        RANK_PRIVILEGED, /* root and the own user */
        RANK_OTHERS,
        _RANK_MAX,
} ConnectionRank;

struct Connection {
        Control *control;
        Stream *stream;
        Peer peer;
        char comm[PEER_COMM_MAX]; /* as peer_comm() had it at comm_at */
        usec_t comm_at;
        UidEntry *book;
        size_t n_charged, n_out_charged; /* in the book: bytes of an unfinished line, bytes not read */
        ConnectionRank rank;
        bool has_passed_fds;             /* descriptors came with what was read */
        bool is_punished;                /* one fault too many: it ends after the answer */
        sd_event_source *io;
        uint32_t io_events;
        ConnectionState state;

        Call *calls; /* in flight */
        size_t n_calls;
        unsigned n_streams; /* of these, that pause beyond the mark: the patience is theirs */
        PoolConfig **daemons; /* of the processes that die with this connection; references, which make them unique */
        size_t n_daemons, daemons_capacity;
        BlobSet blobs; /* made by its calls, and not used yet */

        usec_t line_since;   /* a line was begun and is not finished; 0: none */
        usec_t stall_since;  /* beyond the mark, last progress; 0: below it */
        usec_t linger_since;
        size_t stall_unread; /* unread bytes at stall_since */

        bool is_unsent, is_unhandled, is_timed; /* in the list of that name */
        bool is_blocked;                        /* the socket is full: it says when it is not */
        bool is_handling;                       /* lines are being handled further up the stack */
        bool is_full;                           /* was beyond the mark at its last flush */
        Connection *prev, *next;                /* in `connections` or `closed` */
        Connection *prev_unsent, *next_unsent, *prev_unhandled, *next_unhandled, *prev_timed, *next_timed;
};

/** connection_priority() - of event sources that work for a rank. */
int connection_priority(ConnectionRank rank);
/** connection_new() - a peer just accepted; @fd_take, what @peer_take holds and @book are the connection's on success. */
int connection_new(Control *control, int fd_take, Peer *peer_take, UidEntry *book);
/** connection_free() - of a closed one only. */
Connection *connection_free(Connection *c);

/** connection_out() - where whole lines are appended; they go out at the end of the turn. Borrowed. */
Text *connection_out(Connection *c);
/** connection_offend() - the peer did what it should not; it may have been once too often. */
void connection_offend(Connection *c, PenaltyKind kind);
/** connection_check_out() - after appending: closes it when its output is beyond every bound. */
void connection_check_out(Connection *c);
/** connection_close_if_done() - a peer that has finished sending stays only for what it is still owed. */
void connection_close_if_done(Connection *c);
/** connection_is_full() - beyond the mark: streams pause until their on_writable. */
bool connection_is_full(Connection *c);
/** connection_hold() - have on_writable called after the next flush, for which something must have been queued. */
void connection_hold(Connection *c);
/** connection_handle() - go on with lines that had to wait for their turn. */
void connection_handle(Connection *c);
void connection_flush(Connection *c);
/** connection_sweep() - close it if a deadline passed. Return: true while one is still running. */
bool connection_sweep(Connection *c, usec_t now);
/** connection_own() - the process of `run` with this configuration dies with this connection. */
int connection_own(Connection *c, PoolConfig *config);
/** connection_close() - now; its calls are abandoned and its memory is freed by control_flush(). */
void connection_close(Connection *c);

#endif
