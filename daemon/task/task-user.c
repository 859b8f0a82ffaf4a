/* task-user.c - what the tasks of each user hold.
 *
 * Tasks outlive connections, and the entries of control's uid-book do not, so they are counted here, by the same rules:
 * a bound for each user, and of the whole a share, at most 1/(n+1) of what the others leave, n being the users present.
 * What waits or runs is refused beyond the bound. Results are taken in any case, for the work is done; of a user who
 * lets too many lie, the oldest goes: by their texts, and by their blobs as well. */
#include "task/task-internal.h"

#include "base/alloc.h"

static TaskUser *user_get(TaskRoom *r, uid_t uid) {
        TaskUser *u;

        HASH_FIND(hh, r->users, &uid, sizeof uid, u);
        if (u)
                return u;
        u = NEW0(TaskUser);
        if (!u)
                return NULL;
        u->uid = uid;
        HASH_ADD(hh, r->users, uid, sizeof u->uid, u);
        return u;
}

static void user_release(TaskRoom *r, TaskUser *u) {
        if (u->n > 0 || u->settled)
                return;
        HASH_DEL(r->users, u);
        free(u);
}

static bool has_room(const TaskRoom *r, const TaskUser *u, size_t bytes) {
        size_t own = u->bytes + bytes, others = r->bytes - u->bytes;

        if (own > TASK_BYTES_PER_UID_MAX || others >= TASK_BYTES_MAX)
                return false;
        return own <= (TASK_BYTES_MAX - others) / (HASH_COUNT(r->users) + 1);
}

int task_room_charge(TaskRoom *r, uid_t uid, size_t bytes) {
        TaskUser *u = user_get(r, uid);

        if (!u)
                return -ENOMEM;
        if (!has_room(r, u, bytes)) {
                user_release(r, u);
                return -EDQUOT;
        }
        task_room_charge_anyway(r, uid, bytes);
        return 0;
}

void task_room_charge_anyway(TaskRoom *r, uid_t uid, size_t bytes) {
        TaskUser *u = user_get(r, uid);

        if (!u)
                return;
        u->n++;
        u->bytes += bytes;
        r->bytes += bytes;
}

void task_room_discharge(TaskRoom *r, uid_t uid, size_t bytes) {
        TaskUser *u;

        HASH_FIND(hh, r->users, &uid, sizeof uid, u);
        if (!u || u->n == 0)
                return;
        u->n--;
        r->bytes -= MIN(bytes, u->bytes);
        u->bytes -= MIN(bytes, u->bytes);
        user_release(r, u);
}

/* ---- results ---- */

static size_t result_size(const Task *t) {
        return TASK_COST + (t->answer ? strlen(t->answer) : 0);
}

void task_user_take_result(Task *t) {
        TaskUser *u = user_get(t->pool->room, t->uid);

        t->user = u;
        if (!u)
                return;
        DL_APPEND2(u->settled, t, of_user_prev, of_user_next);
        u->result_bytes += result_size(t);
        t->pool->room->is_to_trim = true;
}

void task_user_drop_result(Task *t) {
        TaskUser *u = t->user;

        t->user = NULL;
        if (!u)
                return;
        DL_DELETE2(u->settled, t, of_user_prev, of_user_next);
        u->result_bytes -= result_size(t);
        user_release(t->pool->room, u);
}

static void user_trim(TaskUser *u) {
        Task *t, *next;

        DL_FOREACH_SAFE2(u->settled, t, next, of_user_next) {
                if (u->result_bytes <= TASK_RESULTS_PER_UID_MAX)
                        return;
                if (t->is_mute || !t->of_user_next) /* somebody is about to be told; the last one frees the user */
                        continue;
                task_forget(t);
        }
}

static bool has_blobs_to_give(const Task *t) {
        return t->results.n > 0 && !t->is_mute;
}

/* Up to which of his results all blobs have to go for @b; NULL: that would not do. */
static Task *last_to_forget(const TaskUser *u, const Blob *b) {
        uint64_t bytes = 0;
        size_t n = 0;
        Task *t;

        DL_FOREACH2(u->settled, t, of_user_next) {
                if (!has_blobs_to_give(t))
                        continue;
                n += t->results.n;
                bytes += blob_set_charged(&t->results);
                if (blob_could_use(b, u->uid, n, bytes))
                        return t;
        }
        return NULL;
}

bool task_user_make_room(TaskRoom *r, uid_t uid, const Blob *b) {
        Task *last, *t, *next;
        TaskUser *u;

        HASH_FIND(hh, r->users, &uid, sizeof uid, u);
        last = u ? last_to_forget(u, b) : NULL;
        if (!last)
                return false;
        for (t = u->settled; t; t = next) { /* with its last one the user may go */
                next = t == last ? NULL : t->of_user_next;
                if (has_blobs_to_give(t))
                        task_forget(t);
        }
        return true;
}

void task_room_trim(TaskRoom *r) {
        TaskUser *u, *after;
        TaskPool *p, *next;

        if (!r->is_to_trim)
                return;
        r->is_to_trim = false;
        HASH_ITER(hh, r->users, u, after)
                user_trim(u);
        HASH_ITER(hh, r->pools, p, next)
                while (p->n_settled > TASK_SETTLED_MAX)
                        task_forget(p->settled);
}
