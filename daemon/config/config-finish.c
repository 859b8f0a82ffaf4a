/* config-finish.c - what needs several keys of a pool together: contradictions, and values that follow from others.
 *
 * Only between values that were given: against a default, what was written wins. */
#include "base/alloc.h"
#include "config/config-validate.h"
#include <stdio.h>

static json_t *member_of(json_t *o, const char *object, const char *name) {
        return json_object_get(json_object_get(o, object), name);
}

/* A fault at the member @name of the object @object, when it was given. */
_printf_(6, 7) static void fault_given(ConfigCheck *c, const Spot *at, json_t *o, const char *object, const char *name,
                                        const char *fmt, ...) {
        Spot outer = { .up = at, .key = object }, here = { .up = &outer, .key = name };
        char text[256];
        va_list list;

        if (!member_of(o, object, name))
                return;
        va_start(list, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, list);
        va_end(list);
        config_fault_key(c, &here, "%s", text);
}

static void restart_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        bool gave_delay = member_of(o, "restart", "delay"), gave_max = member_of(o, "restart", "max_delay");
        Spot object = { .up = at, .key = "restart" }, max = { .up = &object, .key = "max_delay" };

        if (p->restart.max_delay >= p->restart.delay)
                return;
        if (!gave_max)
                p->restart.max_delay = p->restart.delay;
        else if (!gave_delay)
                p->restart.delay = p->restart.max_delay;
        else
                config_fault_value(c, &max, "max_delay is shorter than delay");
}

/* The ways of being ready, or healthy, that the object names; a fault at the second one. */
static size_t count_ways(ConfigCheck *c, const Spot *at, json_t *o, const char *object, const char *const *ways) {
        const char *first = NULL;
        size_t n = 0;

        for (; *ways; ways++) {
                json_t *v = member_of(o, object, *ways);
                if (!v || json_is_false(v))
                        continue;
                if (n++ == 0)
                        first = *ways;
                else
                        fault_given(c, at, o, object, *ways, "%s and %s exclude each other", first, *ways);
        }
        return n;
}

static void start_for_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        Spot object = { .up = at, .key = "ready" }, inner = { .up = &object, .key = "start_for" };
        Spot outer = { .up = at, .key = "start_for" };
        bool gave_inner = member_of(o, "ready", "start_for"), gave_outer = json_object_get(o, "start_for");

        if (gave_inner && gave_outer)
                config_fault_key(c, &inner, "start_for is also given for the pool itself");
        else if ((gave_inner || gave_outer) && p->ready != READY_EXEC)
                config_fault_key(c, gave_inner ? &inner : &outer, "start_for is only for a pool whose ready is \"exec\"");
}

static void ready_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        static const char *const ways[] = { "notify", "fd", "tcp", "http", "exec", NULL };
        size_t n = count_ways(c, at, o, "ready", ways);
        bool has_probe = member_of(o, "ready", "tcp") || member_of(o, "ready", "http") || member_of(o, "ready", "exec");
        bool gave_fd = member_of(o, "ready", "fd");

        if (n == 0)
                fault_given(c, at, o, "ready", "timeout", "a timeout needs notify, fd, tcp, http or exec beside it");
        if (!has_probe)
                fault_given(c, at, o, "ready", "interval", "an interval needs tcp, http or exec beside it");
        start_for_finish(c, at, o, p);
        if (gave_fd && p->ready == READY_FD && p->has_limit[RLIMIT_NOFILE] && (rlim_t) p->ready_fd >= p->limits[RLIMIT_NOFILE].rlim_cur)
                fault_given(c, at, o, "ready", "fd", "this descriptor is beyond limits.nofile");
        /* between readings of the same kind the descriptor means nothing */
        if (p->ready != READY_FD)
                p->ready_fd = -1;
}

static void health_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        static const char *const ways[] = { "tcp", "http", "exec", NULL };
        Spot here = { .up = at, .key = "health" };

        if (json_is_object(json_object_get(o, "health")) && count_ways(c, at, o, "health", ways) == 0)
                config_fault_value(c, &here, "a health check needs one of tcp, http and exec");
}

static void stop_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        if (p->stop_command)
                fault_given(c, at, o, "stop", "signal", "the command is run in place of the signal; give one of them");
}

/* Of one pool; config-whole adds them all up. */
static void room_finish(ConfigCheck *c, const Spot *at, const PoolConfig *p) {
        Spot here = { .up = at, .key = "workers" };

        if (c->ctx->workers_max > 0 && MAX(p->workers, p->workers_max) > c->ctx->workers_max)
                config_fault_value(c, &here, "there is room for %u workers: %s", c->ctx->workers_max, c->ctx->workers_max_reason);
}

static void size_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        json_t *workers = json_object_get(o, "workers");
        Spot here = { .up = at, .key = "workers" };

        if (!json_is_object(workers))
                return;
        if (!json_object_get(workers, "max")) {
                config_fault_value(c, &here, "max is missing: { \"min\": 1, \"max\": 8 }; for a fixed size write a number");
                return;
        }
        if (!json_object_get(workers, "min"))
                p->workers_min = 1;
        if (p->workers_min == 0 && !p->on_demand && !p->is_task_pool)
                fault_given(c, at, o, "workers", "min", "nothing could start the first one: 0 needs \"on_demand\": true and a socket in "
                            "listen, or a pool that takes tasks; give at least 1");
        if (p->workers_max > 0 && p->workers_min > p->workers_max)
                fault_given(c, at, o, "workers", json_object_get(workers, "min") ? "min" : "max", "min is more than max");
        p->workers = p->workers_min;
}

static bool has_string(char *const *list, const char *s) {
        for (; list && *list; list++)
                if (streq(*list, s))
                        return true;
        return false;
}

static void order_finish(ConfigCheck *c, const Spot *at, PoolConfig *p) {
        Spot requires = { .up = at, .key = "requires" }, after = { .up = at, .key = "after" };

        if (has_string(p->requires, p->name))
                config_fault_value(c, &requires, "a pool cannot wait for itself");
        if (has_string(p->after, p->name))
                config_fault_value(c, &after, "a pool cannot wait for itself");
}

static void listen_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        Spot on_demand = { .up = at, .key = "on_demand" }, listen = { .up = at, .key = "listen" };

        if (p->on_demand && !json_object_get(o, "listen"))
                config_fault_key(c, &on_demand, "starting on demand needs a socket in listen");
        if (p->ready == READY_FD && p->ready_fd >= 3 && (size_t) p->ready_fd < 3 + p->n_listen)
                fault_given(c, at, o, "ready", "fd", "the sockets of listen take descriptors 3 and up, one each");
        for (size_t i = 0; i < p->n_listen; i++)
                for (size_t k = 0; k < i; k++) {
                        Spot here = { .up = &listen, .key = p->listen[i].name };
                        if (listen_config_overlaps(&p->listen[i], &p->listen[k]))
                                config_fault_value(c, &here, "the same address as \"%s\"", p->listen[k].name);
                }
}

static void reload_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        if (p->reload.max_unavailable == 0 && p->reload.max_surge == 0)
                fault_given(c, at, o, "reload", "max_unavailable",
                            "with 0 here and no max_surge nothing could ever be replaced");
}

static void cgroup_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        const CgroupConfig *g = &p->cgroup;

        if (g->memory_high != CGROUP_UNSET && g->memory_high != CGROUP_MAX && g->memory_max != CGROUP_UNSET && g->memory_high > g->memory_max)
                fault_given(c, at, o, "cgroup", "memory_high", "memory_high is more than memory_max");
}

static void isolation_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        const struct {
                const char *name;
                char **paths;
        } lists[] = { { "read_only", p->isolation.read_only_paths },
                      { "read_write", p->isolation.read_write_paths },
                      { "inaccessible", p->isolation.inaccessible_paths } };

        for (size_t i = 1; i < ARRAY_SIZE(lists); i++)
                for (size_t k = 0; k < i; k++)
                        for (char **s = lists[i].paths; s && *s; s++)
                                if (has_string(lists[k].paths, *s))
                                        fault_given(c, at, o, "isolation", lists[i].name, "%.100s is in %s too", *s, lists[k].name);
}

static void recycle_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        if (p->recycle.age > 0 && p->recycle.age < 100 * USEC_PER_MSEC)
                fault_given(c, at, o, "recycle", "age", "shorter than 100ms it would do nothing but restart");
        if (p->recycle.memory > 0 && p->recycle.memory < 65536)
                fault_given(c, at, o, "recycle", "memory", "less than any process has; 0 is off");
}

static void output_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        static const char *const names[] = { "max_size", "max_files", "max_total", "rotate_every", "compress", "timestamps", "format" };
        bool is_file = p->output == OUTPUT_LOG || p->output == OUTPUT_PATH;

        for (size_t i = 0; i < ARRAY_SIZE(names) && !is_file; i++)
                fault_given(c, at, o, "output", names[i], "only \"log\" and a path are files of drover's own");
        if (p->output == OUTPUT_NULL || p->output == OUTPUT_INHERIT)
                fault_given(c, at, o, "output", "on_full", "only \"log\", a path and \"journal\" can be full");
        if (p->output_timestamps && p->output_format == OUTPUT_JSON)
                fault_given(c, at, o, "output", "timestamps", "a line of format \"json\" has its time already");
        if (p->output_max_total > 0 && p->output_max_total < 4096)
                fault_given(c, at, o, "output", "max_total", "at least 4K; 0 is no bound");
        else if (p->output_max_total > 0 && !member_of(o, "output", "max_size"))
                p->output_max_size = MIN(p->output_max_size, p->output_max_total);
        else if (p->output_max_total > 0 && p->output_max_total < p->output_max_size)
                fault_given(c, at, o, "output", "max_total", "less than one file of max_size");
        if (p->output_rotate_every > 0 && p->output_rotate_every < USEC_PER_SEC)
                fault_given(c, at, o, "output", "rotate_every", "shorter than a second; 0 is by size alone");
}

void config_pool_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        config_module_finish(c, at, o, p);
        config_identity_finish(c, at, o, p);
        if (!json_object_get(o, "no_new_privileges"))
                p->no_new_privs = (p->has_identity ? p->uid : c->ctx->uid) != 0;
        config_env_finish(c, at, o, p);
        size_finish(c, at, o, p);
        room_finish(c, at, p);
        order_finish(c, at, p);
        listen_finish(c, at, o, p);
        restart_finish(c, at, o, p);
        stop_finish(c, at, o, p);
        ready_finish(c, at, o, p);
        health_finish(c, at, o, p);
        reload_finish(c, at, o, p);
        recycle_finish(c, at, o, p);
        cgroup_finish(c, at, o, p);
        isolation_finish(c, at, o, p);
        output_finish(c, at, o, p);
        if (p->is_task_pool && p->module && !json_object_get(o, "ready"))
                p->ready = READY_HELLO; /* its host says so once the module is loaded */
}
