/* command.c - the table of verbs. Order and groups are those of `droverctl help`. */
#include "ctl/command.h"

#include "base/parse.h"

#define SELECTORS                                                                                            \
        "NAME is a pool (web), a worker (web/0), all workers of a pool (web/*), a glob over either\n"        \
        "('w*', quoted from the shell) or all.\n"

/* clang-format off */
static const CliCommand commands[] = {
        {.name = "status", .alias = "ls", .group = "See", .summary = "show pools and workers", .usage = "[-w] [NAME...]",
         .help = "Without a NAME, all pools; with one that names workers, or with -o wide, a line per worker.\n" SELECTORS
                 "The status is 3 when something that was named is not running. Run processes that have ended are\n"
                 "shown when named, or with -a. With -w it stays until Ctrl-C: on a terminal the table is drawn again\n"
                 "at every event and its figures once a second; into a pipe it is printed again after each change.\n"
                 "CPU% is then that of the last second, without -w that since the process began.\n"
                 "\n"
                 "    droverctl status                    all pools\n"
                 "    droverctl status 'web/*'            each worker of web\n"
                 "    droverctl status -o json | jq .     the daemon's own words\n"
                 "    droverctl status -q web && echo up\n"
                 "    droverctl status -w                 stays, and shows every change\n",
         .options = OPT_BIT(OPT_ALL) | OPT_BIT(OPT_WATCH), .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_status},
        {.name = "describe", .group = "See", .summary = "everything about a pool or a worker", .usage = "NAME...",
         .help = "Many lines: state, process, use of CPU and memory, its last five ends with the last lines it wrote, and\n"
                 "the last ones of the process that runs, promises that are weakened here, limits, listening sockets,\n"
                 "configuration.\n"
                 "\n"
                 "    droverctl describe web/0\n",
         .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_describe},
        {.name = "top", .group = "See", .summary = "workers by CPU and memory, live", .usage = "[--sort BY] [NAME...]",
         .help = "A full screen that shows the workers once a second and at every event. Keys: arrows or j and k, PgUp,\n"
                 "PgDn, Home, End choose a worker; s stops it, S starts, r restarts, R reloads its pool, p pauses and\n"
                 "resumes, f follows its log; / filters by name, state or note; c, m, n sort by CPU, memory or name;\n"
                 "? shows this, q ends. Without a terminal it prints the table once.\n"
                 "\n"
                 "    droverctl top\n"
                 "    droverctl top --sort cpu web\n",
         .options = OPT_BIT(OPT_SORT) | OPT_BIT(OPT_ALL), .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_top},
        {.name = "logs", .group = "See", .summary = "what workers wrote", .usage = "[-n N] [-f] [--since WHEN] [--rotate | --clear] NAME...",
         .help = "Lines of stdout go to stdout, lines of stderr to stderr. With more than one worker each line begins\n"
                 "with its name. -f goes on until Ctrl-C, across rotation and restarts of the daemon. --since takes a\n"
                 "span (10m: ten minutes ago) or a time as in RFC 3339, and then shows all lines from there on\n"
                 "unless -n bounds them. --rotate begins new files, --clear deletes what there is; these are options,\n"
                 "since a word after logs is a name.\n"
                 "\n"
                 "    droverctl logs -n 100 web/0\n"
                 "    droverctl logs -f web               all workers of web as they write\n"
                 "    droverctl logs --stream stderr web\n"
                 "    droverctl logs --since 10m web/0\n"
                 "    droverctl logs math/template        what the template of math wrote\n"
                 "    droverctl logs --clear job-1\n"
                 "    droverctl logs -o jsonl web         an object a line, with its time\n",
         .options = OPT_BIT(OPT_LINES) | OPT_BIT(OPT_FOLLOW) | OPT_BIT(OPT_STREAM) | OPT_BIT(OPT_TIMESTAMPS) |
                    OPT_BIT(OPT_SINCE) | OPT_BIT(OPT_ROTATE) | OPT_BIT(OPT_CLEAR),
         .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_logs},
        {.name = "events", .group = "See", .summary = "what has happened", .usage = "[-f] [--since SEQ] [--snapshot] [--types T,...] [NAME...]",
         .help = "Prints the events the daemon remembers; -f prints new ones as they happen, across restarts of the\n"
                 "daemon, and with --since those after that number first. Names keep only events of those pools and\n"
                 "workers. Events that are no longer remembered are said to be missing. --snapshot begins with the\n"
                 "state of everything, and goes on with exactly the events behind it; the state comes again where\n"
                 "events are missing, and after a restart of the daemon.\n"
                 "\n"
                 "    droverctl events -f\n"
                 "    droverctl events -n 50 --types 'worker.*' web\n"
                 "    droverctl events --since 1200 -o jsonl\n"
                 "    droverctl events -f --snapshot -o jsonl | ./mirror\n",
         .options = OPT_BIT(OPT_FOLLOW) | OPT_BIT(OPT_SINCE) | OPT_BIT(OPT_TYPES) | OPT_BIT(OPT_LINES) | OPT_BIT(OPT_SNAPSHOT),
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
        {.name = "reload", .group = "Control", .summary = "replace workers a few at a time", .usage = "[OPTIONS] NAME...",
         .help = SELECTORS "The next ones are replaced only when the new ones are ready. The first batch that does not become\n"
                 "ready ends it: its workers are put back and the status is 1.\n"
                 "\n"
                 "    droverctl reload web\n"
                 "    droverctl reload --max-surge 1 --max-unavailable 0 --soak 5s web\n",
         .options = OPT_BIT(OPT_MAX_UNAVAILABLE) | OPT_BIT(OPT_MAX_SURGE) | OPT_BIT(OPT_SOAK), .min_names = 1,
         .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_reload},
        {.name = "rollback", .group = "Control", .summary = "undo the last reload or apply of a pool", .usage = "POOL...",
         .help = "Back to the configuration the pool had before, by a rolling replacement.\n"
                 "\n"
                 "    droverctl rollback web\n",
         .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_POOLS, .run = cmd_rollback},
        {.name = "pause", .group = "Control", .summary = "freeze workers", .usage = "NAME...",
         .help = SELECTORS "A paused worker keeps its memory and its sockets and uses no CPU. Its watchdog and health checks rest.\n"
                 "\n"
                 "    droverctl pause web/2\n",
         .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_pause},
        {.name = "resume", .group = "Control", .summary = "thaw what was paused, give tasks to what was drained", .usage = "NAME...",
         .help = SELECTORS "\n    droverctl resume web/2\n",
         .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_resume},
        {.name = "drain", .group = "Control", .summary = "give workers no new tasks", .usage = "NAME...",
         .help = SELECTORS "What they have begun they finish; wait --for idle waits for that.\n"
                 "\n"
                 "    droverctl drain math/3\n"
                 "    droverctl wait --for idle math/3 && droverctl stop math/3\n",
         .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_WORKERS, .run = cmd_drain},
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
        {.name = "wait", .group = "Control", .summary = "wait until workers have ended, are ready or idle; or for tasks", .usage = "[--for WHAT] NAME...",
         .help = "Waiting for the exit of one process, droverctl exits with its code, 128+N when signal N killed it.\n"
                 "A name may be the id of a task, POOL-N, unless a process has that name: for one, its result is printed,\n"
                 "or its error on stderr. The status is 0 when all are done, 6 when a task's time was over, else 1.\n"
                 "\n"
                 "    droverctl wait job-1; echo $?\n"
                 "    droverctl wait --for ready -T 30s web\n"
                 "    droverctl wait math-17 math-18\n",
         .options = OPT_BIT(OPT_FOR), .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_WAIT, .run = cmd_wait},

        {.name = "run", .group = "Run", .summary = "run one command, or one target of a module, under the daemon",
         .usage = "[--] COMMAND [ARG...] | run --module FILE --target NAME [ARG...]",
         .help = "As if the command had been run here: stdin, stdout, stderr and signals pass through, and droverctl\n"
                 "exits with its code (128+N for signal N, 127 not found, 126 could not be started). It works where\n"
                 "you are (or in --directory), with the daemon's clean environment and what --env adds, and lives\n"
                 "on when the daemon is restarted. With -d its output goes to the log and only its name is printed.\n"
                 "Ctrl-C reaches the command and its children; Ctrl-Z stops both.\n"
                 "\n"
                 "With --module a process calls one target of a worker module and ends: with 0, or with 1 after an\n"
                 "exception, the traceback on stderr. The words are its arguments, those as KEY=VALUE by name; what\n"
                 "is JSON is taken as JSON, anything else as a string. A first one like -5 stands after --.\n"
                 "What the target returns is dropped; submit --wait asks a pool's worker, and prints it.\n"
                 "\n"
                 "    droverctl run make -j4\n"
                 "    tar c . | droverctl run -- gzip -9 > a.tgz\n"
                 "    droverctl run -d --name job-1 -e MODE=fast -- ./work.sh 5\n"
                 "    droverctl wait job-1; droverctl logs job-1\n"
                 "    droverctl run --module ./math.so --target square 5 base=2\n",
         .options = OPT_BIT(OPT_MODULE) | OPT_BIT(OPT_TARGET) | OPT_BIT(OPT_ARGS) | OPT_BIT(OPT_KWARGS) |
                    OPT_BIT(OPT_START_METHOD) | OPT_BIT(OPT_NAME) | OPT_BIT(OPT_DETACH) | OPT_BIT(OPT_DAEMON) | OPT_BIT(OPT_ENV) | OPT_BIT(OPT_DIRECTORY) |
                    OPT_BIT(OPT_USER) | OPT_BIT(OPT_RESTART),
         .takes_command = true, .run = cmd_run},
        {.name = "submit", .group = "Run", .summary = "let a worker of a task pool call a target",
         .usage = "[--wait] [OPTIONS] POOL TARGET [ARG...]",
         .help = "Prints the task's id as soon as it is on record; from then on it survives the daemon's own death. Words\n"
                 "behind TARGET are its arguments, those as KEY=VALUE by name; what is JSON is taken as JSON, anything\n"
                 "else as a string. Options stand before POOL.\n"
                 "\n"
                 "With --wait the result is printed, text bare and anything else as JSON; the status is 0. An exception\n"
                 "goes to stderr with its traceback, and the status is 1; it is 6 when the task's time was over. Ctrl-C,\n"
                 "-T, or any other end of droverctl, cancels the task, unless --keep or --key says that it goes on.\n"
                 "\n"
                 "    droverctl submit math square 5 base=2       math-1\n"
                 "    droverctl wait math-1                       27\n"
                 "    droverctl submit --wait math square 5 base=2\n"
                 "    droverctl submit --key invoice-17 --attempts 3 mail send 17\n",
         .options = OPT_BIT(OPT_WAIT) | OPT_BIT(OPT_KEEP) | OPT_BIT(OPT_TASK_TIMEOUT) | OPT_BIT(OPT_QUEUE_TIMEOUT) | OPT_BIT(OPT_ATTEMPTS) |
                    OPT_BIT(OPT_PRIORITY) | OPT_BIT(OPT_KEY) | OPT_BIT(OPT_ARGS) | OPT_BIT(OPT_KWARGS),
         .min_names = 2, .max_names = 2, .takes_command = true, .complete = COMPLETE_POOLS, .run = cmd_submit},
        {.name = "map", .group = "Run", .summary = "call a target for each line of stdin",
         .usage = "[--raw | --count N] [OPTIONS] POOL TARGET [KEY=VALUE...]",
         .help = "Each line is a JSON value, or with --raw a string, and the target's one argument by position. For each\n"
                 "item a line of JSON comes out: the result, in order; with --unordered or -o jsonl an object with \"index\"\n"
                 "and \"result\". For an item that failed it is an object with \"index\" and \"error\" in any case, and the\n"
                 "status is 1 in the end. Lines and results are passed on as they come, however many there are. Ctrl-C\n"
                 "ends it: what no worker has begun is not done.\n"
                 "\n"
                 "    seq 1000000 | droverctl map math square >squares\n"
                 "    find . -name '*.jpg' | droverctl map --raw images thumbnail size=200\n"
                 "    droverctl map --count 100 --unordered --chunk 1 sim trial\n",
         .options = OPT_BIT(OPT_RAW) | OPT_BIT(OPT_COUNT) | OPT_BIT(OPT_UNORDERED) | OPT_BIT(OPT_CHUNK) | OPT_BIT(OPT_TASK_TIMEOUT) |
                    OPT_BIT(OPT_ATTEMPTS) | OPT_BIT(OPT_PRIORITY) | OPT_BIT(OPT_KWARGS),
         .min_names = 2, .max_names = 2, .takes_command = true, .complete = COMPLETE_POOLS, .run = cmd_map},
        {.name = "tasks", .group = "Run", .summary = "show tasks", .usage = "[--state STATE] [-n N] [POOL...]",
         .help = "Those that wait or run, and those that ended within the pool's tasks.result_ttl, oldest first. DEATHS is\n"
                 "how many workers have died with it, of how many may. Items of a map are no tasks of their own.\n"
                 "\n"
                 "    droverctl tasks math\n"
                 "    droverctl tasks --state failed -o jsonl | jq -r .error.message\n",
         .options = OPT_BIT(OPT_STATE) | OPT_BIT(OPT_LINES), .max_names = NAMES_MANY, .complete = COMPLETE_POOLS, .run = cmd_tasks},
        {.name = "cancel", .group = "Run", .summary = "end tasks, queued or running", .usage = "ID...",
         .help = "One that a worker is at is ended with that worker's process, which is replaced. The status is 3 when\n"
                 "none of them was left to cancel.\n"
                 "\n"
                 "    droverctl cancel math-17\n"
                 "    droverctl tasks -o name --state queued math | xargs droverctl cancel\n",
         .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_TASKS, .run = cmd_cancel},
        {.name = "targets", .group = "Run", .summary = "what is in a worker module", .usage = "FILE.so",
         .help = "The targets by name, with the help the module has for each. Needs no daemon.\n"
                 "\n"
                 "    droverctl targets ./math.so\n"
                 "    droverctl targets -o json ./math.so\n",
         .min_names = 1, .max_names = 1, .complete = COMPLETE_FILES, .run = cmd_targets},

        {.name = "add", .group = "Pools and configuration", .summary = "add pools at run time",
         .usage = "NAME -- COMMAND [ARG...] | NAME --module FILE | FILE.json | -",
         .help = "From a command, a worker module, or a file (- is stdin) as the configuration has it: {\"pools\": {...}}, or one\n"
                 "pool with its \"name\". Such a pool lasts until rm, stop of the daemon, or the next apply that names it.\n"
                 "\n"
                 "    droverctl add web --workers 4 -- /usr/bin/my-server --port 8080\n"
                 "    droverctl add math --workers cpus --module ./math.so\n"
                 "    droverctl add pools.json\n"
                 "    echo '{\"name\": \"tick\", \"command\": [\"sleep\", \"9\"]}' | droverctl add -\n",
         .options = OPT_BIT(OPT_ENV) | OPT_BIT(OPT_DIRECTORY) | OPT_BIT(OPT_USER) | OPT_BIT(OPT_RESTART) | OPT_BIT(OPT_WORKERS) |
                    OPT_BIT(OPT_MODULE) | OPT_BIT(OPT_TARGET) | OPT_BIT(OPT_ARGS) | OPT_BIT(OPT_KWARGS) | OPT_BIT(OPT_START_METHOD),
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
        {.name = "plan", .group = "Pools and configuration", .summary = "show what apply would do",
         .help = "A line for each key that differs, with its class: live (while it runs), next-start, or restart.\n"
                 "The status is 2 when there are changes, 0 when there are none.\n"
                 "\n"
                 "    droverctl plan\n"
                 "    droverctl plan -q; [ $? = 2 ] && echo changed\n",
         .run = cmd_plan},
        {.name = "apply", .group = "Pools and configuration", .summary = "apply the changed configuration files",
         .usage = "[--dry-run]",
         .help = "By difference: pools that did not change are not touched. A fault anywhere changes nothing.\n"
                 "Waits until the workers that it starts are ready; --no-wait does not.\n"
                 "--dry-run is plan.\n"
                 "\n"
                 "    droverctl apply\n",
         .options = OPT_BIT(OPT_DRY_RUN), .run = cmd_apply},
        {.name = "set", .group = "Pools and configuration", .summary = "override a key of a pool", .usage = "POOL KEY VALUE | --unset POOL KEY",
         .help = "KEY as in the configuration, with dots: stop.timeout. VALUE is JSON, or else plain text. The override\n"
                 "is kept in the state file and stands over the configuration file until --unset; plan shows it.\n"
                 "It is carried out at once, and what that changed is shown as by apply.\n"
                 "With --temporary it is forgotten when the daemon ends.\n"
                 "\n"
                 "    droverctl set web stop.timeout 30s\n"
                 "    droverctl set web env.DEBUG '\"1\"'\n"
                 "    droverctl set --unset web stop.timeout\n",
         .options = OPT_BIT(OPT_UNSET) | OPT_BIT(OPT_TEMPORARY), .min_names = 2, .max_names = 3,
         .complete = COMPLETE_KEYS, .run = cmd_set},
        {.name = "get", .group = "Pools and configuration", .summary = "a key of a pool, as it is in force", .usage = "POOL [KEY]",
         .help = "Without KEY, all that is set. Text is printed bare, anything else as JSON.\n"
                 "\n"
                 "    droverctl get web stop.timeout\n",
         .min_names = 1, .max_names = 2, .complete = COMPLETE_KEYS, .run = cmd_get},
        {.name = "enable", .group = "Pools and configuration", .summary = "start pools with the daemon", .usage = "[--now] POOL...",
         .help = "The wish is kept in the state file, over what the configuration says by autostart.\n"
                 "\n"
                 "    droverctl enable --now web\n",
         .options = OPT_BIT(OPT_NOW), .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_POOLS, .run = cmd_enable},
        {.name = "disable", .group = "Pools and configuration", .summary = "do not start pools with the daemon", .usage = "[--now] POOL...",
         .help = "What runs now runs on; --now stops it.\n"
                 "\n"
                 "    droverctl disable --now web\n",
         .options = OPT_BIT(OPT_NOW), .min_names = 1, .max_names = NAMES_MANY, .complete = COMPLETE_POOLS, .run = cmd_disable},
        {.name = "import", .group = "Pools and configuration", .summary = "make a configuration from another supervisor's",
         .usage = "[-O FILE] supervisord|pm2 FILE",
         .help = "supervisord: supervisord.conf with its includes, groups, numprocs and expansions. pm2: an ecosystem file\n"
                 "as JSON. The result goes to stdout, or to the file of -O. What has no equivalent, and what to do\n"
                 "instead, goes to stderr line by line. Needs no daemon.\n"
                 "\n"
                 "    droverctl import supervisord -O drover.json supervisord.conf\n"
                 "    droverctl import pm2 ecosystem.json >pools.d/apps.json\n"
                 "    droverd --check -c drover.json\n",
         .options = OPT_BIT(OPT_OUT), .min_names = 2, .max_names = 2, .complete = COMPLETE_IMPORT, .run = cmd_import},

        {.name = "info", .group = "Daemon", .summary = "about the daemon",
         .help = "Version, pids, socket, limits.\n"
                 "\n"
                 "    droverctl info -o json | jq .keeper_pid\n",
         .run = cmd_info},
        {.name = "promises", .group = "Daemon", .summary = "what this system lets the daemon keep",
         .help = "Each promise, the mechanism behind it here, and whether it is full, weakened or off, and why. -o wide\n"
                 "adds what each one means.\n"
                 "\n"
                 "    droverctl promises\n"
                 "    droverctl promises -o jsonl | jq -r 'select(.state != \"full\") | .why'\n",
         .run = cmd_promises},
        {.name = "metrics", .group = "Daemon", .summary = "print the metrics as OpenMetrics text",
         .help = "For Prometheus: as a scrape, or in a file for the node exporter (see metrics_file in drover.json(5)).\n"
                 "\n"
                 "    droverctl metrics | promtool check metrics\n",
         .run = cmd_metrics},
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
