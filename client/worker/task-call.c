/* task-call.c - see task-call.h.
 *
 * Most arguments and results are short: small integers, null, true and false are read and written here, all else by jansson. */
#include "worker/task-call.h"

#include "base/alloc.h"
#include "worker/traceback.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define PLACE_MAX 512
#define DIGITS_MAX 18u /* of a number that certainly fits 64 bits */
#define ARGS_MAX 16u   /* of a list that is read element by element */
#define TYPE_DEFAULT "RuntimeError"
#define MESSAGE_NO_MEMORY "no memory for the message"

void *drover_task_state(const drover_task *task) {
        return task->state;
}

const char *drover_task_target(const drover_task *task) {
        return task->target->name;
}

void task_forget(drover_task *task) {
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

void task_raise(drover_task *task, const char *type, const char *message) {
        task_forget(task);
        task->is_raised = true;
        task->type = alloc_strdup(type);
        task->message = alloc_strdup(message);
}

/* ---- the call ---- */

/* Nobody else writes it. */
static void count_up(_Atomic uint64_t *n) {
        atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_release);
}

void task_keep(TaskPage *page, const Text *t) {
        uint64_t n = page ? atomic_load_explicit(&page->n_kept, memory_order_relaxed) : 0;

        if (!page || t->failed || t->length > TASK_KEPT_MAX || t->length <= n)
                return;
        memcpy(page->kept + n, t->data + n, t->length - n);
        atomic_store_explicit(&page->n_kept, t->length, memory_order_release);
}

/* A child that a target made by fork() and that comes back from it: the channel and the page are its parent's. */
static bool is_forked;

static void on_fork(void) {
        is_forked = true;
}

static void end_child(void) {
        (void) fprintf(stderr, "drover: a child made by fork() came back from its target: it ends here\n");
        _exit(1);
}

int task_call_watch_forks(void) {
        return -pthread_atfork(NULL, NULL, on_fork);
}

void task_unkeep(TaskPage *page, const Text *t) {
        if (!page)
                return;
        atomic_store_explicit(&page->n_kept, 0, memory_order_release);
        atomic_fetch_add_explicit(&page->n_sends, 1, memory_order_seq_cst);
        task_keep(page, t);
}

json_t *task_call(drover_task *task, json_t *args, json_t *kwargs) {
        json_t *result;

        if (task->is_raised)
                task_forget(task);
        if (task->page)
                count_up(&task->page->n_started);
        result = task->target->run(task, args, kwargs);
        if (is_forked)
                end_child();
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

/* ---- values ---- */

static bool read_integer(Slice s, json_int_t *ret) {
        bool is_negative = s.n > 0 && s.at[0] == '-';
        json_int_t v = 0;

        if (s.n - is_negative > DIGITS_MAX)
                return false;
        for (size_t i = is_negative; i < s.n; i++) {
                if (s.at[i] < '0' || s.at[i] > '9')
                        return false;
                v = v * 10 + (s.at[i] - '0');
        }
        *ret = is_negative ? -v : v;
        return s.n > is_negative;
}

json_t *task_value(Slice text, json_error_t *error) {
        json_int_t v;

        if (read_integer(text, &v))
                return json_integer(v);
        return json_loadb(text.at, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, error);
}

json_t *task_values(Slice text, json_error_t *error) {
        uint32_t ends[ARGS_MAX];
        size_t at;
        ssize_t n = text.at[0] == '[' ? slice_array(text.at, text.n, ends, ARGS_MAX, &at, NULL) : -1;
        _cleanup_json_ json_t *list = NULL;

        if (slice_is_empty(text))
                return text.at[0] == '[' ? json_array() : json_object();
        if (n < 0)
                return task_value(text, error);
        list = json_array();
        for (ssize_t i = 0; list && i < n; i++) {
                json_t *value = task_value((Slice){.at = text.at + at, .n = ends[i] - at}, error);

                if (!value || json_array_append_new(list, value) < 0)
                        return NULL;
                at = slice_next(text.at, ends[i]);
        }
        return TAKE_PTR(list);
}

static bool put_value(Text *t, const json_t *value) {
        switch (json_typeof(value)) {
        case JSON_INTEGER:
                text_append_i64(t, json_integer_value(value));
                return true;
        case JSON_NULL:
                text_append_n(t, "null", 4);
                return true;
        case JSON_TRUE:
                text_append_n(t, "true", 4);
                return true;
        case JSON_FALSE:
                text_append_n(t, "false", 5);
                return true;
        default:
                return json_dump_append(t, value, JSON_COMPACT | JSON_ENCODE_ANY) >= 0;
        }
}

bool task_put_result(Text *t, drover_task *task, const json_t *value) {
        if (put_value(t, value))
                return true;
        task_raise(task, "TypeError", "the result cannot be written as JSON: does it contain itself?");
        return false;
}

const char *task_exception_text(const drover_task *task, Text *buf) {
        text_appendf(buf, "%s: %s", task->type ? task->type : TYPE_DEFAULT, task->message ? task->message : MESSAGE_NO_MEMORY);
        return text_check(buf) < 0 ? MESSAGE_NO_MEMORY : buf->data;
}

void task_put_exception(Text *t, const char *key, const drover_task *task) {
        _cleanup_text_ Text buf = {0};

        json_put_object(t, key);
        json_put_i64(t, "code", TASK_ERROR_RAISED);
        json_put_string(t, "message", task_exception_text(task, &buf));
        json_put_object(t, "data");
        json_put_string(t, "type", task->type ? task->type : TYPE_DEFAULT);
        json_put_string(t, "traceback", task->traceback.data ? task->traceback.data : "");
        json_end_object(t);
        json_end_object(t);
}
