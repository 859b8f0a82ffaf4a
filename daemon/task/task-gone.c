/* task-gone.c - a pool that nobody will work for: it has given up, or it goes.
 *
 * A pool that was stopped, disabled or is not up yet keeps what waits: it may be started, and whoever cannot wait says
 * queue_timeout. One that has given up (its state is failed or exited) says so: what waits fails with the reason, and so does
 * what is submitted. With one that is removed what waits is cancelled at once, and its results go with it. */
#include "task/task-internal.h"

#include "wire/protocol.h"
#include <stdio.h>

static void maps_end(TaskPool *p, int code, const char *message) {
        TaskMap *m, *next;

        DL_FOREACH_SAFE2(p->maps, m, next, of_pool_next)
                map_abandon(m, code, message);
}

static void queued_end(TaskPool *p, TaskState state, int code, const char *message) {
        Task *t, *next;

        HASH_ITER(hh, p->tasks, t, next)
                if (t->state == TASK_QUEUED)
                        task_fail(t, state, code, message);
        maps_end(p, code, message);
}

static bool has_waiting(const TaskPool *p) {
        return p->n_queued > 0 || p->maps;
}

void task_pool_look(TaskPool *p) {
        char why[KEEPER_TEXT_MAX + KEEPER_NAME_MAX], message[sizeof why + KEEPER_NAME_MAX + 64];

        if (!has_waiting(p))
                return;
        if (pool_is_removing(p->pool)) {
                queued_end(p, TASK_CANCELLED, ERROR_CANCELLED, "its pool is being removed");
        } else if (pool_has_given_up(p->pool, why, sizeof why)) {
                (void) snprintf(message, sizeof message, "no worker of %s is left to do it: %s", p->name, why);
                queued_end(p, TASK_FAILED, ERROR_WORKER_DIED, message);
        }
}

void task_pool_gone(TaskPool *p) {
        Task *t, *next;

        HASH_ITER(hh, p->tasks, t, next)
                if (!task_is_final(t))
                        task_fail(t, TASK_CANCELLED, ERROR_CANCELLED, "its pool was removed");
        maps_end(p, ERROR_CANCELLED, "its pool was removed");
        HASH_ITER(hh, p->tasks, t, next) {
                if (t->is_mute)
                        task_tell(t, NULL);
        }
        HASH_ITER(hh, p->tasks, t, next)
                task_forget(t);
        p->pool = NULL;
}
