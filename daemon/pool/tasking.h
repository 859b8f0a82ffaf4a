/* tasking.h - where the workers of a task pool and the room that gives them tasks meet.
 *
 * That room stands above this one. It is told of each process of a task pool by the hooks below: before its launch, when
 * it shall end, when it ended; it asks and tells by the functions. A process is named by its worker and its generation,
 * since a worker may have two for a while. */
#ifndef DROVER_POOL_TASKING_H
#define DROVER_POOL_TASKING_H

#include "pool/pool.h"

typedef struct TaskingHooks {
        /* A process is about to be launched: the descriptors for it, borrowed until `launched`: channel, page. -errno. */
        int (*open)(Worker *w, int ret_fds[static 2], void *userdata);
        /* It was asked for; @generation 0: it was not. */
        void (*launched)(Worker *w, uint64_t generation, void *userdata);
        /* A process of the life before was taken over. */
        void (*adopted)(Worker *w, uint64_t generation, void *userdata);
        /* It shall end: nothing more for it. Return: it will end by itself, once it has done what it has in hand. */
        bool (*close)(Worker *w, uint64_t generation, void *userdata);
        void (*ended)(Worker *w, uint64_t generation, const ExitStatus *e, void *userdata);
        /* The last lines of a process that ended badly, an array of strings; NULL: there are none. After ended; within
         * LAST_WORDS_WAIT of the end of its output, or never. */
        void (*words)(uint64_t generation, const char *json, void *userdata);
        /* Some worker of it may take tasks now that could not before, or the other way round. */
        void (*changed)(Pool *p, void *userdata);
} TaskingHooks;

void pool_set_use_tasking(PoolSet *s, const TaskingHooks *hooks, void *userdata);

/** worker_takes_tasks() - the process of this generation is ready and there to stay. */
bool worker_takes_tasks(const Worker *w, uint64_t generation);
/** worker_tasks_allowed() - how many calls this process may be given in its life: recycle.tasks. UINT64_MAX: any number, also
 *  when it was to be replaced and its successor did not come. In recycle.c. */
uint64_t worker_tasks_allowed(const Worker *w, uint64_t generation);
/** worker_hear_hello() - it can take tasks: that is what `ready` of a module means. */
void worker_hear_hello(Worker *w, uint64_t generation);
/** worker_set_load() - what it is at; @task: the number of the task, 0: none. */
void worker_set_load(Worker *w, uint64_t generation, bool is_busy, uint64_t task, uint64_t n_done);
int worker_signal_process(Worker *w, uint64_t generation, int sig);
/** worker_kill_process() - SIGKILL of its whole tree; @why: a clause, what its end is told with. */
int worker_kill_process(Worker *w, uint64_t generation, const char *why);
void pool_set_queued(Pool *p, size_t n);
/** pool_has_given_up() - all its workers ended, and none comes again unless somebody starts it; *why: how the first did. */
bool pool_has_given_up(const Pool *p, char *why, size_t size);

/* For the room itself. */
int tasking_open(Worker *w, int ret_fds[static 2]); /* 0: it is not of a task pool; 2 */
void tasking_launched(Worker *w, uint64_t generation);
void tasking_adopted(Worker *w, uint64_t generation);
bool tasking_close(Worker *w, uint64_t generation);
void tasking_ended(Worker *w, uint64_t generation, const ExitStatus *e);
void tasking_words(Worker *w, uint64_t generation, const char *json);
void tasking_changed(Pool *p);

#endif
