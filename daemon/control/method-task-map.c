/* method-task-map.c - task.map and task.items: a call that streams items in and results out.
 *
 * Results are gathered in the turn in which they come, in one notification for neighbours:
 *
 *     {"method":"result","params":{"call":ID,"index":7,"results":[49,null],"errors":{"1":ERROR}}}
 *
 * the results of items 7 and 8, of which the second failed: errors are by their place in "results". While the connection is
 * beyond its mark no more is given to workers. Items come with the call, and, with "more", by task.items on the same
 * connection, which is answered when there is room for more: so nobody can fill the daemon. A connection that goes takes its
 * maps with it: what no worker has yet is not done, and what takes longer than a second from then on ends with its worker. */
#include "base/alloc.h"
#include "control/control-room.h"
#include "control/method-task.h"
#include "control/method.h"

#include <utlist.h>

#define GATHER_MAX (32u * 1024) /* bytes of results in one notification */

typedef struct ItemsCall ItemsCall;

typedef struct MapCall {
        Call *call;
        TaskMap *map;
        Text gathered;
        size_t first, n; /* of what is gathered */
        bool is_done, is_listed;
        ItemsCall *waiting;
        struct MapCall *prev, *next; /* in control->maps */
} MapCall;

/* task.items that is answered when there is room. */
struct ItemsCall {
        Call *call;
        MapCall *map; /* NULL: over */
        ItemsCall *prev, *next;
};

static void list_map(MapCall *m) {
        Control *control = call_control(m->call);

        if (m->is_listed)
                return;
        m->is_listed = true;
        DL_APPEND(control->maps, m);
}

/* ---- results ---- */

static void notify(MapCall *m, size_t first, Slice results, Slice errors) {
        Text *t = call_notify_begin(m->call, PROTOCOL_NOTIFY_RESULT);

        json_put_u64(t, "index", first);
        text_append(t, ",\"results\":[");
        slice_append(t, results);
        text_append_char(t, ']');
        if (errors.at) {
                text_append(t, ",\"errors\":");
                text_append_n(t, errors.at, errors.n);
        }
        call_notify_end(m->call);
        if (connection_is_full(m->call->connection))
                task_map_pause(m->map, true);
}

static void flush_gathered(MapCall *m) {
        if (m->n == 0)
                return;
        if (text_check(&m->gathered) >= 0)
                notify(m, m->first, (Slice){.at = m->gathered.data, .n = m->gathered.length}, (Slice){0});
        text_clear(&m->gathered);
        m->n = 0;
}

static void on_results(TaskMap *map, size_t first, size_t n, Slice results, Slice errors, void *userdata) {
        MapCall *m = userdata;

        if (m->n > 0 && (errors.at || first != m->first + m->n || m->gathered.length + results.n > GATHER_MAX))
                flush_gathered(m);
        if (errors.at) {
                notify(m, first, results, errors);
                return;
        }
        if (m->n == 0)
                m->first = first;
        else
                text_append_char(&m->gathered, ',');
        text_append_n(&m->gathered, results.at, results.n);
        m->n += n;
        list_map(m);
}

static void answer_items(ItemsCall *i) {
        Call *c = i->call;
        Text *t = call_begin(c);

        json_put_object(t, NULL);
        json_end_object(t);
        call_end(c);
}

static void on_room(TaskMap *map, void *userdata) {
        list_map(userdata);
}

static void on_done(TaskMap *map, void *userdata) {
        MapCall *m = userdata;

        m->is_done = true;
        list_map(m);
}

static const TaskMapSink sink = {.on_results = on_results, .on_room = on_room, .on_done = on_done};

static void map_end(MapCall *m) {
        size_t n_items, n_failed;
        Call *c = m->call;
        int code;
        const char *fault = task_map_fault(m->map, &code);
        Text *t;

        if (fault) {
                call_fail(c, code, "%s", fault);
                return;
        }
        t = call_begin(c);

        task_map_counts(m->map, &n_items, &n_failed);
        json_put_object(t, NULL);
        json_put_u64(t, "items", n_items);
        json_put_u64(t, "failed", n_failed);
        json_end_object(t);
        call_end(c);
}

void method_task_settle(Control *control) {
        while (control->maps) {
                MapCall *m = control->maps;

                DL_DELETE(control->maps, m);
                m->is_listed = false;
                flush_gathered(m);
                while (m->waiting && (m->is_done || task_map_has_room(m->map)))
                        answer_items(m->waiting);
                if (m->is_done)
                        map_end(m);
        }
}

/* ---- the call ---- */

static void map_free_state(void *state) {
        MapCall *m = state;

        if (m->is_listed)
                DL_DELETE(call_control(m->call)->maps, m);
        while (m->waiting) {
                ItemsCall *i = m->waiting;

                DL_DELETE(m->waiting, i);
                i->map = NULL;
                answer_items(i);
        }
        task_map_free(m->map);
        text_done(&m->gathered);
        free(m);
}

static void map_on_writable(Call *c, void *state) {
        task_map_pause(((MapCall *) state)->map, false);
}

static const CallOps map_ops = {.is_stream = true, .free_state = map_free_state, .on_writable = map_on_writable};

static void items_free_state(void *state) {
        ItemsCall *i = state;

        if (i->map)
                DL_DELETE(i->map->waiting, i);
        free(i);
}

static const CallOps items_ops = {.free_state = items_free_state};

typedef struct MapParams {
        const char *pool, *target;
        json_t *items, *kwargs;
        int64_t count, chunk, attempts, priority;
        usec_t timeout;
        bool ordered, more;
} MapParams;

static const MapParams map_defaults = {.ordered = true, .count = -1, .timeout = USEC_INFINITY};

static const JsonField map_fields[] = {
        {"pool", JSON_FIELD_STRING, offsetof(MapParams, pool), .required = true, .help = "whose workers take tasks"},
        {"target", JSON_FIELD_STRING, offsetof(MapParams, target), .required = true, .help = "what is called with each item as its one argument"},
        {"items", JSON_FIELD_ARRAY, offsetof(MapParams, items), .help = "the items, or the first of them"},
        {"count", JSON_FIELD_I64, offsetof(MapParams, count), .min = 0, .max = INT64_C(1) << 40, .help = "in place of items: the numbers from 0 to count-1"},
        {"chunk", JSON_FIELD_I64, offsetof(MapParams, chunk), .min = 0, .max = 4096, .help = "items handed to a worker at once (0: by measure)"},
        {"ordered", JSON_FIELD_BOOL, offsetof(MapParams, ordered), .help = "results in the order of the items (true), or as they come"},
        {"kwargs", JSON_FIELD_OBJECT, offsetof(MapParams, kwargs), .help = "arguments by name, the same for each item; then the chunk is 1"},
        {"timeout", JSON_FIELD_SPAN, offsetof(MapParams, timeout), .help = "of one item (the pool's tasks.timeout)"},
        {"attempts", JSON_FIELD_I64, offsetof(MapParams, attempts), .min = 0, .max = TASK_ATTEMPTS_MAX, .help = "how many workers may die with one item (0: the pool's tasks.attempts)"},
        {"priority", JSON_FIELD_I64, offsetof(MapParams, priority), .min = -TASK_PRIORITY_MAX, .max = TASK_PRIORITY_MAX, .help = "-10 to 10, higher first (0)"},
        {"more", JSON_FIELD_BOOL, offsetof(MapParams, more), .help = "further items follow by task.items (false)"},
        {0},
};

static int map_make(Call *c, Pool *pool, const MapParams *p, MapCall *m) {
        const Payload *cut = &call_control(c)->payload;
        const TaskConfig *tasks = &pool_config(pool)->tasks;
        _cleanup_text_ Text items = {0}, kwargs = {0};
        TaskMapSpec spec = {
                .target = p->target,
                .kwargs = payload_text(cut->kwargs, p->kwargs, &kwargs),
                .timeout = p->timeout == USEC_INFINITY ? tasks->timeout : p->timeout,
                .attempts = p->attempts > 0 ? (unsigned) p->attempts : MAX(tasks->attempts, 1u),
                .priority = (int) p->priority,
                .chunk = (size_t) p->chunk,
                .is_ordered = p->ordered,
                .is_count = p->count >= 0,
                .count = (size_t) MAX(p->count, (int64_t) 0),
                .uid = c->connection->peer.uid,
        };
        Slice text = payload_text(cut->items, p->items, &items);
        int r = items.failed || kwargs.failed ? -ENOMEM : task_map_new(&m->map, call_control(c)->world.tasks, pool, &spec, &sink, m);

        if (r >= 0 && text.at)
                r = task_map_add(m->map, text);
        if (r < 0)
                m->map = task_map_free(m->map);
        return r;
}

static void handle_map(Call *c, const void *params) {
        const MapParams *p = params;
        Pool *pool = method_task_pool(c, p->pool);
        MapCall *m;
        int r;

        if (!pool)
                return;
        if ((p->count >= 0) + (p->items || p->more) != 1) {
                call_fail(c, ERROR_PARAMS, "task.map: one of \"items\" (perhaps with \"more\") and \"count\" is wanted");
                return;
        }
        m = NEW0(MapCall);
        if (!m) {
                call_errno(c, -ENOMEM, "cannot begin");
                return;
        }
        m->call = c;
        r = map_make(c, pool, p, m);
        if (r < 0) {
                free(m);
                method_task_errno(c, r, pool);
                return;
        }
        call_keep(c, &map_ops, m);
        if (!p->more)
                task_map_end_items(m->map);
}

const Method method_task_map = {
        .class = ACCESS_SUBMIT,
        .scope = METHOD_OF_POOLS,
        .is_stream = true,
        .is_changing = true,
        .handler = handle_map,
        .fields = map_fields,
        .params_size = sizeof(MapParams),
        .defaults = &map_defaults,
        .result = "`result` notifications {\"call\",\"index\",\"results\":[...],\"errors\":{\"PLACE\":ERROR}}, then {\"items\":N,\"failed\":N}",
};

/* ---- task.items ---- */

typedef struct ItemsParams {
        json_t *call, *items;
        bool more;
} ItemsParams;

static const ItemsParams items_defaults = {.more = true};

static const JsonField items_fields[] = {
        {"call", JSON_FIELD_VALUE, offsetof(ItemsParams, call), .required = true, .help = "id of the task.map, called on this connection with \"more\": true"},
        {"items", JSON_FIELD_ARRAY, offsetof(ItemsParams, items), .help = "the next items"},
        {"more", JSON_FIELD_BOOL, offsetof(ItemsParams, more), .help = "others follow (true)"},
        {0},
};

static void wait_for_room(Call *c, MapCall *m) {
        ItemsCall *i = NEW0(ItemsCall);

        if (!i) {
                call_errno(c, -ENOMEM, "cannot wait");
                return;
        }
        *i = (ItemsCall){.call = c, .map = m};
        DL_APPEND(m->waiting, i);
        call_keep(c, &items_ops, i);
        list_map(m);
}

static void handle_items(Call *c, const void *params) {
        const ItemsParams *p = params;
        Call *of = call_find(c->connection, p->call);
        MapCall *m = of && of->ops == &map_ops ? of->state : NULL;
        _cleanup_text_ Text store = {0};
        Slice text;
        int r;

        if (!m || task_map_is_ended(m->map)) {
                call_fail(c, ERROR_NOT_FOUND, "task.items: \"call\" is no task.map of this connection that takes more items");
                return;
        }
        text = payload_text(call_control(c)->payload.items, p->items, &store);
        r = store.failed ? -ENOMEM : text.at ? task_map_add(m->map, text) : 0;
        if (r < 0) {
                method_task_errno(c, r, task_map_pool(m->map));
                return;
        }
        wait_for_room(c, m);
        if (!p->more)
                task_map_end_items(m->map);
}

const Method method_task_items = {
        .class = ACCESS_PUBLIC, /* the map it belongs to was permitted */
        .scope = METHOD_OF_POOLS,
        .handler = handle_items,
        .fields = items_fields,
        .params_size = sizeof(ItemsParams),
        .defaults = &items_defaults,
        .result = "{} once there is room for more",
};
