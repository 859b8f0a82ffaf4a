/* log-loop.c - see log-loop.h. One round: wait, hand out the ready descriptors, then the timers that were due
 * when the round began. A timer armed for "now" inside a round waits for the next one, so that work cut into
 * steps leaves room for every pipe in between. */
#include "logger/log-loop.h"
#include "base/alloc.h"
#include "base/fd.h"

int log_loop_init(LogLoop *l) {
        *l = (LogLoop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
        if (l->epoll_fd < 0)
                return -errno;
        l->now = clock_now();
        return 0;
}

void log_loop_done(LogLoop *l) {
        free(l->heap);
        fd_close(l->epoll_fd);
        *l = (LogLoop){.epoll_fd = -EBADF};
}

static void forget_in_batch(LogLoop *l, const LoopWatch *w) {
        for (int i = 0; i < l->n_batch; i++)
                if (l->batch[i].data.ptr == w)
                        l->batch[i].data.ptr = NULL;
}

int log_loop_watch(LogLoop *l, LoopWatch *w, uint32_t events) {
        struct epoll_event e = {.events = events, .data.ptr = w};
        if (w->events == events)
                return 0;
        int op = !events ? EPOLL_CTL_DEL : w->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
        if (!events)
                forget_in_batch(l, w);
        if (epoll_ctl(l->epoll_fd, op, w->fd, &e) < 0)
                return -errno;
        w->events = events;
        return 0;
}

static void heap_put(LogLoop *l, size_t place, LoopTimer *t) {
        l->heap[place - 1] = t;
        t->place = place;
}

static void heap_up(LogLoop *l, LoopTimer *t) {
        size_t i = t->place;
        for (; i > 1 && l->heap[i / 2 - 1]->at > t->at; i /= 2)
                heap_put(l, i, l->heap[i / 2 - 1]);
        heap_put(l, i, t);
}

static void heap_down(LogLoop *l, LoopTimer *t) {
        size_t i = t->place;
        for (;;) {
                size_t child = 2 * i;
                if (child > l->n_timers)
                        break;
                if (child < l->n_timers && l->heap[child]->at < l->heap[child - 1]->at)
                        child++;
                if (l->heap[child - 1]->at >= t->at)
                        break;
                heap_put(l, i, l->heap[child - 1]);
                i = child;
        }
        heap_put(l, i, t);
}

int log_loop_arm(LogLoop *l, LoopTimer *t, usec_t at) {
        if (!t->place) {
                int r = alloc_grow(&l->heap, &l->capacity, l->n_timers + 1, sizeof *l->heap);
                if (r < 0)
                        return r;
                t->at = at;
                heap_put(l, ++l->n_timers, t);
        }
        t->at = at;
        heap_up(l, t);
        heap_down(l, t);
        return 0;
}

void log_loop_disarm(LogLoop *l, LoopTimer *t) {
        if (!t->place)
                return;
        size_t place = t->place;
        LoopTimer *last = l->heap[--l->n_timers];
        t->place = 0;
        if (last == t)
                return;
        heap_put(l, place, last);
        heap_up(l, last);
        heap_down(l, last);
}

static int wait_ms(const LogLoop *l) {
        if (l->n_timers == 0)
                return -1;
        usec_t left = usec_sub(l->heap[0]->at, clock_now());
        return (int) MIN((left + USEC_PER_MSEC - 1) / USEC_PER_MSEC, (usec_t) 3600000);
}

static void run_timers(LogLoop *l) {
        usec_t due = l->now;
        while (l->n_timers > 0 && l->heap[0]->at <= due && !l->is_over) {
                LoopTimer *t = l->heap[0];
                log_loop_disarm(l, t);
                l->now = due + 1; /* what is armed for "now" from here is not due in this round */
                t->on_time(t);
        }
}

int log_loop_turn(LogLoop *l) {
        int n = epoll_wait(l->epoll_fd, l->batch, LOOP_BATCH, wait_ms(l));
        if (n < 0 && errno != EINTR)
                return -errno;
        l->now = clock_now();
        l->n_batch = MAX(n, 0);
        l->was_busy = n > 0;
        for (int i = 0; i < l->n_batch && !l->is_over; i++) {
                LoopWatch *w = l->batch[i].data.ptr;
                if (w)
                        w->on_ready(w, l->batch[i].events);
        }
        l->n_batch = 0;
        run_timers(l);
        return 0;
}

void log_loop_exit(LogLoop *l, int code) {
        l->is_over = true;
        l->exit_code = code;
}
