/* test-task-answer.c - what a worker says on its channel: answers, garbage before and behind them, blobs beyond a user's share. */
#include "task-world.h"

#include <sys/mman.h>

#define ANSWER(ID, RESULT) "{\"jsonrpc\":\"2.0\",\"id\":" #ID ",\"result\":" #RESULT "}\n"

static void setup(void) {
        task_world_setup("{\"blobs\":true}");
}

/* ---- results with blobs ---- */

/* The worker's next result: a blob of @size bytes, made, sealed and named in the answer to request @id. */
static void answer_with_blob(unsigned id, size_t size) {
        char name[BLOB_ID_MAX], line[160];
        _cleanup_fd_ int fd = -EBADF;
        Blob *b = NULL;

        ck_assert_int_eq(blob_new(task_room_blobs(room), &channel->blobs, BLOB_UID_NONE, size, channel->generation, &b), 0);
        fd = blob_lend(b);
        ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
        (void) snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":{\"$blob\":0},\"blobs\":[\"%s\"]}\n", id, blob_id(b, name));
        worker_says(line);
}

static const char *state_of(const char *id) {
        Task *t = task_find(room, id);

        return t ? task_state_to_string(task_state(t)) : "forgotten";
}

static const char *const ids[] = {"p-1", "p-2", "p-3", "p-4", "p-5"};

static void ck_states(const char *expected) {
        _cleanup_text_ Text t = {0};

        for (size_t i = 0; i < ARRAY_SIZE(ids) && strcmp(state_of(ids[i]), "queued") != 0; i++)
                text_appendf(&t, "%s%s", i > 0 ? " " : "", state_of(ids[i]));
        ck_assert_str_eq(t.data, expected);
}

/* Of a user whose share is full the oldest results with blobs go, and no others; those of another user stay. */
START_TEST(the_oldest_results_give_way) {
        blob_room_set_quota(task_room_blobs(room), 100, 1000);
        (void) task_world_submit(1, true);
        (void) task_world_submit(2, true);
        (void) task_world_submit(1, true);
        (void) task_world_submit(1, true);
        (void) task_world_submit(1, true);
        worker_says(ANSWER(1, 5)); /* without a blob: it would make no room */
        answer_with_blob(2, 1000);
        answer_with_blob(3, 400);
        answer_with_blob(4, 600);
        ck_states("done done done done running");
        answer_with_blob(5, 300);
        ck_states("done done forgotten done done");
        (void) task_world_submit(1, true);
        answer_with_blob(6, 1000);
        ck_states("done done forgotten forgotten forgotten");
        ck_assert_str_eq(state_of("p-6"), "done");
        ck_assert_uint_eq(blob_room_bytes(task_room_blobs(room)), 2000);
}
END_TEST

START_TEST(so_they_do_by_number) {
        blob_room_set_quota(task_room_blobs(room), 2, 1000);
        for (unsigned i = 1; i <= 3; i++) {
                (void) task_world_submit(1, true);
                answer_with_blob(i, 1);
        }
        ck_states("forgotten done done forgotten forgotten");
}
END_TEST

/* What cannot be had even so costs nobody his results. */
START_TEST(in_vain_none_goes) {
        BlobSet arguments = {0};
        Blob *b;

        blob_room_set_quota(task_room_blobs(room), 100, 1000);
        (void) task_world_submit(1, true);
        answer_with_blob(1, 400);
        (void) task_world_submit(1, true);
        ck_assert_int_eq(blob_new(task_room_blobs(room), &arguments, 1, 500, 0, &b), 0);
        text_clear(&outcomes);
        answer_with_blob(2, 501);
        ck_assert_outcomes_have("\"error\":{\"code\":-32007,\"message\":\"your blobs are too many");
        ck_states("done failed forgotten forgotten forgotten");
        (void) task_world_submit(1, true);
        answer_with_blob(3, 500);
        ck_states("forgotten failed done forgotten forgotten");
        blob_set_done(&arguments);
}
END_TEST

/* ---- garbage ---- */

#define GARBAGE "what is this?\n"
#define NOT_ITS_OWN "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"$blob\":0},\"blobs\":[\"blob-99\"]}\n"

/* What two tasks come to, whichever of it droverd sees at once: what was answered before counts, what comes after does not. */
static const struct {
        const char *parts[5];
        const char *expected;
} stories[] = {
        {{GARBAGE, ANSWER(1, 5)}, "p-1 failed\np-2 worker-died\n"},
        {{ANSWER(1, 5), GARBAGE}, "p-1 done\np-2 failed\n"},
        {{ANSWER(1, 5), GARBAGE, ANSWER(2, 6)}, "p-1 done\np-2 failed\n"},
        {{ANSWER(1, 5), ANSWER(2, 6), GARBAGE}, "p-1 done\np-2 done\n"},
        {{GARBAGE, GARBAGE, ANSWER(1, 5), ANSWER(2, 6)}, "p-1 failed\np-2 worker-died\n"},
        {{GARBAGE, ANSWER(2, 6)}, "p-1 failed\np-2 worker-died\n"},
        {{"\n \r\n", ANSWER(1, 5), "5\n", ANSWER(2, 6)}, "p-1 done\np-2 failed\n"},
        {{ANSWER(7, 5), ANSWER(1, 5)}, "p-1 failed\np-2 worker-died\n"},
        {{NOT_ITS_OWN, ANSWER(2, 6)}, "p-1 failed\np-2 worker-died\n"},
        {{ANSWER(2, 6), NOT_ITS_OWN, ANSWER(1, 5)}, "p-2 done\np-1 failed\n"},
        {{"{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":7}\n", ANSWER(1, 5)}, "p-1 failed\np-2 worker-died\n"},
        {{"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":nan}\n", ANSWER(2, 6)}, "p-1 task-failed\np-2 done\n"}, /* it is known whose */
};

enum { AT_ONCE, BY_PART, BY_BYTE, AFTER_ITS_END, _N_WAYS };

static void tell_story(const char *const parts[5], int way) {
        char byte[2] = "";
        _cleanup_text_ Text all = {0};

        for (size_t i = 0; parts[i]; i++)
                if (way == BY_PART)
                        worker_says(parts[i]);
                else
                        text_append(&all, parts[i]);
        if (way == AT_ONCE)
                worker_says(all.data);
        else if (way == AFTER_ITS_END)
                worker_writes(all.data);
        for (size_t i = 0; way == BY_BYTE && i < all.length; i++) {
                byte[0] = all.data[i];
                worker_says(byte);
        }
}

/* "ID STATE\n", of one that failed with the name of its error. */
static void summarize(Text *ret) {
        char *rest = outcomes.data;

        for (char *line; (line = strsep(&rest, "\n")) && *line;) {
                json_t *o = json_loads(line, 0, NULL), *error = json_object_get(o, "error");

                ck_assert_ptr_nonnull(o);
                text_appendf(ret, "%s %s\n", json_string_value(json_object_get(o, "task")),
                             json_string_value(error ? json_object_get(json_object_get(error, "data"), "name") : json_object_get(o, "state")));
                json_decref(o);
        }
}

START_TEST(garbage_ends_it_in_order) {
        _cleanup_text_ Text got = {0};

        (void) task_world_submit(1, false);
        (void) task_world_submit(1, false);
        ck_assert_uint_eq(channel->n_open, 2);
        tell_story(stories[_i / _N_WAYS].parts, _i % _N_WAYS);
        worker_ends(CLD_KILLED, SIGKILL);
        summarize(&got);
        ck_assert_str_eq(got.data, stories[_i / _N_WAYS].expected);
}
END_TEST

/* ---- why it was killed ---- */

static void by_garbage(void) {
        (void) task_world_submit(1, false);
        worker_says(GARBAGE);
}

static void by_cancel(void) {
        (void) task_cancel(task_world_submit(1, false));
}

static void by_timeout(void) {
        Task *t = NULL;
        TaskSpec s = {.target = "f", .attempts = 1, .uid = 1, .timeout = USEC_PER_MSEC, .is_recorded = true};

        ck_assert_int_eq(task_submit(room, pool, &s, &t), 0);
        task_world_posted();
        while (!channel->is_condemned)
                world_round();
}

static void by_closing(void) {
        (void) shutdown(worker_end, SHUT_WR);
        while (!channel->is_condemned)
                world_round();
}

static void by_nobody(void) {
}

static const struct {
        void (*act)(void);
        const char *cause;
} kills[] = {
        {by_garbage, "it said on its task channel what is not JSON, killed by SIGKILL"},
        {by_cancel, "the task that it is at was cancelled, killed by SIGKILL"},
        {by_timeout, "its task lasted longer than 1ms, killed by SIGKILL"},
        {by_closing, "it closed its task channel, killed by SIGKILL"},
        {by_nobody, "killed by SIGKILL on request"},
};

static const char *last_cause(const Worker *w) {
        static Text t;
        const char *at;

        text_clear(&t);
        worker_put_json((Worker *) w, &t, NULL);
        at = strstr(t.data, "\"last_exit\":{");
        ck_assert_ptr_nonnull(at);
        return at;
}

/* Its end says so, and not the next one's. */
START_TEST(a_kill_has_its_reason) {
        Worker *w = channel->worker;
        char expected[128];

        kills[_i].act();
        ck_assert_uint_eq(fake_child("p/0")->n_tree_kills, kills[_i].act != by_nobody);
        fake_ended_by_drover(fake_child("p/0"), SIGKILL);
        (void) snprintf(expected, sizeof expected, "\"cause\":\"%s\"", kills[_i].cause);
        ck_assert_msg(strstr(last_cause(w), expected), "%s", last_cause(w));
        fake_drained(fake_child("p/0"));
        pool_set_converge(world.set);
        fake_started(fake_child("p/0"), 1001);
        fake_ended(fake_child("p/0"), CLD_KILLED, SIGKILL);
        ck_assert_msg(strstr(last_cause(w), "\"cause\":\"killed by SIGKILL\""), "%s", last_cause(w));
        channel = NULL;
}
END_TEST

static void ends_for(const char *cause) {
        _cleanup_text_ Text expected = {0};
        Worker *w = pool_worker(pool, 0);

        text_appendf(&expected, "\"cause\":\"%s\"", cause);
        ck_assert_msg(strstr(last_cause(w), expected.data), "%s", last_cause(w));
}

/* The process that is being replaced has its own reason, also when it has to stay because the younger one ended. */
START_TEST(an_elder_has_its_own_reason) {
        Worker *w = channel->worker;
        Child *elder = fake_child("p/0"), *young;

        worker_want_succession(w);
        pool_set_converge(world.set);
        young = fake_child("p/0");
        ck_assert_ptr_ne(elder, young);
        fake_started(young, 1001);
        channel_condemn(channel, "for a test");
        if (_i == 0) {
                fake_ended_by_drover(elder, SIGKILL);
                ends_for("for a test, killed by SIGKILL");
        }
        fake_ended(young, CLD_EXITED, 1);
        ends_for("exited with code 1");
        if (_i == 1) {
                fake_ended_by_drover(elder, SIGKILL);
                ends_for("for a test, killed by SIGKILL");
        }
        channel = NULL;
}
END_TEST

int main(void) {
        Suite *s = suite_create("task-answer");
        TCase *c = tcase_create("all");
        SRunner *r;
        int n_failed;

        tcase_add_checked_fixture(c, setup, task_world_teardown);
        tcase_add_test(c, the_oldest_results_give_way);
        tcase_add_test(c, so_they_do_by_number);
        tcase_add_test(c, in_vain_none_goes);
        tcase_add_loop_test(c, garbage_ends_it_in_order, 0, (int) ARRAY_SIZE(stories) * _N_WAYS);
        tcase_add_loop_test(c, a_kill_has_its_reason, 0, (int) ARRAY_SIZE(kills));
        tcase_add_loop_test(c, an_elder_has_its_own_reason, 0, 2);
        suite_add_tcase(s, c);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n_failed = srunner_ntests_failed(r);
        srunner_free(r);
        return n_failed > 0;
}
