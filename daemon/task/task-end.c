/* task-end.c - how a task ends: settled once, told, kept for a time, forgotten; or queued once more. */
#include "task/task-internal.h"

#include "base/alloc.h"
#include "wire/protocol.h"

#define FORGET_PACE (100 * USEC_PER_MSEC) /* results that are due soon after each other are forgotten together */
#define QUEUE_LOOK_USEC 2               /* pause for each that has a limit: so the look at all of them takes a small part */

static void leave_queue(Task *t) {
        if (t->is_pending) {
                durable_leave(t);
                task_counted(t->pool, -1);
        }
        if (t->node.is_queued) {
                queue_remove(t->pool, &t->node);
                task_counted(t->pool, -1);
        }
        if (t->queue_timeout > 0)
                t->pool->n_queue_limited--;
        t->queue_timeout = 0;
}

void task_forget(Task *t) {
        TaskPool *p = t->pool;

        while (t->watches)
                task_unwatch(t->watches);
        if (t->is_mute)
                words_forget(p->room, t, NULL);
        record_forget(t);
        if (!task_is_final(t))
                p->room->n_durable -= t->is_durable;
        leave_queue(t);
        if (task_is_final(t)) {
                DL_DELETE2(p->settled, t, settled_prev, settled_next);
                p->n_settled--;
                task_user_drop_result(t);
        } else {
                task_room_discharge(p->room, t->uid, t->bytes);
        }
        durable_forget(t);
        HASH_DEL(p->tasks, t);
        if (t->key)
                HASH_DELETE(hh_key, p->keys, t);
        blob_set_done(&t->blobs);
        blob_set_done(&t->results);
        free(t->target);
        free(t->params);
        free(t->key);
        free(t->answer);
        free(t->exits);
        free(t);
}

static void leave_channel(Task *t) {
        Piece *p = t->channel ? channel_piece(t->channel, t->request) : NULL;

        if (p && p->task == t)
                p->task = NULL;
        t->channel = NULL;
}

static void tell_watches(Task *t) {
        while (t->watches) {
                TaskWatch *w = t->watches;

                task_unwatch(w);
                w->on_settled(w, t);
        }
}

/* What was asked is of no interest any more, only what came of it. */
static void swap_bytes(Task *t) {
        free(TAKE_PTR(t->params));
        blob_set_done(&t->blobs);
        task_room_discharge(t->pool->room, t->uid, t->bytes);
        t->bytes = 0;
        task_user_take_result(t);
}

static void tell_and_forget(Task *t) {
        tell_watches(t);
        if (!t->is_recorded)
                task_forget(t); /* whoever wanted it was told */
}

void task_tell(Task *t, char *answer_take) {
        t->is_mute = false;
        if (answer_take) {
                task_user_drop_result(t);
                free(t->answer);
                t->answer = answer_take;
                task_user_take_result(t);
                record_state(t);
        }
        tell_and_forget(t);
}

void task_settle(Task *t, TaskState state, const char *member) {
        TaskPool *p = t->pool;
        usec_t ttl = p->pool ? pool_config(p->pool)->tasks.result_ttl : 0;

        if (task_is_final(t))
                return;
        leave_channel(t);
        leave_queue(t);
        t->state = state;
        p->room->n_durable -= t->is_durable;
        t->answer = alloc_strdup(member);
        t->ended_at = clock_realtime();
        t->is_recorded |= !t->is_attached && !task_is_shown_whole(t); /* what is to be fetched stays for a while */
        if (t->is_recorded)
                (void) blob_set_keep(&t->results);
        swap_bytes(t);
        DL_APPEND2(p->settled, t, settled_prev, settled_next);
        p->n_settled++;
        record_state(t);
        if (!t->settled_next && p->settled == t)
                task_room_arm(p->room, usec_add(clock_now(), ttl));
        if (!t->is_mute)
                tell_and_forget(t);
}

void task_fail(Task *t, TaskState state, int code, const char *message) {
        _cleanup_text_ Text member = {0};

        error_plain(&member, "error", code, message);
        task_settle(t, state, error_member(&member));
}

void task_requeue(Task *t) {
        t->channel = NULL;
        t->state = TASK_QUEUED;
        t->is_claimed = false;
        queue_unpop(t->pool, &t->node);
        task_counted(t->pool, 1);
        record_state(t);
}

void task_died_with(Task *t, const Channel *c, const ExitStatus *e) {
        _cleanup_text_ Text exits = {0}, member = {0};

        text_append(&exits, t->exits ? t->exits : "");
        exit_put(&exits, c, e);
        if (text_check(&exits) >= 0) {
                free(t->exits);
                t->exits = text_take(&exits);
        }
        if (++t->n_deaths < t->attempts) {
                task_requeue(t);
                return;
        }
        error_of_death(&member, "error", c, e, t->n_deaths, t->exits);
        t->is_mute = words_await_task(t, c, e);
        task_settle(t, TASK_FAILED, error_member(&member));
}

void task_lost(Task *t) {
        if (++t->n_deaths < t->attempts) {
                task_requeue(t);
                return;
        }
        task_fail(t, TASK_LOST, ERROR_WORKER_DIED, "its worker is gone, and whether it was carried out is not known; submit it again if that does no harm");
}

bool task_cancel(Task *t) {
        Piece *p = t->channel ? channel_piece(t->channel, t->request) : NULL;
        Channel *c = t->channel;

        if (task_is_final(t))
                return false;
        if (p && p->task == t) {
                p->is_unwanted = true;
                if (p->id == c->head)
                        channel_condemn(c, "the task that it is at was cancelled");
        }
        task_fail(t, TASK_CANCELLED, ERROR_CANCELLED, "it was cancelled"); /* and perhaps it is no more */
        if (p && c->head != p->id)
                (void) channel_recall(c);
        return true;
}

static void expire_queued(TaskPool *p, Task *t, usec_t now) {
        if (t->queue_timeout == 0 || t->state != TASK_QUEUED)
                return;
        if (t->queue_timeout <= now)
                task_fail(t, TASK_TIMEOUT, ERROR_TIMEOUT, "no worker was free for it in time");
        else
                p->queue_look_at = MIN(p->queue_look_at, t->queue_timeout);
}

void task_expire(TaskPool *p, usec_t now, usec_t *next) {
        usec_t ttl = p->pool ? pool_config(p->pool)->tasks.result_ttl : 0, real = clock_realtime();
        Task *t, *after;

        while (p->settled && usec_add(p->settled->ended_at, ttl) <= real)
                task_forget(p->settled);
        if (p->settled && ttl != USEC_INFINITY)
                *next = MIN(*next, usec_add(now, MAX(usec_sub(usec_add(p->settled->ended_at, ttl), real), FORGET_PACE)));
        if (p->n_queue_limited == 0)
                return;
        if (p->queue_look_at <= now) {
                p->queue_look_at = USEC_INFINITY;
                HASH_ITER(hh, p->tasks, t, after)
                        expire_queued(p, t, now);
                p->queue_look_at = MAX(p->queue_look_at, usec_add(now, QUEUE_LOOK_USEC * p->n_queue_limited));
        }
        *next = MIN(*next, p->queue_look_at);
}
