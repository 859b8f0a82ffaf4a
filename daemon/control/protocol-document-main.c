/* protocol-document-main.c - at build time: drover-protocol(7) from its frame and the tables.
 *
 *     protocol-document FRAME      its lines @METHODS@, @ERRORS@, @EVENTS@, @LIMITS@ become the lists */
#include "base/file.h"
#include "control/control.h"
#include "control/method.h"

#include <stdio.h>

#define FRAME_MAX (1u << 20)

static void put_item(Text *t, const char *name, const char *text) {
        text_append(t, ".TP\n\\fB");
        text_append_manual(t, name);
        text_append(t, "\\fR\n");
        text_append_manual(t, text);
        text_append_char(t, '\n');
}

static void put_params(Text *t, const Method *m) {
        text_append(t, ".RS\n");
        for (const JsonField *f = m->fields; f && f->name; f++) {
                text_append(t, ".TP\n\\fI");
                text_append_manual(t, f->name);
                text_append(t, f->required ? "\\fR (required)\n" : "\\fR\n");
                text_append_manual(t, f->help);
                text_append_char(t, '\n');
        }
        if (m->takes_config)
                text_append(t, ".PP\nand every key of a pool, as in\n.BR drover.json (5).\n");
        text_append(t, ".PP\nAnswer: ");
        text_append_manual(t, m->result);
        text_append(t, "\n.RE\n");
}

static void put_methods(Text *t) {
        for (int i = 0; i < _METHOD_MAX; i++) {
                put_item(t, protocol_methods[i].name, protocol_methods[i].help);
                put_params(t, methods[i]);
        }
}

static void put_errors(Text *t) {
#define X(symbol, code, name, meaning) put_item(t, #code " " name, meaning);
        PROTOCOL_ERRORS(X)
#undef X
}

static void put_events(Text *t) {
        for (int k = 0; k < _EVENT_KIND_MAX; k++)
                put_item(t, event_kind_to_string((EventKind) k), event_kind_help((EventKind) k));
}

static void put_limits(Text *t) {
        size_t n;
        const ControlLimit *limits = control_limits(&n);

        for (size_t i = 0; i < n; i++) {
                char value[24];

                (void) snprintf(value, sizeof(value), "%llu", (unsigned long long) limits[i].value);
                text_append(t, ".TP\n\\fB");
                text_append_manual(t, limits[i].name);
                text_append(t, "\\fR ");
                text_append(t, value);
                text_append_char(t, '\n');
                text_append_manual(t, limits[i].help);
                text_append_char(t, '\n');
        }
}

static const struct {
        const char *mark;
        void (*put)(Text *t);
} marks[] = {
        {"@METHODS@", put_methods},
        {"@ERRORS@", put_errors},
        {"@EVENTS@", put_events},
        {"@LIMITS@", put_limits},
};

static void put_line(Text *t, const char *line) {
        for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
                if (streq(line, marks[i].mark)) {
                        marks[i].put(t);
                        return;
                }
        text_append(t, line);
        text_append_char(t, '\n');
}

static int print_manual(const char *path) {
        _cleanup_free_ char *frame = NULL;
        _cleanup_text_ Text t = {0};
        size_t size;
        char *rest, *line;
        int r = file_read(path, FRAME_MAX, &frame, &size);

        if (r < 0)
                return r;
        for (rest = frame; (line = strsep(&rest, "\n")) && (rest || *line);)
                put_line(&t, line);
        if (text_check(&t) < 0)
                return -ENOMEM;
        return fputs(t.data, stdout) < 0 || fflush(stdout) != 0 ? -EIO : 0;
}

int main(int argc, char *argv[]) {
        int r = argc == 2 ? print_manual(argv[1]) : -EINVAL;

        if (r < 0)
                fprintf(stderr, "protocol-document FRAME: %s\n", strerror(-r));
        return r < 0;
}
