/* launch-parts.h - what a new process is made of, from a PoolConfig: for worker-launch.c and pool-template.c. */
#ifndef DROVER_POOL_LAUNCH_PARTS_H
#define DROVER_POOL_LAUNCH_PARTS_H

#include "pool/pool-internal.h"

#define LISTEN_FDS_START 3
#define ENV_ADDED_MAX 14

/* @env: borrowed strings of the configuration, then the added ones, which @added owns. */
typedef struct LaunchEnv {
        char **env;
        char *added[ENV_ADDED_MAX];
        size_t n_added;
        bool failed;
} LaunchEnv;

void launch_env_done(LaunchEnv *e);
void launch_env_add(LaunchEnv *e, const char *key, const char *value);
/** launch_env_make() - for the worker itself (@main_pid NULL), or for a command that does something about one of its
 *  processes. -ENOMEM. */
int launch_env_make(const Worker *w, const PoolConfig *c, const pid_t *main_pid, LaunchEnv *e);
int launch_env_join(LaunchEnv *e, const PoolConfig *c); /* .env from the configuration and what was added. -ENOMEM */
size_t launch_limits(const PoolConfig *c, LaunchLimit out[static RLIM_NLIMITS]);
/** launch_spec_fill() - what stands in the configuration; @p: whose stdio is elsewhere, NULL: nobody's. Borrows both. */
void launch_spec_fill(const PoolConfig *c, const Pool *p, LaunchSpec *spec);
/** launch_spec_program() - and what else it takes to exec .argv: borrows @env, which is made, @limits and *ret_candidates, the
 *  caller's. Errors of candidates_make(). */
int launch_spec_program(const PoolConfig *c, const LaunchEnv *env, LaunchLimit limits[static RLIM_NLIMITS], char ***ret_candidates,
                        LaunchSpec *spec);

#endif
