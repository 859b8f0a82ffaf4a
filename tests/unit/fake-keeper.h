/* fake-keeper.h - child.h and keeper-link.h without a keeper: launches are noted, the test says what came of them.
 *
 * Included by one test program each, linked in place of the room process's own objects (exit-status stays the real
 * one). fake_started(), fake_ended() and fake_drained() call the worker's hooks as the loop would. */
#ifndef DROVER_TESTS_FAKE_KEEPER_H
#define DROVER_TESTS_FAKE_KEEPER_H

#include "base/alloc.h"
#include "base/fd.h"
#include "base/text.h"
#include "process/child.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct Child {
        bool is_used, is_ended, is_drained, is_answered, is_frozen;
        unsigned n_freezes; /* thaws too */
        char name[KEEPER_NAME_MAX];
        pid_t pid;
        uint64_t generation;
        int last_signal;
        unsigned n_signals, n_continues, n_tree_kills;
        ChildHooks hooks;
        void *userdata;
        char *env, *argv; /* joined with newlines */
        char *candidates;
        LogSpec log;
        int ready_fd;
        KeeperCgroup cgroup;
        LaunchLimit last_limit;
        LaunchIsolation isolation;
        bool private_tmp;
        char *read_write; /* joined with newlines */
        uint64_t capabilities;
        unsigned n_updates;
        const Child *template; /* NULL: launched, not forked */
        char *request;         /* the text for it */
        int task_fd;           /* its end of its task channel; -EBADF: it has none */
        bool is_spare, was_spare; /* of child_spare(); used since */
};

#define FAKE_CHILDREN_MAX 8192

static struct {
        Child children[FAKE_CHILDREN_MAX];
        unsigned n_children, n_freed, n_launching, n_launching_max;
        int refuse; /* -errno of the next launches */
        KeeperMessage hello;
} fake;

struct KeeperLink {
        int unused;
};
static KeeperLink fake_link;

_unused_ static void fake_reset(void) {
        for (unsigned i = 0; i < fake.n_children; i++) {
                free(fake.children[i].env);
                free(fake.children[i].argv);
                free(fake.children[i].candidates);
                free(fake.children[i].read_write);
                free(fake.children[i].request);
                fd_close(fake.children[i].task_fd);
        }
        memset(&fake, 0, sizeof fake);
        fake.hello.hello.keeper_pid = getpid();
}

static char *fake_join(char **v) {
        Text t = { 0 };

        for (; v && *v; v++) {
                text_append(&t, *v);
                text_append_char(&t, '\n');
        }
        return text_take(&t);
}

/* The newest child of that worker. */
_unused_ static Child *fake_child(const char *name) {
        for (unsigned i = fake.n_children; i > 0; i--)
                if (streq(fake.children[i - 1].name, name))
                        return fake.children + i - 1;
        return NULL;
}

static void fake_answer(Child *c) {
        if (!c->is_answered)
                fake.n_launching--;
        c->is_answered = true;
}

_unused_ static void fake_started(Child *c, pid_t pid) {
        fake_answer(c);
        c->pid = pid;
        c->hooks.on_started(c, c->userdata);
}

_unused_ static void fake_ended(Child *c, int code, int status) {
        ExitStatus e = { .exit = { .code = code, .status = status }, .at_usec = clock_realtime() };

        fake_answer(c);
        c->is_ended = true;
        c->pid = 0;
        c->hooks.on_end(c, &e, c->userdata);
}

/* The same, by a signal that drover sent. */
_unused_ static void fake_ended_by_drover(Child *c, int sig) {
        ExitStatus e = { .exit = { .code = CLD_KILLED, .status = sig, .sent = (uint32_t) sig }, .at_usec = clock_realtime() };

        fake_answer(c);
        c->is_ended = true;
        c->pid = 0;
        c->hooks.on_end(c, &e, c->userdata);
}

_unused_ static void fake_failed(Child *c, LaunchStage stage, int error) {
        ExitStatus e = { .is_failure_to_start = true, .failure = { .stage = stage, .error = error },
                         .at_usec = clock_realtime() };

        fake_answer(c);
        c->is_ended = true;
        c->hooks.on_end(c, &e, c->userdata);
}

_unused_ static void fake_drained(Child *c) {
        c->is_drained = true;
        c->hooks.on_drained(c, c->userdata);
}

/* ---- child.h ---- */

static Child *fake_new(const char *name, const ChildHooks *hooks, void *userdata) {
        Child *c = fake.children + fake.n_children++;

        *c = (Child) { .is_used = true, .hooks = *hooks, .userdata = userdata, .generation = fake.n_children + 100, .task_fd = -EBADF };
        (void) snprintf(c->name, sizeof c->name, "%s", name);
        return c;
}

int child_launch(Child **ret, KeeperLink *l, const char *name, const LaunchSpec *spec, const int *fds, const LogSpec *log,
                 const ChildHooks *hooks, void *userdata) {
        Child *c;

        if (fake.refuse < 0)
                return fake.refuse;
        if (fake.n_children >= FAKE_CHILDREN_MAX)
                return -ENOSPC;
        c = fake_new(name, hooks, userdata);
        c->env = fake_join(spec->env);
        c->argv = fake_join(spec->argv);
        c->candidates = fake_join(spec->candidates);
        c->log = *log;
        c->ready_fd = spec->ready_fd;
        if (strstr(c->env ? c->env : "", "DROVER_TASKS_FD=")) /* the last two are channel and page */
                c->task_fd = fcntl(fds[spec->n_fds - 2], F_DUPFD_CLOEXEC, 0);
        c->cgroup = spec->cgroup;
        c->isolation = spec->isolation;
        c->private_tmp = spec->private_tmp;
        c->read_write = fake_join(spec->paths[LAUNCH_PATH_READ_WRITE]);
        c->capabilities = spec->set_capabilities ? spec->capabilities : UINT64_MAX;
        fake.n_launching++;
        fake.n_launching_max = MAX(fake.n_launching_max, fake.n_launching);
        *ret = c;
        return 0;
}

int child_fork(Child **ret, KeeperLink *l, const char *name, const ForkSpec *spec, const LogSpec *log, const ChildHooks *hooks,
               void *userdata) {
        Child *c;

        if (fake.refuse < 0)
                return fake.refuse;
        if (spec->spare) {
                c = spec->spare;
                c->is_spare = false;
                c->was_spare = true;
                c->is_answered = false;
                c->hooks = *hooks;
                c->userdata = userdata;
                (void) snprintf(c->name, sizeof c->name, "%s", name);
        } else
                c = fake_new(name, hooks, userdata);
        c->log = *log;
        c->template = spec->template;
        c->request = alloc_strndup(spec->text, spec->n_text);
        fake.n_launching++;
        *ret = c;
        return 0;
}

int child_spare(Child **ret, KeeperLink *l, const ChildHooks *hooks, void *userdata) {
        *ret = fake_new(KEEPER_SPARE_NAME, hooks, userdata);
        (*ret)->is_spare = (*ret)->is_answered = true;
        return 0;
}

bool child_is_born(const Child *c) {
        return c->is_spare;
}

Child *child_spare_unasked(Child *c) {
        c->is_used = false;
        return NULL;
}

int child_adopt(Child **ret, KeeperLink *l, const KeeperMessage *m, const ChildHooks *hooks, void *userdata) {
        Child *c = fake_new(m->slot_info.name, hooks, userdata);

        c->generation = m->generation;
        c->pid = m->slot_info.state == KEEPER_SLOT_RUNNING ? m->slot_info.pid : 0;
        c->is_answered = m->slot_info.state != KEEPER_SLOT_LAUNCHING;
        fake.n_launching += !c->is_answered;
        *ret = c;
        return 0;
}

Child *child_free(Child *c) {
        if (!c)
                return NULL;
        c->is_used = false;
        fake.n_freed++;
        return NULL;
}

int child_signal(Child *c, int sig, bool whole_tree, bool and_continue) {
        c->last_signal = sig;
        c->n_signals++;
        c->n_continues += and_continue;
        return 0;
}

static unsigned fake_n_respecs __attribute__((unused));

int child_respec_log(Child *c, const LogSpec *log) {
        fake_n_respecs++;
        return 0;
}

int child_kill_tree(Child *c) {
        c->n_tree_kills++;
        return 0;
}

int child_freeze(Child *c, bool is_frozen) {
        c->is_frozen = is_frozen;
        c->n_freezes++;
        return 0;
}

/* As the keeper answers the last child_freeze(). */
static void __attribute__((unused)) fake_frozen(Child *c, int error) {
        c->hooks.on_frozen(c, c->is_frozen, error, c->userdata);
}

int child_set_cgroup(Child *c, const KeeperCgroup *values) {
        c->cgroup = *values;
        c->n_updates++;
        return 0;
}

int child_set_limits(Child *c, const LaunchLimit *limits, size_t n) {
        c->last_limit = limits[n - 1];
        c->n_updates++;
        return 0;
}

pid_t child_pid(const Child *c) {
        return c->pid;
}

usec_t child_started_usec(const Child *c) {
        return clock_realtime();
}

uint32_t child_slot(const Child *c) {
        return (uint32_t) (c - fake.children);
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
        for (unsigned i = 0; i < fake.n_children; i++)
                if (fake.children[i].is_used && !fake.children[i].is_ended && fake.children[i].pid == pid)
                        return fake.children + i;
        return NULL;
}

Child *child_by_leaf(KeeperLink *l, uint32_t slot, uint64_t generation) {
        Child *c = slot < fake.n_children ? fake.children + slot : NULL;

        return c && c->is_used && c->generation == generation ? c : NULL;
}

bool child_is_hooked(const Child *c, const ChildHooks *hooks) {
        return c->hooks.on_end == hooks->on_end;
}

void *child_userdata(const Child *c) {
        return c->userdata;
}

/* ---- keeper-link.h ---- */

const KeeperMessage *keeper_link_hello(const KeeperLink *l) {
        return &fake.hello;
}

_unused_ static unsigned fake_n_kept;

int keeper_link_keep(KeeperLink *l, const char *name, int fd) {
        fake_n_kept++;
        return 0;
}

int keeper_link_drop(KeeperLink *l, const char *name) {
        fake_n_kept--;
        return 0;
}

unsigned keeper_link_n_launching(const KeeperLink *l) {
        return fake.n_launching;
}

#endif
