/* log-sink-file.c - lines into a file that rotates: LOG_KIND_FILE (one worker) and LOG_KIND_SHARED (whole lines).
 *
 * The file is opened with O_APPEND at the first write and looked at again every FILE_CHECK_USEC of use: deleted or moved
 * away by hand means a new one, truncated by hand (logrotate's copytruncate) means going on at its start. `size` and
 * `line_bytes` describe the file as this program left it. Before every write the note's place says file, size and how
 * much of the block is done; before the names rotate the place says "no write is going on"; so a dead logger's work
 * can always be told (settle). Formatted lines are in log-sink-lines.c, rotation in log-sink-turn.c.
 *
 * A newline is put in between when another writer (the next life of a worker) finds an unfinished line. */
#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "logger/log-file.h"
#include "logger/log-index.h"
#include "logger/log-open.h"
#include "logger/log-rotate.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_CHECK_USEC (200 * USEC_PER_MSEC)
#define FILE_EVICT 16u /* how many files make room when descriptors are short */

_Static_assert(LOG_SINK_NAME_MAX == LOG_NAME_TEXT_MAX, "one length of names");

void file_close(LogSink *s) {
        FileSink *f = file_of(s);
        f->fd = fd_close(f->fd);
        log_sink_set_open(s, false);
}

static void file_done(LogSink *s) {
        log_loop_disarm(s->table->loop, &file_of(s)->turn);
}

bool file_index_name(const LogSink *s, const char *name, char buf[static LOG_SINK_NAME_MAX]) {
        size_t n = strlen(name);
        if (!s->ops->has_index || n < 4 || n >= LOG_NAME_TEXT_MAX)
                return false;
        snprintf(buf, LOG_NAME_TEXT_MAX, "%.*s.idx", (int) (n - 4), name);
        return true;
}

/* Bytes since the last newline, looking back no further than a line may be long. */
static uint64_t unfinished_line(int dir_fd, const char *name, uint64_t size) {
        _cleanup_fd_ int fd = -EBADF;
        uint8_t buf[4096];
        struct stat st;
        uint64_t n = 0;
        if (size == 0 || log_file_open(dir_fd, name, O_RDONLY, &fd, &st) < 0)
                return 0;
        while (n < size && n < LOG_LINE_CUT) {
                size_t want = (size_t) MIN(sizeof buf, size - n);
                if (pread(fd, buf, want, (off_t) (size - n - want)) != (ssize_t) want)
                        return n;
                const uint8_t *last = memrchr(buf, '\n', want);
                if (last)
                        return n + (uint64_t) (buf + want - last) - 1;
                n += want;
        }
        return n;
}

/* When the first byte came: the index knows, else the file system, else when it was written last. */
static usec_t begun_at(const FileSink *f, int dir_fd, const char *name, const struct stat *st) {
        char idx[LOG_NAME_TEXT_MAX];
        struct statx x;
        if (st->st_size == 0 || f->sink.bounds.rotate_usec == 0)
                return 0;
        if (file_index_name(&f->sink, name, idx)) {
                LogIndex i;
                log_index_open(&i, dir_fd, idx, st->st_ino);
                usec_t first = log_index_first(&i);
                log_index_close(&i);
                if (first > 0)
                        return first;
        }
        if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &x) == 0 && (x.stx_mask & STATX_BTIME))
                return (usec_t) x.stx_btime.tv_sec * USEC_PER_SEC + x.stx_btime.tv_nsec / 1000;
        return (usec_t) st->st_mtim.tv_sec * USEC_PER_SEC + (usec_t) st->st_mtim.tv_nsec / 1000;
}

static void file_adopt(FileSink *f, int fd, const struct stat *st, uint64_t line_bytes, usec_t begun_usec) {
        f->fd = fd;
        f->dev = st->st_dev;
        f->ino = st->st_ino;
        f->size = (uint64_t) st->st_size;
        f->line_bytes = line_bytes;
        f->begun_usec = begun_usec;
        f->is_index_checked = f->is_form_known = false;
        f->index_usec = 0;
        f->checked_usec = f->sink.table->loop->now;
        log_sink_set_open(&f->sink, true);
        file_arm_turn(f);
}

static int file_open_once(FileSink *f) {
        _cleanup_fd_ int dir_fd = -EBADF;
        const char *name;
        struct stat st;
        int fd, r;
        r = log_dir_open(f->sink.key, f->sink.ops->has_index, &dir_fd, &name);
        if (r < 0)
                return r;
        r = log_file_open(dir_fd, name, O_WRONLY | O_CREAT | O_APPEND, &fd, &st);
        if (r < 0)
                return r;
        file_adopt(f, fd, &st, unfinished_line(dir_fd, name, (uint64_t) st.st_size), begun_at(f, dir_fd, name, &st));
        return 0;
}

int file_open(FileSink *f) {
        int r = file_open_once(f);
        if ((r == -EMFILE || r == -ENFILE) && log_sink_table_evict(f->sink.table, FILE_EVICT) > 0)
                r = file_open_once(f);
        return r;
}

/* The name leads to another file, or to none: somebody moved ours away, as logrotate does. */
static bool is_moved(const FileSink *f) {
        _cleanup_fd_ int dir_fd = -EBADF;
        const char *name;
        struct stat st;
        if (log_dir_open(f->sink.key, false, &dir_fd, &name) < 0)
                return false;
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT;
        return st.st_ino != f->ino || st.st_dev != f->dev;
}

static void file_was_truncated(FileSink *f, uint64_t size) {
        log_notice("%s was truncated from %llu to %llu bytes", f->sink.key, (unsigned long long) f->size,
                   (unsigned long long) size);
        f->line_bytes = 0;
        f->begun_usec = size > 0 ? f->begun_usec : 0;
        f->is_turn_due = f->is_turn_due && size > 0;
        f->is_index_checked = false;
        f->index_usec = 0;
}

/* Deleted, moved or truncated by hand? */
static void file_check(FileSink *f) {
        struct stat st;
        f->checked_usec = f->sink.table->loop->now;
        if (fstat(f->fd, &st) < 0)
                return;
        if (st.st_nlink == 0 || is_moved(f)) {
                log_notice("%s was %s, making it anew", f->sink.key, st.st_nlink == 0 ? "removed" : "moved away");
                file_close(&f->sink);
        } else if ((uint64_t) st.st_size < f->size) {
                file_was_truncated(f, (uint64_t) st.st_size);
        }
        f->size = (uint64_t) st.st_size;
}

int file_ready(FileSink *f) {
        if (f->fd >= 0 && f->sink.table->loop->now >= f->checked_usec + FILE_CHECK_USEC)
                file_check(f);
        return f->fd >= 0 ? 0 : file_open(f);
}

void file_index(FileSink *f, LogForm form) {
        char idx[LOG_NAME_TEXT_MAX];
        _cleanup_fd_ int dir_fd = -EBADF;
        const char *name;
        usec_t now = clock_realtime();
        if (!f->sink.ops->has_index || (now >= f->index_usec && now < f->index_usec + LOG_INDEX_STEP_USEC))
                return;
        if (!f->is_index_checked)
                file_mend(&f->sink);
        if (log_dir_open(f->sink.key, false, &dir_fd, &name) < 0 || !file_index_name(&f->sink, name, idx))
                return;
        LogIndexRecord record = {f->size, now};
        if (log_index_append(dir_fd, idx, f->ino, form, &record, !f->is_index_checked) == 0)
                f->is_index_checked = true;
        f->index_usec = now;
}

static void file_note(FileSink *f, ScratchNote *note, uint64_t done, bool is_writing) {
        ScratchPlace p = {.done = done};
        if (is_writing) {
                p.dev = f->dev;
                p.ino = f->ino;
                p.offset = f->size;
        }
        scratch_set_place(note, &p);
}

/* A pool's quota is looked at again after a sixteenth of it. */
static void file_check_quota(FileSink *f, size_t n) {
        const LogBounds *b = &f->sink.bounds;
        f->n_grown += n;
        if (b->max_total == 0 || f->n_grown < MAX(b->max_total / 16, (uint64_t) 4096))
                return;
        f->n_grown = 0;
        (void) log_janitor_quota(&f->sink.table->janitor, f->sink.quota_path, f->sink.is_of_pool, b->max_total);
}

void file_account(FileSink *f, const uint8_t *data, size_t n) {
        const uint8_t *last = memrchr(data, '\n', n);
        f->size += n;
        f->line_bytes = last ? (uint64_t) (data + n - last) - 1 : f->line_bytes + n;
        if (f->begun_usec == 0 && f->sink.bounds.rotate_usec > 0) {
                f->begun_usec = clock_realtime();
                file_arm_turn(f);
        }
        file_check_quota(f, n);
}

int file_put_extra(FileSink *f, const uint8_t *data, size_t n) {
        ssize_t k = write(f->fd, data, n);
        if (k <= 0)
                return k < 0 && errno != EINTR ? -errno : k < 0 ? 0 : -EIO;
        file_account(f, data, (size_t) k);
        return (int) k;
}

/* @data is @n bytes at place.done. */
static int file_put(FileSink *f, LogWrite *w, const uint8_t *data, size_t n) {
        uint64_t done = scratch_place(w->note)->done;
        file_note(f, w->note, done, true);
        ssize_t k = write(f->fd, data, n);
        if (k <= 0)
                return k < 0 && errno != EINTR ? -errno : k < 0 ? 0 : -EIO;
        file_account(f, data, (size_t) k);
        file_note(f, w->note, done + (uint64_t) k, false);
        log_sink_push(&f->sink, data, (size_t) k, w->stream);
        return 0;
}

static int file_end_line(FileSink *f, LogWrite *w) {
        file_note(f, w->note, scratch_place(w->note)->done, false);
        int r = file_put_extra(f, (const uint8_t *) "\n", 1);
        if (r > 0)
                log_sink_push(&f->sink, (const uint8_t *) "\n", 1, w->stream);
        return MIN(r, 0);
}

static bool file_needs_newline(const FileSink *f, const LogWrite *w) {
        if (f->line_bytes == 0 || f->last_writer == w->writer)
                return false;
        /* After the logger's restart a writer of before goes on with its own line. */
        return f->last_writer != 0 || !w->is_again || log_target_is_whole(w->target);
}

static int file_step(FileSink *f, LogWrite *w) {
        uint64_t done = scratch_place(w->note)->done;
        const uint8_t *data = w->data + done;
        bool may_rotate = f->sink.table->loop->now >= f->rotate_after_usec;
        uint64_t bound = !may_rotate ? 0 : file_is_overdue(f) ? 1 : f->sink.bounds.max_size;
        RotateCut cut = log_rotate_cut(f->size, f->line_bytes, f->size > 0 ? bound : f->sink.bounds.max_size, data,
                                       w->n_bytes - (size_t) done);
        int r = 0;
        if (cut.n_write > 0) {
                file_index(f, LOG_FORM_RAW);
                r = file_put(f, w, data, cut.n_write);
        }
        bool is_cut = cut.rotate && scratch_place(w->note)->done == done + cut.n_write;
        if (r == 0 && is_cut && (done + cut.n_write < w->n_bytes || file_is_overdue(f))) {
                file_note(f, w->note, scratch_place(w->note)->done, false);
                r = file_turn_or_grow(f);
        }
        return r;
}

static int file_write(LogSink *s, LogWrite *w) {
        FileSink *f = file_of(s);
        bool is_raw = log_style_is_raw(&w->target->style);
        int r = file_ready(f);
        if (r == 0)
                r = file_take_form(f, w);
        if (r == 0 && f->fd >= 0 && file_needs_newline(f, w))
                r = file_end_line(f, w);
        while (r == 0 && scratch_place(w->note)->done < w->n_bytes) {
                if (f->fd < 0)
                        r = file_open(f);
                if (r == 0)
                        r = is_raw ? file_step(f, w) : file_step_lines(f, w);
                if (r == 0)
                        f->last_writer = w->writer;
        }
        return r;
}

/* How many bytes at @offset of the file equal @data. */
size_t file_matches(int fd, uint64_t offset, const uint8_t *data, size_t n) {
        uint8_t buf[4096];
        for (size_t at = 0; at < n;) {
                size_t want = MIN(sizeof buf, n - at);
                ssize_t k = pread(fd, buf, want, (off_t) (offset + at));
                if (k <= 0)
                        return at;
                for (ssize_t i = 0; i < k; i++)
                        if (buf[i] != data[at + (size_t) i])
                                return at + (size_t) i;
                at += (size_t) k;
        }
        return n;
}

int file_find(const LogSink *s, uint64_t dev, uint64_t ino, int *ret_fd, struct stat *ret_st) {
        _cleanup_fd_ int dir_fd = -EBADF;
        const char *name;
        int r = log_dir_open(s->key, false, &dir_fd, &name);
        for (uint32_t i = 0; r == 0 && i < 2; i++) {
                char buf[LOG_NAME_TEXT_MAX];
                _cleanup_fd_ int fd = -EBADF;
                if (log_file_open(dir_fd, log_rotate_name(buf, name, i), O_RDWR, &fd, ret_st) < 0)
                        continue;
                if (ret_st->st_ino != ino || ret_st->st_dev != dev)
                        continue;
                *ret_fd = TAKE_FD(fd);
                return 0;
        }
        return r < 0 ? r : -ENOENT;
}

/* The noted file is the current one, or became number 1 when the logger died between the rename and the note. */
static void file_settle(LogSink *s, LogWrite *w) {
        ScratchPlace p = *scratch_place(w->note);
        _cleanup_fd_ int fd = -EBADF;
        struct stat st;
        if (p.ino == 0)
                return;
        int r = file_find(s, p.dev, p.ino, &fd, &st);
        if (r == 0 && p.n_chunk > 0)
                return file_settle_lines(file_of(s), w, fd, (uint64_t) st.st_size);
        if (r == 0)
                p.done += file_matches(fd, p.offset, w->data + p.done, w->n_bytes - (size_t) p.done);
        scratch_set_place(w->note, &(ScratchPlace){.done = p.done});
}

static LogSink *file_alloc(void) {
        FileSink *f = NEW0(FileSink);
        if (!f)
                return NULL;
        f->fd = -EBADF;
        return &f->sink;
}

#define FILE_OPS                                                                                                       \
        .alloc = file_alloc, .write = file_write, .settle = file_settle, .mend = file_mend, .close = file_close,                          \
        .set_bounds = file_set_bounds, .rotate = file_rotate, .clear = file_clear, .mark = file_mark, .has_mark = file_has_mark, .done = file_done

const LogSinkOps log_sink_file_ops = {.name = "file", .has_index = true, FILE_OPS};
const LogSinkOps log_sink_shared_ops = {.name = "shared", FILE_OPS};
