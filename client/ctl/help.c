/* help.c - help made from the tables: the overview, and each verb's page. */
#include "ctl/command.h"
#include "ctl/output.h"

#define HELP_WIDTH 80
#define OPTION_COLUMN 28

/* The words of @s up to @n bytes, filled into lines; @column is where we stand, @indent where the next lines
 * begin. */
static void put_filled(Text *t, const char *s, size_t n, size_t column, size_t indent) {
        for (size_t i = 0; i < n;) {
                size_t word = strcspn(s + i, " \n");
                word = MIN(word, n - i);
                if (column > indent && column + 1 + word > HELP_WIDTH) {
                        text_append_char(t, '\n');
                        for (column = 0; column < indent; column++)
                                text_append_char(t, ' ');
                } else if (column > indent) {
                        text_append_char(t, ' ');
                        column++;
                }
                text_append_n(t, s + i, word);
                column += word;
                for (i += word; i < n && (s[i] == ' ' || s[i] == '\n'); i++)
                        ;
        }
        text_append_char(t, '\n');
}

/* A paragraph ends at an empty line, at an example (indented, printed as it is) and at the end. */
static size_t paragraph_length(const char *s) {
        size_t n = 0;

        while (s[n] && strncmp(s + n, "\n\n", 2) != 0 && strncmp(s + n, "\n    ", 5) != 0)
                n++;
        return n;
}

static void put_paragraphs(Text *t, const char *s) {
        while (*s) {
                bool is_verbatim = *s == ' ' || *s == '\n';
                size_t n = is_verbatim ? strcspn(s, "\n") : paragraph_length(s);
                if (is_verbatim) {
                        text_append_n(t, s, n);
                        text_append_char(t, '\n');
                } else
                        put_filled(t, s, n, 0, 0);
                s += n + (s[n] == '\n');
        }
}

static void put_padded(Text *t, const char *s, size_t width) {
        size_t n = strlen(s);

        text_append(t, s);
        for (; n < width; n++)
                text_append_char(t, ' ');
}

static void put_option(Text *t, OptionId id) {
        const CliOption *o = cli_option(id);
        _cleanup_text_ Text left = {};

        if (o->letter)
                text_appendf(&left, "  -%c, --%s", o->letter, o->name);
        else
                text_appendf(&left, "      --%s", o->name);
        if (o->value)
                text_appendf(&left, " %s", o->value);
        if (text_check(&left) < 0 || !left.data) {
                t->failed = true;
                return;
        }
        put_padded(t, left.data, OPTION_COLUMN);
        put_filled(t, o->help, strlen(o->help), OPTION_COLUMN, OPTION_COLUMN);
}

static void put_options(Text *t, const char *title, uint64_t which) {
        if (!which)
                return;
        text_appendf(t, "\n%s\n", title);
        for (OptionId id = 0; id < _OPT_MAX; id++)
                if (which & OPT_BIT(id))
                        put_option(t, id);
}

void help_overview(Text *t) {
        const char *group = "";

        text_append(t, "droverctl [OPTIONS] VERB [NAME...]  -  talk to droverd\n");
        for (const CliCommand *c = command_table(); c->name; c++) {
                if (!streq(group, c->group)) {
                        group = c->group;
                        text_appendf(t, "\n%s\n", group);
                }
                text_append(t, "  ");
                put_padded(t, c->name, 12);
                text_append(t, c->summary);
                text_append(t, c->alias ? " (also: " : "");
                text_append(t, c->alias ? c->alias : "");
                text_append(t, c->alias ? ")\n" : "\n");
        }
        put_options(t, "Options, before or after the verb", OPT_GLOBAL);
        text_append(t, "\nNames: web (a pool), web/0 (a worker), 'web/*', globs, all.\n"
                       "Exit status: 0 done, 1 failed, 2 usage, 3 not running, 4 no such thing,\n"
                       "5 denied, 6 timed out, 7 no daemon; run, and wait on one process, exit with\n"
                       "its code.\n"
                       "\n"
                       "    droverctl add web --workers 2 -- python3 -m http.server 8080\n"
                       "    droverctl status\n"
                       "    droverctl help run\n");
}

void help_command(Text *t, const CliCommand *c) {
        text_appendf(t, "droverctl %s%s%s\n%s%s%s%s\n\n", c->name, c->usage ? " " : "",
                     c->usage ? c->usage : "", c->summary, c->alias ? " (also: " : "",
                     c->alias ? c->alias : "", c->alias ? ")" : "");
        put_paragraphs(t, c->help[0] == '\n' ? c->help + 1 : c->help);
        put_options(t, "Options", c->options);
        put_options(t, "Options of all verbs", OPT_GLOBAL & ~OPT_BIT(OPT_VERSION));
}

int cmd_help(Ctl *c) {
        const char *verb = c->args.n_names ? c->args.names[0] : NULL;
        _cleanup_text_ Text t = {};

        if (!verb)
                help_overview(&t);
        else if (command_find(verb))
                help_command(&t, command_find(verb));
        else {
                const char *near = command_nearest(verb);
                return ctl_usage(c, "no verb \"%s\"%s%s%s", verb, near ? "; did you mean \"" : "",
                                 near ? near : "", near ? "\"?" : "");
        }
        return ctl_put_text(&t, CTL_DONE);
}
