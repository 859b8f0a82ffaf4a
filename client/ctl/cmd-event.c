/* cmd-event.c - events: what the daemon remembers, and what happens from now on.
 *
 * Following survives a restart of the daemon: the sequence numbers go on, so asking for what came after the
 * last one seen neither loses nor repeats any. */
#include "base/alloc.h"
#include "base/parse.h"
#include "ctl/command.h"
#include "ctl/follow.h"
#include "ctl/output.h"
#include "ctl/view.h"

typedef struct EventView {
        Ctl *ctl;
        Follow follow;
        json_int_t last_seq, since; /* since: from --since */
        bool has_seq;
        size_t n_connections;
        usec_t started_at; /* CLOCK_REALTIME; following only */
        char **kept;       /* with -n and without -f: the last lines, a ring */
        size_t n_kept, max_kept;
} EventView;

/* The members of "data" as "key=value", strings bare. */
static void put_data(Text *out, const json_t *data) {
        const char *key;
        json_t *v;

        json_object_foreach((json_t *) data, key, v) {
                if (json_is_null(v) || json_is_object(v) || json_is_array(v))
                        continue;
                text_append(out, "  ");
                escape_append(out, key);
                text_append_char(out, '=');
                if (json_is_string(v)) {
                        escape_append(out, json_string_value(v));
                        continue;
                }
                json_append(out, v, false);
                out->data[--out->length] = '\0'; /* its newline */
        }
}

static void put_event(const Ctl *c, Text *out, const json_t *e) {
        const char *kind = member_text(e, "event", "?"), *worker = member_text(e, "worker", "");
        const char *subject = *worker ? worker : member_text(e, "pool", "-");
        bool is_bad = strstr(kind, "failed") || strstr(kind, "refused");
        Tint tint = c->use_color && is_bad ? TINT_BAD : TINT_NONE;

        if (c->show == SHOW_JSON || c->show == SHOW_JSONL) {
                json_append(out, e, false);
                return;
        }
        escape_append(out, member_text(e, "time", "-"));
        text_appendf(out, "  %6.0f  %s", member_number(e, "seq", 0), tint_on(tint));
        escape_append(out, kind);
        text_append(out, tint_off(tint));
        for (size_t n = strlen(kind); n < 19; n++)
                text_append_char(out, ' ');
        text_append(out, "  ");
        escape_append(out, subject);
        put_data(out, json_object_get(e, "data"));
        text_append_char(out, '\n');
}

static void keep(EventView *v, Text *line) {
        if (v->n_kept == v->max_kept) {
                free(v->kept[0]);
                memmove(v->kept, v->kept + 1, (v->max_kept - 1) * sizeof(*v->kept));
                v->n_kept--;
        }
        v->kept[v->n_kept++] = text_take(line);
}

static void note_seq(EventView *v, const json_t *e) {
        const json_t *seq = json_object_get(e, "seq");

        if (json_is_integer(seq)) {
                v->last_seq = MAX(v->last_seq, json_integer_value(seq));
                v->has_seq = true;
        }
}

/* Asked for all again because no number was known yet: what is older than the start was not wanted then
 * either. */
static bool is_too_old(const EventView *v, const json_t *e) {
        return v->n_connections > 1 && view_time(member_text(e, "time", "")) < v->started_at;
}

/* For programs as it came; for people a line a pool. */
static void put_snapshot(const Ctl *c, Text *out, const json_t *snapshot) {
        const json_t *pool;
        size_t i;

        if (c->show == SHOW_JSON || c->show == SHOW_JSONL) {
                json_append(out, snapshot, false);
                return;
        }
        json_array_foreach(json_object_get(snapshot, "pools"), i, pool) {
                escape_append(out, member_text(snapshot, "time", "-"));
                text_appendf(out, "  %6.0f  snapshot             ", member_number(snapshot, "seq", 0));
                escape_append(out, member_text(pool, "name", "?"));
                text_append(out, "  ");
                escape_append(out, member_text(pool, "state", "?"));
                text_appendf(out, "  ready=%.0f/%.0f\n", member_number(pool, "ready", 0),
                             member_number(pool, "wanted", 0));
        }
}

static void on_notify(const char *kind, json_t *params, void *userdata) {
        EventView *v = userdata;
        const Ctl *c = v->ctl;
        _cleanup_text_ Text line = {};

        if (streq(kind, "gap")) {
                if (c->show == SHOW_JSON || c->show == SHOW_JSONL)
                        json_append(&line, params, false);
                else
                        ctl_hint(c, "%.0f events are no longer remembered", member_number(params, "lost", 0));
        } else if (streq(kind, "event") && streq(member_text(params, "event", ""), "snapshot")) {
                note_seq(v, params);
                put_snapshot(c, &line, params);
        } else if (!streq(kind, "event") || is_too_old(v, params)) {
                return;
        } else {
                note_seq(v, params);
                put_event(c, &line, params);
        }
        if (!line.length || c->is_quiet)
                return;
        if (v->max_kept)
                keep(v, &line);
        else
                follow_put(&v->follow, STDOUT_FILENO, &line);
}

static json_t *split_types(const char *text) {
        _cleanup_json_ json_t *types = json_array();

        while (*text) {
                size_t n = strcspn(text, ",");
                if (n && json_array_append_new(types, json_stringn(text, n)) < 0)
                        return NULL;
                text += n + (text[n] == ',');
        }
        return TAKE_PTR(types);
}

static int put_since(const EventView *v, json_t *params) {
        const CliArgs *a = &v->ctl->args;
        json_int_t since = v->has_seq ? v->last_seq : v->since;

        if (!v->has_seq && !cli_given(a, OPT_SINCE) && v->n_connections == 1)
                return 0; /* the daemon's choice: all it has, or when following only new ones */
        return json_object_set_new(params, "since", json_integer(since));
}

/* Called for each connection: after the first it goes on behind the last event seen, or with the state anew. */
static json_t *make_params(void *userdata) {
        EventView *v = userdata;
        const CliArgs *a = &v->ctl->args;
        _cleanup_json_ json_t *params = ctl_select_params(v->ctl);
        int r;

        v->n_connections++;
        if (cli_given(a, OPT_SNAPSHOT)) /* each connection begins with one: whatever was missed is in it */
                r = params ? json_object_set_new(params, "snapshot", json_true()) : -1;
        else
                r = params ? put_since(v, params) : -1;
        if (r < 0 ||
            json_object_set_new(params, "follow", json_boolean(cli_given(a, OPT_FOLLOW))) < 0)
                return NULL;
        if (cli_given(a, OPT_TYPES) &&
            json_object_set_new(params, "types", split_types(a->text[OPT_TYPES])) < 0)
                return NULL;
        return TAKE_PTR(params);
}

static int show_kept(EventView *v, int status) {
        _cleanup_text_ Text out = {};

        for (size_t i = 0; i < v->n_kept; i++) {
                text_append(&out, v->kept[i] ? v->kept[i] : "");
                free(v->kept[i]);
        }
        free(v->kept);
        return ctl_put_text(&out, status);
}

int cmd_events(Ctl *c) {
        bool is_following = cli_given(&c->args, OPT_FOLLOW);
        EventView v = {.ctl = c, .started_at = clock_realtime()};

        if (cli_given(&c->args, OPT_SNAPSHOT) && cli_given(&c->args, OPT_SINCE))
                return ctl_usage(c, "--since and --snapshot do not go together: a snapshot has its own number");
        if (cli_given(&c->args, OPT_SINCE)) {
                uint64_t since;
                if (parse_u64(c->args.text[OPT_SINCE], &since) < 0 || since > INT64_MAX)
                        return ctl_usage(c, "--since: \"%s\" is no number of an event", c->args.text[OPT_SINCE]);
                v.since = (json_int_t) since;
        }
        if (cli_given(&c->args, OPT_LINES)) {
                if (is_following)
                        return ctl_usage(c, "-n and -f do not go together; use --since");
                v.max_kept = (size_t) MIN(c->args.number[OPT_LINES], UINT64_C(100000));
                v.kept = NEW0_ARRAY(char *, v.max_kept + 1);
                if (!v.kept)
                        return CTL_FAILED;
                if (!v.max_kept)
                        return show_kept(&v, CTL_DONE);
        }
        v.follow = (Follow){.ctl = c,
                            .method = "events",
                            .make_params = make_params,
                            .on_notify = on_notify,
                            .is_endless = is_following,
                            .userdata = &v};
        int status = follow_run(&v.follow);
        return v.max_kept ? show_kept(&v, status) : status;
}
