/* method-log.c - logs. What is done with log files is in method-log-act.c.
 *
 * A call of `logs` is a LogStream with one LogRead for each worker. Lines are written to the peer as they come; beyond the
 * connection's mark every read pauses at its next line (the logger link keeps it) and goes on when the peer has read. The
 * final answer, {"lines":N}, comes when all reads have ended; with `follow` that is at call.cancel. */
#include "base/alloc.h"
#include "base/log.h"
#include "base/parse.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method.h"
#include "control/selection.h"
#include "pool/pool-template.h"

#include <stdio.h>

#define LOG_READS_MAX 256 /* workers of one call: each read may hold LOG_READ_CREDIT */

typedef struct LogsParams {
        json_t *select;
        int64_t lines;
        bool follow;
        const char *stream, *since;
} LogsParams;

#define LINES_UNSET (-2) /* 10; with "since" all */

static const LogsParams logs_defaults = {.lines = LINES_UNSET, .stream = "both"};

static const JsonField logs_fields[] = {
        {"select", JSON_FIELD_STRINGS, offsetof(LogsParams, select), .required = true, .help = "pools, workers, globs, \"all\"; or POOL/template alone: what the template of start_method fork or forkserver writes"},
        {"lines", JSON_FIELD_I64, offsetof(LogsParams, lines), .min = -1, .max = INT64_MAX, .help = "the last N of each (10; with since: all); -1: all"},
        {"follow", JSON_FIELD_BOOL, offsetof(LogsParams, follow), .help = "go on with new lines until call.cancel (false)"},
        {"stream", JSON_FIELD_STRING, offsetof(LogsParams, stream), .help = "stdout, stderr or both (the default)"},
        {"since", JSON_FIELD_STRING, offsetof(LogsParams, since), .help = "no older ones: a span before now (\"10m\"), or RFC 3339"},
        {0},
};

typedef struct LogStream LogStream;

typedef struct LogSource {
        LogStream *stream;
        LogRead *read; /* NULL once it ended */
        char *worker;
        bool is_paused;
} LogSource;

struct LogStream {
        Call *call;
        uint64_t n_lines;
        UidEntry *book;   /* of the caller: charged with n_open */
        size_t n, n_open; /* sources; of these, being read */
        int error; /* the first one of a read */
        char error_text[256];
        LogSource sources[];
};

static LogStream *log_stream_free(LogStream *s) {
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->n; i++) {
                logger_read_free(s->sources[i].read);
                free(s->sources[i].worker);
        }
        (void) uid_book_charge(s->book, UID_READS, s->n_open, 0);
        free(s);
        return NULL;
}
DEFINE_CLEANUP(LogStream, log_stream_free);

static void log_stream_free_state(void *state) {
        log_stream_free(state);
}

static void log_stream_answer(LogStream *s) {
        Call *c = s->call;
        Text *t;

        if (s->error < 0 && s->n_lines == 0) {
                call_fail(c, ERROR_FAILED, "%s", s->error_text);
                return;
        }
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_u64(t, "lines", s->n_lines);
        if (s->error < 0)
                json_put_string(t, "error", s->error_text);
        json_end_object(t);
        call_end(c);
}

static void log_stream_on_writable(Call *c, void *state) {
        LogStream *s = state;

        for (size_t i = 0; i < s->n; i++) {
                LogSource *source = &s->sources[i];

                if (!source->is_paused || !source->read)
                        continue;
                source->is_paused = false;
                logger_read_resume(source->read);
        }
}

static void log_stream_on_cancel(Call *c, void *state) {
        log_stream_answer(state);
}

static bool log_stream_is_permitted(const Call *c, const void *state) {
        const LogStream *s = state;

        for (size_t i = 0; i < s->n; i++)
                if (!selection_sees_worker(c, s->sources[i].worker))
                        return false;
        return true;
}

static const CallOps log_stream_ops = {
        .is_stream = true,
        .is_permitted = log_stream_is_permitted,
        .free_state = log_stream_free_state,
        .on_writable = log_stream_on_writable,
        .on_cancel = log_stream_on_cancel,
};

static const char *stream_name(uint8_t stream) {
        return stream == LOG_STREAM_STDOUT ? "stdout" : stream == LOG_STREAM_STDERR ? "stderr" : NULL;
}

static bool log_source_on_line(LogRead *r, const LoggerLine *line, const char *text, void *userdata) {
        LogSource *source = userdata;
        Call *c = source->stream->call;
        char time[TIME_TEXT_MAX];
        Text *t;

        if (connection_is_full(c->connection)) {
                source->is_paused = true;
                return false;
        }
        t = call_notify_begin(c, PROTOCOL_NOTIFY_LOG);
        json_put_string(t, "worker", source->worker);
        json_put_string(t, "stream", stream_name(line->stream));
        json_put_string(t, "time", line->time_usec > 0 ? time_format(time, line->time_usec) : NULL);
        json_put_string_n(t, "line", text, line->n_bytes);
        if (line->is_continued)
                json_put_bool(t, "continued", true);
        call_notify_end(c);
        source->stream->n_lines++;
        return true;
}

/* Lines this follower missed: told in their place, as a line of no stream. */
static void log_source_on_dropped(LogRead *r, uint64_t n_lines, void *userdata) {
        LogSource *source = userdata;
        Text *t = call_notify_begin(source->stream->call, PROTOCOL_NOTIFY_LOG);

        json_put_string(t, "worker", source->worker);
        json_put_null(t, "stream");
        json_put_null(t, "time");
        json_put_null(t, "line");
        if (n_lines > 0)
                json_put_u64(t, "lost", n_lines);
        else
                json_put_null(t, "lost"); /* how many, nobody knows: the logger was started again */
        call_notify_end(source->stream->call);
}

static void log_source_on_end(LogRead *r, int error, const char *text, void *userdata) {
        LogSource *source = userdata;
        LogStream *s = source->stream;

        source->read = logger_read_free(source->read);
        if (error < 0 && s->error == 0) {
                s->error = error;
                (void) snprintf(s->error_text, sizeof(s->error_text), "cannot read the log of %s: %s", source->worker,
                                text && *text ? text : strerror(-error));
        }
        (void) uid_book_charge(s->book, UID_READS, 1, 0);
        if (--s->n_open == 0)
                log_stream_answer(s);
}

static const LogReadHooks log_hooks = {
        .on_line = log_source_on_line,
        .on_dropped = log_source_on_dropped,
        .on_end = log_source_on_end,
};

static uint32_t streams_from_string(const char *s) {
        static const struct {
                const char *name;
                uint32_t streams;
        } names[] = {
                {"stdout", LOG_STREAM_STDOUT},
                {"stderr", LOG_STREAM_STDERR},
                {"both", LOG_STREAM_STDOUT | LOG_STREAM_STDERR},
                {"all", LOG_STREAM_STDOUT | LOG_STREAM_STDERR},
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (streq(names[i].name, s))
                        return names[i].streams;
        return 0;
}

static bool is_readable(const LogSpec *spec) {
        return spec->kind == LOG_KIND_FILE || spec->kind == LOG_KIND_SHARED;
}

/* "10m", or a time. *ret: CLOCK_REALTIME; 0: no bound. */
static int since_parse(const char *text, usec_t *ret) {
        usec_t span;

        *ret = 0;
        if (!text || time_parse(text, ret) >= 0)
                return 0;
        if (span_parse(text, &span) < 0)
                return -EINVAL;
        *ret = MAX(usec_sub(clock_realtime(), span), (usec_t) 1);
        return 0;
}

static int log_ask_fill(LogReadAsk *ask, const LogsParams *p, uint32_t streams) {
        int64_t lines = p->lines != LINES_UNSET ? p->lines : p->since ? -1 : 10;

        *ask = (LogReadAsk){
                .streams = streams, .follow = p->follow, .n_lines = lines < 0 ? UINT64_MAX : (uint64_t) lines};
        return since_parse(p->since, &ask->since_usec);
}

static int log_stream_add(LogStream *s, const char *name, const LogSpec *spec, const LogReadAsk *ask) {
        LoggerLink *logger = call_control(s->call)->world.logger;
        LogSource *source = &s->sources[s->n];

        if (uid_book_charge(s->book, UID_READS, 0, 1) < 0)
                return -EDQUOT;
        s->n_open++;
        source->stream = s;
        source->worker = alloc_strdup(name);
        if (!source->worker)
                return -ENOMEM;
        s->n++;
        return logger_read_new(&source->read, logger, spec, ask, &log_hooks, source);
}

static LogStream *log_stream_make(Call *c, size_t n) {
        LogStream *s = alloc_zero(1, sizeof(LogStream) + n * sizeof(LogSource));

        if (s) {
                s->call = c;
                s->book = c->connection->book;
        }
        return s;
}

static int log_stream_new(LogStream **ret, Call *c, const Selection *selection, const LogReadAsk *ask) {
        _cleanup_(log_stream_freep) LogStream *s = log_stream_make(c, selection->n);
        LogSpec spec;

        if (!s)
                return -ENOMEM;
        for (size_t i = 0; i < selection->n; i++) {
                const Worker *w = selection->workers[i];
                int r = worker_log_spec(w, &spec) >= 0 && is_readable(&spec) ? log_stream_add(s, worker_name(w), &spec, ask) : 0;

                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(s);
        return 0;
}

static void fail_stream(Call *c, int error) {
        if (error != -EDQUOT) {
                call_errno(c, error, "cannot read logs");
                return;
        }
        connection_offend(c->connection, PENALTY_QUOTA);
        call_fail(c, ERROR_LIMIT, "too many logs are read at once: those of %u workers for one user, of %u for all",
                  CONTROL_READS_PER_UID_MAX, CONTROL_READS_MAX);
}

/* "POOL/template", the only selector: 1, and POOL in @buf; 0: none is; -EINVAL: the call was answered. */
static int template_selector(Call *c, const json_t *select, char buf[static NAME_LENGTH_MAX + 1]) {
        static const char tail[] = "/template";
        size_t n = 0;
        _cleanup_free_ const char **names = selection_strings(select, &n);
        bool found = false;

        for (size_t i = 0; names && i < n; i++) {
                const char *slash = strchr(names[i], '/');

                if (slash && streq(slash, tail) && slash - names[i] <= NAME_LENGTH_MAX) {
                        (void) snprintf(buf, NAME_LENGTH_MAX + 1, "%.*s", (int) (slash - names[i]), names[i]);
                        found = true;
                }
        }
        if (!found || n == 1)
                return found;
        call_fail(c, ERROR_PARAMS, "logs: a template's log is read by itself: \"%s%s\" alone", buf, tail);
        return -EINVAL;
}

static void template_logs(Call *c, const char *pool, const LogReadAsk *ask) {
        const Pool *p = selection_pool(c, pool);
        _cleanup_(log_stream_freep) LogStream *s = p ? log_stream_make(c, 1) : NULL; /* NULL: the call is gone */
        char name[NAME_LENGTH_MAX + sizeof "/template"];
        LogSpec spec;
        int r;

        if (!p)
                return;
        (void) snprintf(name, sizeof name, "%s/template", pool);
        r = template_log_spec(p, &spec);
        if (r == -ENOENT) {
                call_fail(c, ERROR_INVALID, "%s has no template: its start_method is spawn", pool);
                return;
        }
        if (r >= 0 && !is_readable(&spec)) {
                call_fail(c, ERROR_UNSUPPORTED, "%s writes to no file of ours: see \"output\" of its pool", name);
                return;
        }
        if (r >= 0)
                r = s ? log_stream_add(s, name, &spec, ask) : -ENOMEM;
        if (r < 0)
                fail_stream(c, r);
        else
                call_keep(c, &log_stream_ops, TAKE_PTR(s));
}

static void handle_logs(Call *c, const void *params) {
        const LogsParams *p = params;
        _cleanup_selection_ Selection selection = {0};
        uint32_t streams = streams_from_string(p->stream);
        char pool[NAME_LENGTH_MAX + 1];
        LogReadAsk ask;
        LogStream *s;
        int r;

        if (!c->id) { /* a notification: nobody would know whose lines they are */
                call_fail(c, ERROR_REQUEST, "logs needs an id");
                return;
        }
        if (streams == 0) {
                call_fail(c, ERROR_PARAMS, "logs: \"stream\" is stdout, stderr or both, not \"%.40s\"", p->stream);
                return;
        }
        if (log_ask_fill(&ask, p, streams) < 0) {
                call_fail(c, ERROR_PARAMS, "logs: \"since\" is a span before now, \"10m\", or a time, "
                          "\"2026-01-02T03:04:05Z\", not \"%.40s\"", p->since);
                return;
        }
        r = template_selector(c, p->select, pool);
        if (r > 0)
                template_logs(c, pool, &ask);
        if (r != 0 || selection_resolve(c, p->select, &selection) < 0)
                return;
        if (selection.n > LOG_READS_MAX) {
                call_fail(c, ERROR_LIMIT, "logs of at most %d workers in one call; %zu are selected", LOG_READS_MAX, selection.n);
                return;
        }
        r = log_stream_new(&s, c, &selection, &ask);
        if (r < 0) {
                fail_stream(c, r);
                return;
        }
        call_keep(c, &log_stream_ops, s);
        if (s->n > 0)
                return;
        if (selection.n > 0)
                call_fail(c, ERROR_UNSUPPORTED, "%s writes to no file of ours: see its \"output\"", worker_name(selection.workers[0]));
        else
                log_stream_answer(s);
}

const Method method_logs = {
        .class = ACCESS_OBSERVE,
        .scope = METHOD_OF_POOLS,
        .is_stream = true,
        .handler = handle_logs,
        .fields = logs_fields,
        .params_size = sizeof(LogsParams),
        .defaults = &logs_defaults,
        .result = "{\"lines\":N} at the end; before it `log` notifications {\"call\",\"worker\",\"stream\",\"time\",\"line\"}, with "
                  "\"continued\":true for a line that goes on in the next one, and with \"line\":null and \"lost\" where some were missed",
};
