/* launch-request.h - everything a new process needs, resolved and serialised into one sealed memfd.
 *
 * droverd packs it (all names looked up, all paths chosen); the keeper passes it on unread; the new process
 * itself maps and unpacks it between fork and exec, with safe calls only. The text is trusted as far as droverd
 * is, but every offset is checked: launch_request_unpack() is a fuzz target. */
#ifndef DROVER_LINK_LAUNCH_REQUEST_H
#define DROVER_LINK_LAUNCH_REQUEST_H

#include "link/keeper-protocol.h"
#include "base/macro.h"
#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Where a launch failed. Order of the steps in child-setup; the names travel in errors and events. */
typedef enum LaunchStage {
        LAUNCH_FORK,      /* keeper: no process could be made */
        LAUNCH_CGROUP,
        LAUNCH_PIPE,      /* keeper: pipes, descriptors */
        LAUNCH_REQUEST,   /* the request could not be read */
        LAUNCH_SESSION,
        LAUNCH_SIGNALS,
        LAUNCH_OOM_SCORE,
        LAUNCH_NICE,
        LAUNCH_AFFINITY,
        LAUNCH_LIMIT,     /* detail: RLIMIT number */
        LAUNCH_NAMESPACE, /* its own view of the file system */
        LAUNCH_MOUNT,     /* detail: LaunchPathKind << 16 | index of the path */
        LAUNCH_GROUPS,
        LAUNCH_GID,
        LAUNCH_UID,
        LAUNCH_CAPABILITIES,
        LAUNCH_NO_NEW_PRIVS,
        LAUNCH_LANDLOCK,  /* detail: as of LAUNCH_MOUNT; -1: the ruleset itself */
        LAUNCH_UMASK,
        LAUNCH_DIRECTORY,
        LAUNCH_STDIO,     /* detail: 0, 1, 2 */
        LAUNCH_DESCRIPTOR,/* detail: target number */
        LAUNCH_EXEC,
        LAUNCH_KILLED,    /* gone before exec without a word */
        LAUNCH_LISTEN,    /* droverd: a listening socket could not be opened; detail: which of the configuration */
        LAUNCH_TEMPLATE,  /* the template: ESRCH, it is gone, which is not the worker's doing; else it could not, or not in time */
        _LAUNCH_STAGE_MAX,
} LaunchStage;
const char *launch_stage_to_string(LaunchStage s); /* "fork" "cgroup" ... */
int launch_stage_from_string(const char *s);       /* -EINVAL: none */

typedef struct LaunchLimit {
        int resource; /* RLIMIT_* */
        struct rlimit value;
} LaunchLimit;

/* Paths that a worker sees otherwise than its user would. */
typedef enum LaunchPathKind {
        LAUNCH_PATH_TMP, /* detail of a failing /tmp (0) or /var/tmp (1) only */
        LAUNCH_PATH_READ_ONLY,
        LAUNCH_PATH_READ_WRITE,
        LAUNCH_PATH_INACCESSIBLE,
        _LAUNCH_PATH_MAX,
} LaunchPathKind;

typedef enum LaunchIsolation {
        LAUNCH_ISOLATION_NONE,
        LAUNCH_ISOLATION_MOUNT,    /* a mount namespace */
        LAUNCH_ISOLATION_LANDLOCK, /* rules on the paths; no private /tmp */
        _LAUNCH_ISOLATION_MAX,
} LaunchIsolation;

#define LAUNCH_PATHS_MAX 64 /* of all kinds together */
#define LAUNCH_FDS_MAX 24 /* the listening sockets of a pool, and some */
#define LAUNCH_GROUPS_MAX 256
#define LAUNCH_REQUEST_MAX (4u << 20) /* bytes; beyond it execve itself says E2BIG */

/* As droverd gives it: all borrowed. Also what unpack returns: all pointing into the mapping. */
typedef struct LaunchSpec {
        char **argv;       /* NULL-terminated, argv[0] at least */
        char **env;        /* complete: nothing is added; but "LISTEN_PID=" and "WATCHDOG_PID=" with nothing behind
                              them get the new process's own pid */
        char **candidates; /* paths to try in this order; ENOENT, ENOTDIR, EACCES go on to the next */
        const char *directory;     /* NULL: "/" */
        const char *stdio_path[3]; /* NULL: /dev/null for 0, what the keeper gives for 1 and 2. Opened by the new
                                      process as its own user, O_NONBLOCK cleared afterwards */
        bool set_identity;         /* uid, gid, groups below are applied; else left alone */
        uid_t uid;
        gid_t gid;
        const gid_t *groups;
        size_t n_groups;
        mode_t umask;
        bool has_nice, has_oom_score_adj, has_affinity, no_new_privs;
        bool set_capabilities;     /* only those of .capabilities remain; a bit per CAP_* */
        uint64_t capabilities;
        LaunchIsolation isolation;
        KeeperCgroup cgroup;       /* for the keeper, not in the request: of its leaf */
        bool private_tmp;          /* with LAUNCH_ISOLATION_MOUNT */
        char **paths[_LAUNCH_PATH_MAX]; /* absolute; NULL: none. The first kind is unused */
        int nice, oom_score_adj;
        cpu_set_t affinity;
        const LaunchLimit *limits;
        size_t n_limits;
        /* Descriptors that came with the LAUNCH message after the memfd, in that order, and the ready pipe:
         * their numbers in the new process: 0, which then is its stdin, or 3 and more. */
        int fd_targets[LAUNCH_FDS_MAX];
        size_t n_fds;
        int ready_fd; /* where the write end of the keeper's ready pipe goes; -1: none */
        int template_fd; /* a template: where its end of the keeper's socket goes, 3 or more; 0: it is none */
} LaunchSpec;

/** launch_request_pack() - a sealed memfd in *ret_fd (the caller's). -E2BIG, -EINVAL, -ENOMEM, memfd errors. */
int launch_request_pack(const LaunchSpec *spec, int *ret_fd);
/** launch_request_hash() - of all that launch_request_pack() would write: equal for launches that are alike. As it, and 0. */
int launch_request_hash(const LaunchSpec *spec, uint64_t *ret);
/** launch_text_pack() - a sealed memfd with @n bytes of text, for a process that is forked. -errno of memfd. */
int launch_text_pack(const char *text, size_t n, int *ret_fd);
/**
 * launch_hand_to_spare() - the request of @m, a USE_SPARE, to the spare at the other end of @fd: "launch TEXT", and no word but
 * the first where the text is in the memfd, fds[0]
 * @is_awaited: it is not claimed yet, and begins with a "g" of its own: "request" instead of "launch"
 * Return: as packet_send().
 */
int launch_hand_to_spare(int fd, const KeeperMessage *m, bool is_awaited, const int *fds, size_t n_fds);
/**
 * launch_request_unpack() - check and point into @data; strings must end inside it
 * @arena, @arena_size: room for the pointer arrays and groups (no malloc: this runs after fork)
 * Return: 0; -EBADMSG when anything does not fit together; -ENOBUFS when the arena is too small.
 */
int launch_request_unpack(const void *data, size_t size, void *arena, size_t arena_size, LaunchSpec *ret);

#endif
