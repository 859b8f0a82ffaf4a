/* probe-http.h - the little HTTP/1.1 a probe speaks: one request as text, and the status line of the answer. Pure. */
#ifndef DROVER_POOL_PROBE_HTTP_H
#define DROVER_POOL_PROBE_HTTP_H

#include "base/macro.h"

#define HTTP_LINE_MAX 160u   /* bytes of a line that are kept; the rest of it is read over */
#define HTTP_ANSWER_MAX 8192u /* bytes read before giving up; only interim answers (1xx) come before the status line */

/* All zero is a fresh one. */
typedef struct HttpAnswer {
        int status;     /* 0: not known yet */
        bool is_interim;/* within the header fields of a 1xx answer */
        size_t length, total;
        char line[HTTP_LINE_MAX + 1];
} HttpAnswer;

/**
 * http_answer_feed() - the next bytes of the answer, in pieces of any size
 * Return: 1 when the status is known (then ->line is "503 Service Unavailable"); 0: more is needed; -EBADMSG: this is
 * not HTTP; -EMSGSIZE: too much of it.
 */
int http_answer_feed(HttpAnswer *a, const char *bytes, size_t n);
/** http_request_make() - "GET /healthz HTTP/1.1\r\nHost: …"; the caller frees. @path and @host hold no control characters. */
char *http_request_make(const char *path, const char *host);
bool http_status_is_well(int status); /* 200..399 */

#endif
