/* cmd-wish.c - what the daemon keeps in its state file: enable and disable, set and get. */
#include "ctl/change-answer.h"
#include "ctl/command.h"
#include "ctl/output.h"
#include "ctl/workers-answer.h"

/* {"select"}, then with --now the method that makes it so. */
static int wish(Ctl *c, const char *method, const char *now_method) {
        _cleanup_json_ json_t *result = NULL, *now = NULL;
        _cleanup_text_ Text out = {};

        int status = ctl_call(c, method, ctl_select_params(c), &result);
        if (status != CTL_DONE)
                return status;
        if (!cli_given(&c->args, OPT_NOW)) {
                if (c->show == SHOW_JSON || c->show == SHOW_JSONL)
                        json_append(&out, result, c->show == SHOW_JSON);
                return c->is_quiet ? CTL_DONE : ctl_put_text(&out, CTL_DONE);
        }
        status = ctl_call_waiting(c, now_method, ctl_select_params(c), true, &now);
        if (status != CTL_DONE)
                return status;
        if (streq(now_method, "start"))
                status = workers_answer_started(c, json_object_get(now, "workers"));
        return workers_answer_show(c, now, status);
}

int cmd_enable(Ctl *c) {
        return wish(c, "enable", "start");
}

int cmd_disable(Ctl *c) {
        return wish(c, "disable", "stop");
}

/* JSON where it is JSON, else the text itself: 4, true, "4", {"a": 1}, 30s. */
static json_t *value_of(const char *text) {
        json_t *v = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

        return v ? v : json_string(text);
}

/* The daemon's complaint is about the value that was typed, so it is a fault of usage only by its name. */
int cmd_set(Ctl *c) {
        const CliArgs *a = &c->args;
        bool is_unset = cli_given(a, OPT_UNSET);
        _cleanup_json_ json_t *result = NULL, *params = json_object();

        if (is_unset && a->n_names == 3)
                return ctl_usage(c, "--unset takes no value");
        if (!is_unset && a->n_names == 2)
                return ctl_usage(c, "set %s %s to what? With --unset it goes back to the configuration file",
                                 a->names[0], a->names[1]);
        if (json_object_set_new(params, "pool", json_string(a->names[0])) < 0 ||
            json_object_set_new(params, "key", json_string(a->names[1])) < 0 ||
            json_object_set_new(params, "value", is_unset ? json_null() : value_of(a->names[2])) < 0 ||
            json_object_set_new(params, "persist", json_boolean(!cli_given(a, OPT_TEMPORARY))) < 0)
                return ctl_usage(c, "pool, key and value are text");
        int status = ctl_call(c, "config.set", TAKE_PTR(params), &result);
        return status != CTL_DONE ? status : change_answer_show(c, result, CTL_DONE);
}

static void put_value(const Ctl *c, Text *out, const json_t *value) {
        if (json_is_string(value) && c->show != SHOW_JSON && c->show != SHOW_JSONL) {
                escape_append(out, json_string_value(value));
                text_append_char(out, '\n');
        } else
                json_append(out, value, c->show != SHOW_JSONL && c->show != SHOW_NAME);
}

int cmd_get(Ctl *c) {
        const CliArgs *a = &c->args;
        _cleanup_json_ json_t *result = NULL, *params = json_object();
        _cleanup_text_ Text out = {};

        if (json_object_set_new(params, "pool", json_string(a->names[0])) < 0 ||
            (a->n_names > 1 && json_object_set_new(params, "key", json_string(a->names[1])) < 0))
                return ctl_usage(c, "pool and key are text");
        int status = ctl_call(c, "config.get", TAKE_PTR(params), &result);
        if (status != CTL_DONE || c->is_quiet)
                return status;
        const json_t *value = json_object_get(result, "value");
        put_value(c, &out, value ? value : result);
        return ctl_put_text(&out, CTL_DONE);
}
