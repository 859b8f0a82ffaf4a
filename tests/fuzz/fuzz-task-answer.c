/* fuzz-task-answer.c - what a worker says on its channel, with its blobs: whatever it is, the books stay right, what callers are told
 * is JSON, and it is the same however the bytes were cut. Input: the step, then the stream; requests 1 to 3 are tasks, 4 is a chunk
 * of three items, blob-1 and blob-2 are sealed and its own, the latter with the text [1,2]. */
#include <check.h>
#undef ck_assert_msg /* here without a runner of tests */
#define ck_assert_msg(is_true, ...) ((is_true) ? (void) 0 : abort())

#include "../unit/task-world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STREAM_MAX 100000u /* fits the socket */

static void require(bool is_true) {
        if (!is_true)
                abort();
}

static void make_blob(const char *text) {
        Blob *b = NULL;
        int fd;

        require(blob_new(task_room_blobs(room), &channel->blobs, BLOB_UID_NONE, strlen(text), channel->generation, &b) >= 0);
        fd = blob_lend(b);
        require(pwrite(fd, text, strlen(text), 0) == (ssize_t) strlen(text) && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
        fd_close(fd);
}

static bool add_results(Task *t, void *userdata) {
        *(size_t *) userdata += task_results(t)->n;
        return true;
}

static void check_books(void) {
        size_t n_open = 0, n_blobs = channel->blobs.n;

        for (size_t i = 0; i < PIECES_MAX; i++)
                n_open += channel->pieces[i].n > 0;
        require(n_open == channel->n_open);
        require(channel->claimed.n == 0);
        task_each(room, NULL, add_results, &n_blobs);
        require(n_blobs == blob_room_n(task_room_blobs(room)));
}

/* Each line is an OUTCOME, or FIRST+N and the results of items with commas between. */
static void check_outcomes(void) {
        const char *at = outcomes.data, *end;
        Slice value;

        for (; at && *at; at = end + 1) {
                end = strchr(at, '\n');
                require(end != NULL);
                if (*at == '{')
                        require(slice_value(at, (size_t) (end - at), &value, NULL) >= 0);
        }
}

static void say_all(const char *data, size_t size, size_t step) {
        for (size_t at = 0; at < size; at += step) {
                size_t n = MIN(step, size - at);

                require(send(worker_end, data + at, n, MSG_NOSIGNAL) == (ssize_t) n);
                do { /* what waits for a reply to be sent first is looked at again */
                        answer_receive(channel);
                        task_world_posted();
                } while (channel->n_consume > 0);
                check_books();
        }
}

/* What came of it. */
static char *run(const char *data, size_t size, size_t step) {
        TaskMap *map;
        char *ret;

        task_world_setup("{\"items\":true,\"blobs\":true}");
        make_blob("0123456789");
        make_blob("[1,2]");
        for (uid_t uid = 1; uid <= 3; uid++)
                (void) task_world_submit(uid, uid > 1);
        map = task_world_map(3, 3);
        say_all(data, size, step);
        check_outcomes();
        text_append(&outcomes, channel->is_condemned ? "condemned" : "lives");
        ret = text_take(&outcomes);
        task_map_free(map);
        task_world_teardown();
        return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *whole, *pieces;

        if (size < 2 || size > STREAM_MAX)
                return 0;
        whole = run((const char *) data + 1, size - 1, size);
        pieces = run((const char *) data + 1, size - 1, 1 + data[0] % 64);
        require(whole && pieces && strcmp(whole, pieces) == 0);
        free(whole);
        free(pieces);
        return 0;
}
