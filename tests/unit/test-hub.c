/* test-hub.c - numbering, the ring's two bounds, gaps, subscribers that come and go while an event is handed out. */
#include "base/alloc.h"
#include "event/hub.h"
#include <check.h>
#include <jansson.h>

typedef struct Seen {
        uint64_t seqs[64];
        size_t n;
        Hub *hub;
        HubSubscriber *to_leave;
} Seen;

static void note(const Event *e, void *userdata) {
        Seen *s = userdata;

        ck_assert_uint_lt(s->n, 64);
        s->seqs[s->n++] = e->seq;
}

static void note_and_leave(const Event *e, void *userdata) {
        Seen *s = userdata;

        note(e, s);
        s->to_leave = hub_unsubscribe(s->to_leave);
}

START_TEST(kinds_have_names_both_ways) {
        for (int k = 0; k < _EVENT_KIND_MAX; k++) {
                ck_assert_ptr_nonnull(event_kind_help(k));
                ck_assert_int_eq(event_kind_from_string(event_kind_to_string(k)), k);
        }
        ck_assert_int_eq(event_kind_from_string("worker.abducted"), -EINVAL);
        ck_assert_ptr_null(event_kind_to_string(_EVENT_KIND_MAX));
}
END_TEST

static void check_json(const Event *e, void *userdata) {
        const char *event, *time, *pool, *worker;
        json_int_t seq, x;
        _cleanup_free_ char *text = event_text(e);
        json_t *o = json_loads(text, 0, NULL);

        ck_assert_ptr_nonnull(o);
        ck_assert_int_eq(json_unpack(o, "{s:I,s:s,s:s,s:s,s:s,s:{s:I}}", "seq", &seq, "event", &event, "time", &time,
                                     "pool", &pool, "worker", &worker, "data", "x", &x),
                         0);
        ck_assert_int_eq(seq, 7);
        ck_assert_int_eq(x, 1);
        ck_assert_str_eq(event, "worker.running");
        ck_assert_str_eq(pool, "web");
        ck_assert_str_eq(e->pool, "web");
        ck_assert_str_eq(worker, e->worker);
        json_decref(o);
        ++*(int *) userdata;
}

START_TEST(an_event_is_one_json_object) {
        _cleanup_(hub_freep) Hub *h = NULL;
        HubSubscriber *s;
        int n = 0;

        ck_assert_int_eq(hub_new(&h, 4, 4096, 7), 0);
        ck_assert_int_eq(hub_subscribe(&s, h, check_json, &n), 0);
        hub_emit(h, EVENT_WORKER_RUNNING, "web", "web/0", "{\"x\":1}");
        ck_assert_int_eq(n, 1);
        ck_assert_uint_eq(hub_replay(h, 0, check_json, &n), 6); /* 1..6 belong to a life before */
        ck_assert_int_eq(n, 2);
}
END_TEST

/* emitted, ring's events, ring's bytes, since -> seen from replay, gap */
static const struct {
        int n_emit;
        size_t max_events, max_bytes;
        uint64_t since;
        size_t n_seen;
        uint64_t gap;
} ring_cases[] = {
        {0, 4, 100000, 0, 0, 0},
        {3, 4, 100000, 0, 3, 0},
        {4, 4, 100000, 0, 4, 0},
        {10, 4, 100000, 0, 4, 6},
        {10, 4, 100000, 5, 4, 1},
        {10, 4, 100000, 6, 4, 0},
        {10, 4, 100000, 9, 1, 0},
        {10, 4, 100000, 10, 0, 0},
        {10, 4, 100000, 99, 0, 0},
        {10, 100, 1, 0, 1, 9}, /* too large for the ring: the newest one stays all the same */
        {10, 1, 100000, 0, 1, 9},
};

START_TEST(ring_is_bounded_and_says_what_is_gone) {
        __typeof__(ring_cases[0]) *c = &ring_cases[_i];
        _cleanup_(hub_freep) Hub *h = NULL;
        Seen seen = {0};

        ck_assert_int_eq(hub_new(&h, c->max_events, c->max_bytes, 1), 0);
        for (int i = 0; i < c->n_emit; i++)
                hub_emit(h, EVENT_POOL_ADDED, i % 2 ? "web" : NULL, NULL, NULL);
        ck_assert_uint_eq(hub_last_seq(h), c->n_emit);
        ck_assert_uint_eq(hub_replay(h, c->since, note, &seen), c->gap);
        ck_assert_uint_eq(seen.n, c->n_seen);
        for (size_t i = 0; i < seen.n; i++)
                ck_assert_uint_eq(seen.seqs[i], c->n_emit - seen.n + 1 + i);
}
END_TEST

START_TEST(bytes_bound_the_ring) {
        _cleanup_(hub_freep) Hub *h = NULL;
        char data[300];
        Seen seen = {0};

        memset(data, ' ', sizeof(data));
        data[0] = '{';
        data[sizeof(data) - 2] = '}';
        data[sizeof(data) - 1] = '\0';
        ck_assert_int_eq(hub_new(&h, 1000, 2000, 1), 0);
        for (int i = 0; i < 50; i++)
                hub_emit(h, EVENT_POOL_SCALED, "web", NULL, data);
        ck_assert_uint_eq(hub_replay(h, 0, note, &seen), 50 - seen.n);
        ck_assert_uint_ge(seen.n, 4);
        ck_assert_uint_le(seen.n, 6);
}
END_TEST

START_TEST(subscribers_may_leave_while_called) {
        _cleanup_(hub_freep) Hub *h = NULL;
        Seen a = {0}, b = {0}, c = {0};
        HubSubscriber *of_a, *of_b, *of_c;

        ck_assert_int_eq(hub_new(&h, 4, 4096, 1), 0);
        ck_assert_int_eq(hub_subscribe(&of_a, h, note_and_leave, &a), 0);
        ck_assert_int_eq(hub_subscribe(&of_b, h, note_and_leave, &b), 0);
        ck_assert_int_eq(hub_subscribe(&of_c, h, note, &c), 0);
        a.to_leave = of_b; /* somebody else, who has not had this event yet */
        b.to_leave = of_b;
        hub_emit(h, EVENT_POOL_ADDED, "web", NULL, NULL);
        hub_emit(h, EVENT_POOL_ADDED, "web", NULL, NULL);
        ck_assert_uint_eq(a.n, 2);
        ck_assert_uint_eq(b.n, 0);
        ck_assert_uint_eq(c.n, 2);
        hub_unsubscribe(of_a);
        hub_emit(h, EVENT_POOL_ADDED, "web", NULL, NULL);
        ck_assert_uint_eq(a.n, 2);
        ck_assert_uint_eq(c.n, 3);
        ck_assert_ptr_null(hub_unsubscribe(NULL));
        (void) of_c; /* the hub frees who is left */
}
END_TEST

START_TEST(short_memory_leaves_a_gap) {
        _cleanup_(hub_freep) Hub *h = NULL;
        Seen seen = {0};

        ck_assert_int_eq(hub_new(&h, 4, 4096, 1), 0);
        hub_emit(h, EVENT_POOL_ADDED, "a", NULL, NULL);
        alloc_fail_at(1);
        hub_emit(h, EVENT_POOL_ADDED, "b", NULL, NULL);
        alloc_fail_at(0);
        hub_emit(h, EVENT_POOL_ADDED, "c", NULL, NULL);
        ck_assert_uint_eq(hub_last_seq(h), 3);
        ck_assert_uint_eq(hub_replay(h, 0, note, &seen), 1);
        ck_assert_uint_eq(seen.n, 2);
}
END_TEST

START_TEST(bad_bounds_are_refused) {
        Hub *h = NULL;

        ck_assert_int_eq(hub_new(&h, 0, 10, 1), -EINVAL);
        ck_assert_int_eq(hub_new(&h, 10, 0, 1), -EINVAL);
        ck_assert_int_eq(hub_new(&h, 10, 10, 0), -EINVAL);
        ck_assert_ptr_null(h);
        ck_assert_ptr_null(hub_free(NULL));
}
END_TEST

int main(void) {
        Suite *s = suite_create("hub");
        TCase *t = tcase_create("hub");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_test(t, kinds_have_names_both_ways);
        tcase_add_test(t, an_event_is_one_json_object);
        tcase_add_loop_test(t, ring_is_bounded_and_says_what_is_gone, 0, ARRAY_SIZE(ring_cases));
        tcase_add_test(t, bytes_bound_the_ring);
        tcase_add_test(t, subscribers_may_leave_while_called);
        tcase_add_test(t, short_memory_leaves_a_gap);
        tcase_add_test(t, bad_bounds_are_refused);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
