/* cmd-daemon.c - info, promises, metrics, version, shutdown. */
#include "build-config.h"
#include "ctl/command.h"
#include "ctl/interrupt.h"
#include "ctl/output.h"
#include "ctl/table.h"

#define KEY_WIDTH_MIN 22

/* Of the longest key as put_members() writes it. */
static size_t key_width(const json_t *o, size_t prefix) {
        size_t width = KEY_WIDTH_MIN;
        const char *key;
        json_t *v;

        json_object_foreach((json_t *) o, key, v) {
                size_t length = prefix + strlen(key);
                width = MAX(width, json_is_object(v) && !prefix ? key_width(v, length + 1) : length);
        }
        return width;
}

/* "key  value" lines; objects are opened one level with a dot. */
static void put_members(Text *out, const json_t *o, const char *prefix, size_t width) {
        const char *key;
        json_t *v;

        json_object_foreach((json_t *) o, key, v) {
                if (json_is_object(v) && !*prefix) {
                        put_members(out, v, key, width);
                        continue;
                }
                size_t start = out->length;
                escape_append(out, prefix);
                text_append(out, *prefix ? "." : "");
                escape_append(out, key);
                do
                        text_append_char(out, ' ');
                while (out->length - start < width + 2);
                if (!json_is_string(v)) {
                        json_append(out, v, false);
                        continue;
                }
                escape_append(out, json_string_value(v));
                text_append_char(out, '\n');
        }
}

int cmd_info(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;
        _cleanup_text_ Text out = {};

        int status = ctl_call(c, "daemon.info", json_object(), &result);
        if (status != CTL_DONE || c->is_quiet)
                return status;
        if (c->show == SHOW_JSON || c->show == SHOW_JSONL)
                json_append(&out, result, c->show == SHOW_JSON);
        else
                put_members(&out, result, "", key_width(result, 0));
        return ctl_put_text(&out, CTL_DONE);
}

static const TableColumn promise_columns[] = {
        {"PROMISE"}, {"STATE"}, {"MEANS", false, 1}, {"MECHANISM"},
};

static Tint tint_of_promise(const char *state) {
        return streq(state, "full") ? TINT_GOOD : streq(state, "weakened") ? TINT_MOVING : TINT_BAD;
}

static void put_promises(const Ctl *c, Text *out, const json_t *promises) {
        _cleanup_table_ Table t = {};
        const json_t *p;
        size_t i;

        table_init(&t, promise_columns, ARRAY_SIZE(promise_columns));
        json_array_foreach(promises, i, p) {
                const char *state = member_text(p, "state", "?");
                table_cell(&t, TINT_NONE, member_text(p, "name", "?"));
                table_cell(&t, tint_of_promise(state), state);
                table_cell(&t, TINT_NONE, member_text(p, "text", "-"));
                const char *why = member_text(p, "why", "");
                _cleanup_text_ Text how = {};
                text_append(&how, member_text(p, "mechanism", "-"));
                text_append(&how, *why ? ": " : "");
                text_append(&how, why);
                table_cell(&t, TINT_NONE, how.data);
        }
        if (t.n_cells)
                table_print(&t, out, c->show == SHOW_WIDE ? 0 : c->width, c->show == SHOW_WIDE, c->use_color);
}

int cmd_promises(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;
        _cleanup_text_ Text out = {};
        const json_t *p;
        size_t i;

        int status = ctl_call(c, "daemon.promises", json_object(), &result);
        if (status != CTL_DONE || c->is_quiet)
                return status;
        const json_t *promises = json_object_get(result, "promises");
        if (c->show == SHOW_JSON)
                json_append(&out, result, true);
        else if (c->show == SHOW_JSONL)
                json_array_foreach(promises, i, p)
                        json_append(&out, p, false);
        else if (c->show == SHOW_NAME)
                json_array_foreach(promises, i, p) {
                        escape_append(&out, member_text(p, "name", "?"));
                        text_append_char(&out, '\n');
                }
        else
                put_promises(c, &out, promises);
        return ctl_put_text(&out, CTL_DONE);
}

/* For a scraper the text goes out as it came; a terminal gets nothing it could obey. */
static void put_metrics(const Ctl *c, Text *out, const char *text) {
        while (c->is_terminal && *text) {
                size_t n = strcspn(text, "\n");
                escape_line(out, text, n);
                text_append_char(out, '\n');
                text += n + (text[n] == '\n');
        }
        text_append(out, text);
}

int cmd_metrics(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;
        _cleanup_text_ Text out = {};

        int status = ctl_call(c, "daemon.metrics", json_object(), &result);
        if (status != CTL_DONE || c->is_quiet)
                return status;
        if (c->show == SHOW_JSON || c->show == SHOW_JSONL)
                json_append(&out, result, c->show == SHOW_JSON);
        else
                put_metrics(c, &out, member_text(result, "text", ""));
        return ctl_put_text(&out, CTL_DONE);
}

/* Works without a daemon: then only one version is known. */
int cmd_version(Ctl *c) {
        _cleanup_json_ json_t *info = NULL, *versions = json_object();
        _cleanup_call_error_ CallError error = {};
        _cleanup_text_ Text out = {};

        if (session_open(&c->session, c->args.text[OPT_SOCKET], &error) >= 0)
                (void) session_call(c->session, "daemon.info", NULL, 5 * USEC_PER_SEC, &info, &error);
        const char *daemon = member_text(info, "version", NULL);
        if (c->show == SHOW_JSON || c->show == SHOW_JSONL) {
                (void) json_object_set_new(versions, "droverctl", json_string(DROVER_VERSION));
                (void) json_object_set_new(versions, "droverd", daemon ? json_string(daemon) : json_null());
                json_append(&out, versions, c->show == SHOW_JSON);
                return ctl_put_text(&out, CTL_DONE);
        }
        text_append(&out, "droverctl " DROVER_VERSION "\ndroverd   ");
        escape_append(&out, daemon                               ? daemon
                            : call_error_is(&error, "no-daemon") ? "(not running)"
                                                                 : "(no answer)");
        text_append_char(&out, '\n');
        return ctl_put_text(&out, CTL_DONE);
}

/* The connection ends when the daemon has: after its workers. */
static int wait_until_gone(Ctl *c) {
        struct pollfd signal_fd = {.fd = interrupt_open(), .events = POLLIN};
        usec_t deadline = c->has_timeout ? usec_add(clock_now(), c->timeout) : USEC_INFINITY;

        while (session_poll(c->session, &signal_fd, 1, deadline) >= 0) {
                if (signal_fd.revents & POLLIN) {
                        ctl_say("stopped waiting; the daemon goes on stopping");
                        return CTL_INTERRUPTED;
                }
                if (clock_now() >= deadline) {
                        ctl_say("the daemon is still stopping");
                        return CTL_TIMED_OUT;
                }
        }
        return CTL_DONE;
}

int cmd_shutdown(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;

        int status = ctl_call(c, "daemon.shutdown", json_object(), &result);
        if (status != CTL_DONE || c->no_wait)
                return status;
        return wait_until_gone(c);
}
