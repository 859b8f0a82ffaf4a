/* task-room.c - the pools that take tasks, their channels, one timer, and the steps of the post source. */
#include "task/task-internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "priority.h"
#include "wire/protocol.h"
#include <signal.h>

#define TIMER_ACCURACY USEC_PER_MSEC

/* ---- pools ---- */

TaskPool *task_pool_find(TaskRoom *r, const char *name) {
        TaskPool *p;

        HASH_FIND_STR(r->pools, name, p);
        return p;
}

TaskPool *task_pool_get(TaskRoom *r, Pool *pool) {
        TaskPool *p = task_pool_find(r, pool_name(pool));

        if (p) {
                p->pool = pool;
                return p;
        }
        p = NEW0(TaskPool);
        if (!p || !(p->name = alloc_strdup(pool_name(pool)))) {
                free(p);
                return NULL;
        }
        p->room = r;
        p->pool = pool;
        p->last_number = p->reserved_number = r->number_floor;
        HASH_ADD_KEYPTR(hh, r->pools, p->name, strlen(p->name), p);
        return p;
}

void task_pool_mark(TaskPool *p) {
        if (p->is_due)
                return;
        p->is_due = true;
        DL_APPEND2(p->room->due, p, due_prev, due_next);
}

uint64_t task_pool_number(TaskPool *p) {
        if (++p->last_number > p->reserved_number) {
                p->reserved_number = p->last_number + 1000;
                record_numbers(p);
        }
        return p->last_number;
}

static void task_pool_free(TaskPool *p) {
        Task *t, *next;

        HASH_ITER(hh, p->tasks, t, next) {
                t->is_recorded = false; /* the records stay: the next life reads them */
                task_forget(t);
        }
        while (p->channels)
                channel_free(p->channels);
        if (p->is_due)
                DL_DELETE2(p->room->due, p, due_prev, due_next);
        HASH_DEL(p->room->pools, p);
        free(p->name);
        free(p);
}

void task_room_pool_changed(TaskRoom *r, Pool *pool, bool is_removed) {
        TaskPool *p = task_pool_find(r, pool_name(pool));

        if (!p)
                return;
        if (is_removed)
                task_pool_gone(p);
        else
                p->pool = pool;
        r->has_new_gone |= is_removed;
        task_pool_mark(p);
}

static bool is_forgettable(const TaskPool *p) {
        return !p->pool && !p->tasks && !p->channels && !p->maps && !p->is_due && p->room->fill_pool != p;
}

/* A pool of the same name goes on with the numbers of the one that was removed. Of the oldest of too many of those no more is
 * remembered than what makes the numbers of whatever comes new. */
static void gone_trim(TaskRoom *r) {
        TaskPool *p, *next;
        size_t n = 0;

        if (!r->has_new_gone)
                return;
        r->has_new_gone = false;
        HASH_ITER(hh, r->pools, p, next)
                n += !p->pool;
        HASH_ITER(hh, r->pools, p, next) {
                if (n <= TASK_POOLS_GONE_MAX)
                        return;
                if (!is_forgettable(p))
                        continue;
                r->number_floor = MAX(r->number_floor, p->last_number);
                record_forget_numbers(p);
                task_pool_free(p);
                n--;
        }
}

/* ---- what pools tell ---- */

static int on_open(Worker *w, int ret_fds[static 2], void *userdata) {
        TaskRoom *r = userdata;
        TaskPool *p = task_pool_get(r, worker_pool(w));
        Channel *c;
        int error = p ? channel_new(&c, p, w) : -ENOMEM;

        if (error < 0)
                return error;
        ret_fds[0] = c->worker_fd;
        ret_fds[1] = c->page_fd;
        return 0;
}

static Channel *unbound_channel(TaskRoom *r, Worker *w) {
        TaskPool *p = task_pool_find(r, pool_name(worker_pool(w)));
        Channel *c;

        DL_FOREACH(p ? p->channels : NULL, c)
                if (c->worker == w && c->generation == 0)
                        return c;
        return NULL;
}

static void on_launched(Worker *w, uint64_t generation, void *userdata) {
        Channel *c = unbound_channel(userdata, w);

        if (c && generation > 0)
                channel_bind(c, generation);
        else
                channel_free(c);
}

static Channel *channel_find(TaskRoom *r, uint64_t generation) {
        Channel *c;

        HASH_FIND(hh, r->channels, &generation, sizeof generation, c);
        return c;
}

static void on_adopted(Worker *w, uint64_t generation, void *userdata) {
        TaskRoom *r = userdata;
        int error;

        if (!pool_config(worker_pool(w))->is_task_pool || channel_find(r, generation))
                return;
        error = channel_inherit(r, w, generation);
        if (error >= 0)
                return;
        log_warning("%s: its task channel is lost: %s; replacing it", worker_name(w), strerrordesc_np(-error));
        (void) worker_kill_process(w, generation, "its task channel was lost with the daemon's life before");
}

static bool on_close(Worker *w, uint64_t generation, void *userdata) {
        Channel *c = channel_find(userdata, generation);

        if (!c || c->is_over || c->is_condemned)
                return false;
        channel_half_close(c);
        return true;
}

static void on_ended(Worker *w, uint64_t generation, const ExitStatus *e, void *userdata) {
        Channel *c = channel_find(userdata, generation);

        if (c)
                channel_ended(c, e);
}

static void on_words(uint64_t generation, const char *json, void *userdata) {
        words_come(userdata, generation, json);
}

static void on_changed(Pool *pool, void *userdata) {
        TaskPool *p = task_pool_find(userdata, pool_name(pool));

        if (p)
                task_pool_mark(p);
}

static const TaskingHooks tasking_hooks = {
        .open = on_open,
        .launched = on_launched,
        .adopted = on_adopted,
        .close = on_close,
        .ended = on_ended,
        .words = on_words,
        .changed = on_changed,
};

/* ---- the room ---- */

int task_room_new(TaskRoom **ret, const TaskWorld *world) {
        TaskRoom *r = NEW0(TaskRoom);

        if (!r || !(r->peek = alloc_zero(1, PEEK_MAX)) || blob_room_new(&r->blobs, world->keeper) < 0) {
                free(r ? r->peek : NULL);
                free(r);
                return -ENOMEM;
        }
        r->world = *world;
        pool_set_use_tasking(world->pools, &tasking_hooks, r);
        *ret = r;
        return 0;
}

TaskRoom *task_room_free(TaskRoom *r) {
        TaskPool *p, *next;
        TaskUser *u, *after;

        if (!r)
                return NULL;
        pool_set_use_tasking(r->world.pools, NULL, NULL);
        HASH_ITER(hh, r->pools, p, next)
                task_pool_free(p);
        HASH_ITER(hh, r->users, u, after) {
                HASH_DEL(r->users, u);
                free(u);
        }
        sd_event_source_disable_unref(r->timer);
        blob_room_free(r->blobs);
        durable_log_free(r->durable);
        free(r->durable_dir);
        free(r->peek);
        free(r);
        return NULL;
}

void task_room_inherit(TaskRoom *r, KeeperTable *t) {
        r->inherited = t;
}

/* ---- time ---- */

static int on_time(sd_event_source *s, uint64_t usec, void *userdata) {
        TaskRoom *r = userdata;
        usec_t now = clock_now(), next = USEC_INFINITY;
        TaskPool *p, *after;
        Channel *c, *follow;

        r->timer = sd_event_source_disable_unref(r->timer);
        r->timer_at = 0;
        HASH_ITER(hh, r->pools, p, after) {
                DL_FOREACH_SAFE(p->channels, c, follow) {
                        usec_t due = channel_check_blobs(c, now);

                        next = MIN(next, due);
                        due = channel_check(c, now);
                        next = MIN(next, due);
                }
                task_expire(p, now, &next);
        }
        next = MIN(next, words_check(r, now));
        task_room_arm(r, next);
        return 0;
}

void task_room_arm(TaskRoom *r, usec_t at) {
        if (at == USEC_INFINITY || (r->timer && r->timer_at <= at) || !r->world.event)
                return;
        r->timer = sd_event_source_disable_unref(r->timer);
        r->timer_at = at;
        if (sd_event_add_time(r->world.event, &r->timer, CLOCK_MONOTONIC, MAX(at, (usec_t) 1), TIMER_ACCURACY, on_time, r) >= 0)
                (void) sd_event_source_set_priority(r->timer, PRIORITY_TIMER);
}

/* ---- dispatch ---- */

static bool can_be_given(const QueueNode *n) {
        return !n->is_map || map_can_give(container_of(n, TaskMap, node));
}

static void give_task(Task *t, Channel *c) {
        size_t before = c->out.length;
        Piece *p;

        if (t->blobs.n > 0 && !task_blobs_attach(t, c))
                return;
        p = channel_add(c, 1, t->timeout);
        p->task = t;
        text_append(&c->out, "{\"jsonrpc\":\"2.0\",\"id\":");
        text_append_u64(&c->out, p->id);
        text_append(&c->out, ",\"method\":");
        text_append(&c->out, t->target);
        text_append(&c->out, ",\"params\":");
        if (t->blobs.n > 0)
                task_blobs_put_params(t, c, p);
        else
                text_append(&c->out, t->params);
        text_append(&c->out, "}\n");
        channel_added(c, p, before);
        queue_remove(t->pool, &t->node);
        task_counted(t->pool, -1);
        t->state = TASK_RUNNING;
        t->channel = c;
        t->request = p->id;
        if (t->is_recorded && c->blobs.n > 0)
                (void) blob_set_keep(&c->blobs); /* it may answer with them */
        record_state(t);
}

/* Return: whether something was given. */
static bool give_one(TaskPool *p, Channel *c) {
        QueueNode *n = queue_first(p, can_be_given);

        if (!n)
                return false;
        if (!n->is_map && durable_holds(node_task(n)))
                return durable_claim(node_task(n));
        if (!n->is_map) {
                if (task_blobs_fit(node_task(n), c))
                        give_task(node_task(n), c);
                return true;
        }
        map_give(node_map(n), c);
        if (n->is_queued)
                queue_rotate(p, n);
        return true;
}

/* Those without anything first, then the second each, and so on. */
static void pool_dispatch(TaskPool *p) {
        unsigned deepest = 0;
        Channel *c;

        DL_FOREACH(p->channels, c)
                deepest = MAX(deepest, channel_depth(c));
        for (unsigned level = 0; level < deepest; level++)
                DL_FOREACH(p->channels, c)
                        if (c->n_open <= level && level < channel_depth(c) && channel_takes(c) && !give_one(p, c))
                                return;
}

void task_room_dispatch(TaskRoom *r) {
        while (r->due) {
                TaskPool *p = r->due;

                DL_DELETE2(r->due, p, due_prev, due_next);
                p->is_due = false;
                if (!p->pool)
                        continue;
                task_pool_look(p);
                pool_dispatch(p);
                if (pool_recall(p))
                        pool_dispatch(p);
                if (p->is_due) { /* giving marked it; it was looked at */
                        DL_DELETE2(r->due, p, due_prev, due_next);
                        p->is_due = false;
                }
                pool_set_queued(p->pool, p->n_queued);
        }
        task_room_trim(r);
        gone_trim(r);
}

void task_room_flush(TaskRoom *r) {
        Channel *last = NULL, *c;

        durable_flush(r);
        while ((c = r->dirty) && c != last) {
                DL_DELETE2(r->dirty, c, dirty_prev, dirty_next);
                c->is_dirty = false;
                channel_flush(c);
        }
}
