/* run-stdio.c - FIFOs and pumps. */
#include "ctl/run-stdio.h"

#include "base/alloc.h"
#include "base/fd.h"
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PUMP_BYTES 65536 /* a pipe's usual capacity */

typedef struct Pump {
        int from, to;  /* -EBADF once closed; from 0 and to 1, 2 are not ours to close */
        bool is_whole; /* to takes any amount without waiting: a regular file, or a non-blocking descriptor */
        size_t begin, end; /* of what is read and not written */
        unsigned char buf[PUMP_BYTES];
} Pump;

struct RunStdio {
        char *dir;
        char *path[3];
        int hold_in; /* our own reader of the stdin FIFO until the command has opened it: without one no
                        writer could open it */
        bool is_started, is_finishing;
        Pump pump[3];
};

static int close_above_stdio(int fd) {
        return fd > STDERR_FILENO ? fd_close(fd) : -EBADF;
}

static void pump_close(Pump *p) {
        p->from = close_above_stdio(p->from);
        p->to = close_above_stdio(p->to);
        p->begin = p->end = 0;
}

static bool pump_is_empty(const Pump *p) {
        return p->begin == p->end;
}

/* Fill the empty buffer. At the end of the source, or when it cannot be read, the pump closes: the sink of
 * stdin is the FIFO, whose reader sees the end then. */
static void pump_read(Pump *p) {
        ssize_t n = read(p->from, p->buf, sizeof(p->buf));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                pump_close(p);
                return;
        }
        p->begin = 0;
        p->end = (size_t) n;
}

/* A blocking pipe or terminal that polls writable takes PIPE_BUF bytes without waiting, more it may not. */
static void pump_write(Pump *p) {
        size_t size = p->end - p->begin;
        ssize_t n = write(p->to, p->buf + p->begin, p->is_whole ? size : MIN(size, (size_t) PIPE_BUF));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n < 0)
                pump_close(p); /* EPIPE: nobody reads it; a full disk: nobody can */
        else
                p->begin += (size_t) n;
}

/* Where private directories may live, best first. Root's /run is open to users it runs commands as. */
static const char *const *parents(const char *list[static 4]) {
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        size_t n = 0;

        if (geteuid() == 0)
                list[n++] = "/run";
        else if (runtime && runtime[0] == '/')
                list[n++] = runtime;
        list[n++] = "/tmp";
        list[n] = NULL;
        return list;
}

static int make_dir(char **ret) {
        const char *list[4];
        int r = -ENOENT;

        for (const char *const *parent = parents(list); *parent; parent++) {
                _cleanup_free_ char *dir = alloc_printf("%s/droverctl-run-XXXXXX", *parent);
                if (!dir)
                        return -ENOMEM;
                if (mkdtemp(dir)) { /* 0700 */
                        *ret = TAKE_PTR(dir);
                        return 0;
                }
                r = -errno;
        }
        return r;
}

static int make_fifos(RunStdio *s) {
        static const char *const names[3] = {"stdin", "stdout", "stderr"};

        for (int i = 0; i < 3; i++) {
                char *path = alloc_printf("%s/%s", s->dir, names[i]);
                if (!path)
                        return -ENOMEM;
                if (mkfifo(path, 0600) < 0) {
                        free(path);
                        return -errno;
                }
                s->path[i] = path;
        }
        return 0;
}

/* Only root can; of anybody else the daemon will say that it cannot run a process of another user. */
static int give_to(const RunStdio *s, const char *user) {
        const struct passwd *pw = getpwnam(user);

        if (!pw)
                return -EINVAL;
        if (geteuid() != 0)
                return 0;
        for (int i = 0; i < 3; i++)
                if (chown(s->path[i], pw->pw_uid, pw->pw_gid) < 0)
                        return -errno;
        return chown(s->dir, pw->pw_uid, pw->pw_gid) < 0 ? -errno : 0;
}

static int open_fifo(const char *path, int flags) {
        int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

        return fd < 0 ? -errno : fd;
}

/* Readers first: a FIFO cannot be opened for writing without one. */
static int open_fifos(RunStdio *s) {
        int fds[4] = {open_fifo(s->path[0], O_RDONLY), open_fifo(s->path[0], O_WRONLY),
                      open_fifo(s->path[1], O_RDONLY), open_fifo(s->path[2], O_RDONLY)};
        struct stat st;

        s->hold_in = fds[0];
        s->pump[0].from = STDIN_FILENO;
        s->pump[0].to = fds[1];
        s->pump[0].is_whole = true;
        for (int i = 1; i < 3; i++) {
                s->pump[i].from = fds[i + 1];
                s->pump[i].to = i;
                s->pump[i].is_whole = fstat(i, &st) >= 0 && S_ISREG(st.st_mode);
        }
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                if (fds[i] < 0)
                        return fds[i];
        return 0;
}

int run_stdio_new(RunStdio **ret, const char *user) {
        _cleanup_(run_stdio_freep) RunStdio *s = NEW0(RunStdio);
        int r;

        if (!s)
                return -ENOMEM;
        s->hold_in = -EBADF;
        for (int i = 0; i < 3; i++)
                s->pump[i].from = s->pump[i].to = -EBADF;
        r = make_dir(&s->dir);
        if (r >= 0)
                r = make_fifos(s);
        if (r >= 0)
                r = open_fifos(s);
        if (r >= 0 && user)
                r = give_to(s, user);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

static void remove_dir(RunStdio *s) {
        for (int i = 0; i < 3; i++) {
                if (s->path[i])
                        (void) unlink(s->path[i]);
                free(TAKE_PTR(s->path[i]));
        }
        if (s->dir)
                (void) rmdir(s->dir);
        free(TAKE_PTR(s->dir));
}

RunStdio *run_stdio_free(RunStdio *s) {
        if (!s)
                return NULL;
        for (int i = 0; i < 3; i++)
                pump_close(&s->pump[i]);
        fd_close(s->hold_in);
        remove_dir(s);
        free(s);
        return NULL;
}

const char *run_stdio_path(const RunStdio *s, int fd) {
        return s->path[fd];
}

void run_stdio_started(RunStdio *s, bool has_opened) {
        s->is_started = true;
        if (!has_opened)
                return;
        s->hold_in = fd_close(s->hold_in);
        remove_dir(s);
}

void run_stdio_watch(const RunStdio *s, struct pollfd fds[static RUN_STDIO_FDS]) {
        for (int i = 0; i < 3; i++) {
                const Pump *p = &s->pump[i];
                bool is_open = p->from >= 0 && p->to >= 0;
                bool wants_read = is_open && pump_is_empty(p) && s->is_started && !s->is_finishing;

                fds[2 * i] = (struct pollfd){.fd = wants_read ? p->from : -1, .events = POLLIN};
                /* Without events: only whether its reader has gone. */
                fds[2 * i + 1] =
                        (struct pollfd){.fd = is_open ? p->to : -1, .events = pump_is_empty(p) ? 0 : POLLOUT};
        }
}

void run_stdio_process(RunStdio *s, const struct pollfd fds[static RUN_STDIO_FDS]) {
        for (int i = 0; i < 3; i++) {
                Pump *p = &s->pump[i];
                if (p->from < 0 || p->to < 0)
                        continue;
                if (fds[2 * i + 1].revents & (POLLERR | POLLNVAL))
                        pump_close(p);
                else if (fds[2 * i + 1].revents & POLLOUT)
                        pump_write(p);
                else if (fds[2 * i].revents)
                        pump_read(p);
        }
}

bool run_stdio_finish(RunStdio *s) {
        bool is_done = true;

        s->is_finishing = true;
        pump_close(&s->pump[0]);
        for (int i = 1; i < 3; i++) {
                Pump *p = &s->pump[i];
                if (p->from < 0 || p->to < 0)
                        continue;
                if (pump_is_empty(p))
                        pump_read(p);
                is_done = is_done && pump_is_empty(p);
        }
        return is_done;
}
