/* task-queue.c - what waits in a pool: a list for each priority, highest first; within one, in order of arrival. */
#include "task/task-internal.h"

static QueueNode **list_of(TaskPool *p, const QueueNode *n) {
        return &p->queue[TASK_PRIORITY_MAX - n->priority];
}

void queue_push(TaskPool *p, QueueNode *n) {
        if (n->is_queued)
                return;
        DL_APPEND(*list_of(p, n), n);
        n->is_queued = true;
        task_pool_mark(p);
}

void queue_unpop(TaskPool *p, QueueNode *n) {
        if (n->is_queued)
                queue_remove(p, n);
        DL_PREPEND(*list_of(p, n), n);
        n->is_queued = true;
        task_pool_mark(p);
}

void queue_remove(TaskPool *p, QueueNode *n) {
        if (!n->is_queued)
                return;
        DL_DELETE(*list_of(p, n), n);
        n->is_queued = false;
        task_pool_mark(p);
}

void queue_rotate(TaskPool *p, QueueNode *n) {
        QueueNode **list = list_of(p, n);

        if (!n->is_queued || (*list == n && !n->next))
                return;
        DL_DELETE(*list, n);
        DL_APPEND(*list, n);
}

QueueNode *queue_first(const TaskPool *p, bool (*is_fit)(const QueueNode *n)) {
        QueueNode *n;

        for (size_t i = 0; i < N_PRIORITIES; i++)
                DL_FOREACH(p->queue[i], n)
                        if (is_fit(n))
                                return n;
        return NULL;
}
