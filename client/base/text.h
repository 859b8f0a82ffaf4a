/* text.h - a growing text buffer, and a JSON writer on top of it.
 *
 * Owner: whoever embeds it. Failure is sticky: after the first failed growth every append does nothing and
 * `failed` is set, so a long message needs one check at its end (text_check()). Always NUL-terminated once
 * something was appended.
 *
 * The JSON writer keeps no stack: it looks at the last byte to know whether a comma is due. */
#ifndef DROVER_BASE_TEXT_H
#define DROVER_BASE_TEXT_H

#include "base/macro.h"

typedef struct Text {
        char *data;
        size_t length, capacity;
        bool failed;
} Text;

void text_done(Text *t);  /* frees, leaves an empty Text */
void text_clear(Text *t); /* empties, keeps the memory, forgets a failure */
#define _cleanup_text_ _cleanup_(text_done)

/** text_truncate() - take back what was appended after @length (an earlier t->length), and a failure since. */
void text_truncate(Text *t, size_t length);
/** text_check() - 0, or -ENOMEM when any append since the last clear failed. */
int text_check(const Text *t);
char *text_take(Text *t); /* the string, now the caller's; NULL when failed; "" when empty */

void text_append(Text *t, const char *s);
void text_append_n(Text *t, const void *bytes, size_t n);
void text_append_char(Text *t, char c);
void text_append_u64(Text *t, uint64_t v);
void text_append_i64(Text *t, int64_t v);
void text_appendf(Text *t, const char *fmt, ...) _printf_(2, 3);
/** text_append_manual() - @s for a page of man(7): backslashes, hyphens and quotes escaped. */
void text_append_manual(Text *t, const char *s);

/** utf8_sequence() - bytes (1..4) of the valid UTF-8 character at @s of @n bytes; 0 when there is none. */
size_t utf8_sequence(const char *s, size_t n);

/* JSON. `key` is NULL inside an array and at the top. Keys must be plain ASCII without quotes. */
void json_put_object(Text *t, const char *key); /* opens { */
void json_end_object(Text *t);
void json_put_array(Text *t, const char *key); /* opens [ */
void json_end_array(Text *t);
/* NULL gives null. Invalid UTF-8 becomes U+FFFD; control characters are escaped. */
void json_put_string(Text *t, const char *key, const char *s);
void json_put_string_n(Text *t, const char *key, const char *s, size_t n);
void json_put_i64(Text *t, const char *key, int64_t v);
void json_put_u64(Text *t, const char *key, uint64_t v);
void json_put_bool(Text *t, const char *key, bool v);
void json_put_null(Text *t, const char *key);
void json_put_seconds(Text *t, const char *key, uint64_t usec); /* µs as seconds with up to 6 decimals */
void json_put_raw(Text *t, const char *key, const char *json);  /* already valid JSON */

#endif
