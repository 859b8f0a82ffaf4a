/* promise.c - the table of promises. See promise.h. */
#include "pool/promise.h"

#include "base/fd.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

typedef struct Verdict {
        const char *mechanism;
        PromiseState state;
        const char *why;
} Verdict;

static bool can(const PromiseFacts *f, uint32_t bit) {
        return f->hello->hello.means & bit;
}

static bool has_cgroup(const PromiseFacts *f) {
        return f->hello->hello.tree_mode == KEEPER_TREE_CGROUP;
}

static const char *tree_reason(const PromiseFacts *f) {
        return f->hello->hello.tree_reason;
}

static Verdict always(const char *mechanism) {
        return (Verdict){mechanism, PROMISE_FULL, ""};
}

static Verdict over_droverd(const PromiseFacts *f) {
        return always("drover-keeper is their parent: it holds processes, pipes and exit statuses, and starts droverd again");
}

static Verdict over_keeper(const PromiseFacts *f) {
        if (!f->has_systemd)
                return (Verdict){"none", PROMISE_OFF, "nobody starts drover-keeper again: run droverd as a systemd unit"};
        if (!has_cgroup(f))
                return (Verdict){"the service manager starts all anew", PROMISE_WEAKENED, tree_reason(f)};
        return (Verdict){"the service manager starts all anew, leftovers are swept by their cgroups", PROMISE_WEAKENED,
                         "workers of a dead keeper are ended, not taken over"};
}

static Verdict handle_first(const PromiseFacts *f) {
        if (can(f, KEEPER_CAN_PIDFD))
                return always("a new process waits for \"go\" until it is in the keeper's table, with a pidfd from its birth on");
        return (Verdict){"a new process waits for \"go\" until it is in the keeper's table", PROMISE_WEAKENED,
                         "no pidfds: processes are known by their numbers and SIGCHLD"};
}

static Verdict whole_tree(const PromiseFacts *f) {
        if (!has_cgroup(f))
                return (Verdict){"session, process group, descendants, orphans by DROVER_NAME", PROMISE_WEAKENED, tree_reason(f)};
        if (can(f, KEEPER_CAN_CGROUP_KILL))
                return always("a cgroup v2 leaf for each process, ended by cgroup.kill");
        return (Verdict){"a cgroup v2 leaf for each process, signalled one by one until it is empty", PROMISE_FULL, ""};
}

static Verdict born_inside(const PromiseFacts *f) {
        if (!has_cgroup(f))
                return (Verdict){"none", PROMISE_OFF, tree_reason(f)};
        if (can(f, KEEPER_CAN_CLONE_INTO))
                return always("clone3 with CLONE_INTO_CGROUP");
        return (Verdict){"the new process moves itself before it is told to go", PROMISE_WEAKENED, "clone3 is not to be had"};
}

static Verdict no_line_lost(const PromiseFacts *f) {
        return always("the keeper holds the pipes; drover-logger notes in kept memory what it has read and not yet written");
}

static Verdict journal(const PromiseFacts *f) {
        return always("a journal in memory that the keeper holds, written before any answer is");
}

static Verdict bounds(const PromiseFacts *f) {
        return always("limits on messages, calls, connections and unread output, for each user");
}

static Verdict descriptors(const PromiseFacts *f) {
        if (f->has_passrights)
                return always("SO_PASSRIGHTS=0: the kernel takes none");
        return always("they are taken, and closed by a process of its own that may wait");
}

static Verdict own_watchdog(const PromiseFacts *f) {
        return always("drover-keeper kills and replaces a droverd that is silent for too long");
}

static Verdict controller(const PromiseFacts *f, uint32_t bit, const char *mechanism) {
        if (f->hello->hello.controllers & bit)
                return always(mechanism);
        return (Verdict){"none", PROMISE_OFF, has_cgroup(f) ? f->hello->hello.controllers_reason : tree_reason(f)};
}

static Verdict memory(const PromiseFacts *f) {
        return controller(f, KEEPER_CONTROLLER_MEMORY, "memory.max, memory.high and memory.oom.group of the worker's cgroup");
}

static Verdict cpu(const PromiseFacts *f) {
        return controller(f, KEEPER_CONTROLLER_CPU, "cpu.max and cpu.weight of the worker's cgroup");
}

static Verdict pids(const PromiseFacts *f) {
        return controller(f, KEEPER_CONTROLLER_PIDS, "pids.max of the worker's cgroup");
}

static Verdict oom(const PromiseFacts *f) {
        if (f->hello->hello.controllers & KEEPER_CONTROLLER_MEMORY)
                return always("memory.events and memory.peak of the worker's cgroup");
        if (can(f, KEEPER_CAN_MACHINE_OOM))
                return (Verdict){"the kernel's count of such kills in /proc/vmstat", PROMISE_WEAKENED,
                                 "no memory controller: which process it was is a guess"};
        return (Verdict){"none", PROMISE_OFF, "neither a memory controller nor oom_kill in /proc/vmstat"};
}

static Verdict files(const PromiseFacts *f) {
        if (can(f, KEEPER_CAN_MOUNT))
                return always("a mount namespace for each worker that asks for it");
        if (f->hello->hello.landlock_abi > 0)
                return (Verdict){"Landlock", PROMISE_WEAKENED,
                                 "no mount namespace: names and attributes stay visible, and nothing new can be made beside the listed paths"};
        return (Verdict){"none", PROMISE_OFF, "neither mount namespaces nor Landlock"};
}

static Verdict private_tmp(const PromiseFacts *f) {
        if (can(f, KEEPER_CAN_MOUNT))
                return always("a tmpfs of its own in a mount namespace");
        return (Verdict){"none", PROMISE_OFF, "no mount namespace: needs CAP_SYS_ADMIN and mount(2)"};
}

static Verdict identity(const PromiseFacts *f) {
        if (can(f, KEEPER_CAN_SETUID))
                return always("setresuid, checked to be for good; no capabilities but those asked for");
        return (Verdict){"none", PROMISE_OFF, "drover runs as an ordinary user: all workers run as it"};
}

static Verdict bounding(const PromiseFacts *f) {
        if (can(f, KEEPER_CAN_SETPCAP))
                return always("the capability bounding set, dropped before the program runs");
        if (f->uid != 0)
                return (Verdict){"no_new_privileges", PROMISE_FULL, ""};
        return (Verdict){"no_new_privileges", PROMISE_WEAKENED, "no CAP_SETPCAP: the bounding set stays drover's own"};
}

static Verdict no_new_privileges(const PromiseFacts *f) {
        return always("PR_SET_NO_NEW_PRIVS, unless a pool says otherwise");
}

static const struct {
        const char *name, *text;
        Verdict (*look)(const PromiseFacts *f);
} rows[] = {
        {"droverd-death", "kill -9 of droverd loses no worker and no exit status", over_droverd},
        {"wishes", "kill -9 of droverd forgets no wish and no size", journal},
        {"log-lines", "kill -9 of droverd or of the logger loses no log line", no_line_lost},
        {"keeper-death", "the death of drover-keeper leaves nothing unsupervised", over_keeper},
        {"stopped-means-gone", "every process of a stopped worker is gone, or is said to be unkillable", whole_tree},
        {"handle-first", "no instruction of a worker runs before drover can hold it", handle_first},
        {"born-inside", "no process of a worker is ever outside of its cgroup", born_inside},
        {"daemon-watchdog", "a droverd that hangs is replaced", own_watchdog},
        {"bounded-clients", "no client can make the daemon grow without bound", bounds},
        {"passed-descriptors", "descriptors passed by a client cannot hold up the daemon", descriptors},
        {"memory-limits", "memory_max and memory_high hold for a worker with all its processes", memory},
        {"cpu-limits", "cpu_max and cpu_weight hold for a worker with all its processes", cpu},
        {"process-limits", "pids_max holds for a worker with all its processes", pids},
        {"oom-told", "a worker killed for want of memory is told from one killed by hand", oom},
        {"paths", "read_only, read_write and inaccessible paths", files},
        {"private-tmp", "a /tmp of a worker's own", private_tmp},
        {"identity", "a worker runs as the user it is given, and cannot go back", identity},
        {"capabilities", "a worker has no capability that its pool does not name", bounding},
        {"no-new-privileges", "a worker that is not root gains nothing by set-user-ID programs", no_new_privileges},
};
_Static_assert(ARRAY_SIZE(rows) <= PROMISES_MAX, "room for every row");

const char *promise_state_to_string(PromiseState s) {
        static const char *const names[_PROMISE_STATE_MAX] = {"full", "weakened", "off"};

        return (unsigned) s < _PROMISE_STATE_MAX ? names[s] : NULL;
}

static bool probe_passrights(void) {
        int pair[2], off = 0;
        bool yes;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return false;
        yes = setsockopt(pair[0], SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off) == 0;
        fd_close_many(pair, 2);
        return yes;
}

PromiseFacts promise_facts(const KeeperMessage *hello) {
        return (PromiseFacts){
                .hello = hello,
                .uid = geteuid(),
                .has_passrights = probe_passrights(),
                .has_systemd = getenv("INVOCATION_ID") != NULL,
        };
}

size_t promises_collect(const PromiseFacts *f, Promise out[static PROMISES_MAX]) {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                Verdict v = rows[i].look(f);

                out[i] = (Promise){rows[i].name, rows[i].text, v.mechanism, v.state, v.why};
        }
        return ARRAY_SIZE(rows);
}

void promises_put_json(const PromiseFacts *f, Text *t, const char *key) {
        Promise all[PROMISES_MAX];
        size_t n = promises_collect(f, all);

        json_put_array(t, key);
        for (size_t i = 0; i < n; i++) {
                json_put_object(t, NULL);
                json_put_string(t, "name", all[i].name);
                json_put_string(t, "text", all[i].text);
                json_put_string(t, "mechanism", all[i].mechanism);
                json_put_string(t, "state", promise_state_to_string(all[i].state));
                json_put_string(t, "why", all[i].why);
                json_end_object(t);
        }
        json_end_array(t);
}

unsigned promises_n_weakened(const PromiseFacts *f) {
        unsigned n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                n += rows[i].look(f).state != PROMISE_FULL;
        return n;
}
