/* launch-job.h - what launch.c and launch-template.c share: one launch while it is put together. */
#ifndef DROVER_KEEPER_LAUNCH_JOB_H
#define DROVER_KEEPER_LAUNCH_JOB_H

#include "keeper/keeper.h"
#include "link/launch-request.h"
#include "base/fd.h"

/* Everything that is made for one launch; what the slot takes over is taken out of it. */
typedef struct Job {
        int leaf_fd;
        int report[2];   /* [0] ours, [1] the child's */
        int template[2]; /* the same, of a template's socket */
        int ready[2];  /* pipes: [0] read, [1] write */
        int out[2], err[2];
} Job;

#define JOB_EMPTY {-EBADF, {-EBADF, -EBADF}, {-EBADF, -EBADF}, {-EBADF, -EBADF}, {-EBADF, -EBADF}, {-EBADF, -EBADF}}

static inline void job_done(Job *j) {
        j->leaf_fd = fd_close(j->leaf_fd);
        fd_close_many(j->report, 2);
        fd_close_many(j->template, 2);
        fd_close_many(j->ready, 2);
        fd_close_many(j->out, 2);
        fd_close_many(j->err, 2);
}

/** launch_fail_now() - no process was made, and nobody was asked for one. */
void launch_fail_now(Keeper *k, Slot *s, LaunchStage stage, int error, int detail);
void launch_note_started(Keeper *k, Slot *s);
/** template_ask() - have the template fork; the slot is awaited, or failed. */
void template_ask(Keeper *k, Slot *s, Job *j, const KeeperMessage *m, const int *fds, size_t n_fds);

#endif
