/* options.c - the table of options, getopt over it, and the help text made of it. */
#include "options.h"
#include "base/log.h"
#include "build-config.h"
#include <getopt.h>
#include <stdio.h>

typedef enum OptionId {
        OPTION_CONFIG = 'c',
        OPTION_SOCKET = 'S',
        OPTION_HELP = 'h',
        OPTION_VERSION = 'V',
        OPTION_CHECK = 256,
        OPTION_LOG_LEVEL,
} OptionId;

static const struct {
        OptionId id;
        const char *name, *argument, *help;
} table[] = {
        {OPTION_CONFIG, "config", "FILE", "read FILE and pools.d/*.json beside it"},
        {OPTION_SOCKET, "socket", "PATH", "listen on PATH; droverctl -S and $DROVER_SOCKET name it too"},
        {OPTION_CHECK, "check", NULL, "print every fault of the configuration; exit 0 (fine) or 2"},
        {OPTION_LOG_LEVEL, "log-level", "LEVEL", "error, warning, notice, info (default) or debug"},
        {OPTION_VERSION, "version", NULL, "print the version"},
        {OPTION_HELP, "help", NULL, "print this"},
};

static int option_apply(Options *o, int id) {
        if ((id == OPTION_CONFIG || id == OPTION_SOCKET) && !*optarg) {
                (void) fprintf(stderr, "droverd: the path behind %s is empty\n", id == OPTION_CONFIG ? "--config" : "--socket");
                return -EINVAL;
        }
        switch (id) {
        case OPTION_CONFIG:
                o->config = optarg;
                return 0;
        case OPTION_SOCKET:
                o->socket = optarg;
                return 0;
        case OPTION_CHECK:
                o->is_check = true;
                return 0;
        case OPTION_VERSION:
                o->is_version = true;
                return 0;
        case OPTION_HELP:
                o->is_help = true;
                return 0;
        case OPTION_LOG_LEVEL:
                o->log_level = log_level_from_string(optarg);
                if (o->log_level >= 0)
                        return 0;
                (void) fprintf(stderr, "droverd: \"%s\" is no log level; one of error, warning, notice, info, debug\n",
                               optarg);
                return -EINVAL;
        default: /* getopt has said what is wrong */
                (void) fprintf(stderr, "Try 'droverd --help'.\n");
                return -EINVAL;
        }
}

int options_parse(int argc, char **argv, Options *ret) {
        Options o = {.log_level = LOG_INFO};
        struct option options[ARRAY_SIZE(table) + 1] = {0};
        int id, r;

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                options[i] = (struct option){.name = table[i].name,
                                             .has_arg = table[i].argument ? required_argument : no_argument,
                                             .val = (int) table[i].id};
        while ((id = getopt_long(argc, argv, "c:S:hV", options, NULL)) >= 0) {
                r = option_apply(&o, id);
                if (r < 0)
                        return r;
        }
        if (optind < argc) {
                (void) fprintf(stderr,
                               "droverd: \"%s\" is one argument too many; programs to run go into the\n"
                               "         configuration, or to a running daemon: droverctl run -- %s\n",
                               argv[optind], argv[optind]);
                return -EINVAL;
        }
        *ret = o;
        return 0;
}

void options_print_help(void) {
        (void) printf("Usage: droverd [OPTION]...\n"
                      "Keep pools of worker processes running, in the foreground, until SIGTERM or SIGINT.\n\n");
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                char head[32];

                (void) snprintf(head, sizeof(head), "--%s%s%s", table[i].name, table[i].argument ? " " : "",
                                table[i].argument ? table[i].argument : "");
                if (table[i].id < OPTION_CHECK)
                        (void) printf("  -%c, %-20s %s\n", (char) table[i].id, head, table[i].help);
                else
                        (void) printf("      %-20s %s\n", head, table[i].help);
        }
        (void) printf(
                "\nNo configuration is needed. A first one, in " DROVER_SYSCONFDIR "/drover.json\n"
                "(as a user: ~/.config/drover/drover.json):\n\n"
                "  { \"pools\": { \"web\": { \"command\": [\"/usr/bin/my-server\", \"--port\", \"8080\"],\n"
                "                        \"workers\": 4 } } }\n\n"
                "In another terminal:\n\n"
                "  droverctl status               what runs\n"
                "  droverctl run -- sleep 10      one process, now\n"
                "  droverctl logs -f web          what it prints\n"
                "  droverctl apply                carry out a changed configuration (or SIGHUP to droverd)\n\n"
                "Exit status: 0 stopped in order, 2 --check found faults, 64 wrong usage,\n"
                "71 no socket or no helper program, 75 another droverd has the socket,\n"
                "78 faulty configuration.\n"
                "Manual: droverd(8), drover.json(5), droverctl(1).\n");
}
