/* method-task.c - task.submit, task.wait, task.cancel, task.list. Maps are in method-task-map.c.
 *
 * A task belongs to the user who submitted it. Others need the role operate for its pool; without that it is not there. */
#include "base/alloc.h"
#include "base/fd.h"
#include "base/parse.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method.h"
#include "control/method-task.h"
#include "control/selection.h"
#include "pool/tasking.h"
#include "priority.h"

#include <stdio.h>

#define TASKS_PER_CALL_MAX 4096u
#define LIST_MAX 1000

/* ---- common ---- */

static const char not_a_task_pool[] = "has no workers that take tasks; give it \"module\", or a command with \"protocol\": \"tasks\"";

Pool *method_task_pool(Call *c, const char *name) {
        Pool *p;

        call_set_object(c, name);
        p = selection_pool(c, name);
        if (p && !pool_config(p)->is_task_pool) {
                call_fail(c, ERROR_INVALID, "%s %s", name, not_a_task_pool);
                return NULL;
        }
        return p;
}

void method_task_errno(Call *c, int error, const Pool *p) {
        const char *name = pool_name(p);
        char why[KEEPER_TEXT_MAX + KEEPER_NAME_MAX];

        if (error == -ENOBUFS)
                call_fail(c, ERROR_LIMIT, "%s has as many tasks waiting as its tasks.queue_max allows; submit again when some are done", name);
        else if (error == -EDQUOT)
                call_fail(c, ERROR_LIMIT, "your tasks that are not done hold too many bytes; at most %u, less when others have much; submit again when some are done",
                          TASK_BYTES_PER_UID_MAX);
        else if (error == -EHOSTDOWN && pool_has_given_up(p, why, sizeof why))
                call_fail(c, ERROR_FAILED, "no worker of %s is left to do it: %s; see droverctl describe %s, mend it, then droverctl start %s",
                          name, why, name, name);
        else if (error == -ENOSPC)
                call_fail(c, ERROR_FAILED, "the disk is full: a task of %s must be in tasks.log of the state directory before it is accepted; make room there", name);
        else if (error == -EMSGSIZE || error == -E2BIG)
                call_fail(c, ERROR_LIMIT, "the arguments of a task have at most %u bytes; give larger ones as blobs (blob.new)", TASK_LINE_MAX - 1024);
        else if (error == -EOPNOTSUPP)
                call_fail(c, ERROR_UNSUPPORTED, "%s has tasks.durable, and blobs do not survive the machine: put them into a file and submit its name, or use \"wait\": true", name);
        else if (error == -EMLINK)
                call_fail(c, ERROR_LIMIT, "too many blobs are on record: at most %u; use \"wait\": true, or submit again when some are done", BLOBS_KEPT_MAX);
        else
                call_errno(c, error, "cannot take the task");
}

/* Is it there for the caller? */
static bool may_see(const Call *c, const Task *t) {
        const Control *control = call_control(c);
        Pool *p = pool_find(control->world.pools, task_pool_name(t));

        if (call_pool_level(c, p) >= ACCESS_OPERATE)
                return true;
        return task_uid(t) == c->connection->peer.uid && call_pool_level(c, p) >= ACCESS_SUBMIT;
}

/* NULL: the call was answered. */
Task *method_task_find(Call *c, const char *id) {
        Task *t = task_find(call_control(c)->world.tasks, id);

        if (t && may_see(c, t))
                return t;
        call_fail(c, ERROR_NOT_FOUND, "there is no task \"%.80s\"; results are kept for the pool's tasks.result_ttl", id);
        return NULL;
}

/* ---- task.submit ---- */

typedef struct SubmitParams {
        const char *pool, *target;
        json_t *args, *kwargs;
        usec_t timeout, queue_timeout;
        int64_t attempts, priority;
        const char *key, *on_disconnect;
        json_t *blobs, *spill;
        bool wait, attach;
} SubmitParams;

static const SubmitParams submit_defaults = {.timeout = USEC_INFINITY};

static const JsonField submit_fields[] = {
        {"pool", JSON_FIELD_STRING, offsetof(SubmitParams, pool), .required = true, .help = "whose workers take tasks"},
        {"target", JSON_FIELD_STRING, offsetof(SubmitParams, target), .required = true, .help = "what is called"},
        {"args", JSON_FIELD_ARRAY, offsetof(SubmitParams, args), .help = "its arguments by position ([])"},
        {"kwargs", JSON_FIELD_OBJECT, offsetof(SubmitParams, kwargs), .help = "its arguments by name ({})"},
        {"timeout", JSON_FIELD_SPAN, offsetof(SubmitParams, timeout), .help = "how long it may last once begun (the pool's tasks.timeout); then its worker is killed"},
        {"attempts", JSON_FIELD_I64, offsetof(SubmitParams, attempts), .min = 0, .max = TASK_ATTEMPTS_MAX, .help = "how many workers may die with it (0: the pool's tasks.attempts)"},
        {"priority", JSON_FIELD_I64, offsetof(SubmitParams, priority), .min = -TASK_PRIORITY_MAX, .max = TASK_PRIORITY_MAX, .help = "-10 to 10, higher first (0)"},
        {"wait", JSON_FIELD_BOOL, offsetof(SubmitParams, wait), .help = "answer with the outcome (false: with the id, once it is on record)"},
        {"key", JSON_FIELD_STRING, offsetof(SubmitParams, key), .help = "of your own: a second submit with it is the same task"},
        {"queue_timeout", JSON_FIELD_SPAN, offsetof(SubmitParams, queue_timeout), .help = "how long it may wait for a worker (for ever)"},
        {"on_disconnect", JSON_FIELD_STRING, offsetof(SubmitParams, on_disconnect), .help = "with wait, when the connection goes: cancel (the default) or keep"},
        {"blobs", JSON_FIELD_ARRAY, offsetof(SubmitParams, blobs), .help = "names of sealed blobs of this connection, ID or {\"blob\":ID,\"size\":N}; args and kwargs name them {\"$blob\":INDEX}"},
        {"spill", JSON_FIELD_VALUE, offsetof(SubmitParams, spill), .help = "the name of a blob with the text {\"args\":[...],\"kwargs\":{...}}, in place of these"},
        {"attach", JSON_FIELD_BOOL, offsetof(SubmitParams, attach), .help = "with wait: the descriptors of a large result come with the outcome (false)"},
        {0},
};

/* A call that waits for one task. */
typedef struct SubmitCall {
        TaskWatch watch;
        Call *call;
        Task *task; /* NULL: settled */
        bool is_kept, wants_id, is_attached;
} SubmitCall;

static void submit_free(void *state) {
        SubmitCall *s = state;
        Task *t = TAKE_PTR(s->task);

        task_unwatch(&s->watch);
        if (t && !s->is_kept)
                (void) task_cancel(t);
        free(s);
}

static const CallOps submit_ops = {.free_state = submit_free};

/* With the descriptors of what came of it, or as text. */
static void put_outcome(Call *c, const Task *t, bool is_attached) {
        const BlobSet *results = task_results(t);

        if (is_attached && results->n > 0) {
                for (size_t i = 0; i < results->n; i++)
                        call_attach(c, blob_open(blob_at(results, i)));
                task_put_attached(t, call_begin(c), results->n);
        } else
                task_put_json(t, call_begin(c), false);
        call_end(c);
}

static void answer_id(Call *c, const Task *t) {
        char id[TASK_ID_MAX];
        Text *out = call_begin(c);

        json_put_object(out, NULL);
        json_put_string(out, "task", task_id(t, id));
        json_end_object(out);
        call_end(c);
}

static void submit_settled(TaskWatch *w, Task *t) {
        SubmitCall *s = container_of(w, SubmitCall, watch);

        s->task = NULL;
        if (s->wants_id) {
                answer_id(s->call, t);
                return;
        }
        put_outcome(s->call, t, s->is_attached);
}

static void submit_safe(TaskWatch *w, Task *t) {
        SubmitCall *s = container_of(w, SubmitCall, watch);

        if (s->wants_id)
                answer_id(s->call, t);
}

static void submit_refused(TaskWatch *w, Task *t, int error) {
        SubmitCall *s = container_of(w, SubmitCall, watch);

        s->task = NULL;
        method_task_errno(s->call, error, pool_find(call_control(s->call)->world.pools, task_pool_name(t)));
}

/* With the id, as soon as it is accepted, or the outcome. */
static void answer_later(Call *c, Task *t, const SubmitParams *p, bool is_kept) {
        SubmitCall *s;

        if (!p->wait && !task_is_pending(t)) {
                answer_id(c, t);
                return;
        }
        if (task_is_settled(t)) {
                put_outcome(c, t, p->attach);
                return;
        }
        s = NEW0(SubmitCall);
        if (!s) {
                call_errno(c, -ENOMEM, "cannot wait");
                return;
        }
        *s = (SubmitCall){.call = c, .task = t, .is_kept = is_kept, .wants_id = !p->wait, .is_attached = p->attach,
                          .watch = {.on_settled = submit_settled, .on_safe = submit_safe, .on_refused = submit_refused}};
        if (p->attach)
                task_attach_results(t);
        task_watch(&s->watch, t);
        call_keep(c, &submit_ops, s);
}

static bool has_spill(const SubmitParams *p) {
        return p->spill && !json_is_null(p->spill);
}

static bool has_members(Slice cut, const json_t *value) {
        return cut.at ? !slice_is_empty(cut) : json_array_size(value) + json_object_size(value) > 0;
}

static bool submit_is_fine(Call *c, const SubmitParams *p) {
        if (p->key && (strlen(p->key) > TASK_KEY_MAX || !*p->key))
                call_fail(c, ERROR_PARAMS, "task.submit: a key has 1 to %u bytes", TASK_KEY_MAX);
        else if (p->on_disconnect && !streq(p->on_disconnect, "cancel") && !streq(p->on_disconnect, "keep"))
                call_fail(c, ERROR_PARAMS, "task.submit: \"on_disconnect\" is cancel or keep, not \"%.40s\"", p->on_disconnect);
        else if (p->on_disconnect && !p->wait)
                call_fail(c, ERROR_PARAMS, "task.submit: \"on_disconnect\" is for \"wait\": true; without it the task outlives the connection");
        else if (p->attach && (!p->wait || !call_can_attach(c)))
                call_fail(c, ERROR_PARAMS, "task.submit: \"attach\" is for \"wait\": true, and not in a batch");
        else if (has_spill(p) && (has_members(call_control(c)->payload.args, p->args) || has_members(call_control(c)->payload.kwargs, p->kwargs)))
                call_fail(c, ERROR_PARAMS, "task.submit: \"spill\" has the args and kwargs; it stands in place of them");
        else
                return true;
        return false;
}

static void submit(Call *c, const SubmitParams *p, Pool *pool, TaskSpec *spec) {
        Task *t = NULL;
        int r = task_submit(call_control(c)->world.tasks, pool, spec, &t);

        if (r < 0) {
                blob_set_move(&c->connection->blobs, spec->blobs); /* for the next try */
                method_task_errno(c, r, pool);
        } else
                answer_later(c, t, p, spec->is_recorded);
}

static void handle_submit(Call *c, const void *params) {
        const SubmitParams *p = params;
        const Payload *cut = &call_control(c)->payload;
        Pool *pool = submit_is_fine(c, p) ? method_task_pool(c, p->pool) : NULL;
        bool is_kept = !p->wait || (p->on_disconnect && streq(p->on_disconnect, "keep")) || p->key;
        _cleanup_text_ Text args = {0}, kwargs = {0};
        const TaskConfig *tasks;
        BlobSet blobs = {0};
        TaskSpec spec;

        if (!pool || !method_blob_claim(c, has_spill(p) ? p->spill : NULL, p->blobs, &blobs))
                return;
        tasks = &pool_config(pool)->tasks;
        spec = (TaskSpec){
                .target = p->target,
                .args = payload_text(cut->args, p->args, &args),
                .kwargs = payload_text(cut->kwargs, p->kwargs, &kwargs),
                .timeout = p->timeout == USEC_INFINITY ? tasks->timeout : p->timeout,
                .queue_timeout = p->queue_timeout,
                .attempts = p->attempts > 0 ? (unsigned) p->attempts : MAX(tasks->attempts, 1u),
                .priority = (int) p->priority,
                .key = p->key,
                .uid = c->connection->peer.uid,
                .is_recorded = is_kept,
                .blobs = &blobs,
                .has_spill = has_spill(p),
        };
        if (args.failed || kwargs.failed) {
                blob_set_done(&blobs);
                method_task_errno(c, -ENOMEM, pool);
        } else
                submit(c, p, pool, &spec);
}

const Method method_task_submit = {
        .class = ACCESS_SUBMIT,
        .scope = METHOD_OF_POOLS,
        .is_changing = true,
        .is_unaudited = true,
        .handler = handle_submit,
        .fields = submit_fields,
        .params_size = sizeof(SubmitParams),
        .defaults = &submit_defaults,
        .result = "{\"task\":ID}; with wait OUTCOME: {\"task\",\"state\":\"done\",\"result\"} or {\"task\",\"state\":\"failed\" | \"cancelled\" | \"timeout\" | \"lost\",\"error\":ERROR}. A result of more than 64 KiB has \"spill\":{\"size\"} in place of \"result\", and \"blobs\":[{\"size\"}...] those that it names",
};

/* ---- task.wait ---- */

typedef struct TasksParams {
        json_t *tasks;
        usec_t timeout;
        bool attach;
} TasksParams;

static const TasksParams tasks_defaults = {.timeout = USEC_INFINITY};

static const JsonField wait_fields[] = {
        {"tasks", JSON_FIELD_STRINGS, offsetof(TasksParams, tasks), .required = true, .help = "ids, as task.submit gave them"},
        {"timeout", JSON_FIELD_SPAN, offsetof(TasksParams, timeout), .help = "then the error \"timeout\", with what is known in data.tasks (for ever)"},
        {"attach", JSON_FIELD_BOOL, offsetof(TasksParams, attach), .help = "for one task: the descriptors of a large result come with the outcome (false)"},
        {0},
};

typedef struct WaitCall WaitCall;
typedef struct WaitItem {
        TaskWatch watch;
        WaitCall *of;
        char *outcome; /* settled */
        char id[TASK_ID_MAX];
} WaitItem;

struct WaitCall {
        Call *call;
        sd_event_source *timer;
        usec_t timeout;
        size_t n, n_open;
        bool is_attached; /* with one task only: */
        int fds[BLOBS_PER_TASK_MAX];
        size_t n_fds;
        WaitItem items[];
};

static void wait_free(void *state) {
        WaitCall *w = state;

        for (size_t i = 0; i < w->n; i++) {
                task_unwatch(&w->items[i].watch);
                free(w->items[i].outcome);
        }
        fd_close_many(w->fds, w->n_fds);
        sd_event_source_disable_unref(w->timer);
        free(w);
}

static const CallOps wait_ops = {.free_state = wait_free};

static void put_outcomes(const WaitCall *w, Text *t) {
        json_put_array(t, "tasks");
        for (size_t i = 0; i < w->n; i++) {
                if (w->items[i].outcome) {
                        json_put_raw(t, NULL, w->items[i].outcome);
                        continue;
                }
                if (w->items[i].watch.task)
                        task_put_json(w->items[i].watch.task, t, false);
        }
        json_end_array(t);
}

static void wait_answer(WaitCall *w) {
        Call *c = w->call;
        Text *t;

        for (size_t i = 0; i < w->n_fds; i++)
                call_attach(c, TAKE_FD(w->fds[i]));
        t = call_begin(c);
        json_put_object(t, NULL);
        put_outcomes(w, t);
        json_end_object(t);
        call_end(c);
}

static int wait_expired(sd_event_source *s, uint64_t usec, void *userdata) {
        WaitCall *w = userdata;
        Call *c = w->call;
        char span[SPAN_TEXT_MAX], message[128];

        (void) snprintf(message, sizeof message, "%zu of %zu tasks are not done within %s", w->n_open, w->n, span_format(span, w->timeout));
        put_outcomes(w, call_fail_begin(c, ERROR_TIMEOUT, message));
        call_fail_end(c, ERROR_TIMEOUT);
        return 0;
}

static void item_take(WaitItem *i, const Task *t) {
        _cleanup_text_ Text text = {0};

        if (i->of->is_attached && task_results(t)->n > 0) {
                for (size_t at = 0; at < task_results(t)->n; at++)
                        i->of->fds[i->of->n_fds++] = blob_open(blob_at(task_results(t), at));
                task_put_attached(t, &text, i->of->n_fds);
        } else
                task_put_json(t, &text, false);
        i->outcome = text_take(&text);
        i->of->n_open--;
}

static void wait_settled(TaskWatch *watch, Task *t) {
        WaitItem *i = container_of(watch, WaitItem, watch);

        item_take(i, t);
        if (i->of->n_open == 0)
                wait_answer(i->of);
}

static int wait_arm(WaitCall *w) {
        int r;

        if (w->timeout == USEC_INFINITY)
                return 0;
        r = sd_event_add_time_relative(call_control(w->call)->world.event, &w->timer, CLOCK_MONOTONIC, w->timeout, USEC_PER_MSEC,
                                       wait_expired, w);
        return r < 0 ? r : sd_event_source_set_priority(w->timer, PRIORITY_TIMER);
}

static void handle_wait(Call *c, const void *params) {
        const TasksParams *p = params;
        size_t n;
        _cleanup_free_ const char **ids = selection_strings(p->tasks, &n);
        _cleanup_free_ WaitCall *w = ids && n <= TASKS_PER_CALL_MAX ? alloc_zero(1, sizeof(WaitCall) + n * sizeof(WaitItem)) : NULL;
        Task *t;

        if (ids && n > TASKS_PER_CALL_MAX) {
                call_fail(c, ERROR_LIMIT, "task.wait: at most %u tasks a call", TASKS_PER_CALL_MAX);
                return;
        }
        if (!w) {
                call_errno(c, -ENOMEM, "cannot wait");
                return;
        }
        if (p->attach && (n != 1 || !call_can_attach(c))) {
                call_fail(c, ERROR_PARAMS, "task.wait: \"attach\" is for one task, and not in a batch");
                return;
        }
        for (size_t i = 0; i < n; i++)
                if (!method_task_find(c, ids[i]))
                        return;
        *w = (WaitCall){.call = c, .timeout = p->timeout, .n = n, .n_open = n, .is_attached = p->attach};
        if (wait_arm(w) < 0) {
                call_errno(c, -ENOMEM, "cannot wait");
                return;
        }
        for (size_t i = 0; i < n; i++) {
                WaitItem *item = &w->items[i];

                t = task_find(call_control(c)->world.tasks, ids[i]);
                *item = (WaitItem){.of = w, .watch = {.on_settled = wait_settled}};
                if (task_is_settled(t))
                        item_take(item, t);
                else
                        task_watch(&item->watch, t);
        }
        call_keep(c, &wait_ops, w);
        if (w->n_open == 0)
                wait_answer(w);
        w = NULL;
}

const Method method_task_wait = {
        .class = ACCESS_SUBMIT,
        .scope = METHOD_OF_POOLS,
        .handler = handle_wait,
        .fields = wait_fields,
        .params_size = sizeof(TasksParams),
        .defaults = &tasks_defaults,
        .result = "{\"tasks\":[OUTCOME...]} in the order of the ids, once all are settled",
};

/* ---- task.cancel ---- */

static const JsonField cancel_fields[] = {
        {"tasks", JSON_FIELD_STRINGS, offsetof(TasksParams, tasks), .required = true, .help = "ids, as task.submit gave them"},
        {0},
};

static void handle_cancel(Call *c, const void *params) {
        const TasksParams *p = params;
        size_t n, n_cancelled = 0;
        _cleanup_free_ const char **ids = selection_strings(p->tasks, &n);
        Text *t;

        if (!ids) {
                call_errno(c, -ENOMEM, "cannot cancel");
                return;
        }
        if (n > 0)
                call_set_object(c, ids[0]);
        for (size_t i = 0; i < n; i++)
                if (!method_task_find(c, ids[i]))
                        return;
        for (size_t i = 0; i < n; i++) {
                Task *task = task_find(call_control(c)->world.tasks, ids[i]); /* one named twice may be gone */

                n_cancelled += task && task_cancel(task);
        }
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_u64(t, "cancelled", n_cancelled);
        json_end_object(t);
        call_end(c);
}

const Method method_task_cancel = {
        .class = ACCESS_SUBMIT,
        .scope = METHOD_OF_POOLS,
        .is_changing = true,
        .handler = handle_cancel,
        .fields = cancel_fields,
        .params_size = sizeof(TasksParams),
        .result = "{\"cancelled\":N}: those that were not settled yet. One that a worker is at: that worker's process is killed",
};

/* ---- task.list ---- */

typedef struct ListParams {
        const char *pool, *state, *after;
        int64_t limit;
} ListParams;

static const ListParams list_defaults = {.limit = 100};

static const JsonField list_fields[] = {
        {"pool", JSON_FIELD_STRING, offsetof(ListParams, pool), .help = "of this pool (all)"},
        {"state", JSON_FIELD_STRING, offsetof(ListParams, state), .help = "queued, running, done, failed, cancelled, timeout or lost (all)"},
        {"limit", JSON_FIELD_I64, offsetof(ListParams, limit), .min = 1, .max = LIST_MAX, .help = "at most so many, pool by pool, oldest first (100)"},
        {"after", JSON_FIELD_STRING, offsetof(ListParams, after), .help = "only those behind the task of this id, which may be gone: the next page (from the first)"},
        {0},
};

typedef struct Listing {
        Call *call;
        Text *out;
        int state; /* -1: all */
        size_t left, n_more;
        char after_pool[TASK_ID_MAX]; /* "": from the first */
        uint64_t after;
        bool is_past; /* the pool of `after` */
} Listing;

/* Pools come one after the other, in an order that stays. */
static bool is_behind(Listing *l, const Task *t) {
        if (!*l->after_pool)
                return true;
        if (streq(task_pool_name(t), l->after_pool)) {
                l->is_past = true;
                return task_number(t) > l->after;
        }
        return l->is_past;
}

/* POOL-N. */
static bool list_after(Listing *l, const char *id) {
        const char *dash = strrchr(id, '-');

        if (!dash || (size_t) (dash - id) >= sizeof l->after_pool || parse_u64(dash + 1, &l->after) < 0)
                return false;
        memcpy(l->after_pool, id, (size_t) (dash - id));
        return true;
}

static bool list_one(Task *t, void *userdata) {
        Listing *l = userdata;

        if (!is_behind(l, t) || (l->state >= 0 && (int) task_state(t) != l->state) || !may_see(l->call, t))
                return true;
        if (l->left == 0) {
                l->n_more++;
                return true;
        }
        l->left--;
        task_put_json(t, l->out, true);
        return true;
}

static void handle_list(Call *c, const void *params) {
        const ListParams *p = params;
        Pool *pool = p->pool ? method_task_pool(c, p->pool) : NULL;
        int state = p->state ? task_state_from_string(p->state) : -1;
        Listing l = {.call = c, .state = state, .left = (size_t) p->limit};

        if (p->pool && !pool)
                return;
        if (p->state && state < 0) {
                call_fail(c, ERROR_PARAMS, "task.list: \"state\" is queued, running, done, failed, cancelled, timeout or lost, not \"%.40s\"", p->state);
                return;
        }
        if (p->after && !list_after(&l, p->after)) {
                call_fail(c, ERROR_PARAMS, "task.list: \"after\" is the id of a task, as POOL-1, not \"%.80s\"", p->after);
                return;
        }
        l.out = call_begin(c);
        json_put_object(l.out, NULL);
        json_put_array(l.out, "tasks");
        task_each(call_control(c)->world.tasks, pool, list_one, &l);
        json_end_array(l.out);
        json_put_u64(l.out, "more", l.n_more);
        json_end_object(l.out);
        call_end(c);
}

const Method method_task_list = {
        .class = ACCESS_SUBMIT,
        .scope = METHOD_OF_POOLS,
        .handler = handle_list,
        .fields = list_fields,
        .params_size = sizeof(ListParams),
        .defaults = &list_defaults,
        .result = "{\"tasks\":[OUTCOME with pool, target, priority, deaths, attempts, uid, submitted_at, ended_at, worker...],\"more\":N}",
};
