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

/* Return: a new reference, or NULL with the exception in @task. */
static json_t *call_target(drover_task *task, json_t *args, json_t *kwargs) {
        json_t *result;

        task_forget(task);
        if (task->page)
                atomic_fetch_add_explicit(&task->page->n_started, 1, memory_order_relaxed);
        result = task->target->run(task, args, kwargs);
        if (task->page)
                atomic_fetch_add_explicit(&task->page->n_done, 1, memory_order_release);
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

static void run_item(drover_task *task, size_t i, json_t *item, Text *t, Text *errors) {
        _cleanup_json_ json_t *args = json_array(), *kwargs = json_object(), *result = NULL;
        char key[24];

        if (args && kwargs && json_array_append(args, item) == 0)
                result = call_target(task, args, kwargs);
        if (result && put_value(t, result))
                return;
        if (result)
                unwritable(task);
        text_append(t, "null");
        if (!errors->data)
                json_put_object(errors, NULL);
        (void) snprintf(key, sizeof key, "%zu", i);
        put_exception(errors, key, task);
}

static void run_items(drover_task *task, const json_t *id, json_t *items, Text *t) {
        _cleanup_text_ Text errors = {0};
        size_t i;
        json_t *item;

        envelope_begin_reply(t, id);
        text_append(t, "{\"items\":[");
        json_array_foreach(items, i, item) {
                if (i > 0)
                        text_append_char(t, ',');
                run_item(task, i, item, t, &errors);
        }
        text_append_char(t, ']');
        if (errors.data) {
                json_end_object(&errors);
                if (text_check(&errors) < 0)
                        t->failed = true;
                else
                        json_put_raw(t, "errors", errors.data);
        }
        text_append_char(t, '}');
        envelope_end(t);
        envelope_end_line(t);
}

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

static void run_call(const drover_module *m, void *state, TaskPage *page, const Envelope *e, Text *t) {
        drover_task task = {.target = module_find(m, e->method), .state = state, .page = page};
        _cleanup_json_ json_t *no_args = NULL, *no_kwargs = NULL;
        json_t *args = json_is_array(e->params) ? e->params : json_object_get(e->params, "args");
        json_t *kwargs = json_object_get(e->params, "kwargs"), *items = json_object_get(e->params, "items");

        if (!task.target) {
                answer_unknown(m, e, t);
                return;
        }
        if ((args && !json_is_array(args)) || (kwargs && !json_is_object(kwargs)) || (items && !json_is_array(items))) {
                answer_invalid(t, e->id, -32602, "params are {\"args\":[...],\"kwargs\":{...}}, an array, or {\"items\":[...]}");
                return;
        }
        if (items)
                run_items(&task, e->id, items, t);
        else {
                args = args ? args : (no_args = json_array());
                kwargs = kwargs ? kwargs : (no_kwargs = json_object());
                if (args && kwargs)
                        run_one(&task, e->id, args, kwargs, t);
                else
                        t->failed = true;
        }
        task_forget(&task);
}

int task_run(const drover_module *m, void *state, TaskPage *page, const char *line, size_t length, Text *out) {
        size_t before = out->length;
        json_error_t error;
        _cleanup_json_ json_t *message = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
        Envelope e;

        if (!message) {
                answer_invalid(out, NULL, -32700, error.text);
                return text_check(out);
        }
        envelope_unpack(message, &e);
        if (e.kind == ENVELOPE_CALL || e.kind == ENVELOPE_NOTIFICATION)
                run_call(m, state, page, &e, out);
        else
                answer_invalid(out, e.id, -32600, e.fault ? e.fault : "a worker takes requests, one a line");
        if (e.kind == ENVELOPE_NOTIFICATION && text_check(out) >= 0)
                text_truncate(out, before);
        return text_check(out);
}
