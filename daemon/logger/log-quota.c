/* log-quota.c - the janitor's other job: a pool's files within its quota. See log-janitor.h.
 *
 * One look at the directory adds up every file of the pool and remembers the oldest rotated ones; then as many of
 * those go as are needed, each time the one with the highest number of its log, so that no gap in the numbers
 * hides a file from readers. What does not suffice is looked at again. */
#include "base/alloc.h"
#include "base/fd.h"
#include "logger/log-janitor.h"
#include "logger/log-open.h"
#include "logger/log-rotate.h"
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* What a name in the directory is. */
typedef struct LogName {
        size_t n_stem;   /* "0.stdout.log" of "0.stdout.log.3.gz" */
        uint32_t number; /* 0: current */
        bool is_log;     /* not an index, not a temporary file */
} LogName;

static const char *skip_text(const char *p, const char *text) {
        size_t n = strlen(text);
        return strncmp(p, text, n) == 0 ? p + n : NULL;
}

/* Behind the slot or the name: ".stdout.log" or ".stderr.idx"; NULL: something else. */
static const char *skip_stream(const char *p, bool *ret_is_log) {
        static const struct {
                const char *text;
                bool is_log;
        } ends[] = {{".stdout.log", true}, {".stderr.log", true}, {".stdout.idx", false}, {".stderr.idx", false}};
        for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
                const char *end = skip_text(p, ends[i].text);
                if (end) {
                        *ret_is_log = ends[i].is_log;
                        return end;
                }
        }
        return NULL;
}

/* ".3", ".3.gz", ".compressing" or nothing. */
static bool parse_number(const char *p, LogName *ret) {
        unsigned long number;
        char *end;
        ret->number = 0;
        if (*p == '\0')
                return true;
        if (streq(p, ".compressing")) {
                ret->is_log = false;
                return true;
        }
        if (*p != '.' || !isdigit((unsigned char) p[1]))
                return false;
        number = strtoul(p + 1, &end, 10);
        if (number == 0 || number > LOG_FILES_MAX)
                return false;
        ret->number = (uint32_t) number;
        for (size_t i = 0; i < LOG_ROTATE_SUFFIXES; i++)
                if (streq(end, log_rotate_suffixes[i]))
                        return true;
        return false;
}

static bool name_parse(const LogJob *job, const char *name, LogName *ret) {
        const char *prefix = strrchr(job->path, '/') + 1, *p = skip_text(name, prefix), *q;
        *ret = (LogName){.is_log = true};
        if (!p)
                return false;
        if (job->is_whole_directory) {
                q = p;
                while (isdigit((unsigned char) *p))
                        p++;
                if (p == q)
                        return false;
        }
        q = skip_stream(p, &ret->is_log);
        if (q)
                p = q;
        else if (job->is_whole_directory)
                return false;
        ret->n_stem = (size_t) (p - name);
        return parse_number(p, ret);
}

static bool is_older(const struct timespec *a, uint32_t a_number, const LogOldFile *b) {
        if (a->tv_sec != b->mtime.tv_sec)
                return a->tv_sec < b->mtime.tv_sec;
        if (a->tv_nsec != b->mtime.tv_nsec)
                return a->tv_nsec < b->mtime.tv_nsec;
        return a_number > b->number;
}

static void remember(LogJanitor *j, const char *name, const LogName *n, const struct stat *st) {
        size_t i = j->n_oldest;
        while (i > 0 && is_older(&st->st_mtim, n->number, &j->oldest[i - 1]))
                i--;
        if (i == JANITOR_OLDEST_MAX)
                return;
        char *stem = alloc_strndup(name, n->n_stem);
        if (!stem)
                return;
        if (j->n_oldest == JANITOR_OLDEST_MAX)
                free(j->oldest[--j->n_oldest].stem);
        memmove(&j->oldest[i + 1], &j->oldest[i], (j->n_oldest - i) * sizeof j->oldest[0]);
        j->oldest[i] = (LogOldFile){st->st_mtim, (uint64_t) st->st_size, n->number, stem};
        j->n_oldest++;
}

static int quota_begin(LogJanitor *j) {
        const char *name;
        _cleanup_free_ char *any = alloc_printf("%sx", j->current->path); /* a name in the directory */
        int r = any ? log_dir_open(any, false, &j->dir_fd, &name) : -ENOMEM;
        if (r < 0)
                return r;
        int fd = openat(j->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        j->dir = fdopendir(fd);
        if (!j->dir) {
                r = -errno;
                fd_close(fd);
                return r;
        }
        j->total = 0;
        return 0;
}

/* The highest number of this log, seen from @number. */
static uint32_t last_number(LogJanitor *j, const char *stem, uint32_t number) {
        while (number < LOG_FILES_MAX && log_rotate_find(j->dir_fd, stem, number + 1, NULL) >= 0)
                number++;
        return number;
}

static uint64_t remove_file(LogJanitor *j, const LogOldFile *f) {
        char idx[LOG_NAME_TEXT_MAX], buf[LOG_NAME_TEXT_MAX];
        uint32_t number = last_number(j, f->stem, f->number);
        struct stat st;
        size_t n = strlen(f->stem);
        uint64_t size = log_rotate_find(j->dir_fd, f->stem, number, &st) >= 0 ? (uint64_t) st.st_size : 0;
        if (!log_rotate_remove(j->dir_fd, f->stem, number))
                return 0;
        if (n > 4 && n < sizeof idx && streq(f->stem + n - 4, ".log")) {
                snprintf(idx, sizeof idx, "%.*s.idx", (int) (n - 4), f->stem);
                log_rotate_name(buf, idx, number);
                if (fstatat(j->dir_fd, buf, &st, AT_SYMLINK_NOFOLLOW) == 0 && unlinkat(j->dir_fd, buf, 0) == 0)
                        size += (uint64_t) st.st_size;
        }
        return size;
}

/* 1: it fits, or nothing more can go; 0: look again. */
static int quota_remove(LogJanitor *j) {
        uint64_t before = j->total;
        for (size_t i = 0; i < j->n_oldest && j->total > j->current->max_total; i++) {
                uint64_t n = remove_file(j, &j->oldest[i]);
                j->total -= MIN(j->total, n);
        }
        bool is_over = j->total <= j->current->max_total || j->total == before;
        log_quota_end(j);
        j->dir_fd = fd_close(j->dir_fd);
        return is_over;
}

void log_quota_end(LogJanitor *j) {
        if (j->dir)
                (void) closedir(j->dir);
        j->dir = NULL;
        while (j->n_oldest > 0)
                free(j->oldest[--j->n_oldest].stem);
}

int log_quota_step(LogJanitor *j) {
        if (!j->dir)
                return quota_begin(j);
        for (unsigned i = 0; i < JANITOR_SLICE_NAMES; i++) {
                struct dirent *e = readdir(j->dir);
                LogName n;
                struct stat st;
                if (!e)
                        return quota_remove(j);
                if (!name_parse(j->current, e->d_name, &n) ||
                    fstatat(j->dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                        continue;
                j->total += (uint64_t) st.st_size;
                if (n.is_log && n.number > 0)
                        remember(j, e->d_name, &n, &st);
        }
        return 0;
}
