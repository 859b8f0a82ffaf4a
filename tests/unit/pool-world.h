/* pool-world.h - a PoolSet over the fake keeper, with a real loop and hub; what was told is noted as one text. */
#ifndef DROVER_TESTS_POOL_WORLD_H
#define DROVER_TESTS_POOL_WORLD_H

#include "fake-keeper.h"

#include "pool/pool.h"
#include <check.h>

static struct {
        sd_event *event;
        Hub *hub;
        HubSubscriber *subscriber;
        PoolSet *set;
        Text told; /* "worker.starting web/0\n..." */
        unsigned n_changed, n_removed, n_pool_changed, n_pool_removed;
} world;

static void world_on_event(const Event *e, void *userdata) {
        text_append(&world.told, event_kind_to_string(e->kind));
        text_append_char(&world.told, ' ');
        text_append(&world.told, e->worker ? e->worker : e->pool);
        text_append_char(&world.told, '\n');
}

static void world_on_worker_changed(Worker *w, void *userdata) {
        world.n_changed++;
}

static void world_on_worker_removed(Worker *w, void *userdata) {
        world.n_removed++;
}

static void world_on_pool_changed(Pool *p, bool is_removed, void *userdata) {
        world.n_pool_changed++;
        world.n_pool_removed += is_removed;
}

/* The pool room anew, as after droverd's own death; the keeper's children stay. */
_unused_ static void world_set_new(void) {
        PoolWorld w = {
                .event = world.event,
                .keeper = &fake_link,
                .hub = world.hub,
                .log_dir = "/var/log/drover",
                .notify_socket = "/run/drover/control.sock.notify",
                .control_socket = "/run/drover/control.sock",
                .hooks = { .worker_changed = world_on_worker_changed,
                           .worker_removed = world_on_worker_removed,
                           .pool_changed = world_on_pool_changed },
        };

        ck_assert_int_eq(pool_set_new(&world.set, &w), 0);
}

_unused_ static void world_setup(void) {
        memset(&world, 0, sizeof world);
        fake_reset();
        ck_assert_int_ge(sd_event_new(&world.event), 0);
        ck_assert_int_eq(hub_new(&world.hub, 1000, 1 << 20, 1), 0);
        ck_assert_int_eq(hub_subscribe(&world.subscriber, world.hub, world_on_event, NULL), 0);
        world_set_new();
}

_unused_ static void world_teardown(void) {
        pool_set_free(world.set);
        hub_unsubscribe(world.subscriber);
        hub_free(world.hub);
        sd_event_unref(world.event);
        text_done(&world.told);
        fake_reset();
}

static const ConfigContext world_context = { .log_dir = "/var/log/drover", .state_dir = "/var/lib/drover" };

_unused_ static PoolConfig *world_config(const char *name, const char *json, bool is_run) {
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        json_t *o = json_loads(json, 0, NULL);
        PoolConfig *c = NULL;
        int r;

        ck_assert_ptr_nonnull(o);
        r = pool_config_from_json(name, o, is_run, &world_context, &c, &faults);
        ck_assert_msg(r == 0, "%s", faults.n > 0 ? faults.items[0].text : "?");
        json_decref(o);
        return c;
}

_unused_ static Pool *world_pool(const char *name, const char *json) {
        PoolConfig *c = world_config(name, json, false);
        Pool *p = NULL;

        ck_assert_int_eq(pool_add(world.set, c, POOL_FROM_CALL, true, &p), 0);
        pool_config_unref(c);
        return p;
}

_unused_ static Pool *world_run(const char *name, const RunOptions *options) {
        PoolConfig *c = world_config(name, "{\"command\":[\"true\"]}", true);
        Pool *p = NULL;

        ck_assert_int_eq(pool_add_run(world.set, c, options, &p), 0);
        pool_config_unref(c);
        return p;
}

/* One round of the loop, waiting for a timer or a message when there is none yet; then the post source. */
_unused_ static void world_round(void) {
        ck_assert_int_gt(sd_event_run(world.event, 5 * USEC_PER_SEC), 0);
        pool_set_converge(world.set);
}

/* What was told since the last time. */
#define ck_assert_told(expected)                                                                             \
        do {                                                                                                 \
                ck_assert_str_eq(world.told.data ? world.told.data : "", expected);                          \
                text_clear(&world.told);                                                                     \
        } while (0)

#endif
