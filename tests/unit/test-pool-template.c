/* test-pool-template.c - templates of pools and of `run`: who has one, what its death means, and when it goes. The time of
 * the timers is moved in the template itself. */
#include "pool-world.h"
#include "pool/pool-template-internal.h"
#include "base/json.h"

#define FORKED "{\"command\":[\"/bin/x\"],\"start_method\":\"fork\",\"restart\":{\"delay\":0,\"jitter\":0}"

static Template *first(void) {
        return world.set->templates;
}

static unsigned n_templates(void) {
        unsigned n = 0;

        for (const Template *t = first(); t; t = t->next)
                n++;
        return n;
}

static void say_ready(Child *c) {
        c->hooks.on_ready(c, c->userdata);
}

/* Launched by now: up to its first packet. */
static void bring_up(Template *t, pid_t pid) {
        ck_assert_int_eq(t->state, TEMPLATE_STARTING);
        fake_started(t->child, pid);
        say_ready(t->child);
        pool_set_converge(world.set);
}

/* As if so much time had passed since anything happened to it; its timer is due. */
static void age(Template *t, usec_t by) {
        t->used_at = usec_sub(t->used_at, by);
        ck_assert_uint_ne(t->due, USEC_INFINITY);
        template_arm(t, usec_sub(t->due, by));
        if (t->due <= clock_now()) {
                world_round();
                return;
        }
        template_note(t);
        pool_set_converge(world.set);
}

static Pool *pool_up(const char *more) {
        char json[512];
        Pool *p;

        (void) snprintf(json, sizeof json, FORKED "%s}", more);
        p = world_pool("web", json);
        pool_set_converge(world.set);
        bring_up(first(), 400);
        return p;
}

static Child *started(const char *name, pid_t pid) {
        Child *c = fake_child(name);

        ck_assert_ptr_nonnull(c);
        fake_started(c, pid);
        pool_set_converge(world.set);
        return c;
}

START_TEST(test_workers_wait_for_it) {
        Pool *p = world_pool("web", FORKED ",\"workers\":2,\"env\":{\"A\":\"b\"}}");
        char note[256];
        Child *t;

        pool_set_converge(world.set);
        ck_assert_uint_eq(n_templates(), 1);
        t = first()->child;
        ck_assert(strncmp(t->name, "web!t", 5) == 0 && strlen(t->name) == strlen("web!t") + 12);
        ck_assert_ptr_nonnull(strstr(t->env, "A=b\n"));
        ck_assert_ptr_nonnull(strstr(t->env, "DROVER_START_METHOD=fork\nDROVER_TEMPLATE_FD=3\n"));
        ck_assert_ptr_null(strstr(t->env, "DROVER_WORKER"));
        ck_assert_str_eq(t->log.worker, "web/template");
        ck_assert_str_eq(t->log.path, "/var/log/drover/web/template");
        ck_assert_ptr_null(fake_child("web/0"));
        ck_assert(template_describe(pool_worker(p, 0), note, sizeof note));
        ck_assert_str_eq(note, "waits for its template");

        bring_up(first(), 400);
        ck_assert(!template_describe(pool_worker(p, 0), note, sizeof note));
        for (unsigned i = 0; i < 2; i++) {
                const Child *c = fake_child(i == 0 ? "web/0" : "web/1");

                ck_assert_ptr_eq(c->template, t);
                ck_assert_ptr_nonnull(strstr(c->request, i == 0 ? "{\"name\":\"web/0\"," : "{\"name\":\"web/1\","));
                ck_assert_ptr_nonnull(strstr(c->request, i == 0 ? "\"DROVER_WORKER\":\"0\"" : "\"DROVER_WORKER\":\"1\""));
                ck_assert_ptr_null(strstr(c->request, "\"A\"")); /* it has that already */
        }
        ck_assert_uint_eq(first()->n_launching, 2);
        started("web/0", 500);
        started("web/1", 501);
        ck_assert_uint_eq(first()->n_launching, 0);
        ck_assert_uint_eq(first()->n_forks, 2);
        ck_assert_int_eq(worker_state(pool_worker(p, 1)), WORKER_RUNNING);
}
END_TEST

/* Launches on their way are asked for again, and nothing is charged to their workers. */
START_TEST(test_death_under_launches) {
        Pool *p = pool_up(",\"workers\":2");
        Worker *w = pool_worker(p, 1);
        Template *t = first();
        Child *old = t->child;

        started("web/0", 500);
        text_clear(&world.told);
        fake_ended(old, CLD_KILLED, SIGKILL);
        fake_failed(fake_child("web/1"), LAUNCH_TEMPLATE, ESRCH);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
        ck_assert_int_eq(worker_state(pool_worker(p, 0)), WORKER_RUNNING); /* whom it forked is not touched */
        ck_assert_uint_eq(t->n_restarts, 1);
        ck_assert_ptr_ne(t->child, old);
        ck_assert_told("");
        bring_up(t, 401);
        ck_assert_ptr_eq(fake_child("web/1")->template, t->child);
        started("web/1", 501);
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert_ptr_null(worker_last_exit(w));
        ck_assert_told("worker.starting web/1\nworker.running web/1\n");
}
END_TEST

/* The keeper says that it cannot be asked before its death is known: it is not asked a second time. */
START_TEST(test_closed_its_end) {
        Pool *p = pool_up("");
        Template *t = first();

        fake_failed(fake_child("web/0"), LAUNCH_TEMPLATE, ESRCH);
        pool_set_converge(world.set);
        ck_assert_int_eq(t->state, TEMPLATE_ENDING);
        ck_assert_int_eq(t->child->last_signal, SIGTERM);
        ck_assert_int_eq(worker_state(pool_worker(p, 0)), WORKER_LAUNCHING);
        fake_ended(t->child, CLD_KILLED, SIGTERM);
        age(t, 100 * USEC_PER_MSEC); /* one death without a fork: the first back-off */
        bring_up(t, 401);
        started("web/0", 500);
        ck_assert_int_eq(worker_state(pool_worker(p, 0)), WORKER_RUNNING);
}
END_TEST

/* One that ends by itself before it is ready: all who wait have failed to start, and are told why. */
START_TEST(test_never_ready) {
        Pool *p = world_pool("web", FORKED ",\"workers\":2}");
        Template *t;
        Child *c;

        pool_set_converge(world.set);
        t = first();
        for (unsigned i = 1; i <= 10; i++) {
                usec_t wanted = MIN(100 * USEC_PER_MSEC << (i - 1), 30 * USEC_PER_SEC), began = clock_now();

                c = t->child;
                fake_started(c, (pid_t) (400 + i));
                fake_ended(c, CLD_EXITED, 3);
                ck_assert_int_eq(t->state, TEMPLATE_ENDED); /* its last line is waited for */
                fake_drained(c);
                ck_assert_str_eq(t->fault, "its template exited with code 3");
                ck_assert_uint_eq(t->n_failures, i);
                ck_assert_uint_le(usec_sub(t->due, clock_now()), wanted);
                ck_assert_uint_ge(t->due, usec_add(began, wanted));
                pool_set_converge(world.set);
                ck_assert_ptr_nonnull(worker_last_exit(pool_worker(p, 0)));
                ck_assert_ptr_nonnull(worker_last_exit(pool_worker(p, 1)));
                age(t, 30 * USEC_PER_SEC);
        }
        bring_up(t, 500);
        while (!fake_child("web/0")) /* its own back-off */
                world_round();
        started("web/0", 600);
        ck_assert_uint_eq(t->n_failures, 0);
        ck_assert_ptr_null(t->fault);
}
END_TEST

START_TEST(test_not_ready_in_time) {
        Template *t;

        world_pool("web", FORKED "}");
        pool_set_converge(world.set);
        t = first();
        fake_started(t->child, 400);
        age(t, TEMPLATE_LINGER);
        ck_assert_uint_eq(t->child->n_tree_kills, 1);
        ck_assert_str_eq(t->fault, "its template was not ready in time");
        fake_ended(t->child, CLD_KILLED, SIGKILL);
        ck_assert_int_eq(t->state, TEMPLATE_RESTING);
}
END_TEST

/* Asked to fork and deaf. */
START_TEST(test_hangs) {
        Template *t;

        pool_up("");
        t = first();
        age(t, TEMPLATE_ANSWER_TIMEOUT / 2);
        ck_assert_uint_eq(t->child->n_tree_kills, 0);
        age(t, TEMPLATE_ANSWER_TIMEOUT);
        ck_assert_uint_eq(t->child->n_tree_kills, 1);
}
END_TEST

/* A pool holds its own as long as one of its workers lives or shall. */
START_TEST(test_goes_with_its_pool) {
        Pool *p = pool_up("");
        Template *t = first();
        Child *c = t->child, *w = started("web/0", 500);

        template_note(t);
        pool_set_converge(world.set);
        ck_assert_int_eq(t->state, TEMPLATE_READY);
        pool_want_stop(p);
        pool_set_converge(world.set);
        fake_ended(w, CLD_KILLED, SIGTERM);
        fake_drained(w);
        pool_set_converge(world.set);
        ck_assert_int_eq(t->state, TEMPLATE_ENDING);
        ck_assert_int_eq(c->last_signal, SIGTERM);
        age(t, 5 * USEC_PER_SEC);
        ck_assert_uint_eq(c->n_tree_kills, 1);
        fake_ended(c, CLD_KILLED, SIGKILL);
        pool_set_converge(world.set);
        ck_assert_uint_eq(n_templates(), 0);
}
END_TEST

/* ---- run ---- */

static Pool *run(const char *name, const char *more) {
        char json[256];
        PoolConfig *c;
        Pool *p = NULL;

        (void) snprintf(json, sizeof json, "{\"command\":[\"/bin/x\"],\"start_method\":\"fork\"%s}", more);
        c = world_config(name, json, true);
        ck_assert_int_eq(pool_add_run(world.set, c, &(RunOptions){0}, &p), 0);
        pool_config_unref(c);
        pool_set_converge(world.set);
        return p;
}

static void end_run(const char *name) {
        Child *c = started(name, 600);

        fake_ended(c, CLD_EXITED, 0);
        fake_drained(c);
        pool_set_converge(world.set);
}

START_TEST(test_run_shares) {
        run("a", "");
        ck_assert(strncmp(first()->name, "!t", 2) == 0);
        ck_assert_ptr_null(first()->owner);
        bring_up(first(), 400);
        end_run("a");
        run("b", "");
        ck_assert_uint_eq(n_templates(), 1);
        ck_assert_ptr_eq(fake_child("b")->template, first()->child);
        run("c", ",\"env\":{\"A\":\"b\"}"); /* launched otherwise: another one */
        ck_assert_uint_eq(n_templates(), 2);
        ck_assert_ptr_null(fake_child("c"));
        world_pool("web", "{\"command\":[\"/bin/x\"],\"start_method\":\"fork\"}"); /* a pool's is its own */
        pool_set_converge(world.set);
        ck_assert_uint_eq(n_templates(), 3);
        end_run("b");
}
END_TEST

/* 30 s after its last use, not earlier; a use in between counts. */
START_TEST(test_run_lingers) {
        Template *t;
        Child *c;

        run("a", "");
        t = first();
        c = t->child;
        bring_up(t, 400);
        end_run("a");
        age(t, TEMPLATE_ANSWER_TIMEOUT); /* the time for an answer is over; then it is armed for its end */
        ck_assert_int_eq(t->state, TEMPLATE_READY);
        ck_assert_uint_eq(t->due, usec_add(t->used_at, TEMPLATE_LINGER));
        run("b", "");
        ck_assert_ptr_eq(fake_child("b")->template, c);
        end_run("b");
        age(t, TEMPLATE_LINGER - USEC_PER_SEC);
        ck_assert_int_eq(t->state, TEMPLATE_READY);
        age(t, USEC_PER_SEC);
        ck_assert_int_eq(t->state, TEMPLATE_ENDING);
        ck_assert_int_eq(c->last_signal, SIGTERM);
        fake_ended(c, CLD_KILLED, SIGTERM);
        pool_set_converge(world.set);
        ck_assert_uint_eq(n_templates(), 0);
}
END_TEST

START_TEST(test_run_stays_while_asked) {
        Template *t;

        run("a", "");
        t = first();
        bring_up(t, 400);
        t->used_at = usec_sub(t->used_at, TEMPLATE_LINGER);
        template_note(t);
        pool_set_converge(world.set);
        ck_assert_int_eq(t->state, TEMPLATE_READY);
        end_run("a");
}
END_TEST

/* One more than there may be: those that nobody needs go at once, one that is asked stays. */
START_TEST(test_shared_are_bounded) {
        char name[16], more[64];
        Template *t;

        for (unsigned i = 0; i < TEMPLATES_SHARED_MAX; i++) {
                (void) snprintf(name, sizeof name, "r%u", i);
                (void) snprintf(more, sizeof more, ",\"env\":{\"N\":\"%u\"}", i);
                run(name, more);
                bring_up(first()->prev, (pid_t) (1000 + i));
                if (i > 0)
                        end_run(name);
        }
        for (t = first(); t; t = t->next) {
                template_note(t);
                ck_assert_int_eq(t->state, TEMPLATE_READY);
        }
        pool_set_converge(world.set);
        ck_assert_uint_eq(n_templates(), TEMPLATES_SHARED_MAX);
        ck_assert_int_eq(first()->next->state, TEMPLATE_READY);
        run("one-more", "");
        ck_assert_int_eq(first()->state, TEMPLATE_READY); /* r0 is still waited for */
        for (t = first()->next; t->next; t = t->next) {
                ck_assert_int_eq(t->state, TEMPLATE_ENDING);
                fake_ended(t->child, CLD_KILLED, SIGTERM);
        }
        pool_set_converge(world.set);
        ck_assert_uint_eq(n_templates(), 2);
        bring_up(first()->next, 3000);
        end_run("one-more");
        end_run("r0");
}
END_TEST

/* ---- over droverd's own death ---- */

START_TEST(test_adopted) {
        static const struct {
                const char *name;
                bool is_taken;
        } cases[] = {
                {"!t0123456789ab", true},  {"web!t0123456789ab", true}, {"gone!t0123456789ab", false}, {"!t0123", false},
                {"!x0123456789ab", false}, {"web/0", false},            {"!t0123456789ag", false},
        };

        world_pool("web", FORKED "}");
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                KeeperMessage m = {.type = KEEPER_SLOT, .slot = (uint32_t) i, .generation = 1,
                                   .slot_info = {.state = KEEPER_SLOT_RUNNING, .pid = 77, .is_ready = true}};

                (void) snprintf(m.slot_info.name, sizeof m.slot_info.name, "%s", cases[i].name);
                ck_assert_msg(template_adopt(world.set, &m) == cases[i].is_taken, "%s", cases[i].name);
        }
        ck_assert_uint_eq(n_templates(), 2);
        ck_assert_int_eq(first()->state, TEMPLATE_READY);
        ck_assert_int_eq(first()->pid, 77);
}
END_TEST

/* The name is all that is needed to find it again. */
START_TEST(test_adopted_is_used) {
        KeeperMessage m = {.type = KEEPER_SLOT, .generation = 1, .slot_info = {.state = KEEPER_SLOT_RUNNING, .pid = 77, .is_ready = true}};

        run("a", "");
        (void) snprintf(m.slot_info.name, sizeof m.slot_info.name, "%s", first()->name);
        pool_set_free(world.set);
        world_set_new();
        ck_assert(template_adopt(world.set, &m));
        run("b", "");
        ck_assert_uint_eq(n_templates(), 1);
        ck_assert_ptr_eq(fake_child("b")->template, first()->child);
        end_run("b");
}
END_TEST

/* How often it ended, and how often in a row, is in its pool's record. */
START_TEST(test_record) {
        static const ConfigContext context = {.log_dir = "/var/log/drover", .state_dir = "/var/lib/drover"};
        _cleanup_text_ Text record = {0};
        _cleanup_json_ json_t *o = NULL;
        Pool *p = world_pool("web", FORKED "}");
        usec_t left;

        pool_set_converge(world.set);
        for (unsigned i = 1; i <= 3; i++) {
                unsigned n = world.n_pool_changed;

                fake_started(first()->child, 400);
                fake_ended(first()->child, CLD_EXITED, 3);
                fake_drained(first()->child);
                ck_assert_uint_gt(world.n_pool_changed, n);
                if (i < 3)
                        age(first(), 30 * USEC_PER_SEC);
        }
        pool_serialize(p, &record);
        o = json_loads(record.data, 0, NULL);
        ck_assert_ptr_nonnull(o);
        pool_set_free(world.set);
        world_set_new();
        ck_assert_int_eq(pool_deserialize(world.set, o, &context, &p), 0);
        template_renew(p); /* nothing to be renewed yet */
        ck_assert(template_holds_reload(p));
        ck_assert_uint_eq(first()->n_restarts, 3);
        ck_assert_uint_eq(first()->n_failures, 3);
        left = usec_sub(first()->due, clock_now());
        ck_assert_uint_le(left, 400 * USEC_PER_MSEC);
        ck_assert_uint_gt(left, 300 * USEC_PER_MSEC);
}
END_TEST

/* ---- reload ---- */

START_TEST(test_renewed) {
        Pool *p = pool_up("");
        Template *old = first(), *new;
        Child *c = old->child;

        started("web/0", 500);
        template_renew(p);
        pool_set_converge(world.set);
        new = old->next;
        ck_assert_ptr_nonnull(new);
        ck_assert_str_eq(new->name, old->name);
        ck_assert(template_holds_reload(p));
        ck_assert_int_eq(new->state, TEMPLATE_STARTING);
        ck_assert_int_eq(old->state, TEMPLATE_ENDING);
        fake_ended(c, CLD_KILLED, SIGTERM);
        pool_set_converge(world.set);
        ck_assert_ptr_eq(first(), new);
        bring_up(new, 401);
        ck_assert(!template_holds_reload(p));
        ck_assert_ptr_null(template_fault(p));
}
END_TEST

int main(void) {
        const TTest *const tests[] = {
                test_workers_wait_for_it, test_death_under_launches, test_closed_its_end, test_never_ready,
                test_not_ready_in_time, test_hangs, test_goes_with_its_pool, test_run_shares, test_run_lingers,
                test_run_stays_while_asked, test_shared_are_bounded, test_adopted, test_adopted_is_used, test_record,
                test_renewed,
        };
        Suite *s = suite_create("pool-template");
        TCase *t = tcase_create("pool-template");
        SRunner *runner;
        int n_failed;

        tcase_add_checked_fixture(t, world_setup, world_teardown);
        for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
                tcase_add_test(t, tests[i]);
        suite_add_tcase(s, t);
        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
