/* test-task-page.c - a worker with a page: answers to items in one line or several, those it finished and did not send, and
 * requests taken back that it has not begun. */
#include "task-world.h"

#include <stdatomic.h>

#define RESULT(ID, TEXT) "{\"jsonrpc\":\"2.0\",\"id\":" #ID ",\"result\":" TEXT "}\n"
#define WRONG "{\"code\":-32005,\"message\":\"the worker answered a chunk with another number of items\",\"data\":{\"name\":\"failed\"}}"
#define ALL_WRONG "0+4 null,null,null,null {\"0\":" WRONG ",\"1\":" WRONG ",\"2\":" WRONG ",\"3\":" WRONG "}\ndone\n"
#define RAISED "{\"code\":-32009,\"message\":\"no\",\"data\":{\"name\":\"task-failed\"}}"

static TaskMap *map;

static void setup(void) {
        task_world_setup("{\"items\":true,\"page\":true}");
}

static void teardown(void) {
        map = task_map_free(map);
        task_world_teardown();
}

/* ---- chunks ---- */

/* Answers to one chunk of the items 0, 1, 2, 3. */
static const struct {
        const char *lines[3];
        const char *expected;
} chunks[] = {
        {{RESULT(1, "{\"items\":[0,1,4,9]}")}, "0+4 0,1,4,9\ndone\n"},
        {{RESULT(1, " { \"items\" : [ 0 , 1,4 ,9 ] } ")}, "0+4  0 , 1,4 ,9 \ndone\n"},
        {{RESULT(1, "{\"items\":[0,1]}"), RESULT(1, "{\"from\":2,\"items\":[4,9]}")}, "0+2 0,1\n2+2 4,9\ndone\n"},
        {{RESULT(1, "{\"items\":[0,1,4]}"), RESULT(1, "{\"from\":1,\"items\":[1,4,9]}")}, "0+3 0,1,4\n3+1 9\ndone\n"},
        {{RESULT(1, "{\"items\":[0,1,4]}"), RESULT(1, "{\"from\":0,\"items\":[0,1]}"), RESULT(1, "{\"items\":[9],\"from\":3}")},
         "0+3 0,1,4\n3+1 9\ndone\n"},
        {{RESULT(1, "{\"items\":[[0,[1]],\"1,]\",{\"a\":[4]}]}"), RESULT(1, "{\"from\":2,\"items\":[{\"a\":[4]},9]}")},
         "0+3 [0,[1]],\"1,]\",{\"a\":[4]}\n3+1 9\ndone\n"},
        {{RESULT(1, "{\"items\":[0,1,4,9]}"), RESULT(1, "{\"items\":[7,7,7,7]}")}, "0+4 0,1,4,9\ndone\n"}, /* once is enough */
        {{RESULT(1, "{\"items\":[0,null,4,9],\"errors\":{\"1\":{\"code\":1,\"message\":\"no\"}}}")},
         "0+4 0,null,4,9 {\"1\":" RAISED "}\ndone\n"},
        {{RESULT(1, "{\"items\":[0,1]}"), RESULT(1, "{\"from\":1,\"items\":[1,null,9],\"errors\":{\"1\":{\"code\":1,\"message\":\"no\"}}}")},
         "0+2 0,1\n2+2 null,9 {\"0\":" RAISED "}\ndone\n"}, /* its number was counted from what is known already */
        {{RESULT(1, "{\"items\":[0,1,4,9,16]}")}, ALL_WRONG},
        {{RESULT(1, "{\"items\":[]}")}, ALL_WRONG},
        {{RESULT(1, "{\"from\":1,\"items\":[1,4,9]}")}, ALL_WRONG},
        {{RESULT(1, "{\"from\":-1,\"items\":[0,1,4,9]}")}, ALL_WRONG},
        {{RESULT(1, "{\"from\":18446744073709551615,\"items\":[0,1,4,9]}")}, ALL_WRONG},
        {{RESULT(1, "{\"items\":{}}")}, ALL_WRONG},
        {{RESULT(1, "{}")}, ALL_WRONG},
        {{RESULT(1, "7")}, ALL_WRONG},
};

START_TEST(answers_to_a_chunk) {
        map = task_world_map(4, 4);
        for (size_t i = 0; i < ARRAY_SIZE(chunks[_i].lines) && chunks[_i].lines[i]; i++)
                worker_says(chunks[_i].lines[i]);
        ck_assert_outcomes(chunks[_i].expected);
        ck_assert_uint_eq(channel->n_open, 0);
        ck_assert(!channel->is_condemned);
}
END_TEST

/* Only a worker with a page is asked in a way that it may answer in parts. */
START_TEST(parts_need_a_page) {
        channel->has_page = false;
        map = task_world_map(4, 4);
        worker_says(RESULT(1, "{\"items\":[0,1]}"));
        ck_assert_outcomes(ALL_WRONG);
}
END_TEST

/* ---- kept ---- */

static void worker_keeps(const char *text, uint64_t n_started) {
        TaskPage *p = channel->page;

        memcpy(p->kept, text, strlen(text));
        atomic_store(&p->n_kept, strlen(text));
        atomic_store(&p->n_started, n_started);
}

/* What the page has when the worker of a chunk of four items is killed, of which so many were begun. */
static const struct {
        const char *kept;
        uint64_t n_started;
        const char *expected; /* its begin */
} remains[] = {
        {RESULT(1, "{\"items\":[0,1,4,9]}"), 4, "0+4 0,1,4,9\ndone\n"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"items\":[0,1,4", 4, "0+3 0,1,4\n3+1 null {\"0\":{\"code\":-32008,"},
        {RESULT(1, "{\"items\":[0,1]}") "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"from\":2,\"items\":[4", 4,
         "0+2 0,1\n2+1 4\n3+1 null {\"0\":{\"code\":-32008,"},
        {"", 1, "0+1 null {\"0\":{\"code\":-32008,"},                      /* the other three go elsewhere */
        {"what is this?\n", 1, "0+1 null {\"0\":{\"code\":-32008,"},
        {RESULT(1, "{\"items\":[0,1,4,9,16]}"), 1, "0+1 null {\"0\":{\"code\":-32008,"},
        {RESULT(1, "{\"from\":2,\"items\":[4,9]}"), 1, "0+1 null {\"0\":{\"code\":-32008,"}, /* those before are nowhere */
        {RESULT(2, "{\"items\":[0,1,4,9]}"), 1, "0+1 null {\"0\":{\"code\":-32008,"},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1}}\n", 1, "0+1 null {\"0\":{\"code\":-32008,"},
};

START_TEST(what_it_finished_counts) {
        map = task_world_map(4, 4);
        worker_keeps(remains[_i].kept, remains[_i].n_started);
        worker_ends(CLD_KILLED, SIGKILL);
        ck_assert_msg(outcomes.data && strncmp(outcomes.data, remains[_i].expected, strlen(remains[_i].expected)) == 0, "%s", outcomes.data);
        ck_assert_uint_eq(map_n_waiting(map), map->n_items - map->n_done);
}
END_TEST

START_TEST(more_than_a_page_has) {
        map = task_world_map(4, 4);
        worker_keeps(RESULT(1, "{\"items\":[0,1,4,9]}"), 4);
        atomic_store(&channel->page->n_kept, TASK_KEPT_MAX + 1);
        channel_take_kept(channel);
        ck_assert_outcomes("");
}
END_TEST

/* Found in the page first, and then on the channel as well. */
START_TEST(once_is_enough) {
        map = task_world_map(4, 4);
        worker_keeps("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"items\":[0,1", 3);
        channel_take_kept(channel);
        channel_take_kept(channel);
        ck_assert_outcomes("0+2 0,1\n");
        ck_assert_uint_eq(channel_n_begun(channel), 1);
        atomic_store(&channel->page->n_kept, 0);
        worker_says(RESULT(1, "{\"items\":[0,1,4,9]}"));
        ck_assert_outcomes("2+2 4,9\ndone\n");
}
END_TEST

/* Behind something slow others wait: what was finished before is found when the time has come, without a word of the worker. */
START_TEST(found_by_and_by) {
        (void) task_world_submit(1, false);
        (void) task_world_submit(1, false);
        worker_keeps(RESULT(1, "5"), 2);
        while (outcomes.length == 0)
                world_round();
        ck_assert_outcomes("{\"task\":\"p-1\",\"state\":\"done\",\"result\":5}\n");
}
END_TEST

/* ---- recall ---- */

static void worker_claims(uint64_t id) {
        atomic_store(&channel->page->claimed, TASK_CLAIM_BY_WORKER(id));
}

static Task *three[3];

static void submit_three(void) {
        for (size_t i = 0; i < 3; i++)
                three[i] = task_world_submit(1, false);
        ck_assert_uint_eq(channel->n_open, 3);
}

/* How many of three are taken back, by the one that the worker has claimed. */
START_TEST(what_is_not_begun_comes_back) {
        unsigned n_claimed = (unsigned) _i;

        submit_three();
        worker_claims(n_claimed);
        ck_assert_int_eq(channel_recall(channel), n_claimed < 3);
        ck_assert_uint_eq(channel->n_open, n_claimed);
        for (size_t i = 0; i < 3; i++) {
                ck_assert_int_eq(task_state(three[i]), i < n_claimed ? TASK_RUNNING : TASK_QUEUED);
                ck_assert_int_eq(ledger_has_recalled(channel, i + 1), i >= n_claimed); /* should this life end now */
        }
        ck_assert_uint_eq(atomic_load(&channel->page->claimed), n_claimed < 3 ? TASK_CLAIM_BY_DROVERD(3) : TASK_CLAIM_BY_WORKER(3));
        ck_assert_int_eq(channel_recall(channel), false); /* nothing more, and not twice before it is on record */
        task_world_posted(); /* in the same order, by new numbers */
        ck_assert(!ledger_has_recalled(channel, 3));
        for (uint64_t i = n_claimed; i < 3; i++)
                ck_assert_uint_eq(three[i]->request, 4 + i - n_claimed);
}
END_TEST

/* The worker passes over them, and should it answer one all the same, that is of no interest. */
START_TEST(an_answer_to_one_taken_back) {
        submit_three();
        worker_claims(1);
        ck_assert(channel_recall(channel));
        task_world_posted();
        worker_says(RESULT(2, "7"));
        ck_assert_outcomes("");
        worker_says(RESULT(1, "1") RESULT(4, "4") RESULT(5, "9"));
        ck_assert_outcomes("{\"task\":\"p-1\",\"state\":\"done\",\"result\":1}\n{\"task\":\"p-2\",\"state\":\"done\",\"result\":4}\n"
                           "{\"task\":\"p-3\",\"state\":\"done\",\"result\":9}\n");
        ck_assert(!channel->is_condemned);
}
END_TEST

START_TEST(items_come_back_in_order) {
        map = task_world_map(6, 2);
        ck_assert_uint_eq(channel->n_open, 3);
        worker_claims(1);
        ck_assert(channel_recall(channel));
        ck_assert_uint_eq(map_n_waiting(map), 4);
        task_world_posted();
        worker_says(RESULT(1, "{\"items\":[0,1]}") RESULT(4, "{\"items\":[4,9]}") RESULT(5, "{\"items\":[16,25]}"));
        ck_assert_outcomes("0+2 0,1\n2+2 4,9\n4+2 16,25\ndone\n");
}
END_TEST

static void condemned(void) {
        channel_condemn(channel, "for a test");
}

static void over(void) {
        channel->is_over = true;
}

static void without_page(void) {
        channel->has_page = false;
}

static void with_descriptors(void) {
        channel->n_fds_open = 1;
}

static void (*const obstacles[])(void) = {condemned, over, without_page, with_descriptors};

START_TEST(where_nothing_can_be_had_back) {
        submit_three();
        obstacles[_i]();
        ck_assert(!channel_recall(channel));
        ck_assert_uint_eq(channel->n_open, 3);
        ck_assert_uint_eq(atomic_load(&channel->page->claimed), 0);
        channel->n_fds_open = 0;
}
END_TEST

int main(void) {
        Suite *s = suite_create("task-page");
        TCase *c = tcase_create("all");
        SRunner *r;
        int n_failed;

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_loop_test(c, answers_to_a_chunk, 0, (int) ARRAY_SIZE(chunks));
        tcase_add_test(c, parts_need_a_page);
        tcase_add_loop_test(c, what_it_finished_counts, 0, (int) ARRAY_SIZE(remains));
        tcase_add_test(c, more_than_a_page_has);
        tcase_add_test(c, once_is_enough);
        tcase_add_test(c, found_by_and_by);
        tcase_add_loop_test(c, what_is_not_begun_comes_back, 0, 4);
        tcase_add_test(c, an_answer_to_one_taken_back);
        tcase_add_test(c, items_come_back_in_order);
        tcase_add_loop_test(c, where_nothing_can_be_had_back, 0, (int) ARRAY_SIZE(obstacles));
        suite_add_tcase(s, c);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n_failed = srunner_ntests_failed(r);
        srunner_free(r);
        return n_failed > 0;
}
