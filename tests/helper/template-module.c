/* template-module.c - a module that tells what a process of it was given, and dies in ways that a fork may get wrong. */
#include "drover.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

extern char **environ;

typedef struct State {
        pid_t made_by;
        int fd; /* opened by init() */
        pthread_mutex_t *mutex; /* robust, in memory that forks share */
} State;

static State state;
static int loaded_fd; /* opened while it was loaded */

__attribute__((constructor)) static void open_early(void) {
        loaded_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
}

static void *sit(void *unused) {
        for (;;)
                (void) pause();
        return unused;
}

/* The test locks the file while init() shall last. */
static void pass_gate(void) {
        const char *gate = getenv("GATE");
        int fd = gate ? open(gate, O_RDONLY | O_CLOEXEC) : -1;

        if (fd >= 0) {
                (void) flock(fd, LOCK_SH);
                (void) close(fd);
        }
}

static int init(void **ret_state) {
        pthread_mutexattr_t a;
        pthread_t thread;

        if (getenv("FAIL_WITH")) {
                (void) fprintf(stderr, "%s\n", getenv("FAIL_WITH"));
                return -EIO;
        }
        pass_gate();
        state.made_by = getpid();
        state.fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        state.mutex = mmap(NULL, sizeof *state.mutex, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        (void) pthread_mutexattr_init(&a);
        (void) pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
        (void) pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
        (void) pthread_mutex_init(state.mutex, &a);
        (void) signal(SIGUSR1, SIG_IGN);
        if (getenv("WITH_THREAD"))
                (void) pthread_create(&thread, NULL, sit, NULL);
        *ret_state = &state;
        return 0;
}

static void leave(void *unused) {
        (void) unused;
        (void) puts("exit() was called");
}

static json_t *environment(void) {
        json_t *o = json_object();

        for (char **e = environ; *e; e++) {
                const char *value = strchr(*e, '=');
                (void) json_object_setn_new(o, *e, (size_t) (value - *e), json_string(value + 1));
        }
        return o;
}

static json_t *ignored(void) {
        json_t *a = json_array();
        struct sigaction s;

        for (int sig = 1; sig < NSIG; sig++)
                if (sig != SIGUSR2 && sigaction(sig, NULL, &s) == 0 && s.sa_handler != SIG_DFL)
                        (void) json_array_append_new(a, json_integer(sig));
        return a;
}

/* What is open, by its number, as the kernel calls it. */
static json_t *descriptors(void) {
        json_t *o = json_object();

        for (int fd = 0; fd < 256; fd++) {
                char path[32], name[16], text[256];
                ssize_t n;

                (void) snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
                (void) snprintf(name, sizeof name, "%d", fd);
                n = readlink(path, text, sizeof text);
                if (n > 0)
                        (void) json_object_set_new(o, name, json_stringn(text, (size_t) n));
        }
        return o;
}

static json_t *facts(drover_task *task, json_t *args, json_t *kwargs) {
        char comm[32] = "", zero, directory[4096] = "";
        json_t *o;

        (void) prctl(PR_GET_NAME, comm);
        o = json_pack("{s:i,s:i,s:i,s:i,s:s,s:i,s:b,s:o,s:o,s:O,s:O}", "pid", getpid(), "ppid", getppid(), "sid", getsid(0), "uid",
                      (int) getuid(), "comm", comm, "made_by", state.made_by, "has_fd", read(state.fd, &zero, 1) == 1, "env",
                      environment(), "ignored", ignored(), "args", args, "kwargs", kwargs);
        (void) json_object_set_new(o, "has_loaded_fd", json_boolean(read(loaded_fd, &zero, 1) == 1));
        (void) json_object_set_new(o, "fds", descriptors());
        (void) json_object_set_new(o, "cwd", json_string(getcwd(directory, sizeof directory)));
        if (getenv("PRINT")) {
                char *text = json_dumps(o, JSON_COMPACT);
                (void) puts(text);
                free(text);
        }
        return o;
}

static json_t *die_with_mutex(drover_task *task, json_t *args, json_t *kwargs) {
        (void) pthread_mutex_lock(state.mutex);
        (void) kill(getpid(), SIGKILL);
        return NULL;
}

static json_t *take_mutex(drover_task *task, json_t *args, json_t *kwargs) {
        int r = pthread_mutex_lock(state.mutex);

        if (r == EOWNERDEAD)
                (void) pthread_mutex_consistent(state.mutex);
        (void) pthread_mutex_unlock(state.mutex);
        return json_integer(r);
}

static json_t *crash(drover_task *task, json_t *args, json_t *kwargs) {
        abort();
}

static void *add_one(void *n) {
        (*(int *) n)++;
        return n;
}

/* Threads, and a signal to itself: both need the right number of the thread. */
static json_t *threads(drover_task *task, json_t *args, json_t *kwargs) {
        pthread_t t[4];
        int n = 0;
        sigset_t set;
        struct timespec none = {0};

        for (size_t i = 0; i < 4; i++) {
                if (pthread_create(&t[i], NULL, add_one, &n) != 0)
                        return drover_raise(task, "RuntimeError", "no thread");
                (void) pthread_join(t[i], NULL);
        }
        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGUSR1);
        (void) pthread_sigmask(SIG_BLOCK, &set, NULL);
        (void) raise(SIGUSR1);
        return json_integer(sigtimedwait(&set, NULL, &none) == SIGUSR1 ? n : -1);
}

static json_t *fail(drover_task *task, json_t *args, json_t *kwargs) {
        return drover_raise(task, "ValueError", "of no value");
}

static json_t *nap(drover_task *task, json_t *args, json_t *kwargs) {
        for (;;)
                (void) pause();
        return NULL;
}

/* The newline of one that is ready. */
static json_t *newline_to(drover_task *task, json_t *args, json_t *kwargs) {
        char zero;

        if (read(loaded_fd, &zero, 1) != 1 || write((int) json_integer_value(json_array_get(args, 0)), "\n", 1) != 1)
                return drover_raise(task, "OSError", "%s", strerror(errno));
        return nap(task, args, kwargs);
}

static void notify(const char *text) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        (void) snprintf(a.sun_path, sizeof a.sun_path, "%s", getenv("NOTIFY_SOCKET"));
        (void) sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *) &a, sizeof a);
        (void) close(fd);
}

/* A child of a child, which the keeper inherits, says that it is ready. */
static json_t *orphan_says(drover_task *task, json_t *args, json_t *kwargs) {
        if (fork() == 0) {
                if (fork() == 0) {
                        while (getppid() != (pid_t) json_integer_value(json_array_get(args, 0)))
                                (void) sched_yield();
                        notify("READY=1\nSTATUS=from an orphan");
                        (void) nap(task, args, kwargs);
                }
                _exit(0);
        }
        return nap(task, args, kwargs);
}

static void say_at_exit(void) {
        (void) printf("at exit\n");
}

/* All that is left to do when a process ends: of a library that is loaded late, in a namespace of its own if that is wanted. */
static json_t *leave_work(drover_task *task, json_t *args, json_t *kwargs) {
        const char *library = json_string_value(json_array_get(args, 0));
        bool is_apart = json_is_true(json_array_get(args, 1));

        if (library && !(is_apart ? dlmopen(LM_ID_NEWLM, library, RTLD_NOW) : dlopen(library, RTLD_NOW)))
                return drover_raise(task, "OSError", "%s", dlerror());
        (void) printf("unflushed\n");
        return atexit(say_at_exit) == 0 ? json_true() : drover_raise(task, "MemoryError", "no atexit");
}

/* mark(PATH, TEXT): a line more in a file. */
static json_t *mark(drover_task *task, json_t *args, json_t *kwargs) {
        int fd = open(json_string_value(json_array_get(args, 0)), O_WRONLY | O_APPEND | O_CLOEXEC);
        char line[64];
        int n = snprintf(line, sizeof line, "%s\n", json_string_value(json_array_get(args, 1)));

        if (fd < 0 || write(fd, line, (size_t) n) != n)
                return drover_raise(task, "OSError", "%s", strerror(errno));
        (void) close(fd);
        return json_true();
}

static const drover_target targets[] = {
        {"facts", facts, "what this process was given"},
        {"die_with_mutex", die_with_mutex, "take the shared mutex and die"},
        {"take_mutex", take_mutex, "what pthread_mutex_lock() says"},
        {"crash", crash, "abort()"},
        {"threads", threads, "4"},
        {"fail", fail, "an exception"},
        {"nap", nap, "until killed"},
        {"leave_work", leave_work, "work for the end of the process: of the library given too"},
        {"mark", mark, "a line in a file"},
        {"newline_to", newline_to, "a newline to that descriptor, and nap"},
        {"orphan_says", orphan_says, "READY=1 by a process whose parent is the one given, and nap"},
        {NULL},
};
const drover_module drover_module_table = {
        .abi = DROVER_MODULE_ABI, .name = "template-module", .init = init, .exit = leave, .targets = targets};
