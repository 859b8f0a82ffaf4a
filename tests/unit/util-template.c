/* util-template.c - see util-template.h. */
#include "util-template.h"
#include "util-keeper.h"
#include "base/fd.h"
#include "base/macro.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS_MAX 8
#define HELD_MAX 32
#define CGROUPS "/sys/fs/cgroup"

static void say(int fd, const char *text) {
        if (packet_send(fd, text, strlen(text), NULL, 0) < 0)
                _exit(90);
}

bool template_leaf(pid_t pid, char *buf, size_t size) {
        char path[64], text[4096], *line;
        FILE *f;
        size_t n;

        (void) snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
        f = fopen(path, "re");
        if (!f)
                return false;
        n = fread(text, 1, sizeof(text) - 1, f);
        (void) fclose(f);
        text[n] = '\0';
        line = strstr(text, "0::/");
        if (!line || !strstr(line, "/drover-"))
                return false;
        line[strcspn(line, "\n")] = '\0';
        (void) snprintf(buf, size, "%s%s", access(CGROUPS "/unified/cgroup.procs", F_OK) == 0 ? CGROUPS "/unified" : CGROUPS, line + 3);
        return true;
}

static void make_below(void) {
        char leaf[4200], path[4300];

        if (!template_leaf(getpid(), leaf, sizeof(leaf)))
                return;
        (void) snprintf(path, sizeof(path), "%s/below", leaf);
        (void) mkdir(path, 0755);
}

static void leave_one_behind(void) {
        if (fork() == 0)
                for (;;)
                        (void) pause();
}

static void kill_myself(void) {
        (void) kill(getpid(), SIGKILL);
}

static const struct {
        const char *name;
        void (*act)(void);
} ways[] = { /* names: see TEMPLATE_SPOILERS */
        {"below", make_below}, {"behind", leave_one_behind}, {"killed", kill_myself},
};

/* What it was asked for: an exit code; a way to spoil its leaf; or it stays. */
_noreturn_ static void act_on(const char *text, int report, int out, int last) {
        if (streq(text, "deaf"))
                _exit(7);
        say(report, streq(text, "stale") ? text : streq(text, "fail") ? "failed stdio 2 1" : "begun");
        if (streq(text, "stale") || streq(text, "fail"))
                _exit(8);
        (void) close(report);
        if ((streq(text, "ready") || streq(text, "talk")) && write(last, "\n", 1) != 1)
                _exit(94);
        if (streq(text, "talk") && write(out, text, strlen(text)) < 0)
                _exit(95);
        if (strncmp(text, "out ", 4) == 0)
                _exit(write(out, text + 4, strlen(text + 4)) < 0);
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
                if (streq(ways[i].name, text)) {
                        ways[i].act();
                        _exit(0);
                }
        if (*text >= '0' && *text <= '9')
                _exit(atoi(text));
        for (;;)
                (void) pause();
}

static void read_near(int fd, char *text, size_t size) {
        ssize_t n = pread(fd, text, size - 1, 0);

        text[MAX(n, 0)] = '\0';
}

_noreturn_ static void act_as_spare(int report, int out) {
        char packet[2048], text[1024] = "";
        bool has_go = false, has_text = false;
        int fds[FDS_MAX] = {-1};
        size_t n_fds = 0;

        while (!has_go || !has_text) {
                size_t n_more = 0;
                ssize_t n = packet_recv(report, packet, sizeof(packet) - 1, fds + n_fds, FDS_MAX - n_fds, &n_more);

                if (n <= 0)
                        _exit(91);
                packet[n] = '\0';
                n_fds += n_more;
                has_go = has_go || streq(packet, "g") || strncmp(packet, "launch", 6) == 0;
                if (streq(packet, "g"))
                        continue;
                has_text = true;
                if (strchr(packet, ' '))
                        (void) snprintf(text, sizeof(text), "%.1000s", strchr(packet, ' ') + 1);
                else
                        read_near(fds[0], text, sizeof(text));
        }
        act_on(text, report, out, n_fds > 0 ? fds[n_fds - 1] : -1);
}

_noreturn_ static void act_as_launch(int report, const char *text) {
        char go;

        if (recv(report, &go, 1, 0) != 1 || go != 'g')
                _exit(91);
        _exit(atoi(text));
}

/* @text NULL: a spare. Twice, as any language can. */
static void fork_one(const int *fds, const char *text) {
        pid_t pid = fork();

        if (pid == 0) {
                if (fork() == 0) {
                        (void) setsid();
                        (void) close(BENCH_TEMPLATE_FD);
                        say(fds[0], "here");
                        if (text)
                                act_as_launch(fds[0], text);
                        act_as_spare(fds[0], fds[1]);
                }
                _exit(0);
        }
        (void) waitpid(pid, NULL, 0);
}

static struct {
        int fds[FDS_MAX];
        size_t n_fds;
} held[HELD_MAX];
static size_t n_held;

/* Of those that are held: each is born now, or never. */
static void decide(const char *text) {
        while (n_held > 0 && (streq(text, "release") || streq(text, "drop"))) {
                n_held--;
                if (streq(text, "release"))
                        fork_one(held[n_held].fds, NULL);
                fd_close_many(held[n_held].fds, held[n_held].n_fds);
        }
}

static void on_spare(const char *manner, const int *fds, size_t n_fds) {
        if (streq(manner, "refuse"))
                say(fds[0], "failed fork 11 0");
        else if (!streq(manner, "hold"))
                fork_one(fds, NULL);
        else {
                memcpy(held[n_held].fds, fds, n_fds * sizeof(int));
                held[n_held++].n_fds = n_fds;
        }
}

void template_act(const char *manner) {
        char words[128], text[64];
        size_t n_fds = 0;
        int fds[FDS_MAX];
        ssize_t n;

        say(BENCH_TEMPLATE_FD, streq(manner, "unable") ? "ready" : "ready spare");
        while ((n = packet_recv(BENCH_TEMPLATE_FD, words, sizeof(words) - 1, fds, FDS_MAX, &n_fds)) > 0) {
                words[n] = '\0';
                if (strncmp(words, "report stdout stderr", 20) == 0) {
                        on_spare(manner, fds, n_fds);
                        if (!streq(manner, "hold"))
                                fd_close_many(fds, n_fds);
                        continue;
                }
                read_near(fds[0], text, sizeof(text));
                decide(text);
                fork_one(fds + 1, text);
                fd_close_many(fds, n_fds);
        }
        _exit(0);
}
