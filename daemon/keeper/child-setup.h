/* child-setup.h - what a new process does before foreign code runs in it.
 *
 * It lives in the new process only, a copy of the keeper made by a bare clone: safe calls only, no allocation but
 * one mapping of its own, nothing of the slot table. Each step that fails is reported as stage + errno + detail. */
#ifndef DROVER_KEEPER_CHILD_SETUP_H
#define DROVER_KEEPER_CHILD_SETUP_H

#include "link/launch-request.h"

/* On the report socket, new process -> keeper. The keeper's one byte the other way means "go". */
typedef struct ChildReport {
        uint32_t stage; /* CHILD_REPORT_EXEC: every step done, about to exec; else the LaunchStage that failed */
        int32_t error;  /* positive errno */
        int32_t detail;
} ChildReport;
#define CHILD_REPORT_EXEC UINT32_MAX

/* Prepared by the keeper before the fork; every descriptor borrowed. */
typedef struct ChildPlan {
        int request_fd;      /* the launch request's memfd */
        int report_fd;       /* our end */
        int keeper_end_fd;   /* the keeper's end of it, closed at once: else its death would never be seen */
        int cgroup_fd;       /* the leaf, or -EBADF */
        bool is_inside;      /* of the leaf already */
        int stdio[3];        /* for 1 and 2 what the keeper gives; -EBADF: /dev/null */
        int ready_fd;        /* write end of the ready pipe, or -EBADF */
        int template_fd;     /* a template's end of its socket, or -EBADF */
        int extra_fds[LAUNCH_FDS_MAX];
        size_t n_extra;
        uint64_t n_fds_soft; /* soft limit of descriptors when the request says nothing */
        bool reset_oom_score; /* the keeper protects itself: a worker must not inherit that */
} ChildPlan;

_noreturn_ void child_setup(const ChildPlan *plan);

/* The steps, one by one, for tests; each 0 or -errno. */
void child_fill_pids(const LaunchSpec *s, pid_t pid); /* "LISTEN_PID=", "WATCHDOG_PID=" without a value get @pid */
int child_apply_limits(const LaunchSpec *s, int *ret_detail);
int child_apply_last_limit(const LaunchSpec *s, uint64_t n_fds_soft);
int child_place_descriptors(const LaunchSpec *s, const ChildPlan *plan, int *report_fd, int *ret_detail);

/** signals_reset() - every disposition to its default, also 32 and 33 which libc keeps from us. */
void signals_reset(void);
/** signals_unblock() - the empty mask. */
void signals_unblock(void);

#endif
