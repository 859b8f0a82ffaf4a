/* template.h - the worker's side of start methods fork and forkserver: a process that forks others when it is asked to.
 *
 * The protocol is told in drover-protocol(7). A new process is made as a child of the template's parent, drover-keeper: by
 * clone(CLONE_PARENT) while there is one thread only, born inside its cgroup where that may be; else by two forks, of
 * which the first ends. Handlers of pthread_atfork(3) run in the second way alone. */
#ifndef DROVER_WORKER_TEMPLATE_H
#define DROVER_WORKER_TEMPLATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TEMPLATE_FDS_MAX 32u

/* What came with one request. */
typedef struct TemplateRequest {
        int text, report, out, err, cgroup; /* text, cgroup: -EBADF where there is none */
        int extra[TEMPLATE_FDS_MAX];
        size_t n_extra;
} TemplateRequest;

/** template_descriptor() - $DROVER_TEMPLATE_FD; -ENOENT: this process is no template. */
int template_descriptor(void);
bool template_loads_first(void); /* start method forkserver */
/** template_reserve() - keep the numbers that its processes will get from whatever is opened from now on. */
void template_reserve(void);
/* What its owner has to say; NULL: nothing. */
typedef struct TemplateHooks {
        bool (*is_stale)(void *userdata); /* before each fork, and of a spare before it begins; true: not with what it has loaded */
        void (*warm)(void *userdata); /* in a spare that has nothing to do yet: what its launch would do first */
        void *userdata;
} TemplateHooks;

/**
 * template_serve() - say that it is ready, then fork as often as asked
 * Return: 1 in each new process, *ret_request is its text, the caller's; 0 when there is nothing more to do; -errno.
 */
int template_serve(int fd, const TemplateHooks *hooks, json_t **ret_request);

/* template-fork.c, template-child.c */
/** template_fork() - the pid, 0 in the new process, -errno. With two forks the pid is not known: 1. */
pid_t template_fork(int cgroup_fd);
bool template_has_one_thread(void);
/** template_child_prepare() - in the template, before its first fork: what is the same for all of its processes. */
void template_child_prepare(void);
/**
 * template_child() - from fork to "go"; does not return when it must not begin
 * @r: without a text it is a spare, which waits for that. Closed, all of it.
 * Return: the text, the caller's.
 */
json_t *template_child(TemplateRequest *r, int template_fd, const TemplateHooks *hooks);
extern bool template_is_inside; /* of a new process: it was born in its cgroup */
extern unsigned long long template_reserved; /* a bit for each number below 64 */

#endif
