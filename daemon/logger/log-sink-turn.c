/* log-sink-turn.c - a log file is rotated or cleared: by size, by the clock, by request.
 *
 * By the clock: at every multiple of rotate_usec since 1970 (UTC), so that "1d" means midnight and a restart of
 * anything changes nothing. An empty file is never rotated and has no timer. A file that stands in the middle of a line
 * is rotated at that line's end. After a rotation the janitor hears of what there is to compress and to count. */
#include "base/fd.h"
#include "base/log.h"
#include "logger/log-file.h"
#include "logger/log-index.h"
#include "logger/log-open.h"
#include "logger/log-rotate.h"
#include <fcntl.h>
#include <unistd.h>
#include <utlist.h>

#define FILE_ROTATE_RETRY_USEC USEC_PER_SEC

/* What may have to be done with rotated files. */
static void tell_janitor(FileSink *f) {
        const LogBounds *b = &f->sink.bounds;
        LogJanitor *j = &f->sink.table->janitor;
        if (b->compress != LOG_COMPRESS_NONE)
                (void) log_janitor_compress(j, f->sink.key, (LogCompress) b->compress);
        if (b->max_total > 0)
                (void) log_janitor_quota(j, f->sink.quota_path, f->sink.is_of_pool, b->max_total);
}

int file_turn(FileSink *f) {
        char idx[LOG_NAME_TEXT_MAX];
        _cleanup_fd_ int dir_fd = -EBADF;
        const char *name;
        int r = log_dir_open(f->sink.key, false, &dir_fd, &name);
        if (r < 0)
                return r;
        r = log_rotate_names(dir_fd, name, f->sink.bounds.max_files);
        if (r < 0)
                return r;
        if (file_index_name(&f->sink, name, idx))
                (void) log_rotate_names(dir_fd, idx, f->sink.bounds.max_files);
        f->is_turn_due = false;
        f->n_grown = 0;
        file_close(&f->sink);
        tell_janitor(f);
        return file_open(f);
}

/* Killed between the names of the log and those of its index: the index of what is number 1 now has the current name, and
 * every older one is behind by one. */
void file_mend(LogSink *s) {
        _cleanup_fd_ int dir_fd = -EBADF;
        char idx[LOG_NAME_TEXT_MAX], first[LOG_NAME_TEXT_MAX];
        const char *name;
        struct stat st;
        if (log_dir_open(s->key, false, &dir_fd, &name) < 0 || !file_index_name(s, name, idx))
                return;
        uint64_t owner = log_index_owner(dir_fd, idx);
        if (owner == 0 || (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == owner))
                return;
        if (fstatat(dir_fd, log_rotate_name(first, name, 1), &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == owner)
                (void) log_rotate_names(dir_fd, idx, s->bounds.max_files);
}

int file_turn_or_grow(FileSink *f) {
        int r = file_turn(f);
        if (r < 0 && f->fd >= 0) {
                log_warning("%s cannot be rotated: %s", f->sink.key, log_open_reason(r));
                f->rotate_after_usec = usec_add(f->sink.table->loop->now, FILE_ROTATE_RETRY_USEC);
                return 0;
        }
        return r;
}

bool file_is_overdue(const FileSink *f) {
        usec_t every = f->sink.bounds.rotate_usec;
        return f->is_turn_due || (every > 0 && log_rotate_is_due(f->begun_usec, clock_realtime(), every));
}

static void on_turn(LoopTimer *t) {
        FileSink *f = container_of(t, FileSink, turn);
        if (f->fd < 0)
                return; /* looked at again when it is opened */
        if (!file_is_overdue(f)) {
                file_arm_turn(f); /* the clock was set back, or the timer came early */
                return;
        }
        if (f->line_bytes > 0)
                f->is_turn_due = true;
        else if (f->size > 0)
                (void) file_turn_or_grow(f);
}

void file_arm_turn(FileSink *f) {
        LogLoop *l = f->sink.table->loop;
        usec_t every = f->sink.bounds.rotate_usec, now = clock_realtime(), next;
        if (every == 0 || f->begun_usec == 0) {
                log_loop_disarm(l, &f->turn);
                return;
        }
        next = log_rotate_is_due(f->begun_usec, now, every) ? now : log_rotate_next(now, every);
        f->turn.on_time = on_turn;
        (void) log_loop_arm(l, &f->turn, usec_add(l->now, next - now));
}

static void trim(LogSink *s) {
        _cleanup_fd_ int dir_fd = -EBADF;
        char idx[LOG_NAME_TEXT_MAX];
        const char *name;
        if (log_dir_open(s->key, false, &dir_fd, &name) < 0)
                return;
        log_rotate_trim(dir_fd, name, s->bounds.max_files);
        if (file_index_name(s, name, idx))
                log_rotate_trim(dir_fd, idx, s->bounds.max_files);
}

void file_set_bounds(LogSink *s, bool is_change) {
        FileSink *f = file_of(s);
        if (is_change) {
                if (f->fd >= 0 && f->size > 0 && f->begun_usec == 0)
                        f->begun_usec = clock_realtime();
                file_arm_turn(f);
                trim(s);
        }
        tell_janitor(f);
}

static bool is_written_by_others(const LogSink *s) {
        const LogTail *t;
        size_t n = 0;
        DL_FOREACH(s->tails, t)
                n++;
        return s->n_refs > n + 1;
}

/* Of the file that is open. Its index knows; else its first bytes may tell, and raw lines may look like anything. */
static LogForm form_of(const FileSink *f, LogForm wanted) {
        _cleanup_fd_ int dir_fd = -EBADF, fd = -EBADF;
        char idx[LOG_NAME_TEXT_MAX];
        uint8_t head[LOG_FORM_GUESS_BYTES];
        const char *name;
        struct stat st;
        LogIndex i = {.fd = -EBADF};
        if (log_dir_open(f->sink.key, false, &dir_fd, &name) < 0)
                return wanted;
        if (file_index_name(&f->sink, name, idx))
                log_index_open(&i, dir_fd, idx, f->ino);
        bool has_index = i.fd >= 0;
        log_index_close(&i);
        if (has_index)
                return i.form;
        if (log_file_open(dir_fd, name, O_RDONLY, &fd, &st) < 0)
                return wanted;
        ssize_t n = pread(fd, head, sizeof head, 0);
        LogForm form = n > 0 ? log_form_guess(head, (size_t) n) : wanted;
        return form == LOG_FORM_TIMED && wanted == LOG_FORM_RAW ? wanted : form;
}

int file_take_form(FileSink *f, const LogWrite *w) {
        LogForm form = log_style_form(&w->target->style);
        if (f->size == 0 || !f->is_form_known)
                f->form = (uint8_t) (f->size == 0 ? form : form_of(f, form));
        f->is_form_known = true;
        bool is_new = f->last_writer != w->writer && !w->is_again;
        if (f->form == form || !is_new || (!f->sink.ops->has_index && is_written_by_others(&f->sink)))
                return 0;
        int r = file_turn_or_grow(f);
        f->form = (uint8_t) form;
        f->is_form_known = r == 0;
        return r;
}

/* By request. A file that nobody has open is opened for it, when there is one. */
int file_rotate(LogSink *s) {
        FileSink *f = file_of(s);
        _cleanup_fd_ int dir_fd = -EBADF;
        const char *name;
        struct stat st;
        int r = log_dir_open(s->key, false, &dir_fd, &name);
        if (r == 0 && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                r = -errno;
        if (r == 0 && st.st_size == 0)
                return 0;
        if (r == 0)
                r = file_ready(f);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (f->line_bytes > 0 && s->n_refs > 1) { /* somebody may be in the middle of it */
                f->is_turn_due = true;
                return 0;
        }
        return f->size > 0 ? file_turn(f) : 0;
}

static int empty_file(int dir_fd, const char *name) {
        _cleanup_fd_ int fd = -EBADF;
        struct stat st;
        int r = log_file_open(dir_fd, name, O_WRONLY, &fd, &st);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return ftruncate(fd, 0) < 0 ? -errno : 0;
}

int file_clear(LogSink *s) {
        FileSink *f = file_of(s);
        _cleanup_fd_ int dir_fd = -EBADF;
        char idx[LOG_NAME_TEXT_MAX];
        const char *name;
        int r = log_dir_open(s->key, false, &dir_fd, &name);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        log_janitor_forget(&s->table->janitor, s->key);
        log_rotate_trim(dir_fd, name, 0);
        r = empty_file(dir_fd, name);
        if (file_index_name(s, name, idx)) {
                log_rotate_trim(dir_fd, idx, 0);
                (void) empty_file(dir_fd, idx);
        }
        if (r == 0) {
                f->size = f->line_bytes = f->n_grown = 0;
                f->begun_usec = f->index_usec = 0;
                f->is_index_checked = f->is_turn_due = false;
        }
        return r;
}
