/* logger-rig.c - see logger-rig.h. */
#include "logger-rig.h"
#include "base/fd.h"
#include "base/file.h"
#include "logger/log-pack.h"
#include "logger/log-rotate.h"
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(x) ck_assert_msg((x), "%s: %s", #x, strerror(errno))

static void rig_send(Rig *r, LoggerMessage *m, const int *fds, size_t n_fds) {
        struct pollfd p = {.fd = r->keeper_fd, .events = POLLOUT};
        int k;
        while ((k = packet_send(r->keeper_fd, m, logger_message_size(m->type), fds, n_fds)) == -EAGAIN)
                MUST(poll(&p, 1, (int) (RIG_WAIT_USEC / 1000)) == 1);
        ck_assert_msg(k == 0 || k == -EPIPE || k == -ECONNRESET, "the line to the logger: %s", strerror(-k));
}

static void limit(int resource, uint64_t n) {
        struct rlimit l = {n, resource == RLIMIT_FSIZE ? RLIM_INFINITY : n}; /* a disk may get room again */
        if (n > 0 && setrlimit(resource, &l) < 0)
                _exit(99);
}

static void exec_logger(Rig *r, int fd) {
        char text[16];
        snprintf(text, sizeof text, "%d", fd);
        setenv("DROVER_KEEPER_FD", text, 1);
        fd_set_cloexec(fd, false);
        limit(RLIMIT_NOFILE, r->n_fds_max);
        limit(RLIMIT_FSIZE, r->n_fsize_max);
        execl(getenv("DROVER_TEST_LOGGER"), "drover-logger", (char *) NULL);
        _exit(98);
}

static void rig_attach_slot(Rig *r, uint32_t slot, bool is_again) {
        RigOutput *o = &r->outputs[slot];
        LoggerMessage m = {.type = LOGGER_ATTACH, .slot = slot, .generation = o->generation};
        int fds[2];
        size_t n = 0;
        m.attach.streams = o->streams;
        m.attach.is_again = is_again;
        m.attach.spec = o->spec;
        for (int i = 0; i < 2; i++)
                if (o->streams & (1u << i))
                        fds[n++] = o->read_fds[i];
        rig_send(r, &m, fds, n);
}

void rig_resume(Rig *r) {
        int keeper[2], peer[2];
        LoggerMessage m = {.type = LOGGER_SCRATCH};
        ck_assert_int_eq(packet_pair(keeper), 0);
        ck_assert_int_eq(packet_pair(peer), 0);
        r->keeper_fd = keeper[0];
        r->peer_fd = peer[0];
        r->pid = fork();
        MUST(r->pid >= 0);
        if (r->pid == 0)
                exec_logger(r, keeper[1]);
        fd_close(keeper[1]);
        rig_send(r, &m, &r->scratch_fd, 1);
        for (uint32_t i = 0; i < RIG_OUTPUTS_MAX; i++)
                if (r->outputs[i].is_used && !r->outputs[i].is_detached)
                        rig_attach_slot(r, i, true);
        m.type = LOGGER_PEER;
        rig_send(r, &m, &peer[1], 1);
        fd_close(peer[1]);
}

void rig_start(Rig *r) {
        signal(SIGPIPE, SIG_IGN);
        r->scratch_fd = memfd_create("scratch", MFD_CLOEXEC);
        MUST(r->scratch_fd >= 0 && ftruncate(r->scratch_fd, LOGGER_SCRATCH_BYTES) == 0);
        rig_resume(r);
}

void rig_kill(Rig *r) {
        int status;
        if (r->pid <= 0)
                return;
        kill(r->pid, SIGKILL);
        MUST(waitpid(r->pid, &status, 0) == r->pid);
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the logger ended by itself: status %x", status);
        r->pid = 0;
        r->keeper_fd = fd_close(r->keeper_fd);
        r->peer_fd = fd_close(r->peer_fd);
}

void rig_restart(Rig *r) {
        rig_kill(r);
        rig_resume(r);
}

void rig_stop(Rig *r) {
        rig_kill(r);
        for (uint32_t i = 0; i < RIG_OUTPUTS_MAX; i++) {
                if (!r->outputs[i].is_used)
                        continue;
                fd_close_many(r->outputs[i].read_fds, 2);
                fd_close_many(r->outputs[i].write_fds, 2);
        }
        fd_close(r->scratch_fd);
        memset(r, 0, sizeof *r);
}

LogSpec rig_spec(uint32_t kind, const char *worker, const char *path, uint64_t max_size, uint32_t max_files) {
        LogSpec s = {.kind = kind, .max_files = max_files, .max_size = max_size};
        snprintf(s.worker, sizeof s.worker, "%s", worker);
        snprintf(s.path, sizeof s.path, "%s", path);
        return s;
}

void rig_attach(Rig *r, uint32_t slot, const LogSpec *spec, uint32_t streams) {
        RigOutput *o = &r->outputs[slot];
        if (o->is_used) {
                fd_close_many(o->read_fds, 2);
                fd_close_many(o->write_fds, 2);
        }
        *o = (RigOutput){.is_used = true,
                         .generation = ++r->n_generations,
                         .streams = streams,
                         .spec = *spec,
                         .read_fds = {-EBADF, -EBADF},
                         .write_fds = {-EBADF, -EBADF}};
        for (int i = 0; i < 2; i++) {
                int fds[2];
                if (!(streams & (1u << i)))
                        continue;
                MUST(pipe2(fds, O_CLOEXEC) == 0);
                o->read_fds[i] = fds[0];
                o->write_fds[i] = fds[1];
        }
        rig_attach_slot(r, slot, false);
}

void rig_write(Rig *r, uint32_t slot, int stream, const void *data, size_t n) {
        ck_assert_int_eq(write_all(r->outputs[slot].write_fds[stream], data, n), 0);
}

void rig_print(Rig *r, uint32_t slot, int stream, const char *text) {
        rig_write(r, slot, stream, text, strlen(text));
}

void rig_close(Rig *r, uint32_t slot) {
        fd_close_many(r->outputs[slot].write_fds, 2);
}

void rig_linger(Rig *r, uint32_t slot, usec_t usec) {
        LoggerMessage m = {.type = LOGGER_LINGER, .slot = slot, .generation = r->outputs[slot].generation};
        m.linger_usec = usec;
        rig_send(r, &m, NULL, 0);
}

void rig_reopen(Rig *r) {
        LoggerMessage m = {.type = LOGGER_REOPEN};
        rig_send(r, &m, NULL, 0);
}

/* One DETACHED, or the end of the line (false). */
static bool rig_take_notice(Rig *r, int timeout_ms) {
        struct pollfd p = {.fd = r->keeper_fd, .events = POLLIN};
        LoggerMessage m;
        ck_assert_msg(poll(&p, 1, timeout_ms) == 1, "no word from the logger");
        ssize_t n = packet_recv(r->keeper_fd, &m, sizeof m, NULL, 0, NULL);
        if (n <= 0)
                return false;
        ck_assert_uint_eq(m.type, LOGGER_DETACHED);
        RigOutput *o = &r->outputs[m.slot];
        if (m.generation == o->generation)
                o->is_detached = true;
        return true;
}

void rig_wait_detached(Rig *r, uint32_t slot) {
        while (!r->outputs[slot].is_detached)
                ck_assert(rig_take_notice(r, (int) (RIG_WAIT_USEC / 1000)));
}

int rig_finish(Rig *r) {
        LoggerMessage m = {.type = LOGGER_FINISH};
        int status;
        rig_send(r, &m, NULL, 0);
        while (rig_take_notice(r, (int) (RIG_WAIT_USEC / 1000)))
                ;
        MUST(waitpid(r->pid, &status, 0) == r->pid);
        r->pid = 0;
        r->keeper_fd = fd_close(r->keeper_fd);
        r->peer_fd = fd_close(r->peer_fd);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

size_t rig_pipe_bytes(const Rig *r, uint32_t slot, int stream) {
        int n = 0;
        MUST(ioctl(r->outputs[slot].read_fds[stream], FIONREAD, &n) == 0);
        return (size_t) n;
}

static void rig_ask(Rig *r, LoggerMessage *m) {
        ck_assert_int_eq(packet_send(r->peer_fd, m, logger_message_size(m->type), NULL, 0), 0);
}

void rig_read(Rig *r, uint64_t request, const LogSpec *spec, uint32_t streams, uint64_t n_lines, bool follow,
              uint64_t credit) {
        LoggerMessage m = {.type = LOGGER_READ, .request = request};
        m.read.streams = streams;
        m.read.follow = follow;
        m.read.n_lines = n_lines;
        m.read.credit = credit;
        m.read.spec = *spec;
        rig_ask(r, &m);
}

void rig_read_since(Rig *r, uint64_t request, const LogSpec *spec, uint32_t streams, usec_t since) {
        LoggerMessage m = {.type = LOGGER_READ, .request = request};
        m.read.streams = streams;
        m.read.n_lines = UINT64_MAX;
        m.read.credit = 1u << 30;
        m.read.since_usec = since;
        m.read.spec = *spec;
        rig_ask(r, &m);
}

int rig_act(Rig *r, uint32_t type, const LogSpec *spec) {
        LoggerMessage m = {.type = type, .request = 4711};
        RigLines l = {};
        m.read.streams = LOG_STREAM_STDOUT | LOG_STREAM_STDERR;
        m.read.spec = *spec;
        rig_ask(r, &m);
        rig_collect(r, 4711, &l, 0, false);
        int error = l.error;
        rig_lines_done(&l);
        return error;
}

void rig_respec(Rig *r, uint32_t slot, const LogSpec *spec) {
        LoggerMessage m = {.type = LOGGER_RESPEC, .slot = slot, .generation = r->outputs[slot].generation};
        r->outputs[slot].spec = *spec;
        m.respec.spec = *spec;
        rig_send(r, &m, NULL, 0);
}

void rig_credit(Rig *r, uint64_t request, uint64_t n) {
        LoggerMessage m = {.type = LOGGER_CREDIT, .request = request, .credit = n};
        rig_ask(r, &m);
}

void rig_cancel(Rig *r, uint64_t request) {
        LoggerMessage m = {.type = LOGGER_CANCEL, .request = request};
        rig_ask(r, &m);
}

static void lines_add(RigLines *l, const LoggerLine *line, const char *text) {
        size_t need = l->length + line->n_bytes + 8;
        if (need > l->capacity) {
                l->capacity = need * 2;
                l->text = realloc(l->text, l->capacity);
                MUST(l->text);
        }
        l->length += (size_t) snprintf(l->text + l->length, 4, "%u:", line->stream);
        memcpy(l->text + l->length, text, line->n_bytes);
        l->length += line->n_bytes;
        if (line->is_continued)
                l->text[l->length++] = '\\';
        l->text[l->length++] = '\n';
        l->text[l->length] = '\0';
        l->n_lines++;
        l->n_timeless += line->time_usec == 0;
        l->last_time = line->time_usec;
}

void rig_collect(Rig *r, uint64_t request, RigLines *ret, size_t n_lines, bool credit) {
        static union {
                LoggerMessage m;
                char bytes[sizeof(LoggerMessage) + LOGGER_LINES_MAX + LOGGER_LINE_MAX];
        } u;
        struct pollfd p = {.fd = r->peer_fd, .events = POLLIN};
        while (!ret->is_over && (n_lines == 0 || ret->n_lines < n_lines)) {
                ck_assert_msg(poll(&p, 1, (int) (RIG_WAIT_USEC / 1000)) == 1, "no lines; so far: %zu, %.100s",
                              ret->n_lines, ret->text ? ret->text : "");
                ssize_t n = packet_recv(r->peer_fd, &u, sizeof u, NULL, 0, NULL);
                ck_assert_msg(n > 0, "the line to the logger: %s", strerror((int) -n));
                if (u.m.type == LOGGER_DROPPED) {
                        ret->n_told++;
                        continue;
                }
                ck_assert_uint_eq(u.m.request, request);
                size_t at = logger_message_size(u.m.type), end;
                if (u.m.type == LOGGER_END) {
                        ret->is_over = true;
                        ret->error = u.m.end.error;
                        memcpy(ret->end_text, u.m.end.text, sizeof ret->end_text);
                        return;
                }
                ck_assert_uint_eq(u.m.type, LOGGER_LINES);
                ck_assert_uint_le(u.m.lines.n_bytes, LOGGER_LINES_MAX);
                ck_assert_int_eq(n, (ssize_t) (at + u.m.lines.n_bytes));
                ret->n_dropped += u.m.lines.n_dropped;
                for (end = (size_t) n; at < end;) {
                        LoggerLine line;
                        memcpy(&line, u.bytes + at, sizeof line);
                        ck_assert_uint_le(line.n_bytes, LOGGER_LINE_MAX);
                        lines_add(ret, &line, u.bytes + at + sizeof line);
                        at += sizeof line + line.n_bytes;
                }
                if (credit)
                        rig_credit(r, request, u.m.lines.n_bytes);
                if (u.m.lines.n_dropped > 0)
                        return;
        }
}

void rig_lines_done(RigLines *l) {
        free(l->text);
        *l = (RigLines){};
}

char *rig_directory(void) {
        char name[] = "/tmp/drover-logger-" "XX" "XX" "XX", *real;
        MUST(mkdtemp(name));
        real = realpath(name, NULL);
        MUST(real);
        return real;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
        return remove(path);
}

void rig_remove(char *directory) {
        nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
        free(directory);
}

/* NAME.N, compressed or not; appended. False: there is none. */
static bool slurp_one(const char *path, int number, char **all, size_t *n_all) {
        for (unsigned method = 0; method < LOG_ROTATE_SUFFIXES; method++) {
                char name[600];
                snprintf(name, sizeof name, number ? "%s.%d%s" : "%s", path, number, log_rotate_suffixes[method]);
                _cleanup_fd_ int fd = open(name, O_RDONLY | O_CLOEXEC);
                LogUnpacker *u = NULL;
                uint64_t origin;
                ssize_t k;
                if (fd < 0)
                        continue;
                if (method > 0)
                        ck_assert_int_eq(log_unpacker_new(&u, (LogCompress) method, fd, &origin), 0);
                do {
                        *all = realloc(*all, *n_all + 65537);
                        MUST(*all);
                        k = u ? log_unpacker_read(u, *all + *n_all, 65536) : read(fd, *all + *n_all, 65536);
                        ck_assert_msg(k >= 0, "%s: %s", name, strerror((int) -k));
                        *n_all += (size_t) k;
                } while (k > 0);
                (*all)[*n_all] = '\0';
                log_unpacker_free(u);
                return true;
        }
        return false;
}

static bool has_number(const char *path, int number) {
        char name[600];
        struct stat st;
        for (unsigned method = 0; method < LOG_ROTATE_SUFFIXES; method++)
                if (snprintf(name, sizeof name, "%s.%d%s", path, number, log_rotate_suffixes[method]) > 0 &&
                    lstat(name, &st) == 0)
                        return true;
        return false;
}

void rig_slurp(const char *path, char **ret, size_t *ret_size) {
        char *all = NULL;
        size_t n_all = 0;
        int n = 0;
        while (has_number(path, n + 1))
                n++;
        for (; n >= 0; n--)
                (void) slurp_one(path, n, &all, &n_all);
        *ret = all ? all : strdup("");
        *ret_size = n_all;
}

void rig_wait_name(const char *name, bool exists) {
        usec_t end = clock_now() + RIG_WAIT_USEC;
        struct stat st;
        while ((lstat(name, &st) == 0) != exists) {
                ck_assert_msg(clock_now() < end, "%s is %sthere", name, exists ? "not " : "");
                poll(NULL, 0, 2);
        }
}

static size_t bytes_of(const char *path) {
        char name[600];
        struct stat st;
        size_t n = 0;
        int i = 0;
        while (snprintf(name, sizeof name, "%s.%d", path, i + 1) > 0 && stat(name, &st) == 0)
                i++;
        for (; i >= 0; i--) { /* downward, since names move upward: none is counted twice */
                snprintf(name, sizeof name, i ? "%s.%d" : "%s", path, i);
                n += stat(name, &st) == 0 ? (size_t) st.st_size : 0;
        }
        return n;
}

void rig_wait_bytes(const char *path, size_t n) {
        usec_t end = clock_now() + RIG_WAIT_USEC;
        while (bytes_of(path) < n) {
                ck_assert_msg(clock_now() < end, "%s has %zu bytes, not %zu", path, bytes_of(path), n);
                poll(NULL, 0, 2);
        }
}
