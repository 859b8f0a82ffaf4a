/* payload.c - see payload.h. */
#include "control/payload.h"

static bool begins(Slice s, char c) {
        return s.at && s.at[0] == c;
}

/* @out gets @from..@slice, then @instead; Return: where to go on. */
static const char *replace(Text *out, const char *from, Slice slice, const char *instead) {
        text_append_n(out, from, (size_t) (slice.at - from));
        text_append(out, instead);
        return slice.at + slice.n;
}

static void cut_in_order(const char *line, size_t length, const Slice *slices, size_t n, Text *out) {
        const char *at = line;

        for (;;) {
                const Slice *next = NULL;

                for (size_t i = 0; i < n; i++)
                        if (slices[i].at && slices[i].at >= at && (!next || slices[i].at < next->at))
                                next = &slices[i];
                if (!next)
                        break;
                at = replace(out, at, *next, next->at[0] == '{' ? "{}" : "[]");
        }
        text_append_n(out, at, (size_t) (line + length - at));
}

bool payload_cut(const char *line, size_t length, Payload *ret, Text *out) {
        SliceMember top[] = {{.key = "method"}, {.key = "params"}};
        SliceMember p[] = {{.key = "args"}, {.key = "kwargs"}, {.key = "items"}};
        Slice cut[3];

        if (!memmem(line, length, "\"task.", 6) || slice_object(line, length, top, ARRAY_SIZE(top), NULL) < 0)
                return false;
        if (top[0].value.n < 7 || memcmp(top[0].value.at, "\"task.", 6) != 0 || !begins(top[1].value, '{'))
                return false;
        if (slice_object(top[1].value.at, top[1].value.n, p, ARRAY_SIZE(p), NULL) < 0)
                return false;
        cut[0] = begins(p[0].value, '[') ? p[0].value : (Slice){0};
        cut[1] = begins(p[1].value, '{') ? p[1].value : (Slice){0};
        cut[2] = begins(p[2].value, '[') ? p[2].value : (Slice){0};
        if (!cut[0].at && !cut[1].at && !cut[2].at)
                return false;
        cut_in_order(line, length, cut, ARRAY_SIZE(cut), out);
        *ret = (Payload){.args = cut[0], .kwargs = cut[1], .items = cut[2]};
        return text_check(out) >= 0;
}

Slice payload_text(Slice cut, const json_t *value, Text *store) {
        char *text;

        if (cut.at || !value)
                return cut;
        text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!text) {
                store->failed = true;
                return (Slice){0};
        }
        text_append(store, text);
        free(text);
        return text_check(store) < 0 ? (Slice){0} : (Slice){.at = store->data, .n = store->length};
}
