/* method.c - the table, and what is common to all methods: parameters, refusals. */
#include "control/method.h"
#include "control/control-call.h"
#include "control/control-room.h"

#include <stdalign.h>

const Method *const methods[_METHOD_MAX] = {
        [METHOD_STATUS] = &method_status,
        [METHOD_START] = &method_start,
        [METHOD_STOP] = &method_stop,
        [METHOD_RESTART] = &method_restart,
        [METHOD_RELOAD] = &method_reload,
        [METHOD_ROLLBACK] = &method_rollback,
        [METHOD_TERMINATE] = &method_terminate,
        [METHOD_KILL] = &method_kill,
        [METHOD_SCALE] = &method_scale,
        [METHOD_PAUSE] = &method_pause,
        [METHOD_RESUME] = &method_resume,
        [METHOD_DRAIN] = &method_drain,
        [METHOD_WAIT] = &method_wait,
        [METHOD_RUN] = &method_run,
        [METHOD_LOGS] = &method_logs,
        [METHOD_LOGS_ROTATE] = &method_logs_rotate,
        [METHOD_LOGS_CLEAR] = &method_logs_clear,
        [METHOD_LOGS_REOPEN] = &method_logs_reopen,
        [METHOD_EVENTS] = &method_events,
        [METHOD_POOL_ADD] = &method_pool_add,
        [METHOD_POOL_REMOVE] = &method_pool_remove,
        [METHOD_CONFIG_CHECK] = &method_config_check,
        [METHOD_CONFIG_SHOW] = &method_config_show,
        [METHOD_CONFIG_APPLY] = &method_config_apply,
        [METHOD_CONFIG_PLAN] = &method_config_plan,
        [METHOD_CONFIG_SET] = &method_config_set,
        [METHOD_CONFIG_GET] = &method_config_get,
        [METHOD_ENABLE] = &method_enable,
        [METHOD_DISABLE] = &method_disable,
        [METHOD_DAEMON_INFO] = &method_daemon_info,
        [METHOD_DAEMON_PROMISES] = &method_daemon_promises,
        [METHOD_DAEMON_METRICS] = &method_daemon_metrics,
        [METHOD_DAEMON_SHUTDOWN] = &method_daemon_shutdown,
        [METHOD_RPC_DISCOVER] = &method_rpc_discover,
        [METHOD_CALL_CANCEL] = &method_call_cancel,
        [METHOD_TASK_SUBMIT] = &method_task_submit,
        [METHOD_TASK_MAP] = &method_task_map,
        [METHOD_TASK_ITEMS] = &method_task_items,
        [METHOD_TASK_WAIT] = &method_task_wait,
        [METHOD_TASK_CANCEL] = &method_task_cancel,
        [METHOD_TASK_LIST] = &method_task_list,
        [METHOD_BLOB_NEW] = &method_blob_new,
        [METHOD_BLOB_GET] = &method_blob_get,
        [METHOD_BLOB_DROP] = &method_blob_drop,
};

/* By position to by name: the table's order. -E2BIG: more than there are. */
static int params_by_name(const Method *m, json_t **params) {
        _cleanup_json_ json_t *o = json_object();
        size_t i;
        json_t *v;

        if (!o)
                return -ENOMEM;
        json_array_foreach(*params, i, v) {
                if (!m->fields[i].name)
                        return -E2BIG;
                if (json_object_set(o, m->fields[i].name, v) < 0)
                        return -ENOMEM;
        }
        json_decref(*params);
        *params = TAKE_PTR(o);
        return 0;
}

/* Parts the table's members from the keys of a pool beside them. */
static int params_part(const Method *m, Call *c) {
        if (!c->params)
                c->params = json_object();
        c->own = json_object();
        if (!c->own || !c->params)
                return -ENOMEM;
        for (const JsonField *f = m->fields; f->name; f++) {
                json_t *v = json_object_get(c->params, f->name);

                if (!v || f->type == JSON_FIELD_VALUE) /* that is a key of a pool, named only for its position */
                        continue;
                if (json_object_set(c->own, f->name, v) < 0)
                        return -ENOMEM;
                (void) json_object_del(c->params, f->name);
        }
        return 0;
}

static int params_unpack(const Method *m, Call *c, void *ret, JsonFault *fault) {
        static const JsonField none[] = {{0}};
        _cleanup_json_ json_t *empty = NULL;
        json_t *o;
        int r;

        if (m->defaults)
                memcpy(ret, m->defaults, m->params_size);
        else
                memset(ret, 0, m->params_size);
        if (json_is_array(c->params)) {
                r = params_by_name(m, &c->params);
                if (r < 0)
                        return r;
        }
        if (m->takes_config) {
                r = params_part(m, c);
                if (r < 0)
                        return r;
        }
        o = m->takes_config ? c->own : c->params;
        if (!o)
                o = empty = json_object();
        return o ? json_unpack_fields(o, m->fields ? m->fields : none, ret, fault) : -ENOMEM;
}

/* A call that goes on keeps only what it needs: a list of eight thousand names is a megabyte. */
static void handle(const Method *m, Call *c, const void *params) {
        Control *control = call_control(c);

        control->current = c;
        m->handler(c, params);
        if (control->current == c && !m->is_stream) {
                json_decref(TAKE_PTR(c->params));
                json_decref(TAKE_PTR(c->own));
        }
        control->current = NULL;
}

static size_t fields_count(const Method *m) {
        size_t n = 0;

        while (m->fields && m->fields[n].name)
                n++;
        return n;
}

bool method_may(Call *c, AccessClass level, const char *object) {
        AccessClass needed = methods[c->method]->class;

        if (level >= needed)
                return true;
        call_fail(c, ERROR_DENIED, "%s%s%s needs the role %s; yours is %s", protocol_methods[c->method].name, object ? " of " : "",
                  object ? object : "", access_class_to_string(needed), access_class_to_string(level));
        return false;
}

void method_call(Call *c) {
        const Method *m = methods[c->method];
        const char *name = protocol_methods[c->method].name;
        alignas(max_align_t) char params[METHOD_PARAMS_MAX];
        JsonFault fault = {0};
        int r;

        if (m->scope == METHOD_OF_DAEMON && !method_may(c, call_level(c), NULL))
                return;
        if (m->is_stream && !uid_book_has_room(c->connection->book, UID_STREAMS, 1)) {
                connection_offend(c->connection, PENALTY_QUOTA);
                call_fail(c, ERROR_LIMIT, "your user follows too many logs and events already: at most %u", CONTROL_STREAMS_PER_UID_MAX);
                return;
        }
        if (m->is_changing && call_control(c)->is_shutting_down) {
                call_fail(c, ERROR_SHUTTING_DOWN, "the daemon is shutting down");
                return;
        }
        r = params_unpack(m, c, params, &fault);
        if (r == -E2BIG)
                call_fail(c, ERROR_PARAMS, "%s takes at most %zu parameters by position", name, fields_count(m));
        else if (r == -ENOMEM)
                call_fail(c, ERROR_INTERNAL, "the daemon is short of memory");
        else if (r < 0)
                call_fail(c, ERROR_PARAMS, "%s: %s", name, fault.text);
        else
                handle(m, c, params);
}
