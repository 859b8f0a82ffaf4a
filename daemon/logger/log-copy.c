/* log-copy.c - see log-copy.h. */
#include "logger/log-copy.h"
#include "base/fd.h"
#include "logger/log-drop.h"
#include "logger/log-open.h"
#include <fcntl.h>
#include <unistd.h>

static void on_retry(LoopTimer *t) {
        (void) log_copier_retry(container_of(t, LogCopier, retry));
}

int log_copier_init(LogCopier *c, LogLoop *loop, LogSinkTable *sinks, int scratch_fd) {
        *c = (LogCopier){
                .loop = loop, .sinks = sinks, .peek_pipe = {-EBADF, -EBADF}, .retry.on_time = on_retry};
        if (pipe2(c->peek_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        int r = log_scratch_open(&c->scratch, scratch_fd);
        sinks->scratch = r == 0 ? &c->scratch : NULL;
        return r;
}

void log_copier_done(LogCopier *c) {
        if (!c->loop)
                return;
        log_loop_disarm(c->loop, &c->retry);
        log_sink_unref(c->parked_sink);
        c->sinks->scratch = NULL;
        log_scratch_close(&c->scratch);
        fd_close_many(c->peek_pipe, 2);
        *c = (LogCopier){.peek_pipe = {-EBADF, -EBADF}};
}

bool log_copier_holds(const LogCopier *c, const LogStreamId *id) {
        if (c->parked_sink && scratch_is_of(c->scratch.fast, id))
                return true;
        return c->is_peek_held && scratch_is_of(c->scratch.peek, id);
}

size_t log_copier_forget(LogCopier *c, const LogStreamId *id) {
        ScratchNote *note = c->parked_sink && scratch_is_of(c->scratch.fast, id) ? c->scratch.fast : NULL;
        size_t n = 0;
        if (note) {
                n = note->n_bytes - MIN((size_t) scratch_place(note)->done, (size_t) note->n_bytes);
                scratch_set_state(note, SCRATCH_IDLE);
                log_loop_disarm(c->loop, &c->retry);
                c->parked_sink = log_sink_unref(c->parked_sink);
        }
        if (c->is_peek_held && scratch_is_of(c->scratch.peek, id)) { /* its bytes are in the pipe still */
                c->is_peek_held = false;
                scratch_set_state(c->scratch.peek, SCRATCH_IDLE);
        }
        return n;
}

void log_copier_respec(LogCopier *c, const LogStreamId *id) {
        ScratchNote *notes[] = {c->scratch.fast, c->scratch.peek};
        for (size_t i = 0; i < ARRAY_SIZE(notes); i++)
                if (notes[i]->state == SCRATCH_IDLE && scratch_has_spec(notes[i], id))
                        notes[i]->spec.kind = LOG_KIND_NONE;
}

static void note_begin(LogCopier *c, ScratchNote *note, ScratchState state, const LogCopySource *src, size_t n) {
        if (!scratch_has_spec(note, &src->id))
                log_target_spec(src->target, &note->spec);
        scratch_begin(&c->scratch, note, state, &src->id, (uint32_t) n);
}

void log_copier_park(LogCopier *c, LogSink *sink, uint64_t writer) {
        if (!c->parked_sink)
                c->parked_sink = log_sink_ref(sink);
        c->parked_writer = writer;
        (void) log_loop_arm(c->loop, &c->retry, usec_add(c->loop->now, LOG_RETRY_USEC));
}

int log_copier_retry(LogCopier *c) {
        ScratchNote *note = c->scratch.fast;
        if (!c->parked_sink)
                return 0;
        _cleanup_(log_target_done) LogTarget target = {};
        LogWrite w = {
                .note = note,
                .target = &target,
                .data = c->scratch.fast_block,
                .n_bytes = note->n_bytes,
                .stream = note->id.stream,
                .writer = c->parked_writer,
                .is_again = true,
        };
        int r = log_target_init(&target, &note->spec);
        if (r == 0)
                r = log_drop_write(c->parked_sink, &w);
        c->cautious_until = usec_add(c->loop->now, LOG_CAUTION_USEC);
        if (r < 0 && !log_open_is_refusal(r)) {
                log_copier_park(c, c->parked_sink, c->parked_writer);
                return r;
        }
        if (r < 0)
                log_sink_throw(c->parked_sink, note->n_bytes - (size_t) scratch_place(note)->done);
        scratch_set_state(note, SCRATCH_IDLE);
        log_loop_disarm(c->loop, &c->retry);
        c->parked_sink = log_sink_unref(c->parked_sink);
        return 0;
}

/* Into the sink. What a refused path does not take is thrown away; a failing disk makes everybody careful. */
static int copy_out(LogCopier *c, ScratchNote *note, const LogCopySource *src, const uint8_t *data, size_t n, bool is_cut) {
        LogWrite w = {
                .note = note,
                .target = src->target,
                .data = data,
                .n_bytes = n,
                .is_cut = is_cut,
                .stream = src->id.stream,
                .writer = src->writer,
                .is_again = src->is_again,
        };
        int r = log_drop_write(src->sink, &w);
        if (r < 0 && log_open_is_refusal(r)) {
                log_sink_throw(src->sink, n - (size_t) scratch_place(note)->done);
                scratch_set_place(note, &(ScratchPlace){.done = n});
                return 0;
        }
        if (r < 0 && r != -EAGAIN)
                c->cautious_until = usec_add(c->loop->now, LOG_CAUTION_USEC);
        return r;
}

/* The block is read before it is written. A failure leaves it parked: the bytes are taken all the same. */
static ssize_t copy_fast(LogCopier *c, const LogCopySource *src, size_t n) {
        ScratchNote *note = c->scratch.fast;
        note_begin(c, note, SCRATCH_READING, src, n);
        ssize_t k = read(src->fd, c->scratch.fast_block, n);
        if (k <= 0) {
                scratch_set_state(note, SCRATCH_IDLE);
                return k < 0 ? -errno : -EAGAIN;
        }
        note->n_bytes = (uint32_t) k;
        int r = copy_out(c, note, src, c->scratch.fast_block, (size_t) k, false);
        if (r < 0) {
                log_copier_park(c, src->sink, src->writer);
                return r;
        }
        scratch_set_state(note, SCRATCH_IDLE);
        return k;
}

/* A copy of the first bytes of the pipe, at most @n. */
static ssize_t peek(LogCopier *c, int fd, size_t n) {
        ssize_t k = tee(fd, c->peek_pipe[1], n, SPLICE_F_NONBLOCK);
        if (k <= 0)
                return k < 0 ? -errno : -EAGAIN;
        for (ssize_t got = 0; got < k;) {
                ssize_t r = read(c->peek_pipe[0], c->scratch.peek_block + got, (size_t) (k - got));
                if (r <= 0)
                        return r < 0 ? -errno : -EIO;
                got += r;
        }
        return k;
}

/* How many of the peeked bytes may go; *ret_cut: they end in the middle of a line. */
static size_t whole_lines(const uint8_t *data, size_t n, bool is_last, bool *ret_cut) {
        const uint8_t *last = memrchr(data, '\n', n);
        *ret_cut = false;
        if (last && !(is_last && last == data + n - 1))
                return (size_t) (last - data) + 1;
        if (last)
                return n;
        if (n < LOG_PARTIAL_BYTES && !is_last)
                return 0;
        *ret_cut = true;
        return log_format_whole(data, n);
}

/* A text file says so; in JSON the formatted line does; the journal takes pieces as entries of their own. */
size_t log_copier_cut(LogCopier *c, const LogTarget *target, size_t n, bool *ret_is_cut) {
        static const char mark[] = LOG_CUT_MARK "\n";
        bool is_marked = target->kind == LOG_KIND_SHARED && log_style_is_raw(&target->style);
        const char *end = is_marked ? mark : "\n";
        _Static_assert(sizeof mark <= SCRATCH_EXTRA_BYTES, "no room for the mark");
        memcpy(c->scratch.peek_block + n, end, strlen(end));
        *ret_is_cut = !is_marked;
        return strlen(end);
}

int log_copier_consume(LogCopier *c, int fd) {
        ScratchNote *note = c->scratch.peek;
        size_t n = MIN((size_t) scratch_place(note)->done, (size_t) note->n_bytes);
        if (n > 0) {
                ssize_t k;
                scratch_mark_consuming(&c->scratch);
                do
                        k = read(fd, c->scratch.peek_block, n);
                while (k < 0 && errno == EINTR);
                n = k > 0 ? (size_t) k : 0;
        }
        scratch_set_state(note, SCRATCH_IDLE);
        return (int) n;
}

/* The pipe keeps its bytes until they are written. */
static ssize_t copy_peek(LogCopier *c, const LogCopySource *src, size_t n, bool is_last) {
        ScratchNote *note = c->scratch.peek;
        bool ends_in_line = false, is_cut = false;
        ssize_t k = peek(c, src->fd, n);
        if (k < 0)
                return k;
        size_t n_take = (size_t) k, n_out;
        if (log_target_is_whole(src->target))
                n_take = whole_lines(c->scratch.peek_block, n_take, is_last, &ends_in_line);
        if (n_take == 0)
                return 0;
        n_out = n_take;
        if (ends_in_line)
                n_out += log_copier_cut(c, src->target, n_take, &is_cut);
        note_begin(c, note, SCRATCH_WRITING, src, n_take);
        int r = copy_out(c, note, src, c->scratch.peek_block, n_out, is_cut);
        int taken = log_copier_consume(c, src->fd);
        return r < 0 ? r : taken;
}

ssize_t log_copy(LogCopier *c, const LogCopySource *src, size_t n, bool is_last) {
        bool is_healthy = !c->parked_sink && c->loop->now >= c->cautious_until;
        n = MIN(n, (size_t) SCRATCH_BLOCK_BYTES);
        if (log_copier_holds(c, &src->id))
                return -EBUSY;
        if (is_healthy && !log_target_is_whole(src->target) && n >= SCRATCH_CANARY_BYTES)
                return copy_fast(c, src, n);
        return c->is_peek_held ? -EBUSY : copy_peek(c, src, n, is_last);
}
