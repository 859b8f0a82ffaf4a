/* task-time.c - a task that lasts too long: a signal first, where its worker knows it, then the end of that process. */
#include "task/task-internal.h"

#include "base/log.h"
#include "wire/protocol.h"
#include <signal.h>
#include <stdio.h>

static void time_out(Channel *c, Piece *p) {
        char message[160], why[80], span[SPAN_TEXT_MAX];
        _cleanup_text_ Text error = {0};

        (void) snprintf(message, sizeof message, "it lasted longer than %s; %s was killed", span_format(span, p->timeout),
                        worker_name(c->worker));
        if (p->task)
                task_fail(p->task, TASK_TIMEOUT, ERROR_TIMEOUT, message);
        error_plain(&error, NULL, ERROR_TIMEOUT, message);
        if (p->map && text_check(&error) >= 0) {
                TaskMap *m = TAKE_PTR(p->map);
                uint64_t done = c->has_page ? channel_n_begun(c) : p->n;
                size_t n = MAX(MIN(done, (uint64_t) p->n), (uint64_t) 1);

                m->n_open--;
                if (n < p->n)
                        map_redo(m, p->first + n, p->n - n, p->n_deaths);
                map_failed(m, p->first, n, error.data);
        }
        p->task = NULL;
        (void) snprintf(why, sizeof why, "its task lasted longer than %s", span);
        channel_condemn(c, why);
}

static usec_t check_timeout(Channel *c, Piece *p, usec_t now) {
        usec_t due;

        if (p->timeout == 0 || (!p->task && !p->map))
                return USEC_INFINITY;
        due = c->warned_at > 0 ? usec_add(c->warned_at, TASK_GRACE_USEC) : usec_add(c->head_since, p->timeout);
        if (now < due)
                return due;
        if (c->warned_at > 0 || !c->has_signal) { /* which kills those who do not know it */
                channel_take_kept(c); /* finished, and not told yet? */
                if (channel_piece(c, c->head) != p || !channel_piece(c, p->id))
                        return now;
                time_out(c, p);
                return USEC_INFINITY;
        }
        c->warned_at = now;
        (void) worker_signal_process(c->worker, c->generation, SIGUSR2);
        return usec_add(now, TASK_GRACE_USEC);
}

/* Items that nobody waits for any more, and that take long, are not to keep the pool from others. */
static usec_t check_orphan(Channel *c, const Piece *p, usec_t now) {
        usec_t due = usec_add(MAX(c->head_since, p->orphaned_at), TASK_GRACE_USEC);

        if (now < due)
                return due;
        channel_condemn(c, "nobody waits for the items that it is at");
        return USEC_INFINITY;
}

static usec_t check_cancelled(Channel *c, const Piece *p, usec_t now) {
        usec_t due = usec_add(c->head_since, TASK_CANCELLED_USEC);

        if (now < due)
                return due;
        channel_take_kept(c); /* finished, and not told yet? */
        if (channel_piece(c, c->head) != p)
                return now;
        channel_condemn(c, "the task that it is at was cancelled");
        return USEC_INFINITY;
}

static void look_now(Channel *c, usec_t now) {
        usec_t slow_at;

        c->look_at = 0;
        channel_take_kept(c);
        if (c->n_open < 2)
                return;
        slow_at = usec_add(c->head_since, TASK_LOOK_USEC);
        if (slow_at > now) {
                c->look_at = slow_at;
                return;
        }
        c->is_slow = true;
        task_pool_mark(c->pool);
}

usec_t channel_check(Channel *c, usec_t now) {
        usec_t due, look = USEC_INFINITY;
        Piece *p;

        if (c->closed_at > 0 && !c->is_condemned) {
                due = usec_add(c->closed_at, CHANNEL_CLOSED_USEC);
                if (now < due)
                        return due;
                channel_condemn(c, "it closed its task channel");
        }
        if (c->look_at > 0 && c->look_at <= now)
                look_now(c, now);
        if (c->look_at > 0)
                look = c->look_at;
        p = c->n_open > 0 ? channel_piece(c, c->head) : NULL;
        if (!p || c->is_condemned)
                return look;
        if (p->is_unwanted)
                return MIN(check_cancelled(c, p, now), look);
        due = p->orphaned_at > 0 ? check_orphan(c, p, now) : check_timeout(c, p, now);
        return MIN(due, look);
}
