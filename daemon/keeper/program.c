/* program.c - start, end and start again of the two programs beside the keeper. */
#include "keeper/program.h"
#include "keeper/child-setup.h"
#include "keeper/spawn.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Meant by systemd, or by an outer drover, for this process alone. */
static const char *const not_inherited[] = {
        "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=", "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=",
        "LISTEN_PIDFDID=", "MAINPID=", "DROVER_KEEPER_FD=",
};

static bool is_inherited(const char *variable) {
        for (size_t i = 0; i < ARRAY_SIZE(not_inherited); i++)
                if (strncmp(variable, not_inherited[i], strlen(not_inherited[i])) == 0)
                        return false;
        return true;
}

char **program_environment(char **own) {
        size_t n = 0;
        char **env;

        while (own[n])
                n++;
        env = NEW0_ARRAY(char *, n + 2);
        if (!env)
                return NULL;
        n = 0;
        for (char **v = own; *v; v++)
                if (is_inherited(*v))
                        env[n++] = *v;
        env[n] = alloc_printf("DROVER_KEEPER_FD=%d", PROGRAM_LINK_FD);
        if (!env[n]) {
                free(env);
                return NULL;
        }
        return env;
}

_noreturn_ static void run_program(const Program *p, int link_fd) {
        static const char failed[] = "drover-keeper: cannot execute a program of its own\n";
        struct rlimit limit;
        int null = open("/dev/null", O_RDONLY);

        (void) setsid(); /* signals from a terminal are the keeper's to understand */
        if (null >= 0)
                (void) dup2(null, STDIN_FILENO);
        if (link_fd == PROGRAM_LINK_FD ? fd_set_cloexec(link_fd, false) < 0 : dup2(link_fd, PROGRAM_LINK_FD) < 0)
                _exit(126);
        (void) close_range(PROGRAM_LINK_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC);
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = MIN((rlim_t) p->n_fds_soft, limit.rlim_max);
                (void) setrlimit(RLIMIT_NOFILE, &limit);
        }
        signals_reset();
        signals_unblock();
        (void) execve(p->path, p->argv, p->env);
        if (write(STDERR_FILENO, failed, sizeof(failed) - 1) < 0)
                _exit(126);
        _exit(127);
}

int program_start(Program *p, int link_fd, usec_t now_usec) {
        SpawnMethod method = SPAWN_CLONE;
        int pidfd = -EBADF;
        bool inside;
        pid_t pid = spawn(&method, -1, &pidfd, &inside);

        if (pid < 0)
                return pid;
        if (pid == 0)
                run_program(p, link_fd);
        p->pid = pid;
        p->pidfd = pidfd;
        p->n_lives++;
        p->started_usec = now_usec;
        return 0;
}

usec_t program_delay(usec_t delay_usec, usec_t lived_usec) {
        if (lived_usec >= PROGRAM_SHORT_LIFE_USEC)
                return 0;
        return delay_usec == 0 ? PROGRAM_DELAY_MIN_USEC : MIN(2 * delay_usec, PROGRAM_DELAY_MAX_USEC);
}

usec_t program_ended(Program *p, usec_t now_usec) {
        p->pid = 0;
        p->pidfd = fd_close(p->pidfd);
        p->delay_usec = program_delay(p->delay_usec, usec_sub(now_usec, p->started_usec));
        return p->delay_usec;
}

void program_kill(const Program *p, int sig) {
        if (p->pid > 0)
                (void) kill(p->pid, sig); /* our own child, not yet reaped: the number is still its own */
}
