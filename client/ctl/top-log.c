/* top-log.c - a worker's log in `top`. */
#include "ctl/top-log.h"

#include "base/alloc.h"
#include "ctl/output.h"
#include "ctl/top-view.h"
#include <stdio.h>

#define LINES_FIRST 200

static char **line_at(TopLog *l, size_t i) {
        return &l->lines[(l->first + i) % TOP_LOG_MAX];
}

static void add_line(TopLog *l, const Text *line) {
        char *copy = alloc_strndup(line->data ? line->data : "", line->length);

        if (!copy)
                return;
        if (l->n == TOP_LOG_MAX) {
                free(TAKE_PTR(*line_at(l, 0)));
                l->first = (l->first + 1) % TOP_LOG_MAX;
                l->n--;
        }
        *line_at(l, l->n++) = copy;
}

/* A line that came in pieces stays one line, as far as memory lasts. */
static void add_piece(TopLog *l, const Text *piece) {
        char **last = line_at(l, l->n - 1);
        char *longer = alloc_printf("%s%.*s", *last, (int) piece->length, piece->data ? piece->data : "");

        if (!longer)
                return;
        free(*last);
        *last = longer;
}

static void on_line(_unused_ const char *kind, json_t *params, void *userdata) {
        const json_t *text = json_object_get(params, "line");
        _cleanup_text_ Text line = {};
        TopLog *l = userdata;

        if (!json_is_string(text)) {
                text_appendf(&line, "(%.0f lines are missing here)", member_number(params, "lost", 0));
                add_line(l, &line);
                return;
        }
        bool is_stderr = streq(member_text(params, "stream", ""), "stderr");
        if (!l->is_open && is_stderr)
                text_append(&line, "! ");
        escape_append(&line, json_string_value(text));
        l->is_open &&l->n ? add_piece(l, &line) : add_line(l, &line);
        l->is_open = member_bool(params, "continued");
}

static void on_end(_unused_ json_t *result, const CallError *error, void *userdata) {
        _cleanup_text_ Text line = {};
        TopLog *l = userdata;

        l->call = NULL;
        if (!error || call_error_is(error, "disconnected"))
                return;
        escape_append(&line, error->message ? error->message : "the log cannot be shown");
        add_line(l, &line);
}

static int ask(TopLog *l, int n_lines) {
        _cleanup_json_ json_t *params = json_pack("{s:[s], s:i, s:b}", "select", l->name, "lines", n_lines, "follow", 1);

        if (!params)
                return -ENOMEM;
        return session_stream_start(l->session, "logs", params, on_line, on_end, l, &l->call);
}

int top_log_start(TopLog *l, Session *session, const char *name) {
        *l = (TopLog){.session = session};
        snprintf(l->name, sizeof(l->name), "%s", name);
        int r = ask(l, LINES_FIRST);
        if (r < 0)
                l->session = NULL;
        return r;
}

void top_log_again(TopLog *l) {
        if (l->session && !l->call)
                (void) ask(l, 0);
}

void top_log_stop(TopLog *l) {
        if (l->call)
                session_cancel(l->session, TAKE_PTR(l->call));
        for (size_t i = 0; i < l->n; i++)
                free(*line_at(l, i));
        *l = (TopLog){};
}

void top_log_put(const TopLog *l, Text *out, unsigned n_lines, unsigned columns) {
        unsigned room = n_lines > 2 ? n_lines - 1 : n_lines;
        size_t from = l->n > room ? l->n - room : 0;
        _cleanup_text_ Text title = {};

        for (size_t i = from; i < l->n; i++) {
                const char *s = l->lines[(l->first + i) % TOP_LOG_MAX];
                top_line_cut(out, s, strlen(s), columns);
                text_append_char(out, '\n');
        }
        for (size_t i = l->n - from; i < room; i++)
                text_append_char(out, '\n');
        if (n_lines <= 2)
                return;
        text_append(&title, "log of ");
        escape_append(&title, l->name);
        text_append(&title, "  (! is stderr)  q back");
        top_line_cut(out, title.data ? title.data : "", title.length, columns);
        text_append_char(out, '\n');
}
