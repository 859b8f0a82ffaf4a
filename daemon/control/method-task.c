/* method-task.c - task.submit. Its fellows are in method-task-{map,wait,list}.c.
 *
 * A task belongs to the user who submitted it. Others need the role operate for its pool; without that it is not there. */
#include "base/alloc.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method.h"
#include "control/method-task.h"
#include "control/selection.h"
#include "pool/tasking.h"

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

bool method_task_may_see(const Call *c, const Task *t) {
        const Control *control = call_control(c);
        Pool *p = pool_find(control->world.pools, task_pool_name(t));

        if (call_pool_level(c, p) >= ACCESS_OPERATE)
                return true;
        return task_uid(t) == c->connection->peer.uid && call_pool_level(c, p) >= ACCESS_SUBMIT;
}

/* NULL: the call was answered. */
Task *method_task_find(Call *c, const char *id) {
        Task *t = task_find(call_control(c)->world.tasks, id);

        if (t && method_task_may_see(c, t))
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
