/* config.h - immutable, counted value objects: what is wanted.
 *
 * Config and PoolConfig are made by config-load/config-validate, then never change; holders count references.
 * Everything is resolved (user to uid, workers to a number) when they are made. */
#ifndef DROVER_CONFIG_CONFIG_H
#define DROVER_CONFIG_CONFIG_H

#include "base/clock.h"
#include "base/macro.h"
#include <jansson.h>
#include <limits.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

typedef enum RestartPolicy { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER_AGAIN } RestartPolicy;
typedef enum ReadyKind { READY_EXEC, READY_NOTIFY, READY_FD, READY_PROBE, READY_HELLO } ReadyKind;
typedef enum OutputKind { OUTPUT_LOG, OUTPUT_JOURNAL, OUTPUT_INHERIT, OUTPUT_NULL, OUTPUT_PATH } OutputKind;
typedef enum OutputFormat { OUTPUT_TEXT, OUTPUT_JSON } OutputFormat;
typedef enum OutputCompress { OUTPUT_PLAIN, OUTPUT_GZIP, OUTPUT_ZSTD } OutputCompress;
typedef enum OutputOnFull { OUTPUT_BLOCK, OUTPUT_DROP } OutputOnFull;
typedef enum OnDaemonExit { ON_DAEMON_EXIT_STOP, ON_DAEMON_EXIT_KEEP } OnDaemonExit;

#define RESTART_SUCCESS_CODES_MAX 32

typedef struct RestartConfig {
        RestartPolicy policy;     /* pools: always; run: never */
        usec_t delay, max_delay;  /* 100 ms, 30 s */
        double factor;            /* 2 */
        double jitter;            /* 0.1: +-10 % */
        usec_t reset_after;       /* 10 s of running forget earlier failures */
        unsigned limit;           /* starts in window, then failed; 0: no limit (default) */
        usec_t window;            /* 60 s */
        int success_codes[RESTART_SUCCESS_CODES_MAX]; /* for on-failure; exitcode convention, default {0} */
        size_t n_success_codes;
} RestartConfig;

/* A question put to a worker from outside. */
typedef enum ProbeKind { PROBE_NONE, PROBE_TCP, PROBE_HTTP, PROBE_EXEC } ProbeKind;
typedef struct ProbeConfig {
        ProbeKind kind;
        char *address; /* tcp, http: "127.0.0.1:8080", "[::1]:80", "/run/x.sock"; numeric, parsed once more to connect */
        char *path;    /* http: "/healthz"; answered by 200..399 */
        char *host;    /* http: of the Host header */
        char **command;/* exec: an argv; exit code 0 is yes */
        usec_t interval, timeout; /* ready: 100 ms, 2 s; health: 10 s, 5 s. Of one try */
} ProbeConfig;

typedef struct HealthConfig {
        ProbeConfig probe;  /* .kind PROBE_NONE: no health check */
        unsigned threshold; /* 3 failures in a row */
        usec_t grace;       /* 0: no check for so long after ready */
} HealthConfig;

typedef enum ListenKind { LISTEN_TCP, LISTEN_UDP, LISTEN_UNIX } ListenKind;
typedef struct ListenConfig {
        char *name;      /* for LISTEN_FDNAMES */
        ListenKind kind;
        char *address;   /* "0.0.0.0:8080", "[::]:53", "/run/x.sock" */
        int backlog;     /* 4096 (the kernel's somaxconn caps it) */
        bool reuse_port; /* one socket per worker */
        bool freebind;
        mode_t mode;     /* unix: 0666 & umask 0117 -> 0660 */
        bool has_owner;
        uid_t uid;
        gid_t gid;
} ListenConfig;
#define LISTEN_MAX 16u /* sockets of a pool */

/* How many at a time a rolling replacement takes. */
typedef struct ReloadConfig {
        unsigned max_unavailable;    /* 1; 0 only with a surge */
        bool is_unavailable_percent; /* it is a percentage of the pool */
        unsigned max_surge;          /* 0: old first; n: up to n new ones before the old ones go */
        bool is_surge_percent;
        usec_t soak;                 /* 0: how long a new worker must stay ready to count as good */
} ReloadConfig;

typedef struct RecycleConfig {
        uint64_t tasks;  /* 0: off */
        usec_t age;      /* 0: off */
        uint64_t memory; /* bytes, 0: off */
        double jitter;   /* 0.1: part of age, memory and tasks that is taken off at random */
} RecycleConfig;

/* cgroup v2 values; CGROUP_UNSET (0): the file is left alone. */
#define CGROUP_UNSET 0u
#define CGROUP_MAX UINT64_MAX /* the word "max" */
typedef struct CgroupConfig {
        uint64_t memory_max, memory_high; /* bytes */
        uint64_t cpu_max;    /* µs of CPU per 100 ms: "50%" and 0.5 are 50000, 2 is 200000 */
        uint64_t cpu_weight; /* 1..10000 */
        uint64_t pids_max;
} CgroupConfig;

typedef struct IsolationConfig {
        bool private_tmp;
        char **read_only_paths, **read_write_paths, **inaccessible_paths; /* NULL: none */
        bool has_capabilities;
        uint64_t capabilities; /* those kept, a bit per CAP_*; without: all of root's, none of another user's */
} IsolationConfig;

/* How a worker comes to be. */
typedef enum StartMethod { START_SPAWN, START_FORK, START_FORKSERVER } StartMethod;
/* What the command of a pool speaks on the descriptor in $DROVER_TASKS_FD. */
typedef enum PoolProtocol { PROTOCOL_NONE, PROTOCOL_TASKS } PoolProtocol;

/* Tasks of a pool: bounds and defaults of each. */
typedef struct TaskConfig {
        usec_t timeout;     /* 0: none. Of one attempt; then a signal, then SIGKILL */
        unsigned attempts;  /* 1: at most once; more: again after the death of the worker */
        uint64_t queue_max; /* 100000 waiting ones, then the caller gets `limit` */
        unsigned prefetch;  /* handed to a worker beyond the one it works at; TASK_PREFETCH_AUTO (default): by measure */
        usec_t result_ttl;  /* 1 h: how long a result that nobody fetched is kept */
        bool durable;       /* false. Recorded tasks survive the machine */
} TaskConfig;
#define TASK_PREFETCH_AUTO UINT_MAX

/* Who has a role: uids and gids, resolved at load. */
typedef enum AccessRole { ROLE_OBSERVE, ROLE_SUBMIT, ROLE_OPERATE, ROLE_ADMINISTER, _ROLE_MAX } AccessRole;
typedef struct AccessList {
        bool is_given; /* false: the list is absent; a given one may be empty: nobody */
        bool everybody;
        uid_t *uids;
        gid_t *gids;
        size_t n_uids, n_gids;
} AccessList;
typedef struct AccessConfig {
        AccessList roles[_ROLE_MAX]; /* a higher role has the lower ones too */
} AccessConfig;
void access_list_done(AccessList *l);

/* A command that runs when something has happened. */
typedef struct HookConfig {
        char *name;
        char **events;       /* kinds, globs allowed: "worker.failed", "worker.*" */
        char **pools;        /* globs; NULL: all */
        char **command;
        usec_t min_interval; /* 1 s: what happens meanwhile is counted and told with the next run */
        usec_t timeout;      /* 30 s, then SIGKILL */
} HookConfig;
void hook_config_done(HookConfig *h);

typedef struct PoolConfig {
        unsigned n_ref;
        char *name;
        char **command; /* argv; of a module pool drover-host with its arguments */
        char *module;   /* absolute path of a worker module, in place of a command; NULL: none */
        char *target;   /* with module: what each process calls once; NULL: the workers take tasks */
        json_t *args, *kwargs; /* of target: an array and an object; NULL: empty */
        StartMethod start_method;
        PoolProtocol protocol;
        bool is_task_pool; /* a module without target, or protocol tasks */
        TaskConfig tasks;
        unsigned workers;
        unsigned workers_min, workers_max; /* both 0: the size is fixed; else .workers is the start size, workers_min */
        usec_t workers_idle;               /* 60 s without work before one of the surplus goes */
        char *workers_text; /* as written: "2*cpus"; NULL for a number */
        bool autostart;     /* true */
        char **requires, **after; /* names of pools; NULL: none */
        char *directory;    /* NULL: "/" */
        char **env;         /* complete environment but for DROVER_*, NOTIFY_SOCKET: "KEY=value", env_file merged */
        bool has_identity;  /* user or group was given (or derived): apply uid, gid, groups */
        uid_t uid;
        gid_t gid;
        gid_t *groups;
        size_t n_groups;
        char *user_name;    /* for HOME, USER, LOGNAME and display; NULL when unchanged */
        mode_t umask;       /* 022 */
        bool has_nice, has_oom_score_adj, has_affinity;
        int nice, oom_score_adj;
        cpu_set_t affinity;
        struct rlimit limits[RLIM_NLIMITS];
        bool has_limit[RLIM_NLIMITS];
        bool no_new_privs; /* default: true when the pool's user is not root */
        RestartConfig restart;
        int stop_signal;     /* SIGTERM */
        char **stop_command; /* run in place of the signal, with $MAINPID; NULL: none */
        usec_t stop_timeout; /* 10 s */
        ReadyKind ready;
        int ready_fd;
        usec_t ready_timeout; /* 30 s; notify and fd only */
        usec_t start_for;     /* 0; exec only */
        ProbeConfig ready_probe;
        usec_t watchdog;      /* 0: off */
        HealthConfig health;
        ListenConfig *listen;
        size_t n_listen;
        bool on_demand;
        ReloadConfig reload;
        RecycleConfig recycle;
        CgroupConfig cgroup;
        IsolationConfig isolation;
        AccessConfig access;
        OutputKind output;
        char *output_path;
        uint64_t output_max_size; /* 10 MiB */
        unsigned output_max_files; /* 5 rotated ones */
        uint64_t output_max_total;      /* bytes of all files of the pool; 0: no bound of its own */
        usec_t output_rotate_every;     /* 0: by size alone */
        OutputCompress output_compress; /* of rotated files: none */
        bool output_timestamps;         /* before each line of a text file */
        OutputFormat output_format;     /* text */
        OutputOnFull output_on_full;    /* block */
        OnDaemonExit on_daemon_exit;
        bool is_run;        /* made with the defaults of `run` */
        uint64_t template_hash; /* for pool/pool-template.c: of what its template is launched with; 0: not looked at yet */
        json_t *source; /* normalised JSON of exactly the keys given, for config.show, the journal and the diff */
        struct PoolConfig *base; /* counted; not NULL: name, args, kwargs and source are its own, all else is the base's */
} PoolConfig;

typedef struct Config {
        unsigned n_ref;
        char *log_dir, *state_dir; /* absolute */
        PoolConfig **pools;        /* sorted by name */
        size_t n_pools;
        char **files;              /* what was read, in order; NULL-terminated */
        AccessConfig access;       /* of everything */
        HookConfig *hooks;
        size_t n_hooks;
        char *metrics_file;        /* for the node exporter's textfile collector; NULL: none */
        usec_t metrics_interval;   /* 15 s */
        char *socket_group;        /* of the control socket; NULL: its user alone */
        gid_t socket_gid;
        mode_t socket_mode;        /* 0600; with a group 0660 */
        json_t *source;            /* of the keys beside pools: exactly those given */
} Config;
/** config_new() - one reference; no pools, the table's defaults. NULL when memory is short. */
Config *config_new(void);

PoolConfig *pool_config_ref(PoolConfig *c);
PoolConfig *pool_config_unref(PoolConfig *c);
DEFINE_CLEANUP(PoolConfig, pool_config_unref);
Config *config_ref(Config *c);
Config *config_unref(Config *c);
DEFINE_CLEANUP(Config, config_unref);
void config_sort(Config *c); /* the pools, by name, as config_find_pool() needs it */
PoolConfig *config_find_pool(const Config *c, const char *name); /* borrowed or NULL */

/* One fault of a configuration: where it is and what to do. */
typedef struct ConfigFault {
        char *file; /* NULL for parameters of a call */
        int line, column; /* 0 when unknown */
        char *key;  /* "pools.web.workers" */
        char *text; /* "unknown key; did you mean \"workers\"?" */
} ConfigFault;

typedef struct ConfigFaults {
        ConfigFault *items;
        size_t n, capacity;
} ConfigFaults;
void config_faults_done(ConfigFaults *f);
#define _cleanup_config_faults_ _cleanup_(config_faults_done)
/** config_fault_format() - "file:line:column: key: text" */
char *config_fault_format(const ConfigFault *f);

/* What a configuration is made for. */
typedef struct ConfigContext {
        bool is_system;      /* root: may change users; places under /var */
        uid_t uid;           /* droverd's own */
        const char *log_dir, *state_dir; /* defaults of this run */
        const char *const *event_types;  /* all kinds of events, for hooks; NULL: any name is taken */
        unsigned workers_max; /* what the keeper's slots and descriptors carry; 0: not known */
        const char *workers_max_reason; /* what to raise, for people */
        const char *host_program; /* drover-host, which runs modules; NULL: it was not found */
        const char *module_path;  /* "DIR:DIR", where modules without a slash in their name are looked for; NULL: nowhere */
        bool is_blind; /* files outside are not looked at: for somebody who may see less than droverd, or for a pool put back */
        /* What was set at run time, to lie over the files: {"POOL": {"restart.delay": "5s"}}, borrowed; NULL: nothing.
         * @state_dir: of the files just read. */
        json_t *(*overrides)(const char *state_dir, void *userdata);
        void *userdata;
} ConfigContext;

/**
 * config_load() - read @path (NULL: the default place, where a missing file is an empty configuration) and its
 * pools.d/ *.json beside it in order of name; check everything; make a Config
 * Files must be regular, owned by root or the own user, and not writable for group or others.
 * Return: 0 with *ret; -EBADMSG when there are faults (all of them in @faults); -ENOMEM.
 */
int config_load(const char *path, const ConfigContext *ctx, Config **ret, ConfigFaults *faults);
/** config_default_path() - /etc/drover/drover.json or the user's; the caller frees. */
char *config_default_path(bool is_system);
/**
 * pool_config_from_json() - one pool from the parameters of pool.add or run; same table, same checks
 * @is_run: defaults of `run`: workers 1, restart never.
 */
int pool_config_from_json(const char *name, json_t *o, bool is_run, const ConfigContext *ctx, PoolConfig **ret,
                          ConfigFaults *faults);

/**
 * pool_config_pack() - a new reference: {"source":...,"is_run":...,"resolved":{...}}, or NULL when memory is short
 * With everything that was looked up (user, groups, environment, CPUs), so that a pool can be put back although an
 * account or an env_file is gone since, and its workers be kept.
 */
json_t *pool_config_pack(const PoolConfig *p);
/** pool_config_unpack() - what pool_config_pack() made, back; nothing is looked up. -EBADMSG, -ENOMEM. */
int pool_config_unpack(const char *name, json_t *o, const ConfigContext *ctx, PoolConfig **ret);

/** access_config_pack() - a new reference, in numbers: names are not looked up again. NULL: memory is short. */
json_t *access_config_pack(const AccessConfig *a);
/** access_config_unpack() - what access_config_pack() made, into an empty @ret. -ENOMEM; what is there is freed with it. */
int access_config_unpack(json_t *o, AccessConfig *ret);
/**
 * config_value_get() - the value of key @path ("restart.delay", "env.HOME", "listen.http.backlog") as it is in force: as
 * written, else the default; JSON null where that is nothing that can be written. A new reference; NULL: no such key.
 */
json_t *config_value_get(const PoolConfig *p, const char *path);
/** config_value_all() - all of them as one object, objects opened. A new reference, NULL when memory is short. */
json_t *config_value_all(const PoolConfig *p);
/** config_source_get() - what was written at @path; a new reference, JSON null when nothing was. NULL: no memory. */
json_t *config_source_get(json_t *source, const char *path);
/** config_source_set() - put a copy of @value (NULL: take the key away) into the JSON of a pool; short forms are opened.
 *  The value is not checked. -ENOENT: no such key; -ENOMEM. */
int config_source_set(json_t *source, const char *path, json_t *value);
/** config_path_nearest() - the path that was probably meant, or NULL. */
const char *config_path_nearest(const char *path);
/** config_check_whole() - faults of what concerns several pools, as config_load() finds them, without places. 0, -EBADMSG,
 *  -ENOMEM. The pools of @c must be sorted. */
int config_check_whole(Config *c, const ConfigContext *ctx, ConfigFaults *faults);
/** config_top_unpack() - the keys of the file, as config->source has them; what does not hold any more is left out. */
int config_top_unpack(json_t *source, const ConfigContext *ctx, Config **ret);

/* What has to be done to come from one configuration to another. */
typedef enum ConfigCost { CONFIG_SAME, CONFIG_LIVE, CONFIG_NEXT_START, CONFIG_RESTART } ConfigCost;
const char *config_cost_to_string(ConfigCost c); /* "same" "live" "next-start" "restart" */
typedef struct ConfigKeyChange {
        char *key;         /* "restart.delay", "env.X" */
        json_t *from, *to; /* as written, or the default; JSON null: nothing */
        ConfigCost cost;
} ConfigKeyChange;
typedef struct ConfigChange {
        enum { CONFIG_POOL_ADD, CONFIG_POOL_REMOVE, CONFIG_POOL_CHANGE } kind;
        const char *pool;         /* borrowed from a Config; NULL: the keys of the file */
        PoolConfig *from, *to;    /* borrowed; NULL where there is none */
        ConfigCost cost;          /* the dearest of the changed keys */
        char *keys;               /* "workers, env.X", for people */
        ConfigKeyChange *details; /* of a change: each key */
        size_t n_details, details_capacity;
} ConfigChange;
typedef struct ConfigDiff {
        ConfigChange *items;
        size_t n, capacity;
} ConfigDiff;
void config_diff_done(ConfigDiff *d);
/** config_diff() - ordered: the keys of the file, removals, changes, additions. @from may be NULL: everything is added. */
int config_diff(const Config *from, const Config *to, ConfigDiff *ret);

/** config_diff_pool() - of one pool: nothing, or one change. */
int config_diff_pool(PoolConfig *from, PoolConfig *to, ConfigDiff *ret);

/* What those see of a configuration who do not administer the pool: no values of its environment. */
#define CONFIG_MASK "***"
typedef bool (*config_mask_filter)(const char *pool, void *userdata);
bool config_path_is_secret(const char *path); /* "env", "env.X" */
/** config_mask_member() - a secret value, or all in an object of them; null stays. -ENOMEM, as the next two. */
int config_mask_member(json_t *holder, const char *key);
int config_mask_pool(json_t *pool); /* {"env":{...},...}, {"env.X":...} */
/** config_mask_pools() - of {"POOL":{...}} those for which @is_meant (NULL: all). */
int config_mask_pools(json_t *pools, config_mask_filter is_meant, void *userdata);
/** config_mask_changes() - the JSON of config.plan; a new text, NULL when memory is short. */
char *config_mask_changes(const char *changes, config_mask_filter is_meant, void *userdata);

/** config_dump() - a Config as a new json_t: {"log_dir":...,"pools":{...}} with exactly what was written. */
json_t *config_dump(const Config *c);

#endif
