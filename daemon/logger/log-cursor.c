/* log-cursor.c - see log-cursor.h. */
#include "logger/log-cursor.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "logger/log-open.h"
#include "logger/log-rotate.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Opens NAME.number; the cursor is untouched on failure. */
static int cursor_open(LogCursor *c, uint32_t number, struct stat *ret_st) {
        char buf[LOG_NAME_TEXT_MAX], idx[LOG_NAME_TEXT_MAX];
        _cleanup_fd_ int dir_fd = -EBADF;
        const char *name;
        struct stat st;
        int fd;
        int r = log_dir_open(c->path, false, &dir_fd, &name);
        if (r < 0)
                return r;
        int method = log_rotate_find(dir_fd, name, number, NULL);
        if (method < 0)
                return method;
        r = log_file_open(dir_fd, log_rotate_name_packed(buf, name, number, (LogCompress) method), O_RDONLY, &fd, &st);
        if (r < 0)
                return r;
        fd_close(c->fd);
        c->unpacker = log_unpacker_free(c->unpacker);
        c->fd = fd;
        c->dev = st.st_dev;
        c->ino = c->file_ino = st.st_ino;
        if (method > LOG_COMPRESS_NONE) {
                r = log_unpacker_new(&c->unpacker, (LogCompress) method, fd, &c->ino);
                if (r < 0)
                        return r;
                c->pack = LOG_CURSOR_COUNT;
                c->n_pack_lines = 0;
        }
        log_index_close(&c->index);
        if (c->has_index && strlen(name) > 4) {
                snprintf(idx, sizeof idx, "%.*s.idx", (int) (strlen(name) - 4), name);
                log_index_open(&c->index, dir_fd, log_rotate_name(buf, idx, number), c->ino);
        }
        *ret_st = st;
        return 0;
}

int log_cursor_init(LogCursor *c, const char *path, bool has_index, uint32_t stream, const LogStyle *style) {
        struct stat st;
        *c = (LogCursor){.fd = -EBADF,
                         .index.fd = -EBADF,
                         .has_index = has_index,
                         .stream = stream,
                         .style = style,
                         .is_mine = true,
                         .capacity = log_style_is_raw(style) ? LOG_CURSOR_BYTES : LOG_CURSOR_LINES_BYTES};
        c->path = alloc_strdup(path);
        if (!c->path)
                return -ENOMEM;
        int r = cursor_open(c, 0, &st);
        if (r == -ENOENT) /* between two names of a rotation, or nothing was written since */
                r = cursor_open(c, 1, &st);
        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                log_cursor_done(c);
                return r;
        }
        c->position = c->end_offset = c->unpacker ? UINT64_MAX : (uint64_t) st.st_size;
        c->end_ino = c->ino;
        return 0;
}

void log_cursor_done(LogCursor *c) {
        if (!c->path)
                return;
        free(c->path);
        free(c->buffer);
        text_done(&c->plain);
        log_unpacker_free(c->unpacker);
        fd_close(c->fd);
        log_index_close(&c->index);
        *c = (LogCursor){.fd = -EBADF, .index.fd = -EBADF};
}

/* Was the compressed file under @number the one that @c has open? */
static bool was_packed(const LogCursor *c, int dir_fd, const char *name, uint32_t number, int method) {
        char buf[LOG_NAME_TEXT_MAX];
        _cleanup_fd_ int fd = -EBADF;
        struct stat st;
        log_rotate_name_packed(buf, name, number, (LogCompress) method);
        return log_file_open(dir_fd, buf, O_RDONLY, &fd, &st) == 0 && st.st_dev == c->dev &&
               log_pack_origin(fd, (LogCompress) method) == c->ino;
}

/* The number under which the cursor's file is found now; -ENOENT: rotated away. *ret_oldest: highest number there is. */
static int cursor_number(const LogCursor *c, uint32_t *ret_oldest) {
        _cleanup_fd_ int dir_fd = -EBADF;
        const char *name;
        struct stat st;
        int found = -ENOENT;
        int r = log_dir_open(c->path, false, &dir_fd, &name);
        if (r < 0)
                return r;
        *ret_oldest = 0;
        for (uint32_t i = 0; i <= LOG_FILES_MAX; i++) {
                int method = log_rotate_find(dir_fd, name, i, &st);
                if (method < 0) {
                        if (i > 0)
                                break;
                        continue; /* between two names of a rotation the first is missing */
                }
                *ret_oldest = i;
                if (st.st_ino == c->file_ino && st.st_dev == c->dev)
                        found = (int) i;
                else if (found < 0 && method > LOG_COMPRESS_NONE && !c->unpacker && was_packed(c, dir_fd, name, i, method))
                        found = (int) i;
        }
        return found;
}

/* Written last before what is wanted: no line in it is. It stands at its end then, with nothing to read. */
static bool cursor_is_too_old(const LogCursor *c, const struct stat *st) {
        usec_t last = (usec_t) st->st_mtim.tv_sec * USEC_PER_SEC + (usec_t) st->st_mtim.tv_nsec / 1000;
        return c->since_usec > 0 && usec_add(last, USEC_PER_SEC) < c->since_usec;
}

/* 1: stands at the end of the next older file; 0: there is none, or none that is wanted. */
int log_cursor_go_older(LogCursor *c) {
        struct stat st;
        uint32_t oldest = 0;
        int number = c->fd >= 0 ? cursor_number(c, &oldest) : 0;
        if (number < 0)
                return 0;
        int r = cursor_open(c, (uint32_t) number + 1, &st);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        c->position = c->unpacker ? UINT64_MAX : (uint64_t) st.st_size;
        return !cursor_is_too_old(c, &st);
}

/* 1: stands at the start of the next newer file; 0: this is the newest. */
static int cursor_go_newer(LogCursor *c) {
        struct stat st;
        uint32_t oldest = 0;
        int number = c->fd >= 0 ? cursor_number(c, &oldest) : 1;
        if (number == 0)
                return 0;
        if (number < 0 && number != -ENOENT)
                return number;
        bool is_gap = number == -ENOENT; /* also: deleted by hand, and perhaps made anew */
        int r = cursor_open(c, is_gap ? oldest : (uint32_t) number - 1, &st);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        c->n_gaps += is_gap;
        c->position = 0;
        c->begin = c->end = 0;
        return 1;
}

LogCursorPlace log_cursor_place(const LogCursor *c) {
        if (c->fd < 0)
                return (LogCursorPlace){};
        return (LogCursorPlace){c->dev, c->file_ino, c->ino, c->position, c->unpacker != NULL};
}

int log_cursor_return(LogCursor *c, const LogCursorPlace *p) {
        struct stat st;
        uint32_t oldest = 0;
        if (p->ino == 0)
                return 0;
        c->dev = p->dev;
        c->file_ino = p->file_ino;
        c->ino = p->ino;
        if (!p->is_packed)
                c->unpacker = log_unpacker_free(c->unpacker);
        int number = cursor_number(c, &oldest);
        if (number < 0 && number != -ENOENT)
                return number;
        int r = cursor_open(c, number < 0 ? oldest : (uint32_t) number, &st);
        if (r < 0 && r != -ENOENT)
                return r;
        c->position = number < 0 ? 0 : p->position;
        c->begin = c->end = 0;
        c->n_back = c->n_gaps = 0;
        c->in_line = c->is_back_done = false;
        return 0;
}

int log_cursor_allocate(LogCursor *c) {
        if (!c->buffer)
                c->buffer = alloc_zero(1, c->capacity);
        return c->buffer ? 0 : -ENOMEM;
}

/* Bytes of a compressed file from @offset on; one that is damaged ends where it is. */
static ssize_t cursor_unpack(LogCursor *c, uint8_t *data, size_t n, uint64_t offset) {
        if (offset == UINT64_MAX)
                return 0; /* its end, wherever that is */
        int r = offset < log_unpacker_position(c->unpacker) ? log_unpacker_rewind(c->unpacker) : 0;
        while (r == 0 && log_unpacker_position(c->unpacker) < offset) {
                uint64_t ahead = offset - log_unpacker_position(c->unpacker);
                ssize_t k = log_unpacker_read(c->unpacker, data, (size_t) MIN((uint64_t) n, ahead));
                if (k <= 0)
                        return k == -EBADMSG ? 0 : k;
        }
        ssize_t k = r < 0 ? r : log_unpacker_read(c->unpacker, data, n);
        return k == -EBADMSG ? 0 : k;
}

/* More bytes behind those in the buffer. 1: some came; 0: the end of the file. */
static int cursor_fill(LogCursor *c, bool is_following) {
        int r = log_cursor_allocate(c);
        if (r < 0)
                return r;
        memmove(c->buffer, c->buffer + c->begin, c->end - c->begin);
        c->end -= c->begin;
        c->begin = 0;
        uint64_t from = c->position + c->end;
        size_t want = c->capacity - c->end;
        if (!is_following && c->ino == c->end_ino)
                want = (size_t) MIN((uint64_t) want, c->end_offset > from ? c->end_offset - from : 0);
        ssize_t k = 0;
        if (want > 0 && c->unpacker)
                k = cursor_unpack(c, c->buffer + c->end, want, from);
        else if (want > 0)
                k = pread(c->fd, c->buffer + c->end, want, (off_t) from);
        if (k < 0)
                return c->unpacker ? (int) k : -errno;
        c->end += (size_t) k;
        log_index_refresh(&c->index);
        return k > 0;
}

static bool cursor_is_past_end(const LogCursor *c, bool is_following) {
        if (is_following)
                return false;
        return c->end_ino == 0 || (c->ino == c->end_ino && c->position + (c->end - c->begin) >= c->end_offset);
}

/* The end of this file: on to the next newer one, or back to the start of one that was cut short by hand. */
static int cursor_end_of_file(LogCursor *c, bool is_following) {
        struct stat st;
        if (cursor_is_past_end(c, is_following))
                return 0;
        if (c->fd >= 0 && !c->unpacker && fstat(c->fd, &st) == 0 && (uint64_t) st.st_size < c->position) {
                c->position = 0;
                c->begin = c->end = 0;
                return (st.st_size > 0);
        }
        return cursor_go_newer(c);
}

static void cursor_describe(LogCursor *c, size_t n, bool is_continued, LoggerLine *ret) {
        if (!c->in_line)
                c->line_usec = log_index_time(&c->index, c->position);
        *ret = (LoggerLine){
                .time_usec = c->line_usec,
                .n_bytes = (uint32_t) n,
                .stream = (uint8_t) c->stream,
                .is_continued = is_continued,
        };
}

/* A line or a piece that is in the buffer. */
static bool cursor_cut(LogCursor *c, LoggerLine *ret) {
        size_t n = c->end - c->begin;
        const uint8_t *text = c->buffer + c->begin;
        const uint8_t *newline = n ? memchr(text, '\n', MIN(n, (size_t) LOGGER_LINE_MAX + 1)) : NULL;
        if (newline)
                cursor_describe(c, (size_t) (newline - text), false, ret);
        else if (n > LOGGER_LINE_MAX)
                cursor_describe(c, LOGGER_LINE_MAX, true, ret);
        return newline || n > LOGGER_LINE_MAX;
}

/* An unfinished line at the end of a file that has a newer one: it is a piece of its own. */
static bool cursor_cut_last(LogCursor *c, bool is_following, LoggerLine *ret) {
        uint32_t oldest;
        size_t n = c->end - c->begin;
        if (n == 0 || cursor_is_past_end(c, is_following) || cursor_number(c, &oldest) == 0)
                return false;
        cursor_describe(c, n, true, ret);
        return true;
}

/* The line at the front as the worker wrote it; false: it is not in the form that the worker's lines have now. */
static bool cursor_plain(LogCursor *c, LoggerLine *ret) {
        if (log_style_is_raw(c->style) || c->in_line)
                return false;
        const uint8_t *text = c->buffer + c->begin, *newline = memchr(text, '\n', c->end - c->begin);
        size_t n = newline ? (size_t) (newline - text) : 0;
        LoggerLine line = {.stream = (uint8_t) c->stream};
        if (!newline || !log_format_parse(c->style, text, n, &c->plain, &line, &c->is_mine))
                return false;
        c->n_formatted = n;
        *ret = line;
        return true;
}

/* All of a formatted line is needed to read it. */
static bool cursor_needs_more(const LogCursor *c) {
        return !log_style_is_raw(c->style) && !c->in_line && c->end - c->begin < LOG_FORMAT_LINE_MAX &&
               !memchr(c->buffer + c->begin, '\n', c->end - c->begin);
}

int log_cursor_next(LogCursor *c, bool is_following, LoggerLine *ret, const uint8_t **ret_text) {
        bool is_end = false;
        c->n_formatted = 0;
        c->is_mine = true;
        for (;;) {
                if (c->buffer && cursor_plain(c, ret)) {
                        *ret_text = (const uint8_t *) (c->plain.data ? c->plain.data : "");
                        return 1;
                }
                if ((is_end || !c->buffer || !cursor_needs_more(c)) && cursor_cut(c, ret))
                        break;
                int r = c->fd >= 0 ? cursor_fill(c, is_following) : 0;
                if (r == 0 && !is_end && c->buffer && cursor_needs_more(c) && c->end - c->begin > LOGGER_LINE_MAX) {
                        is_end = true;
                        continue;
                }
                if (r == 0 && cursor_cut_last(c, is_following, ret))
                        break;
                if (r == 0)
                        r = cursor_end_of_file(c, is_following);
                if (r <= 0)
                        return r;
        }
        *ret_text = c->buffer + c->begin;
        return 1;
}

void log_cursor_take(LogCursor *c, const LoggerLine *line) {
        if (c->n_formatted > 0) {
                c->begin += c->n_formatted + 1;
                c->position += c->n_formatted + 1;
                c->n_formatted = 0;
                return;
        }
        size_t n = line->n_bytes;
        bool ends = c->begin + n < c->end && c->buffer[c->begin + n] == '\n' && !line->is_continued;
        n += ends;
        c->in_line = line->is_continued;
        c->begin += n;
        c->position += n;
}

size_t log_cursor_rest(LogCursor *c, const uint8_t **ret_text, usec_t *ret_usec) {
        LoggerLine line;
        size_t n = c->end - c->begin;
        if (n == 0)
                return 0;
        cursor_describe(c, n, true, &line);
        *ret_text = c->buffer + c->begin;
        *ret_usec = line.time_usec;
        return n;
}
