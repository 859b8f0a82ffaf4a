/* log-sink.c - see log-sink.h. */
#include "logger/log-sink.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "logger/log-drop.h"
#include "logger/log-open.h"
#include <stdio.h>
#include <utlist.h>

int log_target_init(LogTarget *t, const LogSpec *spec) {
        if (!memchr(spec->worker, '\0', sizeof spec->worker) || !memchr(spec->path, '\0', sizeof spec->path))
                return -EINVAL;
        LogTarget made = {
                .kind = spec->kind,
                .bounds = log_bounds_of(spec),
                .style = {.format = (uint8_t) spec->format, .has_timestamps = spec->has_timestamps},
                .worker = alloc_strdup(spec->worker),
                .path = alloc_strdup(spec->path),
        };
        if (!made.worker || !made.path) {
                log_target_done(&made);
                return -ENOMEM;
        }
        made.style.worker = made.worker;
        *t = made;
        return 0;
}

LogBounds log_bounds_of(const LogSpec *spec) {
        return (LogBounds){
                .max_size = spec->max_size,
                .max_total = spec->max_total,
                .rotate_usec = spec->rotate_usec,
                .max_files = spec->max_files,
                .compress = (uint8_t) spec->compress,
                .on_full = (uint8_t) spec->on_full,
        };
}

bool log_target_is_whole(const LogTarget *t) {
        return t->kind != LOG_KIND_FILE || !log_style_is_raw(&t->style);
}

void log_target_done(LogTarget *t) {
        free(t->worker);
        free(t->path);
        *t = (LogTarget){};
}

void log_target_spec(const LogTarget *t, LogSpec *ret) {
        *ret = (LogSpec){
                .kind = t->kind,
                .max_files = t->bounds.max_files,
                .max_size = t->bounds.max_size,
                .max_total = t->bounds.max_total,
                .rotate_usec = t->bounds.rotate_usec,
                .compress = t->bounds.compress,
                .format = t->style.format,
                .has_timestamps = t->style.has_timestamps,
                .on_full = t->bounds.on_full,
        };
        snprintf(ret->worker, sizeof ret->worker, "%s", t->worker);
        snprintf(ret->path, sizeof ret->path, "%s", t->path);
}

void log_sink_table_init(LogSinkTable *t, LogLoop *loop) {
        *t = (LogSinkTable){
                .loop = loop, .journal_path = "/run/systemd/journal/socket", .journal_fd = -EBADF};
        log_janitor_init(&t->janitor, loop);
}

void log_sink_table_done(LogSinkTable *t) {
        t->journal_fd = fd_close(t->journal_fd);
        log_janitor_done(&t->janitor);
}

static LogSink *least_recently_used(LogSinkTable *t) {
        LogSink *found = NULL, *s, *tmp;
        HASH_ITER(hh, t->sinks, s, tmp)
                if (s->is_open && (!found || s->used_usec < found->used_usec))
                        found = s;
        return found;
}

size_t log_sink_table_evict(LogSinkTable *t, size_t n) {
        for (size_t i = 0; i < n; i++) {
                LogSink *s = least_recently_used(t);
                if (!s)
                        return i;
                s->ops->close(s);
        }
        return n;
}

void log_sink_table_reopen(LogSinkTable *t) {
        LogSink *s, *tmp;
        HASH_ITER(hh, t->sinks, s, tmp)
                s->ops->close(s);
        t->journal_fd = fd_close(t->journal_fd);
}

static const LogSinkOps *ops_of(const LogTarget *t) {
        switch (t->kind) {
        case LOG_KIND_FILE:
                return &log_sink_file_ops;
        case LOG_KIND_SHARED:
                return &log_sink_shared_ops;
        case LOG_KIND_JOURNAL:
                return &log_sink_journal_ops;
        default:
                return NULL;
        }
}

static char *key_of(const LogTarget *t, uint32_t stream) {
        switch (t->kind) {
        case LOG_KIND_FILE:
                return alloc_printf("%s.%s.log", t->path, stream == LOG_STREAM_STDERR ? "stderr" : "stdout");
        case LOG_KIND_SHARED:
                return alloc_strdup(t->path);
        default:
                return alloc_printf("journal:%s", t->worker);
        }
}

void log_sink_set_bounds(LogSink *s, const LogBounds *bounds) {
        bool is_same = memcmp(&s->bounds, bounds, sizeof *bounds) == 0;
        s->bounds = *bounds;
        if (!is_same && s->ops->set_bounds)
                s->ops->set_bounds(s, true);
}

int log_sink_get(LogSinkTable *t, const LogTarget *target, uint32_t stream, LogSink **ret) {
        const LogSinkOps *ops = ops_of(target);
        LogSink *s;
        if (!ops)
                return -EINVAL;
        _cleanup_free_ char *key = key_of(target, stream);
        if (!key)
                return -ENOMEM;
        HASH_FIND_STR(t->sinks, key, s);
        if (!s) {
                _cleanup_free_ char *worker = alloc_strdup(target->worker), *quota_path = alloc_strdup(target->path);
                s = worker && quota_path ? ops->alloc() : NULL;
                if (!s)
                        return -ENOMEM;
                s->ops = ops;
                s->table = t;
                s->key = TAKE_PTR(key);
                s->quota_path = TAKE_PTR(quota_path);
                s->worker = TAKE_PTR(worker);
                s->is_of_pool = target->kind == LOG_KIND_FILE && strchr(target->worker, '/');
                s->bounds = target->bounds;
                if (ops->set_bounds)
                        ops->set_bounds(s, false);
                log_drop_adopt(s, target, stream);
                HASH_ADD_KEYPTR(hh, t->sinks, s->key, strlen(s->key), s);
        }
        *ret = log_sink_ref(s);
        return 0;
}

LogSink *log_sink_ref(LogSink *s) {
        s->n_refs++;
        return s;
}

LogSink *log_sink_unref(LogSink *s) {
        if (!s || --s->n_refs > 0)
                return NULL;
        log_drop_end(s);
        if (s->ops->done)
                s->ops->done(s);
        s->ops->close(s);
        HASH_DELETE(hh, s->table->sinks, s);
        free(s->key);
        free(s->worker);
        free(s->quota_path);
        free(s);
        return NULL;
}

void log_sink_set_open(LogSink *s, bool is_open) {
        s->table->n_open += (size_t) is_open - (size_t) s->is_open;
        s->is_open = is_open;
}

static void sink_report(LogSink *s, int priority, const char *text, const char *reason) {
        char pool[LOG_WORKER_MAX];
        snprintf(pool, sizeof pool, "%.*s", (int) strcspn(s->worker, "/"), s->worker);
        log_fields(priority, pool, s->worker, "%s: %s %s%s%s", s->worker, s->key, text, *reason ? ": " : "", reason);
}

static void sink_fail(LogSink *s, int error) {
        usec_t now = s->table->loop->now;
        if (s->failing_usec == 0)
                s->failing_usec = now;
        else if (now < usec_add(s->report_usec, LOG_REPORT_USEC))
                return;
        bool is_dropping = s->bounds.on_full == LOG_ON_FULL_DROP && s->ops->mark;
        char text[128];
        snprintf(text, sizeof text, "cannot be written, the worker's output %s",
                 is_dropping ? "is dropped (on_full)" : "waits in its pipe");
        if (log_open_is_refusal(error))
                snprintf(text, sizeof text, "is refused, output is thrown away (%llu bytes so far)",
                         (unsigned long long) s->n_thrown);
        s->report_usec = now;
        sink_report(s, LOG_ERR, text, log_open_reason(error));
}

static void sink_heal(LogSink *s) {
        char text[96], span[SPAN_TEXT_MAX];
        if (s->failing_usec == 0)
                return;
        span_format(span, usec_sub(s->table->loop->now, s->failing_usec));
        snprintf(text, sizeof text, "is written again after %s, %llu bytes were thrown away", span,
                 (unsigned long long) s->n_thrown);
        sink_report(s, LOG_NOTICE, text, "");
        s->failing_usec = s->n_thrown = 0;
}

int log_sink_write(LogSink *s, LogWrite *w) {
        s->used_usec = s->table->loop->now;
        int r = s->ops->write(s, w);
        if (r == 0)
                sink_heal(s);
        else if (r != -EAGAIN)
                sink_fail(s, r);
        return r;
}

void log_sink_throw(LogSink *s, size_t n_bytes) {
        s->n_thrown += n_bytes;
}

void log_sink_lose(LogSink *s, size_t n_bytes) {
        char text[96];
        if (n_bytes == 0)
                return;
        snprintf(text, sizeof text, "took no more after the process had ended, its last %zu bytes are lost", n_bytes);
        sink_report(s, LOG_ERR, text, "");
}

void log_sink_push(LogSink *s, const uint8_t *data, size_t n, uint32_t stream) {
        LogTail *t, *tmp;
        if (!s->tails)
                return;
        usec_t now = clock_realtime();
        DL_FOREACH_SAFE(s->tails, t, tmp)
                t->on_data(t, data, n, stream, now);
}
