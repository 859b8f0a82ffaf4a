/* child.c - one process: from the launch request to its drained output.
 *
 *   launched -> on_started -> [on_ready] -> on_end -> on_drained
 *   launched -> on_end (failed) -> on_drained
 *
 * Found by slot through the link's slot array, by pid through a hash; both O(1). The pid belongs to it from on_started
 * to on_end. An adopted child whose end was known before waits in the link's `late` list for the next loop turn. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(child) ((child)->has_pid_entry = false)

#include "process/child.h"
#include "base/alloc.h"
#include "process/keeper-link-internal.h"
#include <stdio.h>
#include <uthash.h>
#include <utlist.h>

struct Child {
        KeeperLink *link;
        uint32_t slot;
        uint64_t generation;
        pid_t pid;
        usec_t started_usec;
        bool is_ended, is_drained;
        bool has_pid_entry, is_late, is_late_drained;
        ChildHooks hooks;
        void *userdata;
        ExitStatus late_end;
        UT_hash_handle hh;
        Child *prev, *next; /* in link->late */
        uint64_t leaf;      /* for whose generation it was made; 0: its own */
        Child *leaf_prev, *leaf_next; /* leaf > 0: in link->in_used_leaf */
};

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

static void child_end(Child *c, const ExitStatus *e) {
        if (c->is_ended)
                return;
        c->is_ended = true;
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

static int child_new(Child **ret, KeeperLink *l, const ChildHooks *hooks, void *userdata) {
        Child *c = NEW0(Child);

        if (!c)
                return -ENOMEM;
        c->link = l;
        c->hooks = *hooks;
        c->userdata = userdata;
        *ret = c;
        return 0;
}

/* With a slot of its own. */
static int child_begin(Child **ret, KeeperLink *l, const char *name, size_t n_fds, const ChildHooks *hooks, void *userdata) {
        Child *c;
        int r;

        if (n_fds > LAUNCH_FDS_MAX || strlen(name) >= KEEPER_NAME_MAX)
                return -EINVAL;
        r = child_new(&c, l, hooks, userdata);
        if (r < 0)
                return r;
        r = keeper_slot_take(l, c, &c->slot, &c->generation);
        if (r < 0)
                free(c);
        else
                *ret = c;
        return r;
}

/* @r: how asking the keeper went. */
static int child_asked(Child **ret, Child *c, int r) {
        if (r < 0) {
                keeper_slot_untake(c->link, c->slot);
                free(c);
                return r;
        }
        *ret = c;
        return 0;
}

static void launch_fill(KeeperMessage *m, const char *name, const LogSpec *log, size_t n_fds) {
        m->launch.n_fds = (uint32_t) n_fds;
        m->launch.log = *log;
        (void) snprintf(m->launch.name, sizeof(m->launch.name), "%s", name);
}

static int launch_queue(Child *c, const char *name, const LaunchSpec *spec, const int *fds, const LogSpec *log) {
        KeeperMessage m = {.type = KEEPER_LAUNCH, .slot = c->slot, .generation = c->generation};
        _cleanup_fd_ int memfd = -EBADF;
        int r = launch_request_pack(spec, &memfd);

        if (r < 0)
                return r;
        launch_fill(&m, name, log, spec->n_fds);
        m.launch.flags = (spec->ready_fd >= 0 ? KEEPER_LAUNCH_READY_PIPE : 0) | (spec->template_fd > 0 ? KEEPER_LAUNCH_TEMPLATE : 0);
        m.launch.cgroup = spec->cgroup;
        return keeper_queue_taking(c->link, &m, &memfd, fds, spec->n_fds);
}

int child_launch(Child **ret, KeeperLink *l, const char *name, const LaunchSpec *spec, const int *fds, const LogSpec *log,
                 const ChildHooks *hooks, void *userdata) {
        Child *c;
        int r = child_begin(&c, l, name, spec->n_fds, hooks, userdata);

        if (r < 0)
                return r;
        return child_asked(ret, c, launch_queue(c, name, spec, fds, log));
}

int child_spare(Child **ret, KeeperLink *l, const ChildHooks *hooks, void *userdata) {
        Child *c;
        int r = child_begin(&c, l, KEEPER_SPARE_NAME, 0, hooks, userdata);

        if (r < 0)
                return r;
        keeper_slot_set_launching(l, c->slot, false); /* nobody waits for it */
        *ret = c;
        return 0;
}

Child *child_spare_unasked(Child *c) {
        keeper_slot_untake(c->link, c->slot);
        free(c);
        return NULL;
}

/* A short text for a spare goes in the message itself. */
static int fork_queue(Child *c, const char *name, const ForkSpec *spec, const LogSpec *log) {
        KeeperMessage m = {.type = c == spec->spare ? KEEPER_USE_SPARE : KEEPER_LAUNCH, .slot = c->slot, .generation = c->generation};
        _cleanup_fd_ int memfd = -EBADF;
        int r;

        launch_fill(&m, name, log, spec->n_fds);
        m.launch.flags = KEEPER_LAUNCH_FROM_TEMPLATE | (spec->wants_ready_pipe ? KEEPER_LAUNCH_READY_PIPE : 0);
        m.launch.cgroup = spec->cgroup;
        m.launch.template_slot = spec->template->slot;
        m.launch.template_generation = spec->template->generation;
        for (size_t i = 0; i < KEEPER_SPARES_MAX; i++)
                if (spec->spares[i])
                        m.launch.spares[i] = (KeeperSpare){.slot = spec->spares[i]->slot, .generation = spec->spares[i]->generation};
        if (m.type == KEEPER_USE_SPARE && spec->n_text <= sizeof(m.use_spare.text)) {
                m.use_spare.n_text = (uint32_t) spec->n_text;
                memcpy(m.use_spare.text, spec->text, spec->n_text);
                return keeper_queue_message(c->link, &m, spec->fds, spec->n_fds);
        }
        r = launch_text_pack(spec->text, spec->n_text, &memfd);
        return r < 0 ? r : keeper_queue_taking(c->link, &m, &memfd, spec->fds, spec->n_fds);
}

static int fork_on_spare(Child **ret, const char *name, const ForkSpec *spec, const LogSpec *log, const ChildHooks *hooks,
                         void *userdata) {
        Child *c = spec->spare;
        int r;

        if (spec->n_fds > LAUNCH_FDS_MAX || strlen(name) >= KEEPER_NAME_MAX)
                return -EINVAL;
        r = fork_queue(c, name, spec, log);
        if (r < 0)
                return r;
        keeper_slot_set_launching(c->link, c->slot, true);
        c->hooks = *hooks;
        c->userdata = userdata;
        *ret = c;
        return 0;
}

int child_fork(Child **ret, KeeperLink *l, const char *name, const ForkSpec *spec, const LogSpec *log, const ChildHooks *hooks,
               void *userdata) {
        Child *c;
        int r;

        if (spec->spare)
                return fork_on_spare(ret, name, spec, log, hooks, userdata);
        r = child_begin(&c, l, name, spec->n_fds, hooks, userdata);
        if (r < 0)
                return r;
        return child_asked(ret, c, fork_queue(c, name, spec, log));
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
