/* supervisor-state.c - what goes into the journal, and back.
 *
 *   "pool:NAME"    as pool_serialize() has it, for pools of files too: a new life takes wanted sizes and stop wishes
 *                  from here, and looks at a changed file only when it is told to apply it
 *   "worker:NAME"  {"pool","slot","state": as worker_serialize() has it}; of a process of `run` not before its end, unless more
 *                  than its start happens to it
 *   "seq"          event numbers up to this one are used up, EVENT_SEQ_STEP ahead of the last one
 *   "config"       {"log_dir","state_dir","files","keys"}: of the configuration that was carried out; keys are those of
 *                  the file as they were written
 *   "wish:NAME"    what was set or scaled for the pool at run time; supervisor-wish.c
 *   "pending:NAME" as pool_config_pack() has it: a pool that waits for one of its name to be gone
 *   "daemon"       {"stopping"}
 *
 * The truth about processes is the keeper's table; both are joined by pool_set_adopt(). */
#include "base/alloc.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"
#include "pool/errand.h"
#include "supervisor-internal.h"
#include <stdio.h>

#define EVENT_SEQ_STEP 1000u
#define STATE_KEY_MAX 192
#define SCRATCH_KEPT_MAX (64u << 10)

static void state_put(Supervisor *s, const char *key, Text *t) {
        if (text_check(t) >= 0)
                journal_put(s->journal, key, t->data);
        else
                log_warning("out of memory: %s is not on record", key);
}

static char *state_key(char buf[static STATE_KEY_MAX], const char *kind, const char *name) {
        size_t n = strlen(kind);

        memcpy(buf, kind, n);
        buf[n] = ':';
        (void) memccpy(buf + n + 1, name, '\0', STATE_KEY_MAX - n - 2);
        buf[STATE_KEY_MAX - 1] = '\0';
        return buf;
}

/* For one record at a time. */
static Text *state_text(Supervisor *s) {
        if (s->scratch.capacity > SCRATCH_KEPT_MAX)
                text_done(&s->scratch);
        text_clear(&s->scratch);
        return &s->scratch;
}

void state_put_pool(Supervisor *s, Pool *p) {
        Text *t = state_text(s);
        char key[STATE_KEY_MAX];

        pool_serialize(p, t);
        state_put(s, state_key(key, "pool", pool_name(p)), t);
}

void state_delete_pool(Supervisor *s, Pool *p) {
        char key[STATE_KEY_MAX];

        journal_delete(s->journal, state_key(key, "pool", pool_name(p)));
}

void state_put_worker(Supervisor *s, Worker *w) {
        Text *t = state_text(s);
        char key[STATE_KEY_MAX];

        json_put_object(t, NULL);
        json_put_string(t, "pool", pool_name(worker_pool(w)));
        json_put_u64(t, "slot", worker_slot(w));
        json_put_raw(t, "state", "");
        worker_serialize(w, t);
        json_end_object(t);
        state_put(s, state_key(key, "worker", worker_name(w)), t);
}

void state_delete_worker(Supervisor *s, Worker *w) {
        char key[STATE_KEY_MAX];

        journal_delete(s->journal, state_key(key, "worker", worker_name(w)));
}

void state_put_daemon(Supervisor *s) {
        _cleanup_text_ Text t = {0};

        json_put_object(&t, NULL);
        json_put_bool(&t, "stopping", s->is_stopping);
        json_end_object(&t);
        state_put(s, "daemon", &t);
}

/* Who may do what, in numbers: it holds on after a kill, whatever has become of files and accounts. */
static void put_socket(const Config *c, Text *t) {
        _cleanup_json_ json_t *access = access_config_pack(&c->access);
        _cleanup_free_ char *text = access ? json_dumps(access, JSON_COMPACT) : NULL;

        json_put_raw(t, "access", text ? text : "{}");
        json_put_string(t, "socket_group", c->socket_group);
        json_put_i64(t, "socket_gid", c->socket_gid);
        json_put_i64(t, "socket_mode", c->socket_mode);
}

static int restore_socket(Config *c, const json_t *value) {
        const json_t *group = json_object_get(value, "socket_group"), *mode = json_object_get(value, "socket_mode");
        int r;

        /* what was looked up anew with the other keys gives way to what was in force */
        for (size_t i = 0; i < _ROLE_MAX; i++)
                access_list_done(&c->access.roles[i]);
        free(c->socket_group);
        c->socket_group = NULL;
        r = access_config_unpack(json_object_get(value, "access"), &c->access);
        if (r < 0)
                return r;
        if (json_is_string(group)) {
                c->socket_group = alloc_strdup(json_string_value(group));
                c->socket_gid = (gid_t) json_integer_value(json_object_get(value, "socket_gid"));
                if (!c->socket_group)
                        return -ENOMEM;
        }
        c->socket_mode = json_is_integer(mode) ? (mode_t) json_integer_value(mode) : 0600;
        return 0;
}

void state_put_config(Supervisor *s) {
        _cleanup_free_ char *keys = s->config ? json_dumps(s->config->source, JSON_COMPACT) : NULL;
        _cleanup_text_ Text t = {0};

        if (!s->config)
                return;
        json_put_object(&t, NULL);
        json_put_string(&t, "log_dir", s->config->log_dir);
        json_put_string(&t, "state_dir", s->config->state_dir);
        json_put_array(&t, "files");
        for (char **f = s->config->files; f && *f; f++)
                json_put_string(&t, NULL, *f);
        json_end_array(&t);
        put_socket(s->config, &t);
        if (keys)
                json_put_raw(&t, "keys", keys);
        json_end_object(&t);
        state_put(s, "config", &t);
}

static void state_put_json(Supervisor *s, const char *key, const json_t *v) {
        _cleanup_free_ char *text = v ? json_dumps(v, JSON_COMPACT) : NULL;

        if (text)
                journal_put(s->journal, key, text);
        else
                log_warning("out of memory: %s is not on record", key);
}

void state_put_pending(Supervisor *s, const PoolConfig *c) {
        _cleanup_json_ json_t *pack = pool_config_pack(c);
        char key[STATE_KEY_MAX];

        state_put_json(s, state_key(key, "pending", c->name), pack);
}

void state_delete_pending(Supervisor *s, const char *name) {
        char key[STATE_KEY_MAX];

        journal_delete(s->journal, state_key(key, "pending", name));
}

void state_put_wish(Supervisor *s, const char *name, const json_t *wish) {
        char key[STATE_KEY_MAX];

        if (wish)
                state_put_json(s, state_key(key, "wish", name), wish);
        else
                journal_delete(s->journal, state_key(key, "wish", name));
}

static void state_put_seq(Supervisor *s) {
        char text[32];

        if (hub_last_seq(s->hub) + EVENT_SEQ_STEP / 2 <= s->seq_reserved)
                return;
        s->seq_reserved = hub_last_seq(s->hub) + EVENT_SEQ_STEP;
        (void) snprintf(text, sizeof(text), "%llu", (unsigned long long) s->seq_reserved);
        journal_put(s->journal, "seq", text);
}

static void state_put_all(Supervisor *s) {
        s->seq_reserved = 0;
        state_put_daemon(s);
        state_put_config(s);
        wish_put_all(s);
        for (size_t i = 0; i < s->n_pending; i++)
                state_put_pending(s, s->pending[i]);
        for (Pool *p = pool_first(s->pools); p; p = pool_next(p)) {
                state_put_pool(s, p);
                for (size_t i = 0; i < pool_n_workers(p); i++)
                        state_put_worker(s, pool_worker(p, i));
        }
        task_room_put_all(s->tasks);
}

void state_flush(Supervisor *s) {
        Worker *w;
        int r;

        while ((w = pool_set_next_unrecorded(s->pools)))
                state_put_worker(s, w); /* once a turn, however often it changed */
        state_put_seq(s);
        r = journal_flush(s->journal);
        if (r == -ESTALE) { /* something did not fit into memory: all of it once more */
                state_put_all(s);
                state_put_seq(s);
                r = journal_flush(s->journal);
        }
        if (r < 0 && !s->is_journal_failing)
                log_error("cannot write down the state: %s; trying on. If droverd is killed now, it may not "
                          "remember the latest wishes", strerrordesc_np(-r));
        if (r >= 0 && s->is_journal_failing)
                log_notice("the state is on record again");
        s->is_journal_failing = r < 0;
}

/* ---- back ---- */

static int journal_on_new_fd(Journal *j, int fd, void *userdata) {
        return keeper_link_keep(((Supervisor *) userdata)->keeper, "journal", fd);
}

/* Places and files of the configuration in force; its pools are restored by themselves. */
static int restore_config(Supervisor *s, const json_t *value) {
        _cleanup_(config_unrefp) Config *c = NULL;
        _cleanup_json_ json_t *none = json_object();
        json_t *files = json_object_get(value, "files"), *keys = json_object_get(value, "keys");
        size_t n = json_array_size(files);
        int r = none ? config_top_unpack(keys ? keys : none, &s->context, &c) : -ENOMEM;

        if (r < 0)
                return r;
        free(c->log_dir);
        free(c->state_dir);
        c->log_dir = alloc_strdup(json_string_value(json_object_get(value, "log_dir")));
        c->state_dir = alloc_strdup(json_string_value(json_object_get(value, "state_dir")));
        c->files = NEW0_ARRAY(char *, n + 1);
        if (!c->log_dir || !c->state_dir || !c->files)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                c->files[i] = alloc_strdup(json_string_value(json_array_get(files, i)));
                if (!c->files[i])
                        return -ENOMEM;
        }
        if (restore_socket(c, value) < 0)
                return -ENOMEM;
        config_unref(s->config);
        s->config = TAKE_PTR(c);
        return 0;
}

/* What is needed before any pool is there. */
static int restore_basics(const char *key, json_t *value, void *userdata) {
        Supervisor *s = userdata;

        if (streq(key, "seq") && json_integer_value(value) > 0)
                s->seq_reserved = (uint64_t) json_integer_value(value);
        if (streq(key, "config") && restore_config(s, value) < 0)
                log_warning("cannot read where the life before had its logs; using %s", s->places.log_dir);
        if (streq(key, "daemon"))
                s->was_stopping = json_is_true(json_object_get(value, "stopping"));
        return 0;
}

static int restore_all_basics(Supervisor *s) {
        static const char *const keys[] = {"seq", "config", "daemon"};
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(keys) && r >= 0; i++)
                r = journal_replay(s->journal, keys[i], restore_basics, s);
        return r;
}

int state_open(Supervisor *s, KeeperTable *t) {
        static const JournalHooks hooks = {.on_new_fd = journal_on_new_fd};
        int fd = keeper_table_take_fd(t, "journal"), r;

        s->is_later_life = fd >= 0;
        r = journal_new(&s->journal, fd, &hooks, s);
        if (r < 0 && s->is_later_life) { /* better an empty memory than none: the keeper's table is still there */
                log_error("cannot read the state of the life before: %s", strerrordesc_np(-r));
                r = journal_new(&s->journal, -1, &hooks, s);
        }
        if (r < 0)
                return r;
        r = restore_all_basics(s);
        if (r > 0)
                log_warning("%d records of the life before are unreadable and skipped", r);
        return hub_new(&s->hub, EVENT_RING_MAX, EVENT_RING_BYTES_MAX, s->seq_reserved + 1);
}

static void restore_pending(Supervisor *s, const char *name, json_t *value) {
        _cleanup_(pool_config_unrefp) PoolConfig *c = NULL;
        int r = name_is_valid(name) ? pool_config_unpack(name, value, &s->context, &c) : -EBADMSG;

        if (r == 0)
                r = supervisor_add_later(s, c);
        if (r < 0)
                log_error("cannot take over pool %s, which waited for its name: %s; apply again", name, strerrordesc_np(-r));
}

static int restore_wish(const char *key, json_t *value, void *userdata) {
        if (strncmp(key, "wish:", 5) == 0)
                wish_restore(userdata, key + 5, value);
        if (strncmp(key, "pending:", 8) == 0)
                restore_pending(userdata, key + 8, value);
        return 0;
}

static int restore_pool(const char *key, json_t *value, void *userdata) {
        Supervisor *s = userdata;
        Pool *p = NULL;
        int r;

        if (strncmp(key, "pool:", 5) != 0)
                return 0;
        r = pool_deserialize(s->pools, value, &s->context, &p);
        if (r < 0)
                log_error("cannot take over pool %s: %s", key + 5, strerrordesc_np(-r));
        return 0;
}

static int restore_worker(const char *key, json_t *value, void *userdata) {
        Supervisor *s = userdata;
        Pool *p = pool_find(s->pools, json_string_value(json_object_get(value, "pool")) ?: "");
        json_int_t slot = json_integer_value(json_object_get(value, "slot"));
        Worker *w = p && slot >= 0 && slot < KEEPER_SLOTS_MAX ? pool_worker_by_slot(p, (unsigned) slot) : NULL;

        if (strncmp(key, "worker:", 7) != 0 || !w)
                return 0;
        if (worker_deserialize(w, json_object_get(value, "state")) < 0)
                log_warning("cannot take over what is known of worker %s", key + 7);
        return 0;
}

/* An entry whose end is acknowledged only waits for its output: its end is in the journal already. */
static size_t drop_acknowledged(KeeperMessage *slots, size_t n) {
        size_t kept = 0;

        for (size_t i = 0; i < n; i++)
                if (!slots[i].slot_info.is_acked)
                        slots[kept++] = slots[i];
        return kept;
}

void state_restore(Supervisor *s, KeeperTable *t) {
        _cleanup_free_ const KeeperMessage **orphans = NULL;
        size_t n = drop_acknowledged(t->slots, t->n_slots), n_orphans = 0;
        int r;

        (void) journal_replay(s->journal, "wish:", restore_wish, s);
        (void) journal_replay(s->journal, "pending:", restore_wish, s);
        if (s->is_later_life)
                wish_inherit(s);
        (void) journal_replay(s->journal, "pool:", restore_pool, s);
        (void) journal_replay(s->journal, "worker:", restore_worker, s);
        r = pool_set_adopt(s->pools, t->slots, n, &orphans, &n_orphans);
        if (r < 0)
                log_error("cannot take over all running workers: %s", strerrordesc_np(-r));
        (void) journal_replay(s->journal, "task", task_room_restore, s->tasks);
        task_room_catch_up(s->tasks);
        for (size_t i = 0; r >= 0 && i < n_orphans; i++) {
                /* Errands and spares are begun anew where they are still needed. */
                if (!errand_is_name(orphans[i]->slot_info.name) && !streq(orphans[i]->slot_info.name, KEEPER_SPARE_NAME))
                        log_warning("%s (pid %d) belongs to no pool any more; ending it", orphans[i]->slot_info.name,
                                    orphans[i]->slot_info.pid);
                (void) keeper_link_abandon(s->keeper, orphans[i]);
        }
}
