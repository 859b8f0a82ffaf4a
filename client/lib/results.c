/* results.c - see results.h.
 *
 * droverd writes these lines in one way, so that the array of results can be found without reading it twice; a line that is
 * written differently, or that has errors, is read member by member. */
#include "lib/results.h"

#include "base/json.h"
#include "wire/protocol.h"
#include <string.h>

#define HEAD "{\"jsonrpc\":\"2.0\",\"method\":\"" PROTOCOL_NOTIFY_RESULT "\",\"params\":"
#define CALL "{\"" PROTOCOL_CALL_MEMBER "\":"

static int finish(struct drover_results *r) {
        ssize_t n = slice_array(r->values.at, r->values.n, NULL, SIZE_MAX, NULL, NULL);

        if (n < 0)
                return -EBADMSG;
        r->n = (size_t) n;
        return 0;
}

/* {"call":1,"index":0,"results":[...]} and nothing else: so far it was read. */
static int read_plain(Slice rest, struct drover_results *r) {
        uint64_t first;

        rest = slice_past_u64(rest, &r->call);
        rest = slice_past_u64(slice_past(rest, ",\"index\":"), &first);
        r->values = slice_before(slice_past(rest, ",\"results\":"), "}}");
        if (!r->values.at)
                return -EBADMSG;
        r->first = (size_t) first;
        return finish(r);
}

static int read_members(Slice params, struct drover_results *r) {
        SliceMember m[] = {{.key = PROTOCOL_CALL_MEMBER}, {.key = "index"}, {.key = "results"}, {.key = "errors"}};
        uint64_t first;

        if (!params.at || slice_object(params.at, params.n, m, ARRAY_SIZE(m), NULL) < 0 || slice_u64(m[0].value, &r->call) < 0 ||
            slice_u64(m[1].value, &first) < 0 || !m[2].value.at)
                return -EBADMSG;
        r->first = (size_t) first;
        r->values = m[2].value;
        r->errors = m[3].value;
        return finish(r);
}

int results_read(const char *line, size_t length, struct drover_results *ret) {
        Slice whole = {.at = line, .n = length}, params = slice_past(whole, HEAD);
        struct drover_results r = {0};

        if (!params.at)
                return -EBADMSG;
        if (read_plain(slice_past(params, CALL), &r) < 0 && read_members(slice_before(params, "}"), &r) < 0)
                return -EBADMSG;
        *ret = r;
        return 0;
}

void results_done(struct drover_results *r) {
        json_decref(r->errors_made);
        r->errors_made = NULL;
}

/* ---- for users ---- */

size_t drover_results_first(const drover_results *r) {
        return r->first;
}

size_t drover_results_count(const drover_results *r) {
        return r->n;
}

const char *drover_results_text(const drover_results *r, size_t *ret_length) {
        if (ret_length)
                *ret_length = r->values.n;
        return r->values.at;
}

json_t *drover_results_values(const drover_results *r) {
        return json_loadb(r->values.at, r->values.n, 0, NULL);
}

int drover_results_integers(const drover_results *r, int64_t *values) {
        const char *at = r->values.at + 1, *end = r->values.at + r->values.n;

        for (size_t i = 0; i < r->n; i++) {
                uint64_t v = 0, limit;
                bool is_negative;

                while (*at == ' ' || *at == ',')
                        at++;
                is_negative = *at == '-';
                at += is_negative;
                limit = (uint64_t) INT64_MAX + is_negative;
                if (*at < '0' || *at > '9')
                        return -EINVAL;
                for (; at < end && *at >= '0' && *at <= '9'; at++) {
                        uint64_t digit = (uint64_t) (*at - '0');

                        if (v > (limit - digit) / 10)
                                return -ERANGE;
                        v = v * 10 + digit;
                }
                if (*at != ',' && *at != ']' && *at != ' ')
                        return -EINVAL;
                values[i] = is_negative ? (int64_t) (0 - v) : (int64_t) v;
        }
        return 0;
}

json_t *drover_results_errors(drover_results *r) {
        if (r->errors.at && !r->errors_made)
                r->errors_made = json_loadb(r->errors.at, r->errors.n, 0, NULL);
        return r->errors_made;
}
