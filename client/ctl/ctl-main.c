/* ctl-main.c - droverctl: arguments, then one verb.
 *
 * A quick verb is one connect, one call, one write: no locale, no configuration of our own, nothing read from
 * disk. */
#include "base/fd.h"
#include "build-config.h"
#include "ctl/command.h"
#include "ctl/output.h"
#include <unistd.h>

static int show_help(const Ctl *c) {
        _cleanup_text_ Text t = {};

        if (c->args.command)
                help_command(&t, c->args.command);
        else
                help_overview(&t);
        return ctl_put_text(&t, CTL_DONE);
}

static int show_version(void) {
        _cleanup_text_ Text t = {};

        text_append(&t, "droverctl " DROVER_VERSION "\n");
        return ctl_put_text(&t, CTL_DONE);
}

static int show_manual(void) {
        _cleanup_text_ Text t = {};

        manual_page(&t);
        return ctl_put_text(&t, CTL_DONE);
}

static int run_verb(Ctl *c) {
        const CliCommand *command = c->args.command;

        if (c->args.n_names < command->min_names)
                return ctl_usage(c, "%s wants %s", command->name, command->usage);
        if (c->args.n_names > command->max_names)
                return ctl_usage(c, "%s: one argument too many: \"%s\"", command->name,
                                 c->args.names[command->max_names]);
        return command->run(c);
}

static int run(Ctl *c, int argc, char **argv) {
        _cleanup_text_ Text error = {};
        int r = cli_parse(&c->args, argc, argv, &error);

        if (r < 0) {
                ctl_say("%s", r == -ENOMEM || !error.length ? "out of memory" : error.data);
                if (c->args.command)
                        ctl_say("more with droverctl help %s", c->args.command->name);
                else
                        ctl_say("more with droverctl help");
                return CTL_USAGE;
        }
        ctl_init(c);
        if (cli_given(&c->args, OPT_HELP))
                return show_help(c);
        if (cli_given(&c->args, OPT_VERSION))
                return show_version();
        if (!c->args.command) {
                ctl_say("which verb? `droverctl help` names them, `droverctl status` shows what there is");
                return CTL_USAGE;
        }
        return run_verb(c);
}

int main(int argc, char **argv) {
        Ctl ctl = {};

        if (argc < 1 || fd_sanitize_stdio() < 0)
                return CTL_USAGE;
        if (argc >= 2 && streq(argv[1], "__complete"))
                return complete_words(argc - 2, argv + 2);
        if (argc == 2 && streq(argv[1], "__manual"))
                return show_manual();
        int status = run(&ctl, argc, argv);
        ctl_done(&ctl);
        return status;
}
