/* command.h - the verbs of droverctl: one struct each, one table of all.
 *
 * Help, the manual's check, completion and the parser read this table; nothing about a verb is written twice.
 */
#ifndef DROVER_CTL_COMMAND_H
#define DROVER_CTL_COMMAND_H

#include "ctl/ctl.h"

typedef enum CompleteKind {
        COMPLETE_NOTHING,
        COMPLETE_WORKERS, /* pools, workers and run processes */
        COMPLETE_POOLS,
        COMPLETE_TASKS,  /* ids of tasks that are not settled */
        COMPLETE_WAIT,   /* COMPLETE_WORKERS and tasks */
        COMPLETE_VERBS,
        COMPLETE_SHELLS,
        COMPLETE_FILES,
        COMPLETE_KEYS,   /* a pool, its key, the key's value */
        COMPLETE_IMPORT, /* a kind, then a file */
} CompleteKind;

#define NAMES_MANY SIZE_MAX

struct CliCommand {
        const char *name;
        const char *alias; /* or NULL */
        const char *group; /* heading in the overview */
        const char *summary;
        const char *usage; /* what follows the verb */
        const char *help;  /* paragraphs and examples */
        uint64_t options;  /* besides OPT_GLOBAL */
        size_t min_names, max_names;
        bool takes_command; /* after max_names names, the rest is a command with its own options */
        CompleteKind complete;
        int (*run)(Ctl *c); /* returns the exit status */
};

/** command_table() - all verbs in the order of the overview; ends with .name == NULL. */
const CliCommand *command_table(void);
/** command_find() - by name or alias; NULL when there is none. */
const CliCommand *command_find(const char *word);
/** command_nearest() - the verb that begins so, else the closest one, for "did you mean"; NULL when none is
 * close. */
const char *command_nearest(const char *word);

/* cmd-status.c */
int cmd_status(Ctl *c);
int cmd_describe(Ctl *c);
/* cmd-process.c */
int cmd_start(Ctl *c);
int cmd_stop(Ctl *c);
int cmd_restart(Ctl *c);
int cmd_scale(Ctl *c);
int cmd_terminate(Ctl *c);
int cmd_kill(Ctl *c);
/* cmd-reload.c */
int cmd_reload(Ctl *c);
int cmd_rollback(Ctl *c);
int cmd_pause(Ctl *c);
int cmd_resume(Ctl *c);
int cmd_drain(Ctl *c);
/* cmd-top.c */
int cmd_top(Ctl *c);
/* cmd-run.c */
int cmd_run(Ctl *c);
/* cmd-target.c */
int cmd_targets(Ctl *c);
/* cmd-task.c, cmd-task-map.c, cmd-wait.c */
int cmd_submit(Ctl *c);
int cmd_tasks(Ctl *c);
int cmd_cancel(Ctl *c);
int cmd_map(Ctl *c);
int cmd_wait(Ctl *c);
/* cmd-log.c, cmd-event.c */
int cmd_logs(Ctl *c);
int cmd_events(Ctl *c);
/* cmd-config.c */
int cmd_add(Ctl *c);
int cmd_rm(Ctl *c);
int cmd_check(Ctl *c);
/* cmd-plan.c */
int cmd_plan(Ctl *c);
int cmd_apply(Ctl *c);
/* cmd-wish.c */
int cmd_set(Ctl *c);
int cmd_get(Ctl *c);
int cmd_enable(Ctl *c);
int cmd_disable(Ctl *c);
/* cmd-import.c */
struct Import;
typedef struct CliImportKind {
        const char *name, *help;
        int (*read)(struct Import *im, const char *path);
} CliImportKind;
extern const CliImportKind cli_import_kinds[]; /* ends with .name == NULL */
int cmd_import(Ctl *c);
/* cmd-daemon.c */
int cmd_info(Ctl *c);
int cmd_promises(Ctl *c);
int cmd_metrics(Ctl *c);
int cmd_version(Ctl *c);
int cmd_shutdown(Ctl *c);
/* completion.c */
int cmd_completion(Ctl *c);
/** complete_words() - candidates for the last of @words, one a line as "word<TAB>help"; the hidden
 * `__complete`. */
int complete_words(int n_words, char **words);
/* help.c */
int cmd_help(Ctl *c);
/* manual.c */
/** manual_page() - droverctl(1) as roff, from the tables: the hidden `__manual`, run by the build. */
void manual_page(Text *t);
/** help_overview() - all verbs and the global options. */
void help_overview(Text *t);
/** help_command() - usage, paragraphs and options of one verb. */
void help_command(Text *t, const CliCommand *command);

#endif
