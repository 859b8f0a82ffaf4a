/* errand.h - a short command on behalf of a worker: the exec probe of its health, its stop command.
 *
 * The keeper launches it like a worker of its own, named "web/0!check", with the worker's user, environment (and
 * $MAINPID), directory and limits, in a cgroup leaf of its own; its output goes nowhere. It is killed with its whole
 * tree when its time is up, when nobody waits for it any more, and by the life after droverd's own death. */
#ifndef DROVER_POOL_ERRAND_H
#define DROVER_POOL_ERRAND_H

#include "pool/worker.h"

/* Checks of all workers at once; the others wait for their turn. Stop commands do not wait. */
#define ERRAND_CHECKS_MAX 16u
#define ERRAND_SENTENCE_MAX 640

typedef struct Errand Errand;
typedef struct PoolSet PoolSet;
typedef enum ErrandKind {
        ERRAND_CHECK,
        ERRAND_STOP,
        ERRAND_STOP_ELDER, /* of the process that a younger one replaces: $MAINPID is that one's */
        _ERRAND_KIND_MAX,
} ErrandKind;
const char *errand_kind_to_string(ErrandKind k); /* the part of its name behind the '!' */

/* @sentence: NULL: it ended with code 0; else what came of it: "/bin/check exited with code 1". Borrowed. The errand
 * is nobody's from then on and must be forgotten. From the loop, never from inside a call. */
typedef void (*ErrandDone)(const char *sentence, void *userdata);

/**
 * errand_start() - run @command for @w; at most @timeout from its launch on (USEC_INFINITY: as long as it takes)
 * @command is borrowed until it is launched. What cannot be launched is told by @done.
 * Return: 0, *ret is borrowed until @done or errand_drop(); -ENOMEM.
 */
int errand_start(Errand **ret, Worker *w, ErrandKind kind, char **command, usec_t timeout, ErrandDone done, void *userdata);
/** errand_drop() - nobody waits for it any more: killed, freed when it is gone. NULL is accepted. Returns NULL. */
Errand *errand_drop(Errand *e);
bool errand_is_name(const char *name); /* a name of the keeper's table is an errand's, not a worker's */

/* For the converge step. */
void errand_set_converge(PoolSet *s); /* launch those whose turn it is, free those that are over */
void errand_set_done(PoolSet *s);     /* forget all */

#endif
