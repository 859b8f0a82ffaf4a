/* task-world.h - a TaskRoom over the fake keeper, with one worker whose end of the channel is in the test's hand. */
#ifndef DROVER_TESTS_TASK_WORLD_H
#define DROVER_TESTS_TASK_WORLD_H

#include "pool-world.h"

#include "base/fd.h"
#include "task/task-internal.h"
#include <sys/socket.h>

int keeper_table_take_fd(KeeperTable *t, const char *name) {
        return -ENOENT;
}

static TaskRoom *room;
static Pool *pool;
static Channel *channel;
static int worker_end; /* borrowed */
static Text outcomes;  /* of watched tasks, and of maps: a line each */

#define POOL_TEXT "{\"command\":[\"true\"],\"protocol\":\"tasks\",\"ready\":\"exec\",\"restart\":{\"delay\":0},\"tasks\":{\"prefetch\":8}}"

/* A worker that has said @hello, the params of it; NULL: nothing yet. */
_unused_ static void task_world_setup(const char *hello) {
        TaskWorld w;
        Text params = {0};

        world_setup();
        w = (TaskWorld){.event = world.event, .keeper = &fake_link, .pools = world.set};
        ck_assert_int_eq(task_room_new(&room, &w), 0);
        blob_room_set_memory(task_room_blobs(room), 64ull << 30, 64ull << 30);
        pool = world_pool("p", POOL_TEXT);
        pool_set_converge(world.set);
        fake_started(fake_child("p/0"), 1000);
        channel = room->channels;
        ck_assert_ptr_nonnull(channel);
        worker_end = fake_child("p/0")->task_fd;
        ck_assert_int_ge(worker_end, 0);
        text_append(&params, hello ? hello : "");
        if (hello)
                ck_assert(channel_take_hello(channel, (Slice){params.data, params.length}));
        while (!channel_takes(channel))
                world_round();
        text_done(&params);
}

_unused_ static void task_world_teardown(void) {
        room = task_room_free(room);
        world_teardown();
        text_done(&outcomes);
}

_unused_ static void task_world_posted(void) {
        pool_set_converge(world.set);
        task_room_dispatch(room);
        task_room_flush(room);
}

/* ---- what is asked for ---- */

static void note_outcome(TaskWatch *w, Task *t) {
        task_put_json(t, &outcomes, false);
        text_append_char(&outcomes, '\n');
}

static TaskWatch task_watches[16];

_unused_ static Task *task_world_submit(uid_t uid, bool is_recorded) {
        static size_t n;
        TaskSpec s = {.target = "f", .attempts = 1, .uid = uid, .is_recorded = is_recorded};
        TaskWatch *w = &task_watches[n++ % ARRAY_SIZE(task_watches)];
        Task *t = NULL;

        ck_assert_int_eq(task_submit(room, pool, &s, &t), 0);
        *w = (TaskWatch){.on_settled = note_outcome};
        task_watch(w, t);
        task_world_posted();
        return t;
}

static void note_results(TaskMap *m, size_t first, size_t n, Slice results, Slice errors, void *userdata) {
        text_appendf(&outcomes, "%zu+%zu ", first, n);
        text_append_n(&outcomes, results.at, results.n);
        if (errors.at) {
                text_append_char(&outcomes, ' ');
                text_append_n(&outcomes, errors.at, errors.n);
        }
        text_append_char(&outcomes, '\n');
}

static void note_room(TaskMap *m, void *userdata) {
}

static void note_done(TaskMap *m, void *userdata) {
        text_append(&outcomes, "done\n");
}

/* As many items as @count in one chunk each of @chunk. */
_unused_ static TaskMap *task_world_map(size_t count, size_t chunk) {
        static const TaskMapSink sink = {note_results, note_room, note_done};
        TaskMapSpec s = {.target = "f", .attempts = 1, .chunk = chunk, .is_ordered = true, .is_count = true, .count = count, .uid = 1};
        TaskMap *m = NULL;

        ck_assert_int_eq(task_map_new(&m, room, pool, &s, &sink, NULL), 0);
        task_pool_mark(task_pool_find(room, "p"));
        task_world_posted();
        return m;
}

/* ---- what the worker does ---- */

_unused_ static void worker_writes(const char *text) {
        ck_assert_int_eq(send(worker_end, text, strlen(text), MSG_NOSIGNAL), (ssize_t) strlen(text));
}

/* And the daemon hears it. */
_unused_ static void worker_says(const char *text) {
        worker_writes(text);
        answer_receive(channel);
        task_world_posted();
}

/* It is gone, after what droverd did not look at yet. */
_unused_ static void worker_ends(int code, int status) {
        fake_ended(fake_child("p/0"), code, status);
        fake_drained(fake_child("p/0"));
        channel = NULL;
        while (room->words) /* its last lines, which nobody has */
                world_round();
}

#define ck_assert_outcomes(expected)                                                                         \
        do {                                                                                                 \
                ck_assert_str_eq(outcomes.data ? outcomes.data : "", expected);                              \
                text_clear(&outcomes);                                                                       \
        } while (0)
#define ck_assert_outcomes_have(part)                                                                        \
        do {                                                                                                 \
                ck_assert_msg(outcomes.data && strstr(outcomes.data, part), "%s", outcomes.data);            \
                text_clear(&outcomes);                                                                       \
        } while (0)

#endif
