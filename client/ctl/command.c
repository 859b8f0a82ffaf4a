/* command.c - the table of verbs. Order and groups are those of `droverctl help`. */
#include "ctl/command.h"

#include "base/parse.h"

#define SELECTORS                                                                                            \
        "NAME is a pool (web), a worker (web/0), all workers of a pool (web/*), a glob over either\n"        \
        "('w*', quoted from the shell) or all.\n"

/* clang-format off */
static const CliCommand commands[] = {
        {.name = "status", .alias = "ls", .group = "See", .summary = "show pools and workers", .usage = "[NAME...]",
         .help = "Without a NAME, all pools; with one that names workers, or with -o wide, a line per worker.\n" SELECTORS
                 "The status is 3 when something that was named is not running. Run processes that have ended are\n"
                 "shown when named, or with -a.\n"
                 "\n"
                 "    droverctl status                    all pools\n"
                 "    droverctl status 'web/*'            each worker of web\n"
                 "    droverctl status -o json | jq .     the daemon's own words\n"
                 "    droverctl status -q web && echo up\n",
         .options = OPT_BIT(OPT_ALL), .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_status},
        {.name = "describe", .group = "See", .summary = "everything about a pool or a worker", .usage = "NAME...",
         .help = "Many lines: state, process, use of CPU and memory, how it last ended, its configuration.\n"
                 "\n"
                 "    droverctl describe web/0\n",
         .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_describe},
        {.name = "logs", .group = "See", .summary = "what workers wrote", .usage = "[-n N] [-f] NAME...",
         .help = "Lines of stdout go to stdout, lines of stderr to stderr. With more than one worker each line begins\n"
                 "with its name. -f goes on until Ctrl-C, across rotation and restarts of the daemon.\n"
                 "\n"
                 "    droverctl logs -n 100 web/0\n"
                 "    droverctl logs -f web               all workers of web as they write\n"
                 "    droverctl logs --stream stderr web\n"
                 "    droverctl logs -o jsonl web         an object a line, with its time\n",
         .options = OPT_BIT(OPT_LINES) | OPT_BIT(OPT_FOLLOW) | OPT_BIT(OPT_STREAM) | OPT_BIT(OPT_TIMESTAMPS),
         .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_logs},
        {.name = "events", .group = "See", .summary = "what has happened", .usage = "[-f] [--since SEQ] [--types T,...] [NAME...]",
         .help = "Prints the events the daemon remembers; -f prints new ones as they happen, across restarts of the\n"
                 "daemon, and with --since those after that number first. Names keep only events of those pools and\n"
                 "workers. Events that are no longer remembered are said to be missing.\n"
                 "\n"
                 "    droverctl events -f\n"
                 "    droverctl events -n 50 --types 'worker.*' web\n"
                 "    droverctl events --since 1200 -o jsonl\n",
         .options = OPT_BIT(OPT_FOLLOW) | OPT_BIT(OPT_SINCE) | OPT_BIT(OPT_TYPES) | OPT_BIT(OPT_LINES),
         .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_events},

        {.name = "start", .group = "Control", .summary = "start workers, wait until they are ready", .usage = "NAME...",
         .help = SELECTORS "Starting what runs already is done at once. A worker in back-off or failed is tried again now.\n"
                 "\n"
                 "    droverctl start web\n"
                 "    droverctl -T 30s start all\n",
         .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_start},
        {.name = "stop", .group = "Control", .summary = "stop workers, wait until they have ended", .usage = "NAME...",
         .help = SELECTORS "The pool's stop signal first, SIGKILL to the whole tree after its stop timeout.\n"
                 "\n"
                 "    droverctl stop web/3\n"
                 "    droverctl stop --no-wait all\n",
         .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_stop},
        {.name = "restart", .group = "Control", .summary = "stop, then start", .usage = "NAME...",
         .help = SELECTORS "All named workers at once.\n"
                 "\n"
                 "    droverctl restart web\n",
         .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_restart},
        {.name = "scale", .group = "Control", .summary = "change how many workers a pool has", .usage = "POOL N",
         .help = "Workers that stay are not touched; the highest numbers go first. N is a number, cpus or 2*cpus.\n"
                 "\n"
                 "    droverctl scale web 8\n",
         .min_names = 2, .max_names = 2, .complete = COMPLETE_POOLS, .run = cmd_scale},
        {.name = "terminate", .group = "Control", .summary = "send SIGTERM or another signal",
         .usage = "[-s SIGNAL] [--tree] NAME...",
         .help = "Only a signal, SIGTERM without -s: what becomes of the worker is up to its restart policy. To end it for good, stop it.\n"
                 "The status is 3 when there was no process to signal.\n"
                 "\n"
                 "    droverctl terminate web/0\n",
         .options = OPT_BIT(OPT_SIGNAL) | OPT_BIT(OPT_TREE), .min_names = 1, .max_names = NAMES_MANY,
         .complete = COMPLETE_WORKERS, .run = cmd_terminate},
        {.name = "kill", .group = "Control", .summary = "send SIGKILL or another signal", .usage = "[-s SIGNAL] [--tree] NAME...",
         .help = "Without -s SIGKILL. As with terminate, the restart policy decides what follows.\n"
                 "\n"
                 "    droverctl kill web/0\n"
                 "    droverctl kill -s HUP web           all workers reread their files\n",
         .options = OPT_BIT(OPT_SIGNAL) | OPT_BIT(OPT_TREE), .min_names = 1, .max_names = NAMES_MANY,
         .complete = COMPLETE_WORKERS, .run = cmd_kill},
        {.name = "wait", .group = "Control", .summary = "wait until workers have ended, or are ready", .usage = "[--for WHAT] NAME...",
         .help = "Waiting for the exit of one process, droverctl exits with its code, 128+N when signal N killed it.\n"
                 "\n"
                 "    droverctl wait job-1; echo $?\n"
                 "    droverctl wait --for ready -T 30s web\n",
         .options = OPT_BIT(OPT_FOR), .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_wait},

        {.name = "run", .group = "Run", .summary = "run one command under the daemon", .usage = "[OPTIONS] [--] COMMAND [ARG...]",
         .help = "As if the command had been run here: stdin, stdout, stderr and signals pass through, and droverctl\n"
                 "exits with its code (128+N for signal N, 127 not found, 126 could not be started). It works where\n"
                 "you are (or in --directory), with the daemon's clean environment and what --env adds, and lives\n"
                 "on when the daemon is restarted. With -d its output goes to the log and only its name is printed.\n"
                 "Ctrl-C reaches the command and its children; Ctrl-Z stops both.\n"
                 "\n"
                 "    droverctl run make -j4\n"
                 "    tar c . | droverctl run -- gzip -9 > a.tgz\n"
                 "    droverctl run -d --name job-1 -e MODE=fast -- ./work.sh 5\n"
                 "    droverctl wait job-1; droverctl logs job-1\n",
         .options = OPT_BIT(OPT_NAME) | OPT_BIT(OPT_DETACH) | OPT_BIT(OPT_DAEMON) | OPT_BIT(OPT_ENV) | OPT_BIT(OPT_DIRECTORY) |
                    OPT_BIT(OPT_USER) | OPT_BIT(OPT_RESTART),
         .takes_command = true, .run = cmd_run},

        {.name = "add", .group = "Pools and configuration", .summary = "add pools at run time",
         .usage = "NAME [OPTIONS] -- COMMAND [ARG...] | add FILE.json | add -",
         .help = "From a command, or from a file (- is stdin) as the configuration has it: {\"pools\": {...}}, or one\n"
                 "pool with its \"name\". Such a pool lasts until rm, stop of the daemon, or the next apply that names it.\n"
                 "\n"
                 "    droverctl add web --workers 4 -- /usr/bin/my-server --port 8080\n"
                 "    droverctl add pools.json\n"
                 "    echo '{\"name\": \"tick\", \"command\": [\"sleep\", \"9\"]}' | droverctl add -\n",
         .options = OPT_BIT(OPT_ENV) | OPT_BIT(OPT_DIRECTORY) | OPT_BIT(OPT_USER) | OPT_BIT(OPT_RESTART) | OPT_BIT(OPT_WORKERS),
         .min_names = 1, .max_names = 1, .takes_command = true, .complete = COMPLETE_FILES, .run = cmd_add},
        {.name = "rm", .alias = "remove", .group = "Pools and configuration", .summary = "stop and forget pools", .usage = "POOL...",
         .help = "\n    droverctl rm web\n",
         .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_POOLS, .run = cmd_rm},
        {.name = "check", .group = "Pools and configuration", .summary = "check the configuration files",
         .help = "The daemon reads its files as they are now and names every fault with file, line and column; nothing\n"
                 "changes. Without a daemon, `droverd --check` does the same.\n"
                 "\n"
                 "    droverctl check && droverctl apply\n",
         .run = cmd_check},
        {.name = "apply", .group = "Pools and configuration", .summary = "apply the changed configuration files",
         .help = "By difference: pools that did not change are not touched. A fault anywhere changes nothing.\n"
                 "\n"
                 "    droverctl apply\n",
         .run = cmd_apply},

        {.name = "info", .group = "Daemon", .summary = "about the daemon",
         .help = "Version, pids, socket, limits.\n"
                 "\n"
                 "    droverctl info -o json | jq .keeper_pid\n",
         .run = cmd_info},
        {.name = "version", .group = "Daemon", .summary = "versions of droverctl and of the daemon",
         .help = "\n    droverctl version\n", .run = cmd_version},
        {.name = "shutdown", .group = "Daemon", .summary = "stop the daemon and its workers",
         .help = "Waits until the daemon has gone; pools with \"on_daemon_exit\": \"keep\" run on.\n"
                 "\n"
                 "    droverctl shutdown\n",
         .run = cmd_shutdown},
        {.name = "completion", .group = "Daemon", .summary = "print a shell's completion script", .usage = "bash|zsh|fish",
         .help = "Names are completed from the running daemon.\n"
                 "\n"
                 "    source <(droverctl completion bash)\n"
                 "    droverctl completion fish > ~/.config/fish/completions/droverctl.fish\n",
         .min_names = 1, .max_names = 1, .complete = COMPLETE_SHELLS, .run = cmd_completion},
        {.name = "help", .group = "Daemon", .summary = "help on a verb", .usage = "[VERB]",
         .help = "\n    droverctl help run\n", .max_names = 1, .complete = COMPLETE_VERBS, .run = cmd_help},
        {.name = NULL},
};
/* clang-format on */

const CliCommand *command_table(void) {
        return commands;
}

const CliCommand *command_find(const char *word) {
        for (const CliCommand *c = commands; c->name; c++)
                if (streq(c->name, word) || (c->alias && streq(c->alias, word)))
                        return c;
        return NULL;
}

const char *command_nearest(const char *word) {
        const char *names[2 * ARRAY_SIZE(commands) + 1];
        size_t n = 0;

        for (const CliCommand *c = commands; *word && c->name; c++)
                if (strncmp(c->name, word, strlen(word)) == 0)
                        return c->name;
        for (const CliCommand *c = commands; c->name; c++) {
                names[n++] = c->name;
                if (c->alias)
                        names[n++] = c->alias;
        }
        names[n] = NULL;
        return name_nearest(word, names);
}
