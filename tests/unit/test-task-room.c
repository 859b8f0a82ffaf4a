/* test-task-room.c - tasks without workers: the way back over droverd's death, lost ones, bounds of users, the disk. */
#include "pool-world.h"

#include "base/fd.h"
#include "base/file.h"
#include "handover/journal.h"
#include "task/task-internal.h"
#include "wire/protocol.h"

#include <sys/resource.h>
#include <sys/stat.h>

int keeper_table_take_fd(KeeperTable *t, const char *name) {
        return -ENOENT;
}

static Journal *journal;
static TaskRoom *room;
static Pool *pool;
static char dir[] = "/tmp/test-task-room-XXXXXX";
static unsigned n_settled, n_safe, n_refused;

static int on_new_fd(Journal *j, int fd, void *userdata) {
        return 0;
}

static void room_begin(void) {
        TaskWorld w = {.event = world.event, .keeper = &fake_link, .pools = world.set, .journal = journal};

        ck_assert_int_eq(task_room_new(&room, &w), 0);
}

static void setup(void) {
        static const JournalHooks hooks = {.on_new_fd = on_new_fd};

        world_setup();
        n_settled = n_safe = n_refused = 0;
        strcpy(dir + strlen(dir) - 6, "XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(journal_new(&journal, -1, &hooks, NULL), 0);
        room_begin();
        pool = world_pool("p", "{\"command\":[\"true\"],\"protocol\":\"tasks\",\"autostart\":false,\"tasks\":{\"queue_max\":1000000,\"durable\":true}}");
}

static void teardown(void) {
        char path[128];

        room = task_room_free(room);
        journal = journal_free(journal);
        world_teardown();
        (void) snprintf(path, sizeof path, "%s/tasks.log", dir);
        (void) unlink(path);
        (void) snprintf(path, sizeof path, "%s/tasks.log.new", dir);
        (void) unlink(path);
        ck_assert_int_eq(rmdir(dir), 0);
}

static void posted(void) {
        task_room_dispatch(room);
        ck_assert_int_eq(journal_flush(journal), 0);
        task_room_flush(room);
}

/* droverd is killed, and there is the next one. */
static void next_life(void) {
        ck_assert_int_eq(journal_flush(journal), 0);
        task_room_free(room);
        room_begin();
        ck_assert_int_eq(journal_replay(journal, "task", task_room_restore, room), 0);
        task_room_catch_up(room);
}

static Task *submit_of(uid_t uid, const char *key, unsigned attempts, bool is_recorded) {
        TaskSpec s = {.target = "f", .attempts = attempts, .key = key, .uid = uid, .is_recorded = is_recorded};
        Task *t = NULL;

        ck_assert_int_eq(task_submit(room, pool, &s, &t), 0);
        return t;
}

/* The life before had handed it to the process of a generation that is gone. */
static void was_with_worker(const char *id, unsigned n_deaths) {
        _cleanup_text_ Text key = {0}, v = {0};

        text_appendf(&key, "task-at:%s", id);
        text_appendf(&v, "{\"pool\":\"p\",\"n\":%s,\"state\":\"running\",\"deaths\":%u,\"generation\":77,\"request\":3}", id + 2, n_deaths);
        journal_put(journal, key.data, v.data);
}

static const char *outcome(const char *id) {
        static Text t;

        text_clear(&t);
        task_put_json(task_find(room, id), &t, false);
        return t.data;
}

static void use_no_disk(void) {
        pool_config(pool)->tasks.durable = false;
}

START_TEST(lost_or_once_more) {
        use_no_disk();
        (void) submit_of(1, NULL, 1, true);
        (void) submit_of(1, NULL, 3, true);
        (void) submit_of(1, NULL, 3, true);
        (void) submit_of(1, "k", 1, true);
        was_with_worker("p-1", 0);
        was_with_worker("p-2", 0);
        was_with_worker("p-3", 2);
        next_life();
        ck_assert_int_eq(task_state(task_find(room, "p-1")), TASK_LOST);
        ck_assert_ptr_nonnull(strstr(outcome("p-1"), "\"state\":\"lost\",\"error\":{"));
        ck_assert_ptr_nonnull(strstr(outcome("p-1"), "\"name\":\"worker-died\""));
        ck_assert_str_eq(outcome("p-2"), "{\"task\":\"p-2\",\"state\":\"queued\"}");
        ck_assert_int_eq(task_find(room, "p-2")->n_deaths, 1);
        ck_assert_int_eq(task_state(task_find(room, "p-3")), TASK_LOST); /* it had killed two */
        ck_assert_str_eq(outcome("p-4"), "{\"task\":\"p-4\",\"state\":\"queued\"}");
        next_life(); /* and so it stays */
        ck_assert_int_eq(task_state(task_find(room, "p-1")), TASK_LOST);
        ck_assert_int_eq(task_find(room, "p-2")->n_deaths, 1);
        posted();
        ck_assert_uint_eq(pool_n_queued(pool), 2);
}
END_TEST

START_TEST(keys_belong_to_users) {
        TaskSpec s = {.target = "f", .attempts = 1, .key = "k", .uid = 1, .is_recorded = true};
        Task *t = NULL, *again = NULL, *other = NULL;

        use_no_disk();
        ck_assert_int_eq(task_submit(room, pool, &s, &t), 0);
        ck_assert_int_eq(task_submit(room, pool, &s, &again), 1);
        ck_assert_ptr_eq(again, t);
        s.uid = 2;
        ck_assert_int_eq(task_submit(room, pool, &s, &other), 0);
        ck_assert_ptr_ne(other, t);
        next_life();
        s.uid = 1;
        ck_assert_int_eq(task_submit(room, pool, &s, &again), 1);
        ck_assert_uint_eq(task_number(again), 1);
}
END_TEST

START_TEST(users_share) {
        size_t most = 0;

        while (task_room_charge(room, 1, 1 << 20) == 0)
                most++;
        ck_assert_uint_eq(most, TASK_BYTES_PER_UID_MAX >> 20);
        for (uid_t uid = 2; uid < 100; uid++) /* no number of them has it all */
                while (task_room_charge(room, uid, 1 << 20) == 0)
                        most++;
        ck_assert_uint_lt(most, TASK_BYTES_MAX >> 20);
        ck_assert_int_eq(task_room_charge(room, 100, 1 << 16), 0);
        ck_assert_int_eq(task_room_charge(room, 1, 1), -EDQUOT);
        task_room_discharge(room, 1, 1 << 20);
        task_room_discharge(room, 100, 1 << 16);
}
END_TEST

/* Results of a user that nobody fetches: the oldest go, those of others stay. */
START_TEST(results_are_bounded) {
        size_t n = TASK_RESULTS_PER_UID_MAX / TASK_COST + 1000;
        char id[TASK_ID_MAX];

        use_no_disk();
        (void) task_cancel(submit_of(2, NULL, 1, true));
        for (size_t i = 0; i < n; i++)
                (void) task_cancel(submit_of(1, NULL, 1, true));
        task_room_dispatch(room);
        ck_assert_ptr_nonnull(task_find(room, "p-1"));
        ck_assert_ptr_null(task_find(room, "p-2"));
        (void) snprintf(id, sizeof id, "p-%zu", n);
        ck_assert_ptr_nonnull(task_find(room, id));
        ck_assert_uint_le(room->users->result_bytes, TASK_RESULTS_PER_UID_MAX);
        ck_assert_uint_eq(room->bytes, 0);
}
END_TEST

static void on_settled(TaskWatch *w, Task *t) {
        n_settled++;
}

static void on_safe(TaskWatch *w, Task *t) {
        n_safe++;
}

static void on_refused(TaskWatch *w, Task *t, int error) {
        ck_assert_int_eq(error, -ENOSPC);
        n_refused++;
}

static TaskWatch watch = {.on_settled = on_settled, .on_safe = on_safe, .on_refused = on_refused};

static void until_told(void) {
        while (n_safe + n_refused == 0)
                ck_assert_int_gt(sd_event_run(world.event, 10 * USEC_PER_SEC), 0);
}

/* Accepted once the disk has it; all but that is gone in the next life of everything. */
START_TEST(durable_is_accepted_by_the_disk) {
        Task *t, *brief;

        ck_assert_int_eq(task_room_use_dir(room, dir, true), 0);
        t = submit_of(1, "k", 1, true);
        brief = submit_of(1, NULL, 1, false); /* its connection's: not on the disk */
        ck_assert(task_is_pending(t) && !task_is_pending(brief));
        task_watch(&watch, t);
        posted();
        ck_assert(task_is_pending(t));
        until_told();
        ck_assert(!task_is_pending(t) && n_safe == 1);
        posted();
        ck_assert_uint_eq(pool_n_queued(pool), 2);
        task_unwatch(&watch);
        task_room_free(room); /* the journal is not read: the machine went down */
        room_begin();
        ck_assert_int_eq(task_room_use_dir(room, dir, true), 0);
        ck_assert_str_eq(outcome("p-1"), "{\"task\":\"p-1\",\"state\":\"queued\"}");
        ck_assert_ptr_null(task_find(room, "p-2"));
        ck_assert_uint_gt(task_number(submit_of(1, "other", 1, true)), 2); /* no id is given twice */
}
END_TEST

static size_t size_of_fresh(void) {
        char path[128];
        struct stat st;

        (void) snprintf(path, sizeof path, "%s/tasks.log.new", dir);
        return stat(path, &st) < 0 ? 0 : (size_t) st.st_size;
}

/* The file is made anew in slices; tasks that are there then, go meanwhile, or come meanwhile. */
START_TEST(many_durable_ones) {
        enum { N = 20000 };
        size_t before, n_slices = 0;
        char id[TASK_ID_MAX];

        ck_assert_int_eq(task_room_use_dir(room, dir, true), 0);
        for (int i = 0; i < N; i++) {
                (void) submit_of(1, NULL, 1, true);
                if (i % 100 == 0)
                        posted();
        }
        while (size_of_fresh() > 0)
                ck_assert_int_gt(sd_event_run(world.event, 10 * USEC_PER_SEC), 0);
        task_room_free(room); /* the next one begins with a file of the life before: it is made anew */
        room_begin();
        ck_assert_int_eq(task_room_use_dir(room, dir, true), 0);
        for (posted(), before = 0; size_of_fresh() > before; n_slices++, posted()) {
                before = size_of_fresh();
                if (room->fill_task)
                        task_forget(room->fill_task);
        }
        ck_assert_uint_gt(n_slices, 10);
        while (size_of_fresh() > 0)
                ck_assert_int_gt(sd_event_run(world.event, 10 * USEC_PER_SEC), 0);
        before = HASH_COUNT(task_pool_find(room, "p")->tasks);
        ck_assert_uint_gt(before, N - 200);
        task_room_free(room);
        room_begin();
        ck_assert_int_eq(task_room_use_dir(room, dir, true), 0);
        ck_assert_uint_eq(HASH_COUNT(task_pool_find(room, "p")->tasks), before);
        (void) snprintf(id, sizeof id, "p-%d", N);
        ck_assert_ptr_nonnull(task_find(room, id));
}
END_TEST

START_TEST(the_disk_refuses) {
        struct rlimit old, small;
        Task *t;

        ck_assert_int_eq(task_room_use_dir(room, dir, true), 0);
        for (int i = 0; i < 2000; i++) /* libcheck writes to a file, too */
                t = submit_of(1, NULL, 1, true);
        task_watch(&watch, t);
        posted();
        until_told();
        task_unwatch(&watch);
        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
        small = (struct rlimit){.rlim_cur = 100000, .rlim_max = old.rlim_max};
        (void) signal(SIGXFSZ, SIG_IGN);
        t = submit_of(1, NULL, 1, true);
        task_watch(&watch, t);
        ck_assert_int_eq(journal_flush(journal), 0);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        task_room_flush(room);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
        ck_assert_uint_eq(n_refused, 1);
        ck_assert_ptr_null(task_find(room, "p-2001"));
        ck_assert_ptr_nonnull(task_find(room, "p-2000"));
        n_safe = n_refused = 0;
        posted(); /* it works again */
        task_watch(&watch, submit_of(1, NULL, 1, true));
        posted();
        until_told();
        ck_assert_uint_eq(n_safe, 1);
        task_unwatch(&watch);
}
END_TEST

/* Two tasks of a pool that is removed then. Return: the number of the second. */
static uint64_t come_and_go(const char *name) {
        uint64_t number;

        pool = world_pool(name, "{\"command\":[\"true\"],\"protocol\":\"tasks\",\"autostart\":false}");
        (void) submit_of(1, NULL, 1, true);
        number = task_number(submit_of(1, NULL, 1, true));
        task_room_pool_changed(room, pool, true);
        pool_remove(pool);
        pool_set_converge(world.set);
        posted();
        return number;
}

START_TEST(removed_pools_are_not_remembered_for_ever) {
        char name[16];

        for (unsigned i = 0; i < TASK_POOLS_GONE_MAX + 10; i++) {
                (void) snprintf(name, sizeof name, "r%u", i);
                ck_assert_uint_eq(come_and_go(name), i <= TASK_POOLS_GONE_MAX ? 2 : 4);
        }
        ck_assert_uint_eq(HASH_COUNT(room->pools), TASK_POOLS_GONE_MAX + (task_pool_find(room, "p") != NULL));
        ck_assert_uint_eq(come_and_go("r50"), 4); /* where it was */
        ck_assert_uint_gt(come_and_go("r0"), 2);  /* beyond where it was */
}
END_TEST

int main(void) {
        Suite *s = suite_create("task-room");
        TCase *c = tcase_create("all");
        SRunner *r;
        int n_failed;

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_test(c, lost_or_once_more);
        tcase_add_test(c, keys_belong_to_users);
        tcase_add_test(c, users_share);
        tcase_add_test(c, results_are_bounded);
        tcase_add_test(c, durable_is_accepted_by_the_disk);
        tcase_add_test(c, many_durable_ones);
        tcase_add_test(c, the_disk_refuses);
        tcase_add_test(c, removed_pools_are_not_remembered_for_ever);
        suite_add_tcase(s, c);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n_failed = srunner_ntests_failed(r);
        srunner_free(r);
        return n_failed > 0;
}
