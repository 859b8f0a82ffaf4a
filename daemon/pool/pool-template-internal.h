/* pool-template-internal.h - Template from inside: what the files pool-template*.c share. */
#ifndef DROVER_POOL_POOL_TEMPLATE_INTERNAL_H
#define DROVER_POOL_POOL_TEMPLATE_INTERNAL_H

#include "pool/launch-parts.h"
#include "pool/pool-template.h"

typedef enum TemplateState {
        TEMPLATE_RESTING,  /* no process: not yet, or until .due */
        TEMPLATE_STARTING, /* launched; ready by .due */
        TEMPLATE_READY,
        TEMPLATE_ENDING,   /* signalled; SIGKILL at .due */
        TEMPLATE_ENDED,    /* its last lines are waited for */
        _TEMPLATE_STATE_MAX,
} TemplateState;
const char *template_state_to_string(TemplateState s);

struct Template {
        PoolSet *set;
        char *owner;        /* name of its pool; NULL: for `run` */
        uint64_t hash;      /* of all that it is launched with */
        PoolConfig *config; /* counted; NULL: adopted, and nobody has asked for it yet */
        char name[KEEPER_NAME_MAX];
        TemplateState state;
        bool is_retired;    /* another one of the same hash has taken its place */
        bool is_unwanted;   /* it was asked to end */
        bool is_drained;
        Child *child;       /* STARTING, READY, ENDING, ENDED */
        Child *gone;        /* to be freed */
        pid_t pid;
        usec_t started_at;  /* CLOCK_REALTIME */
        unsigned n_launching; /* forks asked of it and not answered */
        uint64_t n_forks;     /* of this process, that went well */
        Child *spares[KEEPER_SPARES_MAX]; /* forked ahead, or to be; ended ones are freed in the converge step */
        bool cannot_spare;    /* this process does not know how */
        unsigned n_failures;  /* deaths in a row without such a one */
        unsigned n_restarts;
        usec_t used_at;       /* CLOCK_MONOTONIC: asked, or answered, the last time */
        ExitStatus exit;
        bool has_exit;
        char *fault;          /* why it was not ready, one sentence; NULL: nothing is wrong */
        LastWords *words;
        sd_event_source *timer;
        usec_t due;
        Template *prev, *next;
};

/* pool-template.c */
Template *template_find(PoolSet *s, const Pool *owner, uint64_t hash); /* the one in force */
/* Over every worker that waits for it, or that a fork of it is asked for. */
bool template_serves(const Template *t, const Worker *w);
void template_note(Template *t); /* a look is due */
void template_arm(Template *t, usec_t due);
uint64_t template_hash_of(PoolSet *s, PoolConfig *c);

/* pool-template-spare.c */
/** template_spare_use() - before child_fork(): which spare it may have, and which are asked for with it. */
void template_spare_use(Template *t, bool has_pipes, ForkSpec *spec);
void template_spare_done(Template *t, const ForkSpec *spec, bool is_asked); /* after it */
void template_spares_drop(Template *t); /* none of them is to be used */
void template_spares_tidy(Template *t); /* the converge step */

/* pool-template-process.c */
void template_launch(Template *t);
void template_end(Template *t);       /* it shall go */
void template_lose(Template *t);      /* it cannot be asked any more, and may still be there: another one in its place */
void template_fail_waiting(Template *t);
void template_put_on_record(const Template *t);
usec_t template_backoff(const Template *t); /* from its last end to the next launch */
extern const ChildHooks template_child_hooks;

#endif
