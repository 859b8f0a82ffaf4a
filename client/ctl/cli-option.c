/* cli-option.c - the option table and the parser.
 *
 * The parser walks the arguments once. The first word that is no option is the verb; the words after it are
 * its names. For a verb that takes a command, the word after its names (or after "--") begins that command
 * and nothing behind it is ours. Values are checked here, so a verb finds only well-formed ones. */
#include "ctl/cli-option.h"

#include "base/alloc.h"
#include "base/parse.h"
#include "ctl/command.h"

static const char *const output_choices[] = {"table", "wide", "json", "jsonl", "name", NULL};
static const char *const color_choices[] = {"auto", "always", "never", NULL};
static const char *const for_choices[] = {"exit", "ready", "stopped", "idle", NULL};
static const char *const sort_choices[] = {"name", "cpu", "mem", NULL};
static const char *const stream_choices[] = {"stdout", "stderr", NULL};
static const char *const state_choices[] = {"queued", "running", "done", "failed", "cancelled", "timeout", "lost", NULL};
static const char *const restart_choices[] = {"always", "on-failure", "never", NULL};

static const CliOption options[_OPT_MAX] = {
        [OPT_SOCKET] = {"socket", 'S', OPTION_TEXT, "PATH",
                        "the daemon's socket (else $DROVER_SOCKET, else the usual place)"},
        [OPT_OUTPUT] = {"output", 'o', OPTION_CHOICE, "FORMAT", "table, wide, json, jsonl or name",
                        output_choices},
        [OPT_QUIET] = {"quiet", 'q', OPTION_FLAG, NULL, "no output but errors"},
        [OPT_TIMEOUT] = {"timeout", 'T', OPTION_SPAN, "SPAN",
                         "give up waiting after this long: 500ms, 10s, 5m"},
        [OPT_NO_WAIT] = {"no-wait", 0, OPTION_FLAG, NULL, "return at once, do not wait until it is true"},
        [OPT_COLOR] = {"color", 0, OPTION_CHOICE, "WHEN", "auto, always or never", color_choices},
        [OPT_HELP] = {"help", 'h', OPTION_FLAG, NULL, "this help; after a verb, the verb's own"},
        [OPT_VERSION] = {"version", 'V', OPTION_FLAG, NULL, "print droverctl's version"},
        [OPT_ALL] = {"all", 'a', OPTION_FLAG, NULL, "also show run processes that have ended"},
        [OPT_SIGNAL] = {"signal", 's', OPTION_SIGNAL, "SIGNAL", "HUP, SIGHUP or 1"},
        [OPT_TREE] = {"tree", 0, OPTION_FLAG, NULL, "signal the process and all its descendants"},
        [OPT_FOR] = {"for", 0, OPTION_CHOICE, "WHAT", "exit (default), ready, stopped or idle", for_choices},
        [OPT_LINES] = {"lines", 'n', OPTION_COUNT, "N", "show the last N (default 10)"},
        [OPT_FOLLOW] = {"follow", 'f', OPTION_FLAG, NULL, "go on with what is new"},
        [OPT_STREAM] = {"stream", 0, OPTION_CHOICE, "STREAM", "only stdout or only stderr", stream_choices},
        [OPT_TIMESTAMPS] = {"timestamps", 't', OPTION_FLAG, NULL, "begin each line with its time"},
        [OPT_SINCE] = {"since", 0, OPTION_TEXT, "WHEN",
                       "events: after this number; logs: 10m ago, or a time as 2026-01-02T03:04:05Z"},
        [OPT_TYPES] = {"types", 0, OPTION_TEXT, "TYPE,...", "only these events: worker.exited, 'pool.*'"},
        [OPT_NAME] = {"name", 0, OPTION_TEXT, "NAME",
                      "name of the new process (default: made from the command)"},
        [OPT_DETACH] = {"detach", 'd', OPTION_FLAG, NULL,
                        "print the name and return, output goes to the log"},
        [OPT_DAEMON] = {"daemon", 0, OPTION_FLAG, NULL, "the process dies with this droverctl"},
        [OPT_ENV] = {"env", 'e', OPTION_LIST, "KEY[=VALUE]",
                     "set a variable, or pass this one on; may repeat"},
        [OPT_DIRECTORY] = {"directory", 'C', OPTION_TEXT, "DIR", "its working directory"},
        [OPT_USER] = {"user", 'u', OPTION_TEXT, "USER", "run as this user (needs a root daemon)"},
        [OPT_RESTART] = {"restart", 0, OPTION_CHOICE, "POLICY", "always, on-failure or never",
                         restart_choices},
        [OPT_WORKERS] = {"workers", 0, OPTION_TEXT, "N", "how many: a number, cpus, 2*cpus"},
        [OPT_WATCH] = {"watch", 'w', OPTION_FLAG, NULL, "stay, and show every change until Ctrl-C"},
        [OPT_NOW] = {"now", 0, OPTION_FLAG, NULL, "also start or stop it now"},
        [OPT_MAX_UNAVAILABLE] = {"max-unavailable", 0, OPTION_TEXT, "N|P%",
                                 "so many workers may be missing meanwhile (else the pool's own: 1)"},
        [OPT_MAX_SURGE] = {"max-surge", 0, OPTION_TEXT, "N|P%",
                           "so many new ones may run beside the old ones (else the pool's own: 0)"},
        [OPT_SOAK] = {"soak", 0, OPTION_SPAN, "SPAN", "a new worker must stay ready so long to count as good"},
        [OPT_UNSET] = {"unset", 0, OPTION_FLAG, NULL, "back to what the configuration file says"},
        [OPT_TEMPORARY] = {"temporary", 0, OPTION_FLAG, NULL, "only until the daemon ends"},
        [OPT_DRY_RUN] = {"dry-run", 0, OPTION_FLAG, NULL, "show what would be done, and change nothing"},
        [OPT_ROTATE] = {"rotate", 0, OPTION_FLAG, NULL, "begin new log files now; the old ones are kept as by size"},
        [OPT_CLEAR] = {"clear", 0, OPTION_FLAG, NULL, "delete what the logs hold"},
        [OPT_SNAPSHOT] = {"snapshot", 0, OPTION_FLAG, NULL, "first the state of everything, then what changes it"},
        [OPT_SORT] = {"sort", 0, OPTION_CHOICE, "BY", "name (default), cpu or mem", sort_choices},
        [OPT_OUT] = {"out", 'O', OPTION_TEXT, "FILE", "write the result there, instead of to stdout"},
        [OPT_MODULE] = {"module", 'm', OPTION_TEXT, "FILE.so", "a worker module, in place of a command"},
        [OPT_TARGET] = {"target", 0, OPTION_TEXT, "NAME", "what of the module is called, once"},
        [OPT_ARGS] = {"args", 0, OPTION_TEXT, "JSON", "its arguments, an array; words come after them"},
        [OPT_KWARGS] = {"kwargs", 0, OPTION_TEXT, "JSON", "its arguments by name, an object"},
        [OPT_START_METHOD] = {"start-method", 0, OPTION_TEXT, "METHOD", "how its process comes to be: spawn, fork or forkserver"},
        [OPT_WAIT] = {"wait", 0, OPTION_FLAG, NULL, "wait for its end, and print its result"},
        [OPT_KEEP] = {"keep", 0, OPTION_FLAG, NULL, "let it go on when this droverctl ends before"},
        [OPT_TASK_TIMEOUT] = {"task-timeout", 0, OPTION_SPAN, "SPAN",
                              "how long one may take once a worker is at it; then that worker is killed (else tasks.timeout)"},
        [OPT_QUEUE_TIMEOUT] = {"queue-timeout", 0, OPTION_SPAN, "SPAN", "how long it may wait for a worker (else for ever)"},
        [OPT_ATTEMPTS] = {"attempts", 0, OPTION_COUNT, "N", "how many workers may die with one (else tasks.attempts)"},
        [OPT_PRIORITY] = {"priority", 0, OPTION_INTEGER, "N", "-10 to 10, higher first (0)"},
        [OPT_KEY] = {"key", 0, OPTION_TEXT, "KEY", "of your own: submitted again with it, it is the same task"},
        [OPT_RAW] = {"raw", 0, OPTION_FLAG, NULL, "a line is a string, as it stands"},
        [OPT_UNORDERED] = {"unordered", 0, OPTION_FLAG, NULL, "results as they come, each with its index"},
        [OPT_CHUNK] = {"chunk", 0, OPTION_COUNT, "N", "items a worker gets at once (else by measure); they share its fate"},
        [OPT_COUNT] = {"count", 0, OPTION_COUNT, "N", "in place of lines: the numbers from 0 to N-1"},
        [OPT_STATE] = {"state", 0, OPTION_CHOICE, "STATE", "only those that are queued, running, done, failed, ...", state_choices},
};

const CliOption *cli_option(OptionId id) {
        return &options[id];
}

static OptionId find_letter(char letter) {
        for (OptionId id = 0; id < _OPT_MAX; id++)
                if (letter && options[id].letter == letter)
                        return id;
        return _OPT_MAX;
}

static OptionId find_name(const char *name, size_t length) {
        for (OptionId id = 0; id < _OPT_MAX; id++)
                if (strlen(options[id].name) == length && !strncmp(options[id].name, name, length))
                        return id;
        return _OPT_MAX;
}

OptionId cli_option_find(const char *text) {
        if (text[0] != '-')
                return find_name(text, strlen(text));
        if (text[1] == '-')
                return find_name(text + 2, strcspn(text + 2, "="));
        return text[1] && !text[2] ? find_letter(text[1]) : _OPT_MAX;
}

static int set_choice(uint64_t *ret, const CliOption *o, const char *value, Text *error) {
        for (uint64_t i = 0; o->choices[i]; i++)
                if (streq(o->choices[i], value)) {
                        *ret = i;
                        return 0;
                }
        const char *near = name_nearest(value, o->choices);
        text_appendf(error, "--%s: \"%s\" is none of ", o->name, value);
        for (size_t i = 0; o->choices[i]; i++)
                text_appendf(error, "%s%s", i ? ", " : "", o->choices[i]);
        if (near)
                text_appendf(error, "; did you mean \"%s\"?", near);
        return -EINVAL;
}

static int set_integer(uint64_t *ret, const CliOption *o, const char *value, Text *error) {
        int64_t v;

        if (parse_i64(value, &v) < 0) {
                text_appendf(error, "--%s: \"%s\" is no number", o->name, value);
                return -EINVAL;
        }
        *ret = (uint64_t) v;
        return 0;
}

/* The value of a number-like option, or the sentence about what it wants. */
static int set_number(uint64_t *ret, const CliOption *o, const char *value, Text *error) {
        int r;

        switch (o->kind) {
        case OPTION_CHOICE:
                return set_choice(ret, o, value, error);
        case OPTION_SPAN:
                if (span_parse(value, ret) >= 0)
                        return 0;
                text_appendf(error,
                             "--%s: \"%s\" is no span of time; write 500ms, 10s, 5m or a number of seconds",
                             o->name, value);
                return -EINVAL;
        case OPTION_COUNT:
                if (parse_u64(value, ret) >= 0 && *ret <= INT64_MAX)
                        return 0;
                text_appendf(error, "--%s: \"%s\" is no number", o->name, value);
                return -EINVAL;
        case OPTION_INTEGER:
                return set_integer(ret, o, value, error);
        case OPTION_SIGNAL:
                r = signal_from_string(value);
                if (r > 0) {
                        *ret = (uint64_t) r;
                        return 0;
                }
                text_appendf(error, "--%s: \"%s\" is no signal; write HUP, SIGHUP, 1 or RTMIN+3", o->name,
                             value);
                return -EINVAL;
        default:
                return 0;
        }
}

static int take_value(CliArgs *a, OptionId id, const char *value, Text *error) {
        const CliOption *o = &options[id];
        uint64_t number = 0;

        if (o->kind == OPTION_LIST) {
                if (!*value || *value == '=') {
                        text_appendf(error, "--%s: wants KEY=VALUE or KEY", o->name);
                        return -EINVAL;
                }
                a->env[a->n_env++] = value;
        } else {
                int r = set_number(&number, o, value, error);
                if (r < 0)
                        return r;
        }
        a->text[id] = value;
        a->number[id] = number;
        a->given |= OPT_BIT(id);
        return 0;
}

/* The nearest one is sought among those the verb takes, if the verb is known already. */
static int unknown_option(const CliArgs *a, const char *word, size_t length, Text *error) {
        uint64_t which = a->command ? a->command->options | OPT_GLOBAL : UINT64_MAX;
        const char *names[_OPT_MAX + 1] = {NULL};
        char name[64];
        size_t n = 0;

        for (OptionId id = 0; id < _OPT_MAX; id++)
                if (which & OPT_BIT(id))
                        names[n++] = options[id].name;
        text_appendf(error, "unknown option \"%.*s\"", (int) MIN(length, (size_t) 200), word);
        if (word[1] == '-' && length > 2 && length - 2 < sizeof(name)) {
                memcpy(name, word + 2, length - 2);
                name[length - 2] = '\0';
                const char *near = name_nearest(name, names);
                if (near)
                        text_appendf(error, "; did you mean --%s?", near);
        } else if (word[1] >= '0' && word[1] <= '9' && !(which & OPT_BIT(OPT_SIGNAL)))
                text_append(error, "; an argument that begins with - stands behind --");
        else if (word[1] >= '0' && word[1] <= '9')
                text_appendf(error, "; a signal is given by -s %.*s", (int) MIN(length - 1, (size_t) 200),
                             word + 1);
        return -EINVAL;
}

/* "--name", "--name=value", "--name value". *i is moved past a value taken from the next argument. */
static int parse_long(CliArgs *a, int argc, char **argv, int *i, Text *error) {
        const char *word = argv[*i] + 2;
        size_t length = strcspn(word, "=");
        OptionId id = find_name(word, length);

        if (id == _OPT_MAX)
                return unknown_option(a, argv[*i], length + 2, error);
        if (options[id].kind == OPTION_FLAG) {
                if (word[length]) {
                        text_appendf(error, "--%s takes no value", options[id].name);
                        return -EINVAL;
                }
                a->given |= OPT_BIT(id);
                return 0;
        }
        if (word[length])
                return take_value(a, id, word + length + 1, error);
        if (*i + 1 >= argc) {
                text_appendf(error, "--%s wants a value: %s", options[id].name, options[id].value);
                return -EINVAL;
        }
        return take_value(a, id, argv[++*i], error);
}

/* "-f", "-fq", "-n5", "-n 5". */
static int parse_short(CliArgs *a, int argc, char **argv, int *i, Text *error) {
        const char *word = argv[*i];

        for (const char *p = word + 1; *p; p++) {
                OptionId id = find_letter(*p);
                if (id == _OPT_MAX)
                        return unknown_option(a, word, strlen(word), error);
                if (options[id].kind == OPTION_FLAG) {
                        a->given |= OPT_BIT(id);
                        continue;
                }
                if (p[1])
                        return take_value(a, id, p + 1, error);
                if (*i + 1 >= argc) {
                        text_appendf(error, "-%c wants a value: %s", *p, options[id].value);
                        return -EINVAL;
                }
                return take_value(a, id, argv[++*i], error);
        }
        return 0;
}

static int take_verb(CliArgs *a, const char *word, Text *error) {
        a->command = command_find(word);
        if (a->command)
                return 0;
        const char *near = command_nearest(word);
        text_appendf(error, "unknown verb \"%s\"", word);
        if (near)
                text_appendf(error, "; did you mean \"%s\"?", near);
        return -EINVAL;
}

/* Options of other verbs are refused, not ignored: the user meant something by them. */
static int check_allowed(const CliArgs *a, Text *error) {
        if (!a->command)
                return 0;
        for (OptionId id = 0; id < _OPT_MAX; id++)
                if (cli_given(a, id) && !((a->command->options | OPT_GLOBAL) & OPT_BIT(id))) {
                        text_appendf(error, "%s has no option --%s", a->command->name, options[id].name);
                        return -EINVAL;
                }
        return 0;
}

static void take_rest(CliArgs *a, int argc, char **argv, int from) {
        a->argv = argv + from;
        a->n_argv = (size_t) (argc - from);
}

static bool begins_command(const CliArgs *a) {
        return a->command && a->command->takes_command && a->n_names == a->command->max_names;
}

static int parse_words(CliArgs *a, int argc, char **argv, Text *error) {
        bool is_plain = false; /* after "--" */
        int r;

        for (int i = 1; i < argc; i++) {
                const char *word = argv[i];
                bool is_option = !is_plain && word[0] == '-' && word[1];

                if (is_option && streq(word, "--")) {
                        if (a->command && a->command->takes_command) {
                                take_rest(a, argc, argv, i + 1);
                                return 0;
                        }
                        is_plain = true;
                } else if (is_option) {
                        r = word[1] == '-' ? parse_long(a, argc, argv, &i, error)
                                           : parse_short(a, argc, argv, &i, error);
                        if (r < 0)
                                return r;
                } else if (!a->command) {
                        r = take_verb(a, word, error);
                        if (r < 0)
                                return r;
                } else if (begins_command(a)) {
                        take_rest(a, argc, argv, i);
                        return 0;
                } else
                        a->names[a->n_names++] = word;
        }
        return 0;
}

int cli_parse(CliArgs *a, int argc, char **argv, Text *ret_error) {
        *a = (CliArgs){};
        a->storage = NEW0_ARRAY(const char *, (size_t) MAX(argc, 1) * 2);
        if (!a->storage)
                return -ENOMEM;
        a->env = a->storage;
        a->names = a->storage + MAX(argc, 1);
        int r = parse_words(a, argc, argv, ret_error);
        return r < 0 ? r : check_allowed(a, ret_error);
}

void cli_args_done(CliArgs *a) {
        free(a->storage);
        *a = (CliArgs){};
}
