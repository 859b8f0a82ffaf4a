/* pool-template.h - template processes: started once, they fork the workers of start methods fork and forkserver.
 *
 * pool-template.c opens with the story. A pool of such a method has templates of its own; all processes of `run` that would be
 * launched alike share one. Whether a worker goes by a template follows from its next configuration alone. */
#ifndef DROVER_POOL_POOL_TEMPLATE_H
#define DROVER_POOL_POOL_TEMPLATE_H

#include "pool/pool.h"

typedef struct Template Template;

#define TEMPLATE_LINGER (30 * USEC_PER_SEC)       /* of one for `run`, after its last use */
#define TEMPLATES_SHARED_MAX 64u                  /* for `run`, of all users together */
#define TEMPLATE_ANSWER_TIMEOUT (10 * USEC_PER_SEC) /* to one launch; then it is killed */
#define TEMPLATE_DESCRIPTOR 3                     /* $DROVER_TEMPLATE_FD */

static inline bool config_uses_template(const PoolConfig *c) {
        return c->start_method != START_SPAWN;
}

/* ---- launches ---- */

/** template_admits() - may it be launched now? false: it waits, and is looked at again. */
bool template_admits(Worker *w);
/**
 * template_fork() - ask for the process of @w; template_admits() said yes
 * @fds, @targets: @n descriptors and their numbers in the new process
 * Return: 0 with w->child; -ESRCH without a template; -ENOMEM and errors of child_fork().
 */
int template_fork(Worker *w, const PoolConfig *c, const LogSpec *log, const int *fds, const int *targets, size_t n);
/** template_answered() - the launch of @w was answered, one way or the other; nothing where it was not forked. */
void template_answered(Worker *w, bool is_started);
/** template_is_to_blame() - it was not started because its template was gone: it is to be launched again, as if nothing had
 *  been. Before template_answered(). */
bool template_is_to_blame(Worker *w, const ExitStatus *e);

/* ---- the pool ---- */

void template_mark(Pool *p);             /* it may want one, or no longer */
void template_renew(Pool *p);            /* before a reload: a new one, which loads anew */
bool template_holds_reload(Pool *p);     /* the one for its next workers is not warm yet */
const char *template_fault(Pool *p);     /* why there is none for its next workers, or NULL */
void template_set_converge(PoolSet *s);
void template_set_stop(PoolSet *s);      /* shutdown */
void template_set_done(PoolSet *s);
/** template_adopt() - an entry of the keeper's table. false: it is no template, or nobody's. */
bool template_adopt(PoolSet *s, const KeeperMessage *m);

/** template_serialize() - "template": how often the pool's ended; nothing where it never did. */
void template_serialize(const Pool *p, Text *t);
void template_deserialize(Pool *p, const json_t *pool);

/* ---- to be seen ---- */

/** template_log_spec() - where the templates of @p write. -ENOENT: it has none; -ENAMETOOLONG. */
int template_log_spec(const Pool *p, LogSpec *ret);

/** template_describe() - "waits for its template: ..." in @buf; false: it does not wait for one. */
bool template_describe(const Worker *w, char *buf, size_t size);
void template_put_json(Pool *p, Text *t); /* "start_method", and "template" where there is one */

#endif
