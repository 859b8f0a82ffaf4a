/* cli-option.h - every option of droverctl, in one table, and the parser over it.
 *
 * A letter or a long name means the same with every verb, so that options may stand before the verb, after it
 * and between names. Which verbs accept an option stands in the verb's own line (command.c). */
#ifndef DROVER_CTL_CLI_OPTION_H
#define DROVER_CTL_CLI_OPTION_H

#include "base/clock.h"
#include "base/macro.h"
#include "base/text.h"

typedef struct CliCommand CliCommand;

typedef enum OptionId {
        OPT_SOCKET,
        OPT_OUTPUT,
        OPT_QUIET,
        OPT_TIMEOUT,
        OPT_NO_WAIT,
        OPT_COLOR,
        OPT_HELP,
        OPT_VERSION,
        OPT_ALL,
        OPT_SIGNAL,
        OPT_TREE,
        OPT_FOR,
        OPT_LINES,
        OPT_FOLLOW,
        OPT_STREAM,
        OPT_TIMESTAMPS,
        OPT_SINCE,
        OPT_TYPES,
        OPT_NAME,
        OPT_DETACH,
        OPT_DAEMON,
        OPT_ENV,
        OPT_DIRECTORY,
        OPT_USER,
        OPT_RESTART,
        OPT_WORKERS,
        OPT_WATCH,
        OPT_NOW,
        OPT_MAX_UNAVAILABLE,
        OPT_MAX_SURGE,
        OPT_SOAK,
        OPT_UNSET,
        OPT_TEMPORARY,
        OPT_DRY_RUN,
        OPT_ROTATE,
        OPT_CLEAR,
        OPT_SNAPSHOT,
        OPT_SORT,
        OPT_OUT,
        OPT_MODULE,
        OPT_TARGET,
        OPT_ARGS,
        OPT_KWARGS,
        OPT_START_METHOD,
        OPT_WAIT,
        OPT_KEEP,
        OPT_TASK_TIMEOUT,
        OPT_QUEUE_TIMEOUT,
        OPT_ATTEMPTS,
        OPT_PRIORITY,
        OPT_KEY,
        OPT_RAW,
        OPT_UNORDERED,
        OPT_CHUNK,
        OPT_COUNT,
        OPT_STATE,
        _OPT_MAX,
} OptionId;

#define OPT_BIT(id) (UINT64_C(1) << (id))
#define OPT_GLOBAL                                                                                           \
        (OPT_BIT(OPT_SOCKET) | OPT_BIT(OPT_OUTPUT) | OPT_BIT(OPT_QUIET) | OPT_BIT(OPT_TIMEOUT) |             \
         OPT_BIT(OPT_NO_WAIT) | OPT_BIT(OPT_COLOR) | OPT_BIT(OPT_HELP) | OPT_BIT(OPT_VERSION))

typedef enum OptionKind {
        OPTION_FLAG,
        OPTION_TEXT,
        OPTION_LIST, /* may repeat; only OPT_ENV, collected in CliArgs.env */
        OPTION_SPAN, /* CliArgs.number in µs */
        OPTION_COUNT,
        OPTION_INTEGER, /* CliArgs.number is an int64_t */
        OPTION_SIGNAL,
        OPTION_CHOICE, /* CliArgs.number is the index in .choices */
} OptionKind;

typedef struct CliOption {
        const char *name;
        char letter; /* 0: none */
        OptionKind kind;
        const char *value; /* what the value is called in help; NULL for a flag */
        const char *help;
        const char *const *choices; /* NULL-terminated */
} CliOption;

/** cli_option() - the table's line of @id. */
const CliOption *cli_option(OptionId id);
/** cli_option_find() - by long name or "-x"; _OPT_MAX when there is none. */
OptionId cli_option_find(const char *text);

typedef struct CliArgs {
        const CliCommand *command; /* NULL: none was given */
        uint64_t given;            /* OPT_BIT of each option given */
        const char *text[_OPT_MAX];
        uint64_t number[_OPT_MAX];
        const char **env; /* KEY=value or KEY, in order */
        size_t n_env;
        const char **names; /* positional arguments after the verb */
        size_t n_names;
        char **argv; /* the command after "--" (or after the verb's own names); borrowed from main */
        size_t n_argv;
        const char **storage; /* owned, backs env and names */
} CliArgs;

static inline bool cli_given(const CliArgs *a, OptionId id) {
        return a->given & OPT_BIT(id);
}

/**
 * cli_parse() - take the arguments apart
 * @argv:      borrowed for as long as *@a is used; argv[0] is skipped
 * @ret_error: one sentence, with the nearest known word, when something is wrong
 *
 * Pure. Does not check how many names there are: that is the verb's.
 * Return: 0; -EINVAL with the sentence; -ENOMEM.
 */
int cli_parse(CliArgs *a, int argc, char **argv, Text *ret_error);
void cli_args_done(CliArgs *a);

#endif
