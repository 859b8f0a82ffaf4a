/* keeper.h - the keeper as a whole: one thread, one epoll loop, nothing allocated and nothing waited for in it.
 *
 * A turn: wait for events, handle each; then look after trees that are ending, take the next step of an ending
 * of our own, send what is due on both lines, and set the one timer to the earliest deadline.
 *
 * Rooms of its inside: launch (slot FREE -> LAUNCHING -> RUNNING; launch-template: without exec, launch-spare: by a process that
 * was forked ahead), cgroup (trees; cgroup-leaf: places used again), output (pipes of which nothing has come), reap (deaths,
 * trees), droverd-line and logger-line (both directions), lives (the two programs, shutdown). They meet only in this struct. */
#ifndef DROVER_KEEPER_KEEPER_H
#define DROVER_KEEPER_KEEPER_H

#include "keeper/kept.h"
#include "keeper/means.h"
#include "keeper/notify-relay.h"
#include "keeper/oom.h"
#include "keeper/peer-link.h"
#include "keeper/program.h"
#include "keeper/slot.h"
#include "keeper/tree.h"
#include "base/clock.h"

/* What an epoll event is about; the rest of its 64 bits is slot and generation (see keeper_watch_slot). */
typedef enum KeeperSource {
        SOURCE_SIGNAL,
        SOURCE_TIMER,
        SOURCE_DROVERD_LINE,
        SOURCE_DROVERD_DEATH,
        SOURCE_LOGGER_LINE,
        SOURCE_LOGGER_DEATH,
        SOURCE_SLOT_DEATH,
        SOURCE_SLOT_REPORT,
        SOURCE_SLOT_READY,
        SOURCE_SLOT_TEMPLATE,
        SOURCE_SLOT_OUTPUT,
        _SOURCE_MAX,
} KeeperSource;

typedef enum KeeperTimer {
        TIMER_SCAN,     /* children without a pidfd: orphans */
        TIMER_TREES,    /* is a killed tree empty yet? */
        TIMER_DROVERD,  /* its next start */
        TIMER_LOGGER,
        TIMER_WATCHDOG, /* droverd must have said PING before this */
        TIMER_SYSTEMD,  /* WATCHDOG=1 is due */
        TIMER_LINES,    /* the kernel was short of memory for a packet */
        TIMER_ATTACH,   /* outputs that the logger had no room for */
        TIMER_PEER,     /* a new line between droverd and the logger */
        TIMER_DEFERRED, /* spares that were used and did not end at once */
        TIMER_CLAIMS,   /* who says to be a template's child, and is not ours yet */
        TIMER_FREEZE,   /* does a tree stand still yet? */
        TIMER_QUIT,     /* patience with the present step of the end */
        _TIMER_MAX,
} KeeperTimer;

/* The end: each step is left when its condition holds, or when TIMER_QUIT says that it will not. */
typedef enum KeeperQuit {
        QUIT_NOT,
        QUIT_WORKERS, /* until no worker is left */
        QUIT_LOGGER,  /* until the logger has written all and is gone */
        QUIT_DROVERD, /* until droverd is gone too */
        QUIT_DONE,
} KeeperQuit;

#define KEEPER_QUIT_STEP_USEC (5 * USEC_PER_SEC)
#define KEEPER_LOOKED_MAX 32
#define KEEPER_RESERVE_FDS 8 /* held back so that the programs can be started when descriptors are short */

typedef struct Keeper {
        int epoll_fd, signal_fd, timer_fd;
        usec_t now_usec; /* of this turn, CLOCK_MONOTONIC */
        usec_t due[_TIMER_MAX], armed_usec;
        usec_t tree_delay_usec, freeze_delay_usec, scan_wanted_usec;
        unsigned n_deaths_since_scan_wanted;

        SlotTable *table;
        unsigned n_awaited; /* slots that wait for a template's child */
        uint32_t deferred[KEEPER_LOOKED_MAX]; /* slots that are looked at by TIMER_DEFERRED */
        uint32_t unclaimed[KEEPER_LOOKED_MAX]; /* awaited spares that no event tells of: looked at after each turn */
        uint32_t born[KEEPER_LOOKED_MAX]; /* claimed spares that droverd is told of behind what else there is to tell */
        unsigned n_deferred, n_unclaimed, n_born;
        Tree tree;
        Means means;
        OomWatch oom;
        Program droverd, logger;
        PeerLink to_droverd, to_logger;
        int quiet_fd;      /* see quiet-line.c; -EBADF: there is none */
        int quiet_peer_fd; /* droverd's end of it, until it is sent */
        uint32_t droverd_events, logger_events; /* what epoll waits for on the lines */
        unsigned table_part;   /* of the greeting: see droverd-line.c */
        uint32_t table_cursor;
        KeptTable *kept;
        int scratch_fd;
        int peer_fds[2]; /* ends of a fresh line droverd - logger, not yet sent: [0] droverd's, [1] the logger's */
        uint64_t n_peer_lines;
        NotifyRelay notify;
        int reserve[KEEPER_RESERVE_FDS];

        uint64_t started_usec; /* CLOCK_REALTIME */
        uint64_t n_fds_soft;
        usec_t watchdog_usec, ping_usec, systemd_watchdog_usec;
        bool reset_oom_score, is_ready, shutdown_wanted, leave_running, is_peer_line_missing;
        KeeperQuit quit;
        int exit_code;
} Keeper;

typedef struct KeeperOptions {
        const char *droverd, *logger; /* paths */
        char **droverd_argv;          /* argv[0] included */
        char **env;                   /* the keeper's own */
} KeeperOptions;

/* keeper-open.c */
int keeper_open(Keeper *k, const KeeperOptions *o);
void keeper_close(Keeper *k);

/* keeper.c */
int keeper_run(Keeper *k); /* the exit code */
int keeper_watch(Keeper *k, int fd, uint32_t events, KeeperSource source);
int keeper_watch_slot(Keeper *k, int fd, uint32_t events, KeeperSource source, const Slot *s);
/** keeper_unwatch() - take @fd out of the loop; -EBADF is fine. Before every close of a watched descriptor: a child that was
 *  forked meanwhile holds a duplicate until its exec, and with it epoll would go on to report the closed one, hot. */
void keeper_unwatch(Keeper *k, int fd);
int keeper_unwatch_close(Keeper *k, int fd); /* and close; returns -EBADF */
void keeper_set_timer(Keeper *k, KeeperTimer timer, usec_t in_usec);
void keeper_unset_timer(Keeper *k, KeeperTimer timer);
void keeper_release_reserve(Keeper *k);
void keeper_refill_reserve(Keeper *k);

/* launch.c */
void launch(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds);
/** launch_read_report() - its report socket hung up: what did it say? Afterwards it is RUNNING or is_failed. */
void launch_read_report(Keeper *k, Slot *s);
void launch_read_ready(Keeper *k, Slot *s);

/* launch-template.c */
void template_hear(Keeper *k, Slot *s);        /* its socket: ready, or closed */
void template_read_claim(Keeper *k, Slot *s);  /* the report socket of a slot that is awaited */
void template_look_at_claims(Keeper *k);       /* TIMER_CLAIMS */
void template_abandon(Keeper *k, Slot *s);     /* nobody wants what is awaited any more */
void template_gone(Keeper *k, Slot *s);        /* its main process is dead: what was asked of it fails */

/* quiet-line.c */
void quiet_line_open(Keeper *k);  /* a new life of droverd */
void quiet_line_hear(Keeper *k);  /* before anything is done about a spare */
void quiet_line_end(Keeper *k);   /* that life is over */
void quiet_line_close(Keeper *k);

/* launch-spare.c */
void spare_used(Keeper *k, const KeeperMessage *m);    /* SPARE_USED */
void spare_call_off(Keeper *k, Slot *s);    /* one that is in the table ends, unless it is somebody's launch by now */
void spare_read_report(Keeper *k, Slot *s); /* of one that is in the table: what has become of its launch, if there was one */
void spare_look_at_deferred(Keeper *k);     /* TIMER_DEFERRED */
void spare_claim(Keeper *k);                /* after a turn */
void spare_tell_births(Keeper *k);          /* at its end, before droverd is told anything */
void spare_note_end(Keeper *k, const Slot *s); /* its main process is dead */

/* quiet-output.c */
void output_begin(Keeper *k, Slot *s); /* it has its pipes now; the logger gets them with the first byte */
void output_look(Keeper *k, Slot *s);  /* something is there, or one of them was closed */
void output_end(Keeper *k, Slot *s);   /* its tree is no more: what is open still is the logger's */

/* reap.c */
void reap_begin_ending(Keeper *k, Slot *s); /* no main process (any more): its tree is to end, then it is ENDED */
void reap_slot(Keeper *k, Slot *s);
void reap_scan(Keeper *k);
void reap_put_off_scan(Keeper *k); /* while workers known by their pidfds are dying */
void reap_endings(Keeper *k); /* once a turn */
void reap_release(Keeper *k, Slot *s); /* if nobody needs it any more */

/* freeze.c */
void freeze_begin(Keeper *k, Slot *s, bool is_frozen); /* its tree; NOTICE_FROZEN follows unless it ends before */
void freeze_look(Keeper *k);

/* droverd-line.c */
enum { NOTICE_STARTED, NOTICE_READY, NOTICE_FROZEN, NOTICE_END, NOTICE_DRAINED, NOTICE_SPARE_BORN }; /* bits of a slot */
enum { NOTICE_LOGGER, NOTICE_SHUTDOWN, NOTICE_RELOAD };                       /* tail bits of the line */
enum { NOTICE_TABLE };                                                        /* head bit */
extern const PeerLinkHooks droverd_line_hooks;
void droverd_line_greet(Keeper *k); /* a new life: say the whole table */
void droverd_line_read(Keeper *k, bool to_the_end);

/* keeper-request.c */
void request_handle(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds);

/* logger-line.c */
enum { FEED_ATTACH, FEED_RESPEC, FEED_LINGER }; /* bits of a slot */
enum { FEED_PEER, FEED_REOPEN, FEED_FINISH }; /* tail bits */
enum { FEED_SCRATCH };                        /* head bit */
extern const PeerLinkHooks logger_line_hooks;
void logger_line_greet(Keeper *k);
void logger_line_read(Keeper *k);
void logger_line_attach_again(Keeper *k);
void logger_line_attach(Keeper *k, const Slot *s); /* its pipes are the logger's from now on; again after a refusal */
void logger_line_drained(Keeper *k, Slot *s);      /* nothing can come any more */

/* lives.c */
void lives_start_droverd(Keeper *k);
void lives_start_logger(Keeper *k);
void lives_reap_droverd(Keeper *k);
void lives_reap_logger(Keeper *k);
void lives_watchdog(Keeper *k);
void lives_renew_peer_line(Keeper *k); /* between droverd and the logger */
void lives_shutdown(Keeper *k);            /* SIGTERM: droverd shall stop in order */
void lives_quit(Keeper *k, int exit_code, bool leave_running); /* everything ends now, or all but the workers */
void lives_quit_step(Keeper *k, bool is_late);
void lives_sweep_rest(Keeper *k);          /* after the loop: wait until nothing is left */

#endif
