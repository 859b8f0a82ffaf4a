/* blob-client.c - libdrover's side of blobs and of long arguments and results, against the pool "blobs" of blob-module.c.
 * Says what it saw on stdout; exits with 1 at the first thing that is wrong. */
#include "drover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static drover_client *client;
static drover_error *error;

static void want(int is_so, const char *what) {
        if (is_so)
                return;
        printf("wrong: %s: %s\n", what, drover_error_message(error));
        exit(1);
}

static json_t *text_of(size_t n) {
        char *bytes = malloc(n);
        json_t *value;

        memset(bytes, 'z', n);
        value = json_stringn_nocheck(bytes, n);
        free(bytes);
        return value;
}

static json_t *task(const char *target, json_t *args_take, json_t *kwargs_take) {
        return json_pack("{s:s,s:s,s:o,s:o,s:b}", "pool", "blobs", "target", target, "args", args_take, "kwargs", kwargs_take, "wait", 1);
}

static json_t *outcome(json_t *what_take) {
        json_t *found = NULL;

        want(drover_call(client, "task.submit", what_take, 30000, &found, &error) >= 0, "task.submit");
        json_decref(what_take);
        return found;
}

static void long_texts(void) {
        json_t *o = outcome(task("lengths", json_pack("[o,o]", text_of(200000), text_of(3)), json_pack("{s:o}", "k", text_of(70000)))), *r;

        r = json_object_get(o, "result");
        want(json_integer_value(json_array_get(r, 0)) == 200000 && json_integer_value(json_array_get(r, 2)) == 70000, "lengths");
        json_decref(o);
        for (json_int_t n = 65300; n < 65700; n += 13) { /* about the length of a line */
                o = outcome(task("text", json_pack("[I]", n), json_object()));
                want((json_int_t) json_string_length(json_object_get(o, "result")) == n, "text");
                json_decref(o);
                o = outcome(task("lengths", json_pack("[o]", text_of((size_t) n)), json_object()));
                want(json_integer_value(json_array_get(json_object_get(o, "result"), 0)) == n, "length");
                json_decref(o);
        }
        o = outcome(task("text", json_pack("[i]", 20000000), json_object()));
        want(json_string_length(json_object_get(o, "result")) == 20000000 && !json_object_get(o, "spill"), "20 MB");
        json_decref(o);
        puts("long texts");
}

static void check_blob(size_t i, int byte, size_t size) {
        drover_blob *b = NULL;
        const unsigned char *data;

        want(drover_reply_blob(client, i, &b, &error) >= 0, "drover_reply_blob");
        data = drover_blob_data(b);
        want(drover_blob_size(b) == size && data && data[0] == byte && data[size - 1] == byte, "content");
        want(!drover_blob_name(b), "a result has no name");
        drover_blob_free(b);
}

static void round_trip(void) {
        drover_blob *a = NULL, *b = NULL, *none = NULL;
        json_t *o, *what, *name;

        want(drover_blob_new(client, 100000, 1000, &a, &error) >= 0 && drover_blob_new(client, 5000000, 1000, &b, &error) >= 0, "new");
        memset(drover_blob_data(a), 'a', 100000);
        memset(drover_blob_data(b), 'b', 5000000);
        what = task("same", json_pack("[{s:i},i,{s:i}]", "$blob", 1, 7, "$blob", 0), json_object());
        json_object_set_new(what, "blobs", json_pack("[o,o]", drover_blob_name(a), drover_blob_name(b)));
        o = outcome(what);
        check_blob(0, 'b', 5000000);
        check_blob(1, 'a', 100000);
        want(drover_reply_blob(client, 0, &none, NULL) == -ENOENT && drover_reply_blob(client, 2, &none, NULL) == -ENOENT, "taken once");
        want(json_integer_value(json_array_get(json_object_get(o, "result"), 1)) == 7, "what is beside");
        json_decref(o);
        name = drover_blob_name(a);
        what = task("same", json_array(), json_object());
        json_object_set_new(what, "blobs", json_pack("[o]", name));
        want(drover_call(client, "task.submit", what, 1000, NULL, &error) == -ENOENT, "used once");
        drover_error_free(error);
        error = NULL;
        json_decref(what);
        drover_blob_free(a);
        drover_blob_free(b);
        want(drover_blob_new(client, ((size_t) 1 << 30) + 1, 1000, &a, NULL) == -ENOBUFS, "too large");
        puts("there and back");
}

static int n_open, n_right;

static void on_reply(drover_client *c, json_t *result, const drover_error *why, void *userdata) {
        n_open--;
        n_right += result && json_integer_value(json_array_get(json_object_get(result, "result"), 0)) == *(int *) userdata;
}

/* Long ones are on their way for longer than short ones; cancelled ones are not told. */
static void at_once(void) {
        int sizes[20];
        uint64_t id;

        for (int i = 0; i < 20; i++) {
                json_t *what;

                sizes[i] = i % 2 ? 10 + i : 100000 + i;
                what = task("lengths", json_pack("[o]", text_of((size_t) sizes[i])), json_object());
                want(drover_call_async(client, "task.submit", what, on_reply, &sizes[i], &id, &error) >= 0, "async");
                json_decref(what);
                if (i == 10)
                        want(drover_cancel(client, id) == 0, "cancel");
                else
                        n_open++;
        }
        while (n_open > 0)
                want(drover_poll(client, 30000) > 0, "poll");
        want(n_right == 19, "all told");
        puts("at once");
}

static void on_made(drover_client *c, json_t *result, const drover_error *why, void *userdata) {
        n_open--;
        want(result && !json_object_get(result, "error"), "made");
        check_blob(0, 0, *(size_t *) userdata);
        check_blob(1, 1, *(size_t *) userdata);
}

/* Requests come while the workers wait for a blob, of this size or that. */
static void crowd(void) {
        static size_t sizes[4] = {70000, 100, 300000, 4096};

        for (int i = 0; i < 400; i++) {
                json_t *what = task("make", json_pack("[i,I]", 2, (json_int_t) sizes[i % 4]), json_object());

                want(drover_call_async(client, "task.submit", what, on_made, &sizes[i % 4], NULL, &error) >= 0, "async");
                json_decref(what);
                n_open++;
                while (n_open >= (i < 399 ? 200 : 1))
                        want(drover_poll(client, 30000) > 0, "poll");
        }
        puts("a crowd");
}

static void many(void) {
        json_t *o = outcome(task("make", json_pack("[i,i]", 15, 70000), json_object()));

        for (size_t i = 0; i < 15; i++)
                check_blob(i, (int) i, 70000);
        json_decref(o);
        o = outcome(task("make", json_pack("[i,i]", 17, 10), json_object()));
        want(json_object_get(o, "error") != NULL, "17 are too many");
        json_decref(o);
        for (int i = 0; i < 30; i++) {
                o = outcome(task("make", json_pack("[i,i]", 3, 1 << (i % 20)), json_pack("{s:b}", "raise", 1)));
                want(json_object_get(o, "error") != NULL, "raised");
                json_decref(o);
        }
        o = outcome(task("make", json_pack("[i,i]", 2, 100), json_pack("{s:b}", "die", 1)));
        want(json_object_get(o, "error") != NULL, "died");
        json_decref(o);
        o = outcome(task("make", json_pack("[i,i]", 1, 100), json_object()));
        check_blob(0, 0, 100);
        json_decref(o);
        puts("many");
}

int main(int argc, char **argv) {
        want(drover_connect(&client, NULL, &error) >= 0, "connect");
        long_texts();
        round_trip();
        at_once();
        crowd();
        many();
        drover_close(client);
        return 0;
}
