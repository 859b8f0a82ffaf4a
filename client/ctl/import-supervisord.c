/* import-supervisord.c - supervisord.conf to pools: includes, programs, groups, and their order.
 *
 * A program is a pool with numprocs workers. Only where its command, directory or environment differs from process to
 * process (%(process_num)s) it is a pool a process. A group is a prefix: the program b of the group a is the pool a.b,
 * and 'a.*' selects the group. */
#include "ctl/import-program.h"

#include "base/alloc.h"
#include "base/parse.h"
#include "ctl/ctl.h"
#include <glob.h>
#include <stdio.h>
#include <unistd.h>

#define PRIORITY_DEFAULT 999
#define PROCESSES_MAX 1000

typedef struct Program {
        int pool;
        long group_priority, priority;
} Program;

typedef struct Reader {
        Import *im;
        Ini ini;
        char *here, host[256];
        Program *programs;
        size_t n_programs, capacity;
} Reader;

/* What [supervisord] gives to every program comes first, so that the program's own wins. */
static void take_defaults(const Reader *r, Making *m) {
        const IniSection *top = ini_section(&r->ini, "supervisord");
        Making general = *m;

        general.section = top;
        for (size_t i = 0; top && i < top->n_entries; i++) {
                const IniEntry *e = &top->entries[i];
                if (streq(e->key, "environment") || streq(e->key, "umask") || streq(e->key, "directory") ||
                    streq(e->key, "user"))
                        program_take(&general, e);
        }
}

static long priority_of(const IniSection *s) {
        const IniEntry *e = ini_get(s, "priority");
        return e ? strtol(e->value, NULL, 10) : PRIORITY_DEFAULT;
}

static void make_pool(Reader *r, Making *m, const char *wanted, uint64_t n_workers) {
        m->pool = import_pool(r->im, wanted, m->section->file, m->section->line);
        if (m->pool < 0 || alloc_grow(&r->programs, &r->capacity, r->n_programs + 1, sizeof(*r->programs)) < 0)
                return;
        long own = priority_of(m->section);
        r->programs[r->n_programs++] = (Program){m->pool, m->group ? priority_of(m->group) : own, own};
        import_comment(r->im, m->pool, "%s, line %u: [%s]", m->section->file, m->section->line, m->section->name);
        const IniEntry *command = ini_get(m->section, "command");
        if (command)
                program_take(m, command);
        if (n_workers != 1)
                import_set(r->im, m->pool, "workers", json_integer((json_int_t) n_workers));
        take_defaults(r, m);
        for (size_t i = 0; i < m->section->n_entries; i++)
                if (&m->section->entries[i] != command)
                        program_take(m, &m->section->entries[i]);
        program_set_restart(m);
}

static bool differs_by_process(const IniSection *s) {
        static const char *const keys[] = {"command", "directory", "environment"};

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                const IniEntry *e = ini_get(s, keys[i]);
                if (e && strstr(e->value, "%(process_num)"))
                        return true;
        }
        return false;
}

static uint64_t number_of(const IniSection *s, const char *key, uint64_t otherwise) {
        const IniEntry *e = ini_get(s, key);
        uint64_t n;

        return e && parse_u64(e->value, &n) >= 0 ? n : otherwise;
}

/* A pool for each process, named as supervisord would name it. */
static void make_split(Reader *r, Making *m, const char *prefix, uint64_t n) {
        uint64_t first = number_of(m->section, "numprocs_start", 0);
        const IniEntry *name = ini_get(m->section, "process_name");

        m->is_split = true;
        for (uint64_t i = 0; i < n; i++) {
                _cleanup_text_ Text wanted = {};
                char unknown[64];
                m->names.process = (unsigned) (first + i);
                text_append(&wanted, prefix);
                import_expand(&wanted, name && strstr(name->value, "process_num") ? name->value : "%(program_name)s-%(process_num)d",
                              &m->names, unknown);
                make_pool(r, m, wanted.data ? wanted.data : "program", 1);
                if (m->pool >= 0 && i == 0)
                        import_comment(r->im, m->pool, "numprocs=%llu, and each one differs: a pool each",
                                       (unsigned long long) n);
        }
}

static bool lists_word(const char *list, const char *word) {
        size_t n = strlen(word);

        for (const char *p = list; *(p += strspn(p, " ,\n\t"));) {
                size_t length = strcspn(p, " ,\n\t");
                if (length == n && strncmp(p, word, n) == 0)
                        return true;
                p += length;
        }
        return false;
}

static const IniSection *group_of(const Ini *ini, const char *program) {
        for (size_t i = 0; i < ini->n_sections; i++) {
                const IniSection *s = &ini->sections[i];
                const IniEntry *e = strncmp(s->name, "group:", 6) == 0 ? ini_get(s, "programs") : NULL;
                if (e && lists_word(e->value, program))
                        return s;
        }
        return NULL;
}

/* %(here)s is the directory of the file in which it stands. */
static char *here_of(const Reader *r, const IniSection *s) {
        _cleanup_free_ char *absolute = realpath(s->file, NULL);
        char *slash = absolute ? strrchr(absolute, '/') : NULL;

        if (!slash)
                return alloc_strdup(r->here);
        return alloc_strndup(absolute, (size_t) MAX(slash - absolute, 1));
}

static void take_program(Reader *r, const IniSection *s, const char *program) {
        const IniSection *group = group_of(&r->ini, program);
        uint64_t n = MIN(number_of(s, "numprocs", 1), (uint64_t) PROCESSES_MAX);
        Making m = {.im = r->im, .here = r->here, .section = s, .group = group};
        _cleanup_free_ char *here = here_of(r, s);
        _cleanup_free_ char *prefix = group ? alloc_printf("%s.", group->name + 6) : alloc_strdup("");
        _cleanup_free_ char *wanted = prefix ? alloc_printf("%s%s", prefix, program) : NULL;

        m.names = (ExpandNames){.program = program, .group = group ? group->name + 6 : program, .here = here,
                                .host = r->host, .n_processes = (unsigned) n};
        m.names.process = (unsigned) number_of(s, "numprocs_start", 0);
        if (!ini_get(s, "command"))
                import_note(r->im, s->file, s->line, s->name, "it has no command");
        else if (n > 1 && differs_by_process(s))
                make_split(r, &m, prefix, n);
        else if (wanted)
                make_pool(r, &m, wanted, n);
}

/* Sections that are no program: said to have no equivalent, with what to do instead. By the start of their name. */
static const struct {
        const char *start, *text;
} other_sections[] = {
        {"eventlistener:", "no equivalent as a program; droverctl events -f -o jsonl streams the events, and \"hooks\" runs a command for "
                           "each"},
        {"fcgi-program:", "no equivalent: a FastCGI socket is not passed as descriptor 0; \"listen\" opens sockets and passes "
                          "them by LISTEN_FDS (descriptor 3), as spawn-fcgi -F or php-fpm's systemd mode take them"},
        {"rpcinterface:", "no equivalent: the control socket speaks JSON-RPC, see drover-protocol(7)"},
        {"unix_http_server", "no equivalent: the control socket is /run/drover/control.sock; socket_group, socket_mode and "
                             "access say who may use it"},
        {"inet_http_server", "no equivalent: drover listens on no network port; reach its socket through ssh -L"},
        {"supervisorctl", "nothing to do: droverctl finds the socket by itself, or by $DROVER_SOCKET"},
        {"ctlplugin:", "no equivalent: droverctl has no plugins"},
};

static const struct {
        const char *key, *text;
} supervisord_keys[] = {
        {"logfile", "droverd logs to stderr or the journal"},
        {"logfile_maxbytes", "droverd logs to stderr or the journal"},
        {"logfile_backups", "droverd logs to stderr or the journal"},
        {"loglevel", "see droverd --log-level"},
        {"pidfile", "systemd, or whoever starts droverd, knows its pid; droverctl info says it"},
        {"nodaemon", ""},
        {"silent", ""},
        {"minfds", "\"limits\": {\"nofile\": N} in a pool; droverd raises its own by itself"},
        {"minprocs", "\"limits\": {\"nproc\": N} in a pool"},
        {"nocleanup", ""},
        {"strip_ansi", "no equivalent; logs hold what was written"},
        {"identifier", "no equivalent"},
        {"environment", ""},
        {"umask", ""},
        {"directory", ""},
        {"user", ""},
};

static void take_supervisord(Reader *r, const IniSection *s) {
        for (size_t i = 0; i < s->n_entries; i++) {
                const IniEntry *e = &s->entries[i];
                const char *text = "supervisord does not know this key either";
                for (size_t k = 0; k < ARRAY_SIZE(supervisord_keys); k++)
                        if (streq(supervisord_keys[k].key, e->key))
                                text = supervisord_keys[k].text;
                if (streq(e->key, "childlogdir") && *e->value == '/')
                        import_set(r->im, -1, "log_dir", json_string(e->value));
                else if (streq(e->key, "childlogdir"))
                        import_note(r->im, s->file, e->line, e->key, "log_dir must be an absolute path; the default is /var/log/drover");
                else if (*text)
                        import_note(r->im, s->file, e->line, e->key, "%s", text);
        }
}

static void take_group(Reader *r, const IniSection *s) {
        const IniEntry *programs = ini_get(s, "programs");

        if (!programs) {
                import_note(r->im, s->file, s->line, s->name, "it has no programs");
                return;
        }
        import_comment(r->im, -1, "The group %s is the pools '%s.*': droverctl restart '%s.*'", s->name + 6, s->name + 6, s->name + 6);
        for (const char *p = programs->value; *(p += strspn(p, " ,\n\t"));) {
                size_t n = strcspn(p, " ,\n\t");
                _cleanup_free_ char *name = alloc_printf("program:%.*s", (int) n, p);
                if (name && !ini_section(&r->ini, name))
                        import_note(r->im, s->file, programs->line, programs->key, "there is no [%s]", name);
                p += n;
        }
}

static void take_section(Reader *r, const IniSection *s) {
        if (strncmp(s->name, "program:", 8) == 0) {
                take_program(r, s, s->name + 8);
                return;
        }
        if (strncmp(s->name, "group:", 6) == 0) {
                take_group(r, s);
                return;
        }
        if (streq(s->name, "supervisord")) {
                take_supervisord(r, s);
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(other_sections); i++)
                if (strncmp(s->name, other_sections[i].start, strlen(other_sections[i].start)) == 0) {
                        import_note(r->im, s->file, s->line, s->name, "%s", other_sections[i].text);
                        return;
                }
        if (!streq(s->name, "include"))
                import_note(r->im, s->file, s->line, s->name, "supervisord does not know this section either");
}

static bool is_before(const Program *a, const Program *b) {
        return a->group_priority != b->group_priority ? a->group_priority < b->group_priority : a->priority < b->priority;
}

static bool is_level(const Program *a, const Program *b) {
        return !is_before(a, b) && !is_before(b, a);
}

/* Each waits for those of the priority next below its own. */
static void set_order(Reader *r) {
        for (size_t i = 0; i < r->n_programs; i++) {
                const Program *below = NULL;
                for (size_t k = 0; k < r->n_programs; k++)
                        if (is_before(&r->programs[k], &r->programs[i]) && (!below || is_before(below, &r->programs[k])))
                                below = &r->programs[k];
                if (!below)
                        continue;
                json_t *after = json_array();
                for (size_t k = 0; k < r->n_programs; k++)
                        if (is_level(&r->programs[k], below))
                                (void) json_array_append_new(after, json_string(r->im->pools[r->programs[k].pool].name));
                import_set(r->im, r->programs[i].pool, "after", after);
                import_comment(r->im, r->programs[i].pool, "priority: starts when those before it are ready; supervisord did not wait for that");
        }
}

static int read_file(Reader *r, const char *path, const char *from, unsigned line) {
        unsigned bad = 0;
        int result = ini_read(&r->ini, path, &bad);

        if (result == -EBADMSG)
                import_note(r->im, path, bad, "syntax", "neither [section] nor key = value");
        else if (result < 0 && from)
                import_note(r->im, from, line, "include", "cannot read %s: %s", path, strerror(-result));
        return result;
}

/* The patterns of [include] are below the directory of the file that has it. */
static int read_includes(Reader *r) {
        const IniSection *s = ini_section(&r->ini, "include");
        const IniEntry *e = ini_get(s, "files");
        const ExpandNames names = {.here = r->here, .host = r->host};
        _cleanup_text_ Text files = {};
        char unknown[64];
        int result = 0;

        if (!e)
                return 0;
        _cleanup_free_ char *from = alloc_strdup(s->file);
        unsigned line = e->line;
        import_expand(&files, e->value, &names, unknown);
        for (const char *p = files.data; p && *(p += strspn(p, " \t\n"));) {
                size_t n = strcspn(p, " \t\n");
                _cleanup_free_ char *pattern = *p == '/' ? alloc_strndup(p, n) : alloc_printf("%s/%.*s", r->here, (int) n, p);
                glob_t found = {};
                if (pattern && glob(pattern, 0, NULL, &found) == 0)
                        for (size_t i = 0; i < found.gl_pathc && result >= 0; i++)
                                result = read_file(r, found.gl_pathv[i], from, line);
                else
                        import_note(r->im, from, line, "files", "no file is called %s", pattern);
                globfree(&found);
                p += n;
        }
        return result;
}

static void reader_done(Reader *r) {
        ini_done(&r->ini);
        free(r->here);
        free(r->programs);
}

int import_supervisord(Import *im, const char *path) {
        _cleanup_(reader_done) Reader r = {.im = im};
        _cleanup_free_ char *absolute = realpath(path, NULL);

        if (!absolute)
                return -errno;
        (void) gethostname(r.host, sizeof(r.host) - 1);
        *strrchr(absolute, '/') = '\0';
        r.here = alloc_strdup(*absolute ? absolute : "/");
        if (!r.here)
                return -ENOMEM;
        int result = read_file(&r, path, NULL, 0);
        if (result >= 0)
                result = read_includes(&r);
        if (result < 0)
                return result;
        for (size_t i = 0; i < r.ini.n_sections; i++)
                take_section(&r, &r.ini.sections[i]);
        set_order(&r);
        return 0;
}
