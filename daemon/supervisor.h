/* supervisor.h - the root object of droverd.
 *
 * It owns the loop and one of everything: configuration, hub, pools, control room, the lines to keeper and logger, the
 * journal. Its files: supervisor.c (build, run, the post source), supervisor-places (paths and sockets),
 * supervisor-hooks (what other rooms call), supervisor-reload (configuration), supervisor-state (journal out and in),
 * supervisor-status (READY, STATUS, proof of life), supervisor-stop (the orderly end). */
#ifndef DROVER_SUPERVISOR_H
#define DROVER_SUPERVISOR_H

#include "base/macro.h"
#include "options.h"

typedef struct Supervisor Supervisor;

/**
 * supervisor_new() - build everything below the keeper at @keeper_fd_consume, or take over what the life before left
 * Return: 0; else the exit status of the program (EX_CONFIG, EX_TEMPFAIL, EX_SOFTWARE): everything is said.
 */
int supervisor_new(Supervisor **ret, const Options *o, int keeper_fd_consume);
/** supervisor_run() - the loop, until the end. Return: exit status. */
int supervisor_run(Supervisor *s);
Supervisor *supervisor_free(Supervisor *s);
DEFINE_CLEANUP(Supervisor, supervisor_free);

/** supervisor_check() - `droverd --check`: every fault on stdout. Return: exit status, 0 or 2. */
int supervisor_check(const Options *o);

#endif
