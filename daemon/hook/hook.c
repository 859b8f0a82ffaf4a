/* hook.c - see hook.h.
 *
 *   resting -> pending (an event came) -> running -> ended -> drained -> resting, or pending again
 *
 * An event is only noted; the converge step launches. One timer a hook: of its interval while it is pending, of its
 * timeout while it runs. And one for all of them while drover ends. */
#include "hook/hook.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "priority.h"
#include "process/candidates.h"
#include "process/child.h"
#include <fnmatch.h>
#include <stdio.h>

#define HOOK_ENV_MAX 10
#define HOOK_LOG_BYTES (1u << 20)
#define HOOK_LOG_FILES 2
#define FINISH_KILL_USEC (2 * USEC_PER_SEC) /* from SIGKILL to the end of its output, which a logger may hold up */

typedef struct Hook {
        HookSet *set;
        Config *config; /* counted: it holds .wanted */
        const HookConfig *wanted;
        uint64_t n_pending; /* events not told yet */
        EventKind kind;     /* of the last one */
        uint64_t seq;
        char *pool, *worker, *json;
        usec_t not_before; /* CLOCK_MONOTONIC */
        Child *child;
        bool is_ended, is_late;
        usec_t limit;    /* it is late after so long */
        bool is_leaving; /* no longer configured: freed when its run is over */
        sd_event_source *timer;
} Hook;

struct HookSet {
        HookWorld world;
        Hook **hooks;
        size_t n_hooks;
        HubSubscriber *subscriber;
        bool is_finishing, is_over, is_given_up;
        sd_event_source *finish; /* the end of waiting, then of waiting for those that were killed */
};

static Hook *hook_free(Hook *h) {
        if (!h)
                return NULL;
        sd_event_source_disable_unref(h->timer);
        child_free(h->child);
        free(h->pool);
        free(h->worker);
        free(h->json);
        config_unref(h->config);
        free(h);
        return NULL;
}

/* ---- what happens ---- */

static bool matches_one(char **patterns, const char *word) {
        for (char **p = patterns; p && *p; p++)
                if (fnmatch(*p, word, 0) == 0)
                        return true;
        return false;
}

static bool concerns(const Hook *h, const Event *e) {
        const char *kind = event_kind_to_string(e->kind);

        if (h->is_leaving || e->kind == EVENT_HOOK_FAILED || !matches_one(h->wanted->events, kind))
                return false;
        return !h->wanted->pools || (e->pool && matches_one(h->wanted->pools, e->pool));
}

/* Short of memory: the event is counted, and told with less. */
static void note(Hook *h, const Event *e) {
        free(h->pool);
        free(h->worker);
        free(h->json);
        h->pool = e->pool ? alloc_strdup(e->pool) : NULL;
        h->worker = e->worker ? alloc_strdup(e->worker) : NULL;
        h->json = event_text(e);
        h->kind = e->kind;
        h->seq = e->seq;
        h->n_pending++;
}

static void on_event(const Event *e, void *userdata) {
        HookSet *s = userdata;

        for (size_t i = 0; i < s->n_hooks; i++)
                if (concerns(s->hooks[i], e))
                        note(s->hooks[i], e);
}

/* ---- a run ---- */

static void say_failed(Hook *h, const char *cause) {
        _cleanup_text_ Text t = {0};

        log_warning("hook %s: %s", h->wanted->name, cause);
        json_put_object(&t, NULL);
        json_put_string(&t, "hook", h->wanted->name);
        json_put_string(&t, "cause", cause);
        json_end_object(&t);
        hub_emit(h->set->world.hub, EVENT_HOOK_FAILED, NULL, NULL, text_check(&t) < 0 ? NULL : t.data);
}

static void on_end(Child *c, const ExitStatus *e, void *userdata) {
        Hook *h = userdata;
        char cause[KEEPER_TEXT_MAX], span[SPAN_TEXT_MAX];

        h->timer = sd_event_source_disable_unref(h->timer);
        h->is_ended = true;
        if (h->is_late)
                (void) snprintf(cause, sizeof cause, "had not ended after %s; killed", span_format(span, h->limit));
        else
                exit_status_describe(e, NULL, cause, sizeof cause);
        if (exit_status_exitcode(e) != 0 || h->is_late)
                say_failed(h, cause);
}

static void on_nothing(Child *c, void *userdata) {
}

static const ChildHooks child_hooks = {.on_started = on_nothing, .on_ready = on_nothing, .on_end = on_end, .on_drained = on_nothing};

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Hook *h = userdata;

        h->timer = sd_event_source_disable_unref(h->timer);
        if (h->child && !h->is_ended) {
                h->is_late = true;
                (void) child_kill_tree(h->child);
        }
        return 0; /* a wait that is over: the converge step looks */
}

static int arm(Hook *h, usec_t at) {
        int r;

        h->timer = sd_event_source_disable_unref(h->timer);
        r = sd_event_add_time(h->set->world.event, &h->timer, CLOCK_MONOTONIC, at, 0, on_timer, h);
        return r < 0 ? r : sd_event_source_set_priority(h->timer, PRIORITY_DEADLINE);
}

typedef struct HookEnv {
        char *items[HOOK_ENV_MAX + 1];
        size_t n;
        bool failed;
} HookEnv;

static void hook_env_done(HookEnv *e) {
        for (size_t i = 0; i < e->n; i++)
                free(e->items[i]);
}

static void hook_env_add(HookEnv *e, const char *key, const char *value) {
        if (!value)
                return;
        e->items[e->n] = alloc_printf("%s=%s", key, value);
        if (e->items[e->n])
                e->n++;
        else
                e->failed = true;
}

static int hook_env_make(const Hook *h, HookEnv *e) {
        char count[24], seq[24];

        (void) snprintf(count, sizeof count, "%llu", (unsigned long long) h->n_pending);
        (void) snprintf(seq, sizeof seq, "%llu", (unsigned long long) h->seq);
        hook_env_add(e, "PATH", CANDIDATES_PATH_DEFAULT);
        hook_env_add(e, "LANG", "C.UTF-8");
        hook_env_add(e, "DROVER_HOOK", h->wanted->name);
        hook_env_add(e, "DROVER_EVENT", event_kind_to_string(h->kind));
        hook_env_add(e, "DROVER_EVENT_COUNT", count);
        hook_env_add(e, "DROVER_SEQ", seq);
        hook_env_add(e, "DROVER_POOL", h->pool);
        hook_env_add(e, "DROVER_NAME", h->worker);
        hook_env_add(e, "DROVER_SOCKET", h->set->world.control_socket);
        return e->failed ? -ENOMEM : 0;
}

/* The event as one line, to be read from its beginning. */
static int event_on_stdin(const Hook *h) {
        _cleanup_fd_ int fd = memfd_new("drover-event");
        int r = fd < 0 ? fd : 0;

        if (r >= 0 && h->json)
                r = write_all(fd, h->json, strlen(h->json));
        if (r >= 0)
                r = write_all(fd, "\n", 1);
        if (r >= 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = -errno;
        return r < 0 ? r : TAKE_FD(fd);
}

static int log_spec_make(const Hook *h, LogSpec *ret) {
        LogSpec log = {.kind = LOG_KIND_FILE, .max_size = HOOK_LOG_BYTES, .max_files = HOOK_LOG_FILES};

        if ((size_t) snprintf(log.worker, sizeof log.worker, "hooks/%s", h->wanted->name) >= sizeof log.worker ||
            (size_t) snprintf(log.path, sizeof log.path, "%s/hooks/%s", h->config->log_dir, h->wanted->name) >= sizeof log.path)
                return -ENAMETOOLONG;
        *ret = log;
        return 0;
}

static int ask_keeper(Hook *h) {
        _cleanup_(hook_env_done) HookEnv env = {0};
        _cleanup_(strv_freep) char **candidates = NULL;
        _cleanup_fd_ int input = event_on_stdin(h);
        char name[KEEPER_NAME_MAX];
        LogSpec log;
        LaunchSpec spec = {.argv = h->wanted->command, .umask = 022, .ready_fd = -1, .fd_targets = {0}, .n_fds = 1};
        int r = input < 0 ? input : hook_env_make(h, &env);

        if (r >= 0)
                r = log_spec_make(h, &log);
        if (r >= 0)
                r = candidates_make(h->wanted->command[0], CANDIDATES_PATH_DEFAULT, NULL, &candidates);
        if (r < 0)
                return r;
        spec.env = env.items;
        spec.candidates = candidates;
        (void) snprintf(name, sizeof name, "hook!%s", h->wanted->name);
        return child_launch(&h->child, h->set->world.keeper, name, &spec, &input, &log, &child_hooks, h);
}

static void launch(Hook *h, usec_t now) {
        char cause[KEEPER_TEXT_MAX];
        int r = ask_keeper(h);

        if (r >= 0)
                r = arm(h, usec_add(now, h->wanted->timeout));
        if (r < 0) {
                (void) snprintf(cause, sizeof cause, "cannot be started: %s", strerrordesc_np(-r));
                say_failed(h, cause);
                if (h->child)
                        (void) child_kill_tree(h->child); /* what nobody could end must not begin */
        }
        h->n_pending = 0;
        h->is_ended = h->is_late = false;
        h->limit = h->wanted->timeout;
        h->not_before = usec_add(now, h->wanted->min_interval);
}

/* ---- all of them ---- */

static void hook_converge(Hook *h, usec_t now) {
        if (h->child && h->is_ended && child_is_drained(h->child))
                h->child = child_free(h->child);
        if (h->child || h->n_pending == 0 || h->is_leaving || h->set->is_over)
                return;
        if (now >= h->not_before || h->set->is_finishing)
                launch(h, now);
        else if (!h->timer && arm(h, h->not_before) < 0)
                launch(h, now); /* earlier than asked for, rather than never */
}

void hook_set_converge(HookSet *s) {
        usec_t now = clock_now();
        size_t n = 0;

        for (size_t i = 0; i < s->n_hooks; i++) {
                Hook *h = s->hooks[i];

                hook_converge(h, now);
                if (h->is_leaving && !h->child)
                        hook_free(h);
                else
                        s->hooks[n++] = h;
        }
        s->n_hooks = n;
}

static int on_finish(sd_event_source *source, uint64_t usec, void *userdata);

static void arm_finish(HookSet *s, usec_t span) {
        int r = sd_event_add_time(s->world.event, &s->finish, CLOCK_MONOTONIC, usec_add(clock_now(), span), 0, on_finish, s);

        if (r >= 0)
                (void) sd_event_source_set_priority(s->finish, PRIORITY_DEADLINE);
        else
                s->is_over = s->is_given_up = true; /* memory is short: better no last run than no end */
}

static int on_finish(sd_event_source *source, uint64_t usec, void *userdata) {
        HookSet *s = userdata;

        s->finish = sd_event_source_disable_unref(s->finish);
        s->is_given_up = s->is_over;
        s->is_over = true;
        for (size_t i = 0; i < s->n_hooks && !s->is_given_up; i++) {
                Hook *h = s->hooks[i];

                if (!h->child || h->is_ended)
                        continue;
                h->is_late = true;
                h->limit = HOOK_FINISH_USEC;
                (void) child_kill_tree(h->child);
        }
        if (!s->is_given_up)
                arm_finish(s, FINISH_KILL_USEC);
        return 0;
}

void hook_set_finish(HookSet *s) {
        if (s->is_finishing)
                return;
        s->is_finishing = true;
        arm_finish(s, HOOK_FINISH_USEC);
}

bool hook_set_is_idle(const HookSet *s) {
        for (size_t i = 0; i < s->n_hooks && !s->is_given_up; i++)
                if (s->hooks[i]->child || (s->hooks[i]->n_pending > 0 && !s->hooks[i]->is_leaving && !s->is_over))
                        return false;
        return true;
}

static Hook *find(const HookSet *s, const char *name) {
        for (size_t i = 0; i < s->n_hooks; i++)
                if (streq(s->hooks[i]->wanted->name, name))
                        return s->hooks[i];
        return NULL;
}

static Hook *hook_new(HookSet *s, Config *c, const HookConfig *wanted) {
        Hook *h = NEW0(Hook);

        if (h)
                *h = (Hook){.set = s, .config = config_ref(c), .wanted = wanted};
        return h;
}

/* The one of its name in @c from now on; without one it leaves, when its run is over. */
static void hook_reconfigure(Hook *h, Config *c) {
        h->is_leaving = true;
        for (size_t i = 0; i < c->n_hooks; i++)
                if (streq(h->wanted->name, c->hooks[i].name)) {
                        h->is_leaving = false;
                        config_ref(c);
                        config_unref(h->config);
                        h->config = c;
                        h->wanted = &c->hooks[i];
                        return;
                }
}

int hook_set_configure(HookSet *s, Config *c) {
        Hook **hooks = NEW0_ARRAY(Hook *, s->n_hooks + c->n_hooks + 1);
        size_t n = s->n_hooks;

        for (size_t i = 0; hooks && i < c->n_hooks; i++)
                if (!find(s, c->hooks[i].name) && !(hooks[n++] = hook_new(s, c, &c->hooks[i]))) {
                        while (--n > s->n_hooks)
                                hook_free(hooks[n - 1]);
                        free(TAKE_PTR(hooks));
                }
        if (!hooks)
                return -ENOMEM;
        for (size_t i = 0; i < s->n_hooks; i++) {
                hooks[i] = s->hooks[i];
                hook_reconfigure(hooks[i], c);
        }
        free(s->hooks);
        s->hooks = hooks;
        s->n_hooks = n;
        return 0;
}

int hook_set_new(HookSet **ret, const HookWorld *world) {
        _cleanup_(hook_set_freep) HookSet *s = NEW0(HookSet);
        int r;

        if (!s)
                return -ENOMEM;
        s->world = *world;
        r = hub_subscribe(&s->subscriber, world->hub, on_event, s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

HookSet *hook_set_free(HookSet *s) {
        if (!s)
                return NULL;
        if (s->subscriber)
                hub_unsubscribe(s->subscriber);
        sd_event_source_disable_unref(s->finish);
        for (size_t i = 0; i < s->n_hooks; i++)
                hook_free(s->hooks[i]);
        free(s->hooks);
        free(s);
        return NULL;
}
