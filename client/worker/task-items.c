/* task-items.c - one target called for many items: what takes longest is looking at each, so little is done for one.
 *
 * The list of arguments is made once and used again while the target has not kept it. */
#include "worker/task-items.h"

#include "base/alloc.h"
#include "wire/envelope.h"
#include "worker/worker-blob.h"
#include <stdio.h>

#define PART_MAX (16u * 1024) /* bytes of an answer, about, before it goes on in another line */

/* The answer in the making. */
typedef struct ItemsAnswer {
        drover_task *task;
        Slice id;
        Text *out;
        size_t begin, at, from; /* of this line, in @out; of its value; its first item */
        Text errors;        /* by number from @from */
        bool is_kept;       /* each item at once, and a line may end before the last */
        json_t *args, *kwargs;
} ItemsAnswer;

static void line_begin(ItemsAnswer *a, size_t from) {
        a->from = from;
        a->begin = a->out->length;
        task_reply_begin(a->out, a->id);
        a->at = a->out->length;
        text_append_char(a->out, '{');
        if (from > 0) {
                json_put_u64(a->out, "from", from);
                text_append_char(a->out, ',');
        }
        text_append(a->out, "\"items\":[");
}

/* It is too long for a line: its value goes into a blob. */
static void line_spill(ItemsAnswer *a) {
        _cleanup_text_ Text whole = *a->out, members = {0};
        Slice text = {whole.data + a->at, whole.length - a->at};

        *a->out = (Text){0};
        text_append_n(a->out, whole.data, a->begin);
        task_unkeep(a->task->page, a->out);
        if (text_check(&whole) >= 0 && taskblobs_put_spill(a->task->blobs, text, &members) >= 0) {
                task_reply_begin(a->out, a->id);
                text_append_n(a->out, members.data, members.length);
                return;
        }
        task_raise(a->task, "MemoryError", whole.failed ? "no memory for the results" : a->task->blobs->error);
        text_append(a->out, "{\"jsonrpc\":\"2.0\",\"id\":");
        text_append_n(a->out, a->id.at, a->id.n);
        task_put_exception(a->out, "error", a->task);
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
        if (a->task->blobs && (a->out->failed || a->out->length - a->begin + 2 > TASKBLOBS_LINE_MAX))
                line_spill(a);
        envelope_end(a->out);
        envelope_end_line(a->out);
        if (a->is_kept)
                task_keep(a->task->page, a->out);
}

/* [item] and {}, as the target expects them: its own to change or to keep. */
static bool prepare_args(ItemsAnswer *a, json_t *item) {
        if (a->args && a->args->refcount == 1 && json_array_size(a->args) == 1) {
                if (json_array_set(a->args, 0, item) < 0)
                        return false;
        } else {
                json_decref(a->args);
                a->args = json_array();
                if (!a->args || json_array_append(a->args, item) < 0)
                        return false;
        }
        if (a->kwargs && a->kwargs->refcount == 1 && json_object_size(a->kwargs) == 0)
                return true;
        json_decref(a->kwargs);
        return (a->kwargs = json_object());
}

static void put_error(ItemsAnswer *a, size_t i) {
        char key[24];

        text_append(a->out, "null");
        if (!a->errors.data)
                json_put_object(&a->errors, NULL);
        (void) snprintf(key, sizeof key, "%zu", i - a->from);
        task_put_exception(&a->errors, key, a->task);
}

static void run_item(ItemsAnswer *a, size_t i, Slice text) {
        json_error_t error = {.text = "no memory for it"};
        _cleanup_json_ json_t *item = task_value(text, &error), *result = NULL;

        if (i > a->from)
                text_append_char(a->out, ',');
        if (item && prepare_args(a, item))
                result = task_call(a->task, a->args, a->kwargs);
        else
                task_raise(a->task, "ValueError", error.text);
        if (!result || !task_put_result(a->out, a->task, result))
                put_error(a, i);
        else if (a->is_kept && !a->errors.data)
                task_keep(a->task->page, a->out);
}

int task_run_items(const TaskRunner *r, drover_task *task, Slice id, Slice items, bool is_kept, Text *out) {
        ItemsAnswer a = {.task = task, .id = id, .out = out, .is_kept = is_kept && task->page};
        size_t most = items.n / 2 + 1, at = 0;
        _cleanup_free_ uint32_t *ends = NEW0_ARRAY(uint32_t, most);
        ssize_t n = ends ? slice_array(items.at, items.n, ends, most, &at, NULL) : -ENOMEM;
        int error = n < 0 ? (int) n : 0;

        if (error < 0)
                return error;
        if (task->blobs)
                task->blobs->is_in_items = true;
        line_begin(&a, 0);
        for (ssize_t i = 0; i < n; i++) {
                run_item(&a, (size_t) i, (Slice){.at = items.at + at, .n = ends[i] - at});
                at = slice_next(items.at, ends[i]);
                if (!a.is_kept || i + 1 == n || (!a.errors.data && out->length - a.begin < PART_MAX))
                        continue;
                line_end(&a);
                error = r->on_part ? r->on_part(r->userdata) : 0;
                if (error < 0)
                        break;
                line_begin(&a, (size_t) i + 1);
        }
        if (error >= 0)
                line_end(&a);
        if (task->blobs)
                task->blobs->is_in_items = false;
        text_done(&a.errors);
        json_decref(a.args);
        json_decref(a.kwargs);
        return error;
}
