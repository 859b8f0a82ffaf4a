/* cmd-task.c - submit, tasks, cancel. map is in cmd-task-map.c, the waiting in cmd-wait.c.
 *
 * submit has a key of its own making where the user gives none: when droverd dies before its answer is here, submitting
 * again finds the task that is on record, and makes no second one. With --wait alone the task belongs to this connection,
 * as a call does: it is cancelled when droverctl goes, and lost with droverd. */
#include "ctl/cmd-wait.h"
#include "ctl/command.h"
#include "ctl/progress.h"
#include "ctl/output.h"
#include "ctl/task-params.h"
#include "ctl/task-view.h"
#include <stdio.h>
#include <sys/random.h>

#define PAGE_SIZE_TASKS 1000 /* of one task.list */

static int put_key(const Ctl *c, json_t *params) {
        unsigned char random[12];
        char key[sizeof(random) * 2 + 8] = "ctl-";

        if (cli_given(&c->args, OPT_KEY))
                return json_object_set_new(params, "key", json_string(c->args.text[OPT_KEY])) < 0 ? -EINVAL : 0;
        if (getrandom(random, sizeof(random), 0) != sizeof(random))
                return -EIO;
        for (size_t i = 0; i < sizeof(random); i++)
                snprintf(key + 4 + 2 * i, 3, "%02x", random[i]);
        return json_object_set_new(params, "key", json_string(key)) < 0 ? -ENOMEM : 0;
}

/* On record before the answer: its id in *ret, a new reference to {"task":ID}. */
static int submit_recorded(Ctl *c, json_t *params, json_t **ret) {
        if (put_key(c, params) < 0) {
                ctl_say("cannot make a key");
                return CTL_FAILED;
        }
        return ctl_call_again(c, "task.submit", json_incref(params), ret);
}

static int submit_and_leave(Ctl *c, json_t *params) {
        _cleanup_json_ json_t *result = NULL;
        _cleanup_text_ Text out = {};
        int status = submit_recorded(c, params, &result);

        if (status != CTL_DONE || c->is_quiet)
                return status;
        if (c->show == SHOW_JSON || c->show == SHOW_JSONL)
                json_append(&out, result, c->show == SHOW_JSON);
        else
                task_put_line(&(Ctl){.show = SHOW_NAME}, &out, result);
        return ctl_put_text(&out, CTL_DONE);
}

static int submit_and_keep(Ctl *c, json_t *params) {
        _cleanup_json_ json_t *submitted = NULL, *result = NULL;
        int status = submit_recorded(c, params, &submitted);

        if (status == CTL_DONE)
                status = wait_tasks(c, json_pack("[O]", json_object_get(submitted, "task")), &result);
        return status != CTL_DONE ? status : task_show_outcome(c, json_array_get(result, 0));
}

/* The task's own words come back as an outcome; an error here is about the waiting. */
static int say_why_not(Ctl *c, const CallError *e) {
        if (call_error_is(e, "interrupted") || (call_error_is(e, "timeout") && e->code == 0))
                ctl_say("stopped waiting; the task is cancelled. With --keep it goes on");
        else if (call_error_is(e, "disconnected"))
                ctl_say("the daemon went away, and the task with it. With --keep it is on record");
        else
                return ctl_fail(c, e);
        return ctl_status_of_error(e);
}

static int submit_and_wait(Ctl *c, json_t *params) {
        usec_t deadline = c->has_timeout ? usec_add(clock_now(), c->timeout) : USEC_INFINITY;
        _cleanup_call_error_ CallError error = {};
        _cleanup_json_ json_t *outcome = NULL;
        int status = ctl_open(c);

        if (status != CTL_DONE)
                return status;
        if (json_object_set_new(params, "wait", json_true()) < 0)
                return CTL_FAILED;
        if (progress_call(c, "task.submit", params, deadline, &outcome, &error) < 0)
                return say_why_not(c, &error);
        return task_show_outcome(c, outcome);
}

int cmd_submit(Ctl *c) {
        const CliArgs *a = &c->args;
        int status = CTL_FAILED;

        if (cli_given(a, OPT_KEEP) && !cli_given(a, OPT_WAIT))
                return ctl_usage(c, "--keep goes with --wait; without that a task is kept anyway");
        if (cli_given(a, OPT_WAIT) && c->no_wait)
                return ctl_usage(c, "--wait and --no-wait contradict each other");
        _cleanup_json_ json_t *params = task_params_make(c, &status);
        if (!params)
                return status;
        if (cli_given(a, OPT_QUEUE_TIMEOUT) && task_params_span(params, "queue_timeout", a->number[OPT_QUEUE_TIMEOUT]) < 0)
                return CTL_FAILED;
        if (!cli_given(a, OPT_WAIT))
                return submit_and_leave(c, params);
        return cli_given(a, OPT_KEEP) || cli_given(a, OPT_KEY) ? submit_and_keep(c, params) : submit_and_wait(c, params);
}

/* ---- tasks ---- */

typedef struct Listing {
        Ctl *ctl;
        Table table;
        Text out;
        json_t *all; /* -o json: the whole answer */
        size_t n_left, n_shown;
} Listing;

static void list_done(Listing *l) {
        table_done(&l->table);
        text_done(&l->out);
        json_decref(l->all);
}

static int list_put(Listing *l, const json_t *tasks) {
        const Ctl *c = l->ctl;
        json_t *task;
        size_t i;

        json_array_foreach(tasks, i, task) {
                if (l->n_left == 0)
                        break;
                l->n_shown++;
                l->n_left--;
                if (c->show == SHOW_JSON) {
                        if (json_array_append(l->all, task) < 0)
                                return CTL_FAILED;
                } else if (c->show == SHOW_TABLE || c->show == SHOW_WIDE)
                        task_row(&l->table, task, clock_realtime());
                else
                        task_put_line(c, &l->out, task);
        }
        int status = c->is_quiet ? CTL_DONE : ctl_put_text(&l->out, CTL_DONE);
        text_clear(&l->out);
        return status;
}

static json_t *list_params(const Listing *l, const char *pool, const json_t *after) {
        _cleanup_json_ json_t *params = json_pack("{s:I}", "limit", (json_int_t) MIN(l->n_left, (size_t) PAGE_SIZE_TASKS));
        const CliArgs *a = &l->ctl->args;

        if (pool && json_object_set_new(params, "pool", json_string(pool)) < 0)
                return NULL;
        if (cli_given(a, OPT_STATE) && json_object_set_new(params, "state", json_string(a->text[OPT_STATE])) < 0)
                return NULL;
        if (after && json_object_set(params, "after", json_object_get(after, "task")) < 0)
                return NULL;
        return TAKE_PTR(params);
}

/* Page after page of one pool, or of all. */
static int list_pool(Listing *l, const char *pool) {
        _cleanup_json_ json_t *last = NULL;
        int status = CTL_DONE;
        double n_more = 1;

        while (status == CTL_DONE && n_more > 0 && l->n_left > 0) {
                _cleanup_json_ json_t *result = NULL;
                status = ctl_call_again(l->ctl, "task.list", list_params(l, pool, last), &result);
                const json_t *tasks = json_object_get(result, "tasks");
                if (status == CTL_DONE)
                        status = list_put(l, tasks);
                json_t *newest = json_array_get(tasks, json_array_size(tasks) - 1);
                bool is_stuck = !newest || (last && streq(member_text(newest, "task", ""), member_text(last, "task", "")));
                n_more = is_stuck ? 0 : member_number(result, "more", 0);
                json_decref(last);
                last = json_incref(newest);
        }
        return status;
}

static int list_end(Listing *l) {
        const Ctl *c = l->ctl;

        if (c->show == SHOW_JSON) {
                _cleanup_json_ json_t *o = json_pack("{s:O}", "tasks", l->all);
                o ? json_append(&l->out, o, true) : (void) (l->out.failed = true);
        } else if (l->table.n_cells)
                table_print(&l->table, &l->out, c->width, c->show == SHOW_WIDE, c->use_color);
        else if (!l->n_shown && c->is_terminal)
                ctl_hint(c, "no tasks");
        return c->is_quiet ? CTL_DONE : ctl_put_text(&l->out, CTL_DONE);
}

int cmd_tasks(Ctl *c) {
        _cleanup_(list_done) Listing l = {.ctl = c, .all = json_array(), .n_left = SIZE_MAX};
        int status = CTL_DONE;

        if (!l.all)
                return CTL_FAILED;
        if (cli_given(&c->args, OPT_LINES))
                l.n_left = (size_t) c->args.number[OPT_LINES];
        table_init(&l.table, task_columns, TASK_COLUMNS);
        if (!c->args.n_names)
                status = list_pool(&l, NULL);
        for (size_t i = 0; status == CTL_DONE && i < c->args.n_names; i++)
                status = list_pool(&l, c->args.names[i]);
        return status == CTL_DONE ? list_end(&l) : status;
}

/* ---- cancel ---- */

int cmd_cancel(Ctl *c) {
        _cleanup_json_ json_t *result = NULL, *select = ctl_select_params(c);
        json_t *ids = json_object_get(select, "select");
        _cleanup_text_ Text out = {};
        int status = ctl_call(c, "task.cancel", ids ? json_pack("{s:O}", "tasks", ids) : NULL, &result);

        if (status != CTL_DONE)
                return status;
        size_t n = (size_t) member_number(result, "cancelled", 0), n_named = c->args.n_names;
        if (c->show == SHOW_JSON || c->show == SHOW_JSONL)
                json_append(&out, result, c->show == SHOW_JSON);
        else if (n < n_named)
                ctl_hint(c, "%zu of %zu cancelled; the rest had ended before", n, n_named);
        return c->is_quiet || !out.length ? (n ? CTL_DONE : CTL_NOT_RUNNING) : ctl_put_text(&out, n ? CTL_DONE : CTL_NOT_RUNNING);
}
