/* manual.c - droverctl(1), made from the tables of verbs and options, so that it cannot lag behind them. */
#include "build-config.h"
#include "ctl/command.h"

/* Text for roff: no backslash, no request at the start of a line, hyphens that can be copied. */
static void put_roff(Text *t, const char *s, size_t n) {
        bool is_start = true;

        for (size_t i = 0; i < n; i++) {
                if (is_start && (s[i] == '.' || s[i] == '\''))
                        text_append(t, "\\&");
                if (s[i] == '\\')
                        text_append(t, "\\e");
                else if (s[i] == '-')
                        text_append(t, "\\-");
                else
                        text_append_char(t, s[i]);
                is_start = s[i] == '\n';
        }
}

static void put(Text *t, const char *s) {
        put_roff(t, s, strlen(s));
}

/* Help is lines of prose, blank lines, and examples indented by four spaces. */
static void put_help(Text *t, const char *help) {
        bool is_example = false;

        for (const char *line = help; *line;) {
                size_t n = strcspn(line, "\n");
                bool is_indented = strncmp(line, "    ", 4) == 0;
                if (is_indented != is_example && n)
                        text_append(t, is_indented ? ".PP\n.RS 4\n.nf\n" : ".fi\n.RE\n.PP\n");
                if (n)
                        is_example = is_indented;
                if (n) {
                        put_roff(t, line + (is_indented ? 4 : 0), n - (is_indented ? 4 : 0));
                        text_append_char(t, '\n');
                }
                line += n + (line[n] == '\n');
        }
        if (is_example)
                text_append(t, ".fi\n.RE\n");
}

static void put_option(Text *t, OptionId id) {
        const CliOption *o = cli_option(id);

        text_append(t, ".TP\n");
        if (o->letter)
                text_appendf(t, "\\fB\\-%c\\fR, ", o->letter);
        text_append(t, "\\fB\\-\\-");
        put(t, o->name);
        text_append(t, "\\fR");
        if (o->value) {
                text_append(t, " \\fI");
                put(t, o->value);
                text_append(t, "\\fR");
        }
        text_append_char(t, '\n');
        put(t, o->help);
        text_append_char(t, '\n');
}

static void put_options(Text *t, uint64_t which) {
        for (OptionId id = 0; id < _OPT_MAX; id++)
                if (which & OPT_BIT(id))
                        put_option(t, id);
}

static void put_verb(Text *t, const CliCommand *c) {
        text_append(t, ".SS \"");
        put(t, c->name);
        text_append_char(t, ' ');
        put(t, c->usage ? c->usage : "");
        text_append(t, "\"\n");
        text_append_char(
                t, (char) (c->summary[0] - (c->summary[0] >= 'a' && c->summary[0] <= 'z' ? 'a' - 'A' : 0)));
        put(t, c->summary + 1);
        text_append(t, c->alias ? " (also: \\fB" : "");
        text_append(t, c->alias ? c->alias : "");
        text_append(t, c->alias ? "\\fR).\n" : ".\n");
        put_help(t, c->help);
        put_options(t, c->options);
}

static const char end[] =
        ".SH OUTPUT\n"
        "Tables are for people: they fit the terminal, and use colour on a terminal only (see \\-\\-color; "
        "the variable\n"
        "NO_COLOR switches it off). Piped output is not cut. \\fBwide\\fR shows a line a worker with more "
        "columns.\n"
        "\\fBjson\\fR is the daemon's result, \\fBjsonl\\fR one object a line, \\fBname\\fR one name a line. "
        "Control\n"
        "characters in what the daemon sends are shown escaped.\n"
        ".SH EXIT STATUS\n"
        ".TS\nl l.\n0\tdone\n1\tfailed\n2\twrong usage\n3\tnot running\n4\tno such "
        "thing\n5\tdenied\n6\ttimed out\n7\tno daemon\n"
        "130\tCtrl\\-C ended the waiting\n.TE\n"
        ".PP\n"
        "\\fBrun\\fR, and \\fBwait\\fR on one process, exit with its code: 0..255, 128+N when signal N "
        "killed it; \\fBrun\\fR\n"
        "with 127 when the command was not found and 126 when it could not be started.\n"
        ".SH ENVIRONMENT\n"
        ".TP\n\\fBDROVER_SOCKET\\fR\nthe daemon's socket, unless \\-S says otherwise. Without both it is\n"
        "/run/drover/control.sock for root, and $XDG_RUNTIME_DIR/drover/control.sock, else\n"
        "/tmp/drover\\-UID/control.sock for others.\n"
        ".TP\n\\fBNO_COLOR\\fR\nwhen set and not empty, no colour.\n"
        ".TP\n\\fBXDG_RUNTIME_DIR\\fR\nwhere \\fBrun\\fR makes the private directory of its FIFOs (root: "
        "/run; else /tmp).\n"
        ".SH SEE ALSO\n"
        "\\fBdroverd\\fR(8), \\fBlibdrover\\fR(3), \\fBdrover.json\\fR(5), \\fBdrover\\-protocol\\fR(7)\n";

void manual_page(Text *t) {
        const char *group = "";

        text_append(t, "'\\\" t\n.TH DROVERCTL 1 \"\" \"drover " DROVER_VERSION "\" \"User Commands\"\n"
                       ".SH NAME\ndroverctl \\- talk to droverd, the supervisor of worker processes\n"
                       ".SH SYNOPSIS\n\\fBdroverctl\\fR [\\fIOPTIONS\\fR] \\fIVERB\\fR [\\fINAME\\fR...]\n"
                       ".SH DESCRIPTION\n"
                       "Asks a running \\fBdroverd\\fR(8) to start, stop, run and report. Verbs that change "
                       "something wait until\n"
                       "it is so, unless \\-\\-no\\-wait is given; Ctrl\\-C ends the waiting only. Options "
                       "may stand before and after\n"
                       "the verb and between names; \\-\\- ends them.\n"
                       ".PP\n"
                       "A \\fINAME\\fR is a pool (web), a worker (web/0), all workers of a pool (web/*), a "
                       "glob over either, or all.\n"
                       ".SH OPTIONS\n");
        put_options(t, OPT_GLOBAL);
        for (const CliCommand *c = command_table(); c->name; c++) {
                if (!streq(group, c->group)) {
                        group = c->group;
                        text_append(t, ".SH \"VERBS: ");
                        put(t, group);
                        text_append(t, "\"\n");
                }
                put_verb(t, c);
        }
        text_append(t, end);
}
