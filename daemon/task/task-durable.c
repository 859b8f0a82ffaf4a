/* task-durable.c - tasks of pools with tasks.durable: their records are in a file too, and outlive the machine.
 *
 * PENDING, beside its state, is a task that waits for the disk, outside the queue:
 *   submitted   nobody was told of it yet; with its ticket it is accepted and queued, and if the disk fails it is withdrawn
 *   claimed     it may be begun only once (attempts 1): that it is begun is on the disk before a worker gets it. At most
 *               CLAIMS_MAX of a pool, for after a power cut these are lost, begun or not
 * Outcomes are told at once, and reach the disk a moment later: one that was told just before a power cut may be lost, or, by
 * leave of attempts, be done once more. */
#include "task/task-internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "handover/durable-log.h"
#include "priority.h"
#include "wire/protocol.h"

#define CLAIMS_MAX 64u
#define OUTCOME_RESERVE 512u /* bytes on the disk for the record of an end */
#define RETRY_USEC USEC_PER_SEC
#define FILL_SLICE 500u /* tasks put for a file anew at a time: half a millisecond */

static void pending_add(Task *t) {
        TaskRoom *r = t->pool->room;

        t->is_pending = true;
        t->ticket = durable_log_ticket(r->durable);
        DL_APPEND2(r->pending, t, pending_prev, pending_next);
}

void durable_leave(Task *t) {
        if (!t->is_pending)
                return;
        DL_DELETE2(t->pool->room->pending, t, pending_prev, pending_next);
        t->is_pending = false;
        t->pool->n_claiming -= t->is_claimed;
}

/* ---- accepted, or begun ---- */

bool durable_holds(const Task *t) {
        return t->is_durable && t->pool->room->durable && !t->is_claimed && t->n_deaths + 1 >= t->attempts;
}

bool durable_claim(Task *t) {
        TaskPool *p = t->pool;

        if (p->n_claiming >= CLAIMS_MAX)
                return false;
        queue_remove(p, &t->node);
        t->is_claimed = true;
        p->n_claiming++;
        record_claim(t);
        pending_add(t);
        return true;
}

static bool is_full(int error) {
        return error == -ENOSPC || error == -EDQUOT || error == -EFBIG;
}

int durable_accept(TaskRoom *r, size_t bytes) {
        int error = task_room_need_durable(r);

        if (error >= 0)
                error = durable_log_reserve(r->durable, bytes + OUTCOME_RESERVE * (r->n_durable + 1));
        return error >= 0 ? 0 : is_full(error) ? -ENOSPC : error == -ENOMEM ? error : -EIO;
}

void durable_submitted(Task *t) {
        pending_add(t);
}

/* From the last to the first, so that those before others in the queue are so again. */
static void claims_done(TaskRoom *r, uint64_t ticket, bool is_good) {
        Task *t = r->pending ? r->pending->pending_prev : NULL, *before;

        for (; t; t = before) {
                before = t == r->pending ? NULL : t->pending_prev;
                if (t->ticket > ticket || !t->is_claimed)
                        continue;
                durable_leave(t);
                t->is_claimed = is_good;
                queue_unpop(t->pool, &t->node);
        }
}

static void on_synced(uint64_t ticket, void *userdata) {
        TaskRoom *r = userdata;

        claims_done(r, ticket, true);
        while (r->pending && r->pending->ticket <= ticket) {
                Task *t = r->pending;
                TaskWatch *w, *next;

                durable_leave(t);
                queue_push(t->pool, &t->node);
                DL_FOREACH_SAFE(t->watches, w, next)
                        if (w->on_safe)
                                w->on_safe(w, t);
        }
}

static void withdraw(Task *t, int error) {
        while (t->watches) {
                TaskWatch *w = t->watches;

                task_unwatch(w);
                if (w->on_refused)
                        w->on_refused(w, t, error);
        }
        task_forget(t);
}

static void on_failed(int error, void *userdata) {
        TaskRoom *r = userdata;
        Task *t, *next;

        log_error("durable tasks cannot be written down: %s; none is accepted until that works again", strerrordesc_np(-error));
        claims_done(r, UINT64_MAX, false);
        DL_FOREACH_SAFE2(r->pending, t, next, pending_next)
                withdraw(t, is_full(error) ? -ENOSPC : -EIO);
}

/* ---- the file anew ---- */

static void put_live(Task *t) {
        if (!t->is_durable)
                return;
        record_submitted(t);
        if (t->is_claimed)
                record_claim(t);
        else
                record_state(t);
}

/* Those that came later are in the file by themselves. */
static bool is_to_be_put(const TaskRoom *r) {
        return r->fill_task && r->fill_task->number <= r->fill_last;
}

static void fill_pool(TaskRoom *r, TaskPool *p) {
        r->fill_pool = p;
        r->fill_task = p ? p->tasks : NULL;
        r->fill_last = p ? p->last_number : 0;
        if (p)
                record_numbers(p);
}

static bool put_some(bool is_first, void *userdata) {
        TaskRoom *r = userdata;
        unsigned n = 0;

        r->is_filling = true;
        if (is_first)
                fill_pool(r, r->pools);
        while (r->fill_pool && n < FILL_SLICE) {
                for (; n < FILL_SLICE && is_to_be_put(r); n++) {
                        put_live(r->fill_task);
                        r->fill_task = r->fill_task->hh.next;
                }
                if (!is_to_be_put(r)) {
                        fill_pool(r, r->fill_pool->hh.next);
                        n++;
                }
        }
        r->is_filling = false;
        return !r->fill_pool;
}

void durable_forget(const Task *t) {
        TaskRoom *r = t->pool->room;

        if (r->fill_task == t)
                r->fill_task = t->hh.next;
}

void durable_flush(TaskRoom *r) {
        if (!r->durable)
                return;
        durable_log_flush(r->durable);
        if (durable_log_fault(r->durable) < 0 && (r->pending || r->n_durable > 0))
                task_room_arm(r, usec_add(clock_now(), RETRY_USEC));
}

/* ---- life ---- */

int task_room_need_durable(TaskRoom *r) {
        static const DurableHooks hooks = {.on_synced = on_synced, .on_failed = on_failed, .put_some = put_some};

        if (r->durable)
                return 0;
        return r->durable_dir ? durable_log_new(&r->durable, r->world.event, r->durable_dir, PRIORITY_TASKS, &hooks, r) : -ENOENT;
}

static int restore_from_disk(const char *key, json_t *value, void *userdata) {
        return task_room_restore(key, value, userdata);
}

int task_room_use_dir(TaskRoom *r, const char *dir, bool is_first_life) {
        int n = 0;

        free(r->durable_dir);
        r->durable_dir = alloc_strdup(dir);
        if (!r->durable_dir)
                return -ENOMEM;
        if (!durable_log_exists(dir))
                return 0;
        if (is_first_life) {
                r->is_from_disk = true;
                n = durable_log_replay(dir, restore_from_disk, r);
                r->is_from_disk = false;
                task_room_catch_up(r);
                task_room_put_all(r);
        }
        if (n > 0)
                log_warning("%s/tasks.log: %d records are spoilt and skipped; one at the end is usual after a power cut", dir, n);
        if (r->n_homeless > 0)
                log_warning("%s/tasks.log: %zu records are of pools that are not there any more; they are dropped", dir, r->n_homeless);
        return n < 0 ? n : task_room_need_durable(r);
}
