/* cmd-process.c - start, stop, restart, scale, terminate, kill, wait. */
#include "ctl/command.h"
#include "ctl/interrupt.h"
#include "ctl/output.h"
#include "ctl/pool-params.h"
#include "ctl/view.h"

/* What a pool's workers have become, for one line a pool: "web: 3 running, 1 failed". */
typedef struct Tally {
        const char *pool;
        struct {
                const char *state;
                size_t n;
        } states[8];
        size_t n_states;
} Tally;

static void tally_add(Tally *y, const char *state) {
        for (size_t i = 0; i < y->n_states; i++)
                if (streq(y->states[i].state, state)) {
                        y->states[i].n++;
                        return;
                }
        if (y->n_states < ARRAY_SIZE(y->states)) {
                y->states[y->n_states].state = state;
                y->states[y->n_states++].n = 1;
        }
}

static void tally_put(const Tally *y, Text *out) {
        escape_append(out, y->pool);
        for (size_t i = 0; i < y->n_states; i++) {
                text_appendf(out, "%s %zu ", i ? "," : ":", y->states[i].n);
                escape_append(out, y->states[i].state);
        }
        text_append_char(out, '\n');
}

/* Workers of one pool stand together in the daemon's answer. */
static void put_tallies(Text *out, const json_t *workers) {
        Tally y = {};
        const json_t *w;
        size_t i;

        json_array_foreach(workers, i, w) {
                const char *pool = member_text(w, "pool", member_text(w, "name", "?"));
                if (y.pool && !streq(y.pool, pool)) {
                        tally_put(&y, out);
                        y = (Tally){};
                }
                y.pool = pool;
                tally_add(&y, member_text(w, "state", "?"));
        }
        if (y.pool)
                tally_put(&y, out);
}

static void put_rows(const Ctl *c, Text *out, const json_t *workers) {
        _cleanup_table_ Table t = {};
        const json_t *w;
        size_t i;

        table_init(&t, view_worker_columns, VIEW_WORKER_COLUMNS);
        json_array_foreach(workers, i, w)
                view_worker_row(&t, w, clock_realtime());
        if (t.n_cells)
                table_print(&t, out, c->width, true, c->use_color);
}

/* {"workers":[...]} in the chosen format. */
static int show_workers(const Ctl *c, const json_t *result, int status) {
        const json_t *workers = json_object_get(result, "workers"), *w;
        _cleanup_text_ Text out = {};
        size_t i;

        if (c->is_quiet)
                return status;
        switch (c->show) {
        case SHOW_JSON:
                json_append(&out, result, true);
                break;
        case SHOW_JSONL:
                json_array_foreach(workers, i, w)
                        json_append(&out, w, false);
                break;
        case SHOW_NAME:
                json_array_foreach(workers, i, w) {
                        escape_append(&out, member_text(w, "name", "?"));
                        text_append_char(&out, '\n');
                }
                break;
        case SHOW_WIDE:
                put_rows(c, &out, workers);
                break;
        case SHOW_TABLE:
                put_tallies(&out, workers);
                break;
        }
        return ctl_put_text(&out, status);
}

/* After waiting for a start: who did not come up, and why. A process that has done its work already is fine.
 */
static int status_of_start(const Ctl *c, const json_t *workers) {
        int status = CTL_DONE;
        const json_t *w;
        size_t i;

        json_array_foreach(workers, i, w) {
                const char *state = member_text(w, "state", "");
                _cleanup_text_ Text note = {};
                bool is_bad = streq(state, "failed") || streq(state, "backoff") ||
                              (streq(state, "exited") && member_number(w, "exitcode", 0) != 0);
                if (!is_bad || c->no_wait)
                        continue;
                view_note(&note, w, clock_realtime());
                ctl_say("%s: %s%s%s", member_text(w, "name", "?"), state, note.length ? ": " : "",
                        note.length ? note.data : "");
                status = CTL_FAILED;
        }
        return status;
}

int cmd_start(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;

        int status = ctl_call_waiting(c, "start", ctl_select_params(c), true, &result);
        if (status != CTL_DONE)
                return status;
        return show_workers(c, result, status_of_start(c, json_object_get(result, "workers")));
}

int cmd_stop(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;

        int status = ctl_call_waiting(c, "stop", ctl_select_params(c), true, &result);
        return status != CTL_DONE ? status : show_workers(c, result, CTL_DONE);
}

int cmd_restart(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;

        int status = ctl_call_waiting(c, "restart", ctl_select_params(c), false, &result);
        if (status != CTL_DONE)
                return status;
        return show_workers(c, result, status_of_start(c, json_object_get(result, "workers")));
}

int cmd_scale(Ctl *c) {
        _cleanup_json_ json_t *result = NULL, *params = json_object();

        if (json_object_set_new(params, "pool", json_string(c->args.names[0])) < 0 ||
            json_object_set_new(params, "workers", pool_params_workers(c->args.names[1])) < 0)
                return ctl_usage(c, "a name and a number are text");
        int status = ctl_call_waiting(c, "scale", TAKE_PTR(params), true, &result);
        if (status != CTL_DONE)
                return status;
        return show_workers(c, result, status_of_start(c, json_object_get(result, "workers")));
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

int cmd_wait(Ctl *c) {
        _cleanup_json_ json_t *result = NULL, *params = ctl_select_params(c);
        const char *what = cli_given(&c->args, OPT_FOR) ? c->args.text[OPT_FOR] : "exit";

        if (json_object_set_new(params, "for", json_string(what)) < 0)
                return CTL_FAILED;
        int status = ctl_call_waiting(c, "wait", TAKE_PTR(params), true, &result);
        if (status != CTL_DONE)
                return status;
        const json_t *workers = json_object_get(result, "workers");
        bool is_exit = streq(what, "exit");
        /* One process speaks by its code; what it printed is not ours to add to. */
        if (is_exit && json_array_size(workers) == 1 && c->show == SHOW_TABLE)
                return status_of_wait(c, workers);
        return show_workers(c, result, is_exit ? status_of_wait(c, workers) : CTL_DONE);
}
