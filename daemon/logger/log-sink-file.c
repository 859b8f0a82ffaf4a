/* log-sink-file.c - lines into a file that rotates: LOG_KIND_FILE (raw, one worker) and LOG_KIND_SHARED (whole lines).
 *
 * The file is opened with O_APPEND at the first write and looked at again every FILE_CHECK_USEC of use: deleted by hand
 * means a new one, truncated by hand means going on at its start. `size` and `line_bytes` describe the file as
 * this program left it. Before every write the note's place says file, size and how much of the block is done; before
 * the names rotate the place says "no write is going on"; so a dead logger's work can always be told (settle).
 *
 * A newline is put in between when another writer (the next life of a worker) finds an unfinished line. */
#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "logger/log-index.h"
#include "logger/log-open.h"
#include "logger/log-rotate.h"
#include "logger/log-sink.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_CHECK_USEC (200 * USEC_PER_MSEC)
#define FILE_ROTATE_RETRY_USEC USEC_PER_SEC
#define FILE_EVICT 16u /* how many files make room when descriptors are short */

typedef struct FileSink {
        LogSink sink;
        int fd;
        bool is_index_checked; /* the index beside it is this file's */
        uint64_t dev, ino, size, line_bytes;
        uint64_t last_writer; /* 0: nobody since the sink was made */
        usec_t checked_usec, index_usec, rotate_after_usec;
} FileSink;

static FileSink *file_of(LogSink *s) {
        return container_of(s, FileSink, sink);
}

static LogSink *file_alloc(void) {
        FileSink *f = NEW0(FileSink);
        if (!f)
                return NULL;
        f->fd = -EBADF;
        return &f->sink;
}

static void file_close(LogSink *s) {
        FileSink *f = file_of(s);
        f->fd = fd_close(f->fd);
        log_sink_set_open(s, false);
}

/* "x.stdout.log" -> "x.stdout.idx"; a path given by the user has no index beside it. */
static bool index_name(const LogSink *s, const char *name, char buf[static LOG_NAME_TEXT_MAX]) {
        size_t n = strlen(name);
        if (s->ops->whole_lines || n < 4 || n >= LOG_NAME_TEXT_MAX)
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

static void file_adopt(FileSink *f, int fd, const struct stat *st, uint64_t line_bytes) {
        f->fd = fd;
        f->dev = st->st_dev;
        f->ino = st->st_ino;
        f->size = (uint64_t) st->st_size;
        f->line_bytes = line_bytes;
        f->is_index_checked = false;
        f->index_usec = 0;
        f->checked_usec = f->sink.table->loop->now;
        log_sink_set_open(&f->sink, true);
}

static int file_open_once(FileSink *f) {
        _cleanup_fd_ int dir_fd = -EBADF;
        const char *name;
        struct stat st;
        int fd, r;
        r = log_dir_open(f->sink.key, !f->sink.ops->whole_lines, &dir_fd, &name);
        if (r < 0)
                return r;
        r = log_file_open(dir_fd, name, O_WRONLY | O_CREAT | O_APPEND, &fd, &st);
        if (r < 0)
                return r;
        file_adopt(f, fd, &st, unfinished_line(dir_fd, name, (uint64_t) st.st_size));
        return 0;
}

static int file_open(FileSink *f) {
        int r = file_open_once(f);
        if ((r == -EMFILE || r == -ENFILE) && log_sink_table_evict(f->sink.table, FILE_EVICT) > 0)
                r = file_open_once(f);
        return r;
}

/* Deleted or truncated by hand? */
static void file_check(FileSink *f) {
        struct stat st;
        f->checked_usec = f->sink.table->loop->now;
        if (fstat(f->fd, &st) < 0)
                return;
        if (st.st_nlink == 0) {
                log_notice("%s was removed, making it anew", f->sink.key);
                file_close(&f->sink);
        } else if ((uint64_t) st.st_size < f->size) {
                log_notice("%s was truncated from %llu to %llu bytes", f->sink.key, (unsigned long long) f->size,
                           (unsigned long long) st.st_size);
                f->line_bytes = 0;
                f->is_index_checked = false;
                f->index_usec = 0;
        }
        f->size = (uint64_t) st.st_size;
}

static int file_ready(FileSink *f) {
        if (f->fd >= 0 && f->sink.table->loop->now >= f->checked_usec + FILE_CHECK_USEC)
                file_check(f);
        return f->fd >= 0 ? 0 : file_open(f);
}

static void file_index(FileSink *f) {
        char idx[LOG_NAME_TEXT_MAX];
        _cleanup_fd_ int dir_fd = -EBADF;
        const char *name;
        usec_t now = clock_realtime();
        if (f->sink.ops->whole_lines || (now >= f->index_usec && now < f->index_usec + LOG_INDEX_STEP_USEC))
                return;
        if (log_dir_open(f->sink.key, false, &dir_fd, &name) < 0 || !index_name(&f->sink, name, idx))
                return;
        LogIndexRecord record = {f->size, now};
        if (log_index_append(dir_fd, idx, f->ino, &record, !f->is_index_checked) == 0)
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

static void file_account(FileSink *f, const uint8_t *data, size_t n) {
        const uint8_t *last = memrchr(data, '\n', n);
        f->size += n;
        f->line_bytes = last ? (uint64_t) (data + n - last) - 1 : f->line_bytes + n;
}

/* @data is @n bytes at place.done, or stands outside of the block (is_extra). */
static int file_put(FileSink *f, LogWrite *w, const uint8_t *data, size_t n, bool is_extra) {
        uint64_t done = scratch_place(w->note)->done;
        file_note(f, w->note, done, !is_extra);
        ssize_t k = write(f->fd, data, n);
        if (k <= 0)
                return k < 0 && errno != EINTR ? -errno : k < 0 ? 0 : -EIO;
        file_account(f, data, (size_t) k);
        if (!is_extra)
                file_note(f, w->note, done + (uint64_t) k, false);
        log_sink_push(&f->sink, data, (size_t) k, w->stream);
        return 0;
}

static int file_rotate(FileSink *f, ScratchNote *note) {
        char idx[LOG_NAME_TEXT_MAX];
        _cleanup_fd_ int dir_fd = -EBADF;
        const char *name;
        file_note(f, note, scratch_place(note)->done, false);
        int r = log_dir_open(f->sink.key, false, &dir_fd, &name);
        if (r < 0)
                return r;
        r = log_rotate_names(dir_fd, name, f->sink.max_files);
        if (r < 0)
                return r;
        if (index_name(&f->sink, name, idx))
                (void) log_rotate_names(dir_fd, idx, f->sink.max_files);
        file_close(&f->sink);
        return file_open(f);
}

/* A rotation that fails is no reason to lose or to wait: the old file grows on, and it is tried again later. */
static int file_rotate_or_grow(FileSink *f, ScratchNote *note) {
        int r = file_rotate(f, note);
        if (r < 0 && f->fd >= 0) {
                log_warning("%s cannot be rotated: %s", f->sink.key, log_open_reason(r));
                f->rotate_after_usec = usec_add(f->sink.table->loop->now, FILE_ROTATE_RETRY_USEC);
                return 0;
        }
        return r;
}

static bool file_needs_newline(const FileSink *f, const LogWrite *w) {
        if (f->line_bytes == 0 || f->last_writer == w->writer)
                return false;
        /* After the logger's restart a writer of before goes on with its own line. */
        return f->last_writer != 0 || !w->is_again || f->sink.ops->whole_lines;
}

static int file_step(FileSink *f, LogWrite *w) {
        uint64_t done = scratch_place(w->note)->done;
        const uint8_t *data = w->data + done;
        uint64_t bound = f->sink.table->loop->now < f->rotate_after_usec ? 0 : f->sink.max_size;
        RotateCut cut = log_rotate_cut(f->size, f->line_bytes, bound, data, w->n_bytes - (size_t) done);
        int r = 0;
        if (cut.n_write > 0) {
                file_index(f);
                r = file_put(f, w, data, cut.n_write, false);
        }
        bool is_cut = cut.rotate && scratch_place(w->note)->done == done + cut.n_write;
        if (r == 0 && is_cut && done + cut.n_write < w->n_bytes)
                r = file_rotate_or_grow(f, w->note);
        return r;
}

static int file_write(LogSink *s, LogWrite *w) {
        FileSink *f = file_of(s);
        int r = file_ready(f);
        if (r == 0 && file_needs_newline(f, w))
                r = file_put(f, w, (const uint8_t *) "\n", 1, true);
        while (r == 0 && scratch_place(w->note)->done < w->n_bytes) {
                if (f->fd < 0)
                        r = file_open(f);
                if (r == 0)
                        r = file_step(f, w);
                if (r == 0)
                        f->last_writer = w->writer;
        }
        return r;
}

/* How many bytes at @offset of the file equal @data. */
static size_t file_matches(int fd, uint64_t offset, const uint8_t *data, size_t n) {
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

/* The noted file is the current one, or became number 1 when the logger died between the rename and the note. */
static void file_settle(LogSink *s, ScratchNote *note, const uint8_t *data) {
        _cleanup_fd_ int dir_fd = -EBADF;
        ScratchPlace p = *scratch_place(note);
        const char *name;
        if (p.ino == 0 || log_dir_open(s->key, false, &dir_fd, &name) < 0)
                return;
        for (uint32_t i = 0; i < 2; i++) {
                char buf[LOG_NAME_TEXT_MAX];
                _cleanup_fd_ int fd = -EBADF;
                struct stat st;
                if (log_file_open(dir_fd, log_rotate_name(buf, name, i), O_RDONLY, &fd, &st) < 0)
                        continue;
                if (st.st_ino != p.ino || st.st_dev != p.dev)
                        continue;
                p.done += file_matches(fd, p.offset, data + p.done, note->n_bytes - (size_t) p.done);
                break;
        }
        scratch_set_place(note, &(ScratchPlace){.done = p.done});
}

const LogSinkOps log_sink_file_ops = {
        .name = "file",
        .alloc = file_alloc,
        .write = file_write,
        .settle = file_settle,
        .close = file_close,
};

const LogSinkOps log_sink_shared_ops = {
        .name = "shared",
        .whole_lines = true,
        .alloc = file_alloc,
        .write = file_write,
        .settle = file_settle,
        .close = file_close,
};
