/* cmd-process.c - start, stop, restart, scale, terminate, kill. */
#include "ctl/command.h"
#include "ctl/output.h"
#include "ctl/pool-params.h"
#include "ctl/workers-answer.h"

int cmd_start(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;

        int status = ctl_call_waiting(c, "start", ctl_select_params(c), true, &result);
        if (status != CTL_DONE)
                return status;
        return workers_answer_show(c, result, workers_answer_started(c, json_object_get(result, "workers")));
}

int cmd_stop(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;

        int status = ctl_call_waiting(c, "stop", ctl_select_params(c), true, &result);
        return status != CTL_DONE ? status : workers_answer_show(c, result, CTL_DONE);
}

int cmd_restart(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;

        int status = ctl_call_waiting(c, "restart", ctl_select_params(c), false, &result);
        if (status != CTL_DONE)
                return status;
        return workers_answer_show(c, result, workers_answer_started(c, json_object_get(result, "workers")));
}

int cmd_scale(Ctl *c) {
        _cleanup_json_ json_t *result = NULL, *params = json_object();

        if (json_object_set_new(params, "pool", json_string(c->args.names[0])) < 0 ||
            json_object_set_new(params, "workers", pool_params_workers(c->args.names[1])) < 0)
                return ctl_usage(c, "a name and a number are text");
        int status = ctl_call_waiting(c, "scale", TAKE_PTR(params), true, &result);
        if (status != CTL_DONE)
                return status;
        return workers_answer_show(c, result, workers_answer_started(c, json_object_get(result, "workers")));
}

static int send_signal(Ctl *c, const char *method) {
        int signal_number = (int) c->args.number[OPT_SIGNAL]; /* 0: the method's own */
        _cleanup_json_ json_t *result = NULL, *params = ctl_select_params(c);
        _cleanup_text_ Text out = {};

        if (signal_number && json_object_set_new(params, "signal", json_integer(signal_number)) < 0)
                return CTL_FAILED;
        if (cli_given(&c->args, OPT_TREE) && json_object_set_new(params, "tree", json_true()) < 0)
                return CTL_FAILED;
        int status = ctl_call(c, method, TAKE_PTR(params), &result);
        if (status != CTL_DONE)
                return status;
        double n = member_number(result, "signalled", 0);
        status = n > 0 ? CTL_DONE : CTL_NOT_RUNNING;
        if (c->show == SHOW_JSON || c->show == SHOW_JSONL)
                json_append(&out, result, c->show == SHOW_JSON);
        else if (status == CTL_NOT_RUNNING)
                ctl_say("nothing was signalled: no process of %s is running", c->args.names[0]);
        return c->is_quiet ? status : ctl_put_text(&out, status);
}

int cmd_terminate(Ctl *c) {
        return send_signal(c, "terminate");
}

int cmd_kill(Ctl *c) {
        return send_signal(c, "kill");
}
