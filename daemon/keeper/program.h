/* program.h - droverd and drover-logger as the keeper keeps them: started, and started again when they die.
 *
 * States: waiting (pid 0, restart_at set) -> running (pid) -> waiting ...; wanted = false ends the circle.
 * A program that lived for less than PROGRAM_SHORT_LIFE_USEC is started again only after a delay that doubles
 * from 100 ms to 1 s; else at once.
 *
 * Owner: the Keeper. All strings are made at start: starting a program allocates nothing. */
#ifndef DROVER_KEEPER_PROGRAM_H
#define DROVER_KEEPER_PROGRAM_H

#include "base/clock.h"
#include "base/macro.h"
#include <sys/types.h>

#define PROGRAM_SHORT_LIFE_USEC USEC_PER_SEC
#define PROGRAM_DELAY_MIN_USEC (100 * USEC_PER_MSEC)
#define PROGRAM_DELAY_MAX_USEC USEC_PER_SEC
#define PROGRAM_LINE_GRACE_USEC USEC_PER_SEC /* from the end of a program's line to its own */
#define PROGRAM_LINK_FD 3 /* where a program finds its line: $DROVER_KEEPER_FD */

typedef struct Program {
        const char *name;  /* for diagnostics */
        const char *path;
        char **argv;       /* borrowed */
        char **env;        /* borrowed; the same for all programs */
        uint64_t n_fds_soft;
        bool is_wanted;
        pid_t pid;         /* 0: not running */
        int pidfd;         /* -EBADF where the kernel has none */
        int n_lives;
        usec_t started_usec; /* CLOCK_MONOTONIC */
        usec_t delay_usec;
} Program;

/** program_environment() - the keeper's own without what systemd meant for it alone, with $DROVER_KEEPER_FD.
 *  A NULL-terminated array that lives as long as the keeper, or NULL when memory is short. */
char **program_environment(char **own);

/**
 * program_start() - one life
 * @link_fd: its end of a new line, borrowed
 * Return: 0, or -errno when no process could be made. A failed exec is seen as exit code 127.
 */
int program_start(Program *p, int link_fd, usec_t now_usec);
/** program_ended() - reaped: µs until the next start (0: at once). */
usec_t program_ended(Program *p, usec_t now_usec);
/** program_delay() - pure: what follows a life of @lived_usec after which delay. */
usec_t program_delay(usec_t delay_usec, usec_t lived_usec);
void program_kill(const Program *p, int sig);

#endif
