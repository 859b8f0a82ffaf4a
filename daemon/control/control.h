/* control.h - the JSON socket: the whole room as its owner, the supervisor, sees it. */
#ifndef DROVER_CONTROL_CONTROL_H
#define DROVER_CONTROL_CONTROL_H

#include "config/config.h"
#include "event/hub.h"
#include "pool/pool.h"
#include "process/logger-link.h"
#include "task/task.h"

typedef struct Control Control;

/* Bounds; all of them in `daemon.info` ("limits") and in drover-protocol(7). */
#define CONTROL_LINE_MAX (64u * 1024)      /* bytes of one message */
#define CONTROL_NODES_MAX 8192u            /* JSON values in one message */
#define CONTROL_DEPTH_MAX 32u
#define CONTROL_BATCH_MAX 64u              /* requests in one batch */
#define CONTROL_CALLS_MAX 256u             /* in flight on one connection */
#define CONTROL_CONNECTIONS_MAX 1024u      /* in all; of these root and the own user have some reserved */
#define CONTROL_CONNECTIONS_RESERVED 8u
#define CONTROL_CONNECTIONS_PER_UID_MAX 256u
#define CONTROL_INPUT_PER_UID_MAX (8u << 20)   /* bytes of unfinished lines of one user */
#define CONTROL_INPUT_MAX (64u << 20)          /* and of all */
#define CONTROL_OUTPUT_PER_UID_MAX (32u << 20) /* bytes of unread output of one user */
#define CONTROL_OUTPUT_MAX (256u << 20)        /* and of all */
#define CONTROL_CALLS_PER_UID_MAX 1024u        /* calls in flight of one user */
#define CONTROL_STREAMS_PER_UID_MAX 64u        /* of these, logs and events */
#define CONTROL_STOP_TIMEOUT_MAX (60 * USEC_PER_SEC) /* of what such a user has run: shorter than systemd's patience */
#define CONTROL_READS_PER_UID_MAX 256u         /* workers whose logs these read */
#define CONTROL_READS_MAX 2048u                /* by all users; the logger has room for some more, for its own */
#define CONTROL_WATCHES_PER_UID_MAX 65536u     /* workers that calls in flight of one user wait for */
#define CONTROL_WATCHES_MAX (1u << 20)         /* and of all */
#define CONTROL_PROCESSES_PER_UID_MAX 256u     /* of `run` and pool.add of one user who is no administrator */
#define CONTROL_POOLS_PER_UID_MAX 64u          /* of pool.add of such a one */
#define CONTROL_ATTACHED_MAX 256u              /* descriptors on their way to one connection */
#define CONTROL_BATCH_OUTPUT_MAX (2u << 20)    /* bytes of answers to one batch; the rest of it gets the error limit */
#define CONTROL_UNREAD_MARK (256u * 1024)  /* unread output beyond which no more requests are read and streams pause */
#define CONTROL_UNREAD_MAX (16u << 20)     /* beyond which the connection is dropped */
#define CONTROL_LINE_TIMEOUT_SEC 10        /* to finish a line once begun */
#define CONTROL_STALL_TIMEOUT_SEC 30       /* unread output beyond the mark without any progress */

typedef struct ControlLimit {
        const char *name, *help;
        uint64_t value;
} ControlLimit;
/** control_limits() - the bounds above as `daemon.info` and the manual show them. Constant. */
const ControlLimit *control_limits(size_t *ret_n);

/* What control cannot do itself: the supervisor's duties. Each fills in @error_text (or faults) on failure. */
typedef struct ControlHooks {
        /* Load and check files; nothing changes. */
        int (*config_check)(ConfigFaults *faults, void *userdata);
        /* Load, diff, apply. *ret_changes: JSON array text of what was done, the caller's. */
        int (*config_apply)(ConfigFaults *faults, char **ret_changes, void *userdata);
        json_t *(*config_show)(void *userdata); /* a new reference */
        const Config *(*config)(void *userdata); /* in force: who has which role; borrowed; NULL or no hook: root and own user */
        /* Load, diff: what config_apply would do, in the same words. */
        int (*config_plan)(ConfigFaults *faults, char **ret_changes, void *userdata);
        /* Put @value (JSON null: take the override back) over @key of a pool; *ret_changes as config_apply's.
         * -ENOENT: no such key; -EBADMSG: @faults. */
        int (*config_set)(Pool *p, const char *key, json_t *value, bool persist, ConfigFaults *faults, char **ret_changes,
                          void *userdata);
        json_t *(*config_overrides)(void *userdata); /* {"POOL":{"key":value}}, a new reference */
        const ConfigContext *(*config_context)(void *userdata);
        /* All metrics, appended: OpenMetrics to the letter, or what Prometheus' own tools take. */
        void (*metrics_put)(bool is_openmetrics, Text *t, void *userdata);
        /* Extra members of daemon.info: version .. socket; @is_brief: only what anybody may know. */
        void (*info_put_json)(Text *t, bool is_brief, void *userdata);
        void (*shutdown)(void *userdata);
        void (*reopen_logs)(void *userdata);
} ControlHooks;

typedef struct ControlWorld {
        sd_event *event;
        PoolSet *pools;
        Hub *hub;
        LoggerLink *logger;
        TaskRoom *tasks;
        ControlHooks hooks;
        void *userdata;
} ControlWorld;

/** control_new() - take over a listening socket. */
int control_new(Control **ret, const ControlWorld *world, int listen_fd_take);
/** control_listen_again() - take over another listening socket in place of the first, whose file is gone. -errno. */
int control_listen_again(Control *c, int listen_fd_take);
Control *control_free(Control *c);
DEFINE_CLEANUP(Control, control_free);
/** control_worker_changed() - called from PoolHooks: waiting calls look again. Cheap when none waits. */
void control_worker_changed(Control *c, Worker *w);
/** control_worker_removed() - called from PoolHooks: @w dies after it; calls that wait for it keep what it last was. */
void control_worker_removed(Control *c, Worker *w);
void control_pool_changed(Control *c, Pool *p, bool is_removed);
/** control_access_changed() - the roles may be others now: streams in flight are looked at again by the next settle. */
void control_access_changed(Control *c);
/** control_settle() - answer the waiting calls whose wish came true. From the post source, after converge. */
void control_settle(Control *c);
/** control_flush() - write queued output. From the post source, after journal_flush(). Both do as much as a turn bears. */
void control_flush(Control *c);
/** control_note_due() - something changed after control_settle(): there shall be another turn for those who wait for it. */
void control_note_due(Control *c);
/** control_finish() - settle and flush all there is: there will be no further turn. */
void control_finish(Control *c);
/** control_begin_shutdown() - refuse changing calls with `shutting-down`; status, wait, logs go on. */
void control_begin_shutdown(Control *c);

/**
 * listener_bind() - lock and bind @path: directory made and checked, lock file <path>.lock held (flock), a stale socket
 * replaced, mode 0600 set before bind
 *
 * The descriptors are the caller's; the lock lasts as long as any duplicate of *ret_lock_fd. Changes the umask for the
 * moment of bind(2).
 *
 * Return: 0; -EADDRINUSE when another daemon holds the lock or answers on the socket (its pid, as far as known, else 0,
 *         in *ret_pid, which is always set); -ENAMETOOLONG; -EPERM when others can write in the directory;
 *         -EEXIST when @path is no socket; the rest of open(2), mkdir(2) and bind(2).
 */
int listener_bind(const char *path, int *ret_listen_fd, int *ret_lock_fd, pid_t *ret_pid);
/**
 * listener_bind_again() - as listener_bind(), by the daemon that holds the lock, when the file of its socket is gone
 * @lock_fd: in/out, the lock held; another one, with the first closed, when the lock file is gone too
 * Return: as listener_bind().
 */
int listener_bind_again(const char *path, int *lock_fd, int *ret_listen_fd);
/**
 * listener_set_access() - whom the file at @path lets connect: a socket of the own user, else -EPERM
 * New sockets let in the own user alone until then. Return: 0; the rest of open(2), chown(2), chmod(2).
 */
int listener_set_access(const char *path, gid_t gid, mode_t mode);
/** listener_bind_describe() - a sentence for people for what listener_bind() returned. In @buf. */
const char *listener_bind_describe(const char *path, int error, pid_t pid, char *buf, size_t size);
/** listener_lock_note() - write the own pid into the lock file, for the message of a second daemon. */
int listener_lock_note(int lock_fd);
/** socket_default_path() - as CONTRACT section 1; $DROVER_SOCKET first. The caller frees. NULL: out of memory. */
char *socket_default_path(void);

#endif
