/* task-record.c - tasks in the journal: what was asked, under "task:ID"; where it is or how it ended, under "task-at:ID".
 *
 * Arguments and results are strings in there, so that whatever a peer may have put into them can be read back. In the life
 * after, a task that was with a worker finds its request in that worker's channel, or was never sent. */
#include "task/task-internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "wire/protocol.h"
#include <stdio.h>

static void record_key(const Task *t, const char *what, char buf[static TASK_ID_MAX + 16]) {
        (void) snprintf(buf, TASK_ID_MAX + 16, "%s:%s-%llu", what, t->pool->name, (unsigned long long) t->number);
}

static void put_value(TaskRoom *r, const char *key, const char *json, bool is_durable) {
        if (r->world.journal && !r->is_filling)
                journal_put(r->world.journal, key, json);
        if (is_durable && r->durable)
                durable_log_put(r->durable, key, json);
}

/* Is there anything to write to? */
static bool is_on_record(const Task *t) {
        return t->is_recorded && (t->pool->room->world.journal || t->is_durable);
}

static void put(const Task *t, const char *what, Text *value, bool on_disk) {
        char key[TASK_ID_MAX + 16];

        record_key(t, what, key);
        put_value(t->pool->room, key, text_check(value) < 0 ? "null" : value->data, on_disk);
}

static void record_begin(Text *v, const Task *t) {
        json_put_object(v, NULL);
        json_put_string(v, "pool", t->pool->name);
        json_put_u64(v, "n", t->number);
}

static void state_begin(Text *v, const Task *t, TaskState state) {
        record_begin(v, t);
        json_put_string(v, "state", task_state_to_string(state));
        json_put_u64(v, "deaths", t->n_deaths);
}

void record_submitted(Task *t) {
        _cleanup_text_ Text v = {0};

        if (!is_on_record(t))
                return;
        record_begin(&v, t);
        json_put_string(&v, "target", t->target);
        json_put_string(&v, "params", t->params);
        json_put_string(&v, "key", t->key);
        json_put_u64(&v, "uid", t->uid);
        json_put_i64(&v, "priority", t->node.priority);
        json_put_u64(&v, "timeout", t->timeout);
        json_put_u64(&v, "queue_timeout", t->queue_timeout);
        if (t->is_durable) {
                json_put_bool(&v, "durable", true);
                json_put_u64(&v, "queue_until", t->queue_timeout > 0 ? usec_add(clock_realtime(), usec_sub(t->queue_timeout, clock_now())) : 0);
        }
        json_put_u64(&v, "attempts", t->attempts);
        json_put_u64(&v, "at", t->submitted_at);
        if (t->blobs.n > 0) {
                blob_set_put_record(&t->blobs, &v, "blobs");
                json_put_bool(&v, "spill", t->has_spill);
        }
        json_end_object(&v);
        put(t, "task", &v, t->is_durable);
}

void record_state(Task *t) {
        _cleanup_text_ Text v = {0};

        if (!is_on_record(t))
                return;
        state_begin(&v, t, t->state);
        if (t->exits)
                json_put_string(&v, "exits", t->exits);
        if (t->channel) {
                json_put_u64(&v, "generation", t->channel->generation);
                json_put_u64(&v, "request", t->request);
        }
        if (t->answer) {
                json_put_string(&v, "answer", t->answer);
                json_put_u64(&v, "ended", t->ended_at);
        }
        if (t->results.n > 0) {
                blob_set_put_record(&t->results, &v, "results");
                json_put_bool(&v, "spill", t->is_result_spilled);
        }
        json_end_object(&v);
        put(t, "task-at", &v, t->is_durable && !(t->is_claimed && t->state == TASK_RUNNING)); /* of that the disk knows */
}

void record_claim(Task *t) {
        _cleanup_text_ Text v = {0};
        char key[TASK_ID_MAX + 16];

        state_begin(&v, t, TASK_RUNNING);
        json_end_object(&v);
        record_key(t, "task-at", key);
        if (text_check(&v) >= 0)
                durable_log_put(t->pool->room->durable, key, v.data);
}

static void delete_key(TaskRoom *r, const char *key, bool is_durable) {
        if (r->world.journal)
                journal_delete(r->world.journal, key);
        if (is_durable && r->durable)
                durable_log_put(r->durable, key, "null");
}

void record_forget(Task *t) {
        char key[TASK_ID_MAX + 16];

        if (!is_on_record(t))
                return;
        record_key(t, "task", key);
        delete_key(t->pool->room, key, t->is_durable);
        record_key(t, "task-at", key);
        delete_key(t->pool->room, key, t->is_durable);
}

static char *numbers_key(const TaskPool *p, char buf[static TASK_ID_MAX + 16]) {
        (void) snprintf(buf, TASK_ID_MAX + 16, "tasks:%s", p->name);
        return buf;
}

void record_forget_numbers(TaskPool *p) {
        char key[TASK_ID_MAX + 16];

        delete_key(p->room, numbers_key(p, key), true);
}

void record_numbers(TaskPool *p) {
        char key[TASK_ID_MAX + 16], value[32];

        (void) snprintf(value, sizeof value, "%llu", (unsigned long long) p->reserved_number);
        put_value(p->room, numbers_key(p, key), value, true);
}

void task_room_put_all(TaskRoom *r) {
        TaskPool *p, *after;
        Task *t, *next;

        HASH_ITER(hh, r->pools, p, after) {
                record_numbers(p);
                HASH_ITER(hh, p->tasks, t, next) {
                        if (t->params)
                                record_submitted(t);
                        record_state(t);
                }
        }
}

/* ---- back ---- */

static uint64_t get_u64(const json_t *o, const char *key) {
        return (uint64_t) json_integer_value(json_object_get(o, key));
}

static char *get_text(const json_t *o, const char *key) {
        return alloc_strdup(json_string_value(json_object_get(o, key)));
}

static void restore_task(TaskPool *p, const json_t *o) {
        Task *t = task_new(p, get_u64(o, "n"));

        if (!t)
                return;
        t->target = get_text(o, "target");
        t->params = get_text(o, "params");
        t->key = get_text(o, "key");
        t->uid = (uid_t) get_u64(o, "uid");
        t->node.priority = (int) json_integer_value(json_object_get(o, "priority"));
        t->node.priority = MAX(-TASK_PRIORITY_MAX, MIN(t->node.priority, TASK_PRIORITY_MAX));
        t->timeout = get_u64(o, "timeout");
        t->queue_timeout = get_u64(o, "queue_timeout");
        t->attempts = (unsigned) get_u64(o, "attempts");
        t->submitted_at = get_u64(o, "at");
        t->is_recorded = true;
        t->is_durable = json_is_true(json_object_get(o, "durable"));
        p->room->n_durable += t->is_durable;
        if (p->room->is_from_disk && t->queue_timeout > 0) /* that clock began anew */
                t->queue_timeout = usec_add(clock_now(), MAX(usec_sub(get_u64(o, "queue_until"), clock_realtime()), (usec_t) 1));
        t->bytes = TASK_COST + (t->target ? strlen(t->target) : 0) + (t->params ? strlen(t->params) : 0);
        task_room_charge_anyway(p->room, t->uid, t->bytes);
        p->n_queue_limited += t->queue_timeout > 0;
        p->queue_look_at = 0;
        if (t->queue_timeout > 0)
                task_room_arm(p->room, t->queue_timeout);
        if (t->key)
                HASH_ADD_KEYPTR(hh_key, p->keys, t->key, strlen(t->key), t);
        p->last_number = MAX(p->last_number, t->number);
        t->has_spill = json_is_true(json_object_get(o, "spill"));
        t->is_bereft = blob_set_restore(p->room->blobs, &t->blobs, t->uid, json_object_get(o, "blobs"), p->room->inherited) < 0;
}

/* What was to be fetched is not there any more: that is its end now. */
static void restore_results(Task *t, const json_t *o) {
        _cleanup_text_ Text error = {0};

        blob_set_done(&t->blobs);
        if (blob_set_restore(t->pool->room->blobs, &t->results, t->uid, json_object_get(o, "results"), t->pool->room->inherited) >= 0) {
                t->is_result_spilled = t->results.n > 0 && json_is_true(json_object_get(o, "spill"));
                return;
        }
        blob_set_done(&t->results);
        error_plain(&error, "error", ERROR_FAILED, "its result did not outlive the daemon: too many blobs are on record");
        free(t->answer);
        t->answer = text_take(&error);
        t->state = TASK_FAILED;
}

static void restore_settled(Task *t, TaskState state, const json_t *o) {
        TaskPool *p = t->pool;

        t->state = state;
        p->room->n_durable -= t->is_durable;
        t->answer = get_text(o, "answer");
        t->ended_at = get_u64(o, "ended");
        if (t->queue_timeout > 0)
                p->n_queue_limited--;
        t->queue_timeout = 0;
        free(TAKE_PTR(t->params));
        task_room_discharge(p->room, t->uid, t->bytes);
        t->bytes = 0;
        restore_results(t, o);
        task_user_take_result(t);
        DL_APPEND2(p->settled, t, settled_prev, settled_next);
        p->n_settled++;
        task_room_arm(p->room, clock_now());
}

/* It was with a worker: is it still? */
static void restore_running(Task *t, const json_t *o) {
        uint64_t generation = get_u64(o, "generation"), request = get_u64(o, "request");
        Channel *c;
        Piece *p;

        HASH_FIND(hh, t->pool->room->channels, &generation, sizeof generation, c);
        p = c ? channel_piece(c, request) : NULL;
        if (!p && c && (request > c->ledger->n_begun || ledger_has_recalled(c, request))) /* never sent, or taken back */
                return;
        t->state = TASK_RUNNING;
        if (!p) /* its worker is gone without a word that anybody could have heard */
                return;
        p->task = t;
        p->timeout = t->timeout;
        if (p->timeout > 0 && request == c->head)
                task_room_arm(c->pool->room, usec_add(c->head_since, p->timeout));
        t->channel = c;
        t->request = request;
}

static void restore_state(TaskPool *p, const json_t *o) {
        uint64_t number = get_u64(o, "n");
        const char *name = json_string_value(json_object_get(o, "state"));
        int state = name ? task_state_from_string(name) : -EINVAL;
        Task *t;

        HASH_FIND(hh, p->tasks, &number, sizeof number, t);
        if (!t || state < 0)
                return;
        t->n_deaths = (unsigned) get_u64(o, "deaths");
        t->exits = get_text(o, "exits");
        if (state >= TASK_DONE)
                restore_settled(t, (TaskState) state, o);
        else if (state == TASK_RUNNING)
                restore_running(t, o);
}

int task_room_restore(const char *key, json_t *value, void *userdata) {
        TaskRoom *r = userdata;
        bool is_number = strncmp(key, "tasks:", 6) == 0, is_task = strncmp(key, "task:", 5) == 0;
        const char *name = is_number ? key + 6 : json_string_value(json_object_get(value, "pool"));
        Pool *pool;
        TaskPool *p;

        if (!is_number && !is_task && strncmp(key, "task-at:", 8) != 0)
                return 0;
        pool = name ? pool_find(r->world.pools, name) : NULL;
        p = pool ? task_pool_get(r, pool) : NULL;
        if (!p) {
                r->n_homeless += is_task;
                return 0;
        }
        if (is_number)
                p->last_number = p->reserved_number = (uint64_t) json_integer_value(value);
        else if (is_task)
                restore_task(p, value);
        else
                restore_state(p, value);
        return 0;
}

static int by_number(const Task *a, const Task *b) {
        return a->number < b->number ? -1 : a->number > b->number;
}

/* What workers are at for a connection that was droverd's last life's: nobody waits for it. */
static void find_orphans(TaskPool *p) {
        usec_t now = clock_now();
        Channel *c;

        DL_FOREACH(p->channels, c)
                for (size_t i = 0; i < PIECES_MAX; i++)
                        if (c->pieces[i].n > 0 && !c->pieces[i].task && !c->pieces[i].map) {
                                c->pieces[i].orphaned_at = now;
                                task_room_arm(p->room, usec_add(now, TASK_GRACE_USEC));
                        }
}

/* In order of their numbers, as they came. */
void task_room_catch_up(TaskRoom *r) {
        TaskPool *p, *after;
        Task *t, *next;

        HASH_ITER(hh, r->pools, p, after) {
                HASH_SRT(hh, p->tasks, by_number);
                HASH_ITER(hh, p->tasks, t, next) {
                        if (t->state == TASK_RUNNING && !t->channel)
                                task_lost(t);
                        if (t->is_bereft && t->state == TASK_QUEUED)
                                task_fail(t, TASK_FAILED, ERROR_FAILED, "its blobs did not outlive the daemon");
                        if (t->state != TASK_QUEUED || t->node.is_queued)
                                continue;
                        task_counted(p, 1);
                        queue_push(p, &t->node);
                }
                find_orphans(p);
                task_pool_mark(p);
        }
        task_room_restore_blobs(r);
}
