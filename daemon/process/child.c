/* child.c - one process: from the launch request to its drained output.
 *
 *   launched -> on_started -> [on_ready] -> on_end -> on_drained
 *   launched -> on_end (failed) -> on_drained
 *
 * Found by slot through the link's slot array, by pid through a hash; both O(1). The pid belongs to it from on_started
 * to on_end. An adopted child whose end was known before waits in the link's `late` list for the next loop turn. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(child) ((child)->has_pid_entry = false)

#include "process/child-internal.h"
#include "base/alloc.h"
#include <stdio.h>
#include <uthash.h>
#include <utlist.h>

static void child_set_leaf(Child *c, uint64_t leaf) {
        if (c->leaf > 0)
                DL_DELETE2(c->link->in_used_leaf, c, leaf_prev, leaf_next);
        c->leaf = leaf == c->generation ? 0 : leaf;
        if (c->leaf > 0)
                DL_APPEND2(c->link->in_used_leaf, c, leaf_prev, leaf_next);
}

static void child_set_pid(Child *c, pid_t pid) {
        if (c->has_pid_entry) {
                HASH_DEL(c->link->by_pid, c);
                c->has_pid_entry = false;
        }
        c->pid = pid;
        if (pid <= 0)
                return;
        /* Short of memory it is not found by its pid; all else goes on. */
        c->has_pid_entry = true;
        HASH_ADD_INT(c->link->by_pid, pid, c);
}

static void exit_status_from_slot(const KeeperMessage *m, ExitStatus *ret) {
        *ret = (ExitStatus){
                .is_failure_to_start = m->slot_info.is_failed,
                .exit = m->slot_info.exited,
                .failure = m->slot_info.failed,
                .at_usec = m->slot_info.is_failed ? clock_realtime() : m->slot_info.exited.at_usec,
        };
}

/* The keeper knows of it. */
static void child_heard_of(Child *c) {
        c->link->n_direct -= c->is_direct;
        c->is_direct = false;
}

static void note_length(const Child *c, const ExitStatus *e) {
        const KeeperSlot *s = c->by_generation > 0 ? keeper_slot_find(c->link, c->by_slot, c->by_generation) : NULL;

        if (s && s->child && !e->is_failure_to_start)
                s->child->is_brief = e->at_usec < usec_add(c->started_usec, KEEPER_BRIEF_USEC);
}

static void child_end(Child *c, const ExitStatus *e) {
        if (c->is_ended)
                return;
        c->is_ended = true;
        child_heard_of(c);
        note_length(c, e);
        child_set_pid(c, 0);
        child_set_leaf(c, 0);
        c->hooks.on_end(c, e, c->userdata);
}

static void child_drain(Child *c) {
        if (c->is_drained || !c->is_ended)
                return;
        c->is_drained = true;
        c->hooks.on_drained(c, c->userdata);
}

void child_on_notice(Child *c, const KeeperMessage *m) {
        ExitStatus e = {0};

        switch (m->type) {
        case KEEPER_STARTED:
                child_heard_of(c);
                c->started_usec = m->started.at_usec;
                child_set_pid(c, m->started.pid);
                child_set_leaf(c, m->started.leaf);
                c->hooks.on_started(c, c->userdata);
                break;
        case KEEPER_READY:
                if (!c->is_ended)
                        c->hooks.on_ready(c, c->userdata);
                break;
        case KEEPER_FROZEN:
                if (!c->is_ended && c->hooks.on_frozen)
                        c->hooks.on_frozen(c, m->frozen.is_frozen, -m->frozen.error, c->userdata);
                break;
        case KEEPER_FAILED:
                e = (ExitStatus){.is_failure_to_start = true, .failure = m->failed, .at_usec = clock_realtime()};
                child_end(c, &e);
                break;
        case KEEPER_EXITED:
                e = (ExitStatus){.exit = m->exited, .at_usec = m->exited.at_usec};
                child_end(c, &e);
                break;
        case KEEPER_DRAINED:
                child_drain(c);
                break;
        default:
                break;
        }
}

void child_on_born(Child *c, int fd_take) {
        fd_close(c->spare_fd);
        c->spare_fd = fd_take;
        if (!c->is_spare || c->is_ended)
                c->spare_fd = fd_close(c->spare_fd);
}

void child_deliver_late(KeeperLink *l) {
        while (l->late) {
                Child *c = l->late;

                DL_DELETE(l->late, c);
                c->is_late = false;
                child_end(c, &c->late_end);
                if (c->is_late_drained)
                        child_drain(c);
        }
}

int child_new(Child **ret, KeeperLink *l, const ChildHooks *hooks, void *userdata) {
        Child *c = NEW0(Child);

        if (!c)
                return -ENOMEM;
        c->link = l;
        c->spare_fd = -EBADF;
        c->hooks = *hooks;
        c->userdata = userdata;
        *ret = c;
        return 0;
}

int child_adopt(Child **ret, KeeperLink *l, const KeeperMessage *m, const ChildHooks *hooks, void *userdata) {
        KeeperSlot *s = keeper_slot_find(l, m->slot, m->generation);
        Child *c = NULL;
        int r;

        if (!s || s->child)
                return -ESRCH;
        r = child_new(&c, l, hooks, userdata);
        if (r < 0)
                return r;
        c->slot = m->slot;
        c->generation = m->generation;
        c->started_usec = m->slot_info.started_usec;
        s->child = c;
        if (m->slot_info.state == KEEPER_SLOT_RUNNING) {
                child_set_pid(c, m->slot_info.pid);
                child_set_leaf(c, m->slot_info.leaf);
        }
        if (m->slot_info.state == KEEPER_SLOT_ENDED) {
                exit_status_from_slot(m, &c->late_end);
                c->is_late = true;
                c->is_late_drained = m->slot_info.is_drained;
                DL_APPEND(l->late, c);
                keeper_link_want_deliver(l);
        }
        *ret = c;
        return 0;
}

Child *child_free(Child *c) {
        if (!c)
                return NULL;
        child_set_pid(c, 0);
        child_set_leaf(c, 0);
        child_heard_of(c);
        fd_close(c->spare_fd);
        if (c->is_late)
                DL_DELETE(c->link->late, c);
        keeper_slot_disown(c->link, c->slot);
        free(c);
        return NULL;
}

int child_signal(Child *c, int sig, bool whole_tree, bool and_continue) {
        KeeperMessage m = {.type = KEEPER_SIGNAL, .slot = c->slot, .generation = c->generation};

        if (c->is_ended)
                return -ESRCH;
        m.signal.number = sig;
        m.signal.scope = whole_tree ? KEEPER_SIGNAL_TREE : KEEPER_SIGNAL_PROCESS;
        m.signal.and_continue = and_continue;
        return keeper_queue_message(c->link, &m, NULL, 0);
}

int child_kill_tree(Child *c) {
        KeeperMessage m = {.type = KEEPER_KILL_TREE, .slot = c->slot, .generation = c->generation};

        return c->is_ended ? -ESRCH : keeper_queue_message(c->link, &m, NULL, 0);
}

int child_freeze(Child *c, bool is_frozen) {
        KeeperMessage m = {.type = is_frozen ? KEEPER_FREEZE : KEEPER_THAW, .slot = c->slot, .generation = c->generation};

        return c->is_ended ? -ESRCH : keeper_queue_message(c->link, &m, NULL, 0);
}

int child_respec_log(Child *c, const LogSpec *log) {
        KeeperMessage m = {.type = KEEPER_RESPEC, .slot = c->slot, .generation = c->generation, .respec = {.log = *log}};

        return c->is_ended ? -ESRCH : keeper_queue_message(c->link, &m, NULL, 0);
}

int child_set_cgroup(Child *c, const KeeperCgroup *values) {
        KeeperMessage m = {.type = KEEPER_SET_CGROUP, .slot = c->slot, .generation = c->generation, .cgroup = *values};

        return c->is_ended ? -ESRCH : keeper_queue_message(c->link, &m, NULL, 0);
}

int child_set_limits(Child *c, const LaunchLimit *limits, size_t n) {
        KeeperMessage m = {.type = KEEPER_SET_LIMITS, .slot = c->slot, .generation = c->generation};

        if (n > KEEPER_LIMITS_MAX)
                return -E2BIG;
        m.limits.n = n;
        for (size_t i = 0; i < n; i++)
                m.limits.items[i] = (KeeperLimit){(uint64_t) limits[i].resource, limits[i].value.rlim_cur, limits[i].value.rlim_max};
        return c->is_ended ? -ESRCH : keeper_queue_message(c->link, &m, NULL, 0);
}

pid_t child_pid(const Child *c) {
        return c->pid;
}

usec_t child_started_usec(const Child *c) {
        return c->started_usec;
}

uint32_t child_slot(const Child *c) {
        return c->slot;
}

uint64_t child_generation(const Child *c) {
        return c->generation;
}

bool child_is_ended(const Child *c) {
        return c->is_ended;
}

bool child_is_drained(const Child *c) {
        return c->is_drained;
}

Child *child_by_pid(KeeperLink *l, pid_t pid) {
        Child *c;

        HASH_FIND_INT(l->by_pid, &pid, c);
        return c;
}

Child *child_by_leaf(KeeperLink *l, uint32_t slot, uint64_t generation) {
        const KeeperSlot *s = keeper_slot_find(l, slot, generation);
        Child *c;

        DL_FOREACH2(l->in_used_leaf, c, leaf_next) {
                if (c->leaf == generation)
                        return c;
        }
        return s && s->child && !s->child->is_ended && s->child->leaf == 0 ? s->child : NULL;
}

bool child_is_hooked(const Child *c, const ChildHooks *hooks) {
        return c->hooks.on_end == hooks->on_end;
}

void *child_userdata(const Child *c) {
        return c->userdata;
}
