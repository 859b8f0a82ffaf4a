/* keeper-request.c - what droverd asks for, a table. A request for a generation that is not the slot's is ignored: it
 * raced with a death. Nothing here is trusted further than its size. */
#include "keeper/keeper.h"
#include "base/fd.h"
#include "base/log.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef void (*Handler)(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds);

static int signal_main(const Slot *s, int sig) {
        if (s->pidfd >= 0)
                return (int) syscall(SYS_pidfd_send_signal, s->pidfd, sig, NULL, 0);
        return s->pid > 0 ? kill(s->pid, sig) : 0; /* ours and not reaped: the number is still its own */
}

static void on_signal(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        Slot *s = slot_find(k->table, m->slot, m->generation);
        bool whole = m->signal.scope == KEEPER_SIGNAL_TREE;

        if (!s || s->pid <= 0 || m->signal.number < 1 || m->signal.number > 64)
                return;
        s->last_signal = (uint8_t) m->signal.number;
        if (whole)
                (void) k->tree.ops->send(&k->tree, s, m->signal.number);
        if (!whole || m->signal.number == SIGKILL)
                (void) signal_main(s, m->signal.number);
        if (!m->signal.and_continue)
                return;
        if (whole)
                (void) k->tree.ops->send(&k->tree, s, SIGCONT);
        else
                (void) signal_main(s, SIGCONT);
}

static void on_kill_tree(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        Slot *s = slot_find(k->table, m->slot, m->generation);

        if (s && s->is_awaited)
                template_abandon(k, s);
        if (!s || s->pid <= 0)
                return;
        s->last_signal = SIGKILL;
        (void) k->tree.ops->send(&k->tree, s, SIGKILL);
        (void) signal_main(s, SIGKILL); /* also where it has moved itself out of its cgroup */
}

static void on_set_cgroup(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        Slot *s = slot_find(k->table, m->slot, m->generation);
        int r = s && s->pid > 0 ? k->tree.ops->set(&k->tree, s, &m->cgroup) : 0;

        if (r < 0 && r != -EOPNOTSUPP)
                log_warning("%s: cannot set all values of its cgroup: %s", s->name, strerror(-r));
}

/* A process that ended meanwhile is no failure; one that runs as somebody we may not touch is. */
static int set_limits_of(pid_t pid, void *userdata) {
        const KeeperMessage *m = userdata;
        int r = 0;

        for (uint64_t i = 0; i < MIN(m->limits.n, (uint64_t) KEEPER_LIMITS_MAX); i++) {
                const KeeperLimit *l = &m->limits.items[i];
                struct rlimit value = {.rlim_cur = l->soft, .rlim_max = l->hard};

                if (l->resource >= RLIM_NLIMITS)
                        continue;
                if (prlimit(pid, (__rlimit_resource_t) l->resource, &value, NULL) < 0 && errno != ESRCH)
                        r = -errno;
        }
        return r;
}

static void on_set_limits(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        Slot *s = slot_find(k->table, m->slot, m->generation);
        KeeperMessage copy = *m;
        int r;

        if (!s || s->pid <= 0)
                return;
        r = set_limits_of(s->pid, &copy);
        (void) k->tree.ops->each(&k->tree, s, set_limits_of, &copy);
        if (r < 0)
                log_warning("%s: cannot set all of its limits: %s", s->name, strerror(-r));
}

static void on_freeze(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        Slot *s = slot_find(k->table, m->slot, m->generation);

        if (s && s->pid > 0)
                freeze_begin(k, s, m->type == KEEPER_FREEZE);
}

static void on_ack(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        Slot *s = slot_find(k->table, m->slot, m->generation);

        if (!s || s->state != KEEPER_SLOT_ENDED)
                return;
        s->is_acked = true;
        reap_release(k, s);
}

static void copy_kept_name(char to[static KEEPER_KEPT_NAME_MAX], const KeeperMessage *m) {
        memcpy(to, m->kept.name, sizeof(m->kept.name));
        to[sizeof(m->kept.name) - 1] = '\0';
}

static void on_keep(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        _cleanup_fd_ int fd = -EBADF;
        char name[KEEPER_KEPT_NAME_MAX];

        copy_kept_name(name, m);
        fd = n_fds == 1 ? fcntl(fds[0], F_DUPFD_CLOEXEC, 3) : -EBADF;
        if (fd < 0 || kept_put(k->kept, name, fd) < 0)
                log_error("cannot keep descriptor \"%s\" over a restart of droverd", name);
        else
                (void) TAKE_FD(fd);
}

static void on_drop(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        char name[KEEPER_KEPT_NAME_MAX];

        copy_kept_name(name, m);
        kept_drop(k->kept, name);
}

static void on_notify(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        char text[KEEPER_TEXT_MAX];

        memcpy(text, m->text, sizeof(text));
        text[sizeof(text) - 1] = '\0';
        if (strncmp(text, "READY=1", 7) == 0 || strstr(text, "\nREADY=1"))
                k->is_ready = true;
        notify_relay_send(&k->notify, text);
}

static void on_ping(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        keeper_set_timer(k, TIMER_WATCHDOG, k->watchdog_usec);
}

static void on_quit(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        lives_quit(k, m->quit.code, m->quit.leave_running != 0);
}

static void on_reopen(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        peer_link_due_tail(&k->to_logger, FEED_REOPEN);
}

/* Where it goes stays as it was: a new logger gets the same ATTACH, with these bounds. */
static void on_respec(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        Slot *s = slot_find(k->table, m->slot, m->generation);
        LogSpec old;

        if (!s || s->log.kind != m->respec.log.kind)
                return;
        old = s->log;
        s->log = m->respec.log;
        memcpy(s->log.path, old.path, sizeof(old.path));
        memcpy(s->log.worker, old.worker, sizeof(old.worker));
        s->log.format = old.format;
        s->log.has_timestamps = old.has_timestamps;
        if (s->was_attached && !s->is_drained)
                peer_link_due_slot(&k->to_logger, m->slot, FEED_RESPEC);
}

static void on_sweep(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        unsigned n = sweep_orphans(&k->tree);

        if (n > 0)
                log_notice("killed %u processes left behind by workers", n);
}

static void on_look(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        quiet_line_hear(k);
        spare_look_at_deferred(k);
}

static const Handler handlers[] = {
        [KEEPER_LAUNCH] = launch,
        [KEEPER_SIGNAL] = on_signal,
        [KEEPER_KILL_TREE] = on_kill_tree,
        [KEEPER_ACK] = on_ack,
        [KEEPER_KEEP] = on_keep,
        [KEEPER_DROP] = on_drop,
        [KEEPER_NOTIFY] = on_notify,
        [KEEPER_PING] = on_ping,
        [KEEPER_QUIT] = on_quit,
        [KEEPER_REOPEN] = on_reopen,
        [KEEPER_FREEZE] = on_freeze,
        [KEEPER_THAW] = on_freeze,
        [KEEPER_RESPEC] = on_respec,
        [KEEPER_SWEEP] = on_sweep,
        [KEEPER_SET_CGROUP] = on_set_cgroup,
        [KEEPER_SET_LIMITS] = on_set_limits,
        [KEEPER_USE_SPARE] = launch,
        [KEEPER_LOOK] = on_look,
};

void request_handle(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        const Slot *s = slot_find(k->table, m->slot, m->generation);

        if (s && s->is_spare)
                quiet_line_hear(k); /* it may be one no more */
        if (m->type < ARRAY_SIZE(handlers) && handlers[m->type])
                handlers[m->type](k, m, fds, n_fds);
}
