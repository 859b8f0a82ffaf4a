/* template-child.c - a new process of a template, from its fork to the keeper's "go".
 *
 * It becomes what exec would have made of it: its own session, signals as a fresh process has them, its own environment
 * variables, descriptors in their places. What its template opened by itself it keeps: that is what the state of a module
 * is made of. Then it shows itself to the keeper and waits; nothing foreign has run so far. */
#include "worker/template.h"

#include "base/fd.h"
#include "base/json.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXIT_NOT_BEGUN 126
#define ENVIRONMENT_ENTRY_MORE 24 /* "=", a number, and the end of the string */
#define REQUEST_MAX (64u << 20)
#define REQUEST_NEAR_MAX 4096u /* in the packet itself */

_noreturn_ static void fail(int report, const char *stage, int error, int detail) {
        char text[96];
        int n = snprintf(text, sizeof text, "failed %s %d %d", stage, error > 0 ? error : EINVAL, detail);

        (void) send(report, text, (size_t) n, MSG_NOSIGNAL | MSG_DONTWAIT);
        _exit(EXIT_NOT_BEGUN);
}

/* Its input is /dev/null: what each of its processes gets unless it asks for another. */
static bool has_null_input;

/* Of the template, when it began to serve; nothing changes them later while it has one thread. */
static struct {
        bool are_known, has_mask, has_stack;
        bool is_changed[NSIG];
} signals;

static bool is_by_default(int sig) {
        struct sigaction a;

        return sigaction(sig, NULL, &a) < 0 || (a.sa_handler == SIG_DFL && a.sa_flags == 0);
}

static bool is_null_device(int fd) {
        struct stat own, null;

        return fstat(fd, &own) == 0 && S_ISCHR(own.st_mode) && stat("/dev/null", &null) == 0 && own.st_rdev == null.st_rdev &&
                (fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) == O_RDONLY;
}

/* What is done for the first time costs most: memory for a parser, functions of libraries bound on their first call. */
static void rehearse(void) {
        static const char text[] = "{\"a\":[0,1.5,\"\\u00e4\",true,null],\"b\":{\"c\":\"\"}}";
        json_t *v = json_loads(text, 0, NULL);
        char *copy = v ? json_dumps(v, JSON_COMPACT) : NULL;

        free(copy);
        json_decref(v);
}

static void note_signals(void) {
        stack_t stack;
        sigset_t mask;

        signals.are_known = template_has_one_thread();
        signals.has_mask = sigprocmask(SIG_SETMASK, NULL, &mask) < 0 || !sigisemptyset(&mask);
        signals.has_stack = sigaltstack(NULL, &stack) < 0 || !(stack.ss_flags & SS_DISABLE);
        for (int sig = 1; sig < NSIG; sig++)
                signals.is_changed[sig] = sig != SIGKILL && sig != SIGSTOP && !is_by_default(sig);
}

void template_child_prepare(void) {
        note_signals();
        has_null_input = is_null_device(STDIN_FILENO);
        json_object_seed(0); /* once for all: without it each one would ask the kernel for some chance */
        rehearse();
}

static void reset_signals(void) {
        struct sigaction by_default = {.sa_handler = SIG_DFL};
        stack_t no_stack = {.ss_flags = SS_DISABLE};
        sigset_t none;

        for (int sig = 1; sig < NSIG; sig++)
                if (!signals.are_known || signals.is_changed[sig])
                        (void) sigaction(sig, &by_default, NULL); /* EINVAL for those that nobody can change */
        if (!signals.are_known || signals.has_stack)
                (void) sigaltstack(&no_stack, NULL);
        if (signals.are_known && !signals.has_mask)
                return;
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

static json_t *read_text(int fd) {
        char near[4096], *text = near;
        json_t *request = NULL;
        struct stat st;

        if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > (off_t) REQUEST_MAX)
                return NULL;
        if ((size_t) st.st_size > sizeof near)
                text = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        else if (pread(fd, near, (size_t) st.st_size, 0) != st.st_size)
                return NULL;
        if (text != MAP_FAILED)
                request = json_loadb(text, (size_t) st.st_size, 0, NULL);
        if (text != MAP_FAILED && text != near)
                (void) munmap(text, (size_t) st.st_size);
        return request;
}

/* ---- descriptors ---- */

static int number_of(const json_t *fds, size_t i) {
        return (int) json_integer_value(json_array_get(fds, i));
}

/* Above every number that is about to be given away. */
static void lift(const TemplateRequest *r, int *fd, int above) {
        int lifted = *fd > above ? *fd : fcntl(*fd, F_DUPFD_CLOEXEC, above + 1);

        if (lifted < 0)
                fail(r->report, "descriptor", errno, *fd);
        if (lifted != *fd)
                (void) fd_close(*fd);
        *fd = lifted;
}

/* The numbers that nobody got, run by run. */
static void close_reserved(void) {
        while (template_reserved != 0) {
                unsigned first = (unsigned) __builtin_ctzll(template_reserved), last = first;

                while (last < 63 && template_reserved & 1ull << (last + 1))
                        last++;
                for (unsigned fd = first; fd <= last; fd++)
                        template_reserved &= ~(1ull << fd);
                if (close_range(first, last, 0) < 0)
                        for (unsigned fd = first; fd <= last; fd++)
                                (void) close((int) fd);
        }
}

static void place_extra(TemplateRequest *r, const json_t *fds) {
        int above = 2;

        if (json_array_size(fds) != r->n_extra)
                fail(r->report, "request", EBADMSG, 1);
        for (size_t i = 0; i < r->n_extra; i++)
                above = number_of(fds, i) > above ? number_of(fds, i) : above;
        lift(r, &r->report, above);
        lift(r, &r->out, above);
        lift(r, &r->err, above);
        for (size_t i = 0; i < r->n_extra; i++)
                lift(r, &r->extra[i], above);
        for (size_t i = 0; i < r->n_extra; i++) {
                int to = number_of(fds, i);

                if (to < 3 || dup2(r->extra[i], to) < 0)
                        fail(r->report, "descriptor", errno, to);
                template_reserved &= to < 64 ? ~(1ull << to) : ~0ull;
                r->extra[i] = fd_close(r->extra[i]);
        }
        close_reserved();
}

/* @path NULL: what came along, and /dev/null for input. As drover-keeper opens them for a program. */
static void place_stdio(const TemplateRequest *r, int number, int given, const char *path) {
        int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (number == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_APPEND), fd = given;

        if (number == 0 && !path && given < 0 && has_null_input)
                return;
        if (path)
                fd = open(path, flags, 0666);
        else if (given < 0)
                fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || (path && fd_set_nonblock(fd, false) < 0) || dup2(fd, number) < 0)
                fail(r->report, "stdio", errno, number);
        if (fd != given)
                (void) fd_close(fd);
}

static void place_all_stdio(TemplateRequest *r, const json_t *paths) {
        const char *out = json_string_value(json_array_get(paths, 1)), *err = json_string_value(json_array_get(paths, 2));

        place_stdio(r, 0, -EBADF, json_string_value(json_array_get(paths, 0)));
        place_stdio(r, 1, r->out, out);
        if (out && err && streq(out, err))
                place_stdio(r, 2, 1, NULL);
        else
                place_stdio(r, 2, r->err, err);
        r->out = fd_close(r->out);
        r->err = fd_close(r->err);
}

/* ---- environment ---- */

/* These two say for whom they are: for the process that has this number. */
static bool is_own_pid(const char *key) {
        return streq(key, "LISTEN_PID") || streq(key, "WATCHDOG_PID");
}

static bool is_dropped(const char *entry, const json_t *env) {
        static const char *const own[] = {"DROVER_TEMPLATE_FD=", "DROVER_START_METHOD="};
        const char *end = strchr(entry, '=');

        for (size_t i = 0; i < ARRAY_SIZE(own); i++)
                if (strncmp(entry, own[i], strlen(own[i])) == 0)
                        return true;
        return end && json_object_getn(env, entry, (size_t) (end - entry));
}

/* KEY=TEXT at @at. No snprintf(3): its pages are the process's to map and to unmap, for this alone. Return: behind it. */
static char *put_entry(char *at, const char *key, const char *text, size_t n) {
        size_t n_key = strlen(key);

        memcpy(at, key, n_key);
        at[n_key] = '=';
        memcpy(at + n_key + 1, text, n);
        at[n_key + 1 + n] = '\0';
        return at + n_key + 1 + n + 1;
}

static char *put_variable(char *at, const char *key, const json_t *value) {
        const char *text = json_string_value(value);
        char pid[ENVIRONMENT_ENTRY_MORE - 1];

        if (!is_own_pid(key))
                return put_entry(at, key, text ? text : "", json_string_length(value));
        return put_entry(at, key, pid, (size_t) snprintf(pid, sizeof pid, "%d", (int) getpid()));
}

/* All at once: setenv(3) would copy the table with each one. Strings and table stay for ever, as those of exec do. */
static void set_environment(const TemplateRequest *r, json_t *env) {
        size_t n = 0, n_old = 0, size = 0;
        char **table, *at;
        const char *key;
        json_t *value;

        while (environ && environ[n_old])
                n_old++;
        json_object_foreach(env, key, value)
                size += strlen(key) + json_string_length(value) + ENVIRONMENT_ENTRY_MORE;
        table = malloc((n_old + json_object_size(env) + 1) * sizeof *table);
        at = malloc(size + 1);
        if (!table || !at)
                fail(r->report, "request", ENOMEM, 2);
        for (size_t i = 0; i < n_old; i++)
                if (!is_dropped(environ[i], env))
                        table[n++] = environ[i];
        json_object_foreach(env, key, value) {
                table[n++] = at;
                at = put_variable(at, key, value);
        }
        table[n] = NULL;
        environ = table;
}

/* ---- the keeper ---- */

static void say(int report, const char *word) {
        ssize_t n = (ssize_t) strlen(word);

        if (send(report, word, (size_t) n, MSG_NOSIGNAL) != n)
                _exit(EXIT_NOT_BEGUN);
}

static void await_go(int report) {
        char go;
        ssize_t n;

        do
                n = recv(report, &go, 1, 0);
        while (n < 0 && errno == EINTR);
        if (n != 1)
                _exit(EXIT_NOT_BEGUN);
}

/* Of "launch" and "request", whose rest may be the text. NULL: it is neither. */
static const char *after_word(const char *text, bool *has_go) {
        if (strncmp(text, "launch", 6) == 0) {
                *has_go = true;
                return text + 6;
        }
        return strncmp(text, "request", 7) == 0 ? text + 7 : NULL;
}

/* "launch", or "g" and "request", whichever of them comes first. Return: the request, or what stands for none. */
static json_t *await_request(TemplateRequest *r) {
        bool has_go = false, has_request = false;
        json_t *request = NULL;

        while (!has_go || !has_request) {
                char word[REQUEST_NEAR_MAX + 1];
                int fds[TEMPLATE_FDS_MAX];
                size_t n_fds = 0, first = 0;
                const char *rest;
                ssize_t n = packet_recv(r->report, word, sizeof word - 1, fds, TEMPLATE_FDS_MAX, &n_fds);

                if (n == -EINTR)
                        continue;
                if (n <= 0)
                        _exit(EXIT_NOT_BEGUN);
                word[n] = '\0';
                if (streq(word, "g")) {
                        has_go = true;
                        continue;
                }
                rest = has_request ? NULL : after_word(word, &has_go);
                if (!rest)
                        _exit(EXIT_NOT_BEGUN);
                has_request = true;
                if (*rest == ' ')
                        request = json_loadb(rest + 1, (size_t) (word + n - rest) - 1, 0, NULL);
                else if (n_fds > 0) {
                        request = read_text(fds[0]);
                        (void) fd_close(fds[first++]);
                }
                for (size_t i = first; i < n_fds; i++)
                        r->extra[r->n_extra++] = fds[i];
        }
        return request;
}

/* With a name of its own before a session of its own: so it is told from a template. */
static void begin_session(const TemplateRequest *r, const char *name) {
        (void) prctl(PR_SET_NAME, name);
        if (syscall(SYS_setsid) < 0) /* setsid(3) does no more, but stands in a page of its own */
                fail(r->report, "session", errno, 0);
        reset_signals();
}

static json_t *set_up(TemplateRequest *r, json_t *request) {
        const char *name = json_string_value(json_object_get(request, "name"));

        if (!json_is_object(request))
                fail(r->report, "request", EBADMSG, 0);
        if (r->text >= 0) /* no spare, which has done so */
                begin_session(r, name ? name : "drover-host");
        else if (name)
                (void) prctl(PR_SET_NAME, name);
        place_extra(r, json_object_get(request, "fds"));
        place_all_stdio(r, json_object_get(request, "stdio"));
        set_environment(r, json_object_get(request, "env"));
        return request;
}

/* What it will write to for the first time, it shall have for itself before anybody waits. */
static json_t *be_spare(TemplateRequest *r, const TemplateHooks *hooks) {
        json_t *request;

        begin_session(r, "drover-spare");
        if (hooks->warm)
                hooks->warm(hooks->userdata);
        *(char **volatile *) &environ = environ; /* set_environment() writes there */
        close_reserved(); /* not before what a module opens is beyond them; what comes with the request is lifted out of their way */
        say(r->report, template_is_inside ? "hello inside" : "hello");
        request = await_request(r);
        if (hooks->is_stale && hooks->is_stale(hooks->userdata)) {
                say(r->report, "stale");
                _exit(EXIT_NOT_BEGUN);
        }
        (void) set_up(r, request);
        say(r->report, "begun");
        return request;
}

json_t *template_child(TemplateRequest *r, int template_fd, const TemplateHooks *hooks) {
        json_t *request;

        (void) close(template_fd);
        if (template_fd < 64)
                template_reserved &= ~(1ull << template_fd);
        r->cgroup = fd_close(r->cgroup);
        if (r->text < 0)
                request = be_spare(r, hooks);
        else {
                request = set_up(r, read_text(r->text));
                r->text = fd_close(r->text);
                say(r->report, template_is_inside ? "hello inside" : "hello");
                await_go(r->report);
        }
        r->report = fd_close(r->report);
        return request;
}
