/* cmd-reload.c - verbs that change workers without ending the service: reload, rollback, pause, resume, drain. */
#include "ctl/command.h"
#include "ctl/pool-params.h"
#include "ctl/workers-answer.h"

/* "2" as a number, "25%" as text: the daemon's to understand. */
static int put_amount(const Ctl *c, json_t *params, OptionId id, const char *key) {
        if (!cli_given(&c->args, id))
                return 0;
        return json_object_set_new(params, key, pool_params_workers(c->args.text[id]));
}

int cmd_reload(Ctl *c) {
        _cleanup_json_ json_t *result = NULL, *params = ctl_select_params(c);
        const double soak = (double) c->args.number[OPT_SOAK] / (double) USEC_PER_SEC;

        if (put_amount(c, params, OPT_MAX_UNAVAILABLE, "max_unavailable") < 0 ||
            put_amount(c, params, OPT_MAX_SURGE, "max_surge") < 0 ||
            (cli_given(&c->args, OPT_SOAK) && json_object_set_new(params, "soak", json_real(soak)) < 0))
                return ctl_usage(c, "a number of workers is text");
        int status = ctl_call_waiting(c, "reload", TAKE_PTR(params), false, &result);
        if (status != CTL_DONE)
                return status;
        return workers_answer_show(c, result, workers_answer_started(c, json_object_get(result, "workers")));
}

int cmd_rollback(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;

        int status = ctl_call_waiting(c, "rollback", ctl_select_params(c), false, &result);
        if (status != CTL_DONE)
                return status;
        return workers_answer_show(c, result, workers_answer_started(c, json_object_get(result, "workers")));
}

static int change_workers(Ctl *c, const char *method, bool may_take_time) {
        _cleanup_json_ json_t *result = NULL;

        int status = may_take_time ? ctl_call_waiting(c, method, ctl_select_params(c), true, &result)
                                   : ctl_call(c, method, ctl_select_params(c), &result);
        return status != CTL_DONE ? status : workers_answer_show(c, result, CTL_DONE);
}

int cmd_pause(Ctl *c) {
        return change_workers(c, "pause", true);
}

int cmd_resume(Ctl *c) {
        return change_workers(c, "resume", true);
}

int cmd_drain(Ctl *c) {
        return change_workers(c, "drain", false);
}
