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
/** launch_note_failed() - @error: a positive errno. Of a spare that nobody has asked for anything it becomes ESTALE. */
void launch_note_failed(Slot *s, LaunchStage stage, int error, int detail);
void launch_note_started(Keeper *k, Slot *s);
/** template_ask() - have the template fork; the slot is awaited, or failed. */
void template_ask(Keeper *k, Slot *s, Job *j, const KeeperMessage *m, const int *fds, size_t n_fds);
int launch_make_channels(Job *j, const Slot *s, bool wants_ready, bool is_template);
int launch_make_ready_pipe(Job *j);
/** template_give_up() - of what is awaited; whoever was born into its leaf meanwhile ends with it. @error: a positive errno. */
void template_give_up(Keeper *k, Slot *s, LaunchStage stage, int error, int detail);
#define TEMPLATE_TEXT_MAX 128
/** template_receive() - one packet of a template's child, with a '\0'; *ret_pid: who sent it, 0: unknown. recv(2). */
ssize_t template_receive(int fd, char text[static TEMPLATE_TEXT_MAX], pid_t *ret_pid);
bool template_is_failure(const char *text, LaunchStage *ret_stage, int *ret_error, int *ret_detail);

/* launch-spare.c */
void spare_use(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds);
void spare_claimed(Keeper *k, Slot *s); /* it is in the table; unless it is a spare still, it has heard "g" */
void spare_prepare(Keeper *k, const KeeperMessage *m); /* those that @m asks for */

#endif
