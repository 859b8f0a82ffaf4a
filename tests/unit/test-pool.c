/* test-pool.c - sizes, turns, selectors, reports, `run`, and droverd's own death. */
#include "pool-world.h"
#include "pool/notify.h"
#include "pool/pool-internal.h"
#include "pool/pool-internal.h"

#define PLAIN "{\"command\":[\"/bin/x\"],\"restart\":{\"delay\":0}"

/* Give every unanswered launch its answer, with pids from 1000 on, until nothing is left to start. */
static void settle(void) {
        bool again = true;

        while (again) {
                again = false;
                pool_set_converge(world.set);
                for (unsigned i = 0; i < fake.n_children; i++)
                        if (fake.children[i].is_used && !fake.children[i].is_answered &&
                            !fake.children[i].is_ended) {
                                fake_started(fake.children + i, (pid_t) (1000 + i));
                                again = true;
                        }
        }
}

/* End and drain every child that was signalled or killed. */
static void obey(void) {
        for (unsigned i = 0; i < fake.n_children; i++) {
                Child *c = fake.children + i;

                if (!c->is_used || c->is_ended || (c->n_signals == 0 && c->n_tree_kills == 0))
                        continue;
                fake_ended(c, CLD_KILLED, c->n_tree_kills > 0 ? SIGKILL : c->last_signal);
                fake_drained(c);
        }
        pool_set_converge(world.set);
}

START_TEST(test_scale) {
        Pool *p = world_pool("web", PLAIN ",\"workers\":4}");
        uint64_t generation[4];

        settle();
        ck_assert_str_eq(pool_state(p), "running");
        for (size_t i = 0; i < 4; i++)
                generation[i] = worker_generation(pool_worker(p, i));
        pool_set_size(p, 2);
        pool_set_converge(world.set);
        ck_assert_uint_eq(pool_size(p), 2);
        ck_assert_uint_eq(pool_n_workers(p), 4);
        ck_assert_int_eq(worker_state(pool_worker(p, 1)), WORKER_RUNNING);
        ck_assert_int_eq(worker_state(pool_worker(p, 2)), WORKER_STOPPING);
        obey();
        ck_assert_uint_eq(pool_n_workers(p), 2);
        ck_assert_uint_eq(world.n_removed, 2);
        ck_assert_str_eq(pool_state(p), "running");
        pool_set_size(p, 5);
        settle();
        ck_assert_uint_eq(pool_n_ready(p), 5);
        for (size_t i = 0; i < 2; i++)
                ck_assert_uint_eq(worker_generation(pool_worker(p, i)), generation[i]);
        ck_assert_str_eq(worker_name(pool_worker_by_slot(p, 4)), "web/4");
}
END_TEST

START_TEST(test_scale_back_while_stopping) {
        Pool *p = world_pool("web", PLAIN ",\"workers\":3}");

        settle();
        pool_set_size(p, 0);
        pool_set_converge(world.set);
        pool_set_size(p, 2);
        obey();
        settle();
        ck_assert_uint_eq(pool_n_workers(p), 2);
        ck_assert_uint_eq(pool_n_ready(p), 2);
        ck_assert_str_eq(pool_state(p), "running");
}
END_TEST

START_TEST(test_scale_stopped) {
        Pool *p = world_pool("web", PLAIN ",\"workers\":2}");

        settle();
        pool_want_stop(p);
        pool_set_converge(world.set);
        obey();
        pool_set_size(p, 4);
        settle();
        ck_assert_uint_eq(pool_n_workers(p), 4);
        ck_assert_uint_eq(pool_n_ready(p), 0);
        ck_assert_str_eq(pool_state(p), "stopped");
        pool_want_start(p);
        settle();
        ck_assert_uint_eq(pool_n_ready(p), 4);
}
END_TEST

/* A slot in the middle may be gone while a higher one still stops. */
START_TEST(test_holes) {
        Pool *p = world_pool("web", PLAIN ",\"workers\":4}");
        Child *last = NULL;

        settle();
        last = fake_child("web/3");
        pool_set_size(p, 1);
        pool_set_converge(world.set);
        for (int slot = 1; slot < 3; slot++) {
                Child *c = fake_child(slot == 1 ? "web/1" : "web/2");

                fake_ended(c, CLD_KILLED, SIGTERM);
                fake_drained(c);
        }
        pool_set_converge(world.set);
        ck_assert_uint_eq(pool_n_workers(p), 2);
        ck_assert_ptr_nonnull(pool_worker_by_slot(p, 3));
        ck_assert_ptr_null(pool_worker_by_slot(p, 2));
        pool_set_size(p, 3);
        settle();
        ck_assert_uint_eq(pool_n_workers(p), 4);
        fake_ended(last, CLD_KILLED, SIGTERM);
        fake_drained(last);
        pool_set_converge(world.set);
        ck_assert_uint_eq(pool_n_workers(p), 3);
        ck_assert_uint_eq(pool_n_ready(p), 3);
}
END_TEST

START_TEST(test_remove) {
        Pool *p = world_pool("web", PLAIN ",\"workers\":2}");
        PoolConfig *c;

        settle();
        pool_remove(p);
        pool_remove(p);
        pool_set_converge(world.set);
        ck_assert(pool_is_removing(p));
        ck_assert_str_eq(pool_state(p), "stopping");
        c = world_config("web", PLAIN "}", false);
        ck_assert_int_eq(pool_add(world.set, c, POOL_FROM_CALL, true, NULL), -EEXIST);
        obey();
        ck_assert_ptr_null(pool_find(world.set, "web"));
        ck_assert_uint_eq(world.n_pool_removed, 1);
        ck_assert_uint_eq(world.n_removed, 2);
        ck_assert_int_eq(pool_add(world.set, c, POOL_FROM_CALL, true, NULL), 0);
        pool_config_unref(c);
}
END_TEST

START_TEST(test_autostart_off) {
        PoolConfig *c = world_config("web", PLAIN "}", false);
        Pool *p;

        ck_assert_int_eq(pool_add(world.set, c, POOL_FROM_CONFIG, false, &p), 0);
        pool_config_unref(c);
        settle();
        ck_assert_uint_eq(fake.n_children, 0);
        ck_assert_str_eq(pool_state(p), "stopped");
        pool_want_start(p);
        settle();
        ck_assert_str_eq(pool_state(p), "running");
}
END_TEST

START_TEST(test_reconfigure) {
        Pool *p = world_pool("web", PLAIN ",\"workers\":2}");
        PoolConfig *live = world_config("web", PLAIN ",\"workers\":3}", false);
        PoolConfig *restart = world_config("web", "{\"command\":[\"/bin/y\"],\"workers\":3}", false);

        settle();
        pool_reconfigure(p, live, CONFIG_LIVE);
        settle();
        ck_assert_uint_eq(pool_n_ready(p), 3);
        ck_assert_uint_eq(fake.n_children, 3);
        pool_reconfigure(p, restart, CONFIG_RESTART);
        pool_set_converge(world.set);
        obey();
        settle();
        ck_assert_uint_eq(pool_n_ready(p), 3);
        ck_assert_uint_eq(fake.n_children, 6);
        ck_assert_str_eq(fake_child("web/0")->argv, "/bin/y\n");
        pool_config_unref(live);
        pool_config_unref(restart);
}
END_TEST

/* At most 64 without an answer, and a pool of one has its turn among thousands. */
START_TEST(test_fair_turns) {
        Pool *big = world_pool("big", PLAIN ",\"workers\":3000}");
        unsigned turn = 0;

        world_pool("small", PLAIN "}");
        pool_set_converge(world.set);
        ck_assert_uint_eq(fake.n_children, 64);
        while (turn < 64 && !streq(fake.children[turn].name, "small/0"))
                turn++;
        ck_assert_uint_lt(turn, 2);
        settle();
        ck_assert_uint_eq(fake.n_launching_max, 64);
        ck_assert_uint_eq(pool_n_ready(big), 3000);
        ck_assert_uint_eq(pool_set_n_alive(world.set), 3001);
        for (unsigned i = 0; i < 3001; i++) /* a storm */
                fake_ended(fake.children + i, CLD_KILLED, SIGKILL);
        settle();
        ck_assert_uint_eq(fake.n_children, 6002);
        ck_assert_uint_eq(pool_n_ready(big), 3000);
        for (unsigned i = 0; i < 3001; i++)
                fake_drained(fake.children + i);
        pool_set_converge(world.set);
        ck_assert_uint_eq(fake.n_freed, 3001);
}
END_TEST

START_TEST(test_stop_all) {
        Pool *keep = world_pool("keep", PLAIN ",\"on_daemon_exit\":\"keep\"}");

        world_pool("web", PLAIN ",\"workers\":2}");
        settle();
        pool_set_want_stop_all(world.set);
        pool_set_converge(world.set);
        ck_assert(!pool_set_is_quiet(world.set));
        ck_assert_int_eq(worker_state(pool_worker(keep, 0)), WORKER_RUNNING);
        obey();
        ck_assert(pool_set_is_quiet(world.set));
        fake_ended(fake_child("keep/0"), CLD_EXITED, 1);
        pool_set_converge(world.set);
        ck_assert_uint_eq(fake.n_children, 3); /* nothing starts any more */
}
END_TEST

/* ---- selectors ---- */

static const struct {
        const char *selectors[3];
        int n;
        const char *names;
} select_rows[] = {
        { { "web" }, 2, "web/0 web/1 " },
        { { "web/1" }, 1, "web/1 " },
        { { "web/*" }, 2, "web/0 web/1 " },
        { { "web/[1-9]" }, 1, "web/1 " },
        { { "w*" }, 3, "web/0 web/1 work/0 " },
        { { "*/0" }, 3, "job web/0 work/0 " },
        { { "all" }, 4, "job web/0 web/1 work/0 " },
        { { "web/1", "web" }, 2, "web/1 web/0 " },
        { { "web", "all", "web/0" }, 4, "web/0 web/1 job work/0 " },
        { { "job" }, 1, "job " },
        { { "job/0" }, 1, "job " },
        { { "job/1" }, -ENOENT, "job/1" },
        { { "none" }, -ENOENT, "none" },
        { { "web", "wep" }, -ENOENT, "wep" },
        { { "web/7" }, -ENOENT, "web/7" },
        { { "web/-1" }, -ENOENT, "web/-1" },
        { { "web/" }, -ENOENT, "web/" },
        { { "/" }, -ENOENT, "/" },
        { { "" }, -ENOENT, "" },
        { { "web/99999999999999999999" }, -ENOENT, "web/99999999999999999999" },
        { { "x*" }, 0, "" },
        { { "empty" }, 0, "" },
        { { NULL }, 0, "" },
};

START_TEST(test_select) {
        _cleanup_free_ Worker **found = NULL;
        _cleanup_text_ Text names = { 0 };
        const char *unknown = NULL;
        size_t n = 0;
        int r;

        world_pool("web", PLAIN ",\"workers\":2}");
        world_pool("work", PLAIN "}");
        pool_set_size(world_pool("empty", PLAIN "}"), 0);
        world_run("job", NULL);
        pool_set_converge(world.set);
        while (n < 3 && select_rows[_i].selectors[n])
                n++;
        r = pool_select(world.set, NULL, select_rows[_i].selectors, n, &found, &unknown);
        ck_assert_int_eq(r, select_rows[_i].n);
        if (r < 0) {
                ck_assert_str_eq(unknown, select_rows[_i].names);
                ck_assert_ptr_null(found);
                return;
        }
        for (Worker **w = found; *w; w++) {
                text_append(&names, worker_name(*w));
                text_append_char(&names, ' ');
        }
        ck_assert_str_eq(names.data ? names.data : "", select_rows[_i].names);
        ck_assert_str_eq(pool_nearest_name(world.set, NULL, "wep/0"), "web");
        ck_assert_ptr_null(pool_nearest_name(world.set, NULL, "quite-another"));
}
END_TEST

/* ---- reports ---- */

static json_t *report(Pool *p) {
        _cleanup_text_ Text t = { 0 };
        json_t *o;

        pool_put_json(p, &t, NULL, NULL, 0);
        o = json_loads(t.data, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_msg(o != NULL, "%s", t.data);
        return o;
}

static void check_keys(json_t *o, const char *const *keys) {
        for (; *keys; keys++)
                ck_assert_msg(json_object_get(o, *keys) != NULL, "no %s", *keys);
}

static const char *const worker_keys[] = { "name", "pool", "slot", "pid", "ppid", "state", "alive", "exitcode", "daemon",
                                           "started_at", "uptime", "restarts", "last_exit", "busy", "task",
                                           "tasks_done", "cpu", "memory", "usage_age", "status_text", "note", "ready", "wanted",
                                           NULL };
static const char *const pool_keys[] = { "name", "state", "wanted", "ready", "busy", "queued", "restarts", "origin",
                                         "workers", "note", "size", NULL };

static size_t count_without_usage(Pool *p) {
        json_t *o = report(p), *w;
        size_t i, n = 0;

        json_array_foreach(json_object_get(o, "workers"), i, w)
                n += json_is_null(json_object_get(w, "usage_age")) ? 1 : 0;
        json_decref(o);
        return n;
}

/* What the budget of a turn leaves follows in the next turns, and then it is quiet. */
START_TEST(test_usage_follows) {
        Pool *p = world_pool("many", "{\"command\":[\"/x\"],\"workers\":4}");
        UsageRound *u = &world.set->usage;
        char name[32];

        pool_set_converge(world.set);
        for (int i = 0; i < 4; i++) {
                (void) snprintf(name, sizeof name, "many/%d", i);
                fake_started(fake_child(name), getpid());
        }
        ck_assert_int_ge(sd_event_run(world.event, 0), 0); /* from now on it has a time of its own */
        ck_assert_int_eq(sd_event_now(world.event, CLOCK_MONOTONIC, &u->turn), 0);
        u->left = 1;
        u->until = USEC_INFINITY;
        ck_assert_uint_eq(count_without_usage(p), 3);
        while (sd_event_run(world.event, 0) > 0)
                ;
        ck_assert_uint_eq(count_without_usage(p), 0);
        ck_assert_int_eq(sd_event_run(world.event, 0), 0);
}
END_TEST

START_TEST(test_report) {
        Pool *p = world_pool("web", "{\"command\":[\"/x\"],\"restart\":{\"delay\":\"1h\",\"max_delay\":\"1h\"}}");
        json_t *o = report(p), *w = json_array_get(json_object_get(o, "workers"), 0);

        check_keys(o, pool_keys);
        check_keys(w, worker_keys);
        ck_assert_str_eq(json_string_value(json_object_get(w, "state")), "created");
        ck_assert(json_is_null(json_object_get(w, "pid")) && json_is_null(json_object_get(w, "exitcode")));
        ck_assert(json_is_null(json_object_get(w, "started_at")) && json_is_null(json_object_get(w, "last_exit")));
        json_decref(o);

        pool_set_converge(world.set);
        fake_started(fake_child("web/0"), getpid()); /* a pid that can be sampled */
        o = report(p);
        w = json_array_get(json_object_get(o, "workers"), 0);
        check_keys(w, worker_keys);
        ck_assert_int_eq(json_integer_value(json_object_get(w, "pid")), getpid());
        ck_assert_int_eq(json_integer_value(json_object_get(w, "ppid")), getpid());
        ck_assert_int_gt(json_integer_value(json_object_get(w, "memory")), 4096);
        ck_assert(json_is_number(json_object_get(w, "cpu")) && json_is_number(json_object_get(w, "uptime")));
        ck_assert(json_is_true(json_object_get(w, "alive")) && json_is_true(json_object_get(w, "ready")));
        json_decref(o);

        fake_ended(fake_child("web/0"), CLD_KILLED, SIGKILL);
        o = report(p);
        w = json_array_get(json_object_get(o, "workers"), 0);
        check_keys(w, worker_keys);
        ck_assert_int_eq(json_integer_value(json_object_get(w, "exitcode")), -9);
        ck_assert_str_eq(json_string_value(json_object_get(json_object_get(w, "last_exit"), "cause")),
                         "killed by SIGKILL");
        ck_assert(json_is_null(json_object_get(w, "pid")) && json_is_null(json_object_get(w, "memory")));
        ck_assert_str_eq(json_string_value(json_object_get(o, "state")), "degraded");
        ck_assert_int_eq(json_integer_value(json_object_get(o, "restarts")), 1);
        ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(o, "note")), "web/0: killed by SIGKILL"));
        json_decref(o);
}
END_TEST

/* ---- run ---- */

START_TEST(test_run) {
        const RunOptions options = { .is_daemon = true, .stdio_path = { "/p/in", NULL, NULL } };
        Pool *p = world_run("job", &options);
        Worker *w = pool_worker(p, 0);
        LogSpec log;

        settle();
        ck_assert(pool_is_run(p) && worker_is_daemon(w));
        ck_assert_str_eq(worker_name(w), "job");
        ck_assert_ptr_nonnull(strstr(fake_child("job")->env, "DROVER_POOL=job\nDROVER_WORKER=0\nDROVER_NAME=job\n"));
        ck_assert_int_eq(worker_log_spec(w, &log), 0);
        ck_assert_str_eq(log.path, "/var/log/drover/run/job");
        fake_ended(fake_child("job"), CLD_EXITED, 7);
        ck_assert(!worker_is_settled(w));
        fake_drained(fake_child("job"));
        ck_assert(worker_is_settled(w));
        ck_assert_int_eq(worker_state(w), WORKER_EXITED);
        pool_set_converge(world.set);
        ck_assert_ptr_eq(pool_find(world.set, "job"), p);
        world_run("job", NULL); /* an ended one may be replaced */
        ck_assert_uint_eq(world.n_pool_removed, 1);
        ck_assert_uint_eq(pool_count(world.set), 1);
}
END_TEST

START_TEST(test_ended_runs_are_bounded) {
        char name[16];

        for (unsigned i = 0; i < POOL_RUN_ENDED_MAX + 5; i++) {
                (void) snprintf(name, sizeof name, "job-%u", i);
                world_run(name, NULL);
                settle();
                fake_ended(fake_child(name), CLD_EXITED, 0);
                fake_drained(fake_child(name));
        }
        pool_set_converge(world.set);
        pool_set_tidy(world.set);
        ck_assert_uint_eq(pool_count(world.set), POOL_RUN_ENDED_MAX);
        ck_assert_ptr_null(pool_find(world.set, "job-4"));
        ck_assert_ptr_nonnull(pool_find(world.set, "job-5"));
}
END_TEST

/* ---- droverd's own death ---- */

typedef struct Record {
        char *pool, *workers[8];
        size_t n_workers;
} Record;

static Record records[8];
static size_t n_records;

static void write_records(void) {
        n_records = 0;
        for (Pool *p = pool_first(world.set); p; p = pool_next(p)) {
                Record *r = records + n_records++;
                Text t = { 0 };

                pool_serialize(p, &t);
                *r = (Record) { .pool = text_take(&t), .n_workers = pool_n_workers(p) };
                for (size_t i = 0; i < r->n_workers; i++) {
                        Text u = { 0 };

                        worker_serialize(pool_worker(p, i), &u);
                        r->workers[i] = text_take(&u);
                }
        }
}

static void read_record(Record *r) {
        json_t *o = json_loads(r->pool, 0, NULL);
        Pool *p;

        ck_assert_int_eq(pool_deserialize(world.set, o, &world_context, &p), 0);
        json_decref(o);
        for (size_t i = 0; i < r->n_workers; i++) {
                json_t *w = json_loads(r->workers[i], 0, NULL);
                Worker *to = pool_worker_by_slot(p, (unsigned) json_integer_value(json_object_get(w, "slot")));

                if (to)
                        ck_assert_int_eq(worker_deserialize(to, w), 0);
                json_decref(w);
                free(r->workers[i]);
        }
        free(r->pool);
}

/* What the keeper's table says of a child: the test's own list is the keeper. */
static KeeperMessage slot_of(const Child *c) {
        KeeperMessage m = { .type = KEEPER_SLOT, .generation = c->generation };

        m.slot_info.state = c->is_ended ? KEEPER_SLOT_ENDED : c->is_answered ? KEEPER_SLOT_RUNNING
                                                                             : KEEPER_SLOT_LAUNCHING;
        m.slot_info.pid = c->pid;
        m.slot_info.started_usec = clock_realtime();
        (void) snprintf(m.slot_info.name, sizeof m.slot_info.name, "%s", c->name);
        return m;
}

/* SIGKILL of droverd: records on file, all in memory gone, a new life over the same keeper. Return: orphans. */
static size_t die_and_return(const KeeperMessage *slots, size_t n) {
        const KeeperMessage **orphans = NULL;
        size_t n_orphans = 0;

        pool_set_free(world.set);
        world_set_new();
        for (size_t i = 0; i < n_records; i++)
                read_record(records + i);
        text_clear(&world.told);
        ck_assert_int_eq(pool_set_adopt(world.set, slots, n, &orphans, &n_orphans), 0);
        free(orphans);
        return n_orphans;
}

START_TEST(test_adopt_running) {
        Pool *p = world_pool("web", PLAIN ",\"workers\":2,\"ready\":\"notify\"}");
        KeeperMessage slots[3];
        Worker *w;

        settle();
        ck_assert_int_eq(worker_state(pool_worker(p, 0)), WORKER_STARTING);
        slots[0] = slot_of(fake_child("web/0"));
        slots[1] = slot_of(fake_child("web/1"));
        slots[2] = slots[1];
        (void) snprintf(slots[2].slot_info.name, sizeof slots[2].slot_info.name, "gone/3");
        write_records();
        ck_assert_uint_eq(die_and_return(slots, 3), 1);
        p = pool_find(world.set, "web");
        w = pool_worker(p, 0);
        ck_assert_told("worker.adopted web/0\nworker.adopted web/1\n");
        ck_assert_int_eq(worker_state(w), WORKER_STARTING);
        ck_assert_int_eq(worker_pid(w), slots[0].slot_info.pid);
        ck_assert_uint_eq(worker_generation(w), slots[0].generation);
        ck_assert(worker_is_wanted(w));
        settle();
        ck_assert_uint_eq(pool_set_n_alive(world.set), 2);
        ck_assert_str_eq(pool_state(p), "starting");
}
END_TEST

/* READY=1 and more time, said before the keeper's STARTED: that comes in the gap, or after it; or for another process. */
START_TEST(test_adopt_ready_early) {
        const NotifyMessage m = { .is_ready = _i < 3, .extend_usec = { .is_said = true, .value = 3600 * USEC_PER_SEC } };
        Pool *p = world_pool("web", PLAIN ",\"ready\":{\"notify\":true,\"timeout\":\"1ms\"}}");
        KeeperMessage slot;
        Child *c;

        pool_set_converge(world.set);
        worker_hear(pool_worker(p, 0), &m);
        c = fake_child("web/0");
        slot = slot_of(c);
        if (_i != 1)
                slot.slot_info.state = KEEPER_SLOT_RUNNING;
        slot.slot_info.pid = 500;
        slot.generation += _i == 2;
        fake.n_launching = 0;
        write_records();
        ck_assert_uint_eq(die_and_return(&slot, 1), 0);
        if (_i == 1)
                fake_started(fake_child("web/0"), 500);
        p = pool_find(world.set, "web");
        ck_assert_int_eq(worker_state(pool_worker(p, 0)), _i < 2 ? WORKER_RUNNING : WORKER_STARTING);
        if (_i == 3) { /* its time is not over */
                ck_assert_int_eq(sd_event_run(world.event, 50 * USEC_PER_MSEC), 0);
                ck_assert_int_eq(worker_state(pool_worker(p, 0)), WORKER_STARTING);
        }
}
END_TEST

/* What a worker says of its load is written down; so is what a process of `run` says ahead of its STARTED. */
START_TEST(test_words_are_recorded) {
        const NotifyMessage busy = { .busy = { true, 1 }, .tasks = { true, 7 } };
        const NotifyMessage status = { .status = "x", .status_length = 1 };
        Pool *p = world_pool("web", PLAIN "}");
        Worker *w = pool_worker(p, 0);

        settle();
        while (pool_set_next_unrecorded(world.set))
                ;
        worker_hear(w, &busy);
        ck_assert_ptr_eq(pool_set_next_unrecorded(world.set), w);
        ck_assert_ptr_null(pool_set_next_unrecorded(world.set));
        w = pool_worker(world_run("job", NULL), 0);
        pool_set_converge(world.set);
        while (pool_set_next_unrecorded(world.set))
                ;
        worker_hear(w, &status);
        fake_started(fake_child("job"), 500);
        pool_set_converge(world.set);
        ck_assert_ptr_eq(pool_set_next_unrecorded(world.set), w);
}
END_TEST

/* Running; ended in the gap; ended and booked before; never launched. */
START_TEST(test_adopt_ends) {
        Pool *p = world_pool("web", PLAIN ",\"workers\":4}");
        KeeperMessage slots[3];
        Child *in_gap, *booked;

        fake.n_launching = 61;
        pool_set_converge(world.set); /* three of four have their turn */
        for (unsigned i = 0; i < 3; i++)
                fake_started(fake.children + i, (pid_t) (500 + i));
        booked = fake_child("web/2");
        fake_ended(booked, CLD_EXITED, 3);
        write_records();
        fake.children[1].is_ended = true; /* nobody hears of it */
        for (unsigned i = 0; i < 3; i++)
                slots[i] = slot_of(fake.children + i);
        fake.n_launching = 0;
        ck_assert_uint_eq(die_and_return(slots, 3), 0);
        p = pool_find(world.set, "web");
        ck_assert_told("worker.adopted web/0\n");
        ck_assert_int_eq(worker_state(pool_worker(p, 0)), WORKER_RUNNING);
        in_gap = fake_child("web/1");
        fake_ended(in_gap, CLD_KILLED, SIGSEGV);
        fake_drained(in_gap);
        ck_assert_told("worker.exited web/1\n");
        ck_assert_int_eq(exit_status_exitcode(worker_last_exit(pool_worker(p, 1))), -SIGSEGV);
        ck_assert_int_eq(exit_status_exitcode(worker_last_exit(pool_worker(p, 2))), 3);
        fake_ended(fake_child("web/2"), CLD_EXITED, 3); /* said again: booked already */
        fake_drained(fake_child("web/2"));
        ck_assert_told("");
        settle();
        ck_assert_uint_eq(pool_n_ready(p), 4);
        ck_assert_uint_eq(worker_n_restarts(pool_worker(p, 1)), 1);
        ck_assert_uint_eq(worker_n_restarts(pool_worker(p, 2)), 1);
        ck_assert_uint_eq(worker_n_restarts(pool_worker(p, 3)), 0);
}
END_TEST

static unsigned n_told(const char *what) {
        const char *p = world.told.data ? world.told.data : "";
        unsigned n = 0;

        for (; (p = strstr(p, what)); p++)
                n++;
        return n;
}

/* Two ends are booked and neither is written; then droverd dies. Of a crash loop, or (_i) of two successions. */
START_TEST(test_adopt_two_undrained) {
        static const ReloadConfig surge = {.max_surge = 1};
        Pool *p = world_pool("web", PLAIN "}");
        KeeperMessage slots[3];
        unsigned n_restarts;

        settle();
        for (unsigned i = 0; i < 2; i++) {
                if (_i) {
                        ck_assert_int_eq(pool_reload(p, &surge, NULL, 0), 0);
                        settle();
                }
                fake_ended(fake.children + i, CLD_EXITED, 0);
                settle();
                slots[i] = slot_of(fake.children + i);
        }
        if (_i) { /* with two undrained there is not one more process */
                ck_assert_uint_eq(fake.n_children, 3);
                slots[2] = slot_of(fake.children + 2);
        }
        n_restarts = worker_n_restarts(pool_worker(p, 0));
        ck_assert_uint_eq(n_restarts, _i ? 0 : 2);
        write_records();
        ck_assert_uint_eq(die_and_return(slots, _i ? 3 : 2), 0);
        p = pool_find(world.set, "web");
        ck_assert_uint_eq(pool_worker(p, 0)->n_departed, 2);
        for (unsigned i = 0; i < fake.n_children; i++) /* the keeper tells of both once more */
                if (fake.children[i].is_used && (fake.children[i].generation == slots[0].generation ||
                                                 fake.children[i].generation == slots[1].generation)) {
                        fake_ended(fake.children + i, CLD_EXITED, 0);
                        fake_drained(fake.children + i);
                }
        ck_assert_uint_eq(n_told("worker.exited"), 0);
        settle();
        ck_assert_uint_eq(n_told("worker.exited"), 0);
        ck_assert_uint_eq(worker_n_restarts(pool_worker(p, 0)), n_restarts);
        ck_assert_int_eq(worker_state(pool_worker(p, 0)), WORKER_RUNNING);
        ck_assert_uint_eq(pool_set_n_alive(world.set), 1);
}
END_TEST

/* A process is judged by what it was launched with, whatever the pool's configuration is by now. */
START_TEST(test_adopt_launched_with) {
        Pool *p = world_pool("web", PLAIN ",\"workers\":2,\"reload\":{\"max_unavailable\":1},\"stop\":{\"signal\":\"QUIT\"}}");
        PoolConfig *other = world_config("web", "{\"command\":[\"/bin/y\"],\"restart\":{\"delay\":0},\"workers\":2,"
                                                "\"reload\":{\"max_unavailable\":1},\"stop\":{\"signal\":\"INT\"}}", false);
        KeeperMessage slots[2];

        settle();
        ck_assert_int_eq(pool_reconfigure(p, other, CONFIG_RESTART), 0);
        pool_config_unref(other);
        pool_set_converge(world.set); /* the first one is being stopped: it still is one of the former configuration */
        ck_assert_int_eq(fake.children[0].last_signal, SIGQUIT);
        slots[0] = slot_of(fake.children);
        slots[1] = slot_of(fake.children + 1);
        write_records();
        ck_assert_uint_eq(die_and_return(slots, 2), 0);
        p = pool_find(world.set, "web");
        ck_assert_int_eq(fake_child("web/0")->last_signal, SIGQUIT); /* once more */
        ck_assert_str_eq(pool_worker(p, 0)->config->command[0], "/bin/x");
        ck_assert_str_eq(pool_worker(p, 1)->config->command[0], "/bin/x");
        fake_ended(fake_child("web/0"), CLD_EXITED, 0);
        fake_drained(fake_child("web/0"));
        settle();
        ck_assert_str_eq(pool_worker(p, 0)->config->command[0], "/bin/y");
        ck_assert_int_eq(fake_child("web/1")->last_signal, SIGQUIT);
        fake_ended(fake_child("web/1"), CLD_EXITED, 0);
        fake_drained(fake_child("web/1"));
        pool_set_converge(world.set);
        fake_failed(fake_child("web/1"), LAUNCH_EXEC, ENOENT); /* put back: the good one stays what it is */
        fake_drained(fake_child("web/1"));
        settle();
        ck_assert(!pool_is_reloading(p));
        slots[0] = slot_of(fake_child("web/0"));
        slots[1] = slot_of(fake_child("web/1"));
        write_records();
        ck_assert_uint_eq(die_and_return(slots, 2), 0);
        p = pool_find(world.set, "web");
        ck_assert_str_eq(pool_config(p)->command[0], "/bin/x");
        ck_assert_str_eq(pool_worker(p, 0)->config->command[0], "/bin/y");
        ck_assert_str_eq(pool_worker(p, 1)->config->command[0], "/bin/x");
        pool_want_stop(p);
        pool_set_converge(world.set);
        ck_assert_int_eq(fake_child("web/0")->last_signal, SIGINT);
        ck_assert_int_eq(fake_child("web/1")->last_signal, SIGQUIT);
}
END_TEST

START_TEST(test_adopt_stopping) {
        Pool *p = world_pool("web", PLAIN ",\"stop\":{\"timeout\":\"20ms\"}}");
        KeeperMessage slot;

        settle();
        pool_want_stop(p);
        pool_set_converge(world.set);
        slot = slot_of(fake_child("web/0"));
        write_records();
        die_and_return(&slot, 1);
        p = pool_find(world.set, "web");
        ck_assert_int_eq(worker_state(pool_worker(p, 0)), WORKER_STOPPING);
        ck_assert(!worker_is_wanted(pool_worker(p, 0)));
        while (fake_child("web/0")->n_tree_kills == 0)
                world_round();
        obey();
        ck_assert_int_eq(worker_state(pool_worker(p, 0)), WORKER_STOPPED);
}
END_TEST

START_TEST(test_adopt_back_off) {
        Pool *p = world_pool("web", "{\"command\":[\"/x\"],\"restart\":{\"delay\":\"30ms\"}}");
        Worker *w;

        settle();
        fake_ended(fake_child("web/0"), CLD_EXITED, 1);
        fake_drained(fake_child("web/0"));
        ck_assert_int_eq(worker_state(pool_worker(p, 0)), WORKER_BACKOFF);
        write_records();
        die_and_return(NULL, 0);
        w = pool_worker(pool_find(world.set, "web"), 0);
        ck_assert_int_eq(worker_state(w), WORKER_BACKOFF);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_BACKOFF);
        while (worker_state(w) == WORKER_BACKOFF)
                world_round();
        settle();
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert_uint_eq(worker_n_restarts(w), 1);
}
END_TEST

/* The connection that ran it died with droverd. */
START_TEST(test_adopt_daemon_run) {
        const RunOptions options = { .is_daemon = true };
        KeeperMessage slots[2];

        world_run("bound", &options);
        world_run("free", NULL);
        settle();
        slots[0] = slot_of(fake_child("bound"));
        slots[1] = slot_of(fake_child("free"));
        write_records();
        die_and_return(slots, 2);
        pool_set_converge(world.set);
        ck_assert_uint_eq(fake_child("bound")->n_tree_kills, 1);
        ck_assert_uint_eq(fake_child("free")->n_tree_kills, 0);
        ck_assert(pool_is_run(pool_find(world.set, "free")));
        ck_assert_int_eq(worker_state(pool_worker(pool_find(world.set, "free"), 0)), WORKER_RUNNING);
}
END_TEST

static Worker *run_worker(const char *name) {
        return pool_worker(pool_find(world.set, name), 0);
}

static void forget_worker_records(void) {
        for (size_t i = 0; i < n_records; i++) {
                for (size_t k = 0; k < records[i].n_workers; k++)
                        free(records[i].workers[k]);
                records[i].n_workers = 0;
        }
}

/* That it is to be started, and was, is not written down: its pool and the keeper's table tell the next life. */
START_TEST(test_adopt_unrecorded_starts) {
        static const char *const names[] = { "up", "over", "asked", "unasked" };
        KeeperMessage slots[3];

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                world_run(names[i], NULL);
        pool_set_converge(world.set);
        ck_assert_ptr_null(pool_set_next_unrecorded(world.set));
        write_records();
        forget_worker_records();
        fake_started(fake_child("up"), 500);
        fake_started(fake_child("over"), 501);
        pool_set_converge(world.set);
        ck_assert_ptr_null(pool_set_next_unrecorded(world.set));
        ck_assert_int_eq(worker_state(run_worker("up")), WORKER_RUNNING);
        fake_child("over")->is_ended = true; /* nobody hears of it */
        for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
                slots[i] = slot_of(fake_child(names[i]));
        ck_assert_uint_eq(die_and_return(slots, ARRAY_SIZE(slots)), 0);
        settle();
        ck_assert_int_eq(worker_state(run_worker("up")), WORKER_RUNNING);
        ck_assert_int_eq(worker_pid(run_worker("up")), 500);
        ck_assert_int_eq(worker_state(run_worker("asked")), WORKER_RUNNING);
        ck_assert_int_eq(worker_state(run_worker("unasked")), WORKER_RUNNING); /* it never reached the keeper */
        fake_ended(fake_child("over"), CLD_EXITED, 3);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(run_worker("over")), WORKER_EXITED); /* and is not run again */
        ck_assert_int_eq(exit_status_exitcode(worker_last_exit(run_worker("over"))), 3);
        while (worker_state(pool_set_next_unrecorded(world.set)) != WORKER_EXITED)
                ;
}
END_TEST

/* Killed while it was on its way out, before its worker's record or after it: it goes on going. */
START_TEST(test_adopt_removed_run) {
        KeeperMessage slot;

        world_run("other", NULL);
        settle();
        pool_remove(pool_find(world.set, "other"));
        pool_set_converge(world.set);
        slot = slot_of(fake_child("other"));
        write_records();
        if (_i == 1)
                forget_worker_records();
        ck_assert_uint_eq(die_and_return(&slot, 1), 0);
        settle();
        ck_assert(pool_is_removing(pool_find(world.set, "other")));
        ck_assert(!worker_is_wanted(run_worker("other")));
        ck_assert_int_eq(worker_state(run_worker("other")), WORKER_STOPPING);
        fake_ended(fake_child("other"), CLD_KILLED, 15);
        fake_drained(fake_child("other"));
        pool_set_converge(world.set);
        ck_assert_ptr_null(pool_find(world.set, "other"));
}
END_TEST

/* What else happens to it is. */
START_TEST(test_unrecorded_starts_are_recorded_later) {
        world_run("stopped", NULL);
        world_run("ended", NULL);
        pool_set_converge(world.set);
        ck_assert_ptr_null(pool_set_next_unrecorded(world.set));
        worker_want_stop(run_worker("stopped"));
        pool_set_converge(world.set);
        ck_assert_ptr_eq(pool_set_next_unrecorded(world.set), run_worker("stopped"));
        ck_assert_ptr_null(pool_set_next_unrecorded(world.set));
        fake_started(fake_child("ended"), 501);
        fake_ended(fake_child("ended"), CLD_EXITED, 0);
        ck_assert_ptr_eq(pool_set_next_unrecorded(world.set), run_worker("ended"));
}
END_TEST

/* Scaled down and removed, and still on their way out. */
START_TEST(test_adopt_leaving) {
        Pool *p = world_pool("web", PLAIN ",\"workers\":3}");
        KeeperMessage slots[4];

        world_pool("old", PLAIN "}");
        settle();
        pool_set_size(p, 1);
        pool_remove(pool_find(world.set, "old"));
        pool_set_converge(world.set);
        for (unsigned i = 0; i < 4; i++)
                slots[i] = slot_of(fake.children + i);
        write_records();
        ck_assert_uint_eq(die_and_return(slots, 4), 0);
        pool_set_converge(world.set);
        p = pool_find(world.set, "web");
        ck_assert_uint_eq(pool_n_workers(p), 3);
        ck_assert_str_eq(pool_state(pool_find(world.set, "old")), "stopping");
        obey();
        ck_assert_uint_eq(pool_n_workers(p), 1);
        ck_assert_int_eq(worker_state(pool_worker(p, 0)), WORKER_RUNNING);
        ck_assert_ptr_null(pool_find(world.set, "old"));
}
END_TEST

START_TEST(test_adopt_settled) {
        Pool *p = world_pool("web", "{\"command\":[\"/x\"],\"restart\":{\"policy\":\"never\"}}");

        pool_set_converge(world.set);
        fake_failed(fake_child("web/0"), LAUNCH_DIRECTORY, EACCES);
        write_records();
        die_and_return(NULL, 0);
        settle();
        p = pool_find(world.set, "web");
        ck_assert_int_eq(worker_state(pool_worker(p, 0)), WORKER_FAILED);
        ck_assert_int_eq(worker_last_exit(pool_worker(p, 0))->failure.error, EACCES);
        ck_assert_uint_eq(fake.n_children, 1);
}
END_TEST

int main(void) {
        const TTest *const tests[] = {
                test_scale, test_scale_back_while_stopping, test_scale_stopped, test_holes, test_remove,
                test_autostart_off, test_reconfigure, test_fair_turns, test_stop_all, test_usage_follows, test_report,
                test_run,
                test_ended_runs_are_bounded, test_adopt_running, test_adopt_ends, test_adopt_stopping,
                test_adopt_back_off, test_words_are_recorded, test_adopt_daemon_run, test_adopt_leaving, test_adopt_settled,
                test_adopt_launched_with, test_adopt_unrecorded_starts, test_unrecorded_starts_are_recorded_later,
        };
        Suite *s = suite_create("pool");
        TCase *t = tcase_create("pool");
        SRunner *r;
        int n;

        tcase_add_checked_fixture(t, world_setup, world_teardown);
        for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
                tcase_add_test(t, tests[i]);
        tcase_add_loop_test(t, test_adopt_two_undrained, 0, 2);
        tcase_add_loop_test(t, test_adopt_ready_early, 0, 4);
        tcase_add_loop_test(t, test_adopt_removed_run, 0, 2);
        tcase_add_loop_test(t, test_select, 0, (int) ARRAY_SIZE(select_rows));
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n = srunner_ntests_failed(r);
        srunner_free(r);
        return n == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
