/* log-read.c - see log-read.h. */
#include "logger/log-read.h"
#include "base/alloc.h"
#include "logger/log-open.h"
#include <stdio.h>

static void read_arm(LogRead *r) {
        if (!r->step.place)
                (void) log_loop_arm(r->sinks->loop, &r->step, r->sinks->loop->now);
}

static void read_fail(LogRead *r, int error, const char *text) {
        r->state = LOG_READ_OVER;
        r->error = -error;
        snprintf(r->text, sizeof r->text, "%s", text);
}

/* 0: all sent, or nothing may be sent now; -errno: as the hook said. */
static int read_flush(LogRead *r) {
        for (;;) {
                size_t n = line_queue_peek(&r->queue, LOGGER_LINES_MAX);
                bool is_gap = n == 0 && r->queue.n_dropped > 0;
                if ((n == 0 && !is_gap) || r->credit <= 0)
                        return 0;
                if (n > (size_t) r->credit)
                        n = line_queue_peek(&r->queue, (size_t) r->credit);
                /* What was dropped came behind the lines that are still queued. */
                LoggerMessage m = {.type = LOGGER_LINES, .request = r->request};
                m.lines.n_bytes = (uint32_t) n;
                m.lines.n_dropped = is_gap ? r->queue.n_dropped : 0;
                int k = r->hooks->send(r, &m, n ? r->queue.data + r->queue.begin : NULL, n);
                if (k < 0)
                        return k;
                r->credit -= (int64_t) n;
                if (is_gap)
                        r->queue.n_dropped = 0;
                line_queue_take(&r->queue, n);
        }
}

static int read_send_end(LogRead *r) {
        LoggerMessage m = {.type = LOGGER_END, .request = r->request};
        m.end.error = r->error;
        snprintf(m.end.text, sizeof m.end.text, "%s", r->text);
        return r->hooks->send(r, &m, NULL, 0);
}

static void read_locate(LogRead *r) {
        uint64_t n_found = 0;
        for (size_t i = 0; i < r->n_cursors; i++) {
                int k = log_cursor_back(&r->cursors[i], r->n_locate, READ_STEP_BYTES);
                if (k < 0)
                        return read_fail(r, k, log_open_reason(k));
                if (k == 0)
                        return;
                n_found += r->cursors[i].n_back;
        }
        r->n_skip = n_found > r->n_lines ? n_found - r->n_lines : 0;
        r->state = r->is_counted && n_found > 0 ? LOG_READ_COUNT : LOG_READ_EMIT;
        r->is_all = n_found < r->n_locate;
        r->n_mine = 0;
        r->begin_place = log_cursor_place(&r->cursors[0]);
}

static bool read_wants(const LogRead *r, const LogCursor *c, const LoggerLine *line);

/* Enough of the worker's own lines, or no more to be had: emit the last of them. Else further back. */
static int read_counted(LogRead *r) {
        bool is_enough = r->n_mine >= r->n_lines || r->is_all || r->n_count_bytes >= READ_COUNT_BYTES;
        r->n_skip = r->n_mine > r->n_lines ? r->n_mine - r->n_lines : 0;
        r->n_locate = r->n_locate > UINT64_MAX / 8 ? UINT64_MAX : 8 * r->n_locate;
        r->state = is_enough ? LOG_READ_EMIT : LOG_READ_LOCATE;
        return log_cursor_return(&r->cursors[0], is_enough ? &r->begin_place : &r->end_place);
}

static void read_count(LogRead *r) {
        LogCursor *c = &r->cursors[0];
        LoggerLine line;
        const uint8_t *text;
        size_t budget = READ_STEP_BYTES, n;
        int k = 1;
        while (budget > 0 && (k = log_cursor_next(c, false, &line, &text)) > 0) {
                r->n_mine += !line.is_continued && read_wants(r, c, &line);
                log_cursor_take(c, &line);
                n = line.n_bytes + sizeof line;
                r->n_count_bytes += n;
                budget -= MIN(budget, n);
        }
        if (k == 0)
                k = read_counted(r);
        if (k < 0)
                read_fail(r, k, log_open_reason(k));
}

/* The cursor with the oldest next line. 1; 0: all are at their end; -errno. */
static int read_pick(LogRead *r, size_t *ret, LoggerLine *ret_line, const uint8_t **ret_text) {
        bool found = false;
        for (size_t i = 0; i < r->n_cursors; i++) {
                LoggerLine line;
                const uint8_t *text;
                int k = r->is_at_end[i] ? 0 : log_cursor_next(&r->cursors[i], r->is_following, &line, &text);
                if (k < 0)
                        return k;
                r->is_at_end[i] = k == 0;
                if (k == 0 || (found && line.time_usec >= ret_line->time_usec))
                        continue;
                found = true;
                *ret = i;
                *ret_line = line;
                *ret_text = text;
        }
        return found;
}

/* In a file of several the formatted lines tell whose they are. A line of unknown time is shown rather than hidden. */
static bool read_wants(const LogRead *r, const LogCursor *c, const LoggerLine *line) {
        if (!c->is_mine || (line->stream && !(line->stream & r->streams)))
                return false;
        return line->time_usec == 0 || line->time_usec >= r->since_usec;
}

static void read_add(LogRead *r, const LogCursor *c, const LoggerLine *line, const uint8_t *text) {
        bool is_wanted = read_wants(r, c, line), is_skipped = r->n_skip > 0 && (is_wanted || !r->is_counted);
        if (is_skipped && !line->is_continued)
                r->n_skip--;
        if (!is_skipped && is_wanted)
                line_queue_add(&r->queue, line, text);
}

/* A file that was rotated away before it was read: at least one line is missing. */
static void read_add_gaps(LogRead *r, LogCursor *c) {
        r->queue.n_dropped += c->n_gaps;
        c->n_gaps = 0;
}

static void read_go_live(LogRead *r) {
        for (size_t i = 0; i < r->n_cursors; i++) {
                LogCursor *c = &r->cursors[i];
                _cleanup_(log_sink_unrefp) LogSink *sink = NULL;
                const uint8_t *rest = NULL;
                usec_t usec = 0;
                size_t n = log_cursor_rest(c, &rest, &usec);
                int k = log_sink_get(r->sinks, &r->target, c->stream, &sink);
                if (k < 0)
                        return read_fail(r, k, strerror(-k));
                log_follow_start(&r->follows[i], sink, rest, n, usec, c->stream);
        }
        for (size_t i = 0; i < r->n_cursors; i++)
                log_cursor_done(&r->cursors[i]);
        r->state = LOG_READ_LIVE;
}

static void read_finish(LogRead *r) {
        for (size_t i = 0; i < r->n_cursors; i++) {
                LoggerLine line = {.is_continued = 1, .stream = (uint8_t) r->cursors[i].stream};
                const uint8_t *text;
                usec_t usec;
                size_t n = log_cursor_rest(&r->cursors[i], &text, &usec);
                line.time_usec = usec;
                line.n_bytes = (uint32_t) n;
                if (n > 0 && r->n_skip == 0)
                        line_queue_add(&r->queue, &line, text);
        }
        r->state = LOG_READ_OVER;
}

static void read_emit(LogRead *r) {
        LoggerLine line;
        const uint8_t *text = NULL;
        size_t i = 0, budget = READ_STEP_BYTES;
        memset(r->is_at_end, 0, sizeof r->is_at_end);
        while (budget > 0 && line_queue_length(&r->queue) < LOGGER_LINES_MAX) {
                int k = read_pick(r, &i, &line, &text);
                if (k < 0)
                        return read_fail(r, k, log_open_reason(k));
                if (k == 0)
                        return r->is_following ? read_go_live(r) : read_finish(r);
                if (r->cursors[i].n_gaps > 0 && line_queue_length(&r->queue) > 0)
                        return; /* the gap is told when what came before it is sent */
                read_add_gaps(r, &r->cursors[i]);
                if (r->queue.n_dropped > 0)
                        return;
                read_add(r, &r->cursors[i], &line, text);
                log_cursor_take(&r->cursors[i], &line);
                budget -= MIN(budget, line.n_bytes + sizeof line);
        }
}

static void on_step(LoopTimer *t) {
        LogRead *r = container_of(t, LogRead, step);
        if (r->state == LOG_READ_LOCATE)
                read_locate(r);
        else if (r->state == LOG_READ_COUNT)
                read_count(r);
        else if (r->state == LOG_READ_EMIT)
                read_emit(r);
        int k = read_flush(r);
        if (k < 0)
                return; /* resumed when the line takes more, freed with the line */
        bool is_empty = line_queue_length(&r->queue) == 0 && r->queue.n_dropped == 0;
        if (r->state == LOG_READ_OVER && is_empty) {
                if (read_send_end(r) == 0)
                        r->hooks->on_end(r);
        } else if (r->state < LOG_READ_LIVE && (is_empty || r->credit > 0)) {
                read_arm(r);
        }
}

static void read_on_line(LogFollow *f, const LoggerLine *line, const uint8_t *text) {
        LogRead *r = f->userdata;
        line_queue_add(&r->queue, line, text);
        read_arm(r);
}

static int read_add_cursor(LogRead *r, uint32_t stream) {
        bool is_file = r->target.kind == LOG_KIND_FILE;
        _cleanup_free_ char *path = alloc_printf("%s%s", r->target.path,
                !is_file ? "" : stream == LOG_STREAM_STDERR ? ".stderr.log" : ".stdout.log");
        size_t i = r->n_cursors;
        int k = path ? log_cursor_init(&r->cursors[i], path, is_file, stream, &r->target.style) : -ENOMEM;
        if (k < 0)
                return k;
        r->cursors[i].since_usec = r->since_usec;
        r->follows[i].streams = is_file ? stream : r->streams;
        r->follows[i].on_line = read_on_line;
        r->follows[i].userdata = r;
        r->n_cursors++;
        return 0;
}

static void read_open(LogRead *r) {
        char text[sizeof r->text];
        int k = 0;
        if (r->target.kind == LOG_KIND_SHARED && r->since_usec > 0 && log_style_is_raw(&r->target.style))
                return read_fail(r, -EOPNOTSUPP, "its file keeps no times: set output.timestamps, or leave \"since\" out");
        switch (r->target.kind) {
        case LOG_KIND_FILE:
                if (r->streams & LOG_STREAM_STDOUT)
                        k = read_add_cursor(r, LOG_STREAM_STDOUT);
                if (k == 0 && (r->streams & LOG_STREAM_STDERR))
                        k = read_add_cursor(r, LOG_STREAM_STDERR);
                break;
        case LOG_KIND_SHARED:
                k = read_add_cursor(r, 0);
                r->is_counted = r->target.style.format == LOG_FORMAT_JSON && r->n_lines > 0 && r->n_lines < UINT64_MAX;
                r->end_place = log_cursor_place(&r->cursors[0]);
                break;
        case LOG_KIND_JOURNAL:
                snprintf(text, sizeof text, "its output goes to the journal; use: journalctl DROVER_WORKER=%s",
                         r->target.worker);
                return read_fail(r, -EOPNOTSUPP, text);
        case LOG_KIND_INHERIT:
                return read_fail(r, -EOPNOTSUPP, "its output goes where the daemon's own output goes; nothing is kept");
        default:
                return read_fail(r, -EOPNOTSUPP, "its output is thrown away (output \"null\"); nothing is kept");
        }
        if (k < 0)
                read_fail(r, k, log_open_reason(k));
}

int log_read_new(LogRead **ret, LogSinkTable *sinks, const LoggerMessage *m, const LogReadHooks *hooks, void *userdata) {
        _cleanup_(log_read_freep) LogRead *r = NEW0(LogRead);
        if (!r)
                return -ENOMEM;
        int k = log_target_init(&r->target, &m->read.spec);
        if (k < 0)
                return k;
        r->request = m->request;
        r->hooks = hooks;
        r->userdata = userdata;
        r->sinks = sinks;
        r->streams = m->read.streams;
        r->is_following = m->read.follow;
        r->n_lines = r->n_locate = m->read.n_lines;
        r->since_usec = m->read.since_usec;
        r->credit = (int64_t) MIN(m->read.credit, (uint64_t) INT64_MAX / 2);
        r->step.on_time = on_step;
        read_open(r);
        read_arm(r);
        *ret = TAKE_PTR(r);
        return 0;
}

LogRead *log_read_free(LogRead *r) {
        if (!r)
                return NULL;
        if (r->sinks)
                log_loop_disarm(r->sinks->loop, &r->step);
        for (size_t i = 0; i < 2; i++) {
                log_follow_stop(&r->follows[i]);
                log_cursor_done(&r->cursors[i]);
        }
        line_queue_done(&r->queue);
        log_target_done(&r->target);
        free(r);
        return NULL;
}

void log_read_add_credit(LogRead *r, uint64_t n_bytes) {
        int64_t room = INT64_MAX / 2 - r->credit;
        r->credit += (int64_t) MIN(n_bytes, (uint64_t) MAX(room, 0));
        read_arm(r);
}

void log_read_resume(LogRead *r) {
        read_arm(r);
}
