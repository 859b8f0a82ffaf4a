/* worker-helper.c - one program with verbs: every kind of worker that behaves well or badly.
 *
 *   exit N | signal N | sleep | ignore-term | stop-self
 *   lines N            N numbered lines on stdout, as fast as they go
 *   number FILE        numbered lines on stdout for ever, the last number written is kept in FILE (8 bytes)
 *   flood              lines for ever | close-stdout  then sleep
 *   grandchild FILE    double fork + setsid a sleeper that ignores SIGTERM, its pid in FILE, then sleep
 *   echo               stdin to stdout
 *   ready-notify | ready-fd N | never-ready
 *   ready-kill FILE USEC  STATUS=pid N and READY=1; whoever can remove FILE kills droverd up to USEC later
 *   report             descriptors, signals, environment, limits as text, then exit 0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int wait_for_ever(void) {
        for (;;)
                (void) pause();
        return 0;
}

static int verb_exit(char **v) {
        return atoi(v[0]);
}

static int verb_signal(char **v) {
        (void) raise(atoi(v[0]));
        return wait_for_ever();
}

static int verb_sleep(char **v) {
        (void) v;
        return wait_for_ever();
}

static int verb_ignore_term(char **v) {
        (void) v;
        (void) signal(SIGTERM, SIG_IGN);
        if (write(1, "ignoring\n", 9) != 9)
                return 1;
        return wait_for_ever();
}

static int verb_stop_self(char **v) {
        (void) v;
        (void) raise(SIGSTOP);
        return wait_for_ever();
}

static int verb_lines(char **v) {
        unsigned long n = strtoul(v[0], NULL, 10);

        for (unsigned long i = 0; i < n; i++)
                if (printf("line %lu\n", i) < 0)
                        return 1;
        return fflush(stdout) == 0 ? 0 : 1;
}

static int verb_number(char **v) {
        int fd = open(v[0], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        uint64_t i = 0;
        char line[48];

        if (fd < 0)
                return 1;
        if (pread(fd, &i, sizeof i, 0) != sizeof i)
                i = 0;
        for (;; i++) {
                int n = snprintf(line, sizeof line, "number %llu of a line\n", (unsigned long long) i);
                if (write(1, line, (size_t) n) != n)
                        return 1;
                uint64_t next = i + 1;
                if (pwrite(fd, &next, sizeof next, 0) != sizeof next)
                        return 1;
        }
}

static int verb_flood(char **v) {
        static char block[8100];

        (void) v;
        for (size_t i = 0; i < sizeof block; i++)
                block[i] = i % 81 == 80 ? '\n' : 'f';
        for (;;)
                if (write(1, block, sizeof block) < 0 && errno != EINTR)
                        return 1;
}

static int verb_close_stdout(char **v) {
        (void) v;
        if (write(1, "last words\n", 11) != 11)
                return 1;
        (void) close(1);
        (void) close(2);
        return wait_for_ever();
}

static int verb_grandchild(char **v) {
        if (fork() == 0) {
                (void) setsid();
                if (fork() != 0)
                        _exit(0);
                (void) signal(SIGTERM, SIG_IGN);
                (void) signal(SIGHUP, SIG_IGN);
                char tmp[512];
                (void) snprintf(tmp, sizeof tmp, "%s.new", v[0]);
                FILE *f = fopen(tmp, "we");
                if (!f || fprintf(f, "%d\n", getpid()) < 0 || fclose(f) != 0 || rename(tmp, v[0]) < 0)
                        _exit(1);
                return wait_for_ever();
        }
        return wait_for_ever();
}

static int verb_echo(char **v) {
        char buffer[4096];
        ssize_t n;

        (void) v;
        while ((n = read(0, buffer, sizeof buffer)) > 0)
                for (ssize_t done = 0, w; done < n; done += w)
                        if ((w = write(1, buffer + done, (size_t) (n - done))) <= 0)
                                return 1;
        return n == 0 ? 0 : 1;
}

static int notify_open(struct sockaddr_un *a) {
        const char *path = getenv("NOTIFY_SOCKET");

        *a = (struct sockaddr_un){.sun_family = AF_UNIX};
        if (!path)
                return -1;
        (void) snprintf(a->sun_path, sizeof a->sun_path, "%s", path);
        return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static bool notify_say(int fd, const struct sockaddr_un *a, const char *text) {
        return sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *) a, sizeof *a) >= 0;
}

static int verb_ready_notify(char **v) {
        struct sockaddr_un a;
        int fd = notify_open(&a);

        (void) v;
        return fd >= 0 && notify_say(fd, &a, "READY=1\nSTATUS=open for business\n") ? wait_for_ever() : 1;
}

/* The child of the keeper that is called droverd. */
static pid_t find_droverd(void) {
        char path[64], name[32];
        long pid, found = 0;
        FILE *list, *comm;

        (void) snprintf(path, sizeof path, "/proc/%d/task/%d/children", getppid(), getppid());
        list = fopen(path, "re");
        while (list && found == 0 && fscanf(list, "%ld", &pid) == 1) {
                (void) snprintf(path, sizeof path, "/proc/%ld/comm", pid);
                comm = fopen(path, "re");
                if (comm && fscanf(comm, "%31s", name) == 1 && strcmp(name, "droverd") == 0)
                        found = pid;
                if (comm)
                        (void) fclose(comm);
        }
        if (list)
                (void) fclose(list);
        return (pid_t) found;
}

static int64_t now_nsec(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int verb_ready_kill(char **v) {
        int64_t span = now_nsec() % (strtol(v[1], NULL, 10) * 1000 + 1), until;
        pid_t droverd = unlink(v[0]) == 0 ? find_droverd() : 0;
        struct sockaddr_un a;
        int fd = notify_open(&a);
        char text[64];

        (void) snprintf(text, sizeof text, "STATUS=pid %d", getpid());
        if (fd < 0 || !notify_say(fd, &a, text) || !notify_say(fd, &a, "READY=1"))
                return 1;
        until = now_nsec() + span;
        while (droverd > 0 && now_nsec() < until)
                ;
        if (droverd > 0)
                (void) kill(droverd, SIGKILL);
        return wait_for_ever();
}

static int verb_ready_fd(char **v) {
        if (write(atoi(v[0]), "\n", 1) != 1)
                return 1;
        return wait_for_ever();
}

static void report_descriptors(void) {
        DIR *d = opendir("/proc/self/fd");
        struct dirent *e;
        char path[300], target[256];

        while (d && (e = readdir(d))) {
                if (e->d_name[0] == '.' || atoi(e->d_name) == dirfd(d))
                        continue;
                (void) snprintf(path, sizeof path, "/proc/self/fd/%s", e->d_name);
                ssize_t n = readlink(path, target, sizeof target - 1);
                target[n > 0 ? n : 0] = 0;
                printf("fd %s %s\n", e->d_name, target);
        }
        if (d)
                (void) closedir(d);
}

static int verb_report(char **v) {
        static const char *const wanted[] = {"SigBlk:", "SigIgn:", "SigCgt:", "CapEff:", "CapPrm:", "CapInh:", "CapAmb:",
                                             "Groups:", "Uid:", "Gid:", "NoNewPrivs:", NULL};
        char line[512], cwd[512];
        struct rlimit limit;
        mode_t mask = umask(0);
        FILE *f;

        (void) v;
        report_descriptors();
        f = fopen("/proc/self/status", "re");
        while (f && fgets(line, sizeof line, f))
                for (int i = 0; wanted[i]; i++)
                        if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
                                printf("status %s", line);
        if (f)
                (void) fclose(f);
        for (char **e = environ; *e; e++)
                printf("env %s\n", *e);
        (void) getrlimit(RLIMIT_NOFILE, &limit);
        printf("nofile %llu\numask %03o\ncwd %s\nnice %d\nsession %s\nleader %s\n", (unsigned long long) limit.rlim_cur, mask,
               getcwd(cwd, sizeof cwd) ? cwd : "?", getpriority(PRIO_PROCESS, 0), getsid(0) == getpid() ? "own" : "inherited",
               getpgrp() == getpid() ? "own" : "inherited");
        printf("end of report\n");
        return fflush(stdout) == 0 ? 0 : 1;
}

static const struct verb {
        const char *name;
        int n_args;
        int (*run)(char **v);
} verbs[] = {
        {"exit", 1, verb_exit},
        {"signal", 1, verb_signal},
        {"sleep", 0, verb_sleep},
        {"never-ready", 0, verb_sleep},
        {"ignore-term", 0, verb_ignore_term},
        {"stop-self", 0, verb_stop_self},
        {"lines", 1, verb_lines},
        {"number", 1, verb_number},
        {"flood", 0, verb_flood},
        {"close-stdout", 0, verb_close_stdout},
        {"grandchild", 1, verb_grandchild},
        {"echo", 0, verb_echo},
        {"ready-notify", 0, verb_ready_notify},
        {"ready-kill", 2, verb_ready_kill},
        {"ready-fd", 1, verb_ready_fd},
        {"report", 0, verb_report},
};

int main(int argc, char **argv) {
        for (size_t i = 0; argc >= 2 && i < sizeof verbs / sizeof *verbs; i++)
                if (strcmp(argv[1], verbs[i].name) == 0 && argc - 2 >= verbs[i].n_args)
                        return verbs[i].run(argv + 2);
        fprintf(stderr, "worker-helper: unknown verb or missing argument\n");
        return 64;
}
