/* task-run.c - see task-run.h.
 *
 * A request as droverd writes it is cut into its parts, and only arguments are made values of. Any other is read by jansson,
 * which knows what is wrong with it; what turns out to be right all the same is written anew and goes the same way. */
#include "worker/task-run.h"

#include "base/alloc.h"
#include "base/json.h"
#include "wire/envelope.h"
#include "worker/worker-blob.h"
#include "worker/task-call.h"
#include "worker/task-items.h"
#include <stdatomic.h>
#include <stdio.h>

#define METHOD_MAX 256

/* Texts of JSON. .at NULL: it was not there. */
typedef struct Request {
        Slice id;
        char method[METHOD_MAX];
        Slice args, kwargs, items;
        Slice spill, blobs;
        bool is_notification;
} Request;

/* ---- answers ---- */

void task_reply_begin(Text *t, Slice id) {
        text_append(t, "{\"jsonrpc\":\"2.0\",\"id\":");
        text_append_n(t, id.at, id.n);
        text_append(t, ",\"result\":");
}

static void answer_invalid(Text *t, const json_t *id, int code, const char *message) {
        envelope_put_error(t, id, code, message);
        envelope_end_line(t);
}

static void answer_unknown(const drover_module *m, const Request *q, Text *t) {
        const char *near = module_nearest(m, q->method);
        _cleanup_text_ Text message = {0};

        text_appendf(&message, "%s has no target \"%.100s\"", m->name, q->method);
        if (near)
                text_appendf(&message, "; did you mean \"%s\"?", near);
        text_append(t, "{\"jsonrpc\":\"2.0\",\"id\":");
        text_append_n(t, q->id.at, q->id.n);
        json_put_object(t, "error"); /* without data: droverd has the name */
        json_put_i64(t, "code", -32601);
        json_put_string(t, "message", text_check(&message) < 0 ? "no such target" : message.data);
        json_end_object(t);
        text_append(t, "}\n");
}

static void answer_exception(Text *t, Slice id, const drover_task *task) {
        text_append(t, "{\"jsonrpc\":\"2.0\",\"id\":");
        text_append_n(t, id.at, id.n);
        task_put_exception(t, "error", task);
        text_append(t, "}\n");
}

/* ---- calls ---- */

/* The answer from @before on is too long for a line: its value goes into a blob. false: an exception. */
static bool spill_result(drover_task *task, const Request *q, Text *t, size_t before, size_t at) {
        _cleanup_text_ Text whole = *t;
        Slice text = {whole.data + at, whole.length - at};

        *t = (Text){0};
        text_append_n(t, whole.data, before);
        task_unkeep(task->page, t);
        if (text_check(&whole) >= 0) {
                _cleanup_text_ Text members = {0};

                if (taskblobs_put_spill(task->blobs, text, &members) >= 0) {
                        task_reply_begin(t, q->id);
                        text_append_n(t, members.data, members.length);
                        return true;
                }
        }
        task_raise(task, "MemoryError", whole.failed ? "no memory for the result" : task->blobs->error);
        return false;
}

/* false: an exception, and nothing was appended. */
static bool answer_result(drover_task *task, const Request *q, const json_t *result, Text *t) {
        size_t before = t->length, at;

        task_reply_begin(t, q->id);
        at = t->length;
        if (!task_put_result(t, task, result)) {
                text_truncate(t, before);
                return false;
        }
        if (task->blobs && (t->failed || t->length - before + TASKBLOBS_MAX * 64 > TASKBLOBS_LINE_MAX) &&
            !spill_result(task, q, t, before, at))
                return false;
        if (task->blobs && task->blobs->n_made > 0 && taskblobs_put(task->blobs, t) < 0)
                t->failed = true; /* somebody else maps it: no answer can be right */
        text_append_n(t, "}\n", 2);
        return true;
}

/* From where the arguments are when they are too long for a line. */
static bool open_arguments(drover_task *task, Request *q) {
        SliceMember m[] = {{.key = "args"}, {.key = "kwargs"}};
        Slice text;

        if (!task->blobs || taskblobs_open(task->blobs, q->spill, q->blobs) < 0)
                return false;
        if (!q->spill.at)
                return true;
        text = taskblobs_spill(task->blobs);
        if (!text.at || slice_object(text.at, text.n, m, ARRAY_SIZE(m), NULL) < 0)
                return false;
        q->args = m[0].value;
        q->kwargs = m[1].value;
        return (!q->args.at || q->args.at[0] == '[') && (!q->kwargs.at || q->kwargs.at[0] == '{');
}

static void run_one(drover_task *task, Request *q, Text *t) {
        bool is_fine = (!q->spill.at && !q->blobs.at) || open_arguments(task, q);
        json_error_t error = {.text = "no memory for the arguments"};
        _cleanup_json_ json_t *args = q->args.at ? task_values(q->args, &error) : json_array(), *result = NULL;
        _cleanup_json_ json_t *kwargs = q->kwargs.at ? task_values(q->kwargs, &error) : json_object();

        if (!is_fine)
                task_raise(task, "ValueError", "the blobs that came are not what the request says");
        else if (args && kwargs)
                result = task_call(task, args, kwargs);
        else
                task_raise(task, "ValueError", error.text);
        if (result && answer_result(task, q, result, t))
                return;
        if (task->blobs)
                taskblobs_give_back(task->blobs);
        answer_exception(t, q->id, task);
}

/* false: droverd has taken it back, and another worker does it. */
static bool claim(TaskPage *p, Slice id) {
        uint64_t claimed, n;

        if (!p || slice_u64(id, &n) < 0)
                return true;
        claimed = atomic_load(&p->claimed);
        while (TASK_CLAIM_ID(claimed) < n)
                if (atomic_compare_exchange_strong(&p->claimed, &claimed, TASK_CLAIM_BY_WORKER(n)))
                        return true;
        return false;
}

static int run_request(const TaskRunner *r, Request *q, Text *t) {
        drover_task task = {.target = module_find(r->module, q->method), .state = r->state, .page = r->page, .blobs = r->blobs};
        int error = 0;

        if (!claim(r->page, q->id))
                return 0;
        if (!task.target)
                answer_unknown(r->module, q, t);
        else if (q->items.at)
                error = task_run_items(r, &task, q->id, q->items, !q->is_notification, t);
        else
                run_one(&task, q, t);
        if (task.is_raised)
                task_forget(&task);
        return error;
}

/* ---- requests as droverd writes them ---- */

static bool begins(Slice s, char c) {
        return !s.at || s.at[0] == c;
}

static bool is_name(Slice s) {
        return s.n > 2 && s.n <= METHOD_MAX && s.at[0] == '"' && s.at[s.n - 1] == '"' && !memchr(s.at, '\\', s.n) &&
               !memchr(s.at + 1, '"', s.n - 2);
}

static void take_name(Slice s, Request *q) {
        memcpy(q->method, s.at + 1, s.n - 2);
        q->method[s.n - 2] = 0;
}

/* Items alone: their array is not looked at yet. */
static bool items_cut(const char *line, size_t length, Request *ret) {
        Slice whole = {.at = line, .n = length}, rest = slice_past(whole, "{\"jsonrpc\":\"2.0\",\"id\":"), id = rest, name;
        static const char params[] = ",\"params\":{\"items\":";
        uint64_t number;

        rest = slice_past_u64(rest, &number);
        id.n -= rest.n;
        rest = slice_past(rest, ",\"method\":");
        name.at = rest.at;
        rest.at = rest.at ? memchr(rest.at, ',', rest.n) : NULL;
        if (!rest.at)
                return false;
        name.n = (size_t) (rest.at - name.at);
        rest.n = (size_t) (line + length - rest.at);
        *ret = (Request){.id = id, .items = slice_before(slice_past(rest, params), "}}")};
        if (!is_name(name) || !ret->items.at || ret->items.at[0] != '[')
                return false;
        take_name(name, ret);
        return true;
}

/* false: whether it is right is for others to say. */
static bool request_cut(const char *line, size_t length, Request *ret) {
        SliceMember m[] = {{.key = "jsonrpc"}, {.key = "id"}, {.key = "method"}, {.key = "params"}};
        SliceMember p[] = {{.key = "args"}, {.key = "kwargs"}, {.key = "items"}, {.key = "spill"}, {.key = "blobs"}};
        Slice version, method, params;
        uint64_t id;

        if (slice_object(line, length, m, ARRAY_SIZE(m), NULL) < 0)
                return false;
        version = m[0].value;
        method = m[2].value;
        params = m[3].value;
        if (version.n != 5 || memcmp(version.at, "\"2.0\"", 5) != 0 || slice_u64(m[1].value, &id) < 0 || !is_name(method) || !params.at || params.at[0] != '{' ||
            slice_object(params.at, params.n, p, ARRAY_SIZE(p), NULL) < 0)
                return false;
        ret->id = m[1].value;
        take_name(method, ret);
        ret->args = p[0].value;
        ret->kwargs = p[1].value;
        ret->items = p[2].value;
        ret->spill = p[3].value;
        ret->blobs = p[4].value;
        ret->is_notification = false;
        return begins(ret->args, '[') && begins(ret->kwargs, '{') && begins(ret->items, '[');
}

/* ---- all others ---- */

/* The caller's to free. */
static Slice text_of(const json_t *value, Text *t) {
        char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

        t->failed |= value && !text;
        return slice_of(text);
}

static int run_envelope(const TaskRunner *r, const Envelope *e, Text *t) {
        const json_t *args = json_is_array(e->params) ? e->params : json_object_get(e->params, "args");
        const json_t *kwargs = json_object_get(e->params, "kwargs"), *items = json_object_get(e->params, "items");
        Request q = {.is_notification = e->kind == ENVELOPE_NOTIFICATION};
        int error = -ENOMEM;

        if ((args && !json_is_array(args)) || (kwargs && !json_is_object(kwargs)) || (items && !json_is_array(items))) {
                answer_invalid(t, e->id, -32602, "params are {\"args\":[...],\"kwargs\":{...}}, an array, or {\"items\":[...]}");
                return 0;
        }
        (void) snprintf(q.method, sizeof q.method, "%s", e->method);
        q.id = text_of(e->id, t);
        q.args = text_of(args, t);
        q.kwargs = text_of(kwargs, t);
        q.items = text_of(items, t);
        if (!q.id.at)
                q.id = slice_of("null");
        if (!t->failed)
                error = run_request(r, &q, t);
        if (e->id)
                free((char *) q.id.at);
        free((char *) q.args.at);
        free((char *) q.kwargs.at);
        free((char *) q.items.at);
        return error;
}

static int run_oddity(const TaskRunner *r, const char *line, size_t length, Text *out) {
        json_error_t fault;
        _cleanup_json_ json_t *message = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
        size_t before = out->length;
        Envelope e;
        int error = 0;

        if (!message) {
                answer_invalid(out, NULL, -32700, fault.text);
                return 0;
        }
        envelope_unpack(message, &e);
        if (e.kind == ENVELOPE_CALL || e.kind == ENVELOPE_NOTIFICATION)
                error = run_envelope(r, &e, out);
        else
                answer_invalid(out, e.id, -32600, e.fault ? e.fault : "a worker takes requests, one a line");
        if (e.kind == ENVELOPE_NOTIFICATION && text_check(out) >= 0)
                text_truncate(out, before);
        return error;
}

int task_run(const TaskRunner *r, const char *line, size_t length, Text *out) {
        Request q;
        size_t before = out->length;
        int error = items_cut(line, length, &q) ? run_request(r, &q, out) : -EBADMSG;

        if (error == -EBADMSG) { /* or it has more than an array of items: nothing was run */
                text_truncate(out, before);
                error = request_cut(line, length, &q) ? run_request(r, &q, out) : run_oddity(r, line, length, out);
        }

        task_keep(r->page, out);
        return error < 0 ? error : text_check(out);
}
