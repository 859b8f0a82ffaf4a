/* child.h - one process as droverd knows it.
 *
 * Owner: whoever launched or adopted it (a Worker). One slot of the keeper belongs to it until it ended *and* its
 * output is drained. Callbacks come from the event loop, never from inside a call. A callback must not free the
 * child; child_free() later, from the converge step. Freeing a live child kills nothing: it forgets it. */
#ifndef DROVER_PROCESS_CHILD_H
#define DROVER_PROCESS_CHILD_H

#include "process/exit-status.h"
#include "process/keeper-link.h"

typedef struct ChildHooks {
        void (*on_started)(Child *c, void *userdata);                       /* exec succeeded */
        void (*on_ready)(Child *c, void *userdata);                         /* newline on the ready pipe */
        void (*on_end)(Child *c, const ExitStatus *e, void *userdata);      /* exited, or failed to start */
        void (*on_drained)(Child *c, void *userdata);                       /* after on_end: last line written */
        /* child_freeze() has taken effect; @error: -errno when it cannot. Of several only the last is answered. May be NULL. */
        void (*on_frozen)(Child *c, bool is_frozen, int error, void *userdata);
} ChildHooks;

/**
 * child_launch() - ask the keeper for a new process
 * @name: "web/0"; @spec, @log: borrowed during the call; @fds: spec->n_fds descriptors, borrowed
 * Return: 0, *ret is the caller's; -ENOSPC when no slot is free; -E2BIG, -ENOMEM, memfd errors. A refusal by the
 * keeper comes through on_end as a failed start.
 */
int child_launch(Child **ret, KeeperLink *l, const char *name, const LaunchSpec *spec, const int *fds, const LogSpec *log,
                 const ChildHooks *hooks, void *userdata);
/* A launch without exec, by a template; all borrowed but for the text. */
typedef struct ForkSpec {
        Child *template;  /* started and ready */
        const char *text; /* for the new process, @n_text bytes; see client/worker/template.h */
        size_t n_text;
        const int *fds;   /* the descriptors that the text names */
        size_t n_fds;     /* LAUNCH_FDS_MAX at most */
        bool wants_ready_pipe; /* one more, at the end: the write end of a ready pipe */
        KeeperCgroup cgroup;
        Child *spare;     /* of child_spare(), not ended: it is the process, and becomes *ret on success. NULL: a new one */
        Child *spares[KEEPER_SPARES_MAX]; /* new ones of child_spare(): asked for with this; NULL: none */
} ForkSpec;
/** child_fork() - as child_launch(), by a template. Does it die meanwhile, then on_end tells LAUNCH_TEMPLATE and ESRCH. */
int child_fork(Child **ret, KeeperLink *l, const char *name, const ForkSpec *spec, const LogSpec *log, const ChildHooks *hooks,
               void *userdata);
/**
 * child_spare() - a slot for a process that a template is to fork ahead; child_fork() asks for it
 * @hooks: until it is launched. Only on_end comes: stage LAUNCH_TEMPLATE, with EOPNOTSUPP where the template cannot.
 * Return: as child_launch().
 */
int child_spare(Child **ret, KeeperLink *l, const ChildHooks *hooks, void *userdata);
/** child_is_born() - of child_spare(), not used: it waits for its request, and a brief process can have it at once. */
bool child_is_born(const Child *c);
Child *child_spare_unasked(Child *c); /* child_fork() failed: free it; returns NULL */
/** child_adopt() - take over one entry of the table after a restart of droverd. An end that is already known comes
 *  through on_end and on_drained from the loop. */
int child_adopt(Child **ret, KeeperLink *l, const KeeperMessage *slot_info, const ChildHooks *hooks, void *userdata);
Child *child_free(Child *c); /* acknowledges an end to the keeper */
DEFINE_CLEANUP(Child, child_free);

int child_signal(Child *c, int sig, bool whole_tree, bool and_continue);
int child_kill_tree(Child *c);
int child_freeze(Child *c, bool is_frozen); /* its whole tree: stand still, or run on */
/** child_respec_log() - other bounds for its log while it runs; kind, path and form of @log are not looked at. -ESRCH. */
int child_respec_log(Child *c, const LogSpec *log);
/** child_set_cgroup() - new values for its leaf; those that are 0 stay as they are. What the keeper cannot do it passes over. */
int child_set_cgroup(Child *c, const KeeperCgroup *values);
/** child_set_limits() - new limits of every process of its tree, KEEPER_LIMITS_MAX at most. */
int child_set_limits(Child *c, const LaunchLimit *limits, size_t n);
pid_t child_pid(const Child *c);            /* 0 before on_started and after on_end */
usec_t child_started_usec(const Child *c);  /* CLOCK_REALTIME */
uint32_t child_slot(const Child *c);
uint64_t child_generation(const Child *c);
bool child_is_ended(const Child *c);
bool child_is_drained(const Child *c);
Child *child_by_pid(KeeperLink *l, pid_t pid); /* borrowed or NULL */
/** child_by_leaf() - whoever lives in the leaf that was made for this slot and generation; borrowed, or NULL: nobody, or one that
 *  has not started, so that it is not known yet. */
Child *child_by_leaf(KeeperLink *l, uint32_t slot, uint64_t generation);
bool child_is_hooked(const Child *c, const ChildHooks *hooks); /* are these its callbacks? */
void *child_userdata(const Child *c);          /* as given to child_launch() or child_adopt() */

#endif
