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
static const ConfigWord format_words[] = {
        { "text", OUTPUT_TEXT, "lines as they were written" },
        { "json", OUTPUT_JSON, "an object a line, with time, worker, stream and line" },
        WORD_END,
};
static const ConfigWord compress_words[] = {
        { "none", OUTPUT_PLAIN, "rotated files stay as they are" },
        { "gzip", OUTPUT_GZIP, "for zcat(1)" },
        { "zstd", OUTPUT_ZSTD, "smaller and faster, for zstdcat(1)" },
        WORD_END,
};
static const ConfigWord full_words[] = {
        { "block", OUTPUT_BLOCK, "the worker waits with its output until there is room" },
        { "drop", OUTPUT_DROP, "lines are thrown away; a marker in the log says how many" },
        WORD_END,
};
static const ConfigWord exit_words[] = {
        { "stop", ON_DAEMON_EXIT_STOP, "stop the pool" },
        { "keep", ON_DAEMON_EXIT_KEEP, "let the workers run on" },
        WORD_END,
};

static const ConfigWord protocol_words[] = {
        { "none", PROTOCOL_NONE, "the command is a program of its own" },
        { "tasks", PROTOCOL_TASKS, "it takes tasks on the stream socket in $DROVER_TASKS_FD, a line of JSON each; see drover-protocol(7)" },
        WORD_END,
};
static const ConfigWord start_words[] = {
        { "spawn", START_SPAWN, "a fresh process: exec" },
        { "forkserver", START_FORKSERVER, "forked from a template process, which has loaded the module and called its init; a command speaks the template "
          "protocol of drover-protocol(7)" },
        { "fork", START_FORK, "forked from a template process, which has loaded the module; each worker calls its init" },
        WORD_END,
};

#define TOP(p, t, field, ...)                                                                                \
        { .scope = CONFIG_SCOPE_TOP, .path = p, .type = &config_type_##t, .offset = offsetof(Config, field), __VA_ARGS__ }
#define POOL(p, t, field, ...)                                                                               \
        { .scope = CONFIG_SCOPE_POOL, .path = p, .type = &config_type_##t, .offset = offsetof(PoolConfig, field), __VA_ARGS__ }
#define LISTEN(p, t, field, ...)                                                                             \
        { .scope = CONFIG_SCOPE_LISTEN, .path = p, .type = &config_type_##t, .offset = offsetof(ListenConfig, field), \
          .cost = CONFIG_RESTART, __VA_ARGS__ }
#define HOOK(p, t, field, ...)                                                                               \
        { .scope = CONFIG_SCOPE_HOOK, .path = p, .type = &config_type_##t, .offset = offsetof(HookConfig, field), \
          .cost = CONFIG_LIVE, __VA_ARGS__ }
#define HAS(field) .offset_has = offsetof(PoolConfig, field)
#define TERA 1099511627776.0
#define LIMIT(p, resource, bytes, text)                                                                      \
        POOL("limits." p, limit, limits, .detail = resource, .is_size = bytes, .cost = CONFIG_LIVE,         \
             .default_text = "drover's own", .help = text)
#define DAY ((double) (24 * USEC_PER_HOUR))
#define SECOND ((double) USEC_PER_SEC)

const ConfigKey config_keys[] = {
        TOP("pools", pools, pools, .help = "The pools, by name: [a-z0-9][a-z0-9_.-]*, at most 63 characters."),
        TOP("log_dir", path, log_dir, .max = 256, .default_text = "/var/log/drover; of a user: the log directory in state_dir",
            .cost = CONFIG_RESTART, .help = "Directory of the workers' log files."),
        TOP("state_dir", path, state_dir, .max = 256, .default_text = "/var/lib/drover; of a user: ~/.local/state/drover",
            .cost = CONFIG_RESTART, .help = "Directory of what must survive a restart of the machine."),

        TOP("access", object, access, .help = "Who may do what at the control socket; root and droverd's own user may do all, and nobody else anything that is not granted. "
            "Rules only grant: the highest role one has counts, and has the lower ones."),
        TOP("access.observe", access, access.roles[ROLE_OBSERVE], .default_text = "none", .cost = CONFIG_LIVE,
            .help = "Who may look: status, logs, events. Whoever may not observe a pool is answered as if it did not exist."),
        TOP("access.submit", access, access.roles[ROLE_SUBMIT], .default_text = "none", .cost = CONFIG_LIVE,
            .help = "Who may look and submit tasks."),
        TOP("access.operate", access, access.roles[ROLE_OPERATE], .default_text = "none", .cost = CONFIG_LIVE,
            .help = "Who may also start, stop, reload and scale, and run programs and add pools as himself."),
        TOP("access.administer", access, access.roles[ROLE_ADMINISTER], .default_text = "none", .cost = CONFIG_LIVE,
            .help = "Who may do everything: run programs as any user, change the configuration, end the daemon."),
        TOP("hooks", hooks, hooks, .cost = CONFIG_LIVE, .default_text = "none",
            .help = "Commands that run when something has happened, by name; see the keys of a hook."),
        TOP("metrics_file", path, metrics_file, .max = CONFIG_PATH_MAX, .default_text = "none", .cost = CONFIG_LIVE,
            .help = "File that the metrics are written to, for the textfile collector of the node exporter (a name ending in .prom)."),
        TOP("metrics_interval", span, metrics_interval, .default_json = "\"15s\"", .min = SECOND, .max = DAY, .cost = CONFIG_LIVE,
            .help = "How often metrics_file is written."),
        TOP("socket_group", socket_group, socket_group, .default_text = "none", .cost = CONFIG_RESTART,
            .help = "Group of the control socket: its members may connect, and operate, unless the file's access names the group. "
                    "A socket made by systemd is given to it as well."),
        TOP("socket_mode", mode, socket_mode, .default_text = "\"0600\"; with socket_group \"0660\"", .cost = CONFIG_RESTART,
            .help = "Permissions of the control socket, octal digits in a string."),

        POOL("command", command, command, .cost = CONFIG_RESTART,
             .help = "Program and arguments, an array of strings. No shell is involved; a name without a slash is looked up in PATH."),
        POOL("module", module, module, .default_text = "none", .cost = CONFIG_RESTART,
             .help = "In place of a command a worker module, a shared object that libdrover(3) tells how to write: its absolute path, or "
                     "a file name that is looked for in $DROVER_MODULE_PATH of droverd and in lib/drover/modules. Without target its workers take tasks."),
        POOL("target", target, target, .default_text = "none: the workers take tasks", .cost = CONFIG_RESTART,
             .help = "What of the module each worker calls, once, and ends: with 0, or with 1 after an exception, the traceback on stderr."),
        POOL("args", args, args, .default_text = "[]", .cost = CONFIG_RESTART,
             .help = "Arguments of target; whoever may list processes can read them."),
        POOL("kwargs", kwargs, kwargs, .default_text = "{}", .cost = CONFIG_RESTART, .help = "Arguments of target by name."),
        POOL("start_method", word, start_method, .words = start_words, .default_json = "\"spawn\"", .cost = CONFIG_RESTART,
             .default_text = "\"spawn\"; of a pool with module \"forkserver\"",
             .help = "How a worker comes to be. A template is supervised, started anew by a reload, and shares its private /tmp with its workers; "
                     "its output goes to template.stdout.log and .stderr.log beside the workers' logs, its death touches no worker. One that "
                     "serves run stays for 30 s, and after several runs in a row with up to sixteen waiting processes, drover-spare."),
        POOL("protocol", word, protocol, .words = protocol_words, .default_json = "\"none\"", .cost = CONFIG_RESTART,
             .default_text = "\"none\"; of a module without target \"tasks\"", .help = "What the command speaks with droverd."),
        POOL("workers", workers, workers, .short_type = &config_type_workers, .default_json = "1", .max = 10000, .cost = CONFIG_LIVE,
             .help = "How many workers: a number, \"cpus\", or a multiple such as \"2*cpus\"; CPUs are those of the "
                     "affinity mask and the cgroup's quota. An object lets the number follow the load."),
        POOL("workers.min", workers_bound, workers_min, .max = 10000, .default_text = "1", .cost = CONFIG_LIVE,
             .help = "Never fewer than these; 0 lets the pool sleep until there is work, which needs on_demand, or a pool that takes tasks. "
                     "A number given by scale takes its place until the next scale."),
        POOL("workers.max", workers_bound, workers_max, .min = 1, .max = 10000, .default_text = "none; min needs it", .cost = CONFIG_LIVE,
             .help = "Never more than these. The pool grows by one, then two, four, when for 100 ms all ready workers say that they are busy "
                     "(X_DROVER_BUSY=1) or connections wait in a socket of listen."),
        POOL("workers.idle_timeout", span, workers_idle, .default_json = "\"60s\"", .min = 0.1 * SECOND, .max = DAY, .cost = CONFIG_LIVE,
             .help = "After so long without work one of the workers beyond min goes: the highest slot, once it is idle; as long as "
                     "that one serves a connection, idle ones below it stay, too. One that never says "
                     "whether it is busy is idle while it uses less than 1 % of a CPU."),
        POOL("autostart", bool, autostart, .default_json = "true", .cost = CONFIG_LIVE, .help = "Start together with droverd."),
        POOL("requires", names, requires, .default_text = "none", .cost = CONFIG_LIVE,
             .help = "Pools that must be ready before a worker starts: all their workers ready once, or ended with success for good. They are "
                     "started too. One that failed is waited for, and the start goes on when it is ready; one that fails later stops "
                     "nobody. Stopping it by hand stops this one first, and starting it again brings this one back."),
        POOL("after", names, after, .default_text = "none", .cost = CONFIG_LIVE,
             .help = "Pools to wait for until they are ready, as far as they are wanted at all. If both stop, they stop after this one."),
        POOL("on_demand", bool, on_demand, .default_json = "false", .cost = CONFIG_LIVE,
             .help = "Start the workers with the first connection to a socket of listen. What connects meanwhile waits and is not lost. The pool "
                     "rests again when all its workers have ended and their restart policy is content (\"on-failure\": after clean ends, "
                     "\"never\": after any, \"always\": not at all), and when it has shrunk to nothing, as workers.min 0 lets it. One that "
                     "has failed for good waits for a start."),
        POOL("listen", listen, listen, .cost = CONFIG_RESTART, .default_text = "none",
             .help = "Sockets by name, opened once, kept over every restart, and handed to each worker by LISTEN_FDS, LISTEN_FDNAMES and "
                     "LISTEN_PID, in order of name: an address, or an object (see the keys of a socket)."),

        POOL("directory", path, directory, .max = CONFIG_PATH_MAX, .default_text = "\"/\"", .cost = CONFIG_RESTART,
             .help = "Working directory."),
        POOL("env", env, env, .default_text = "nothing", .cost = CONFIG_RESTART,
             .help = "Environment variables, names to strings or integers; they win over env_file and the built-in ones. Values are shown "
                     "to those who administer the pool, to others as \"***\"."),
        POOL("env_file", env_file, env, .default_text = "none", .cost = CONFIG_RESTART,
             .help = "File of KEY=value lines, read when the configuration is read. It is of the pool's user, or of root and not reached "
                     "over a link that the user could have put there."),
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

        POOL("capabilities", capabilities, isolation.capabilities, HAS(isolation.has_capabilities), .cost = CONFIG_RESTART,
             .default_text = "of root all, of another user none", .help = "Capabilities a worker keeps, capabilities(7); [] is none."),
        POOL("cgroup", object, cgroup, .help = "Bounds of each worker with all its processes, through cgroup v2."),
        POOL("cgroup.memory_max", cgroup_bytes, cgroup.memory_max, .min = 65536, .max = 1024 * TERA, .default_text = "none", .cost = CONFIG_LIVE,
             .help = "Memory beyond which the whole worker is killed."),
        POOL("cgroup.memory_high", cgroup_bytes, cgroup.memory_high, .min = 65536, .max = 1024 * TERA, .default_text = "none",
             .cost = CONFIG_LIVE, .help = "Memory beyond which it is slowed down and its caches are taken back."),
        POOL("cgroup.cpu_max", cgroup_cpu, cgroup.cpu_max, .min = 1000, .max = 100000.0 * 1024, .default_text = "none", .cost = CONFIG_LIVE,
             .help = "CPU time it gets at most: \"50%\" of one CPU, 1.5 CPUs."),
        POOL("cgroup.cpu_weight", count, cgroup.cpu_weight, .min = 1, .max = 10000, .default_text = "the kernel's, 100", .cost = CONFIG_LIVE,
             .help = "Its share of the CPUs when they are scarce."),
        POOL("cgroup.pids_max", cgroup_count, cgroup.pids_max, .min = 1, .max = 4194304, .default_text = "none", .cost = CONFIG_LIVE,
             .help = "Processes and threads it may have."),
        POOL("isolation", object, isolation, .help = "What a worker sees of the file system, as far as the kernel has Landlock or mount namespaces; "
                                                     "droverctl promises says what is in force."),
        POOL("isolation.private_tmp", bool, isolation.private_tmp, .default_json = "false", .cost = CONFIG_RESTART,
             .help = "A /tmp and /var/tmp of its own, empty at each start."),
        POOL("isolation.read_only", paths, isolation.read_only_paths, .default_text = "none", .cost = CONFIG_RESTART,
             .help = "Paths it cannot write to."),
        POOL("isolation.read_write", paths, isolation.read_write_paths, .default_text = "none", .cost = CONFIG_RESTART,
             .help = "Paths below read-only ones that it can write to all the same."),
        POOL("isolation.inaccessible", paths, isolation.inaccessible_paths, .default_text = "none", .cost = CONFIG_RESTART,
             .help = "Paths it can neither read nor write."),
        POOL("access", object, access, .help = "Who may do what with this pool, besides those whom the file's access lets do so with every one. "
                                               "Who may not observe a pool is told that it does not exist."),
        POOL("access.observe", access, access.roles[ROLE_OBSERVE], .default_text = "nobody more", .cost = CONFIG_LIVE, .help = "Who may look."),
        POOL("access.submit", access, access.roles[ROLE_SUBMIT], .default_text = "nobody more", .cost = CONFIG_LIVE,
             .help = "Who may look and submit tasks."),
        POOL("access.operate", access, access.roles[ROLE_OPERATE], .default_text = "nobody more", .cost = CONFIG_LIVE,
             .help = "Who may also start, stop, reload and scale it."),
        POOL("access.administer", access, access.roles[ROLE_ADMINISTER], .default_text = "nobody more", .cost = CONFIG_LIVE,
             .help = "Who may do everything with it."),

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
        POOL("stop.command", argv, stop_command, .default_text = "none", .cost = CONFIG_LIVE,
             .help = "Program that asks it to end, in place of the signal; $MAINPID is its pid."),

        POOL("ready", object, ready, .short_type = &config_type_word, .words = ready_words, .default_text = "\"exec\"",
             .help = "When a worker counts as ready: a word, or an object with one of notify, fd, tcp, http, exec."),
        POOL("ready.notify", ready_notify, ready, .default_text = "false", .cost = CONFIG_NEXT_START,
             .help = "It says READY=1 on $NOTIFY_SOCKET, as sd_notify(3) does."),
        POOL("ready.fd", ready_fd, ready_fd, .default_text = "none", .min = 3, .max = 1023, .cost = CONFIG_NEXT_START,
             .help = "It writes a newline to this descriptor."),
        POOL("ready.tcp", probe_tcp, ready_probe, .detail = 1, .default_text = "none", .cost = CONFIG_NEXT_START,
             .help = "Something accepts connections there: \"127.0.0.1:8080\", a port of this machine, or the path of a socket."),
        POOL("ready.http", probe_http, ready_probe, .detail = 1, .default_text = "none", .cost = CONFIG_NEXT_START,
             .help = "GET of this URL, http://HOST:PORT/PATH with a numeric host or localhost, is answered by 200 to 399."),
        POOL("ready.exec", probe_exec, ready_probe, .detail = 1, .default_text = "none", .cost = CONFIG_NEXT_START,
             .help = "This program, run with the worker's user, directory and environment and $MAINPID, exits with 0."),
        POOL("ready.interval", span, ready_probe.interval, .default_json = "\"100ms\"", .min = 0.01 * SECOND, .max = DAY, .cost = CONFIG_NEXT_START,
             .help = "How often tcp, http or exec is tried."),
        POOL("ready.timeout", span, ready_timeout, .default_json = "\"30s\"", .min = 0.001 * SECOND, .max = DAY,
             .may_be_infinite = true, .cost = CONFIG_NEXT_START, .help = "A worker not ready by then is stopped; with all but the word \"exec\"."),
        POOL("start_for", span, start_for, .default_json = "0", .max = DAY, .cost = CONFIG_NEXT_START,
             .help = "With \"exec\": ready after having run this long."),
        POOL("ready.start_for", span, start_for, .max = DAY, .is_alias = true, .cost = CONFIG_NEXT_START,
             .help = "The same as start_for of the pool."),

        POOL("watchdog", span, watchdog, .default_text = "off", .max = DAY, .cost = CONFIG_NEXT_START,
             .help = "A worker that has not said WATCHDOG=1 on $NOTIFY_SOCKET for so long is killed and started again; 0 is off."),
        POOL("health", object, health, .help = "A probe of running workers, one of tcp, http and exec; those that fail it are restarted."),
        POOL("health.tcp", probe_tcp, health.probe, .default_text = "none", .cost = CONFIG_LIVE, .help = "As ready.tcp."),
        POOL("health.http", probe_http, health.probe, .default_text = "none", .cost = CONFIG_LIVE, .help = "As ready.http."),
        POOL("health.exec", probe_exec, health.probe, .default_text = "none", .cost = CONFIG_LIVE, .help = "As ready.exec."),
        POOL("health.interval", span, health.probe.interval, .default_json = "\"10s\"", .min = 0.01 * SECOND, .max = DAY, .cost = CONFIG_LIVE,
             .help = "From one try to the next."),
        POOL("health.timeout", span, health.probe.timeout, .default_json = "\"5s\"", .min = 0.01 * SECOND, .max = DAY, .cost = CONFIG_LIVE,
             .help = "A try that takes longer has failed."),
        POOL("health.threshold", integer, health.threshold, .default_json = "3", .min = 1, .max = 1000, .cost = CONFIG_LIVE,
             .help = "So many failures in a row restart the worker."),
        POOL("health.grace", span, health.grace, .default_json = "0", .max = DAY, .cost = CONFIG_LIVE,
             .help = "No try for so long after it became ready."),

        POOL("reload", object, reload, .help = "How droverctl reload replaces the workers."),
        POOL("reload.max_unavailable", part, reload.max_unavailable, .offset_has = offsetof(PoolConfig, reload.is_unavailable_percent),
             .default_json = "1", .max = 10000, .cost = CONFIG_LIVE,
             .help = "How many may be missing at a time: a number, or a percentage such as \"25%\"."),
        POOL("reload.max_surge", part, reload.max_surge, .offset_has = offsetof(PoolConfig, reload.is_surge_percent), .default_json = "0",
             .max = 10000, .cost = CONFIG_LIVE, .help = "How many new ones may run beside the old ones, so that new comes before old."),
        POOL("reload.soak", span, reload.soak, .default_json = "0", .max = DAY, .cost = CONFIG_LIVE,
             .help = "How long a new one must stay ready to count as good."),
        POOL("recycle", object, recycle, .help = "When a worker is replaced although nothing is wrong; the new one is ready before the old one goes. At most "
                     "reload.max_surge of a pool at a time, and at least one."),
        POOL("recycle.age", span, recycle.age, .default_text = "off", .max = 3650 * DAY, .cost = CONFIG_LIVE, .help = "When it has run so long; 0 is off."),
        POOL("recycle.memory", size, recycle.memory, .default_text = "off", .max = 1024 * TERA, .cost = CONFIG_LIVE,
             .help = "When its whole tree holds more memory, looked at every 10 s; 0 is off. Where its cgroup counts memory: what that has in "
                     "use, without file pages that can be dropped; else the resident memory of all its processes, added up."),
        POOL("recycle.tasks", count, recycle.tasks, .default_text = "off", .max = 1e15, .cost = CONFIG_LIVE,
             .help = "When it has done so many tasks, items of a map counting each; 0 is off. A worker of a task pool is given no more than "
                     "these; others say how many they have done (X_DROVER_TASKS=N to $NOTIFY_SOCKET)."),
        POOL("recycle.jitter", number, recycle.jitter, .default_json = "0.1", .max = 1, .cost = CONFIG_LIVE,
             .help = "Part of age, memory and tasks that is taken off at random, so that workers do not go in step."),

        POOL("tasks", object, tasks, .help = "Tasks of a pool whose workers take them; each may name its own timeout and attempts."),
        POOL("tasks.timeout", span, tasks.timeout, .default_text = "none", .max = 30 * DAY, .cost = CONFIG_LIVE,
             .help = "How long one attempt may take: then SIGUSR2, at which a worker of libdrover writes where it is, then SIGKILL. 0 is no bound."),
        POOL("tasks.attempts", integer, tasks.attempts, .default_json = "1", .min = 1, .max = 100, .cost = CONFIG_LIVE,
             .help = "How often a task is begun when its worker dies of it: 1 is at most once. An exception is a result and is not tried again."),
        POOL("tasks.queue_max", count, tasks.queue_max, .default_json = "100000", .min = 1, .max = 1e7, .cost = CONFIG_LIVE,
             .help = "Tasks that may wait; beyond, submitting is refused with \"limit\"."),
        POOL("tasks.prefetch", prefetch, tasks.prefetch, .default_json = "\"auto\"", .max = TASK_PREFETCH_MAX, .cost = CONFIG_LIVE,
             .help = "Tasks that are handed to a worker beyond the one it works at, so that it never waits for the next."),
        POOL("tasks.durable", bool, tasks.durable, .default_json = "false", .cost = CONFIG_LIVE,
             .help = "Tasks submitted without waiting, or with a key, are in tasks.log in the state directory before they are accepted, and survive a "
                     "restart of the machine. What was begun then is begun again if tasks.attempts allows, else its state is lost."),
        POOL("tasks.result_ttl", span, tasks.result_ttl, .default_json = "\"1h\"", .max = 30 * DAY, .cost = CONFIG_LIVE,
             .help = "How long the outcome of a task is kept for whoever asks for it."),

        POOL("output", object, output, .short_type = &config_type_output, .words = output_words,
             .help = "Where stdout and stderr go; a word or path alone may stand in the object's place."),
        POOL("output.to", output, output, .words = output_words, .default_json = "\"log\"", .cost = CONFIG_RESTART,
             .help = "A word, or an absolute path of a file that both streams of all workers share."),
        POOL("output.max_size", size, output_max_size, .default_json = "\"10M\"", .min = 4096, .max = 1099511627776.0,
             .cost = CONFIG_LIVE, .help = "A file of this size is rotated at the end of a line; with \"log\" or a path."),
        POOL("output.max_files", integer, output_max_files, .default_json = "5", .max = 1000, .cost = CONFIG_LIVE,
             .help = "Rotated files kept beside the current one."),
        POOL("output.max_total", size, output_max_total, .default_text = "none", .max = 1024 * TERA, .cost = CONFIG_LIVE,
             .help = "Bytes of all log files of the pool together, current ones too: the oldest rotated ones of any worker go first, a current one never. 0 is no bound."),
        POOL("output.rotate_every", span, output_rotate_every, .default_text = "by size alone", .max = 3650 * DAY, .cost = CONFIG_LIVE,
             .help = "Rotate also at each multiple of this since 1970 in UTC (\"1d\": at midnight), at the end of a line, and never an empty file. 0 is by size alone."),
        POOL("output.compress", word, output_compress, .words = compress_words, .default_json = "\"none\"", .cost = CONFIG_LIVE,
             .help = "What becomes of rotated files: NAME.log.1.gz or .zst. droverctl logs reads them as well."),
        POOL("output.timestamps", bool, output_timestamps, .default_json = "false", .cost = CONFIG_RESTART,
             .help = "Put the time, RFC 3339 in UTC with µs, before each line of a text file. Then only whole lines are written; one that stays unfinished for a second, or grows too long, is cut and ends in \" [...]\"."),
        POOL("output.format", word, output_format, .words = format_words, .default_json = "\"text\"", .cost = CONFIG_RESTART,
             .help = "What a line of the file is. In JSON a piece of a line that was cut has \"is_continued\": true, and what is not UTF-8 becomes U+FFFD."),
        POOL("output.on_full", word, output_on_full, .words = full_words, .default_json = "\"block\"", .cost = CONFIG_LIVE,
             .help = "What happens when the disk is full. Dropped lines are counted, and a line in the file tells of them."),

        POOL("on_daemon_exit", word, on_daemon_exit, .words = exit_words, .default_json = "\"stop\"", .cost = CONFIG_LIVE,
             .help = "What becomes of the workers when drover is stopped."),

        LISTEN("tcp", listen_address, address, .detail = LISTEN_TCP, .default_text = "none",
               .help = "\"0.0.0.0:8080\", \"[::1]:8080\", or a port: then of every address, IPv6 and IPv4."),
        LISTEN("udp", listen_address, address, .detail = LISTEN_UDP, .default_text = "none", .help = "As tcp, for datagrams."),
        LISTEN("unix", listen_address, address, .detail = LISTEN_UNIX, .default_text = "none", .help = "The absolute path of a stream socket."),
        LISTEN("backlog", integer, backlog, .default_json = "4096", .min = 1, .max = 65535,
               .help = "Connections that may wait to be accepted; net.core.somaxconn caps it."),
        LISTEN("reuse_port", bool, reuse_port, .default_json = "false", .help = "A socket for each worker on the same port; the kernel shares the load out. Each has a queue of its own: over a restart "
                       "it waits for the next process of that worker; when the pool shrinks it goes with the worker, and who waits in it "
                       "is cut off (unless net.ipv4.tcp_migrate_req is 1)."),
        LISTEN("freebind", bool, freebind, .default_json = "false", .help = "Bind although the address is not there yet."),
        LISTEN("mode", mode, mode, .default_json = "\"0660\"", .help = "Permissions of the socket's file, octal digits in a string."),
        LISTEN("user", listen_user, uid, .default_text = "droverd's own", .help = "Owner of the socket's file."),
        LISTEN("group", listen_group, gid, .default_text = "droverd's own", .help = "Group of the socket's file."),

        HOOK("events", events, events, .default_text = "none; required", .help = "Types of events, such as \"worker.failed\", or patterns such as \"worker.*\"."),
        HOOK("pools", globs, pools, .default_text = "all", .help = "Pools it is for: names, or patterns such as \"web-*\"."),
        HOOK("command", argv, command, .default_text = "none; required", .help = "Program and arguments; it runs as droverd's user and finds the event as JSON on stdin."),
        HOOK("min_interval", span, min_interval, .default_json = "\"1s\"", .max = DAY,
             .help = "It runs at most so often; what happens meanwhile is counted and told with the next run."),
        HOOK("timeout", span, timeout, .default_json = "\"30s\"", .min = 0.001 * SECOND, .max = DAY, .help = "Then SIGKILL."),
};
const size_t n_config_keys = ARRAY_SIZE(config_keys);

bool config_key_is_object(const ConfigKey *key) {
        return key->type == &config_type_object || key->short_type;
}

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
