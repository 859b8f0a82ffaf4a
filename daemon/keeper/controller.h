/* controller.h - cgroup v2 controllers for the leaves: switched on, given values, read at the end.
 *
 * A cgroup that hands controllers down may hold no process itself. So the keeper leaves its own for a leaf
 * "supervisor" beside its workers' where that may be done: in a cgroup delegated to it, or one it is alone in. The root
 * cgroup needs no such thing. Whatever is not to be had is absent from Controllers.on, and the reason is told.
 *
 * Everything works on directory descriptors, so that the tests can give it directories of plain files. */
#ifndef DROVER_KEEPER_CONTROLLER_H
#define DROVER_KEEPER_CONTROLLER_H

#include "link/keeper-protocol.h"
#include "base/macro.h"

#define CONTROLLER_SUPERVISOR KEEPER_SUPERVISOR_CGROUP /* the keeper's own leaf */
#define CONTROLLER_ALL (KEEPER_CONTROLLER_MEMORY | KEEPER_CONTROLLER_CPU | KEEPER_CONTROLLER_PIDS)

typedef struct Controllers {
        unsigned on;      /* KEEPER_CONTROLLER_*: leaves can have them */
        unsigned handed;  /* of these, those switched on in the base; cpu only once somebody wants it */
        bool has_moved;   /* the keeper sits in `supervisor` */
        char reason[128]; /* why one is missing */
} Controllers;

/** controllers_parse() - "cpuset cpu io memory pids" as bits. */
unsigned controllers_parse(const char *text);
/**
 * controllers_open() - make room in @own_fd and switch on what it has for @base_fd, a directory below it without processes
 * @may_move: NULL: the keeper may leave @own_fd; else why not
 */
void controllers_open(Controllers *c, int own_fd, int base_fd, const char *may_move);
/** controllers_close() - switch off again, and go back. */
void controllers_close(Controllers *c, int own_fd, int base_fd);
/** controllers_why_not_move() - NULL when the process may leave its cgroup for one below it, else a reason. Constant. */
const char *controllers_why_not_move(int own_fd);
/** controllers_off_below() - switch off every controller of a directory, of those below it first. Recursive. */
void controllers_off_below(int dir_fd, unsigned depth);

/**
 * controller_set() - write the values into a leaf; those of absent controllers are passed over
 * Return: 0; -errno of the first value that the kernel refused (the rest is tried all the same).
 */
int controller_set(Controllers *c, int base_fd, int leaf_fd, const KeeperCgroup *values);
/** controller_prepare() - what every fresh leaf gets: its processes are killed together for want of memory. */
void controller_prepare(const Controllers *c, int leaf_fd);
/** controller_account() - oom, memory_limit and memory_peak of @e, as the leaf tells them. */
void controller_account(const Controllers *c, int leaf_fd, KeeperExit *e);

static inline bool controller_has_values(const KeeperCgroup *v) {
        return v->memory_max || v->memory_high || v->cpu_max || v->cpu_weight || v->pids_max;
}

#endif
