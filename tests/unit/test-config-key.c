/* test-config-key.c - every key of the table with good and bad values, each alone; and the table with itself. */
#include "base/alloc.h"
#include "config/config-key.h"
#include <check.h>
#include <unistd.h>

static ConfigContext context(bool is_system) {
        return (ConfigContext){ .is_system = is_system, .uid = is_system ? 0 : 12345, .log_dir = "/l", .state_dir = "/s" };
}

/* A pool of `true` with one more member. */
static int make(const char *member, bool is_system, PoolConfig **ret, ConfigFaults *faults) {
        ConfigContext ctx = context(is_system);
        _cleanup_free_ char *text = alloc_printf("{\"command\":[\"true\"]%s%s}", *member ? "," : "", member);
        _cleanup_json_ json_t *o = json_loads(text, 0, NULL);

        ck_assert_msg(o != NULL, "%s", text);
        return pool_config_from_json("p", o, false, &ctx, ret, faults);
}

static PoolConfig *make_good(const char *member) {
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        PoolConfig *p = NULL;
        int r = make(member, true, &p, &faults);

        ck_assert_msg(r == 0, "%s: %s", member, faults.n > 0 ? faults.items[0].text : "?");
        ck_assert_uint_eq(faults.n, 0);
        return p;
}

/* Good values, and what must be true of the pool then. */
static const struct {
        const char *member;
        const char *name; /* of the field */
        size_t offset;
        int64_t value;
        char kind; /* i int, b bool, u usec or u64, U unsigned, s string */
} good_cases[] = {
#define F(field) #field, offsetof(PoolConfig, field)
        { "", F(workers), 1, 'U' },
        { "\"workers\": 0", F(workers), 0, 'U' },
        { "\"workers\": 10000", F(workers), 10000, 'U' },
        { "\"autostart\": false", F(autostart), false, 'b' },
        { "", F(autostart), true, 'b' },
        { "", F(umask), 022, 'U' },
        { "\"umask\": \"077\"", F(umask), 077, 'U' },
        { "\"umask\": \"0o027\"", F(umask), 027, 'U' },
        { "\"nice\": -20", F(nice), -20, 'i' },
        { "\"nice\": 5", F(has_nice), true, 'b' },
        { "", F(has_nice), false, 'b' },
        { "\"oom_score_adj\": 1000", F(oom_score_adj), 1000, 'i' },
        { "\"no_new_privileges\": false", F(no_new_privs), false, 'b' },
        { "\"no_new_privileges\": true", F(no_new_privs), true, 'b' },
        { "", F(no_new_privs), false, 'b' }, /* root */
        { "\"user\": \"daemon\"", F(no_new_privs), true, 'b' },
        { "\"user\": \"daemon\"", F(uid), 1, 'U' },
        { "\"user\": 1", F(uid), 1, 'U' },
        { "\"user\": \"1\"", F(gid), 1, 'U' },
        { "\"user\": \"daemon\"", F(has_identity), true, 'b' },
        { "", F(has_identity), false, 'b' },
        { "\"group\": \"daemon\"", F(gid), 1, 'U' },
        { "\"group\": \"daemon\"", F(uid), 0, 'U' },
        { "\"user\": \"daemon\", \"group\": \"root\"", F(gid), 0, 'U' },
        { "\"user\": \"daemon\", \"groups\": [\"sys\", 2, \"bin\"]", F(n_groups), 2, 'z' },
        { "\"user\": \"daemon\", \"groups\": []", F(n_groups), 0, 'z' },
        { "\"restart\": \"never\"", F(restart.policy), RESTART_NEVER_AGAIN, 'U' },
        { "\"restart\": \"on-failure\"", F(restart.policy), RESTART_ON_FAILURE, 'U' },
        { "\"restart\": {\"policy\": \"always\"}", F(restart.policy), RESTART_ALWAYS, 'U' },
        { "", F(restart.delay), 100000, 'u' },
        { "", F(restart.max_delay), 30000000, 'u' },
        { "\"restart\": {\"delay\": 0}", F(restart.delay), 0, 'u' },
        { "\"restart\": {\"delay\": 0.5}", F(restart.delay), 500000, 'u' },
        { "\"restart\": {\"delay\": \"1m\"}", F(restart.max_delay), 60000000, 'u' }, /* raised with it */
        { "\"restart\": {\"max_delay\": \"50ms\"}", F(restart.delay), 50000, 'u' },
        { "", F(restart.reset_after), 10000000, 'u' },
        { "", F(restart.limit), 0, 'U' },
        { "\"restart\": {\"limit\": 64}", F(restart.limit), 64, 'U' },
        { "", F(restart.window), 60000000, 'u' },
        { "", F(restart.n_success_codes), 1, 'z' },
        { "\"restart\": {\"success_codes\": []}", F(restart.n_success_codes), 0, 'z' },
        { "\"restart\": {\"success_codes\": [3, -9, \"SIGTERM\"]}", F(restart.success_codes[0]), -15, 'i' },
        { "", F(stop_signal), 15, 'i' },
        { "\"stop\": {\"signal\": \"INT\"}", F(stop_signal), 2, 'i' },
        { "\"stop\": {\"signal\": 3}", F(stop_signal), 3, 'i' },
        { "", F(stop_timeout), 10000000, 'u' },
        { "\"stop\": {\"timeout\": \"infinity\"}", F(stop_timeout), -1, 'u' },
        { "", F(ready), READY_EXEC, 'U' },
        { "\"ready\": \"exec\"", F(ready), READY_EXEC, 'U' },
        { "\"ready\": \"notify\"", F(ready), READY_NOTIFY, 'U' },
        { "\"ready\": {\"notify\": true, \"timeout\": 5}", F(ready_timeout), 5000000, 'u' },
        { "\"ready\": {\"notify\": false}", F(ready), READY_EXEC, 'U' },
        { "\"ready\": {\"fd\": 3}", F(ready), READY_FD, 'U' },
        { "\"ready\": {\"fd\": 5, \"timeout\": \"1s\"}", F(ready_fd), 5, 'i' },
        { "", F(ready_fd), -1, 'i' },
        { "\"ready\": {\"start_for\": \"2s\"}", F(start_for), 2000000, 'u' },
        { "\"start_for\": 1", F(start_for), 1000000, 'u' },
        { "", F(output), OUTPUT_LOG, 'U' },
        { "\"output\": \"journal\"", F(output), OUTPUT_JOURNAL, 'U' },
        { "\"output\": \"inherit\"", F(output), OUTPUT_INHERIT, 'U' },
        { "\"output\": \"null\"", F(output), OUTPUT_NULL, 'U' },
        { "\"output\": \"/var/log/x\"", F(output), OUTPUT_PATH, 'U' },
        { "\"output\": {\"to\": \"/var/log/x\", \"max_files\": 0}", F(output_max_files), 0, 'U' },
        { "\"output\": {\"max_size\": \"64K\"}", F(output_max_size), 65536, 'u' },
        { "", F(output_max_size), 10 << 20, 'u' },
        { "", F(output_max_files), 5, 'U' },
        { "\"on_daemon_exit\": \"keep\"", F(on_daemon_exit), ON_DAEMON_EXIT_KEEP, 'U' },
        { "\"limits\": {\"nofile\": 100}", F(limits[RLIMIT_NOFILE].rlim_max), 100, 'u' },
        { "\"limits\": {\"nofile\": [10, 20]}", F(limits[RLIMIT_NOFILE].rlim_cur), 10, 'u' },
        { "\"limits\": {\"core\": \"infinity\"}", F(limits[RLIMIT_CORE].rlim_cur), -1, 'u' },
        { "\"limits\": {\"as\": [\"1M\", \"infinity\"]}", F(limits[RLIMIT_AS].rlim_cur), 1 << 20, 'u' },
        { "\"limits\": {\"nproc\": 1}", F(has_limit[RLIMIT_NPROC]), true, 'b' },
        { "", F(has_limit[RLIMIT_NPROC]), false, 'b' },
        { "\"cpu_affinity\": [0, \"2-3\"]", F(has_affinity), true, 'b' },
        { "\"workers\": {\"min\": 2, \"max\": 8}", F(workers), 2, 'U' },
        { "\"workers\": {\"max\": 8}", F(workers_min), 1, 'U' },
        { "\"on_demand\": true, \"listen\": {\"a\": 80}, \"workers\": {\"min\": 0, \"max\": \"cpus\"}", F(workers_min), 0, 'U' },
        { "\"workers\": {\"min\": 1, \"max\": 8, \"idle_timeout\": \"5s\"}", F(workers_idle), 5000000, 'u' },
        { "\"workers\": 3", F(workers_max), 0, 'U' },
        { "\"listen\": {\"a\": 80}, \"on_demand\": true", F(on_demand), true, 'b' },
        { "\"listen\": {\"a\": 80, \"b\": {\"udp\": 80}, \"c\": \"/run/c\"}", F(n_listen), 3, 'z' },
        { "\"ready\": {\"tcp\": 80}", F(ready), READY_PROBE, 'U' },
        { "\"ready\": {\"tcp\": 80}", F(ready_probe.kind), PROBE_TCP, 'U' },
        { "\"ready\": {\"http\": \"http://[::1]:80/x\", \"timeout\": 3}", F(ready_probe.kind), PROBE_HTTP, 'U' },
        { "\"ready\": {\"exec\": [\"check\"], \"interval\": 1}", F(ready_probe.interval), 1000000, 'u' },
        { "", F(ready_probe.interval), 100000, 'u' },
        { "", F(ready_probe.timeout), 2000000, 'u' },
        { "\"watchdog\": \"5s\"", F(watchdog), 5000000, 'u' },
        { "", F(watchdog), 0, 'u' },
        { "", F(health.probe.kind), PROBE_NONE, 'U' },
        { "", F(health.probe.interval), 10000000, 'u' },
        { "", F(health.probe.timeout), 5000000, 'u' },
        { "", F(health.threshold), 3, 'U' },
        { "\"health\": {\"tcp\": \"/run/x\", \"grace\": 2}", F(health.grace), 2000000, 'u' },
        { "\"health\": {\"exec\": [\"x\"]}", F(ready), READY_EXEC, 'U' },
        { "", F(reload.max_unavailable), 1, 'U' },
        { "\"reload\": {\"max_unavailable\": \"25%\"}", F(reload.is_unavailable_percent), true, 'b' },
        { "\"reload\": {\"max_unavailable\": 0, \"max_surge\": \"100%\"}", F(reload.max_surge), 100, 'U' },
        { "\"reload\": {\"soak\": \"2s\"}", F(reload.soak), 2000000, 'u' },
        { "\"recycle\": {\"age\": \"1h\"}", F(recycle.age), 3600000000, 'u' },
        { "\"recycle\": {\"tasks\": 1000}", F(recycle.tasks), 1000, 'u' },
        { "\"recycle\": {\"memory\": \"1G\"}", F(recycle.memory), 1 << 30, 'u' },
        { "", F(recycle.tasks), 0, 'u' },
        { "", F(cgroup.memory_max), CGROUP_UNSET, 'u' },
        { "\"cgroup\": {\"memory_max\": \"max\"}", F(cgroup.memory_max), -1, 'u' },
        { "\"cgroup\": {\"memory_max\": \"64M\", \"memory_high\": \"max\"}", F(cgroup.memory_max), 64 << 20, 'u' },
        { "\"cgroup\": {\"cpu_max\": \"50%\"}", F(cgroup.cpu_max), 50000, 'u' },
        { "\"cgroup\": {\"cpu_max\": 1.5}", F(cgroup.cpu_max), 150000, 'u' },
        { "\"cgroup\": {\"cpu_max\": \"max\"}", F(cgroup.cpu_max), -1, 'u' },
        { "\"cgroup\": {\"cpu_weight\": 50}", F(cgroup.cpu_weight), 50, 'u' },
        { "\"cgroup\": {\"pids_max\": 10}", F(cgroup.pids_max), 10, 'u' },
        { "\"cgroup\": {\"pids_max\": \"max\"}", F(cgroup.pids_max), -1, 'u' },
        { "\"isolation\": {\"private_tmp\": true, \"read_only\": [\"/srv\", \"/etc\"], \"read_write\": []}", F(isolation.private_tmp), true, 'b' },
        { "\"capabilities\": [\"cap_net_bind_service\", \"CHOWN\"]", F(isolation.capabilities), 1 << 10 | 1, 'u' },
        { "\"capabilities\": []", F(isolation.has_capabilities), true, 'b' },
        { "", F(isolation.has_capabilities), false, 'b' },
        { "\"access\": {\"observe\": [\"*\", \"user:daemon\"]}", F(access.roles[ROLE_OBSERVE].everybody), true, 'b' },
        { "\"access\": {\"operate\": [\"uid:7\", \"uid:7\", \"user:daemon\"]}", F(access.roles[ROLE_OPERATE].n_uids), 2, 'z' },
        { "\"access\": {\"submit\": [\"gid:7\", \"group:daemon\"]}", F(access.roles[ROLE_SUBMIT].n_gids), 2, 'z' },
        { "\"access\": {\"administer\": []}", F(access.roles[ROLE_ADMINISTER].is_given), true, 'b' },
        { "", F(access.roles[ROLE_ADMINISTER].is_given), false, 'b' },
        { "\"output\": {\"compress\": \"zstd\", \"max_total\": \"1G\"}", F(output_compress), OUTPUT_ZSTD, 'U' },
        { "\"output\": {\"max_total\": \"1M\"}", F(output_max_size), 1 << 20, 'u' },
        { "\"output\": {\"rotate_every\": \"24h\"}", F(output_rotate_every), 86400000000, 'u' },
        { "\"protocol\": \"tasks\"", F(is_task_pool), true, 'b' },
        { "\"protocol\": \"none\"", F(is_task_pool), false, 'b' },
        { "", F(tasks.attempts), 1, 'U' },
        { "", F(tasks.queue_max), 100000, 'u' },
        { "", F(tasks.prefetch), TASK_PREFETCH_AUTO, 'U' },
        { "", F(tasks.result_ttl), 3600000000, 'u' },
        { "\"protocol\": \"tasks\", \"tasks\": {\"timeout\": \"2s\", \"prefetch\": 0}", F(tasks.prefetch), 0, 'U' },
        { "\"protocol\": \"tasks\", \"ready\": {\"fd\": 5}", F(ready_fd), 5, 'i' },
        { "\"start_method\": \"spawn\"", F(start_method), START_SPAWN, 'U' },
        { "\"output\": {\"timestamps\": true}", F(output_timestamps), true, 'b' },
        { "\"output\": {\"format\": \"json\", \"on_full\": \"drop\"}", F(output_format), OUTPUT_JSON, 'U' },
#undef F
};

static int64_t field(const PoolConfig *p, size_t i) {
        const char *at = (const char *) p + good_cases[i].offset;

        switch (good_cases[i].kind) {
        case 'i':
                return *(const int *) at;
        case 'b':
                return *(const bool *) at;
        case 'U':
                return *(const unsigned *) at;
        case 'z':
                return (int64_t) * (const size_t *) at;
        default:
                return (int64_t) * (const uint64_t *) at;
        }
}

START_TEST(good_values_are_stored) {
        _cleanup_(pool_config_unrefp) PoolConfig *p = make_good(good_cases[_i].member);

        ck_assert_msg(field(p, (size_t) _i) == good_cases[_i].value, "{%s} %s: %lld", good_cases[_i].member,
                      good_cases[_i].name, (long long) field(p, (size_t) _i));
}
END_TEST

static const struct {
        const char *member, *key, *text;
} bad_cases[] = {
        { "\"command\": \"ls -l\"", "command", "[\"/bin/sh\", \"-c\", \"...\"] if you want a shell" },
        { "\"command\": []", "command", "non-empty" },
        { "\"command\": {}", "command", "non-empty" },
        { "\"command\": [\"\"]", "command[0]", "empty" },
        { "\"command\": [\"a\", 1]", "command[1]", "string" },
        { "\"workers\": -1", "workers", "0 to 10000" },
        { "\"workers\": 10001", "workers", "0 to 10000" },
        { "\"workers\": 1.5", "workers", "cpus" },
        { "\"workers\": \"cpu\"", "workers", "\"2*cpus\"" },
        { "\"workers\": \"cpus*2\"", "workers", "cpus" },
        { "\"workers\": \"*cpus\"", "workers", "cpus" },
        { "\"workers\": \"0*cpus\"", "workers", "cpus" },
        { "\"workers\": {\"min\": 1}", "workers", "max is missing" },
        { "\"workers\": {\"idle_timeout\": 1}", "workers", "max is missing" },
        { "\"workers\": {\"min\": 0, \"max\": 2}", "workers.min", "nothing could start the first one" },
        { "\"workers\": {\"min\": 3, \"max\": 2}", "workers.min", "more than max" },
        { "\"workers\": {\"max\": 0}", "workers.max", "1 to 10000" },
        { "\"workers\": {\"max\": \"cpu\"}", "workers.max", "cpus" },
        { "\"workers\": {\"max\": 2, \"idle_timeout\": 0}", "workers.idle_timeout", "out of bounds" },
        { "\"workers\": []", "workers", "\"min\": 1" },
        { "\"requires\": \"db\"", "requires", "array" },
        { "\"requires\": [1]", "requires[0]", "string" },
        { "\"requires\": [\"db\", \"db\"]", "requires[1]", "twice" },
        { "\"requires\": [\"D B\"]", "requires[0]", "not the name" },
        { "\"requires\": [\"p\"]", "requires", "itself" },
        { "\"after\": [\"p\"]", "after", "itself" },
        { "\"on_demand\": 1", "on_demand", "true or false" },
        { "\"on_demand\": true", "on_demand", "needs a socket" },
        { "\"listen\": 8080", "listen", "object" },
        { "\"listen\": {}", "listen", "1 to 16" },
        { "\"listen\": {\"a:b\": 80}", "listen.a:b", "not a name" },
        { "\"listen\": {\"a\": true}", "listen.a", "address or an object" },
        { "\"listen\": {\"a\": 0}", "listen.a", "1 to 65535" },
        { "\"listen\": {\"a\": 65536}", "listen.a", "1 to 65535" },
        { "\"listen\": {\"a\": \"host:80\"}", "listen.a", "not looked up" },
        { "\"listen\": {\"a\": \"1.2.3:80\"}", "listen.a", "expected an address" },
        { "\"listen\": {\"a\": \"::1:80\"}", "listen.a", "expected an address" },
        { "\"listen\": {\"a\": \"[::1]80\"}", "listen.a", "expected an address" },
        { "\"listen\": {\"a\": \"99999999999999999999999999\"}", "listen.a", "expected an address" },
        { "\"listen\": {\"a\": \"x/y\"}", "listen.a", "expected an address" },
        { "\"listen\": {\"a\": {}}", "listen.a", "one of tcp, udp and unix" },
        { "\"listen\": {\"a\": {\"tcp\": 80, \"udp\": 80}}", "listen.a", "one of tcp, udp and unix" },
        { "\"listen\": {\"a\": {\"tcp\": \"/x\"}}", "listen.a.tcp", "goes with unix" },
        { "\"listen\": {\"a\": {\"unix\": 80}}", "listen.a.unix", "absolute path" },
        { "\"listen\": {\"a\": {\"unix\": \"/x\", \"reuse_port\": true}}", "listen.a.reuse_port", "ports" },
        { "\"listen\": {\"a\": {\"unix\": \"/x\", \"freebind\": true}}", "listen.a.freebind", "tcp and udp" },
        { "\"listen\": {\"a\": {\"tcp\": 80, \"mode\": \"0600\"}}", "listen.a.mode", "path" },
        { "\"listen\": {\"a\": {\"unix\": \"/x\", \"mode\": \"0060\"}}", "listen.a.mode", "octal" },
        { "\"listen\": {\"a\": {\"unix\": \"/x\", \"user\": \"nobody-here\"}}", "listen.a.user", "no such user" },
        { "\"listen\": {\"a\": {\"udp\": 80, \"backlog\": 5}}", "listen.a.backlog", "queue" },
        { "\"listen\": {\"a\": {\"tcp\": 80, \"backlog\": 0}}", "listen.a.backlog", "1 to 65535" },
        { "\"listen\": {\"a\": {\"tcp\": 80, \"baklog\": 5}}", "listen.a.baklog", "did you mean \"backlog\"?" },
        { "\"listen\": {\"a\": 80, \"b\": \"127.0.0.1:80\"}", "listen.b", "same address" },
        { "\"ready\": {\"tcp\": 80, \"http\": \"http://127.0.0.1:80/\"}", "ready.http", "tcp and http exclude" },
        { "\"ready\": {\"notify\": true, \"exec\": [\"x\"]}", "ready.exec", "exclude" },
        { "\"ready\": {\"tcp\": \"name:80\"}", "ready.tcp", "not looked up" },
        { "\"ready\": {\"http\": \"https://127.0.0.1:80/\"}", "ready.http", "no TLS" },
        { "\"ready\": {\"http\": \"http://example.org:80/\"}", "ready.http", "HOST:PORT" },
        { "\"ready\": {\"http\": \"http://127.0.0.1/\"}", "ready.http", "HOST:PORT" },
        { "\"ready\": {\"http\": \"http:///x\"}", "ready.http", "HOST:PORT" },
        { "\"ready\": {\"http\": \"http://127.0.0.1:1/a b\"}", "ready.http", "blank" },
        { "\"ready\": {\"http\": 80}", "ready.http", "HOST:PORT" },
        { "\"ready\": {\"exec\": \"true\"}", "ready.exec", "shell" },
        { "\"ready\": {\"exec\": []}", "ready.exec", "non-empty" },
        { "\"ready\": {\"notify\": true, \"interval\": 1}", "ready.interval", "needs tcp" },
        { "\"ready\": {\"tcp\": 80, \"interval\": 0}", "ready.interval", "out of bounds" },
        { "\"ready\": {\"tcp\": 80}, \"start_for\": 1", "start_for", "only for a pool" },
        { "\"watchdog\": \"x\"", "watchdog", "duration" },
        { "\"health\": {}", "health", "one of tcp" },
        { "\"health\": \"tcp\"", "health", "object" },
        { "\"health\": {\"interval\": 1}", "health", "one of tcp" },
        { "\"health\": {\"tcp\": 80, \"exec\": [\"x\"]}", "health.exec", "exclude" },
        { "\"health\": {\"tcp\": 80, \"threshold\": 0}", "health.threshold", "1 to 1000" },
        { "\"health\": {\"tcp\": 80, \"treshold\": 2}", "health.treshold", "did you mean \"threshold\"?" },
        { "\"reload\": {\"max_unavailable\": 0}", "reload.max_unavailable", "nothing could ever be replaced" },
        { "\"reload\": {\"max_unavailable\": \"0%\", \"max_surge\": 0}", "reload.max_unavailable", "nothing could" },
        { "\"reload\": {\"max_unavailable\": \"101%\"}", "reload.max_unavailable", "100%" },
        { "\"reload\": {\"max_unavailable\": \"1.5%\"}", "reload.max_unavailable", "percentage" },
        { "\"reload\": {\"max_surge\": -1}", "reload.max_surge", "out of bounds" },
        { "\"reload\": {\"max_surge\": \"many\"}", "reload.max_surge", "percentage" },
        { "\"recycle\": {\"age\": \"1ms\"}", "recycle.age", "100ms" },
        { "\"recycle\": {\"memory\": 5}", "recycle.memory", "any process" },
        { "\"recycle\": {\"tasks\": -1}", "recycle.tasks", "out of bounds" },
        { "\"recycle\": {\"tasks\": \"5\"}", "recycle.tasks", "whole number" },
        { "\"recycle\": {\"jitter\": 2}", "recycle.jitter", "0 to 1" },
        { "\"cgroup\": {\"memory_max\": \"lots\"}", "cgroup.memory_max", "\"max\"" },
        { "\"cgroup\": {\"memory_max\": 1}", "cgroup.memory_max", "64K" },
        { "\"cgroup\": {\"memory_max\": \"1M\", \"memory_high\": \"2M\"}", "cgroup.memory_high", "more than memory_max" },
        { "\"cgroup\": {\"cpu_max\": \"0%\"}", "cgroup.cpu_max", "0.01 to 1024" },
        { "\"cgroup\": {\"cpu_max\": \"half\"}", "cgroup.cpu_max", "50%" },
        { "\"cgroup\": {\"cpu_weight\": 0}", "cgroup.cpu_weight", "1 to 10000" },
        { "\"cgroup\": {\"pids_max\": 0}", "cgroup.pids_max", "out of bounds" },
        { "\"cgroup\": {\"pids_max\": \"infinity\"}", "cgroup.pids_max", "\"max\"" },
        { "\"isolation\": {\"private_tmp\": 1}", "isolation.private_tmp", "true or false" },
        { "\"isolation\": {\"read_only\": \"/x\"}", "isolation.read_only", "array" },
        { "\"isolation\": {\"read_only\": [\"x\"]}", "isolation.read_only[0]", "absolute" },
        { "\"isolation\": {\"read_only\": [\"/x\"], \"inaccessible\": [\"/x\"]}", "isolation.inaccessible", "in read_only too" },
        { "\"capabilities\": \"cap_chown\"", "capabilities", "array" },
        { "\"capabilities\": [\"cap_chwon\"]", "capabilities[0]", "did you mean \"cap_chown\"?" },
        { "\"capabilities\": [\"zzzzzzzzz\"]", "capabilities[0]", "capabilities(7)" },
        { "\"access\": []", "access", "object" },
        { "\"access\": {\"observe\": \"*\"}", "access.observe", "array" },
        { "\"access\": {\"observe\": [\"bob\"]}", "access.observe[0]", "\"user:NAME\"" },
        { "\"access\": {\"operate\": [\"user:nobody-here\"]}", "access.operate[0]", "no such user" },
        { "\"access\": {\"operate\": [\"group:nobody-here\"]}", "access.operate[0]", "no such group" },
        { "\"access\": {\"administer\": [\"uid:-1\"]}", "access.administer[0]", "uid:N" },
        { "\"access\": {\"administer\": [\"uid:4294967295\"]}", "access.administer[0]", "uid:N" },
        { "\"access\": {\"admin\": []}", "access.admin", "unknown key" },
        { "\"stop\": {\"command\": \"kill\"}", "stop.command", "array" },
        { "\"stop\": {\"command\": [\"x\"], \"signal\": \"INT\"}", "stop.signal", "in place of the signal" },
        { "\"output\": {\"compress\": \"gzp\"}", "output.compress", "did you mean \"gzip\"?" },
        { "\"output\": {\"max_total\": \"1M\", \"max_size\": \"2M\"}", "output.max_total", "one file of max_size" },
        { "\"output\": {\"max_total\": 1}", "output.max_total", "4K" },
        { "\"output\": {\"rotate_every\": \"1ms\"}", "output.rotate_every", "second" },
        { "\"output\": {\"timestamps\": true, \"format\": \"json\"}", "output.timestamps", "its time" },
        { "\"output\": {\"to\": \"journal\", \"timestamps\": true}", "output.timestamps", "only" },
        { "\"output\": {\"to\": \"null\", \"on_full\": \"drop\"}", "output.on_full", "can be full" },
        { "\"autostart\": 1", "autostart", "true or false" },
        { "\"directory\": \"tmp\"", "directory", "absolute" },
        { "\"directory\": 1", "directory", "absolute" },
        { "\"directory\": \"/a\\nb\"", "directory", "control" },
        { "\"env\": []", "env", "object" },
        { "\"env\": {\"A\": true}", "env.A", "string" },
        { "\"env\": {\"A=B\": \"1\"}", "env.A=B", "no =" },
        { "\"env\": {\"\": \"1\"}", "env.", "empty" },
        { "\"env\": {\"DROVER_POOL\": \"1\"}", "env.DROVER_POOL", "itself" },
        { "\"env\": {\"NOTIFY_SOCKET\": \"1\"}", "env.NOTIFY_SOCKET", "itself" },
        { "\"env\": {\"LISTEN_FDS\": \"1\"}", "env.LISTEN_FDS", "itself" },
        { "\"env_file\": \"x\"", "env_file", "absolute" },
        { "\"env_file\": \"/nonexistent/x\"", "env_file", "No such file" },
        { "\"env_file\": \"/\"", "env_file", "regular file" },
        { "\"clear_env\": \"yes\"", "clear_env", "true or false" },
        { "\"user\": \"0day\"", "user", "not the name" },
        { "\"user\": \"0x0\"", "user", "not the name" },
        { "\"user\": \"-1\"", "user", "not the name" },
        { "\"user\": -1", "user", "not the name" },
        { "\"user\": 4294967295", "user", "not the name" },
        { "\"user\": \"4294967295\"", "user", "not the name" },
        { "\"user\": 4294967296", "user", "not the name" },
        { "\"user\": \"00\"", "user", "not the name" },
        { "\"user\": \"root \"", "user", "not the name" },
        { "\"user\": \" root\"", "user", "not the name" },
        { "\"user\": \"\"", "user", "not the name" },
        { "\"user\": 3999999999", "user", "no such user: \"3999999999\"" },
        { "\"user\": \"a\\u001bb\"", "user", "\"a?b\"" },
        { "\"user\": \"nobody-here\"", "user", "no such user" },
        { "\"user\": true", "user", "name or number" },
        { "\"group\": \"-1\"", "group", "not the name" },
        { "\"group\": \"nobody-here\"", "group", "no such group" },
        { "\"groups\": \"daemon\"", "groups", "array" },
        { "\"groups\": [\"daemon\", \"nobody-here\"]", "groups[1]", "no such group" },
        { "\"umask\": 22", "umask", "octal" },
        { "\"umask\": \"89\"", "umask", "octal" },
        { "\"umask\": \"1000\"", "umask", "octal" },
        { "\"nice\": 20", "nice", "-20 to 19" },
        { "\"nice\": \"5\"", "nice", "whole number" },
        { "\"nice\": 1.0", "nice", "whole number" },
        { "\"oom_score_adj\": -1001", "oom_score_adj", "-1000 to 1000" },
        { "\"cpu_affinity\": []", "cpu_affinity", "non-empty" },
        { "\"cpu_affinity\": 1", "cpu_affinity", "non-empty" },
        { "\"cpu_affinity\": [0, 1024]", "cpu_affinity[1]", "0 to 1023" },
        { "\"cpu_affinity\": [\"3-2\"]", "cpu_affinity[0]", "range" },
        { "\"cpu_affinity\": [\"-\"]", "cpu_affinity[0]", "range" },
        { "\"limits\": 5", "limits", "object" },
        { "\"limits\": {\"nofiles\": 1}", "limits.nofiles", "did you mean \"nofile\"?" },
        { "\"limits\": {\"nofile\": -1}", "limits.nofile", "infinity" },
        { "\"limits\": {\"nofile\": \"1K\"}", "limits.nofile", "infinity" },
        { "\"limits\": {\"nofile\": [1]}", "limits.nofile", "[soft, hard]" },
        { "\"limits\": {\"nofile\": [2, 1]}", "limits.nofile", "above the hard" },
        { "\"limits\": {\"nofile\": 99999999999}", "limits.nofile", "fs.nr_open" },
        { "\"limits\": {\"core\": \"lots\"}", "limits.core", "64M" },
        { "\"no_new_privileges\": null", "no_new_privileges", "true or false" },
        { "\"restart\": \"alway\"", "restart", "did you mean \"always\"?" },
        { "\"restart\": 1", "restart", "object" },
        { "\"restart\": {\"policy\": \"sometimes\"}", "restart.policy", "\"always\", \"on-failure\" or \"never\"" },
        { "\"restart\": {\"delay\": \"fast\"}", "restart.delay", "500ms" },
        { "\"restart\": {\"delay\": -1}", "restart.delay", "500ms" },
        { "\"restart\": {\"delay\": \"2d\"}", "restart.delay", "out of bounds" },
        { "\"restart\": {\"delay\": \"infinity\"}", "restart.delay", "out of bounds" },
        { "\"restart\": {\"factor\": 0.5}", "restart.factor", "1 to 100" },
        { "\"restart\": {\"factor\": \"2\"}", "restart.factor", "number" },
        { "\"restart\": {\"jitter\": 1.5}", "restart.jitter", "0 to 1" },
        { "\"restart\": {\"limit\": 65}", "restart.limit", "0 to 64" },
        { "\"restart\": {\"window\": 0}", "restart.window", "out of bounds" },
        { "\"restart\": {\"success_codes\": 0}", "restart.success_codes", "array" },
        { "\"restart\": {\"success_codes\": [0, 256]}", "restart.success_codes[1]", "0 to 255" },
        { "\"restart\": {\"success_codes\": [\"SIGNOPE\"]}", "restart.success_codes[0]", "signal" },
        { "\"restart\": {\"delay\": \"2s\", \"max_delay\": \"1s\"}", "restart.max_delay", "shorter than delay" },
        { "\"restart\": {\"dely\": 1}", "restart.dely", "did you mean \"delay\"?" },
        { "\"stop\": \"TERM\"", "stop", "object" },
        { "\"stop\": {\"signal\": \"SIGNOPE\"}", "stop.signal", "signal" },
        { "\"stop\": {\"signal\": 0}", "stop.signal", "1 to 64" },
        { "\"stop\": {\"signal\": 65}", "stop.signal", "1 to 64" },
        { "\"stop\": {\"timeout\": \"10 parsecs\"}", "stop.timeout", "duration" },
        { "\"stop\": {\"timeout\": \"2d\"}", "stop.timeout", "or \"infinity\"" },
        { "\"ready\": \"notfy\"", "ready", "did you mean \"notify\"?" },
        { "\"ready\": {\"fd\": 2}", "ready.fd", "3 to 1023" },
        { "\"ready\": {\"fd\": \"3\"}", "ready.fd", "descriptor" },
        { "\"ready\": {\"fd\": 3, \"notify\": true}", "ready.fd", "exclude" },
        { "\"ready\": {\"timeout\": 3}", "ready.timeout", "needs notify, fd" },
        { "\"ready\": {\"notify\": true, \"start_for\": 1}", "ready.start_for", "only for a pool whose ready is" },
        { "\"ready\": \"notify\", \"start_for\": 1", "start_for", "only for a pool whose ready is" },
        { "\"ready\": {\"start_for\": 1}, \"start_for\": 1", "ready.start_for", "also given" },
        { "\"ready\": {\"fd\": 50}, \"limits\": {\"nofile\": 50}", "ready.fd", "beyond limits.nofile" },
        { "\"ready\": {\"htp\": \"x\"}", "ready.htp", "did you mean \"http\"?" },
        { "\"output\": \"jurnal\"", "output", "did you mean \"journal\"?" },
        { "\"output\": {\"to\": \"x/y\"}", "output.to", "expected" },
        { "\"output\": \"/var/log/\"", "output", "directory" },
        { "\"output\": {\"max_size\": 100}", "output.max_size", "out of bounds" },
        { "\"output\": {\"max_files\": 1001}", "output.max_files", "0 to 1000" },
        { "\"output\": {\"to\": \"null\", \"max_size\": \"1M\"}", "output.max_size", "only" },
        { "\"on_daemon_exit\": \"die\"", "on_daemon_exit", "\"stop\" or \"keep\"" },
        { "\"wrokers\": 1", "wrokers", "did you mean \"workers\"?" },
        { "\"delay\": 1", "delay", "did you mean \"restart.delay\"?" },
        { "\"module\": \"x\"", "module", "not both" },
        { "\"target\": \"x\"", "target", "only with a module" },
        { "\"args\": [1]", "args", "only with a module" },
        { "\"protocol\": \"task\"", "protocol", "did you mean \"tasks\"?" },
        { "\"start_method\": \"forkservr\"", "start_method", "did you mean \"forkserver\"?" },
        { "\"tasks\": {\"attempts\": 2}", "tasks", "only of a pool that takes them" },
        { "\"protocol\": \"tasks\", \"tasks\": {\"attempts\": 0}", "tasks.attempts", "1 to 100" },
        { "\"protocol\": \"tasks\", \"tasks\": {\"queue_max\": 0}", "tasks.queue_max", "out of bounds" },
        { "\"protocol\": \"tasks\", \"tasks\": {\"prefetch\": \"many\"}", "tasks.prefetch", "\"auto\" or a number" },
        { "\"protocol\": \"tasks\", \"tasks\": {\"prefetch\": 1025}", "tasks.prefetch", "0 to 1024" },
        { "\"protocol\": \"tasks\", \"tasks\": {\"timout\": 1}", "tasks.timout", "did you mean \"timeout\"?" },
        { "\"protocol\": \"tasks\", \"ready\": {\"fd\": 4}", "ready.fd", "descriptors 3 and 4" },
        { "\"cgruop\": {}", "cgruop", "did you mean \"cgroup\"?" },
        { "\"a\\u001b[2J\": 1", "a?[2J", "unknown key" },
};

START_TEST(bad_values_are_named_and_explained) {
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_json_ json_t *o = NULL;
        PoolConfig *p = NULL;
        ConfigContext ctx = context(true);
        /* a second "command" replaces the first: no duplicates are looked for here */
        _cleanup_free_ char *text = alloc_printf("{\"command\":[\"true\"],%s}", bad_cases[_i].member);

        o = json_loads(text, 0, NULL);
        ck_assert_msg(o != NULL, "%s", text);
        ck_assert_int_eq(pool_config_from_json("p", o, false, &ctx, &p, &faults), -EBADMSG);
        ck_assert_ptr_null(p);
        ck_assert_uint_eq(faults.n, 1);
        ck_assert_ptr_null(faults.items[0].file);
        ck_assert_int_eq(faults.items[0].line, 0);
        ck_assert_str_eq(faults.items[0].key, bad_cases[_i].key);
        ck_assert_msg(strstr(faults.items[0].text, bad_cases[_i].text) != NULL, "%s: %s", text, faults.items[0].text);
}
END_TEST

/* Only root may be somebody else; uid 12345 stands for an ordinary user. */
static const char *const user_mode_cases[] = { "\"user\": \"root\"", "\"user\": \"daemon\"", "\"groups\": []" };

START_TEST(an_ordinary_user_stays_who_it_is) {
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        PoolConfig *p = NULL;

        ck_assert_int_eq(make(user_mode_cases[_i], false, &p, &faults), -EBADMSG);
        ck_assert_uint_eq(faults.n, 1);
        ck_assert_ptr_nonnull(strstr(faults.items[0].text, "only root"));
}
END_TEST

START_TEST(names_are_checked) {
        static const char *const bad[] = { "", "Web", "-x", "a/b", "a b", "..", "x..y", NULL };
        ConfigContext ctx = context(true);
        _cleanup_json_ json_t *o = json_pack("{s:[s]}", "command", "true");

        for (size_t i = 0; bad[i]; i++) {
                _cleanup_config_faults_ ConfigFaults faults = { 0 };
                PoolConfig *p = NULL;
                ck_assert_int_eq(pool_config_from_json(bad[i], o, false, &ctx, &p, &faults), -EBADMSG);
                ck_assert_str_eq(faults.items[0].key, "name");
        }
}
END_TEST

START_TEST(run_has_its_own_defaults) {
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_(pool_config_unrefp) PoolConfig *p = NULL;
        ConfigContext ctx = context(true);
        _cleanup_json_ json_t *o = json_pack("{s:[s]}", "command", "true");

        ck_assert_int_eq(pool_config_from_json("p", o, true, &ctx, &p, &faults), 0);
        ck_assert_uint_eq(p->restart.policy, RESTART_NEVER_AGAIN);
        ck_assert_uint_eq(p->workers, 1);
}
END_TEST

START_TEST(a_pool_needs_an_object_and_a_command) {
        ConfigContext ctx = context(true);
        static const char *const texts[] = { "{}", "[]", "\"x\"", "null" };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                _cleanup_config_faults_ ConfigFaults faults = { 0 };
                _cleanup_json_ json_t *o = json_loads(texts[i], JSON_DECODE_ANY, NULL);
                PoolConfig *p = NULL;
                ck_assert_int_eq(pool_config_from_json("p", o, false, &ctx, &p, &faults), -EBADMSG);
                ck_assert_uint_eq(faults.n, 1);
                ck_assert_ptr_nonnull(strstr(faults.items[0].text, "command"));
        }
}
END_TEST

START_TEST(every_row_of_the_table_is_sound) {
        for (size_t i = 0; i < n_config_keys; i++) {
                const ConfigKey *key = &config_keys[i];
                ck_assert_ptr_nonnull(key->help);
                ck_assert_msg(key->help[strlen(key->help) - 1] == '.', "%s", key->path);
                ck_assert_ptr_nonnull(key->type->read);
                ck_assert_ptr_nonnull(key->type->schema);
                const char *dot = strrchr(key->path, '.');
                _cleanup_free_ char *prefix = alloc_strndup(key->path, dot ? (size_t) (dot - key->path) : 0);
                ck_assert_ptr_eq(config_key_find(key->scope, prefix, config_key_name(key)), key);
        }
        ck_assert_ptr_null(config_key_find(CONFIG_SCOPE_POOL, "", "restart.delay"));
        ck_assert_ptr_null(config_key_find(CONFIG_SCOPE_POOL, "rest", "delay"));
}
END_TEST

/* Every allocation of a pool with nearly everything in it fails once; nothing leaks, nothing is half made. */
START_TEST(short_memory_is_an_error_not_a_fault) {
        static const char text[] = "{\"command\":[\"a\",\"b\"],\"env\":{\"A\":\"1\"},\"workers\":\"cpus\",\"user\":\"daemon\","
                                   "\"groups\":[\"sys\"],\"directory\":\"/x\",\"output\":\"/var/log/x\",\"requires\":[\"b\",\"a\"],"
                                   "\"listen\":{\"a\":80,\"b\":\"/run/b\"},\"ready\":{\"http\":\"http://localhost:80/x\"},"
                                   "\"health\":{\"exec\":[\"x\"]},\"access\":{\"observe\":[\"uid:1\",\"gid:2\"]},"
                                   "\"isolation\":{\"read_only\":[\"/a\"]},\"stop\":{\"command\":[\"x\"]}}";
        ConfigContext ctx = context(true);
        _cleanup_json_ json_t *o = json_loads(text, 0, NULL);
        int r = -1;

        for (unsigned long n = 1; r != 0 && n < 400; n++) {
                _cleanup_config_faults_ ConfigFaults faults = { 0 };
                _cleanup_(pool_config_unrefp) PoolConfig *p = NULL;
                alloc_fail_at(n);
                r = pool_config_from_json("p", o, false, &ctx, &p, &faults);
                alloc_fail_at(0);
                ck_assert_int_eq(r == 0, p != NULL);
                ck_assert(r == 0 || r == -ENOMEM);
        }
        ck_assert_int_eq(r, 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("config-key");
        TCase *t = tcase_create("config-key");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, good_values_are_stored, 0, ARRAY_SIZE(good_cases));
        tcase_add_loop_test(t, bad_values_are_named_and_explained, 0, ARRAY_SIZE(bad_cases));
        tcase_add_loop_test(t, an_ordinary_user_stays_who_it_is, 0, ARRAY_SIZE(user_mode_cases));
        tcase_add_test(t, names_are_checked);
        tcase_add_test(t, run_has_its_own_defaults);
        tcase_add_test(t, a_pool_needs_an_object_and_a_command);
        tcase_add_test(t, every_row_of_the_table_is_sound);
        tcase_add_test(t, short_memory_is_an_error_not_a_fault);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
