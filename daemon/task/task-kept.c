/* task-kept.c - answers that a worker has finished and not sent: found in its page.
 *
 * A worker gathers answers for a moment. One that dies in it has them in the page, and so has one that began something slow
 * right after something fast: TASK_LOOK_USEC after the last answer the page is looked at, when more is expected. If one
 * request has lasted for so long, the others can be had back: see task-recall.c.
 * What comes later on the channel as well is known by its id, and by the number of its first item. */
#include "task/task-internal.h"

#include <stdatomic.h>

/* A copy that is whole. Return: its bytes; 0: nothing, or the worker was at it. */
static size_t copy_kept(const TaskPage *p, char *buf) {
        uint64_t n_sends = atomic_load_explicit(&p->n_sends, memory_order_acquire);
        uint64_t n = atomic_load_explicit(&p->n_kept, memory_order_acquire);

        if (n == 0 || n > TASK_KEPT_MAX)
                return 0;
        memcpy(buf, p->kept, n);
        atomic_thread_fence(memory_order_acquire);
        return atomic_load_explicit(&p->n_sends, memory_order_relaxed) == n_sends ? n : 0;
}

void channel_take_kept(Channel *c) {
        static const char rest[] = "]}}"; /* what an answer in the making wants: it ends with a whole item */
        char *data = c->pool->room->peek;
        size_t size = c->has_page ? copy_kept(c->page, data) : 0, at = 0;

        while (at < size) {
                const char *end = memchr(data + at, '\n', size - at);
                size_t n = end ? (size_t) (end - data) - at : size - at;

                if (!end) {
                        memcpy(data + size, rest, sizeof rest - 1);
                        n += sizeof rest - 1;
                }
                answer_take_kept(c, data + at, n);
                at += n + 1;
        }
}

void channel_look_later(Channel *c, usec_t now) {
        if (!c->has_page || c->n_open < 2 || c->look_at > 0)
                return;
        c->look_at = usec_add(now, TASK_LOOK_USEC);
        task_room_arm(c->pool->room, c->look_at);
}
