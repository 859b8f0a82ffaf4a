/* task-recall.c - requests taken back that a worker has been given ahead and has not begun.
 *
 * Fast tasks are given ahead by the dozen, so that a worker never waits; then one of them lasts, and the others must not wait
 * behind it while another worker has nothing to do. @claimed in the page is the highest request that is spoken for: the
 * worker moves it up to the one that it begins, droverd to the last one given, and who comes second finds it moved. What
 * droverd takes so goes back to the front of the queue; the worker passes over it.
 *
 * The ledger says what is about to be taken until the journal has it: if droverd dies in between, its next life takes it
 * from there. */
#include "task/task-internal.h"

#include <stdatomic.h>

static void piece_return(Piece *p) {
        if (p->map) {
                p->map->n_open--;
                map_redo(p->map, p->first, p->n, p->n_deaths);
        } else if (p->task) {
                task_requeue(p->task);
        }
        p->n = 0;
}

/* Return: the first that is ours now; 0: none. */
static uint64_t take_back(Channel *c, uint64_t last) {
        uint64_t claimed = atomic_load(&c->page->claimed);
        TaskLedger *l = c->ledger;

        if (TASK_CLAIM_ID(claimed) >= last)
                return 0;
        l->recall_from = TASK_CLAIM_ID(claimed) + 1;
        __atomic_store_n(&l->recall_to, last, __ATOMIC_RELEASE);
        if (atomic_compare_exchange_strong(&c->page->claimed, &claimed, TASK_CLAIM_BY_DROVERD(last)))
                return l->recall_from;
        __atomic_store_n(&l->recall_to, 0, __ATOMIC_RELEASE);
        return 0;
}

bool channel_recall(Channel *c) {
        uint64_t first, last = c->next_id - 1;
        unsigned n = 0;

        if (!c->has_page || c->is_condemned || c->is_over || c->generation == 0 || c->n_open == 0 || c->n_fds_open > 0 || c->ledger->recall_to > 0)
                return false; /* a descriptor belongs to the line that it came with */
        first = take_back(c, last);
        for (uint64_t id = last; first > 0 && id >= MAX(first, c->head); id--) { /* the last first: each goes to the front */
                Piece *p = channel_piece(c, id);

                if (!p)
                        continue;
                c->n_open--;
                c->bytes_open -= p->bytes;
                c->n_given -= p->n;
                piece_return(p);
                n++;
        }
        if (first == 0)
                return false;
        while (c->head < c->next_id && !channel_piece(c, c->head))
                c->head++;
        c->is_load_new = c->is_ledger_old = true;
        channel_mark(c);
        return n > 0;
}

bool pool_recall(TaskPool *p) {
        bool has_idle = false, has_some = false;
        Channel *c;

        if (p->n_queued > 0)
                return false;
        DL_FOREACH(p->channels, c) {
                has_idle |= c->n_open == 0 && channel_takes(c);
                has_some |= c->is_slow && c->n_open > 1;
        }
        if (!has_idle || !has_some)
                return false;
        has_some = false;
        DL_FOREACH(p->channels, c)
                has_some |= c->is_slow && c->n_open > 1 && channel_recall(c);
        return has_some;
}

bool ledger_has_recalled(const Channel *c, uint64_t id) {
        const TaskLedger *l = c->ledger;

        return l->recall_to > 0 && id >= l->recall_from && id <= l->recall_to &&
               atomic_load(&c->page->claimed) == TASK_CLAIM_BY_DROVERD(l->recall_to);
}
