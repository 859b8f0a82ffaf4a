/* cmd-wait.c - wait: for processes, workers and tasks.
 *
 * A task's id, POOL-N, may as well be the name of a process or a pool. What is one of these is meant as such; only a
 * name that is not there is taken for a task. */
#include "ctl/cmd-wait.h"

#include "ctl/command.h"
#include "ctl/task-view.h"
#include "ctl/workers-answer.h"

#define TASKS_PER_CALL 1000
#define ASK_TIMEOUT (30 * USEC_PER_SEC)

/* One process: its code. Several: done when all ended with 0. Something that never ran has nothing to wait
 * for. */
static int status_of_wait(const Ctl *c, const json_t *workers) {
        size_t i, n = json_array_size(workers);
        int status = CTL_DONE;
        const json_t *w;

        json_array_foreach(workers, i, w) {
                const json_t *code = json_object_get(w, "exitcode");
                if (!json_is_integer(code)) {
                        ctl_hint(c, "%s: %s, it has no exit code", member_text(w, "name", "?"),
                                 member_text(w, "state", "?"));
                        status = status == CTL_DONE ? CTL_NOT_RUNNING : status;
                } else if (n == 1)
                        return ctl_status_of_exitcode(json_integer_value(code));
                else if (json_integer_value(code) != 0)
                        status = CTL_FAILED;
        }
        return status;
}

/* What -T says is for the whole of it. */
static void use_up(Ctl *c, usec_t since) {
        c->timeout = usec_sub(c->timeout, usec_sub(clock_now(), since));
}

int wait_tasks(Ctl *c, json_t *ids_consume, json_t **ret) {
        _cleanup_json_ json_t *ids = ids_consume, *all = json_array();
        size_t n = json_array_size(ids);
        int status = ids && all ? CTL_DONE : CTL_FAILED;

        for (size_t i = 0; status == CTL_DONE && i < n; i += TASKS_PER_CALL) {
                _cleanup_json_ json_t *result = NULL, *some = json_array();
                usec_t begin = clock_now();
                for (size_t k = i; k < MIN(n, i + TASKS_PER_CALL); k++)
                        (void) json_array_append(some, json_array_get(ids, k));
                status = ctl_call_waiting(c, "task.wait", json_pack("{s:O}", "tasks", some), true, &result);
                if (status == CTL_DONE && json_array_extend(all, json_object_get(result, "tasks")) < 0)
                        status = CTL_FAILED;
                use_up(c, begin);
        }
        if (status == CTL_DONE)
                *ret = TAKE_PTR(all);
        return status;
}

/* POOL-N, and no "/" as a worker has. */
static bool looks_like_task(const char *name) {
        const char *dash = strrchr(name, '-');

        return dash && dash > name && dash[1] && strspn(dash + 1, "0123456789") == strlen(dash + 1) && !strpbrk(name, "/*?[");
}

static int is_task(Ctl *c, const char *name, bool *ret) {
        _cleanup_json_ json_t *params = json_pack("{s:[s]}", "select", name), *result = NULL;
        _cleanup_call_error_ CallError error = {};
        int status = looks_like_task(name) ? ctl_open(c) : CTL_DONE;

        *ret = false;
        if (status != CTL_DONE || !looks_like_task(name))
                return status;
        if (session_call(c->session, "status", params, ASK_TIMEOUT, &result, &error) < 0) {
                *ret = call_error_is(&error, "not-found");
                return *ret ? CTL_DONE : ctl_fail(c, &error);
        }
        return CTL_DONE;
}

static int sort_names(Ctl *c, json_t *processes, json_t *tasks) {
        int status = CTL_DONE;

        for (size_t i = 0; status == CTL_DONE && i < c->args.n_names; i++) {
                bool yes;
                status = is_task(c, c->args.names[i], &yes);
                if (status == CTL_DONE && json_array_append_new(yes ? tasks : processes, json_string(c->args.names[i])) < 0)
                        status = ctl_usage(c, "a name is not UTF-8");
        }
        return status;
}

static int wait_processes(Ctl *c, json_t *select, bool is_alone) {
        const char *what = cli_given(&c->args, OPT_FOR) ? c->args.text[OPT_FOR] : "exit";
        _cleanup_json_ json_t *result = NULL;
        usec_t begin = clock_now();
        int status = ctl_call_waiting(c, "wait", json_pack("{s:O,s:s}", "select", select, "for", what), true, &result);

        if (status != CTL_DONE)
                return status;
        use_up(c, begin);
        const json_t *workers = json_object_get(result, "workers");
        bool is_exit = streq(what, "exit");
        /* One process speaks by its code; what it printed is not ours to add to. */
        if (is_exit && is_alone && json_array_size(workers) == 1 && c->show == SHOW_TABLE)
                return status_of_wait(c, workers);
        return workers_answer_show(c, result, is_exit ? status_of_wait(c, workers) : CTL_DONE);
}

static int wait_for_tasks(Ctl *c, json_t *ids, bool is_alone) {
        _cleanup_json_ json_t *outcomes = NULL;
        int status = wait_tasks(c, json_incref(ids), &outcomes);

        if (status != CTL_DONE)
                return status;
        if (is_alone && json_array_size(outcomes) == 1 && c->show != SHOW_JSON)
                return task_show_outcome(c, json_array_get(outcomes, 0));
        return task_show_outcomes(c, outcomes);
}

int cmd_wait(Ctl *c) {
        _cleanup_json_ json_t *processes = json_array(), *tasks = json_array();
        int status = processes && tasks ? sort_names(c, processes, tasks) : CTL_FAILED, of_tasks = CTL_DONE;
        size_t n_processes = json_array_size(processes), n_tasks = json_array_size(tasks);

        if (status != CTL_DONE)
                return status;
        if (n_tasks > 0 && cli_given(&c->args, OPT_FOR) && !streq(c->args.text[OPT_FOR], "exit"))
                return ctl_usage(c, "--for is for processes and workers; %s is none", json_string_value(json_array_get(tasks, 0)));
        if (n_processes > 0)
                status = wait_processes(c, processes, n_tasks == 0);
        if (n_tasks > 0)
                of_tasks = wait_for_tasks(c, tasks, n_processes == 0);
        return status != CTL_DONE ? status : of_tasks;
}
