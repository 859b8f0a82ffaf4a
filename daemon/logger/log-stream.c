/* log-stream.c - see log-stream.h. */
#include "logger/log-stream.h"
#include "base/fd.h"
#include <fcntl.h>
#include <sys/ioctl.h>

static void stream_enter(LogStream *s, LogStreamState state, usec_t delay_usec) {
        static const uint32_t events[] = {
                [LOG_STREAM_DONE] = 0,
                [LOG_STREAM_READING] = EPOLLIN,
                [LOG_STREAM_PARTIAL] = EPOLLIN | EPOLLET,
                [LOG_STREAM_NAPPING] = 0,
                [LOG_STREAM_WAITING] = 0, /* out of epoll: a hang-up would be told again and again */
        };
        LogLoop *l = s->copier->loop;
        if (s->state == LOG_STREAM_PARTIAL && state == LOG_STREAM_PARTIAL)
                return; /* its second began with the first byte */
        s->state = (uint8_t) state;
        if (log_loop_watch(l, &s->watch, events[state]) < 0)
                delay_usec = LOG_RETRY_USEC; /* epoll is out of memory: the timer looks again */
        if (delay_usec > 0)
                (void) log_loop_arm(l, &s->timer, usec_add(l->now, delay_usec));
        else
                log_loop_disarm(l, &s->timer);
}

static void stream_widen(LogStream *s, bool is_wide) {
        unsigned *n = &s->copier->n_wide;
        if (s->is_wide == is_wide || (is_wide && *n >= LOG_PIPES_WIDE_MAX))
                return;
        if (is_wide && fcntl(s->watch.fd, F_SETPIPE_SZ, LOG_PIPE_WIDE_BYTES) < 0)
                return; /* the user's share of pipe memory is used up */
        if (!is_wide) /* a pipe that is full cannot be made narrow; it is counted out all the same */
                (void) fcntl(s->watch.fd, F_SETPIPE_SZ, LOG_PIPE_BYTES);
        s->is_wide = is_wide;
        *n += is_wide ? 1u : -1u;
}

void log_stream_stop(LogStream *s) {
        if (s->watch.fd < 0 && !s->sink)
                return;
        stream_enter(s, LOG_STREAM_DONE, 0);
        stream_widen(s, false);
        s->watch.fd = fd_close(s->watch.fd);
        s->sink = log_sink_unref(s->sink);
}

static size_t bytes_in_pipe(const LogStream *s) {
        int n = 0;
        return ioctl(s->watch.fd, FIONREAD, &n) < 0 || n < 0 ? 0 : (size_t) n;
}

/* Counts turns that follow each other quickly. */
static void stream_note_turn(LogStream *s) {
        usec_t now = s->copier->loop->now;
        bool is_quick = now < usec_add(s->turn_usec, LOG_NAP_USEC);
        s->n_busy = (uint16_t) (is_quick ? MIN(s->n_busy + 1u, LOG_BUSY_TURNS) : 0u);
        s->turn_usec = now;
}

/* @n_taken bytes in this turn; @is_more: the pipe was not emptied. True: it naps. */
static bool stream_nap(LogStream *s, size_t n_taken, bool is_more) {
        bool is_napping = s->state == LOG_STREAM_NAPPING, is_busy = is_more || n_taken >= LOG_NAP_BYTES;
        if (s->is_given_up || log_target_is_whole(s->target) || (!is_napping && s->n_busy < LOG_BUSY_TURNS))
                return false;
        if (!is_napping || is_busy)
                stream_widen(s, true);
        if (s->is_wide && (!is_napping || is_busy) && !s->is_hung_up) {
                stream_enter(s, LOG_STREAM_NAPPING, is_more ? 1 : LOG_NAP_USEC);
                return true;
        }
        stream_widen(s, false);
        s->n_busy = 0;
        return false;
}

/* After a step that took @r bytes or failed by -errno: what to wait for. */
static void stream_wait(LogStream *s, ssize_t r) {
        bool is_short = r == -EAGAIN || (r == -EBUSY && !s->copier->parked_sink);
        if (is_short)
                stream_enter(s, LOG_STREAM_WAITING, LOG_AGAIN_USEC);
        else if (r < 0)
                stream_enter(s, LOG_STREAM_WAITING, LOG_RETRY_USEC);
        else if (r == 0)
                stream_enter(s, LOG_STREAM_PARTIAL, LOG_PARTIAL_USEC);
        else if (s->state != LOG_STREAM_READING)
                stream_enter(s, LOG_STREAM_READING, 0);
}

static ssize_t stream_step(LogStream *s, size_t n, bool is_last) {
        LogCopySource src = {
                .fd = s->watch.fd,
                .id = s->id,
                .target = s->target,
                .sink = s->sink,
                .writer = s->writer,
                .is_again = s->is_again,
        };
        ssize_t r = log_copy(s->copier, &src, n, is_last);
        if (r > 0 && s->is_given_up)
                s->n_left -= MIN(s->n_left, (uint64_t) r);
        return r;
}

static bool stream_is_over(const LogStream *s, size_t n) {
        if (log_copier_holds(s->copier, &s->id))
                return false; /* a parked block is its last word */
        return s->is_given_up ? n == 0 || s->n_left == 0 : n == 0 && s->is_hung_up;
}

static bool stream_is_hopeless(const LogStream *s, ssize_t r) {
        bool may_pass = r == -EAGAIN || r == -EBUSY;
        usec_t until = usec_add(s->given_up_usec, LOG_GIVE_UP_USEC);
        return s->is_given_up && r < 0 && (!may_pass || s->copier->loop->now >= until);
}

/* The process is long gone, and the disk does not take the rest. */
static void stream_lose(LogStream *s) {
        log_sink_lose(s->sink, bytes_in_pipe(s) + log_copier_forget(s->copier, &s->id));
        log_stream_stop(s);
        s->on_done(s);
}

static void stream_turn(LogStream *s, bool is_late) {
        size_t budget = LOG_TURN_BYTES;
        ssize_t r = 1;
        stream_note_turn(s);
        while (budget > 0 && r > 0) {
                size_t n = bytes_in_pipe(s);
                if (stream_is_over(s, n)) {
                        log_stream_stop(s);
                        s->on_done(s);
                        return;
                }
                bool is_end = s->is_hung_up || s->is_given_up;
                if (n == 0 && !is_end)
                        break;
                r = n == 0 ? -EBUSY : stream_step(s, MIN(n, budget), is_late || is_end);
                budget -= r > 0 ? (size_t) r : 0;
                if (r > 0 && s->state == LOG_STREAM_PARTIAL) /* the next line has a second of its own */
                        (void) log_loop_arm(s->copier->loop, &s->timer,
                                            usec_add(s->copier->loop->now, LOG_PARTIAL_USEC));
                /* A short piece emptied the pipe: the next bytes will wake us. */
                if (r > 0 && (size_t) r == n && n < SCRATCH_BLOCK_BYTES && !is_end)
                        break;
        }
        if (stream_is_hopeless(s, r)) {
                stream_lose(s);
                return;
        }
        if (r <= 0 || !stream_nap(s, LOG_TURN_BYTES - budget, budget == 0))
                stream_wait(s, r);
}

static void on_ready(LoopWatch *w, uint32_t events) {
        LogStream *s = container_of(w, LogStream, watch);
        if (events & (EPOLLHUP | EPOLLERR))
                s->is_hung_up = true;
        stream_turn(s, false);
}

static void on_time(LoopTimer *t) {
        LogStream *s = container_of(t, LogStream, timer);
        stream_turn(s, s->state == LOG_STREAM_PARTIAL);
}

int log_stream_start(LogStream *s, int fd_consume) {
        s->watch = (LoopWatch){.fd = fd_consume, .on_ready = on_ready};
        s->timer.on_time = on_time;
        int r = fd_set_nonblock(fd_consume, true);
        if (r == 0)
                r = log_loop_watch(s->copier->loop, &s->watch, EPOLLIN);
        if (r < 0) {
                log_stream_stop(s);
                return r;
        }
        s->state = LOG_STREAM_READING;
        return 0;
}

void log_stream_give_up(LogStream *s) {
        if (s->state == LOG_STREAM_DONE || s->is_given_up)
                return;
        s->is_given_up = true;
        s->given_up_usec = s->copier->loop->now;
        s->n_left = bytes_in_pipe(s);
        stream_turn(s, true);
}
