/* supervisor-internal.h - the inside of Supervisor, for its own files. */
#ifndef DROVER_SUPERVISOR_INTERNAL_H
#define DROVER_SUPERVISOR_INTERNAL_H

#include "base/clock.h"
#include "config/config.h"
#include "control/control.h"
#include "event/hub.h"
#include "handover/journal.h"
#include "hook/hook.h"
#include "metrics/metrics.h"
#include "pool/notify.h"
#include "pool/pool.h"
#include "process/keeper-link.h"
#include "process/logger-link.h"
#include "supervisor.h"
#include "task/task.h"

#define EVENT_RING_MAX 4096u
#define EVENT_RING_BYTES_MAX (2u << 20)

/* Where things are in this run. All absolute. */
typedef struct Places {
        char *config;         /* NULL: config_load() knows the default */
        char *control_socket;
        char *notify_socket;
        char *log_dir, *state_dir; /* defaults; the configuration may name others */
        char *host_program, *module_path; /* of modules; see libexec.h */
        bool is_socket_ours;       /* bound here or in an earlier life: unlinked at the end */
        int lock_fd;               /* of a socket of ours, else -EBADF */
} Places;

/* What people wanted at run time; supervisor-wish.c. */
typedef struct Wishes {
        json_t *pools;     /* "NAME" -> {"set":{"key":value},"temp":{...},"size":{"workers":n,"of":value}} */
        json_t *overrides; /* "NAME" -> {"key":value}: set and temp in one, made from the above; NULL: to be made anew */
        bool is_loaded, is_dirty, is_newest_good;
        bool is_failing;   /* said once, until it works again */
        sd_event_source *writer, *retry;
        pid_t writer_pid;
        int writer_fd;     /* pidfd */
} Wishes;

struct Supervisor {
        sd_event *event;
        KeeperLink *keeper;
        LoggerLink *logger;
        Journal *journal;
        Text scratch; /* of supervisor-state.c */
        Hub *hub;
        PoolSet *pools;
        NotifySocket *notify;
        TaskRoom *tasks;
        Control *control;
        Metrics *metrics;
        HookSet *hooks;
        Config *config; /* the last one carried out: places and files. What the pools are stands in the pools */

        Places places;
        ConfigContext context; /* borrows from places */
        pid_t logger_pid;
        bool is_later_life; /* droverd died before under this keeper */

        sd_event_source *post, *signals[4], *ping, *status_timer, *socket_watch, *socket_timer;
        Wishes wishes;
        PoolConfig **pending; /* pools that wait for one of their name to be gone; sorted by nothing */
        size_t n_pending, pending_capacity;
        bool ignores_overrides; /* at the start, when with them nothing would start */
        char workers_max_reason[192];
        uint64_t seq_reserved;    /* event numbers up to here are on record as used */
        bool is_journal_failing;  /* said once, until it works again */
        char *status;             /* as last told to systemd */
        bool was_stopping; /* in the life before */
        bool is_stopping, is_quit;
        int exit_status;
};

/* supervisor-places.c */
int places_init(Supervisor *s, const Options *o);
void places_done(Places *p);
/** places_note_room() - into the context: how many workers the keeper has slots and descriptors for. */
void places_note_room(Supervisor *s, const KeeperMessage *hello);
/** places_open_sockets() - the listening socket (*ret_listen_fd) and the notify socket, kept or new. Exit status or 0. */
int places_open_sockets(Supervisor *s, KeeperTable *t, int *ret_listen_fd, int *ret_notify_fd);
void places_unlink(Supervisor *s);

/* supervisor-reload.c */
int supervisor_load(Supervisor *s, Config **ret, ConfigFaults *faults); /* as config_load() */
/** supervisor_apply() - load, compare, carry out; *ret_changes as ControlHooks.config_apply. */
int supervisor_apply(Supervisor *s, ConfigFaults *faults, char **ret_changes);
/** supervisor_plan() - load and compare; what supervisor_apply() would do now, in the same words. */
int supervisor_plan(Supervisor *s, ConfigFaults *faults, char **ret_changes);
/** supervisor_carry_out() - all of @d, and what was done as JSON. 0, or the first error, which is in the JSON too. */
int supervisor_carry_out(Supervisor *s, const ConfigDiff *d, Text *changes);
/** supervisor_add_later() - take a reference of the configuration of a pool whose name is not free yet. -ENOMEM. */
int supervisor_add_later(Supervisor *s, PoolConfig *c);
/** supervisor_add_pending() - pools whose name has become free. Whether there were any; from the post source. */
bool supervisor_add_pending(Supervisor *s);
int supervisor_first_config(Supervisor *s); /* exit status or 0 */
void supervisor_later_config(Supervisor *s);
void supervisor_on_dropped(const LogDropped *d, void *userdata); /* the logger's word */
void supervisor_reload(Supervisor *s); /* SIGHUP */
/** supervisor_running_config() - the pools of the configuration as they are now, as a Config. -ENOMEM. */
int supervisor_running_config(Supervisor *s, bool with_calls, Config **ret);
void supervisor_log_faults(const ConfigFaults *faults);
void supervisor_use_config(Supervisor *s, Config *c); /* takes a reference: log_dir, files */

/* supervisor-plan.c */
typedef enum PlanFate {
        PLAN_DO,    /* it can be done */
        PLAN_QUEUE, /* the pool of this name that was removed is still stopping */
        PLAN_TAKEN, /* the name belongs to a pool or process made at run time */
} PlanFate;
PlanFate plan_fate(Supervisor *s, const ConfigChange *c);
/** plan_put_change() - one change as JSON; @error: -errno of having tried. */
void plan_put_change(Supervisor *s, Text *t, const ConfigChange *c, int error);

/* supervisor-wish.c */
json_t *wish_overrides(const char *state_dir, void *userdata); /* ConfigContext.overrides */
/** wish_set() - config.set: check, carry out, remember. *ret_changes: JSON of what was done. -EBADMSG with faults, -errno. */
int wish_set(Supervisor *s, Pool *p, const char *key, json_t *value, bool persist, ConfigFaults *faults, char **ret_changes);
void wish_note_size(Supervisor *s, Pool *p); /* it was scaled, or is what its configuration says again */
/** wish_size() - what it was scaled to, if that still holds. To be asked before the pool is added, and set after. */
bool wish_size(Supervisor *s, const PoolConfig *c, unsigned *ret);
void wish_forget(Supervisor *s, const char *name); /* the pool is no longer in the configuration */
void wish_restore(Supervisor *s, const char *name, json_t *value); /* from the journal */
void wish_inherit(Supervisor *s); /* after wish_restore() of a later life: the file is only looked at */
/** wish_lasting() - all that shall outlive this daemon, as the file has it: a new reference, NULL when memory is short. */
json_t *wish_lasting(Supervisor *s);
void wish_put_all(Supervisor *s); /* into the journal */
/* supervisor-wish-file.c */
void wish_flush(Supervisor *s);   /* begin to write the file, when there is something to write; from the post source */
void wish_finish(Supervisor *s);  /* at the end: wait for it, a little */
void wish_done(Supervisor *s);

/* supervisor-state.c */
int state_open(Supervisor *s, KeeperTable *t); /* journal and hub */
void state_restore(Supervisor *s, KeeperTable *t);
void state_put_pool(Supervisor *s, Pool *p);
void state_delete_pool(Supervisor *s, Pool *p);
void state_put_worker(Supervisor *s, Worker *w);
void state_delete_worker(Supervisor *s, Worker *w);
void state_put_daemon(Supervisor *s);
void state_put_config(Supervisor *s);
void state_put_pending(Supervisor *s, const PoolConfig *c);
void state_delete_pending(Supervisor *s, const char *name);
void state_put_wish(Supervisor *s, const char *name, const json_t *wish); /* NULL: none any more */
void state_flush(Supervisor *s);

/* supervisor-hooks.c */
extern const KeeperLinkHooks supervisor_keeper_hooks;
extern const PoolHooks supervisor_pool_hooks;
extern const ControlHooks supervisor_control_hooks;

/* supervisor-status.c */
int status_start(Supervisor *s); /* ping timer */
void status_ready(Supervisor *s);
void status_reloading(Supervisor *s);
void status_stopping(Supervisor *s);
void status_changed(Supervisor *s); /* something that STATUS= shows may be another */

/* supervisor-socket.c */
void socket_apply_access(Supervisor *s); /* group and mode of the control socket, as configured */
/** notify_start() - .notify on @fd_consume; stays NULL where that is < 0, or with a warning. */
void notify_start(Supervisor *s, int fd_consume);
void socket_watch_start(Supervisor *s); /* once the house stands */

/* supervisor-stop.c */
void stop_begin(Supervisor *s, const char *why);
void stop_proceed(Supervisor *s); /* from the post source */

#endif
