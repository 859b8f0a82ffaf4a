/* keeper-protocol.h - the line between droverd and drover-keeper.
 *
 * A SOCK_SEQPACKET pair; one KeeperMessage a packet, its length exactly keeper_message_size(type); descriptors
 * attached where said. droverd finds its end at the descriptor named by $DROVER_KEEPER_FD.
 *
 * At the start of each life of droverd the keeper says HELLO, one SLOT for each used slot, one KEPT (+fd) for each
 * kept descriptor, then LOGGER (+fd, the line to the logger), then TABLE_END. From then on notices come as things
 * happen. A LOGGER notice comes again whenever the logger was started anew.
 *
 * QUIET_LINE (+fd) comes with that greeting, too: one more SOCK_SEQPACKET line to the keeper, at which it looks only when it
 * is awake anyway and has a reason to. droverd uses a spare without the keeper: it says SPARE_USED there, and then gives the
 * spare its request itself, by the socket that came with SPARE_BORN. Before the keeper acts on a spare (it has ended, droverd
 * asks for something to be done with it, its template or droverd has died) it reads the quiet line to the end. So whatever a
 * spare does is preceded by who it is, and that droverd has said so survives droverd.
 *
 * A slot is a number chosen by droverd, 0 .. KEEPER_SLOTS_MAX-1. Slot and generation together name one process
 * for ever; a request with a generation that is not the slot's is ignored (it raced with a death).
 * Life of a slot: FREE -> LAUNCHING -> RUNNING -> ENDED -> (ACK and output drained) -> FREE. A LAUNCH that fails
 * goes LAUNCHING -> ENDED with failed=1: it too waits for its ACK, so that no answer is lost with droverd. */
#ifndef DROVER_LINK_KEEPER_PROTOCOL_H
#define DROVER_LINK_KEEPER_PROTOCOL_H

#include "link/log-spec.h"
#include <stdint.h>
#include <stddef.h>

#define KEEPER_PROTOCOL_VERSION 4u
#define KEEPER_SLOTS_MAX 32768u
#define KEEPER_KEPT_MAX 4096u /* listening sockets of pools, and a handful of droverd's own */
#define KEEPER_KEPT_NAME_MAX 160 /* "listen.POOL.SOCKET.N.HASH"; systemd's FDNAME holds 255 */
#define KEEPER_NAME_MAX 80
#define KEEPER_TEXT_MAX 512
#define KEEPER_SUPERVISOR_CGROUP "supervisor" /* where keeper, droverd and logger go to make room for limits on workers */

typedef enum KeeperMessageType {
        /* requests, droverd -> keeper */
        KEEPER_LAUNCH = 1, /* slot, generation, launch; fds: launch memfd, then launch.n_fds extra ones */
        KEEPER_SIGNAL,     /* slot, generation, signal */
        KEEPER_KILL_TREE,  /* slot, generation: SIGKILL of the whole tree (cgroup.kill, or sweep) */
        KEEPER_ACK,        /* slot, generation: droverd has the end on record, the keeper may forget it */
        KEEPER_KEEP,       /* kept.name; one fd: keep it over droverd's death; the same name replaces */
        KEEPER_DROP,       /* kept.name */
        KEEPER_NOTIFY,     /* text: to relay to systemd, e.g. "READY=1\nSTATUS=..." (WATCHDOG=1 is the keeper's own) */
        KEEPER_PING,       /* "I live": due every hello.ping_usec; none for hello.watchdog_usec: SIGKILL and restart */
        KEEPER_QUIT,       /* all workers are gone: end the logger, clean up, exit with quit.code */
        KEEPER_REOPEN,     /* the logger shall reopen its files */
        KEEPER_FREEZE,     /* slot, generation: no process of its tree runs any more until THAW; SIGKILL still works */
        KEEPER_THAW,       /* slot, generation. Both are answered by FROZEN, the last of several alone */
        KEEPER_RESPEC,     /* slot, generation, respec: other bounds for the log of a running process */
        KEEPER_SWEEP,      /* kill what is left outside of slots (orphans); part of shutdown */
        KEEPER_SET_CGROUP, /* slot, generation, cgroup: new values for its leaf; what is 0 is left alone */
        KEEPER_SET_LIMITS, /* slot, generation, limits: prlimit() of every process of its tree */
        KEEPER_USE_SPARE,  /* as LAUNCH, on a spare that has this slot and generation; fds: without the memfd where there is text */
        KEEPER_SPARE_USED, /* on the quiet line: the same, and the request is droverd's to hand over; spare_used */
        KEEPER_LOOK,       /* at the quiet line: what was used there has not ended at once, or spares are wanted */

        /* notices, keeper -> droverd */
        KEEPER_HELLO = 64,
        KEEPER_SLOT,      /* one used slot */
        KEEPER_KEPT,      /* kept.name; one fd */
        KEEPER_LOGGER,    /* logger.pid; one fd */
        KEEPER_QUIET_LINE, /* one fd */
        KEEPER_TABLE_END,
        KEEPER_STARTED,   /* exec succeeded: started */
        KEEPER_FAILED,    /* the launch failed: failed. No process exists */
        KEEPER_READY,     /* a newline came through the ready pipe */
        KEEPER_FROZEN,    /* its tree stands still, or runs on, as the last FREEZE or THAW asked for; or cannot: frozen */
        KEEPER_EXITED,    /* the process ended and its tree is gone (or unkillable): exited */
        KEEPER_DRAINED,   /* its output is written to the end (comes after EXITED or FAILED, also without pipes) */
        KEEPER_RAN,       /* STARTED, EXITED and DRAINED in one: ran */
        KEEPER_SPARE_BORN, /* one fd: the spare waits there for "launch TEXT", and the descriptors that the text names */
        KEEPER_SHUTDOWN,  /* the keeper got SIGTERM or SIGINT: stop in order, then QUIT */
        KEEPER_RELOAD,    /* the keeper got SIGHUP */
} KeeperMessageType;

typedef enum KeeperSlotState {
        KEEPER_SLOT_FREE,
        KEEPER_SLOT_LAUNCHING,
        KEEPER_SLOT_RUNNING,
        KEEPER_SLOT_ENDED, /* exited or failed, not yet acknowledged or not yet drained */
} KeeperSlotState;

typedef enum KeeperTreeMode {
        KEEPER_TREE_CGROUP, /* a cgroup v2 leaf per process */
        KEEPER_TREE_SWEEP,  /* session, process group, subreaper and /proc */
} KeeperTreeMode;

#define KEEPER_HELLO_SHUTDOWN 1u /* a shutdown is wanted already */
#define KEEPER_HELLO_FIRST 2u    /* the first life of droverd under this keeper */

#define KEEPER_SIGNAL_PROCESS 0u /* the worker's main process */
#define KEEPER_SIGNAL_TREE 1u    /* every process of its tree */

#define KEEPER_LAUNCH_READY_PIPE 1u /* make a ready pipe and watch it */
/* It is a template: it gets a SOCK_SEQPACKET socket of which the keeper has the other end. Its first packet there is its
 * READY; from then on launches may be made from it. */
#define KEEPER_LAUNCH_TEMPLATE 2u
/* No exec: the template in the named slot is asked to fork. The memfd is a text that the keeper passes on unread. */
#define KEEPER_LAUNCH_FROM_TEMPLATE 4u
#define KEEPER_SPARE_NAME "!spare" /* of its slot before the launch, of its leaf for ever */
#define KEEPER_SPARES_MAX 16u /* asked for with one launch */
#define KEEPER_SPARE_TEXT_MAX 1024u
#define KEEPER_BRIEF_USEC 1000u /* a process that ends sooner is brief: the next of its template is not looked at before */

/* Controllers of cgroup v2, as bits. */
#define KEEPER_CONTROLLER_MEMORY 1u
#define KEEPER_CONTROLLER_CPU 2u
#define KEEPER_CONTROLLER_PIDS 4u

/* What a keeper could do when it tried, as bits of hello.means. */
#define KEEPER_CAN_PIDFD 1u         /* a handle from a process's birth on */
#define KEEPER_CAN_CLONE_INTO 2u    /* born inside its cgroup */
#define KEEPER_CAN_CGROUP_KILL 4u   /* one write kills a whole leaf */
#define KEEPER_CAN_MOUNT 8u         /* a mount namespace for a worker */
#define KEEPER_CAN_SETPCAP 16u      /* drop from the bounding set */
#define KEEPER_CAN_SETUID 32u       /* become another user */
#define KEEPER_CAN_MACHINE_OOM 64u  /* /proc/vmstat counts out-of-memory kills */

/* Values for the leaf of a process; 0: leave it alone, UINT64_MAX: the word "max". */
typedef struct KeeperCgroup {
        uint64_t memory_max, memory_high; /* bytes */
        uint64_t cpu_max;    /* us of CPU per 100 ms */
        uint64_t cpu_weight; /* 1..10000 */
        uint64_t pids_max;
} KeeperCgroup;

#define KEEPER_LIMITS_MAX 16
typedef struct KeeperLimit {
        uint64_t resource; /* RLIMIT_* */
        uint64_t soft, hard;
} KeeperLimit;

/* A process that the template is to fork ahead, for a launch to come; generation 0: none. Its slot is used from then on: it
 * ends as every other, FAILED with LAUNCH_TEMPLATE when it never was launched: ESTALE, or EOPNOTSUPP where the template cannot. */
typedef struct KeeperSpare {
        uint64_t generation;
        uint32_t slot, pad;
} KeeperSpare;

/* Was it killed for want of memory? */
typedef enum KeeperOom {
        KEEPER_OOM_NO,
        KEEPER_OOM_CGROUP,  /* memory.events of its leaf says so */
        KEEPER_OOM_MACHINE, /* perhaps: a SIGKILL from elsewhere, and the kernel's own count of such kills has grown */
} KeeperOom;

typedef struct KeeperExit {
        int32_t code;           /* as siginfo_t: CLD_EXITED, CLD_KILLED, CLD_DUMPED */
        int32_t status;         /* exit code or signal */
        uint32_t stragglers;    /* other processes of its tree that had to be killed */
        uint32_t unkillable;    /* 1: the tree was not empty after the limit */
        uint64_t at_usec;       /* CLOCK_REALTIME µs of the death notice */
        uint64_t cpu_usec;      /* user + system */
        uint64_t max_rss_bytes;
        uint32_t oom;           /* KeeperOom */
        uint32_t sent;          /* the last signal that droverd had sent to it; 0: none */
        uint64_t memory_limit;  /* memory.max of its leaf; 0: none, or unknown */
        uint64_t memory_peak;   /* memory.peak of its leaf; 0: unknown */
} KeeperExit;

typedef struct KeeperFailure {
        uint32_t stage; /* LaunchStage */
        int32_t error;  /* positive errno */
        int32_t detail; /* by stage */
        uint32_t pad;
} KeeperFailure;

typedef struct KeeperLaunch {
        uint32_t flags;
        uint32_t n_fds;
        char name[KEEPER_NAME_MAX]; /* "web/0" */
        LogSpec log;
        KeeperCgroup cgroup;
        uint64_t template_generation; /* FROM_TEMPLATE: which */
        uint32_t template_slot;
        uint32_t pad;
        KeeperSpare spares[KEEPER_SPARES_MAX]; /* FROM_TEMPLATE: to be forked after this launch */
} KeeperLaunch;

typedef struct KeeperMessage {
        uint32_t type;
        uint32_t slot;
        uint64_t generation;
        union {
                KeeperLaunch launch;
                struct {
                        KeeperLaunch launch;
                        uint32_t n_text; /* 0: it is in the memfd */
                        char text[KEEPER_SPARE_TEXT_MAX]; /* passed on unread */
                } use_spare;
                struct {
                        KeeperLaunch launch;
                        uint64_t at_usec; /* CLOCK_REALTIME */
                } spare_used;
                struct {
                        int32_t number; /* 1..64; SIGKILL allowed */
                        uint32_t scope; /* KEEPER_SIGNAL_* */
                        uint32_t and_continue; /* 1: SIGCONT after it */
                } signal;
                struct {
                        char name[KEEPER_KEPT_NAME_MAX];
                } kept;
                struct {
                        LogSpec log;
                } respec;
                struct {
                        int32_t code;
                        uint32_t leave_running; /* 1: processes in slots are to live on (on_daemon_exit "keep") */
                } quit;
                char text[KEEPER_TEXT_MAX];
                KeeperCgroup cgroup;
                struct {
                        uint64_t n;
                        KeeperLimit items[KEEPER_LIMITS_MAX];
                } limits;
                struct {
                        uint32_t version;
                        uint32_t flags;     /* KEEPER_HELLO_* */
                        uint32_t tree_mode; /* KeeperTreeMode */
                        int32_t keeper_pid;
                        int32_t n_lives; /* of droverd, this one included */
                        uint32_t n_slots_max;
                        uint64_t started_usec; /* CLOCK_REALTIME of the keeper's start */
                        uint64_t watchdog_usec, ping_usec;
                        uint64_t n_fds_soft; /* the soft RLIMIT_NOFILE the keeper was started with: workers get it back */
                        char tree_reason[128]; /* why the mode is SWEEP; "" for CGROUP */
                        uint32_t means;        /* KEEPER_CAN_* */
                        uint32_t controllers;  /* KEEPER_CONTROLLER_*: those that leaves can have */
                        uint32_t landlock_abi; /* 0: none */
                        uint32_t pad;
                        char controllers_reason[128]; /* why some are missing; "" when none is */
                        char mount_reason[64];        /* why there is no mount namespace; "" when there is */
                } hello;
                struct {
                        int32_t pid;
                        uint32_t pad;
                } logger;
                struct {
                        int32_t pid;
                        uint32_t pad;
                        uint64_t at_usec; /* CLOCK_REALTIME */
                        uint64_t leaf;    /* the generation for which its leaf was made: not its own where that is used again */
                } started;
                KeeperFailure failed;
                KeeperExit exited;
                struct {
                        KeeperExit exited;
                        uint64_t started_usec; /* CLOCK_REALTIME */
                        uint64_t leaf;         /* as of STARTED */
                        int32_t pid;
                        uint32_t pad;
                } ran;
                struct {
                        uint32_t is_frozen; /* what was asked for */
                        int32_t error;      /* positive errno; ETIMEDOUT: some process of it sits in the kernel */
                } frozen;
                struct {
                        uint32_t state; /* KeeperSlotState */
                        int32_t pid;
                        uint64_t started_usec; /* CLOCK_REALTIME */
                        uint64_t leaf;         /* as of STARTED */
                        uint32_t is_ready, is_drained, is_failed, is_acked;
                        KeeperExit exited;     /* ENDED and not is_failed */
                        KeeperFailure failed;  /* ENDED and is_failed */
                        char name[KEEPER_NAME_MAX];
                } slot_info;
        };
} KeeperMessage;

/** keeper_message_size() - the exact packet length of a type; 0 for an unknown one. */
size_t keeper_message_size(uint32_t type);
#define KEEPER_PARTS_MAX 3
/** keeper_message_parts() - what @m says, as messages that say one thing each; their number. */
size_t keeper_message_parts(const KeeperMessage *m, KeeperMessage ret[static KEEPER_PARTS_MAX]);

#endif
