/* keeper-link.h - droverd's end of the line to the keeper.
 *
 * Owner: Supervisor. Requests are queued in order (with their descriptors) when the socket is full and sent as
 * it drains. Notices for a slot go to the Child registered for it; the rest to KeeperLinkHooks. */
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
        struct {
                char name[64];
                int fd; /* taken with keeper_table_take_fd() or closed at the end */
        } kept[KEEPER_KEPT_MAX];
        size_t n_kept;
        int logger_fd;
        pid_t logger_pid;
} KeeperTable;

/** keeper_link_new() - take @fd_consume, read the whole table (blocking, 10 s at most), then watch it on @event. */
int keeper_link_new(KeeperLink **ret, sd_event *event, int64_t priority, int fd_consume, const KeeperLinkHooks *hooks,
                    void *userdata);
KeeperLink *keeper_link_free(KeeperLink *l);
DEFINE_CLEANUP(KeeperLink, keeper_link_free);

KeeperTable *keeper_link_table(KeeperLink *l); /* borrowed; NULL after done */
int keeper_table_take_fd(KeeperTable *t, const char *name); /* the descriptor, or -ENOENT */
void keeper_link_table_done(KeeperLink *l);
const KeeperMessage *keeper_link_hello(const KeeperLink *l); /* borrowed, always there */

int keeper_link_keep(KeeperLink *l, const char *name, int fd); /* duplicates */
int keeper_link_drop(KeeperLink *l, const char *name);
int keeper_link_notify(KeeperLink *l, const char *text);
int keeper_link_ping(KeeperLink *l);
int keeper_link_reopen(KeeperLink *l);
int keeper_link_sweep(KeeperLink *l);
int keeper_link_quit(KeeperLink *l, int code);
/** keeper_link_flush() - send what is queued now as far as the socket takes it. */
int keeper_link_flush(KeeperLink *l);
/** keeper_link_n_launching() - launches without an answer yet: callers keep it below a bound. */
unsigned keeper_link_n_launching(const KeeperLink *l);

#endif
