/* log-sync.c - see log-sync.h. */
#include "logger/log-sync.h"
#include "base/fd.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Holds nothing else of the logger's: no pipe, no line, which others may be waiting to see closed. */
static _Noreturn void child_run(int fd, int pipe_fd) {
        if (dup2(fd, STDIN_FILENO) < 0 || dup2(pipe_fd, STDOUT_FILENO) < 0)
                _exit(errno);
        (void) close_range(STDERR_FILENO, ~0u, 0);
        _exit(fsync(STDIN_FILENO) < 0 ? errno : 0);
}

/* Its pipe is closed, so it is at its very end. */
static int child_reap(pid_t pid) {
        int status;
        pid_t k;
        do
                k = waitpid(pid, &status, 0);
        while (k < 0 && errno == EINTR);
        if (k < 0 || !WIFEXITED(status))
                return -EIO;
        int error = WEXITSTATUS(status);
        return error == EINVAL ? 0 : -error; /* a file system that knows no such thing */
}

static void sync_end(LogSync *s) {
        (void) log_loop_watch(s->loop, &s->watch, 0);
        s->watch.fd = fd_close(s->watch.fd);
        s->pid = 0;
}

static void on_ready(LoopWatch *w, uint32_t events) {
        LogSync *s = container_of(w, LogSync, watch);
        int r = child_reap(s->pid);
        (void) events;
        sync_end(s);
        s->on_done(s, r);
}

void log_sync_init(LogSync *s, LogLoop *loop, void (*on_done)(LogSync *s, int error)) {
        *s = (LogSync){.loop = loop, .watch = {.fd = -EBADF, .on_ready = on_ready}, .on_done = on_done};
}

int log_sync_start(LogSync *s, int fd) {
        int fds[2];
        while (waitpid(-1, NULL, WNOHANG) > 0)
                ; /* those that were stopped */
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        s->watch.fd = fds[0];
        int r = log_loop_watch(s->loop, &s->watch, EPOLLIN); /* before there is anybody to give up */
        s->pid = r < 0 ? 0 : fork();
        if (s->pid < 0)
                r = -errno;
        if (r == 0 && s->pid == 0)
                child_run(fd, fds[1]);
        fd_close(fds[1]);
        if (r < 0)
                sync_end(s);
        return r;
}

void log_sync_stop(LogSync *s) {
        if (s->pid <= 0)
                return;
        (void) kill(s->pid, SIGKILL);
        (void) waitpid(s->pid, NULL, WNOHANG); /* one that hangs in the disk stays until we end */
        sync_end(s);
}
