/* completion.c - completion for bash, zsh and fish.
 *
 * The scripts are thin: they hand the words typed so far to `droverctl __complete WORDS...`, the last being
 * the one to complete, and get candidates one a line, "word<TAB>what it is". A line ":files" asks for file
 * names. What stands in the tables is thus completed without being written again; names come from the running
 * daemon, quickly or not. */
#include "ctl/command.h"
#include "ctl/output.h"
#include <unistd.h>

/* A shell waits for us: a daemon that is slower than this has no candidates. */
#define COMPLETE_TIMEOUT USEC_PER_SEC

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static const char bash_script[] =
        "# bash completion for droverctl: candidates come from droverctl itself.\n"
        "_droverctl() {\n"
        "        local line IFS=$'\\n'\n"
        "        COMPREPLY=()\n"
        "        while IFS= read -r line; do\n"
        "                if [ \"$line\" = \":files\" ]; then\n"
        "                        compopt -o filenames 2>/dev/null\n"
        "                        COMPREPLY+=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
        "                else\n"
        "                        COMPREPLY+=(\"${line%%$'\\t'*}\")\n"
        "                fi\n"
        "        done < <(droverctl __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
        "}\n"
        "complete -F _droverctl droverctl\n";

static const char zsh_script[] =
        "#compdef droverctl\n"
        "# zsh completion for droverctl: candidates come from droverctl itself.\n"
        "_droverctl() {\n"
        "        local line\n"
        "        local -a plain described\n"
        "        while IFS= read -r line; do\n"
        "                if [[ \"$line\" == \":files\" ]]; then\n"
        "                        _files\n"
        "                else\n"
        "                        plain+=(\"${line%%$'\\t'*}\")\n"
        "                        described+=(\"${line/$'\\t'/  -- }\")\n"
        "                fi\n"
        "        done < <(droverctl __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
        "        (( $#plain )) && compadd -l -d described -- \"${plain[@]}\"\n"
        "}\n"
        "if [ \"$funcstack[1]\" = \"_droverctl\" ]; then _droverctl \"$@\"; else compdef _droverctl "
        "droverctl; fi\n";

static const char fish_script[] = "# fish completion for droverctl: candidates come from droverctl itself.\n"
                                  "function __droverctl_complete\n"
                                  "        set -l words (commandline -opc)[2..-1] (commandline -ct)\n"
                                  "        for line in (droverctl __complete $words 2>/dev/null)\n"
                                  "                if test \"$line\" = \":files\"\n"
                                  "                        __fish_complete_path (commandline -ct)\n"
                                  "                else\n"
                                  "                        echo $line\n"
                                  "                end\n"
                                  "        end\n"
                                  "end\n"
                                  "complete -c droverctl -f -a '(__droverctl_complete)'\n";

int cmd_completion(Ctl *c) {
        static const char *const scripts[] = {bash_script, zsh_script, fish_script};
        _cleanup_text_ Text t = {};

        for (size_t i = 0; shells[i]; i++)
                if (streq(shells[i], c->args.names[0])) {
                        text_append(&t, scripts[i]);
                        return ctl_put_text(&t, CTL_DONE);
                }
        return ctl_usage(c, "no completion for \"%s\"; there is bash, zsh and fish", c->args.names[0]);
}

static void put(Text *t, const char *prefix, const char *word, const char *help) {
        if (strncmp(word, prefix, strlen(prefix)) != 0)
                return;
        escape_append(t, word);
        text_append_char(t, '\t');
        escape_append(t, help);
        text_append_char(t, '\n');
}

static void put_verbs(Text *t, const char *prefix) {
        for (const CliCommand *c = command_table(); c->name; c++)
                put(t, prefix, c->name, c->summary);
}

static void put_options(Text *t, const char *prefix, const CliCommand *command) {
        uint64_t which = OPT_GLOBAL | (command ? command->options : 0);

        for (OptionId id = 0; id < _OPT_MAX; id++) {
                char word[64] = "--";
                if (!(which & OPT_BIT(id)))
                        continue;
                strncat(word, cli_option(id)->name, sizeof(word) - 3);
                put(t, prefix, word, cli_option(id)->help);
        }
}

static void put_names(Text *t, const char *prefix, const char *socket, bool with_workers) {
        _cleanup_(session_freep) Session *s = NULL;
        _cleanup_call_error_ CallError error = {};
        _cleanup_json_ json_t *result = NULL;
        const json_t *p, *w;
        size_t i, k;

        if (session_open(&s, socket, &error) < 0 ||
            session_call(s, "status", NULL, COMPLETE_TIMEOUT, &result, &error) < 0)
                return;
        json_array_foreach(json_object_get(result, "pools"), i, p) {
                const char *name = member_text(p, "name", "");
                put(t, prefix, name, member_text(p, "state", ""));
                /* Workers only once the pool is typed: web, then web/0, web/1. */
                if (!with_workers || !strchr(prefix, '/'))
                        continue;
                json_array_foreach(json_object_get(p, "workers"), k, w)
                        if (!streq(member_text(w, "name", ""), name))
                                put(t, prefix, member_text(w, "name", ""), member_text(w, "state", ""));
        }
        if (with_workers)
                put(t, prefix, "all", "every worker");
}

/* Tasks that are not settled yet. */
static void put_tasks(Text *t, const char *prefix, const char *socket) {
        static const char *const states[] = {"running", "queued"};
        _cleanup_(session_freep) Session *s = NULL;
        _cleanup_call_error_ CallError error = {};

        if (session_open(&s, socket, &error) < 0)
                return;
        for (size_t k = 0; k < ARRAY_SIZE(states); k++) {
                _cleanup_json_ json_t *params = json_pack("{s:s}", "state", states[k]), *result = NULL;
                const json_t *task;
                size_t i;
                if (session_call(s, "task.list", params, COMPLETE_TIMEOUT, &result, &error) < 0)
                        return;
                json_array_foreach(json_object_get(result, "tasks"), i, task)
                        put(t, prefix, member_text(task, "task", ""), member_text(task, "target", ""));
        }
}

/* Keys of a pool; with @of, the words that may stand for that one. The daemon knows both. */
static void put_keys(Text *t, const char *prefix, const char *socket, const char *of) {
        _cleanup_(session_freep) Session *s = NULL;
        _cleanup_call_error_ CallError error = {};
        _cleanup_json_ json_t *result = NULL;
        const json_t *key, *value;
        size_t i, k;

        if (session_open(&s, socket, &error) < 0 ||
            session_call(s, "rpc.discover", NULL, COMPLETE_TIMEOUT, &result, &error) < 0)
                return;
        json_array_foreach(json_object_get(json_object_get(result, "components"), "x-pool-keys"), i, key) {
                const char *name = member_text(key, "key", "");
                if (!of)
                        put(t, prefix, name, member_text(key, "description", ""));
                else if (streq(of, name))
                        json_array_foreach(json_object_get(key, "values"), k, value)
                                put(t, prefix, json_string_value(value) ? json_string_value(value) : "", "");
        }
}

/* The value of the option before: choices, files, or nothing we could know. */
static void put_values(Text *t, const char *prefix, OptionId id) {
        static const char *const signals[] = {"HUP",  "INT",  "QUIT", "KILL", "USR1",
                                              "USR2", "TERM", "CONT", "STOP", NULL};
        const CliOption *o = cli_option(id);
        const char *const *values = o->kind == OPTION_SIGNAL ? signals : o->choices;

        for (size_t i = 0; values && values[i]; i++)
                put(t, prefix, values[i], "");
        if (id == OPT_SOCKET || id == OPT_DIRECTORY || id == OPT_OUT)
                text_append(t, ":files\n");
}

static OptionId option_wanting_value(int n_words, char **words) {
        const char *before = n_words > 1 ? words[n_words - 2] : "";
        OptionId id = before[0] == '-' && before[1] ? cli_option_find(before) : _OPT_MAX;

        return id < _OPT_MAX && cli_option(id)->kind != OPTION_FLAG && !strchr(before, '=') ? id : _OPT_MAX;
}

static void put_arguments(Text *t, const char *prefix, const CliArgs *a) {
        const CliCommand *c = a->command;
        bool is_command = c->takes_command && (a->argv || a->n_names >= c->max_names);

        if ((is_command && c->complete != COMPLETE_POOLS) || c->complete == COMPLETE_FILES)
                text_append(t, ":files\n");
        else if (a->n_names >= c->max_names)
                return;
        else if (c->complete == COMPLETE_IMPORT && a->n_names >= 1)
                text_append(t, ":files\n");
        else if (c->complete == COMPLETE_IMPORT)
                for (const CliImportKind *k = cli_import_kinds; k->name; k++)
                        put(t, prefix, k->name, k->help);
        else if (c->complete == COMPLETE_VERBS)
                put_verbs(t, prefix);
        else if (c->complete == COMPLETE_SHELLS)
                for (size_t i = 0; shells[i]; i++)
                        put(t, prefix, shells[i], "");
        else if (c->complete == COMPLETE_KEYS && a->n_names > 0)
                put_keys(t, prefix, a->text[OPT_SOCKET], a->n_names > 1 ? a->names[1] : NULL);
        else if (c->complete == COMPLETE_TASKS)
                put_tasks(t, prefix, a->text[OPT_SOCKET]);
        else if (c->complete == COMPLETE_WORKERS || c->complete == COMPLETE_KEYS || c->complete == COMPLETE_WAIT ||
                 (c->complete == COMPLETE_POOLS && (a->n_names == 0 || c->max_names == NAMES_MANY)))
                put_names(t, prefix, a->text[OPT_SOCKET], c->complete == COMPLETE_WORKERS || c->complete == COMPLETE_WAIT);
        if (c->complete == COMPLETE_WAIT && !strchr(prefix, '/'))
                put_tasks(t, prefix, a->text[OPT_SOCKET]);
}

int complete_words(int n_words, char **words) {
        const char *prefix = n_words > 0 ? words[n_words - 1] : "";
        OptionId wanting = option_wanting_value(n_words, words);
        _cleanup_text_ Text t = {}, error = {};
        CliArgs args = {};

        /* words[-1] is "__complete": it stands where the parser skips the program's name. */
        (void) cli_parse(&args, MAX(n_words, 1), words - 1, &error);
        if (wanting < _OPT_MAX)
                put_values(&t, prefix, wanting);
        else if (prefix[0] == '-' && !args.argv)
                put_options(&t, prefix, args.command);
        else if (!args.command)
                put_verbs(&t, prefix);
        else if (args.command->complete != COMPLETE_NOTHING || args.command->takes_command)
                put_arguments(&t, prefix, &args);
        cli_args_done(&args);
        if (text_check(&t) >= 0)
                (void) output_write(STDOUT_FILENO, &t);
        return 0;
}
