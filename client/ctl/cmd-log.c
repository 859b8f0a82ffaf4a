/* cmd-log.c - logs: lines of workers, from stdout to stdout and from stderr to stderr. */
#include "ctl/command.h"
#include "ctl/follow.h"
#include "ctl/output.h"
#include "ctl/replay-filter.h"
#include "ctl/view.h"
#include "base/alloc.h"

#define LINES_DEFAULT 10
/* With --since the time is the bound; the daemon has one of its own. */
#define LINES_ALL 1000000
/* Lines asked for again, per worker, after the daemon was away: shared among all workers followed. */
#define LINES_AGAIN 20000
#define LINES_AGAIN_MIN 200

typedef struct LogView {
        Ctl *ctl;
        Follow follow;
        ReplayFilter *filter; /* only when following */
        size_t n_workers, n_connections;
        size_t name_width;
        bool has_prefix;
        char *first_worker; /* of the first line */
        bool is_open[2];    /* the last line of stdout, stderr goes on in the next */
} LogView;

/* How many workers the names mean: with more than one, each line says whose it is. */
static int count_workers(LogView *v) {
        _cleanup_json_ json_t *result = NULL;
        const json_t *p, *w;
        size_t i, k;

        int status = ctl_call(v->ctl, "status", ctl_select_params(v->ctl), &result);
        if (status != CTL_DONE)
                return status;
        json_array_foreach(json_object_get(result, "pools"), i, p)
                json_array_foreach(json_object_get(p, "workers"), k, w) {
                        v->n_workers++;
                        v->name_width = MAX(v->name_width, text_columns(member_text(w, "name", "")));
                }
        v->has_prefix = v->n_workers > 1;
        return CTL_DONE;
}

static void put_prefix(LogView *v, Text *out, const json_t *line) {
        const char *worker = member_text(line, "worker", "?");
        size_t columns = text_columns(worker);

        if (cli_given(&v->ctl->args, OPT_TIMESTAMPS)) {
                escape_append(out, member_text(line, "time", "-"));
                text_append_char(out, ' ');
        }
        if (!v->has_prefix)
                return;
        escape_append(out, worker);
        for (; columns < v->name_width; columns++)
                text_append_char(out, ' ');
        text_append(out, " | ");
}

/* As it was written; a terminal gets no control characters but tabs and colours. */
static void put_line(LogView *v, Text *out, const json_t *line, bool is_stderr) {
        const json_t *text = json_object_get(line, "line");
        const char *s = json_is_string(text) ? json_string_value(text) : "";
        size_t n = json_is_string(text) ? json_string_length(text) : 0;

        if (!v->is_open[is_stderr])
                put_prefix(v, out, line);
        if (isatty(is_stderr ? STDERR_FILENO : STDOUT_FILENO))
                escape_line(out, s, n);
        else
                text_append_n(out, s, n);
        v->is_open[is_stderr] = member_bool(line, "continued");
        if (!v->is_open[is_stderr])
                text_append_char(out, '\n');
}

static bool is_shown(LogView *v, const json_t *line) {
        if (!v->filter)
                return true;
        return replay_filter_pass(v->filter, member_text(line, "worker", ""), member_text(line, "stream", ""),
                                  member_text(line, "line", ""), view_time(member_text(line, "time", "")));
}

/* A worker that was not there at the start makes it several. */
static void note_worker(LogView *v, const char *worker) {
        if (v->has_prefix)
                return;
        if (!v->first_worker)
                v->first_worker = alloc_strdup(worker);
        else
                v->has_prefix = !streq(v->first_worker, worker);
}

static void on_notify(const char *method, json_t *params, void *userdata) {
        bool is_json, is_stderr = streq(member_text(params, "stream", "stdout"), "stderr");
        LogView *v = userdata;
        _cleanup_text_ Text out = {};

        if (!streq(method, "log"))
                return;
        is_json = v->ctl->show == SHOW_JSON || v->ctl->show == SHOW_JSONL;
        if (!json_is_string(json_object_get(params, "line"))) { /* some were lost on the way */
                if (is_json)
                        json_append(&out, params, false);
                else if (json_is_number(json_object_get(params, "lost")))
                        ctl_hint(v->ctl, "%s: %.0f lines are missing here",
                                 member_text(params, "worker", "?"), member_number(params, "lost", 0));
                else
                        ctl_hint(v->ctl, "%s: lines may be missing here", member_text(params, "worker", "?"));
        } else if (is_shown(v, params)) {
                note_worker(v, member_text(params, "worker", "?"));
                is_json ? json_append(&out, params, false) : put_line(v, &out, params, is_stderr);
        }
        if (out.length)
                follow_put(&v->follow, is_stderr && !is_json ? STDERR_FILENO : STDOUT_FILENO, &out);
}

static json_t *make_params(void *userdata) {
        LogView *v = userdata;
        const CliArgs *a = &v->ctl->args;
        _cleanup_json_ json_t *params = ctl_select_params(v->ctl);
        uint64_t n = cli_given(a, OPT_LINES)   ? a->number[OPT_LINES]
                     : cli_given(a, OPT_SINCE) ? LINES_ALL
                                               : LINES_DEFAULT;

        if (v->n_connections++ && v->filter) {
                n = MAX((uint64_t) LINES_AGAIN / MAX(v->n_workers, (size_t) 1), (uint64_t) LINES_AGAIN_MIN);
                replay_filter_again(v->filter, clock_realtime());
        }
        if (json_object_set_new(params, "lines", json_integer((json_int_t) n)) < 0 ||
            json_object_set_new(params, "follow", json_boolean(cli_given(a, OPT_FOLLOW))) < 0)
                return NULL;
        if (cli_given(a, OPT_STREAM) &&
            json_object_set_new(params, "stream", json_string(a->text[OPT_STREAM])) < 0)
                return NULL;
        if (cli_given(a, OPT_SINCE) && v->n_connections == 1 &&
            json_object_set_new(params, "since", json_string(a->text[OPT_SINCE])) < 0)
                return NULL;
        return TAKE_PTR(params);
}

/* --rotate and --clear: a call instead of lines. */
static int change_files(Ctl *c, const char *method) {
        const uint64_t others = OPT_BIT(OPT_LINES) | OPT_BIT(OPT_FOLLOW) | OPT_BIT(OPT_STREAM) | OPT_BIT(OPT_SINCE);
        _cleanup_json_ json_t *result = NULL;
        _cleanup_text_ Text out = {};

        if (c->args.given & others || (cli_given(&c->args, OPT_ROTATE) && cli_given(&c->args, OPT_CLEAR)))
                return ctl_usage(c, "--rotate and --clear stand alone");
        int status = ctl_call(c, method, ctl_select_params(c), &result);
        if (status != CTL_DONE || c->is_quiet)
                return status;
        if (c->show == SHOW_JSON || c->show == SHOW_JSONL)
                json_append(&out, result, c->show == SHOW_JSON);
        return ctl_put_text(&out, CTL_DONE);
}

static bool is_when(const char *text) {
        usec_t span;

        return view_time(text) || span_parse(text, &span) >= 0 || (strlen(text) >= 10 && text[4] == '-');
}

int cmd_logs(Ctl *c) {
        if (cli_given(&c->args, OPT_ROTATE) || cli_given(&c->args, OPT_CLEAR))
                return change_files(c, cli_given(&c->args, OPT_CLEAR) ? "logs.clear" : "logs.rotate");
        if (cli_given(&c->args, OPT_SINCE) && !is_when(c->args.text[OPT_SINCE]))
                return ctl_usage(c, "--since: \"%s\" is neither a span (10m) nor a time (2026-01-02T03:04:05Z)",
                                 c->args.text[OPT_SINCE]);
        bool is_following = cli_given(&c->args, OPT_FOLLOW);
        _cleanup_free_ ReplayFilter *filter = is_following ? NEW0(ReplayFilter) : NULL;
        LogView v = {.ctl = c, .filter = filter};

        if (is_following && !filter)
                return CTL_FAILED;
        if (filter)
                replay_filter_start(filter, clock_realtime());
        int status = count_workers(&v);
        if (status != CTL_DONE)
                return status;
        v.follow = (Follow){.ctl = c,
                            .method = "logs",
                            .make_params = make_params,
                            .on_notify = on_notify,
                            .is_endless = is_following,
                            .userdata = &v};
        status = follow_run(&v.follow);
        free(v.first_worker);
        return status;
}
