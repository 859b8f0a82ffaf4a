/* config-key.c - the table of keys, and how they are found. */
#include "config/config-key.h"
#include "base/parse.h"
#include <signal.h>

#define WORD_END { NULL, 0, NULL }

static const ConfigWord restart_words[] = {
        { "always", RESTART_ALWAYS, "whenever it ended" },
        { "on-failure", RESTART_ON_FAILURE, "when it ended with a code not in success_codes, or by a signal" },
        { "never", RESTART_NEVER_AGAIN, "never" },
        WORD_END,
};
static const ConfigWord ready_words[] = {
        { "exec", READY_EXEC, "when it has run for start_for" },
        { "notify", READY_NOTIFY, "when it says READY=1 as sd_notify(3) does" },
        WORD_END,
};
static const ConfigWord output_words[] = {
        { "log", OUTPUT_LOG, "bounded files of its own under log_dir" },
        { "journal", OUTPUT_JOURNAL, "the systemd journal" },
        { "inherit", OUTPUT_INHERIT, "where droverd's own output goes" },
        { "null", OUTPUT_NULL, "nowhere" },
        WORD_END,
};
static const ConfigWord exit_words[] = {
        { "stop", ON_DAEMON_EXIT_STOP, "stop the pool" },
        { "keep", ON_DAEMON_EXIT_KEEP, "let the workers run on" },
        WORD_END,
};

#define TOP(p, t, field, ...)                                                                                \
        { .scope = CONFIG_SCOPE_TOP, .path = p, .type = &config_type_##t, .offset = offsetof(Config, field), __VA_ARGS__ }
#define POOL(p, t, field, ...)                                                                               \
        { .scope = CONFIG_SCOPE_POOL, .path = p, .type = &config_type_##t, .offset = offsetof(PoolConfig, field), __VA_ARGS__ }
#define LIMIT(p, resource, bytes, text)                                                                      \
        POOL("limits." p, limit, limits, .detail = resource, .is_size = bytes, .cost = CONFIG_RESTART,         \
             .default_text = "drover's own", .help = text)
#define DAY ((double) (24 * USEC_PER_HOUR))
#define SECOND ((double) USEC_PER_SEC)

const ConfigKey config_keys[] = {
        TOP("pools", pools, pools, .help = "The pools, by name: [a-z0-9][a-z0-9_.-]*, at most 63 characters."),
        TOP("log_dir", path, log_dir, .max = 256, .default_text = "/var/log/drover; of a user: the log directory in state_dir",
            .cost = CONFIG_RESTART, .help = "Directory of the workers' log files."),
        TOP("state_dir", path, state_dir, .max = 256, .default_text = "/var/lib/drover; of a user: ~/.local/state/drover",
            .cost = CONFIG_RESTART, .help = "Directory of what must survive a restart of the machine."),

        POOL("command", command, command, .cost = CONFIG_RESTART,
             .help = "Program and arguments, an array of strings. No shell is involved; a name without a slash is looked up in PATH."),
        POOL("workers", workers, workers, .default_json = "1", .max = 10000, .cost = CONFIG_LIVE,
             .help = "How many workers: a number, \"cpus\", or a multiple such as \"2*cpus\"; CPUs are those of the "
                     "affinity mask and the cgroup's quota."),
        POOL("autostart", bool, autostart, .default_json = "true", .cost = CONFIG_LIVE, .help = "Start together with droverd."),

        POOL("directory", path, directory, .max = CONFIG_PATH_MAX, .default_text = "\"/\"", .cost = CONFIG_RESTART,
             .help = "Working directory."),
        POOL("env", env, env, .default_text = "nothing", .cost = CONFIG_RESTART,
             .help = "Environment variables, names to strings or integers; they win over env_file and the built-in ones."),
        POOL("env_file", env_file, env, .default_text = "none", .cost = CONFIG_RESTART,
             .help = "File of KEY=value lines, read when the configuration is read."),
        POOL("clear_env", clear_env, env, .default_json = "false", .cost = CONFIG_RESTART,
             .help = "Leave out the built-in PATH, HOME, USER, LOGNAME, SHELL and LANG."),
        POOL("user", user, uid, .default_text = "droverd's own", .cost = CONFIG_RESTART,
             .help = "User to run as, by name or number; only root may name another one."),
        POOL("group", group, gid, .default_text = "the user's", .cost = CONFIG_RESTART,
             .help = "Primary group, by name or number."),
        POOL("groups", groups, groups, .default_text = "the user's", .cost = CONFIG_RESTART,
             .help = "Supplementary groups, in place of the user's own."),
        POOL("umask", umask, umask, .default_json = "\"022\"", .cost = CONFIG_RESTART,
             .help = "File mode creation mask, octal digits in a string."),
        POOL("nice", optional_integer, nice, .offset_has = offsetof(PoolConfig, has_nice), .min = -20, .max = 19,
             .default_text = "drover's own", .cost = CONFIG_RESTART, .help = "Scheduling priority; lower ones come first."),
        POOL("oom_score_adj", optional_integer, oom_score_adj, .offset_has = offsetof(PoolConfig, has_oom_score_adj),
             .min = -1000, .max = 1000, .default_text = "drover's own, 0 if that is negative", .cost = CONFIG_RESTART,
             .help = "Who is killed first when memory is short: higher ones."),
        POOL("cpu_affinity", cpus, affinity, .offset_has = offsetof(PoolConfig, has_affinity), .default_text = "all",
             .cost = CONFIG_RESTART, .help = "CPUs to run on: numbers and ranges, as in [0, \"2-3\"]."),
        POOL("limits", object, limits, .help = "Resource limits, setrlimit(2): a number, a size, \"infinity\", or [soft, hard]."),
        LIMIT("as", RLIMIT_AS, true, "Address space."),
        LIMIT("core", RLIMIT_CORE, true, "Core dump."),
        LIMIT("cpu", RLIMIT_CPU, false, "CPU time, in seconds."),
        LIMIT("data", RLIMIT_DATA, true, "Data segment."),
        LIMIT("fsize", RLIMIT_FSIZE, true, "Size of a file it writes."),
        LIMIT("locks", RLIMIT_LOCKS, false, "File locks."),
        LIMIT("memlock", RLIMIT_MEMLOCK, true, "Locked memory."),
        LIMIT("msgqueue", RLIMIT_MSGQUEUE, true, "POSIX message queues."),
        LIMIT("nice", RLIMIT_NICE, false, "Ceiling of the nice value, as 20 - nice."),
        LIMIT("nofile", RLIMIT_NOFILE, false, "Open files."),
        LIMIT("nproc", RLIMIT_NPROC, false, "Processes of the user."),
        LIMIT("rss", RLIMIT_RSS, true, "Resident memory; has no effect on Linux."),
        LIMIT("rtprio", RLIMIT_RTPRIO, false, "Ceiling of the real-time priority."),
        LIMIT("rttime", RLIMIT_RTTIME, false, "Real-time CPU time without a blocking call, in microseconds."),
        LIMIT("sigpending", RLIMIT_SIGPENDING, false, "Queued signals."),
        LIMIT("stack", RLIMIT_STACK, true, "Stack."),
        POOL("no_new_privileges", bool, no_new_privs, .default_text = "true unless the pool runs as root",
             .cost = CONFIG_RESTART, .help = "Programs it executes gain nothing by set-user-ID bits or file capabilities."),

        POOL("restart", object, restart.policy, .short_type = &config_type_word, .words = restart_words,
             .help = "What follows when a worker ends by itself; a policy alone may stand in the object's place."),
        POOL("restart.policy", word, restart.policy, .words = restart_words, .default_json = "\"always\"", .cost = CONFIG_LIVE,
             .default_text = "\"always\"; of `run`: \"never\"", .help = "When to start it again."),
        POOL("restart.delay", span, restart.delay, .default_json = "\"100ms\"", .max = DAY, .cost = CONFIG_LIVE,
             .help = "Wait before the first new start."),
        POOL("restart.factor", number, restart.factor, .default_json = "2", .min = 1, .max = 100, .cost = CONFIG_LIVE,
             .help = "Each further failure in a row multiplies the wait by it."),
        POOL("restart.max_delay", span, restart.max_delay, .default_json = "\"30s\"", .max = DAY, .cost = CONFIG_LIVE,
             .help = "The longest wait."),
        POOL("restart.jitter", number, restart.jitter, .default_json = "0.1", .max = 1, .cost = CONFIG_LIVE,
             .help = "Part of the wait that is random, so that workers do not start in step."),
        POOL("restart.reset_after", span, restart.reset_after, .default_json = "\"10s\"", .max = 30 * DAY, .cost = CONFIG_LIVE,
             .help = "After running this long earlier failures are forgotten."),
        POOL("restart.limit", integer, restart.limit, .default_json = "0", .max = 64, .cost = CONFIG_LIVE,
             .help = "This many starts within window, then the worker is failed; 0 is no limit."),
        POOL("restart.window", span, restart.window, .default_json = "\"60s\"", .min = 0.001 * SECOND, .max = 30 * DAY,
             .cost = CONFIG_LIVE, .help = "The time in which starts are counted against limit."),
        POOL("restart.success_codes", codes, restart.success_codes, .default_json = "[0]", .cost = CONFIG_LIVE,
             .help = "Ends that are no failure: exit codes 0 to 255, and signals by name or as -N."),

        POOL("stop", object, stop_signal, .help = "How a worker is stopped."),
        POOL("stop.signal", signal, stop_signal, .default_json = "\"SIGTERM\"", .min = 1, .max = 64, .cost = CONFIG_LIVE,
             .help = "The signal that asks it to end, by name or number."),
        POOL("stop.timeout", span, stop_timeout, .default_json = "\"10s\"", .max = DAY, .may_be_infinite = true,
             .cost = CONFIG_LIVE, .help = "Then SIGKILL for all of its processes."),

        POOL("ready", object, ready, .short_type = &config_type_word, .words = ready_words, .default_text = "\"exec\"",
             .help = "When a worker counts as ready: a word, or an object with fd or notify."),
        POOL("ready.notify", ready_notify, ready, .default_text = "false", .cost = CONFIG_NEXT_START,
             .help = "It says READY=1 on $NOTIFY_SOCKET, as sd_notify(3) does."),
        POOL("ready.fd", ready_fd, ready_fd, .default_text = "none", .min = 3, .max = 1023, .cost = CONFIG_NEXT_START,
             .help = "It writes a newline to this descriptor."),
        POOL("ready.timeout", span, ready_timeout, .default_json = "\"30s\"", .min = 0.001 * SECOND, .max = DAY,
             .may_be_infinite = true, .cost = CONFIG_NEXT_START, .help = "A worker not ready by then is stopped; with notify or fd."),
        POOL("start_for", span, start_for, .default_json = "0", .max = DAY, .cost = CONFIG_NEXT_START,
             .help = "With \"exec\": ready after having run this long."),
        POOL("ready.start_for", span, start_for, .max = DAY, .is_alias = true, .cost = CONFIG_NEXT_START,
             .help = "The same as start_for of the pool."),

        POOL("output", object, output, .short_type = &config_type_output, .words = output_words,
             .help = "Where stdout and stderr go; a word or path alone may stand in the object's place."),
        POOL("output.to", output, output, .words = output_words, .default_json = "\"log\"", .cost = CONFIG_RESTART,
             .help = "A word, or an absolute path of a file that both streams of all workers share."),
        POOL("output.max_size", size, output_max_size, .default_json = "\"10M\"", .min = 4096, .max = 1099511627776.0,
             .cost = CONFIG_RESTART, .help = "A file of this size is rotated; with \"log\" or a path."),
        POOL("output.max_files", integer, output_max_files, .default_json = "5", .max = 1000, .cost = CONFIG_RESTART,
             .help = "Rotated files kept beside the current one."),

        POOL("on_daemon_exit", word, on_daemon_exit, .words = exit_words, .default_json = "\"stop\"", .cost = CONFIG_LIVE,
             .help = "What becomes of the workers when drover is stopped."),
};
const size_t n_config_keys = ARRAY_SIZE(config_keys);

bool config_key_parent_is(const ConfigKey *key, ConfigScope scope, const char *prefix) {
        size_t n = strlen(prefix);

        if (key->scope != scope)
                return false;
        if (n == 0)
                return !strchr(key->path, '.');
        return strncmp(key->path, prefix, n) == 0 && key->path[n] == '.';
}

const char *config_key_name(const ConfigKey *key) {
        const char *dot = strrchr(key->path, '.');
        return dot ? dot + 1 : key->path;
}

const ConfigKey *config_key_find(ConfigScope scope, const char *prefix, const char *name) {
        for (size_t i = 0; i < n_config_keys; i++)
                if (config_key_parent_is(&config_keys[i], scope, prefix) && streq(config_key_name(&config_keys[i]), name))
                        return &config_keys[i];
        return NULL;
}

const char *config_key_nearest(ConfigScope scope, const char *prefix, const char *name) {
        const char *names[ARRAY_SIZE(config_keys) + 1];
        size_t n = 0;

        for (size_t i = 0; i < n_config_keys; i++)
                if (config_key_parent_is(&config_keys[i], scope, prefix))
                        names[n++] = config_key_name(&config_keys[i]);
        names[n] = NULL;
        const char *near = name_nearest(name, names);
        if (near)
                return near;
        /* the right word in the wrong object */
        for (size_t i = 0; i < n_config_keys; i++)
                if (config_keys[i].scope == scope && streq(config_key_name(&config_keys[i]), name))
                        return config_keys[i].path;
        return NULL;
}
