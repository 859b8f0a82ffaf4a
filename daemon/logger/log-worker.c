/* log-worker.c - see log-worker.h. */
#include "logger/log-worker.h"
#include "base/alloc.h"
#include "base/fd.h"

static const uint32_t stream_bits[2] = {LOG_STREAM_STDOUT, LOG_STREAM_STDERR};

bool log_worker_is_done(const LogWorker *w) {
        return w->streams[0].state == LOG_STREAM_DONE && w->streams[1].state == LOG_STREAM_DONE;
}

static void worker_on_stream_done(LogStream *s) {
        size_t i = s->id.stream == LOG_STREAM_STDERR;
        LogWorker *w = container_of(s - i, LogWorker, streams[0]);
        if (!log_worker_is_done(w))
                return;
        log_loop_disarm(s->copier->loop, &w->linger);
        w->on_done(w, w->userdata);
}

static void on_linger(LoopTimer *t) {
        log_worker_give_up(container_of(t, LogWorker, linger));
}

static int worker_add_stream(LogWorker *w, LogCopier *c, size_t i, const LoggerMessage *m, int *fd, uint64_t writer) {
        LogStream *s = &w->streams[i];
        int r = log_sink_get(c->sinks, &w->target, stream_bits[i], &s->sink);
        if (r < 0)
                return r;
        log_sink_set_bounds(s->sink, &w->target.bounds);
        s->id = (LogStreamId){.slot = m->slot, .stream = stream_bits[i], .generation = m->generation};
        s->target = &w->target;
        s->writer = writer;
        s->is_again = m->attach.is_again;
        s->on_done = worker_on_stream_done;
        LogCopySource src = {.fd = *fd, .id = s->id, .target = s->target, .sink = s->sink};
        if (s->is_again && s->sink->ops->mend)
                s->sink->ops->mend(s->sink);
        log_recover_stream(c, &src);
        return log_stream_start(s, TAKE_FD(*fd));
}

int log_worker_new(LogWorker **ret, LogCopier *copier, const LoggerMessage *m, int *fds, size_t n_fds, uint64_t writer) {
        _cleanup_(log_worker_freep) LogWorker *w = NEW0(LogWorker);
        size_t k = 0;
        int r = w ? log_target_init(&w->target, &m->attach.spec) : -ENOMEM;
        if (w) {
                w->key = (LogWorkerKey){m->generation, m->slot};
                w->linger.on_time = on_linger;
                for (size_t i = 0; i < 2; i++)
                        w->streams[i] = (LogStream){.copier = copier, .watch.fd = -EBADF};
        }
        for (size_t i = 0; r == 0 && i < 2; i++) {
                if (!(m->attach.streams & stream_bits[i]))
                        continue;
                r = k < n_fds ? worker_add_stream(w, copier, i, m, &fds[k++], writer) : -EMFILE;
        }
        fd_close_many(fds, n_fds);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

LogWorker *log_worker_free(LogWorker *w) {
        if (!w)
                return NULL;
        if (w->streams[0].copier)
                log_loop_disarm(w->streams[0].copier->loop, &w->linger);
        for (size_t i = 0; i < 2; i++)
                if (w->streams[i].copier)
                        log_stream_stop(&w->streams[i]);
        log_target_done(&w->target);
        free(w);
        return NULL;
}

/* What is left waits for a journald that nobody runs. */
static bool waits_for_journald(const LogWorker *w) {
        for (size_t i = 0; w->target.kind == LOG_KIND_JOURNAL && i < 2; i++)
                if (w->streams[i].sink && w->streams[i].sink->failing_usec > 0)
                        return true;
        return false;
}

void log_worker_linger(LogWorker *w, usec_t usec) {
        LogLoop *l = w->streams[0].copier->loop;
        if (waits_for_journald(w))
                usec = MIN(usec, LOG_JOURNAL_LINGER_USEC);
        (void) log_loop_arm(l, &w->linger, usec_add(l->now, usec));
}

void log_worker_give_up(LogWorker *w) {
        for (size_t i = 0; i < 2; i++) {
                bool is_other_done = w->streams[1 - i].state == LOG_STREAM_DONE;
                bool is_last = is_other_done && w->streams[i].state != LOG_STREAM_DONE;
                log_stream_give_up(&w->streams[i]);
                if (is_last)
                        return; /* it may be freed */
        }
}

void log_worker_respec(LogWorker *w, const LogSpec *spec) {
        w->target.bounds = log_bounds_of(spec);
        for (size_t i = 0; i < 2; i++) {
                LogStream *s = &w->streams[i];
                if (!s->sink)
                        continue;
                log_sink_set_bounds(s->sink, &w->target.bounds);
                log_copier_respec(s->copier, &s->id);
        }
}
