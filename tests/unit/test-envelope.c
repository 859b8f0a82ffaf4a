/* test-envelope.c - the examples of the JSON-RPC 2.0 specification, and what goes out comes in again. */
#include "wire/envelope.h"
#include "wire/protocol.h"

#include <check.h>

static const struct {
        const char *text;
        EnvelopeKind kind;
        const char *id; /* as JSON, NULL for none */
} cases[] = {
        /* The specification's examples. */
        {"{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": [42, 23], \"id\": 1}", ENVELOPE_CALL, "1"},
        {"{\"jsonrpc\": \"2.0\", \"result\": 19, \"id\": 1}", ENVELOPE_REPLY, "1"},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", \"params\": {\"subtrahend\": 23}, \"id\": 3}", ENVELOPE_CALL, "3"},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"update\", \"params\": [1,2,3,4,5]}", ENVELOPE_NOTIFICATION, NULL},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"foobar\"}", ENVELOPE_NOTIFICATION, NULL},
        {"{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32601, \"message\": \"Method not found\"}, \"id\": \"1\"}", ENVELOPE_ERROR,
         "\"1\""},
        {"{\"jsonrpc\": \"2.0\", \"method\": 1, \"params\": \"bar\"}", ENVELOPE_INVALID, NULL},
        {"{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32700, \"message\": \"Parse error\"}, \"id\": null}", ENVELOPE_ERROR, "null"},
        {"[]", ENVELOPE_INVALID, NULL},
        {"[1]", ENVELOPE_BATCH, NULL},
        {"1", ENVELOPE_INVALID, NULL},
        {"{\"foo\": \"boo\"}", ENVELOPE_INVALID, NULL},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"get_data\", \"id\": \"9\"}", ENVELOPE_CALL, "\"9\""},
        /* What it leaves to us. */
        {"{\"jsonrpc\": \"2.0\", \"method\": \"m\", \"id\": null}", ENVELOPE_CALL, "null"},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"m\", \"id\": -1.5}", ENVELOPE_CALL, "-1.5"},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"m\", \"id\": \"\\u0001\\\"\"}", ENVELOPE_CALL, "\"\\u0001\\\"\""},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"m\", \"id\": 9223372036854775807, \"extra\": 1}", ENVELOPE_CALL, "9223372036854775807"},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"m\", \"id\": true}", ENVELOPE_INVALID, NULL},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"m\", \"id\": {}}", ENVELOPE_INVALID, NULL},
        {"{\"jsonrpc\": \"1.0\", \"method\": \"m\", \"id\": 7}", ENVELOPE_INVALID, "7"},
        {"{\"method\": \"m\", \"id\": 7}", ENVELOPE_INVALID, "7"},
        {"{\"jsonrpc\": \"2.0\", \"id\": 7}", ENVELOPE_INVALID, "7"},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"m\", \"params\": null, \"id\": 7}", ENVELOPE_INVALID, "7"},
        {"{\"jsonrpc\": \"2.0\", \"result\": null, \"id\": 7}", ENVELOPE_REPLY, "7"},
        {"{\"jsonrpc\": \"2.0\", \"result\": 1}", ENVELOPE_INVALID, NULL},
        {"{\"jsonrpc\": \"2.0\", \"error\": 1, \"id\": 7}", ENVELOPE_INVALID, "7"},
        {"{\"jsonrpc\": \"2.0\", \"error\": {\"code\": \"1\", \"message\": \"x\"}, \"id\": 7}", ENVELOPE_INVALID, "7"},
};

START_TEST(message_is_classified) {
        _cleanup_json_ json_t *message = json_loads(cases[_i].text, JSON_DECODE_ANY, NULL);
        _cleanup_text_ Text id = {0};
        Envelope e;

        envelope_unpack(message, &e);
        ck_assert_msg(e.kind == cases[_i].kind, "%s", cases[_i].text);
        if (e.kind == ENVELOPE_INVALID)
                ck_assert_ptr_nonnull(e.fault);
        if (!cases[_i].id) {
                ck_assert_ptr_null(e.id);
                return;
        }
        json_put_object(&id, NULL);
        envelope_put_id(&id, e.id);
        ck_assert_str_eq(strchr(id.data, ':') + 1, cases[_i].id);
}
END_TEST

START_TEST(ids_have_a_bound) {
        char id[ENVELOPE_ID_MAX + 2];

        for (size_t n = ENVELOPE_ID_MAX; n <= ENVELOPE_ID_MAX + 1; n++) {
                _cleanup_json_ json_t *message = NULL;
                Envelope e;

                memset(id, 'x', n);
                id[n] = 0;
                message = json_pack("{s:s,s:s,s:s}", "jsonrpc", "2.0", "method", "m", "id", id);
                envelope_unpack(message, &e);
                ck_assert_int_eq(e.kind, n <= ENVELOPE_ID_MAX ? ENVELOPE_CALL : ENVELOPE_INVALID);
        }
}
END_TEST

/* One message out of @t, which is emptied. */
static Envelope reread(Text *t, json_t **message) {
        Envelope e;

        json_decref(*message);
        *message = json_loadb(t->data, t->length, 0, NULL);
        ck_assert_msg(*message, "%s", t->data);
        ck_assert_int_eq(t->data[t->length - 1], '\n');
        envelope_unpack(*message, &e);
        text_clear(t);
        return e;
}

START_TEST(what_goes_out_comes_in) {
        _cleanup_json_ json_t *id = json_string("a\"b"), *message = NULL;
        _cleanup_text_ Text t = {0};
        Envelope e;

        envelope_begin_call(&t, 5, "status");
        json_put_object(&t, NULL);
        json_end_object(&t);
        envelope_end(&t);
        envelope_end_line(&t);
        e = reread(&t, &message);
        ck_assert_int_eq(e.kind, ENVELOPE_CALL);
        ck_assert_str_eq(e.method, "status");
        ck_assert_int_eq(json_integer_value(e.id), 5);

        envelope_begin_reply(&t, id);
        json_put_string(&t, NULL, "done");
        envelope_end(&t);
        envelope_end_line(&t);
        e = reread(&t, &message);
        ck_assert_int_eq(e.kind, ENVELOPE_REPLY);
        ck_assert_str_eq(json_string_value(e.result), "done");
        ck_assert(json_equal(e.id, id));

        envelope_begin_notification(&t, "log");
        json_put_object(&t, NULL);
        json_end_object(&t);
        envelope_end(&t);
        envelope_end_line(&t);
        ck_assert_int_eq(reread(&t, &message).kind, ENVELOPE_NOTIFICATION);

        envelope_begin_error(&t, NULL, ERROR_NOT_FOUND, "no pool \"x\"");
        json_put_i64(&t, "exitcode", -9);
        envelope_end_error(&t);
        envelope_end_line(&t);
        e = reread(&t, &message);
        ck_assert_int_eq(e.kind, ENVELOPE_ERROR);
        ck_assert_int_eq(e.code, -32001);
        ck_assert_str_eq(e.message, "no pool \"x\"");
        ck_assert_str_eq(json_string_value(json_object_get(e.data, "name")), "not-found");
        ck_assert_int_eq(json_integer_value(json_object_get(e.data, "exitcode")), -9);
}
END_TEST

START_TEST(a_batch_gets_its_commas) {
        _cleanup_json_ json_t *batch = NULL;
        _cleanup_text_ Text t = {0};

        json_put_array(&t, NULL);
        envelope_put_error(&t, NULL, ERROR_REQUEST, "one");
        envelope_begin_reply(&t, NULL);
        json_put_i64(&t, NULL, 2);
        envelope_end(&t);
        json_end_array(&t);
        envelope_end_line(&t);
        batch = json_loadb(t.data, t.length, 0, NULL);
        ck_assert_uint_eq(json_array_size(batch), 2);
}
END_TEST

int main(void) {
        Suite *s = suite_create("envelope");
        TCase *t = tcase_create("envelope");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, message_is_classified, 0, ARRAY_SIZE(cases));
        tcase_add_test(t, ids_have_a_bound);
        tcase_add_test(t, what_goes_out_comes_in);
        tcase_add_test(t, a_batch_gets_its_commas);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
