/* method-task-list.c - task.list: the tasks that are there, a page at a time. */
#include "base/parse.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method.h"
#include "control/method-task.h"
#include "pool/tasking.h"

#define LIST_MAX 1000

typedef struct ListParams {
        const char *pool, *state, *after;
        int64_t limit;
} ListParams;

static const ListParams list_defaults = {.limit = 100};

static const JsonField list_fields[] = {
        {"pool", JSON_FIELD_STRING, offsetof(ListParams, pool), .help = "of this pool (all)"},
        {"state", JSON_FIELD_STRING, offsetof(ListParams, state), .help = "queued, running, done, failed, cancelled, timeout or lost (all)"},
        {"limit", JSON_FIELD_I64, offsetof(ListParams, limit), .min = 1, .max = LIST_MAX, .help = "at most so many, pool by pool, oldest first (100)"},
        {"after", JSON_FIELD_STRING, offsetof(ListParams, after), .help = "only those behind the task of this id, which may be gone: the next page (from the first)"},
        {0},
};

typedef struct Listing {
        Call *call;
        Text *out;
        int state; /* -1: all */
        size_t left, n_more;
        char after_pool[TASK_ID_MAX]; /* "": from the first */
        uint64_t after;
        bool is_past; /* the pool of `after` */
} Listing;

/* Pools come one after the other, in an order that stays. */
static bool is_behind(Listing *l, const Task *t) {
        if (!*l->after_pool)
                return true;
        if (streq(task_pool_name(t), l->after_pool)) {
                l->is_past = true;
                return task_number(t) > l->after;
        }
        return l->is_past;
}

/* POOL-N. */
static bool list_after(Listing *l, const char *id) {
        const char *dash = strrchr(id, '-');

        if (!dash || (size_t) (dash - id) >= sizeof l->after_pool || parse_u64(dash + 1, &l->after) < 0)
                return false;
        memcpy(l->after_pool, id, (size_t) (dash - id));
        return true;
}

static bool list_one(Task *t, void *userdata) {
        Listing *l = userdata;

        if (!is_behind(l, t) || (l->state >= 0 && (int) task_state(t) != l->state) || !method_task_may_see(l->call, t))
                return true;
        if (l->left == 0) {
                l->n_more++;
                return true;
        }
        l->left--;
        task_put_json(t, l->out, true);
        return true;
}

static void handle_list(Call *c, const void *params) {
        const ListParams *p = params;
        Pool *pool = p->pool ? method_task_pool(c, p->pool) : NULL;
        int state = p->state ? task_state_from_string(p->state) : -1;
        Listing l = {.call = c, .state = state, .left = (size_t) p->limit};

        if (p->pool && !pool)
                return;
        if (p->state && state < 0) {
                call_fail(c, ERROR_PARAMS, "task.list: \"state\" is queued, running, done, failed, cancelled, timeout or lost, not \"%.40s\"", p->state);
                return;
        }
        if (p->after && !list_after(&l, p->after)) {
                call_fail(c, ERROR_PARAMS, "task.list: \"after\" is the id of a task, as POOL-1, not \"%.80s\"", p->after);
                return;
        }
        l.out = call_begin(c);
        json_put_object(l.out, NULL);
        json_put_array(l.out, "tasks");
        task_each(call_control(c)->world.tasks, pool, list_one, &l);
        json_end_array(l.out);
        json_put_u64(l.out, "more", l.n_more);
        json_end_object(l.out);
        call_end(c);
}

const Method method_task_list = {
        .class = ACCESS_SUBMIT,
        .scope = METHOD_OF_POOLS,
        .handler = handle_list,
        .fields = list_fields,
        .params_size = sizeof(ListParams),
        .defaults = &list_defaults,
        .result = "{\"tasks\":[OUTCOME with pool, target, priority, deaths, attempts, uid, submitted_at, ended_at, worker...],\"more\":N}",
};
