/* pool-state.c - what can be asked of a pool: its parts, its counts, and the one word for the state of its workers. */
#include "pool/pool-internal.h"

static const char *const origin_names[] = {
        [POOL_FROM_CONFIG] = "config",
        [POOL_FROM_CALL] = "call",
        [POOL_FROM_RUN] = "run",
};

const char *pool_origin_to_string(PoolOrigin o) {
        return (unsigned) o < ARRAY_SIZE(origin_names) ? origin_names[o] : NULL;
}

const char *pool_name(const Pool *p) {
        return p->config->name;
}

PoolConfig *pool_config(const Pool *p) {
        return p->config;
}

PoolOrigin pool_origin(const Pool *p) {
        return p->origin;
}

bool pool_is_run(const Pool *p) {
        return p->origin == POOL_FROM_RUN;
}

bool pool_is_removing(const Pool *p) {
        return p->is_removing;
}

unsigned pool_size(const Pool *p) {
        return p->is_removing ? 0 : p->size;
}

size_t pool_n_workers(const Pool *p) {
        return p->n_workers;
}

/* A process that serves until a younger one is ready is a ready one. */
unsigned pool_n_ready(const Pool *p) {
        unsigned n = p->n_state[WORKER_RUNNING];

        for (size_t i = 0; p->n_elders > 0 && i < p->n_workers; i++)
                n += worker_elder_serves(p->workers[i]);
        return n;
}

bool pool_is_reloading(const Pool *p) {
        return p->rolling != NULL;
}

uint64_t pool_n_reloads(const Pool *p) {
        return p->n_reloads;
}

const RollingOutcome *pool_reload_outcome(const Pool *p) {
        return &p->reload;
}

unsigned pool_n_wanted(const Pool *p) {
        return p->n_wanted;
}

uint64_t pool_n_restarts(const Pool *p) {
        uint64_t n = p->n_restarts_gone;

        for (size_t i = 0; i < p->n_workers; i++)
                n += p->workers[i]->history.n_restarts;
        return n;
}

Worker *pool_worker(const Pool *p, size_t i) {
        return i < p->n_workers ? p->workers[i] : NULL;
}

Worker *pool_worker_by_slot(const Pool *p, unsigned slot) {
        size_t i = pool_slot_position(p, slot);

        return i < p->n_workers && p->workers[i]->slot == slot ? p->workers[i] : NULL;
}

/* Degraded is: fewer are ready than wanted, and one that is missing is not just on its way. */
static const char *pool_wanted_state(const Pool *p) {
        const unsigned *n = p->n_state;
        unsigned n_coming = n[WORKER_CREATED] + n[WORKER_STOPPED] + n[WORKER_LAUNCHING] + n[WORKER_STARTING] +
                            n[WORKER_STOPPING];
        unsigned n_up = n[WORKER_RUNNING] + n_coming + n[WORKER_BACKOFF];

        if (pool_n_ready(p) >= p->n_wanted)
                return "running";
        if (n_up == 0)
                return n[WORKER_FAILED] > 0 ? "failed" : "exited";
        if (n[WORKER_BACKOFF] + n[WORKER_FAILED] + n[WORKER_EXITED] > 0)
                return "degraded";
        return "starting";
}

const char *pool_state(const Pool *p) {
        const unsigned *n = p->n_state;

        if (p->is_awaiting)
                return "stopped";
        if (p->n_wanted > 0)
                return pool_wanted_state(p);
        if (p->n_elders > 0 || n[WORKER_LAUNCHING] + n[WORKER_STARTING] + n[WORKER_RUNNING] + n[WORKER_STOPPING] > 0)
                return "stopping";
        if (p->n_workers > 0 && n[WORKER_FAILED] == p->n_workers)
                return "failed";
        if (p->n_workers > 0 && n[WORKER_EXITED] == p->n_workers)
                return "exited";
        return "stopped";
}
