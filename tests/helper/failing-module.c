/* failing-module.c - a worker module that knows every way to fail: each target one of them, init() and exit() by $FAIL_AT. */
#include "drover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TARGET(name) static json_t *name(drover_task *task, json_t *args, json_t *kwargs)
#define FDS_MAX 256

static long long number(const json_t *args, size_t i) {
        return json_integer_value(json_array_get(args, i));
}

static const char *word(const json_t *args, size_t i) {
        return json_string_value(json_array_get(args, i));
}

static void sleep_for_ever(void) {
        for (;;)
                (void) pause();
}

/* The channel, which is not for targets. */
static int channel(void) {
        int type, domain;
        socklen_t size = sizeof type;

        for (int fd = 3; fd < FDS_MAX; fd++)
                if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
                    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX)
                        return fd;
        return -1;
}

static void say(const char *text) {
        if (send(channel(), text, strlen(text), MSG_NOSIGNAL) < 0)
                perror("send");
}

/* A line of @path: who was there. */
static void note_pid(const char *path) {
        FILE *f = path ? fopen(path, "ae") : NULL;

        if (f) {
                (void) fprintf(f, "%d\n", (int) getpid());
                (void) fclose(f);
        }
}

/* ---- fine ones ---- */

TARGET(echo) {
        return json_incref(json_array_get(args, 0));
}

TARGET(whoami) {
        return json_integer(getpid());
}

TARGET(nap) {
        note_pid(word(args, 1));
        (void) poll(NULL, 0, (int) number(args, 0));
        return json_integer(getpid());
}

/* ---- exceptions and ends ---- */

TARGET(fail) {
        return drover_raise(task, "ValueError", "on purpose");
}

TARGET(leave) {
        exit((int) number(args, 0));
}

TARGET(leave_now) {
        _exit((int) number(args, 0));
}

TARGET(aborting) {
        abort();
}

TARGET(crash) {
        (void) raise((int) number(args, 0));
        sleep_for_ever();
        return NULL;
}

TARGET(null) {
        volatile int *nowhere = (volatile int *) (uintptr_t) number(args, 0);

        return json_integer(*nowhere);
}

static int deeper(int n) {
        volatile char frame[4096];

        frame[0] = (char) n;
        return n < 0 ? 0 : deeper(n + 1) + frame[0];
}

TARGET(overflow) {
        return json_integer(deeper(0));
}

__attribute__((noinline, visibility("default"))) void endless_loop(void);
void endless_loop(void) {
        for (volatile unsigned i = 0;; i++)
                ;
}

TARGET(loop) {
        endless_loop();
        return NULL;
}

TARGET(stuck) {
        sleep_for_ever();
        return NULL;
}

/* @args: bytes, in pieces of 1 MiB, all written to. */
TARGET(alloc) {
        size_t n = (size_t) number(args, 0) >> 20;
        char **pieces = calloc(n, sizeof *pieces);
        bool is_enough = pieces != NULL;

        for (size_t i = 0; is_enough && i < n; i++) {
                pieces[i] = malloc(1 << 20);
                is_enough = pieces[i] != NULL;
                if (is_enough)
                        memset(pieces[i], 1, 1 << 20);
        }
        for (size_t i = 0; pieces && i < n; i++)
                free(pieces[i]);
        free(pieces);
        return is_enough ? json_integer((json_int_t) n) : drover_raise(task, "MemoryError", "malloc failed");
}

TARGET(other_program) {
        (void) execl(word(args, 0), word(args, 0), word(args, 1), (char *) NULL);
        return drover_raise(task, "OSError", "%s", strerror(errno));
}

TARGET(killer) {
        return json_integer(kill((pid_t) number(args, 0), (int) number(args, 1)));
}

/* ---- the channel ---- */

TARGET(close_channel) {
        (void) close(channel());
        sleep_for_ever();
        return NULL;
}

TARGET(close_everything) {
        for (int fd = 0; fd < FDS_MAX; fd++)
                (void) close(fd);
        return json_true(); /* which cannot be said */
}

TARGET(garbage) {
        say("what is this?\n");
        sleep_for_ever();
        return NULL;
}

TARGET(half_a_line) {
        say("{\"jsonrpc\":\"2.0\",\"id\":1,\"resu");
        (void) raise(SIGKILL);
        return NULL;
}

/* ---- results ---- */

TARGET(huge) {
        size_t n = (size_t) number(args, 0);
        char *text = malloc(n);
        json_t *result = NULL;

        if (!text)
                return drover_raise(task, "MemoryError", "malloc failed");
        memset(text, 'x', n);
        result = json_stringn_nocheck(text, n);
        free(text);
        return result;
}

TARGET(not_utf8) {
        return json_stringn_nocheck("a\xff", 2);
}

TARGET(not_utf8_checked) {
        return json_stringn("a\xff", 2);
}

TARGET(not_a_number) {
        return json_real(0.0 / (double) number(args, 0));
}

TARGET(cycle) {
        json_t *outer = json_array(), *inner = json_array();

        (void) json_array_append(inner, outer);
        (void) json_array_append_new(outer, inner);
        return outer;
}

TARGET(nothing) {
        return NULL;
}

/* ---- children ---- */

/* The grandchild stays. */
TARGET(double_fork) {
        if (fork() == 0) {
                if (fork() == 0) {
                        note_pid(word(args, 0));
                        sleep_for_ever();
                }
                _exit(0);
        }
        _exit(0);
}

TARGET(daemonise) {
        if (fork() > 0)
                _exit(0);
        (void) setsid();
        if (fork() > 0)
                _exit(0);
        note_pid(word(args, 0));
        sleep_for_ever();
        return NULL;
}

/* The child stays, with the channel, and does nothing. */
TARGET(child_stays) {
        if (fork() == 0) {
                note_pid(word(args, 0));
                sleep_for_ever();
        }
        return json_true();
}

TARGET(child_writes) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                say("from the child\n");
                _exit(0);
        }
        (void) waitpid(pid, &status, 0);
        return json_true();
}

/* Both come back from the target. */
TARGET(child_returns) {
        pid_t pid = fork();

        if (pid == 0)
                note_pid(word(args, 0));
        else if (number(args, 1))
                (void) waitpid(pid, NULL, 0);
        return json_true();
}

/* ---- threads ---- */

static void *run_for_ever(void *userdata) {
        sleep_for_ever();
        return userdata;
}

static void *abort_soon(void *userdata) {
        (void) poll(NULL, 0, 50);
        abort();
        return userdata;
}

static bool start_thread(void *(*run)(void *userdata)) {
        pthread_t t;

        return pthread_create(&t, NULL, run, NULL) == 0 && pthread_detach(t) == 0;
}

TARGET(thread_stays) {
        return json_boolean(start_thread(run_for_ever));
}

TARGET(thread_aborts) {
        return json_boolean(start_thread(abort_soon));
}

TARGET(fork_with_threads) {
        int status = -1;
        pid_t pid = start_thread(run_for_ever) ? fork() : -1;

        if (pid == 0) {
                free(malloc(1000));
                _exit(7);
        }
        (void) waitpid(pid, &status, 0);
        return json_integer(WEXITSTATUS(status));
}

/* ---- what it leaves behind ---- */

TARGET(change_signals) {
        sigset_t all;

        for (int sig = 1; sig < NSIG; sig++)
                (void) signal(sig, SIG_IGN);
        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, NULL);
        return json_true();
}

TARGET(change_directory) {
        return json_integer(chdir("/proc"));
}


/* ---- the table ---- */

static void fail_at(const char *when) {
        const char *at = getenv("FAIL_AT");
        size_t n = strlen(when);

        if (!at || strncmp(at, when, n) != 0 || at[n] != '-')
                return;
        if (strcmp(at + n, "-exit") == 0)
                _exit(5);
        if (strcmp(at + n, "-crash") == 0)
                abort();
        if (strcmp(at + n, "-stuck") == 0)
                sleep_for_ever();
}

static int init(void **ret_state) {
        const char *at = getenv("FAIL_AT");

        fail_at("init");
        return at && strcmp(at, "init-error") == 0 ? -EDOM : 0;
}

static void finish(void *state) {
        fail_at("exit");
}

#define ROW(name) {#name, name, NULL}
static const drover_target targets[] = {
        ROW(echo), ROW(whoami), ROW(nap), ROW(fail), ROW(leave), ROW(leave_now), ROW(aborting), ROW(crash), ROW(null), ROW(overflow),
        ROW(loop), ROW(stuck), ROW(alloc), ROW(other_program), ROW(killer), ROW(close_channel), ROW(close_everything), ROW(garbage),
        ROW(half_a_line), ROW(huge), ROW(not_utf8), ROW(not_utf8_checked), ROW(not_a_number), ROW(cycle), ROW(nothing),
        ROW(double_fork), ROW(daemonise), ROW(child_stays), ROW(child_writes), ROW(child_returns), ROW(thread_stays),
        ROW(thread_aborts), ROW(fork_with_threads), ROW(change_signals), ROW(change_directory), {NULL, NULL, NULL},
};

const drover_module drover_module_table = {
        .abi = DROVER_MODULE_ABI,
        .name = "failing",
        .init = init,
        .exit = finish,
        .targets = targets,
};
