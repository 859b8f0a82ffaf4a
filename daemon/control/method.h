/* method.h - the one table of methods. It drives dispatch, parameters (by name and by position), rpc.discover and the list
 * of drover-protocol(7); names and help stand in wire/protocol.h, which clients use too. */
#ifndef DROVER_CONTROL_METHOD_H
#define DROVER_CONTROL_METHOD_H

#include "base/json.h"
#include "control/access.h"
#include "wire/protocol.h"

typedef struct Call Call;

#define METHOD_PARAMS_MAX 128 /* bytes of the largest params struct */

/* Where a caller's level is looked at. The first is the careful one, for whoever forgets to say. */
typedef enum MethodScope {
        METHOD_OF_DAEMON, /* the level for everything must reach `class` before the handler is called */
        METHOD_OF_POOLS,  /* selection.h looks, pool by pool; whoever has no role anywhere finds no pool */
} MethodScope;

typedef struct Method {
        AccessClass class;
        MethodScope scope;
        bool is_stream;    /* answers in the course of time: counted among the user's streams */
        bool is_changing;  /* audited; refused while the daemon shuts down */
        bool is_unaudited; /* but too frequent for a line each: only when it is denied */
        bool is_rare;      /* audited whenever an administrator calls it, though others may; so is what needs that role */
        bool takes_config; /* members that are not in the table are keys of a pool: the handler checks them */
        /* Answers now, or keeps the call by call_keep(). @params: the struct filled by the table; its strings live while
         * the handler runs, with is_stream as long as the call. */
        void (*handler)(Call *c, const void *params);
        const JsonField *fields; /* in positional order, ends with .name == NULL */
        size_t params_size;
        const void *defaults; /* params_size bytes; NULL: zeros */
        const char *result;   /* what it answers, for documents */
} Method;

/* Indexed by ProtocolMethodId; each file method-*.c defines its own. */
extern const Method method_status, method_start, method_stop, method_restart, method_terminate, method_kill, method_scale,
        method_pause, method_resume, method_drain, method_reload, method_rollback,
        method_wait, method_run, method_logs, method_logs_reopen, method_logs_rotate, method_logs_clear, method_events, method_pool_add, method_pool_remove,
        method_config_check, method_config_show, method_config_apply, method_config_plan, method_config_set, method_config_get,
        method_enable, method_disable, method_daemon_info, method_daemon_metrics, method_daemon_promises, method_daemon_shutdown,
        method_rpc_discover, method_call_cancel, method_task_submit, method_task_map, method_task_items, method_task_wait,
        method_task_cancel, method_task_list, method_blob_new, method_blob_get, method_blob_drop;
extern const Method *const methods[_METHOD_MAX];

/** method_may() - does @level reach what the call's method needs; else the call is answered with `denied`. */
bool method_may(Call *c, AccessClass level, const char *object);
/** method_call() - unpack the call's parameters and hand it to its method, or refuse it. */
void method_call(Call *c);

#endif
