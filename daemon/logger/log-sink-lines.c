/* log-sink-lines.c - formatted lines into a file: output.timestamps and output.format "json" (log-format.h).
 *
 * The block in the scratch is what the worker wrote. A chunk of it is formatted and written with one write(); before, the
 * place notes how many bytes of the block it is and which time its lines get. A chunk stands in the file whole or not at
 * all: what a full disk took of it is cut off again, and a new logger, which makes the same text from the same note, cuts
 * off what the dead one wrote of it, or finds it all there. */
#include "base/fd.h"
#include "base/log.h"
#include "logger/log-file.h"
#include "logger/log-open.h"
#include <unistd.h>

/* One chunk in the making; kept for the next one, since it is never needed twice at once. */
static Text chunk_text;

static size_t chunk_make(const LogWrite *w, uint64_t done, size_t n, usec_t time, size_t max) {
        LogChunk c = {
                .data = w->data + done,
                .n = n,
                .is_cut = w->is_cut && done + n == w->n_bytes,
                .stream = w->stream,
                .time = time,
        };
        text_clear(&chunk_text);
        n = log_format(&w->target->style, &c, max, &chunk_text);
        return chunk_text.failed ? 0 : n;
}

static void note_chunk(FileSink *f, ScratchNote *note, uint64_t done, size_t n_chunk, usec_t time) {
        scratch_set_place(note, &(ScratchPlace){
                .done = done, .dev = f->dev, .ino = f->ino, .offset = f->size, .time_usec = time, .n_chunk = n_chunk});
}

/* All or nothing. */
static int put_whole(FileSink *f, const void *data, size_t n) {
        ssize_t k;
        do
                k = write(f->fd, data, n);
        while (k < 0 && errno == EINTR);
        if (k < 0)
                return -errno;
        if ((size_t) k == n) {
                file_account(f, data, n);
                return 0;
        }
        if (ftruncate(f->fd, (off_t) f->size) < 0)
                file_account(f, data, (size_t) k);
        return -ENOSPC;
}

/* What followers get: the worker's own bytes. */
static void push(FileSink *f, const LogWrite *w, uint64_t done, size_t n) {
        bool is_added = w->is_cut && done + n == w->n_bytes;
        log_sink_push(&f->sink, w->data + done, n - is_added, w->stream);
}

int file_step_lines(FileSink *f, LogWrite *w) {
        uint64_t done = scratch_place(w->note)->done, max_size = f->sink.bounds.max_size;
        size_t left = w->n_bytes - (size_t) done, max = LOG_FORMAT_CHUNK_MAX;
        bool may_rotate = f->size > 0 && f->line_bytes == 0 && f->sink.table->loop->now >= f->rotate_after_usec;
        usec_t now = clock_realtime();
        if (max_size > 0 && may_rotate)
                max = (size_t) MIN((uint64_t) max, max_size > f->size ? max_size - f->size : 0);
        else if (max_size > 0 && f->size < max_size)
                max = (size_t) MIN((uint64_t) max, max_size - f->size);
        size_t n = chunk_make(w, done, left, now, max);
        if (n == 0)
                return -ENOMEM;
        bool is_full = max_size > 0 && f->size + chunk_text.length > max_size;
        if (may_rotate && (is_full || file_is_overdue(f))) {
                scratch_set_place(w->note, &(ScratchPlace){.done = done});
                return file_turn_or_grow(f);
        }
        file_index(f, log_style_form(&w->target->style));
        note_chunk(f, w->note, done, n, now);
        int r = put_whole(f, chunk_text.data, chunk_text.length);
        scratch_set_place(w->note, &(ScratchPlace){.done = done + (r < 0 ? 0 : n)});
        if (r == 0)
                push(f, w, done, n);
        return r;
}

void file_settle_lines(FileSink *f, LogWrite *w, int fd, uint64_t size) {
        ScratchPlace p = *scratch_place(w->note);
        (void) f;
        if (p.done + p.n_chunk <= w->n_bytes && chunk_make(w, p.done, p.n_chunk, p.time_usec, SIZE_MAX) == p.n_chunk) {
                size_t n = file_matches(fd, p.offset, (uint8_t *) chunk_text.data, chunk_text.length);
                if (n == chunk_text.length)
                        p.done += p.n_chunk;
                else if (size > p.offset && size == p.offset + n && ftruncate(fd, (off_t) p.offset) < 0)
                        log_warning("%s: half a line stays in it: %s", f->sink.key, strerror(errno));
        }
        scratch_set_place(w->note, &(ScratchPlace){.done = p.done});
}

/* The text of the line as it stands in the file. -ENOMEM. */
static int mark_make(const LogMark *m, const LogMarkPlace *p) {
        LogChunk c = {.data = (const uint8_t *) m->text, .n = strlen(m->text), .stream = m->stream, .time = p->time_usec};
        text_clear(&chunk_text);
        if (p->is_in_line)
                text_append_char(&chunk_text, '\n');
        if (!log_style_is_raw(&m->target->style)) {
                (void) log_format(&m->target->style, &c, SIZE_MAX, &chunk_text);
        } else {
                text_append(&chunk_text, m->text);
                text_append_char(&chunk_text, '\n');
        }
        return chunk_text.failed ? -ENOMEM : 0;
}

int file_mark(LogSink *s, const LogMark *m) {
        FileSink *f = file_of(s);
        LogMarkPlace p = {.time_usec = clock_realtime()};
        int r = file_ready(f);
        if (r < 0)
                return r;
        p.dev = f->dev;
        p.ino = f->ino;
        p.offset = f->size;
        p.is_in_line = f->line_bytes > 0;
        r = mark_make(m, &p);
        if (r < 0)
                return r;
        file_index(f, log_style_form(&m->target->style));
        m->on_place(m->userdata, &p);
        r = put_whole(f, chunk_text.data, chunk_text.length);
        if (r < 0)
                return r;
        if (p.is_in_line)
                log_sink_push(s, (const uint8_t *) "\n", 1, m->stream);
        log_sink_push(s, (const uint8_t *) m->text, strlen(m->text), m->stream);
        log_sink_push(s, (const uint8_t *) "\n", 1, m->stream);
        f->last_writer = 0; /* a line of nobody's: whoever comes next begins his own */
        return 0;
}

bool file_has_mark(LogSink *s, const LogMark *m, const LogMarkPlace *p) {
        _cleanup_fd_ int fd = -EBADF;
        struct stat st;
        if (p->ino == 0 || file_find(s, p->dev, p->ino, &fd, &st) < 0 || mark_make(m, p) < 0)
                return false;
        size_t n = file_matches(fd, p->offset, (uint8_t *) chunk_text.data, chunk_text.length);
        bool is_half = n < chunk_text.length && (uint64_t) st.st_size > p->offset && (uint64_t) st.st_size == p->offset + n;
        if (is_half && ftruncate(fd, (off_t) p->offset) < 0)
                log_warning("%s: half a line stays in it: %s", s->key, strerror(errno));
        return n == chunk_text.length;
}
