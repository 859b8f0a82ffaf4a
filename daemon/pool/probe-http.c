/* probe-http.c - see probe-http.h. Nothing behind the status line is looked at, but in interim answers. */
#include "pool/probe-http.h"

#include "base/alloc.h"

#define PREFIX "HTTP/1."

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* "HTTP/1.1 503 Service Unavailable"; leaves "503 Service Unavailable" in ->line. */
static int parse_status_line(HttpAnswer *a) {
        const char *s = a->line, *p = s + sizeof PREFIX + 1;

        if (strncmp(s, PREFIX, sizeof PREFIX - 1) != 0 || !is_digit(s[sizeof PREFIX - 1]) || s[sizeof PREFIX] != ' ')
                return -EBADMSG;
        if (p[0] < '1' || p[0] > '9' || !is_digit(p[1]) || !is_digit(p[2]) || (p[3] != ' ' && p[3] != 0))
                return -EBADMSG;
        a->status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
        for (char *q = memmove(a->line, p, strlen(p) + 1); *q; q++)
                if ((unsigned char) *q < 0x20 || (unsigned char) *q >= 0x7f)
                        *q = '?'; /* it goes into a sentence for people */
        return 1;
}

static int take_line(HttpAnswer *a) {
        int r;

        if (a->length > 0 && a->line[a->length - 1] == '\r')
                a->length--;
        a->line[a->length] = 0;
        if (a->is_interim) {
                a->is_interim = a->length > 0;
                a->length = 0;
                return 0;
        }
        r = parse_status_line(a);
        a->length = 0;
        if (r < 0 || a->status >= 200)
                return r;
        a->is_interim = true;
        a->status = 0;
        return 0;
}

int http_answer_feed(HttpAnswer *a, const char *bytes, size_t n) {
        for (size_t i = 0; i < n; i++) {
                int r = 0;

                if (++a->total > HTTP_ANSWER_MAX)
                        return -EMSGSIZE;
                if (bytes[i] == '\n')
                        r = take_line(a);
                else if (a->length < HTTP_LINE_MAX)
                        a->line[a->length++] = bytes[i];
                if (r != 0)
                        return r;
        }
        return 0;
}

char *http_request_make(const char *path, const char *host) {
        return alloc_printf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: drover\r\nAccept: */*\r\nConnection: close\r\n\r\n", path,
                            host);
}

bool http_status_is_well(int status) {
        return status >= 200 && status <= 399;
}
