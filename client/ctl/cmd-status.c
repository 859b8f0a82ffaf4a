/* cmd-status.c - status and describe. */
#include "ctl/cmd-watch.h"
#include "ctl/command.h"
#include "ctl/output.h"
#include "ctl/view.h"

/* The last lines of many workers come from the logger. */
#define DETAIL_TIMEOUT (30 * USEC_PER_SEC)

/* A name with a slash means workers, and so does the wide form. */
static bool wants_workers(const Ctl *c) {
        if (c->show == SHOW_WIDE)
                return true;
        for (size_t i = 0; i < c->args.n_names; i++)
                if (strchr(c->args.names[i], '/'))
                        return true;
        return false;
}

static bool is_hidden(const Ctl *c, const json_t *pool) {
        return !c->args.n_names && !cli_given(&c->args, OPT_ALL) && view_is_ended_run(pool);
}

/* One line an object or a name: pools, or their workers. */
static void put_lines(const Ctl *c, Text *out, const json_t *pools) {
        const json_t *p, *w;
        size_t i, k;

        json_array_foreach(pools, i, p) {
                const json_t *workers = json_object_get(p, "workers");
                bool is_name = c->show == SHOW_NAME;
                if (is_hidden(c, p))
                        continue;
                if (!wants_workers(c)) {
                        is_name ? escape_append(out, member_text(p, "name", "?"))
                                : json_append(out, p, false);
                        text_append(out, is_name ? "\n" : "");
                        continue;
                }
                json_array_foreach(workers, k, w) {
                        is_name ? escape_append(out, member_text(w, "name", "?"))
                                : json_append(out, w, false);
                        text_append(out, is_name ? "\n" : "");
                }
        }
}

static void put_table(const Ctl *c, Text *out, const json_t *pools) {
        bool has_workers = wants_workers(c);
        _cleanup_table_ Table t = {};
        usec_t now = clock_realtime();
        size_t i, k, n_hidden = 0;
        const json_t *p, *w;

        table_init(&t, has_workers ? view_worker_columns : view_pool_columns,
                   has_workers ? VIEW_WORKER_COLUMNS : VIEW_POOL_COLUMNS);
        json_array_foreach(pools, i, p) {
                if (is_hidden(c, p)) {
                        n_hidden++;
                        continue;
                }
                if (!has_workers)
                        view_pool_row(&t, p, now);
                else
                        json_array_foreach(json_object_get(p, "workers"), k, w)
                                view_worker_row(&t, w, now);
        }
        if (t.n_cells)
                table_print(&t, out, c->width, c->show == SHOW_WIDE, c->use_color);
        if (cli_given(&c->args, OPT_WATCH)) {
                text_append(out, t.n_cells ? "" : "no pools\n");
                return;
        }
        if (!t.n_cells && !n_hidden)
                ctl_hint(c, "no pools yet; add one with: droverctl add NAME -- COMMAND");
        if (n_hidden && c->is_terminal)
                ctl_hint(c, "%zu ended run process%s not shown; -a shows %s", n_hidden,
                         n_hidden == 1 ? "" : "es", n_hidden == 1 ? "it" : "them");
}

/* 3 when something that was named has no process: a pool none at all, a worker its own. */
static int status_of(const Ctl *c, const json_t *pools) {
        const json_t *p, *w;
        size_t i, k;

        if (!c->args.n_names)
                return CTL_DONE;
        json_array_foreach(pools, i, p) {
                if (!view_is_alive(p))
                        return CTL_NOT_RUNNING;
                if (!wants_workers(c) || c->show == SHOW_WIDE)
                        continue;
                json_array_foreach(json_object_get(p, "workers"), k, w)
                        if (!view_is_alive(w))
                                return CTL_NOT_RUNNING;
        }
        return CTL_DONE;
}

static void put_result(const Ctl *c, Text *out, const json_t *result) {
        const json_t *pools = json_object_get(result, "pools");

        if (c->show == SHOW_JSON)
                json_append(out, result, true);
        else if (c->show == SHOW_JSONL || c->show == SHOW_NAME)
                put_lines(c, out, pools);
        else
                put_table(c, out, pools);
}

int cmd_status(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;
        _cleanup_text_ Text out = {};

        if (cli_given(&c->args, OPT_WATCH))
                return c->is_quiet ? ctl_usage(c, "-w and -q contradict each other") : watch_run(c, put_result);
        int status = ctl_call(c, "status", ctl_select_params(c), &result);
        if (status != CTL_DONE)
                return status;
        status = status_of(c, json_object_get(result, "pools"));
        if (c->is_quiet)
                return status;
        put_result(c, &out, result);
        return ctl_put_text(&out, status);
}

/* The configuration is an extra: without it (a run process, no permission) the rest is still worth showing.
 */
static json_t *load_config(Ctl *c) {
        _cleanup_call_error_ CallError error = {};
        _cleanup_json_ json_t *params = json_object();
        json_t *config = NULL;

        if (session_call(c->session, "config.show", params, 5 * USEC_PER_SEC, &config, &error) < 0)
                return NULL;
        return config;
}

/* Workers one by one when they were named so, else the pool as a whole. */
static void describe_pool(const Ctl *c, Text *out, const json_t *pool, const json_t *configs,
                          bool has_workers) {
        const char *name = member_text(pool, "name", "");
        const json_t *w;
        size_t i;

        if (!has_workers) {
                text_append(out, out->length ? "\n" : "");
                view_put_pool(out, pool, json_object_get(configs, name), clock_realtime(), c->width,
                              c->use_color);
                return;
        }
        json_array_foreach(json_object_get(pool, "workers"), i, w) {
                text_append(out, out->length ? "\n" : "");
                view_put_worker(out, w, json_object_get(configs, name), clock_realtime(), c->use_color);
        }
}

/* A daemon that does not know the parameter has no more to tell. */
static int load_detail(Ctl *c, json_t **ret) {
        _cleanup_json_ json_t *params = ctl_select_params(c);
        _cleanup_call_error_ CallError error = {};

        int status = ctl_open(c);
        if (status != CTL_DONE || json_object_set_new(params, "detail", json_true()) < 0)
                return status != CTL_DONE ? status : CTL_FAILED;
        if (session_call(c->session, "status", params, c->has_timeout ? c->timeout : DETAIL_TIMEOUT, ret, &error) >= 0)
                return CTL_DONE;
        if (!call_error_is(&error, "invalid"))
                return ctl_fail(c, &error);
        return ctl_call(c, "status", ctl_select_params(c), ret);
}

int cmd_describe(Ctl *c) {
        _cleanup_json_ json_t *result = NULL, *config = NULL;
        _cleanup_text_ Text out = {};
        const json_t *p;
        size_t i;

        int status = load_detail(c, &result);
        if (status != CTL_DONE || c->is_quiet)
                return status;
        const json_t *pools = json_object_get(result, "pools");
        if (c->show == SHOW_JSON) {
                json_append(&out, result, true);
                return ctl_put_text(&out, CTL_DONE);
        }
        if (c->show == SHOW_JSONL || c->show == SHOW_NAME) {
                put_lines(c, &out, pools);
                return ctl_put_text(&out, CTL_DONE);
        }
        config = load_config(c);
        json_array_foreach(pools, i, p)
                describe_pool(c, &out, p, json_object_get(config, "pools"),
                              wants_workers(c) || streq(member_text(p, "origin", ""), "run"));
        return ctl_put_text(&out, CTL_DONE);
}
