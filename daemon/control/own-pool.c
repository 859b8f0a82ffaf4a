/* own-pool.c - the table of keys, the user, the count.
 *
 * The keeper sets a process up as root: limits above the own ones, a better nice value, capabilities, other groups, sockets
 * on any port, log files anywhere, files read as root. So the table names what is harmless; every other key, and every key
 * that will be made later, is the administrator's.
 *
 * Nothing is kept for the count: what a user has is seen from the pools themselves, after a kill of droverd too. */
#include "control/own-pool.h"
#include "control/control-room.h"

#include <stdio.h>

typedef bool (*key_check)(const json_t *value);

static bool is_any(const json_t *v) {
        return true;
}

static bool is_no_boost(const json_t *v) {
        return json_is_integer(v) && json_integer_value(v) >= 0;
}

static bool is_plain_stop(const json_t *v) {
        return !json_object_get(v, "command");
}

/* Words and {"fd":N}; droverd itself would ask over tcp and http, with its own rights. */
static bool is_plain_ready(const json_t *v) {
        static const char *const allowed[] = {"fd", "timeout", NULL};
        const char *key;
        json_t *member;

        json_object_foreach((json_t *) v, key, member) {
                size_t i = 0;

                while (allowed[i] && !streq(allowed[i], key))
                        i++;
                if (!allowed[i])
                        return false;
        }
        return true;
}

static bool is_plain_tasks(const json_t *v) {
        return !json_object_get(v, "queue_max");
}

static bool is_plain_output(const json_t *v) {
        const char *s = json_string_value(v);

        return s && (streq(s, "log") || streq(s, "journal") || streq(s, "null"));
}

static const struct {
        const char *key;
        key_check is_harmless;
        const char *otherwise;
} keys[] = {
        {"command", is_any, NULL},
        {"module", is_any, NULL}, /* the worker loads it, as its user */
        {"target", is_any, NULL},
        {"args", is_any, NULL},
        {"kwargs", is_any, NULL},
        {"start_method", is_any, NULL},
        {"protocol", is_any, NULL},
        {"tasks", is_plain_tasks, "with queue_max "},
        {"workers", is_any, NULL},
        {"autostart", is_any, NULL},
        {"directory", is_any, NULL},
        {"env", is_any, NULL},
        {"clear_env", is_any, NULL},
        {"umask", is_any, NULL},
        {"nice", is_no_boost, "below 0 "},
        {"oom_score_adj", is_no_boost, "below 0 "},
        {"cpu_affinity", is_any, NULL},
        {"restart", is_any, NULL},
        {"stop", is_plain_stop, "with a command "},
        {"ready", is_plain_ready, "with a probe "},
        {"start_for", is_any, NULL},
        {"watchdog", is_any, NULL},
        {"recycle", is_any, NULL},
        {"output", is_plain_output, "other than log, journal or null "},
        {"on_daemon_exit", is_any, NULL},
        {"user", is_any, NULL}, /* own_pool_check() */
};

static bool key_is_allowed(Call *c, const char *key, const json_t *value) {
        const char *more = "";

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                if (!streq(keys[i].key, key))
                        continue;
                if (keys[i].is_harmless(value))
                        return true;
                more = keys[i].otherwise;
        }
        call_fail(c, ERROR_DENIED, "%s: the key \"%.60s\" %sneeds the role administer; yours is %s",
                  protocol_methods[c->method].name, key, more, access_class_to_string(call_level(c)));
        return false;
}

static bool is_bound(const Call *c) {
        return call_level(c) < ACCESS_ADMINISTER;
}

int own_pool_prepare(Call *c) {
        const ControlWorld *world = &call_control(c)->world;
        const char *key;
        json_t *value;

        if (!is_bound(c))
                return 0;
        if (!world->hooks.config_context(world->userdata)->is_system) {
                call_fail(c, ERROR_DENIED, "%s needs the role administer: this daemon is an ordinary user's and can run nothing as you",
                          protocol_methods[c->method].name);
                return -EACCES;
        }
        json_object_foreach(c->params, key, value)
                if (!key_is_allowed(c, key, value))
                        return -EACCES;
        if (json_object_get(c->params, "user"))
                return 0;
        if (json_object_set_new(c->params, "user", json_integer(c->connection->peer.uid)) < 0) {
                call_errno(c, -ENOMEM, "cannot run");
                return -EACCES;
        }
        return 0;
}

ConfigContext own_pool_context(const Call *c) {
        const ControlWorld *world = &call_control(c)->world;
        ConfigContext context = *world->hooks.config_context(world->userdata);

        context.is_blind = is_bound(c);
        return context;
}

bool own_pool_is_of(const Pool *p, uid_t uid) {
        const PoolConfig *config = pool_config(p);

        return pool_origin(p) != POOL_FROM_CONFIG && config->has_identity && config->uid == uid;
}

/* The daemon's own end, and the machine's, wait for the last process. */
static bool is_patient(Call *c, const PoolConfig *config) {
        char span[SPAN_TEXT_MAX];

        if (config->stop_timeout <= CONTROL_STOP_TIMEOUT_MAX)
                return false;
        call_fail(c, ERROR_DENIED, "%s: a stop.timeout above %s needs the role administer; yours is %s", protocol_methods[c->method].name,
                  span_format(span, CONTROL_STOP_TIMEOUT_MAX), access_class_to_string(call_level(c)));
        return true;
}

static bool is_within_quota(Call *c, const PoolConfig *config, bool is_run) {
        size_t n_processes = MAX(config->workers, config->workers_max), n_pools = !is_run;
        uid_t uid = c->connection->peer.uid;

        for (Pool *p = pool_first(call_control(c)->world.pools); p; p = pool_next(p)) {
                if (!own_pool_is_of(p, uid))
                        continue;
                if (pool_is_run(p))
                        n_processes += !worker_is_resting(pool_worker(p, 0));
                else
                        n_processes += pool_n_workers(p);
                n_pools += !pool_is_run(p);
        }
        return n_processes <= CONTROL_PROCESSES_PER_UID_MAX && n_pools <= CONTROL_POOLS_PER_UID_MAX;
}

int own_pool_check(Call *c, const PoolConfig *config, bool is_run) {
        if (!is_bound(c))
                return 0;
        if (!config->has_identity || config->uid != c->connection->peer.uid || config->uid == 0) {
                call_fail(c, ERROR_DENIED, "%s as another user needs the role administer; yours is %s, and runs things as uid %u",
                          protocol_methods[c->method].name, access_class_to_string(call_level(c)), (unsigned) c->connection->peer.uid);
                return -EACCES;
        }
        if (is_patient(c, config))
                return -EACCES;
        if (is_within_quota(c, config, is_run))
                return 0;
        connection_offend(c->connection, PENALTY_QUOTA);
        call_fail(c, ERROR_LIMIT, "a user who is no administrator may have %u processes and %u pools made at run time",
                  CONTROL_PROCESSES_PER_UID_MAX, CONTROL_POOLS_PER_UID_MAX);
        return -EDQUOT;
}
