/* task.c - one task: made, found, shown. How it ends is in task-end.c. */
#include "task/task-internal.h"

#include "base/alloc.h"
#include "wire/protocol.h"
#include <stdio.h>

static const char *const state_names[_TASK_STATE_MAX] = {
        [TASK_QUEUED] = "queued",       [TASK_RUNNING] = "running", [TASK_DONE] = "done",
        [TASK_FAILED] = "failed",       [TASK_CANCELLED] = "cancelled", [TASK_TIMEOUT] = "timeout",
        [TASK_LOST] = "lost",
};

const char *task_state_to_string(TaskState s) {
        return (unsigned) s < _TASK_STATE_MAX ? state_names[s] : NULL;
}

int task_state_from_string(const char *s) {
        for (int i = 0; i < _TASK_STATE_MAX; i++)
                if (streq(s, state_names[i]))
                        return i;
        return -EINVAL;
}

TaskState task_state(const Task *t) {
        return t->state;
}

bool task_is_settled(const Task *t) {
        return task_is_final(t) && !t->is_mute;
}

bool task_is_pending(const Task *t) {
        return t->is_pending && !t->is_claimed;
}

uid_t task_uid(const Task *t) {
        return t->uid;
}

const char *task_pool_name(const Task *t) {
        return t->pool->name;
}

const char *task_id(const Task *t, char buf[static TASK_ID_MAX]) {
        (void) snprintf(buf, TASK_ID_MAX, "%s-%llu", t->pool->name, (unsigned long long) t->number);
        return buf;
}

Task *task_find(TaskRoom *r, const char *id) {
        const char *dash = strrchr(id, '-');
        char name[TASK_ID_MAX];
        uint64_t number;
        TaskPool *p;
        Task *t = NULL;

        if (!dash || (size_t) (dash - id) >= sizeof name || slice_u64(slice_of(dash + 1), &number) < 0)
                return NULL;
        memcpy(name, id, (size_t) (dash - id));
        name[dash - id] = 0;
        p = task_pool_find(r, name);
        if (p)
                HASH_FIND(hh, p->tasks, &number, sizeof number, t);
        return t;
}

/* ---- making ---- */

Task *task_new(TaskPool *p, uint64_t number) {
        Task *t = NEW0(Task);

        if (!t)
                return NULL;
        t->pool = p;
        t->number = number;
        HASH_ADD(hh, p->tasks, number, sizeof t->number, t);
        return t;
}

static char *params_of(const TaskSpec *s) {
        _cleanup_text_ Text t = {0};

        text_append(&t, "{\"args\":");
        slice_append(&t, s->args.at ? s->args : slice_of("[]"));
        text_append(&t, ",\"kwargs\":");
        slice_append(&t, s->kwargs.at ? s->kwargs : slice_of("{}"));
        text_append(&t, "}");
        return text_take(&t);
}

static char *quoted(const char *s) {
        _cleanup_text_ Text t = {0};

        json_put_string(&t, NULL, s);
        return text_take(&t);
}

static Task *find_key(TaskPool *p, const char *key) {
        Task *t = NULL;

        if (key)
                HASH_FIND(hh_key, p->keys, key, strlen(key), t);
        return t;
}

/* Texts made, bytes charged; on failure nothing is left. */
static int task_make(TaskPool *p, const TaskSpec *s, char *key_take, Task **ret) {
        _cleanup_free_ char *target = quoted(s->target), *params = params_of(s), *key = key_take;
        size_t bytes;
        Task *t;
        int r;

        if (!target || !params)
                return -ENOMEM;
        if (s->blobs && s->is_recorded && blob_set_keep(s->blobs) < 0)
                return -EMLINK;
        bytes = strlen(target) + strlen(params);
        if (bytes + 128 > TASK_LINE_MAX)
                return -EMSGSIZE;
        bytes += TASK_COST;
        r = task_room_charge(p->room, s->uid, bytes);
        if (r < 0)
                return r;
        t = task_new(p, task_pool_number(p));
        if (!t) {
                task_room_discharge(p->room, s->uid, bytes);
                return -ENOMEM;
        }
        t->target = TAKE_PTR(target);
        t->params = TAKE_PTR(params);
        t->key = TAKE_PTR(key);
        t->bytes = bytes;
        t->uid = s->uid;
        if (s->blobs)
                blob_set_move(&t->blobs, s->blobs);
        t->has_spill = s->has_spill;
        if (t->key)
                HASH_ADD_KEYPTR(hh_key, p->keys, t->key, strlen(t->key), t);
        *ret = t;
        return 0;
}

int task_submit(TaskRoom *r, Pool *pool, const TaskSpec *s, Task **ret) {
        TaskPool *p = task_pool_get(r, pool);
        char *key = s->key ? alloc_printf("%u:%s", (unsigned) s->uid, s->key) : NULL;
        Task *t = p ? find_key(p, key) : NULL;
        char why[KEEPER_TEXT_MAX];
        bool is_durable;
        int error = !p || (s->key && !key) ? -ENOMEM : pool_has_given_up(pool, why, sizeof why) ? -EHOSTDOWN : 0;

        if (t || error < 0 || p->n_tasks_queued >= pool_config(pool)->tasks.queue_max) {
                free(key);
                *ret = t ? t : *ret;
                return t ? 1 : error < 0 ? error : -ENOBUFS;
        }
        is_durable = s->is_recorded && pool_config(pool)->tasks.durable;
        if (is_durable)
                error = s->blobs && s->blobs->n > 0 ? -EOPNOTSUPP : durable_accept(r, 2 * (s->args.n + s->kwargs.n) + TASK_COST);
        if (error < 0)
                free(key);
        else
                error = task_make(p, s, key, &t);
        if (error < 0)
                return error;
        t->is_durable = is_durable;
        r->n_durable += is_durable;
        t->node.priority = s->priority;
        t->timeout = s->timeout;
        t->queue_timeout = s->queue_timeout > 0 ? usec_add(clock_now(), s->queue_timeout) : 0;
        t->attempts = s->attempts;
        t->is_recorded = s->is_recorded;
        t->submitted_at = clock_realtime();
        task_counted(p, 1);
        if (t->queue_timeout > 0) {
                p->queue_look_at = p->n_queue_limited++ > 0 ? MIN(p->queue_look_at, t->queue_timeout) : t->queue_timeout;
                task_room_arm(r, t->queue_timeout);
        }
        record_submitted(t);
        if (is_durable)
                durable_submitted(t);
        else
                queue_push(p, &t->node);
        *ret = t;
        return 0;
}

void task_keep(Task *t) {
        if (t->is_recorded)
                return;
        t->is_recorded = true;
        record_submitted(t);
        record_state(t);
}

/* ---- others ---- */

void task_watch(TaskWatch *w, Task *t) {
        w->task = t;
        DL_APPEND(t->watches, w);
}

void task_unwatch(TaskWatch *w) {
        if (!w->task)
                return;
        DL_DELETE(w->task->watches, w);
        w->task = NULL;
}

uint64_t task_number(const Task *t) {
        return t->number;
}

void task_each(TaskRoom *r, const Pool *pool, bool (*cb)(Task *t, void *userdata), void *userdata) {
        TaskPool *p, *after;
        Task *t, *next;

        HASH_ITER(hh, r->pools, p, after) {
                if (pool && p->pool != pool)
                        continue;
                HASH_ITER(hh, p->tasks, t, next)
                        if (!cb(t, userdata))
                                return;
        }
}

static void put_time(Text *out, const char *key, usec_t at) {
        char text[TIME_TEXT_MAX];

        json_put_string(out, key, at > 0 ? time_format(text, at) : NULL);
}

/* With a worker it is running only when it is its turn. */
static const char *shown_state(const Task *t) {
        bool is_waiting = t->state == TASK_RUNNING && t->channel && t->channel->head != t->request;

        return state_names[is_waiting ? TASK_QUEUED : t->is_mute ? TASK_RUNNING : t->state];
}

static void outcome_begin(const Task *t, Text *out) {
        char id[TASK_ID_MAX];

        json_put_object(out, NULL);
        json_put_string(out, "task", task_id(t, id));
        json_put_string(out, "state", shown_state(t));
}

void task_put_json(const Task *t, Text *out, bool with_details) {
        outcome_begin(t, out);
        if (t->answer && t->is_result_spilled && !with_details)
                task_put_inline(t, out);
        else if (t->answer && !t->is_mute) {
                text_append_char(out, ',');
                text_append(out, t->answer);
        }
        if (with_details) {
                json_put_string(out, "pool", t->pool->name);
                json_put_raw(out, "target", t->target);
                json_put_i64(out, "priority", t->node.priority);
                json_put_u64(out, "deaths", t->n_deaths);
                json_put_u64(out, "attempts", t->attempts);
                json_put_u64(out, "uid", t->uid);
                put_time(out, "submitted_at", t->submitted_at);
                put_time(out, "ended_at", t->ended_at);
                json_put_string(out, "worker", t->channel ? worker_name(t->channel->worker) : NULL);
        }
        json_end_object(out);
}

void task_put_attached(const Task *t, Text *out, size_t n_descriptors) {
        outcome_begin(t, out);
        json_put_u64(out, "descriptors", n_descriptors);
        if (t->answer) {
                text_append_char(out, ',');
                text_append(out, t->answer);
        }
        json_end_object(out);
}
