/* child-launch.c - asking for a process: of a program, by a template, or one that its template has forked ahead.
 *
 * What is asked for is queued; the keeper makes it. A spare that was told to be born is used without the keeper, where the one
 * before it ended within KEEPER_BRIEF_USEC: it hears on the quiet line whose the spare is, and the request goes to the spare. */
#include "process/child-internal.h"
#include "base/alloc.h"
#include <stdio.h>

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
        c->is_spare = true;
        *ret = c;
        return 0;
}

Child *child_spare_unasked(Child *c) {
        keeper_slot_untake(c->link, c->slot);
        free(c);
        return NULL;
}

bool child_is_born(const Child *c) {
        return c->spare_fd >= 0;
}

/* Can the launch do without the keeper, and would it be of use? Whatever wakes it up anyway may as well go through it. */
static bool is_direct(const Child *c, const ForkSpec *spec, const KeeperMessage *m) {
        static const KeeperCgroup none;

        return c->spare_fd >= 0 && spec->template->is_brief && m->type == KEEPER_USE_SPARE && m->use_spare.n_text > 0 &&
                m->launch.spares[0].generation == 0 && !spec->wants_ready_pipe && memcmp(&spec->cgroup, &none, sizeof(none)) == 0;
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
                if (!is_direct(c, spec, &m))
                        return keeper_queue_message(c->link, &m, spec->fds, spec->n_fds);
                r = keeper_queue_direct(c->link, &m, &c->spare_fd, spec->fds, spec->n_fds);
                c->is_direct = r >= 0;
                return r;
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
        c->is_spare = false;
        c->spare_fd = fd_close(c->spare_fd);
        c->by_slot = spec->template->slot;
        c->by_generation = spec->template->generation;
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

