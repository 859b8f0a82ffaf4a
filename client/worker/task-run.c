/* task-run.c - see task-run.h. */
#include "worker/task-run.h"

#include "base/alloc.h"
#include "base/json.h"
#include "wire/envelope.h"
#include "worker/traceback.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#define PLACE_MAX 512
#define PART_MAX (16u * 1024) /* bytes of an answer to items, about, before it goes on in another line */
#define TYPE_DEFAULT "RuntimeError"
#define MESSAGE_NO_MEMORY "no memory for the message"

struct drover_task {
        const drover_target *target;
        void *state;
        TaskPage *page;
        bool is_raised;
        char *type, *message;
        Text traceback;
};

void *drover_task_state(const drover_task *task) {
        return task->state;
}

const char *drover_task_target(const drover_task *task) {
        return task->target->name;
}

static void task_forget(drover_task *task) {
        task->is_raised = false;
        free(TAKE_PTR(task->type));
        free(TAKE_PTR(task->message));
        text_done(&task->traceback);
}

json_t *drover_raise_at(drover_task *task, const char *function, const char *file, int line, const char *type,
                        const char *format, ...) {
        char place[PLACE_MAX];
        va_list args;

        task_forget(task);
        task->is_raised = true;
        task->type = type && *type ? alloc_strdup(type) : NULL;
        va_start(args, format);
        if (vasprintf(&task->message, format, args) < 0)
                task->message = NULL;
        va_end(args);
        (void) snprintf(place, sizeof place, "%s (%s:%d)", function, file, line);
        traceback_append(&task->traceback, __builtin_return_address(0), place);
        return NULL;
}

/* ---- the call ---- */

/* Nobody else writes it. */
static void count_up(_Atomic uint64_t *n) {
        atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_release);
}

/* What was appended since the last time is finished. What does not fit is lost with this process. */
static void keep(TaskPage *page, const Text *t) {
        uint64_t n = page ? atomic_load_explicit(&page->n_kept, memory_order_relaxed) : 0;

        if (!page || t->failed || t->length > TASK_KEPT_MAX || t->length <= n)
                return;
        memcpy(page->kept + n, t->data + n, t->length - n);
        atomic_store_explicit(&page->n_kept, t->length, memory_order_release);
}

/* Return: a new reference, or NULL with the exception in @task. */
static json_t *call_target(drover_task *task, json_t *args, json_t *kwargs) {
        json_t *result;

        task_forget(task);
        if (task->page)
                count_up(&task->page->n_started);
        result = task->target->run(task, args, kwargs);
        if (task->page)
                count_up(&task->page->n_done);
        if (task->is_raised) {
                json_decref(result);
                return NULL;
        }
        if (!result) {
                task->is_raised = true;
                task->message = alloc_strdup("it returned NULL and raised nothing: no value of JSON is NaN, infinite, or a string "
                                             "that is not UTF-8");
        }
        return result;
}

static int append_bytes(const char *bytes, size_t n, void *userdata) {
        text_append_n(userdata, bytes, n);
        return 0;
}

/* false: it cannot be written (it contains itself), and nothing was. */
static bool put_value(Text *t, const json_t *value) {
        size_t before = t->length;

        if (json_dump_callback(value, append_bytes, t, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
                return true;
        text_truncate(t, before);
        return false;
}

/* {"code","message":"TYPE: MESSAGE","data":{"type","traceback"}} as member @key, or in its place after a ':'. */
static void put_exception(Text *t, const char *key, const drover_task *task) {
        const char *type = task->type ? task->type : TYPE_DEFAULT, *message = task->message ? task->message : MESSAGE_NO_MEMORY;
        _cleanup_text_ Text whole = {0};

        text_appendf(&whole, "%s: %s", type, message);
        json_put_object(t, key);
        json_put_i64(t, "code", TASK_ERROR_RAISED);
        json_put_string(t, "message", text_check(&whole) < 0 ? MESSAGE_NO_MEMORY : whole.data);
        json_put_object(t, "data");
        json_put_string(t, "type", type);
        json_put_string(t, "traceback", task->traceback.data ? task->traceback.data : "");
        json_end_object(t);
        json_end_object(t);
}

/* ---- the answers ---- */

static void answer_exception(Text *t, const json_t *id, const drover_task *task) {
        text_append(t, "{\"jsonrpc\":\"2.0\"");
        envelope_put_id(t, id);
        put_exception(t, "error", task);
        text_append(t, "}\n");
}

static void unwritable(drover_task *task) {
        task_forget(task);
        task->is_raised = true;
        task->type = alloc_strdup("TypeError");
        task->message = alloc_strdup("the result cannot be written as JSON: does it contain itself?");
}

static void run_one(drover_task *task, const json_t *id, json_t *args, json_t *kwargs, Text *t) {
        _cleanup_json_ json_t *result = call_target(task, args, kwargs);
        size_t before = t->length;

        if (result) {
                envelope_begin_reply(t, id);
                if (put_value(t, result)) {
                        envelope_end(t);
                        envelope_end_line(t);
                        return;
                }
                text_truncate(t, before);
                unwritable(task);
        }
        answer_exception(t, id, task);
}

/* ---- items ---- */

/* The answer to items, in the making. */
typedef struct ItemsAnswer {
        const TaskRunner *runner;
        drover_task *task;
        const json_t *id;
        Text *out;
        size_t begin, from; /* of this line, in @out; its first item */
        Text errors;        /* by number from @from */
        bool is_kept;       /* each item at once, and a line may end before the last */
} ItemsAnswer;

static void line_begin(ItemsAnswer *a, size_t from) {
        a->from = from;
        a->begin = a->out->length;
        envelope_begin_reply(a->out, a->id);
        text_append_char(a->out, '{');
        if (from > 0)
                json_put_u64(a->out, "from", from);
        text_append(a->out, from > 0 ? ",\"items\":[" : "\"items\":[");
}

static void line_end(ItemsAnswer *a) {
        text_append_char(a->out, ']');
        if (a->errors.data) {
                json_end_object(&a->errors);
                if (text_check(&a->errors) < 0)
                        a->out->failed = true;
                else
                        json_put_raw(a->out, "errors", a->errors.data);
                text_done(&a->errors);
        }
        text_append_char(a->out, '}');
        envelope_end(a->out);
        envelope_end_line(a->out);
        if (a->is_kept)
                keep(a->task->page, a->out);
}

static void run_item(ItemsAnswer *a, size_t i, json_t *item) {
        _cleanup_json_ json_t *args = json_array(), *kwargs = json_object(), *result = NULL;
        char key[24];

        if (i > a->from)
                text_append_char(a->out, ',');
        if (args && kwargs && json_array_append(args, item) == 0)
                result = call_target(a->task, args, kwargs);
        if (result && put_value(a->out, result)) {
                if (a->is_kept && !a->errors.data)
                        keep(a->task->page, a->out);
                return;
        }
        if (result)
                unwritable(a->task);
        text_append(a->out, "null");
        if (!a->errors.data)
                json_put_object(&a->errors, NULL);
        (void) snprintf(key, sizeof key, "%zu", i - a->from);
        put_exception(&a->errors, key, a->task);
}

static int run_items(const TaskRunner *r, drover_task *task, const json_t *id, json_t *items, bool is_kept, Text *t) {
        ItemsAnswer a = {.runner = r, .task = task, .id = id, .out = t, .is_kept = is_kept && task->page};
        size_t i, n = json_array_size(items);
        json_t *item;
        int error = 0;

        line_begin(&a, 0);
        json_array_foreach(items, i, item) {
                run_item(&a, i, item);
                if (!a.is_kept || i + 1 == n || (!a.errors.data && t->length - a.begin < PART_MAX))
                        continue;
                line_end(&a);
                if (r->on_part && (error = r->on_part(r->userdata)) < 0)
                        return error;
                line_begin(&a, i + 1);
        }
        line_end(&a);
        return 0;
}

/* ---- requests ---- */

static void answer_unknown(const drover_module *m, const Envelope *e, Text *t) {
        const char *near = module_nearest(m, e->method);
        _cleanup_text_ Text message = {0};

        text_appendf(&message, "%s has no target \"%.100s\"", m->name, e->method);
        if (near)
                text_appendf(&message, "; did you mean \"%s\"?", near);
        envelope_put_error(t, e->id, -32601, text_check(&message) < 0 ? "no such target" : message.data);
        envelope_end_line(t);
}

static void answer_invalid(Text *t, const json_t *id, int code, const char *message) {
        envelope_put_error(t, id, code, message);
        envelope_end_line(t);
}

static int run_call(const TaskRunner *r, const Envelope *e, Text *t) {
        drover_task task = {.target = module_find(r->module, e->method), .state = r->state, .page = r->page};
        _cleanup_json_ json_t *no_args = NULL, *no_kwargs = NULL;
        json_t *args = json_is_array(e->params) ? e->params : json_object_get(e->params, "args");
        json_t *kwargs = json_object_get(e->params, "kwargs"), *items = json_object_get(e->params, "items");
        int error = 0;

        if (!task.target) {
                answer_unknown(r->module, e, t);
                return 0;
        }
        if ((args && !json_is_array(args)) || (kwargs && !json_is_object(kwargs)) || (items && !json_is_array(items))) {
                answer_invalid(t, e->id, -32602, "params are {\"args\":[...],\"kwargs\":{...}}, an array, or {\"items\":[...]}");
                return 0;
        }
        if (items)
                error = run_items(r, &task, e->id, items, e->kind == ENVELOPE_CALL, t);
        else {
                args = args ? args : (no_args = json_array());
                kwargs = kwargs ? kwargs : (no_kwargs = json_object());
                if (args && kwargs)
                        run_one(&task, e->id, args, kwargs, t);
                else
                        t->failed = true;
        }
        task_forget(&task);
        return error;
}

int task_run(const TaskRunner *r, const char *line, size_t length, Text *out) {
        size_t before = out->length;
        json_error_t fault;
        _cleanup_json_ json_t *message = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
        Envelope e;
        int error = 0;

        if (!message) {
                answer_invalid(out, NULL, -32700, fault.text);
                return text_check(out);
        }
        envelope_unpack(message, &e);
        if (e.kind == ENVELOPE_CALL || e.kind == ENVELOPE_NOTIFICATION)
                error = run_call(r, &e, out);
        else
                answer_invalid(out, e.id, -32600, e.fault ? e.fault : "a worker takes requests, one a line");
        if (e.kind == ENVELOPE_NOTIFICATION && text_check(out) >= 0)
                text_truncate(out, before);
        keep(r->page, out);
        return error < 0 ? error : text_check(out);
}
