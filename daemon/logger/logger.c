/* logger.c - see logger.h. */
#include "logger/logger.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include <stdio.h>
#include <unistd.h>

#define MESSAGES_PER_TURN 64

/* One message in hand and the descriptors that came with it; what a handler does not take is closed. */
typedef struct Delivery {
        LoggerMessage m;
        int fds[2];
        size_t n_fds;
} Delivery;

static LogWorker *logger_find(Logger *l, const LoggerMessage *m) {
        LogWorkerKey key = {m->generation, m->slot};
        LogWorker *w;
        HASH_FIND(hh, l->workers, &key, sizeof key, w);
        return w;
}

static int logger_set_scratch(Logger *l, int fd) {
        if (l->has_scratch)
                return 0;
        int r = log_copier_init(&l->copier, &l->loop, &l->sinks, fd);
        if (r < 0)
                return r;
        l->has_scratch = true;
        log_recover_start(&l->copier);
        if (l->copier.is_peek_held)
                (void) log_loop_arm(&l->loop, &l->hold, usec_add(l->loop.now, LOGGER_HOLD_USEC));
        return 0;
}

/* A keeper that could not make a scratch: one of our own, which does not outlive us. */
static int logger_make_scratch(Logger *l) {
        if (l->has_scratch)
                return 0;
        _cleanup_fd_ int fd = memfd_new("drover-scratch");
        if (fd < 0)
                return fd;
        if (ftruncate(fd, LOGGER_SCRATCH_BYTES) < 0)
                return -errno;
        return logger_set_scratch(l, fd);
}

static void on_hold(LoopTimer *t) {
        log_recover_give_up(&container_of(t, Logger, hold)->copier);
}

static void on_finish(LoopTimer *t) {
        Logger *l = container_of(t, Logger, finish);
        log_warning("%u outputs could not be written to their end", HASH_COUNT(l->workers));
        log_loop_exit(&l->loop, EXIT_SUCCESS);
}

static bool logger_is_finished(const Logger *l) {
        return l->is_finishing && !l->workers && !l->done && !l->copier.parked_sink;
}

/* False: no room now, so it stays due. */
static bool logger_say(Logger *l, LoggerMessageType type, uint32_t slot, uint64_t generation) {
        LoggerMessage m = {.type = type, .slot = slot, .generation = generation};
        int r = packet_send(l->keeper.fd, &m, logger_message_size(type), NULL, 0);
        return r != -EAGAIN && r != -ENOBUFS;
}

/* Sends what the keeper has yet to hear; what finds no room goes when its line is writable. */
static int logger_tell(Logger *l) {
        if (l->is_refusal_due && logger_say(l, LOGGER_REFUSED, LOGGER_ALL_SLOTS, 0))
                l->is_refusal_due = false;
        if (l->is_peer_due && logger_say(l, LOGGER_NO_PEER, 0, l->peer_generation))
                l->is_peer_due = false;
        while (l->done) {
                LogWorker *w = l->done;
                if (!logger_say(l, LOGGER_DETACHED, (uint32_t) w->key.slot, w->key.generation))
                        break;
                l->done = w->next_done;
                log_worker_free(w);
        }
        if (l->done || l->is_refusal_due || l->is_peer_due)
                return log_loop_watch(&l->loop, &l->keeper, EPOLLIN | EPOLLOUT);
        if (logger_is_finished(l))
                log_loop_exit(&l->loop, EXIT_SUCCESS);
        return log_loop_watch(&l->loop, &l->keeper, EPOLLIN);
}

static void logger_on_worker_done(LogWorker *w, void *userdata) {
        Logger *l = userdata;
        LogWorker **end = &l->done;
        HASH_DELETE(hh, l->workers, w);
        while (*end)
                end = &(*end)->next_done;
        *end = w;
        (void) logger_tell(l);
}

/* Makes room for a new worker's files and pipes before the kernel has to refuse them. */
static void logger_spare_fds(Logger *l) {
        uint64_t used = LOGGER_FDS_SPARE + 2 * (uint64_t) HASH_COUNT(l->workers) + l->sinks.n_open;
        size_t excess = used > l->n_fds_max ? (size_t) (used - l->n_fds_max) : 0;
        if (excess > log_sink_table_evict(&l->sinks, excess) && !l->is_short_of_fds) {
                l->is_short_of_fds = true;
                log_error("short of descriptors: %u outputs, limit %llu", HASH_COUNT(l->workers),
                          (unsigned long long) l->n_fds_max);
        }
}

/* Its pipes stay with the keeper, which brings them again. */
static void logger_refuse(Logger *l, const LoggerMessage *m, int error) {
        if (!l->is_refusing)
                log_error("the output of %s cannot be taken now: %s; it waits in its pipe", m->attach.spec.worker,
                          strerror(-error));
        l->is_refusing = true;
        if (!logger_say(l, LOGGER_REFUSED, m->slot, m->generation)) {
                l->is_refusal_due = true;
                (void) logger_tell(l);
        }
}

static void logger_attach(Logger *l, Delivery *d) {
        LogWorker *w;
        int r = logger_make_scratch(l);
        if (r == 0 && logger_find(l, &d->m))
                return;
        if (r == 0)
                r = log_worker_new(&w, &l->copier, &d->m, d->fds, d->n_fds, ++l->n_writers);
        if (r < 0) {
                logger_refuse(l, &d->m, r);
                return;
        }
        if (l->is_refusing)
                log_notice("outputs are taken again");
        l->is_refusing = false;
        w->on_done = logger_on_worker_done;
        w->userdata = l;
        HASH_ADD(hh, l->workers, key, sizeof w->key, w);
        if (log_worker_is_done(w))
                logger_on_worker_done(w, l);
}

static void logger_linger(Logger *l, Delivery *d) {
        LogWorker *w = logger_find(l, &d->m);
        if (w)
                log_worker_linger(w, d->m.linger_usec);
}

static void logger_respec(Logger *l, Delivery *d) {
        LogWorker *w = logger_find(l, &d->m);
        if (w)
                log_worker_respec(w, &d->m.respec.spec);
}

/* What droverd has not heard of dropped lines, as far as its line takes it. */
static void logger_tell_dropped(Logger *l) {
        LogMessageDropped d;
        while (l->peer && log_untold_next(&l->untold, &d)) {
                LoggerMessage m = {.type = LOGGER_DROPPED};
                m.dropped.stream = d.stream;
                m.dropped.error = d.error;
                m.dropped.n_lines = d.n_lines;
                m.dropped.n_bytes = d.n_bytes;
                m.dropped.is_over = d.is_over;
                snprintf(m.dropped.worker, sizeof m.dropped.worker, "%s", d.worker);
                if (log_peer_say(l->peer, &m) < 0)
                        return;
                log_untold_took(&l->untold);
        }
}

static void logger_on_dropped(LogSinkTable *t, const LogMessageDropped *d) {
        Logger *l = container_of(t, Logger, sinks);
        if (d->is_over)
                log_warning("%s: %llu lines (%llu bytes) were dropped: %s", d->worker, (unsigned long long) d->n_lines,
                            (unsigned long long) d->n_bytes, strerror(d->error));
        (void) log_untold_add(&l->untold, d);
        logger_tell_dropped(l);
}

static void logger_on_peer_room(LogPeer *p, void *userdata) {
        (void) p;
        logger_tell_dropped(userdata);
}

static void logger_on_peer_gone(LogPeer *p, void *userdata) {
        Logger *l = userdata;
        l->peer = log_peer_free(p);
        l->is_peer_due = true;
        (void) logger_tell(l);
}

static const LogPeerHooks peer_hooks = {.on_gone = logger_on_peer_gone, .on_room = logger_on_peer_room};

static void logger_set_peer(Logger *l, Delivery *d) {
        l->peer = log_peer_free(l->peer);
        l->peer_generation = d->m.generation;
        int r = d->n_fds < 1 ? -EMFILE : log_peer_new(&l->peer, &l->sinks, TAKE_FD(d->fds[0]), &peer_hooks, l);
        l->is_peer_due = r < 0;
        if (r < 0)
                log_error("the line to droverd cannot be used: %s", strerror(-r));
        logger_tell_dropped(l);
        (void) logger_tell(l);
}

static void logger_take_scratch(Logger *l, Delivery *d) {
        int r = d->n_fds < 1 ? -EBADMSG : logger_set_scratch(l, d->fds[0]);
        if (r < 0)
                log_error("the scratch memory cannot be used: %s", strerror(-r));
}

static void logger_reopen(Logger *l, Delivery *d) {
        (void) d;
        log_sink_table_reopen(&l->sinks);
}

static void logger_finish(Logger *l, Delivery *d) {
        LogWorker *w, *tmp;
        (void) d;
        l->is_finishing = true;
        (void) log_loop_arm(&l->loop, &l->finish, usec_add(l->loop.now, LOGGER_FINISH_USEC));
        HASH_ITER(hh, l->workers, w, tmp)
                log_worker_give_up(w);
        (void) logger_tell(l);
}

static const struct {
        uint32_t type;
        void (*handle)(Logger *l, Delivery *d);
} handlers[] = {
        {LOGGER_SCRATCH, logger_take_scratch},
        {LOGGER_ATTACH, logger_attach},
        {LOGGER_LINGER, logger_linger},
        {LOGGER_RESPEC, logger_respec},
        {LOGGER_PEER, logger_set_peer},
        {LOGGER_REOPEN, logger_reopen},
        {LOGGER_FINISH, logger_finish},
};

static void logger_handle(Logger *l, Delivery *d, size_t n) {
        for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
                if (handlers[i].type == d->m.type && n == logger_message_size(d->m.type))
                        return handlers[i].handle(l, d);
        log_debug("a packet of %zu bytes from the keeper is none of ours", n);
}

static void on_keeper(LoopWatch *w, uint32_t events) {
        Logger *l = container_of(w, Logger, keeper);
        if (events & EPOLLOUT)
                (void) logger_tell(l);
        for (int i = 0; i < MESSAGES_PER_TURN && !l->loop.is_over; i++) {
                Delivery d = {.fds = {-EBADF, -EBADF}};
                logger_spare_fds(l);
                ssize_t n = packet_recv(w->fd, &d.m, sizeof d.m, d.fds, ARRAY_SIZE(d.fds), &d.n_fds);
                if (n == -EAGAIN)
                        return;
                if (n == 0 || n == -ECONNRESET) {
                        log_debug("the keeper is gone");
                        log_loop_exit(&l->loop, EXIT_SUCCESS);
                } else if (n < (ssize_t) sizeof d.m.type) {
                        log_error("a packet of the keeper was lost: %s", n < 0 ? strerror((int) -n) : "too short");
                } else {
                        logger_handle(l, &d, (size_t) n);
                }
                fd_close_many(d.fds, ARRAY_SIZE(d.fds));
        }
}

int logger_init(Logger *l, int keeper_fd_take) {
        uint64_t old;
        *l = (Logger){
                .keeper = {.fd = keeper_fd_take, .on_ready = on_keeper},
                .hold.on_time = on_hold,
                .finish.on_time = on_finish,
        };
        int r = log_loop_init(&l->loop);
        if (r < 0)
                return r;
        if (fd_raise_limit(&old, &l->n_fds_max) < 0)
                l->n_fds_max = 1024;
        log_sink_table_init(&l->sinks, &l->loop);
        l->sinks.on_dropped = logger_on_dropped;
        r = fd_set_nonblock(keeper_fd_take, true);
        return r < 0 ? r : log_loop_watch(&l->loop, &l->keeper, EPOLLIN);
}

void logger_done(Logger *l) {
        LogWorker *w, *tmp;
        HASH_ITER(hh, l->workers, w, tmp) {
                HASH_DELETE(hh, l->workers, w);
                log_worker_free(w);
        }
        while ((w = l->done)) {
                l->done = w->next_done;
                log_worker_free(w);
        }
        log_peer_free(l->peer);
        log_untold_done(&l->untold);
        if (l->has_scratch)
                log_copier_done(&l->copier);
        log_sink_table_done(&l->sinks);
        fd_close(l->keeper.fd);
        log_loop_done(&l->loop);
}

int logger_run(Logger *l) {
        while (!l->loop.is_over) {
                int r = log_loop_turn(&l->loop);
                if (r < 0)
                        return r;
        }
        return l->loop.exit_code;
}
