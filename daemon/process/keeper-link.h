/* keeper-link.h - droverd's end of the line to the keeper.
 *
 * Owner: Supervisor. Requests are queued in order, with their descriptors, and go out with keeper_link_flush(), which
 * the owner calls after the journal was written: so no end is acknowledged before it is on record. What the socket
 * does not take is sent as it drains. Notices are read in batches and delivered one loop turn later, behind what the
 * workers themselves said meanwhile: to the Child of their slot, the rest to KeeperLinkHooks.
 *
 * keeper-link.c is the line itself, keeper-queue.c what waits to be sent, keeper-slot.c who has which slot,
 * keeper-table.c the table read at the start. */
#ifndef DROVER_PROCESS_KEEPER_LINK_H
#define DROVER_PROCESS_KEEPER_LINK_H

#include "link/keeper-protocol.h"
#include "base/macro.h"
#include <systemd/sd-event.h>

typedef struct KeeperLink KeeperLink;
typedef struct Child Child;

typedef struct KeeperLinkHooks {
        void (*on_shutdown)(void *userdata);
        void (*on_reload)(void *userdata);
        void (*on_logger)(int fd_take, pid_t pid, void *userdata); /* a new line to the logger; the descriptor is the callee's */
        void (*on_broken)(void *userdata);                         /* the keeper is gone */
} KeeperLinkHooks;

/* What the table at start-up held; walked once, then freed with keeper_link_table_done(). */
typedef struct KeeperTable {
        KeeperMessage hello;
        KeeperMessage *slots; /* KEEPER_SLOT messages */
        size_t n_slots;
        struct KeeperKept {
                char name[KEEPER_KEPT_NAME_MAX];
                int fd; /* taken with keeper_table_take_fd() or closed at the end */
        } *kept;
        size_t n_kept;
        int logger_fd;
        pid_t logger_pid;
} KeeperTable;

/**
 * keeper_link_new() - take @fd_consume, read the whole table (blocking, 10 s at most), then watch it on @event
 * Return: 0; -EPROTO when the keeper speaks another version or out of turn; -ETIMEDOUT; -ECONNRESET; -ENOMEM.
 */
int keeper_link_new(KeeperLink **ret, sd_event *event, int64_t priority, int fd_consume, const KeeperLinkHooks *hooks,
                    void *userdata);
KeeperLink *keeper_link_free(KeeperLink *l);
DEFINE_CLEANUP(KeeperLink, keeper_link_free);

KeeperTable *keeper_link_table(KeeperLink *l); /* borrowed; NULL after done */
int keeper_table_take_fd(KeeperTable *t, const char *name); /* the descriptor, or -ENOENT */
void keeper_link_table_done(KeeperLink *l);
const KeeperMessage *keeper_link_hello(const KeeperLink *l); /* borrowed, always there */

/** keeper_link_abandon() - end a process of the table that nobody wants: kill its tree, acknowledge its end. */
int keeper_link_abandon(KeeperLink *l, const KeeperMessage *slot_info);

int keeper_link_keep(KeeperLink *l, const char *name, int fd); /* duplicates */
int keeper_link_drop(KeeperLink *l, const char *name);
int keeper_link_notify(KeeperLink *l, const char *text);
int keeper_link_ping(KeeperLink *l);
int keeper_link_reopen(KeeperLink *l);
int keeper_link_sweep(KeeperLink *l);
/** keeper_link_quit() - @leave_running: processes that still have a slot are not killed. */
int keeper_link_quit(KeeperLink *l, int code, bool leave_running);
/**
 * keeper_link_flush() - send what is queued now as far as the socket takes it
 * Order: KEEP and DROP, then ACK, then the rest. Return: 0; -EPIPE when the keeper is gone (on_broken follows).
 */
int keeper_link_flush(KeeperLink *l);
/** keeper_link_flush_soon() - the same, but acknowledgements alone wait up to 20 ms for something that goes with them. */
int keeper_link_flush_soon(KeeperLink *l);
bool keeper_link_is_flushed(const KeeperLink *l); /* nothing waits to be sent */
/** keeper_link_is_safe() - every descriptor given to be kept has been sent: only then may answers go out. */
bool keeper_link_is_safe(const KeeperLink *l);
/** keeper_link_n_launching() - launches without an answer yet: callers keep it below a bound. */
unsigned keeper_link_n_launching(const KeeperLink *l);

#endif
