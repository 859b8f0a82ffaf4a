/* import-program.c - the keys of a program are one table: what each becomes, or why it becomes nothing. */
#include "ctl/import-program.h"

#include "base/alloc.h"
#include "base/parse.h"
#include "ctl/ctl.h"
#include <stdio.h>

typedef struct ProgramKey {
        const char *key;
        void (*take)(Making *m, const IniEntry *e, const char *value); /* NULL: see none */
        const char *none;                                             /* "": it needs nothing */
} ProgramKey;

static void note(Making *m, const IniEntry *e, const char *text) {
        import_note(m->im, m->section->file, e->line, e->key, "%s", text);
}

static void set(Making *m, const char *key, json_t *value) {
        import_set(m->im, m->pool, key, value);
}

static bool is_word(const char *value, const char *const *words) {
        for (; *words; words++)
                if (strcasecmp(value, *words) == 0)
                        return true;
        return false;
}

static bool is_true(const char *value) {
        return is_word(value, (const char *const[]){"true", "yes", "on", "1", NULL});
}

static void take_command(Making *m, const IniEntry *e, const char *value) {
        json_t *words = import_split(value);

        if (!words || !json_array_size(words)) {
                json_decref(words);
                note(m, e, "a quote does not end; write the command as an array of strings");
                return;
        }
        set(m, "command", words);
}

static void take_autostart(Making *m, const IniEntry *e, const char *value) {
        if (!is_true(value))
                set(m, "autostart", json_false());
}

static void take_seconds(Making *m, const IniEntry *e, const char *value) {
        const char *key = streq(e->key, "stopwaitsecs") ? "stop.timeout" : "start_for";
        _cleanup_free_ char *span = alloc_printf("%ss", value);
        uint64_t n;

        if (parse_u64(value, &n) < 0)
                note(m, e, "no number of seconds");
        else
                set(m, key, json_string(span ? span : value));
}

static void take_signal(Making *m, const IniEntry *e, const char *value) {
        int number = signal_from_string(value);

        if (number > 0)
                set(m, "stop.signal", json_string(signal_to_string(number)));
        else
                note(m, e, "no signal");
}

static void take_text(Making *m, const IniEntry *e, const char *value) {
        set(m, e->key, json_string(value));
}

static void take_directory(Making *m, const IniEntry *e, const char *value) {
        if (*value == '/')
                set(m, "directory", json_string(value));
        else {
                _cleanup_free_ char *path = alloc_printf("%s/%s", m->here, value);
                set(m, "directory", json_string(path ? path : value));
                note(m, e, "not absolute; taken as below the directory of the file");
        }
}

static void take_environment(Making *m, const IniEntry *e, const char *value) {
        json_t *env = json_object();

        (void) json_object_update(env, json_object_get(m->im->pools[m->pool].keys, "env"));
        if (import_environment(value, env) < 0)
                note(m, e, "not KEY=\"value\",...; set env by hand");
        set(m, "env", env);
}

static void take_stopasgroup(Making *m, const IniEntry *e, const char *value) {
        if (is_true(value))
                note(m, e, "the stop signal goes to the process alone, SIGKILL to its whole tree; for the group set \"stop\": "
                           "{\"command\": [\"sh\", \"-c\", \"kill -TERM -- -$MAINPID\"]}");
}

static void take_killasgroup(Making *m, const IniEntry *e, const char *value) {
        if (!is_true(value))
                note(m, e, "SIGKILL always goes to the whole tree here");
}

static void take_process_name(Making *m, const IniEntry *e, const char *value) {
        if (!streq(value, m->names.program) && !m->is_split)
                note(m, e, "workers are called POOL/0, POOL/1, ...; $DROVER_WORKER is the number");
}

static void take_numprocs_start(Making *m, const IniEntry *e, const char *value) {
        if (!m->is_split && !streq(value, "0"))
                note(m, e, "workers count from 0; add to $DROVER_WORKER in the program");
}

/* Sizes as supervisord has them: 50MB. */
static json_t *size_of(const char *value) {
        char text[32];

        snprintf(text, sizeof(text), "%s", value);
        size_t n = strlen(text);
        if (n > 1 && (text[n - 1] == 'B' || text[n - 1] == 'b') && (text[n - 2] < '0' || text[n - 2] > '9'))
                text[n - 1] = '\0';
        for (char *p = text; *p; p++)
                *p = *p >= 'a' && *p <= 'z' ? (char) (*p - 'a' + 'A') : *p;
        return json_string(text);
}

static void take_maxbytes(Making *m, const IniEntry *e, const char *value) {
        uint64_t bytes = 1;
        json_t *size = size_of(value);

        (void) parse_size(json_string_value(size), &bytes);
        if (bytes == 0) {
                json_decref(size);
                note(m, e, "every log is bounded here; the default is 10M, six files of it");
        } else
                set(m, "output.max_size", size);
}

static void take_backups(Making *m, const IniEntry *e, const char *value) {
        uint64_t n;

        if (parse_u64(value, &n) >= 0 && n <= 1000)
                set(m, "output.max_files", json_integer((json_int_t) n));
        else
                note(m, e, "no number up to 1000");
}

/* Both streams of a pool go to one place; with "log" they have a file each. */
static void take_stdout(Making *m, const IniEntry *e, const char *value) {
        static const char *const inherited[] = {"/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2", NULL};
        static const char *const none[] = {"none", "off", "/dev/null", NULL};

        if (strcasecmp(value, "auto") == 0)
                return;
        if (is_word(value, inherited))
                set(m, "output.to", json_string("inherit"));
        else if (is_word(value, none))
                set(m, "output.to", json_string("null"));
        else if (strcasecmp(value, "syslog") == 0)
                set(m, "output.to", json_string("journal"));
        else if (*value == '/' && !strstr(e->value, "%(process_num)"))
                set(m, "output.to", json_string(value));
        else
                note(m, e, "each worker has log files of its own: droverctl logs NAME, or log_dir/POOL/SLOT.stdout.log");
}

static void take_stderr(Making *m, const IniEntry *e, const char *value) {
        const IniEntry *out = ini_get(m->section, "stdout_logfile"), *redirect = ini_get(m->section, "redirect_stderr");

        if (strcasecmp(value, "auto") == 0 || (redirect && is_true(redirect->value)))
                return;
        if (!out || !streq(out->value, e->value))
                note(m, e, "stderr goes where stdout goes; leave stdout_logfile out, and each has a log file of its own");
}

static void take_redirect(Making *m, const IniEntry *e, const char *value) {
        if (is_true(value) && !ini_get(m->section, "stdout_logfile"))
                note(m, e, "stdout and stderr have a log file each, and droverctl logs shows both in order");
}

#define STDERR_BOUND "stderr is bounded as stdout is"
static const ProgramKey program_keys[] = {
        {"command", take_command},
        {"process_name", take_process_name},
        {"numprocs", NULL, ""},
        {"numprocs_start", take_numprocs_start},
        {"priority", NULL, ""},
        {"autostart", take_autostart},
        {"autorestart", NULL, ""},
        {"startsecs", take_seconds},
        {"startretries", NULL, ""},
        {"exitcodes", NULL, ""},
        {"stopsignal", take_signal},
        {"stopwaitsecs", take_seconds},
        {"stopasgroup", take_stopasgroup},
        {"killasgroup", take_killasgroup},
        {"user", take_text},
        {"directory", take_directory},
        {"umask", take_text},
        {"environment", take_environment},
        {"redirect_stderr", take_redirect},
        {"stdout_logfile", take_stdout},
        {"stdout_logfile_maxbytes", take_maxbytes},
        {"stdout_logfile_backups", take_backups},
        {"stderr_logfile", take_stderr},
        {"stderr_logfile_maxbytes", NULL, STDERR_BOUND},
        {"stderr_logfile_backups", NULL, STDERR_BOUND},
        {"stdout_syslog", NULL, "no equivalent; \"output\": \"journal\" sends both streams to the journal"},
        {"stderr_syslog", NULL, "no equivalent; \"output\": \"journal\" sends both streams to the journal"},
        {"stdout_capture_maxbytes", NULL, "no equivalent: there is no capture mode; a worker tells by $NOTIFY_SOCKET"},
        {"stderr_capture_maxbytes", NULL, "no equivalent: there is no capture mode; a worker tells by $NOTIFY_SOCKET"},
        {"stdout_events_enabled", NULL, "no equivalent: follow the log with droverctl logs -f -o jsonl"},
        {"stderr_events_enabled", NULL, "no equivalent: follow the log with droverctl logs -f -o jsonl"},
        {"serverurl", NULL, "no equivalent: a worker finds the daemon by $DROVER_SOCKET"},
        {NULL},
};

/* autorestart, exitcodes, startretries and startsecs together are "restart". Retries wait 1 s, 2 s, ...; a start that
 * held for startsecs counts no more. */
void program_set_restart(Making *m) {
        const IniEntry *again = ini_get(m->section, "autorestart"), *codes = ini_get(m->section, "exitcodes"),
                       *retries = ini_get(m->section, "startretries"), *secs = ini_get(m->section, "startsecs");
        bool is_never = again && is_word(again->value, (const char *const[]){"false", "no", "off", "0", NULL});
        bool is_always = again && is_true(again->value);
        uint64_t n = 3, hold = 1;

        (void) (retries ? parse_u64(retries->value, &n) : 0);
        (void) (secs ? parse_u64(secs->value, &hold) : 0);
        if (!secs)
                set(m, "start_for", json_string("1s"));
        set(m, "restart.policy", json_string(is_never ? "never" : is_always ? "always" : "on-failure"));
        if (is_never)
                return;
        n = MIN(n, (uint64_t) 60);
        set(m, "restart.delay", json_string("1s"));
        set(m, "restart.limit", json_integer((json_int_t) n + 1));
        /* The waits double up to 30 s each. */
        uint64_t window = (n + 1) * hold + 2;
        for (uint64_t i = 0, wait = 1; i < n; i++, wait = MIN(wait * 2, (uint64_t) 30))
                window += wait;
        _cleanup_free_ char *text = alloc_printf("%llus", (unsigned long long) window);
        set(m, "restart.window", json_string(text ? text : "60s"));
        if (codes && !is_always) {
                json_t *list = json_array();
                for (const char *p = codes->value; *(p += strspn(p, " ,\n"));) {
                        (void) json_array_append_new(list, json_integer(strtol(p, NULL, 10)));
                        p += strcspn(p, " ,\n");
                }
                set(m, "restart.success_codes", list);
        }
}

static const ProgramKey *key_of(const char *name) {
        for (const ProgramKey *k = program_keys; k->key; k++)
                if (streq(k->key, name))
                        return k;
        return NULL;
}

void program_take(Making *m, const IniEntry *e) {
        const ProgramKey *key = key_of(e->key);
        _cleanup_text_ Text value = {};
        char unknown[64];

        if (ini_get(m->section, e->key) != e)
                return; /* given again later */
        if (!key) {
                note(m, e, "supervisord does not know this key either");
                return;
        }
        if (key->none) {
                if (*key->none)
                        note(m, e, key->none);
                return;
        }
        import_expand(&value, e->value, &m->names, unknown);
        if (*unknown)
                import_note(m->im, m->section->file, e->line, e->key,
                            "%%(%s)s has no value here; set the variable for the import, or write the value by hand", unknown);
        if (text_check(&value) >= 0)
                key->take(m, e, value.data ? value.data : "");
}
