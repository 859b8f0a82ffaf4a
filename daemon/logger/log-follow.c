/* log-follow.c - see log-follow.h. */
#include "logger/log-follow.h"
#include <utlist.h>

static void follow_emit(LogFollow *f, const uint8_t *text, size_t n, usec_t time, uint32_t stream, bool is_continued) {
        LoggerLine line = {
                .time_usec = time, .n_bytes = (uint32_t) n, .stream = (uint8_t) stream, .is_continued = is_continued};
        f->on_line(f, &line, text);
}

/* Puts @n bytes to the rest; hands out what it must. */
static void follow_keep(LogFollow *f, const uint8_t *data, size_t n, usec_t time, uint32_t stream) {
        LogLoop *l = f->sink->table->loop;
        if (f->rest.length == 0) {
                f->rest_usec = time;
                f->rest_stream = stream;
        }
        while (n > 0) {
                size_t k = MIN(n, LOGGER_LINE_MAX - f->rest.length);
                text_append_n(&f->rest, data, k);
                data += k;
                n -= k;
                if (f->rest.length < LOGGER_LINE_MAX && !f->rest.failed)
                        continue;
                if (n == 0) /* its newline may be the next byte */
                        break;
                follow_emit(f, (const uint8_t *) f->rest.data, f->rest.length, f->rest_usec, f->rest_stream, true);
                text_clear(&f->rest);
        }
        if (f->rest.length > 0 && !f->timer.place)
                (void) log_loop_arm(l, &f->timer, usec_add(l->now, LOG_FOLLOW_USEC));
}

static void follow_finish(LogFollow *f, bool is_continued) {
        follow_emit(f, (const uint8_t *) f->rest.data, f->rest.length, f->rest_usec, f->rest_stream, is_continued);
        text_clear(&f->rest);
        if (f->rest.capacity > 1024)
                text_done(&f->rest);
        log_loop_disarm(f->sink->table->loop, &f->timer);
}

static void follow_on_data(LogTail *t, const uint8_t *data, size_t n, uint32_t stream, usec_t time) {
        LogFollow *f = container_of(t, LogFollow, tail);
        const uint8_t *newline;
        if (!(f->streams & stream) && stream != 0)
                return;
        while (n > 0 && (newline = memchr(data, '\n', n))) {
                size_t k = (size_t) (newline - data);
                if (f->rest.length > 0 || k > LOGGER_LINE_MAX) {
                        follow_keep(f, data, k, time, stream);
                        follow_finish(f, false);
                } else {
                        follow_emit(f, data, k, time, stream, false);
                }
                data += k + 1;
                n -= k + 1;
        }
        follow_keep(f, data, n, time, stream);
}

static void on_time(LoopTimer *t) {
        LogFollow *f = container_of(t, LogFollow, timer);
        if (f->rest.length > 0)
                follow_finish(f, true);
}

void log_follow_start(LogFollow *f, LogSink *sink, const uint8_t *rest, size_t n_rest, usec_t rest_usec, uint32_t stream) {
        f->sink = log_sink_ref(sink);
        f->tail.on_data = follow_on_data;
        f->timer.on_time = on_time;
        if (n_rest > 0)
                follow_keep(f, rest, n_rest, rest_usec, stream);
        DL_APPEND(sink->tails, &f->tail);
}

void log_follow_stop(LogFollow *f) {
        if (!f->sink)
                return;
        DL_DELETE(f->sink->tails, &f->tail);
        log_loop_disarm(f->sink->table->loop, &f->timer);
        text_done(&f->rest);
        f->sink = log_sink_unref(f->sink);
}
