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

int main(void) {
        Suite *s = suite_create("task-answer");
        TCase *c = tcase_create("all");
        SRunner *r;
        int n_failed;

        tcase_add_checked_fixture(c, setup, task_world_teardown);
        tcase_add_test(c, the_oldest_results_give_way);
        tcase_add_test(c, so_they_do_by_number);
        tcase_add_test(c, in_vain_none_goes);
        suite_add_tcase(s, c);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n_failed = srunner_ntests_failed(r);
        srunner_free(r);
        return n_failed > 0;
}
