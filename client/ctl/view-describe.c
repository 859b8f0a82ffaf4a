/* view-describe.c - the paragraphs of `describe`: one line a fact.
 *
 * Known members come first, in a fixed order and in people's units; what a newer daemon adds follows as it
 * is, so nothing is hidden. */
#include "ctl/view.h"

#include "base/parse.h"
#include "ctl/ctl.h"

#define LABEL_WIDTH 12

static void put_label(Text *out, const char *label) {
        size_t columns = text_columns(label);

        escape_append(out, label);
        do
                text_append_char(out, ' ');
        while (++columns < LABEL_WIDTH);
}

static void put_line(Text *out, const char *label, const char *value) {
        put_label(out, label);
        escape_append(out, value);
        text_append_char(out, '\n');
}

static void put_state(Text *out, const char *state, bool is_color) {
        Tint tint = is_color ? tint_of_state(state) : TINT_NONE;

        put_label(out, "State");
        text_append(out, tint_on(tint));
        escape_append(out, state);
        text_append(out, tint_off(tint));
        text_append_char(out, '\n');
}

/* A word of an argv as a shell takes it. */
static void put_word(Text *out, const char *s) {
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=:,./@%";
        _cleanup_text_ Text quoted = {};

        if (*s && !s[strspn(s, plain)]) {
                escape_append(out, s);
                return;
        }
        for (; *s; s++)
                if (*s == '\'')
                        text_append(&quoted, "'\\''");
                else
                        text_append_char(&quoted, *s);
        text_append(out, "'");
        escape_append(out, quoted.data ? quoted.data : "");
        text_append(out, "'");
}

/* "memory_max=64M pids_max=10": strings bare, the rest as JSON. */
static void put_pairs(Text *out, const json_t *o) {
        const char *key, *gap = "";
        json_t *v;

        json_object_foreach((json_t *) o, key, v) {
                text_append(out, gap);
                escape_append(out, key);
                text_append_char(out, '=');
                if (json_is_string(v))
                        put_word(out, json_string_value(v));
                else {
                        json_append(out, v, false);
                        text_truncate(out, out->length - (out->length > 0)); /* its newline */
                }
                gap = " ";
        }
}

/* A value of any type on one line: strings bare, an argv as for a shell, the rest as JSON. */
static void put_value(Text *out, const char *label, const json_t *v) {
        const json_t *item;
        size_t i;

        put_label(out, label);
        if (json_is_string(v)) {
                escape_append(out, json_string_value(v));
        } else if (json_is_array(v) && json_array_size(v) && json_is_string(json_array_get(v, 0))) {
                json_array_foreach(v, i, item) {
                        text_append(out, i ? " " : "");
                        put_word(out, json_is_string(item) ? json_string_value(item) : "...");
                }
        } else if (json_is_object(v) && json_object_size(v)) {
                put_pairs(out, v);
        } else {
                json_append(out, v, false);
                return; /* has its newline */
        }
        text_append_char(out, '\n');
}

static bool is_one_of(const char *word, const char *const *list) {
        for (; *list; list++)
                if (streq(word, *list))
                        return true;
        return false;
}

static bool is_void(const json_t *v) {
        return json_is_null(v) || json_is_false(v) || (json_is_integer(v) && !json_integer_value(v)) ||
               (json_is_string(v) && !*json_string_value(v));
}

/* What the lines above have not told; of state, what says nothing is left out, of a configuration nothing. */
static void put_others(Text *out, const json_t *o, const char *const *told, bool with_void) {
        const char *key;
        json_t *v;

        json_object_foreach((json_t *) o, key, v)
                if (!is_one_of(key, told) && (with_void || !is_void(v)))
                        put_value(out, key, v);
}

static void put_process(Text *out, const json_t *w, usec_t now) {
        char span[SPAN_TEXT_MAX], size[16];
        double uptime = member_number(w, "uptime", 0), cpu = member_number(w, "cpu", -1),
               memory = member_number(w, "memory", -1);
        usec_t started = view_time(member_text(w, "started_at", ""));

        if (json_is_number(json_object_get(w, "pid"))) {
                put_label(out, "PID");
                text_appendf(out, "%.0f, child of %.0f\n", member_number(w, "pid", 0),
                             member_number(w, "ppid", 0));
        }
        if (*member_text(w, "started_at", "")) {
                put_label(out, "Started");
                escape_append(out, member_text(w, "started_at", ""));
                if (started && started <= now)
                        text_appendf(out, " (%s ago)",
                                     span_format(span, (now - started) / USEC_PER_SEC * USEC_PER_SEC));
                text_append_char(out, '\n');
        }
        if (cpu >= 0) {
                put_label(out, "CPU");
                text_appendf(out, "%.2fs", cpu);
                text_appendf(out, uptime > 0 ? " (%.1f%%)\n" : "\n", uptime > 0 ? 100 * cpu / uptime : 0.0);
        }
        if (memory >= 0 && memory < 1e18)
                put_line(out, "Memory", size_format(size, (uint64_t) memory));
}

static void put_when(Text *out, const char *at, usec_t now) {
        char span[SPAN_TEXT_MAX];
        usec_t when = view_time(at);

        if (*at) {
                text_append(out, ", at ");
                escape_append(out, at);
        }
        if (when && when <= now)
                text_appendf(out, " (%s ago)", span_format(span, (now - when) / USEC_PER_SEC * USEC_PER_SEC));
        text_append_char(out, '\n');
}

static void put_last_exit(Text *out, const json_t *last_exit, usec_t now) {
        if (!json_is_object(last_exit))
                return;
        put_label(out, "Last exit");
        escape_append(out, member_text(last_exit, "cause", "?"));
        if (json_is_number(json_object_get(last_exit, "exitcode")))
                text_appendf(out, ", exitcode %.0f", member_number(last_exit, "exitcode", 0));
        put_when(out, member_text(last_exit, "at", ""), now);
}

/* Lines of output: texts, or objects as `logs` has them. */
static void put_output(Text *out, const json_t *lines) {
        const json_t *line;
        size_t i;

        json_array_foreach(lines, i, line) {
                text_append(out, "              | ");
                escape_append(out, json_is_string(line) ? json_string_value(line) : member_text(line, "line", "?"));
                text_append_char(out, '\n');
        }
}

/* The last five, the latest first, each with what it wrote in the end. */
static void put_ends(Text *out, const json_t *ends, usec_t now) {
        size_t n = json_array_size(ends);

        for (size_t i = 0; i < n; i++) {
                const json_t *end = json_array_get(ends, i);
                char span[SPAN_TEXT_MAX];
                double uptime = member_number(end, "uptime", -1);

                put_label(out, i == 0 ? "Ends" : "");
                escape_append(out, member_text(end, "cause", "?"));
                if (uptime >= 0 && uptime < 1e12)
                        text_appendf(out, " after %s", span_format(span, (usec_t) (uptime * 1e3) * USEC_PER_MSEC));
                put_when(out, member_text(end, "at", ""), now);
                put_output(out, json_object_get(end, "lines"));
        }
}

static void put_tail(Text *out, const json_t *tail) {
        if (!json_array_size(tail))
                return;
        text_append(out, "Output\n");
        put_output(out, tail);
}

/* Only what is not kept in full here. */
static void put_promises(Text *out, const json_t *promises) {
        const json_t *p;
        size_t i;

        json_array_foreach(promises, i, p) {
                put_label(out, i == 0 ? "Weakened" : "");
                escape_append(out, json_is_string(p) ? json_string_value(p) : member_text(p, "name", "?"));
                if (*member_text(p, "state", ""))
                        text_appendf(out, " (%s)", streq(member_text(p, "state", ""), "off") ? "off" : "weakened");
                if (*member_text(p, "why", "")) {
                        text_append(out, ": ");
                        escape_append(out, member_text(p, "why", ""));
                }
                text_append_char(out, '\n');
        }
}

/* What bounds the process and what it was given, from the pool's configuration. */
static void put_bounds(Text *out, const json_t *config) {
        static const char *const keys[] = {"limits", "cgroup", "isolation", "capabilities", "listen"};

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                const json_t *v = json_object_get(config, keys[i]);
                if (v)
                        put_value(out, keys[i], v);
        }
}

void view_put_worker(Text *out, const json_t *w, const json_t *config, usec_t now, bool is_color) {
        static const char *const told[] = {"name",   "pool",      "slot",       "pid",      "ppid",
                                           "state",  "alive",     "started_at", "uptime",   "cpu",
                                           "memory", "last_exit", "exitcode",   "restarts", "status_text",
                                           "note",   "ready",     "wanted",     "ends",     "tail",
                                           "promises", "usage_age", NULL};
        _cleanup_text_ Text note = {};

        put_line(out, "Worker", member_text(w, "name", "?"));
        put_line(out, "Pool", member_text(w, "pool", "?"));
        put_state(out, member_text(w, "state", "?"), is_color);
        view_note(&note, w, now);
        if (note.length)
                put_line(out, "Note", note.data);
        if (*member_text(w, "status_text", "") && note.length && !streq(note.data, member_text(w, "status_text", "")))
                put_line(out, "Says", member_text(w, "status_text", ""));
        put_process(out, w, now);
        put_label(out, "Restarts");
        text_appendf(out, "%.0f\n", member_number(w, "restarts", 0));
        if (json_is_number(json_object_get(w, "exitcode"))) {
                put_label(out, "Exitcode");
                text_appendf(out, "%.0f\n", member_number(w, "exitcode", 0));
        }
        const json_t *ends = json_object_get(w, "ends");
        if (json_array_size(ends))
                put_ends(out, ends, now);
        else
                put_last_exit(out, json_object_get(w, "last_exit"), now);
        put_promises(out, json_object_get(w, "promises"));
        put_bounds(out, config);
        put_others(out, w, told, false);
        if (member_bool(w, "alive") || !json_array_size(ends)) /* else they stand with its last end */
                put_tail(out, json_object_get(w, "tail"));
}

void view_put_pool(Text *out, const json_t *pool, const json_t *config, usec_t now, unsigned width,
                   bool is_color) {
        static const char *const told[] = {"name",     "state", "ready",  "wanted", "workers",
                                           "restarts", "note",  "origin", "size",   "promises", NULL};
        static const char *const none[] = {NULL};
        _cleanup_table_ Table t = {};
        const json_t *w;
        size_t i;

        put_line(out, "Pool", member_text(pool, "name", "?"));
        put_state(out, member_text(pool, "state", "?"), is_color);
        if (*member_text(pool, "note", ""))
                put_line(out, "Note", member_text(pool, "note", ""));
        put_line(out, "Origin", member_text(pool, "origin", "?"));
        put_label(out, "Ready");
        text_appendf(out, "%.0f of %.0f\n", member_number(pool, "ready", 0),
                     member_number(pool, "wanted", 0));
        put_label(out, "Restarts");
        text_appendf(out, "%.0f\n", member_number(pool, "restarts", 0));
        put_others(out, pool, told, false);
        put_promises(out, json_object_get(pool, "promises"));
        if (json_is_object(config) && json_object_size(config)) {
                text_append(out, "\nConfiguration\n");
                put_others(out, config, none, true);
        }
        if (!json_array_size(json_object_get(pool, "workers")))
                return;
        text_append_char(out, '\n');
        table_init(&t, view_worker_columns, VIEW_WORKER_COLUMNS);
        json_array_foreach(json_object_get(pool, "workers"), i, w)
                view_worker_row(&t, w, now);
        table_print(&t, out, width, false, is_color);
}
