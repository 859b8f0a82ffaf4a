/* exit-status.c - one table of sentences for failed starts, the rest is decoding. */
#include "process/exit-status.h"
#include "base/parse.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

/* As shells have them. */
#define EXITCODE_NOT_FOUND 127
#define EXITCODE_NOT_STARTED 126

static const char *const stage_sentences[_LAUNCH_STAGE_MAX] = {
        [LAUNCH_FORK] = "cannot make a process",
        [LAUNCH_CGROUP] = "cannot make its cgroup",
        [LAUNCH_PIPE] = "cannot make pipes for its output",
        [LAUNCH_REQUEST] = "cannot read what to launch",
        [LAUNCH_SESSION] = "cannot start its own session",
        [LAUNCH_SIGNALS] = "cannot reset its signals",
        [LAUNCH_OOM_SCORE] = "cannot set oom_score_adj",
        [LAUNCH_NICE] = "cannot set nice",
        [LAUNCH_AFFINITY] = "cannot set cpu_affinity",
        [LAUNCH_LIMIT] = "cannot set limit",
        [LAUNCH_GROUPS] = "cannot set its groups",
        [LAUNCH_GID] = "cannot change to group",
        [LAUNCH_UID] = "cannot change to user",
        [LAUNCH_NAMESPACE] = "cannot make its own view of the file system",
        [LAUNCH_MOUNT] = "cannot isolate",
        [LAUNCH_CAPABILITIES] = "cannot set its capabilities",
        [LAUNCH_NO_NEW_PRIVS] = "cannot set no_new_privileges",
        [LAUNCH_LANDLOCK] = "cannot isolate",
        [LAUNCH_UMASK] = "cannot set umask",
        [LAUNCH_DIRECTORY] = "cannot change to directory",
        [LAUNCH_STDIO] = "cannot open",
        [LAUNCH_DESCRIPTOR] = "cannot pass descriptor",
        [LAUNCH_EXEC] = "cannot execute",
        [LAUNCH_KILLED] = "killed before it could execute",
        [LAUNCH_LISTEN] = "cannot open a listening socket",
        [LAUNCH_TEMPLATE] = "its template cannot fork it",
};

static const char *const limit_names[RLIM_NLIMITS] = {
        [RLIMIT_AS] = "as",           [RLIMIT_CORE] = "core",         [RLIMIT_CPU] = "cpu",
        [RLIMIT_DATA] = "data",       [RLIMIT_FSIZE] = "fsize",       [RLIMIT_LOCKS] = "locks",
        [RLIMIT_MEMLOCK] = "memlock", [RLIMIT_MSGQUEUE] = "msgqueue", [RLIMIT_NICE] = "nice",
        [RLIMIT_NOFILE] = "nofile",   [RLIMIT_NPROC] = "nproc",       [RLIMIT_RSS] = "rss",
        [RLIMIT_RTPRIO] = "rtprio",   [RLIMIT_RTTIME] = "rttime",     [RLIMIT_SIGPENDING] = "sigpending",
        [RLIMIT_STACK] = "stack",
};

static const char *const stdio_names[3] = {"standard input", "standard output", "standard error"};

int exit_status_exitcode(const ExitStatus *e) {
        if (e->is_failure_to_start && e->failure.stage == LAUNCH_TEMPLATE && e->failure.detail > 0)
                return e->failure.detail;
        if (e->is_failure_to_start)
                return e->failure.stage == LAUNCH_EXEC && (e->failure.error == ENOENT || e->failure.error == ENOTDIR)
                               ? EXITCODE_NOT_FOUND
                               : EXITCODE_NOT_STARTED;
        return e->exit.code == CLD_EXITED ? e->exit.status : -e->exit.status;
}

bool exit_status_is_clean(const ExitStatus *e, const int *success_codes, size_t n) {
        if (e->is_failure_to_start || e->is_faulty)
                return false;
        for (size_t i = 0; i < n; i++)
                if (success_codes[i] == exit_status_exitcode(e))
                        return true;
        return false;
}

static bool is_killed(const KeeperExit *e) {
        return e->code != CLD_EXITED;
}

const char *exit_status_killer(const ExitStatus *e) {
        if (e->is_failure_to_start || !is_killed(&e->exit))
                return NULL;
        if (e->exit.oom == KEEPER_OOM_CGROUP)
                return "kernel";
        return e->exit.sent == (uint32_t) e->exit.status ? "drover" : "other";
}

/* " (limit 64M, peak 63M)", as far as known. */
static void put_memory(const KeeperExit *e, char *buf, size_t size) {
        char limit[16], peak[16];

        buf[0] = '\0';
        if (e->memory_limit > 0)
                (void) snprintf(buf, size, " (limit %s%s%s)", size_format(limit, e->memory_limit),
                                e->memory_peak > 0 ? ", peak " : "",
                                e->memory_peak > 0 ? size_format(peak, e->memory_peak) : "");
}

/* What stands behind "killed by SIGKILL" or "exited with code 1". */
static void put_circumstances(const ExitStatus *status, char *buf, size_t size) {
        const KeeperExit *e = &status->exit;
        char memory[2 * 16 + 32];

        put_memory(e, memory, sizeof(memory));
        buf[0] = '\0';
        if (e->oom == KEEPER_OOM_CGROUP && is_killed(e) && e->status == SIGKILL)
                (void) snprintf(buf, size, ": out of memory%s", memory);
        else if (e->oom == KEEPER_OOM_CGROUP)
                (void) snprintf(buf, size, ", one of its processes was killed: out of memory%s", memory);
        else if (e->oom == KEEPER_OOM_MACHINE)
                (void) snprintf(buf, size, ", perhaps by the kernel: this machine ran out of memory");
        else if (is_killed(e) && e->sent == (uint32_t) e->status && !status->is_faulty)
                (void) snprintf(buf, size, " on request");
}

void exit_status_describe(const ExitStatus *e, const LaunchSpec *spec_or_null, char *buf, size_t size) {
        char more[160];

        if (e->is_failure_to_start) {
                launch_failure_describe(&e->failure, spec_or_null, buf, size);
                return;
        }
        put_circumstances(e, more, sizeof(more));
        if (!is_killed(&e->exit))
                (void) snprintf(buf, size, "exited with code %d%s", e->exit.status, more);
        else
                (void) snprintf(buf, size, "killed by %s%s%s", signal_to_string(e->exit.status),
                                e->exit.code == CLD_DUMPED ? " (core dumped)" : "", more);
}

/* The path that LAUNCH_MOUNT and LAUNCH_LANDLOCK are about. */
static const char *isolated_path(const KeeperFailure *f, const LaunchSpec *spec) {
        static const char *const tmp[] = {"/tmp", "/var/tmp"};
        unsigned kind = (unsigned) f->detail >> 16, n = f->detail & 0xffff;

        if (f->detail < 0 || kind >= _LAUNCH_PATH_MAX)
                return NULL;
        if (kind == LAUNCH_PATH_TMP)
                return n < ARRAY_SIZE(tmp) ? tmp[n] : NULL;
        for (unsigned i = 0; spec && spec->paths[kind] && spec->paths[kind][i]; i++)
                if (i == n)
                        return spec->paths[kind][i];
        return NULL;
}

/* What the sentence of @f is about: " /srv/x", " nofile", " 3"; "" when the sentence stands alone. */
static void failure_object(const KeeperFailure *f, const LaunchSpec *spec, char *buf, size_t size) {
        bool is_stdio = f->detail >= 0 && f->detail <= 2;

        buf[0] = '\0';
        switch (f->stage) {
        case LAUNCH_DIRECTORY:
                if (spec)
                        (void) snprintf(buf, size, " %s", spec->directory ? spec->directory : "/");
                break;
        case LAUNCH_EXEC:
        case LAUNCH_KILLED:
                (void) snprintf(buf, size, " %s", spec && spec->argv ? spec->argv[0] : "the program");
                break;
        case LAUNCH_STDIO:
                (void) snprintf(buf, size, " %s as %s",
                                spec && is_stdio && spec->stdio_path[f->detail] ? spec->stdio_path[f->detail] : "/dev/null",
                                is_stdio ? stdio_names[f->detail] : "standard stream");
                break;
        case LAUNCH_LIMIT:
                if (f->detail >= 0 && f->detail < (int) RLIM_NLIMITS && limit_names[f->detail])
                        (void) snprintf(buf, size, " %s", limit_names[f->detail]);
                break;
        case LAUNCH_DESCRIPTOR:
                (void) snprintf(buf, size, " %d", f->detail);
                break;
        case LAUNCH_MOUNT:
        case LAUNCH_LANDLOCK:
                (void) snprintf(buf, size, " %s", isolated_path(f, spec) ? isolated_path(f, spec) : "its files");
                break;
        case LAUNCH_UID:
                if (spec)
                        (void) snprintf(buf, size, " %u", (unsigned) spec->uid);
                break;
        case LAUNCH_GID:
                if (spec)
                        (void) snprintf(buf, size, " %u", (unsigned) spec->gid);
                break;
        default:
                break;
        }
}

void launch_failure_describe(const KeeperFailure *f, const LaunchSpec *spec_or_null, char *buf, size_t size) {
        const char *sentence = f->stage < _LAUNCH_STAGE_MAX ? stage_sentences[f->stage] : "cannot be started";
        const char *reason = f->error > 0 ? strerrordesc_np(f->error) : NULL;
        char object[LAUNCH_OBJECT_MAX];

        failure_object(f, spec_or_null, object, sizeof(object));
        if (reason)
                (void) snprintf(buf, size, "%s%s: %s", sentence, object, reason);
        else if (f->error > 0)
                (void) snprintf(buf, size, "%s%s: error %d", sentence, object, f->error);
        else
                (void) snprintf(buf, size, "%s%s", sentence, object);
}
