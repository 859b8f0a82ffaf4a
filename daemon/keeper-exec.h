/* keeper-exec.h - droverd started by hand or by systemd puts drover-keeper above itself.
 *
 * The keeper keeps the pid that was started and starts droverd again below it, with $DROVER_KEEPER_FD. */
#ifndef DROVER_KEEPER_EXEC_H
#define DROVER_KEEPER_EXEC_H

#include "base/macro.h"

/**
 * keeper_exec() - become drover-keeper with the arguments @argv of this droverd
 * Return: only on failure; -ENOENT when keeper or logger are in none of the places; errors of execv(2). It is logged.
 */
int keeper_exec(int argc, char **argv);
/**
 * keeper_inherit() - the line to the keeper named by $DROVER_KEEPER_FD, which is removed from the environment
 * Return: a descriptor, close-on-exec; -ENOENT when there is no keeper above; -EBADF, -ENOTSOCK, -EPROTOTYPE.
 */
int keeper_inherit(void);

#endif
