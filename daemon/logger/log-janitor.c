/* log-janitor.c - see log-janitor.h. The queue, and compressing. */
#include "logger/log-janitor.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "logger/log-open.h"
#include "logger/log-rotate.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define BUSY_FACTOR 2 /* after a slice on a busy loop: so many times its length for the others */

static LogJob *job_free(LogJob *job) {
        if (!job)
                return NULL;
        free(job->key);
        free(job->path);
        free(job);
        return NULL;
}
DEFINE_CLEANUP(LogJob, job_free);

/* ---- compressing ---- */

static const char *temporary_name(char buf[static LOG_NAME_TEXT_MAX], const char *name) {
        snprintf(buf, LOG_NAME_TEXT_MAX, "%s.compressing", name);
        return buf;
}

static void pack_end(LogJanitor *j) {
        log_sync_stop(&j->sync);
        j->packer = log_packer_free(j->packer);
        j->from_fd = fd_close(j->from_fd);
        j->to_fd = fd_close(j->to_fd);
        j->done = 0;
}

/* The plain file under @number has a compressed one beside it. Is that its own, whole? It got its name when it was. */
static bool pack_is_done(LogJanitor *j, const char *name, uint32_t number, uint64_t ino) {
        char buf[LOG_NAME_TEXT_MAX];
        for (unsigned i = LOG_COMPRESS_GZIP; i < LOG_ROTATE_SUFFIXES; i++) {
                _cleanup_fd_ int fd = -EBADF;
                struct stat st;
                if (log_file_open(j->dir_fd, log_rotate_name_packed(buf, name, number, (LogCompress) i), O_RDONLY, &fd,
                                  &st) == 0 &&
                    log_pack_origin(fd, (LogCompress) i) == ino)
                        return true;
        }
        return false;
}

static int pack_open(LogJanitor *j, const char *name, uint32_t number) {
        char buf[LOG_NAME_TEXT_MAX];
        struct stat st;
        int r = log_file_open(j->dir_fd, log_rotate_name(buf, name, number), O_RDONLY, &j->from_fd, &j->from);
        if (r < 0)
                return r;
        if (pack_is_done(j, name, number, j->from.st_ino)) {
                (void) unlinkat(j->dir_fd, buf, 0);
                pack_end(j);
                return 0;
        }
        (void) unlinkat(j->dir_fd, temporary_name(buf, name), 0);
        r = log_file_open(j->dir_fd, buf, O_WRONLY | O_CREAT, &j->to_fd, &st);
        if (r == 0)
                r = log_packer_new(&j->packer, j->current->method, j->to_fd, j->from.st_ino);
        return r;
}

/* The newest plain file. 0; 1: there is none left. */
static int pack_begin(LogJanitor *j) {
        char buf[LOG_NAME_TEXT_MAX];
        const char *name;
        int r = log_dir_open(j->current->path, false, &j->dir_fd, &name);
        if (r < 0)
                return r;
        for (uint32_t i = 1; i <= LOG_FILES_MAX; i++) {
                int method = log_rotate_find(j->dir_fd, name, i, NULL);
                if (method < 0)
                        break;
                if (method == LOG_COMPRESS_NONE)
                        return pack_open(j, name, i);
        }
        (void) unlinkat(j->dir_fd, temporary_name(buf, name), 0);
        return 1;
}

/* The name under which the file is found now; -ENOENT: rotated away meanwhile. */
static int pack_number(LogJanitor *j, const char *name) {
        char buf[LOG_NAME_TEXT_MAX];
        struct stat st;
        for (uint32_t i = 1; i <= LOG_FILES_MAX && log_rotate_find(j->dir_fd, name, i, NULL) >= 0; i++)
                if (fstatat(j->dir_fd, log_rotate_name(buf, name, i), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                    st.st_ino == j->from.st_ino && st.st_dev == j->from.st_dev)
                        return (int) i;
        return -ENOENT;
}

/* All is written and on the disk: now it takes the place of the plain file. */
static int pack_place(LogJanitor *j) {
        char temporary[LOG_NAME_TEXT_MAX], from[LOG_NAME_TEXT_MAX], to[LOG_NAME_TEXT_MAX];
        const char *name = strrchr(j->current->path, '/') + 1;
        temporary_name(temporary, name);
        int number = pack_number(j, name);
        if (number < 0)
                return unlinkat(j->dir_fd, temporary, 0) < 0 ? -errno : 0;
        log_rotate_name(from, name, (uint32_t) number);
        log_rotate_name_packed(to, name, (uint32_t) number, j->current->method);
        if (renameat(j->dir_fd, temporary, j->dir_fd, to) < 0)
                return -errno;
        return unlinkat(j->dir_fd, from, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int pack_finish(LogJanitor *j) {
        struct timespec times[2] = {j->from.st_atim, j->from.st_mtim};
        int r = log_packer_finish(j->packer);
        if (r < 0)
                return r;
        (void) futimens(j->to_fd, times); /* its age decides about the quota */
        return log_sync_start(&j->sync, j->to_fd);
}

/* One slice. 0: more to do; 1: all done; -errno. */
static int pack_step(LogJanitor *j) {
        if (j->from_fd < 0) {
                j->dir_fd = fd_close(j->dir_fd);
                return pack_begin(j);
        }
        if (!j->buffer && !(j->buffer = alloc_zero(1, JANITOR_SLICE_BYTES)))
                return -ENOMEM;
        ssize_t n = pread(j->from_fd, j->buffer, JANITOR_SLICE_BYTES, (off_t) j->done);
        if (n < 0)
                return -errno;
        if (n > 0) {
                j->done += (uint64_t) n;
                return log_packer_write(j->packer, j->buffer, (size_t) n);
        }
        return pack_finish(j);
}

static void pack_abort(LogJanitor *j) {
        char buf[LOG_NAME_TEXT_MAX];
        if (j->dir_fd >= 0 && j->to_fd >= 0)
                (void) unlinkat(j->dir_fd, temporary_name(buf, strrchr(j->current->path, '/') + 1), 0);
        pack_end(j);
}

/* ---- the queue ---- */

static void job_end(LogJanitor *j) {
        pack_end(j);
        log_quota_end(j);
        j->dir_fd = fd_close(j->dir_fd);
        free(j->buffer);
        j->buffer = NULL;
        j->current = job_free(j->current);
}

static void janitor_arm(LogJanitor *j, usec_t spent) {
        usec_t delay = j->loop->was_busy ? BUSY_FACTOR * spent : 0;
        (void) log_loop_arm(j->loop, &j->step, usec_add(j->loop->now, delay));
}

/* What a slice came to: 0: more to do; 1: all done; -errno. @begin: of the slice */
static void janitor_go_on(LogJanitor *j, int r, usec_t begin) {
        if (r < 0) {
                if (r != -ENOENT)
                        log_warning("%s: rotated files cannot be %s: %s", j->current->path,
                                    j->current->kind == LOG_JOB_COMPRESS ? "compressed" : "counted", log_open_reason(r));
                pack_abort(j);
        }
        if (r != 0)
                job_end(j);
        if ((j->current || j->jobs) && !log_sync_is_on(&j->sync))
                janitor_arm(j, usec_sub(clock_now(), begin));
}

static void on_step(LoopTimer *t) {
        LogJanitor *j = container_of(t, LogJanitor, step);
        usec_t begin = clock_now();
        if (!j->current) {
                j->current = j->jobs; /* the oldest */
                if (!j->current)
                        return; /* the one there was is forgotten */
                HASH_DEL(j->jobs, j->current);
        }
        janitor_go_on(j, j->current->kind == LOG_JOB_COMPRESS ? pack_step(j) : log_quota_step(j), begin);
}

static void on_synced(LogSync *s, int error) {
        LogJanitor *j = container_of(s, LogJanitor, sync);
        usec_t begin = clock_now();
        int r = error < 0 ? error : pack_place(j);
        if (r == 0)
                pack_end(j);
        janitor_go_on(j, r, begin);
}

void log_janitor_init(LogJanitor *j, LogLoop *loop) {
        *j = (LogJanitor){
                .loop = loop, .step.on_time = on_step, .dir_fd = -EBADF, .from_fd = -EBADF, .to_fd = -EBADF};
        log_sync_init(&j->sync, loop, on_synced);
}

void log_janitor_done(LogJanitor *j) {
        LogJob *job, *tmp;
        if (!j->loop)
                return;
        log_loop_disarm(j->loop, &j->step);
        if (j->current)
                pack_abort(j);
        job_end(j);
        HASH_ITER(hh, j->jobs, job, tmp) {
                HASH_DEL(j->jobs, job);
                job_free(job);
        }
        j->loop = NULL;
}

/* Takes @job; one with the same key gets its values. */
static int janitor_add(LogJanitor *j, LogJob *job_take) {
        _cleanup_(job_freep) LogJob *job = job_take;
        LogJob *old;
        if (!job->key || !job->path)
                return -ENOMEM;
        HASH_FIND_STR(j->jobs, job->key, old);
        if (old) {
                old->method = job->method;
                old->max_total = job->max_total;
                return 0;
        }
        HASH_ADD_KEYPTR(hh, j->jobs, job->key, strlen(job->key), job);
        TAKE_PTR(job);
        if (!j->step.place && !log_sync_is_on(&j->sync))
                janitor_arm(j, 0);
        return 0;
}

int log_janitor_compress(LogJanitor *j, const char *path, LogCompress method) {
        LogJob *job = NEW0(LogJob);
        if (!job)
                return -ENOMEM;
        job->kind = LOG_JOB_COMPRESS;
        job->method = method;
        job->path = alloc_strdup(path);
        job->key = alloc_printf("c%s", path);
        return janitor_add(j, job);
}

int log_janitor_quota(LogJanitor *j, const char *path, bool is_pool, uint64_t max_total) {
        const char *slash = strrchr(path, '/');
        LogJob *job = slash ? NEW0(LogJob) : NULL;
        if (!job)
                return slash ? -ENOMEM : -EINVAL;
        job->kind = LOG_JOB_QUOTA;
        job->max_total = max_total;
        job->is_whole_directory = is_pool;
        job->path = is_pool ? alloc_strndup(path, (size_t) (slash - path) + 1) : alloc_strdup(path);
        job->key = job->path ? alloc_printf("q%s", job->path) : NULL;
        return janitor_add(j, job);
}

void log_janitor_forget(LogJanitor *j, const char *path) {
        if (!j->current || j->current->kind != LOG_JOB_COMPRESS || !streq(j->current->path, path))
                return;
        pack_abort(j);
        job_end(j);
        if (!j->step.place) /* it waited for the disk */
                janitor_arm(j, 0);
}
