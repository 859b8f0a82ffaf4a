/* supervisor-wish-file.c - the state file, written by a process of its own.
 *
 * fsync(2) takes as long as the disk likes, and a disk that hangs holds whoever waits for it beyond any signal. So a
 * child copies what is to be written and droverd only waits for its end, as an event; one at a time. What fails is said
 * once and tried again every RETRY; the wishes hold meanwhile, and are in the journal. */
#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "handover/state-file.h"
#include "priority.h"
#include "supervisor-internal.h"
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RETRY (10 * USEC_PER_SEC)
#define FINISH_MSEC 5000 /* the orderly end waits so long for a slow disk */

/* NULL when memory is short. */
static char *file_text(Supervisor *s) {
        _cleanup_json_ json_t *pools = wish_lasting(s), *root = NULL;

        root = pools ? json_pack("{s:i, s:O}", "version", 1, "pools", pools) : NULL;
        return root ? json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
}

static const char *state_dir(const Supervisor *s) {
        return s->config && s->config->state_dir ? s->config->state_dir : s->places.state_dir;
}

/* In the child: nothing of droverd's is kept open, so that a hanging disk keeps no socket or lock. */
static _Noreturn void write_and_exit(const char *dir, const char *text, bool is_system, bool keep_previous) {
        int r;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) syscall(SYS_close_range, 3u, ~0u, 0u);
        r = dir_make(dir, is_system ? 0755 : 0700);
        if (r == 0)
                r = state_file_write(dir, text, strlen(text), keep_previous);
        _exit(r < 0 ? MIN(-r, 255) : 0);
}

/* ---- its end ---- */

static int retry_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        return 0; /* the post source, which comes after each event, does it */
}

static void retry_later(Supervisor *s) {
        s->wishes.retry = sd_event_source_disable_unref(s->wishes.retry);
        if (sd_event_add_time_relative(s->event, &s->wishes.retry, CLOCK_MONOTONIC, RETRY, USEC_PER_SEC, retry_dispatch, s) < 0)
                s->wishes.retry = NULL;
}

static void writer_ended(Supervisor *s, int error) {
        Wishes *w = &s->wishes;

        if (error == 0 && w->is_failing)
                log_notice("the state file is written again");
        else if (error != 0 && !w->is_failing)
                log_error("cannot write %s/state.json: %s; what was set, scaled and enabled holds, and would be lost with a restart of the "
                          "machine; trying on", state_dir(s), strerrordesc_np(error));
        w->is_failing = error != 0;
        w->is_newest_good |= error == 0;
        w->is_dirty |= error != 0;
        if (error != 0)
                retry_later(s);
}

/* Without blocking, when @options has WNOHANG. Whether it has ended. */
static bool writer_reap(Supervisor *s, int options) {
        Wishes *w = &s->wishes;
        siginfo_t info = {0};

        if (waitid(P_PIDFD, (id_t) w->writer_fd, &info, WEXITED | options) < 0 && errno != ECHILD)
                return false;
        if (info.si_pid == 0 && errno != ECHILD)
                return false;
        w->writer = sd_event_source_disable_unref(w->writer);
        fd_close(w->writer_fd);
        w->writer_pid = 0;
        writer_ended(s, info.si_pid == 0 ? EIO : info.si_code == CLD_EXITED ? info.si_status : EINTR);
        return true;
}

static int writer_dispatch(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) writer_reap(userdata, WNOHANG);
        return 0;
}

/* ---- its beginning ---- */

static int writer_start(Supervisor *s) {
        _cleanup_free_ char *text = file_text(s);
        Wishes *w = &s->wishes;
        int r;

        if (!text)
                return -ENOMEM;
        w->writer_pid = fork();
        if (w->writer_pid < 0) {
                w->writer_pid = 0;
                return -errno;
        }
        if (w->writer_pid == 0)
                write_and_exit(state_dir(s), text, s->context.is_system, w->is_newest_good);
        w->writer_fd = (int) syscall(SYS_pidfd_open, w->writer_pid, 0u);
        r = w->writer_fd < 0 ? -errno : sd_event_add_io(s->event, &w->writer, w->writer_fd, EPOLLIN, writer_dispatch, s);
        if (r < 0) { /* it is short; better to wait for it than to forget it */
                siginfo_t info = {0};

                (void) waitid(P_PID, (id_t) w->writer_pid, &info, WEXITED);
                fd_close(w->writer_fd);
                w->writer_pid = 0;
                writer_ended(s, info.si_code == CLD_EXITED ? info.si_status : EIO);
                return 0;
        }
        (void) sd_event_source_set_priority(w->writer, PRIORITY_SIGNAL);
        return 0;
}

void wish_flush(Supervisor *s) {
        Wishes *w = &s->wishes;
        int r;

        if (!w->is_dirty || w->writer_pid > 0)
                return;
        if (w->is_failing && w->retry && sd_event_source_get_enabled(w->retry, NULL) > 0)
                return; /* its time has not come */
        w->retry = sd_event_source_disable_unref(w->retry);
        w->is_dirty = false;
        r = writer_start(s);
        if (r < 0)
                writer_ended(s, -r);
}

void wish_finish(Supervisor *s) {
        Wishes *w = &s->wishes;

        for (int tries = 0; tries < 2 && (w->writer_pid > 0 || w->is_dirty); tries++) {
                struct pollfd p;

                w->retry = sd_event_source_disable_unref(w->retry);
                wish_flush(s);
                if (w->writer_pid == 0)
                        continue;
                p = (struct pollfd){.fd = w->writer_fd, .events = POLLIN};
                if (poll(&p, 1, FINISH_MSEC) > 0)
                        (void) writer_reap(s, WNOHANG);
                else
                        log_error("the disk of %s does not answer; not waiting for the state file", state_dir(s));
        }
}

void wish_done(Supervisor *s) {
        Wishes *w = &s->wishes;

        w->writer = sd_event_source_disable_unref(w->writer);
        w->retry = sd_event_source_disable_unref(w->retry);
        if (w->writer_pid > 0)
                fd_close(w->writer_fd);
        json_decref(w->pools);
        json_decref(w->overrides);
        *w = (Wishes){0};
}
