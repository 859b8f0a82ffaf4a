/* cmd-plan.c - plan and apply: what the changed files mean, and carrying it out. One table for both. */
#include "ctl/change-answer.h"
#include "ctl/command.h"
#include "ctl/fault-view.h"
#include "ctl/interrupt.h"
#include "ctl/output.h"
#include "ctl/progress.h"

/* Starting many workers anew takes its time, but an answer comes when all is under way. */
#define APPLY_TIMEOUT (60 * USEC_PER_SEC)

/* Faults of the files are shown one by one; they are no fault of how we were called. */
static int show_failure(const Ctl *c, const CallError *error) {
        const json_t *faults = json_object_get(error->data, "faults");
        _cleanup_text_ Text out = {};

        fault_view_put(&out, faults);
        (void) ctl_put_text(&out, CTL_DONE);
        if (json_array_size(faults)) {
                ctl_say("the configuration is faulty, nothing was changed");
                return CTL_FAILED;
        }
        int failed = ctl_fail(c, error);
        return failed == CTL_USAGE ? CTL_FAILED : failed;
}

static int ask(Ctl *c, const char *method, json_t **ret) {
        _cleanup_call_error_ CallError error = {};
        _cleanup_json_ json_t *params = json_object();
        usec_t end = usec_add(clock_now(), c->has_timeout ? c->timeout : APPLY_TIMEOUT);

        int status = ctl_open(c);
        if (status != CTL_DONE)
                return status;
        if (interrupt_call(c->session, method, params, end, ret, &error) < 0)
                return show_failure(c, &error);
        return CTL_DONE;
}

static int show_plan(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;

        int status = ask(c, "config.plan", &result);
        if (status != CTL_DONE)
                return status;
        /* 2: there are changes. CONTRACT section 6. */
        return change_answer_show(c, result, json_array_size(json_object_get(result, "changes")) ? CTL_USAGE : CTL_DONE);
}

int cmd_plan(Ctl *c) {
        return show_plan(c);
}

/* Does a change of @name by @result start workers? */
static bool is_started_by(const json_t *result, const char *name) {
        const json_t *change;
        size_t i;

        json_array_foreach(json_object_get(result, "changes"), i, change)
                if (streq(member_text(change, "pool", ""), name))
                        return !*member_text(change, "error", "") && !streq(member_text(change, "kind", ""), "remove") &&
                               (streq(member_text(change, "kind", ""), "add") ||
                                streq(member_text(change, "class", ""), "restart"));
        return false;
}

/* The pools whose workers are to be waited for: changed, and wanted to run. */
static json_t *started_pools(Ctl *c, const json_t *result) {
        _cleanup_json_ json_t *now = NULL, *names = json_array();
        const json_t *pool;
        size_t i;

        if (ctl_call(c, "status", json_object(), &now) != CTL_DONE)
                return NULL;
        json_array_foreach(json_object_get(now, "pools"), i, pool)
                if (member_number(pool, "wanted", 0) > 0 && is_started_by(result, member_text(pool, "name", "")) &&
                    json_array_append(names, json_object_get(pool, "name")) < 0)
                        return NULL;
        return TAKE_PTR(names);
}

/* What was replaced a few at a time and put back is a change that is still to be made. */
static int tell_put_back(Ctl *c, const json_t *names) {
        _cleanup_json_ json_t *plan = NULL;
        const json_t *name;
        size_t i;

        int status = ask(c, "config.plan", &plan);
        if (status != CTL_DONE)
                return status;
        json_array_foreach(names, i, name)
                if (is_started_by(plan, json_string_value(name))) {
                        ctl_say("%s runs as before: the change was taken back, its new workers did not get ready; "
                                "`droverctl describe %s` says why", json_string_value(name), json_string_value(name));
                        status = CTL_FAILED;
                }
        return status;
}

static bool pool_has_done_its_work(const json_t *pool) {
        const json_t *worker;
        size_t i;

        json_array_foreach(json_object_get(pool, "workers"), i, worker) {
                const char *state = member_text(worker, "state", "");

                if (!streq(state, "running") && !(streq(state, "exited") && member_number(worker, "exitcode", 1) == 0))
                        return false;
        }
        return true;
}

/* Whether the workers that are not ready have ended with success, and for good: that is no failure. */
static bool have_done_their_work(Ctl *c, json_t *names) {
        _cleanup_json_ json_t *now = NULL;
        const json_t *pool;
        size_t i;

        if (ctl_call(c, "status", json_pack("{s:O}", "select", names), &now) != CTL_DONE)
                return false;
        json_array_foreach(json_object_get(now, "pools"), i, pool)
                if (!pool_has_done_its_work(pool))
                        return false;
        return true;
}

static int wait_until_ready(Ctl *c, json_t *names) {
        _cleanup_call_error_ CallError error = {};
        _cleanup_json_ json_t *params = json_pack("{s:O,s:s}", "select", names, "for", "ready"), *workers = NULL;
        usec_t deadline = c->has_timeout ? usec_add(clock_now(), c->timeout) : USEC_INFINITY;

        if (!params)
                return CTL_FAILED;
        if (progress_call(c, "wait", params, deadline, &workers, &error) >= 0)
                return CTL_DONE;
        if (call_error_is(&error, "failed") && have_done_their_work(c, names))
                return CTL_DONE;
        return ctl_fail(c, &error);
}

/* Until what the changes start is ready. */
static int wait_for_changes(Ctl *c, const json_t *result) {
        _cleanup_json_ json_t *names = NULL;

        if (c->no_wait)
                return CTL_DONE;
        names = started_pools(c, result);
        if (!names)
                return CTL_FAILED;
        if (json_array_size(names) == 0)
                return CTL_DONE;
        int status = wait_until_ready(c, names);
        return status == CTL_DONE ? tell_put_back(c, names) : status;
}

/* One change that could not be made does not hold up the others, but is a failure. */
int cmd_apply(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;
        const json_t *change;
        size_t i;

        if (cli_given(&c->args, OPT_DRY_RUN))
                return show_plan(c);
        int status = ask(c, "config.apply", &result);
        if (status != CTL_DONE)
                return status;
        json_array_foreach(json_object_get(result, "changes"), i, change)
                if (*member_text(change, "error", ""))
                        status = CTL_FAILED;
        status = change_answer_show(c, result, status);
        int waited = wait_for_changes(c, result);
        return status != CTL_DONE ? status : waited;
}
