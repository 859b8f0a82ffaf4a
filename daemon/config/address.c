/* address.c - numeric addresses; see the header. */
#include "config/address.h"
#include "base/parse.h"
#include <arpa/inet.h>
#include <stdio.h>

static int parse_port(const char *s, in_port_t *ret) {
        uint64_t port;
        int r = parse_u64(s, &port);

        if (r < 0)
                return r;
        if (port < 1 || port > UINT16_MAX)
                return -ERANGE;
        *ret = htons((uint16_t) port);
        return 0;
}

static int parse_path(const char *s, Address *ret) {
        size_t n = strlen(s);

        *ret = (Address){0};
        if (n >= sizeof(ret->un.sun_path))
                return -ENAMETOOLONG;
        ret->un.sun_family = AF_UNIX;
        memcpy(ret->un.sun_path, s, n + 1);
        ret->size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n + 1);
        return 0;
}

/* The host between @s and its @n bytes, without brackets. */
static int parse_host(const char *s, size_t n, bool is_v6, in_port_t port, Address *ret) {
        char host[INET6_ADDRSTRLEN];
        Address a = {0};
        int ok;

        if (n >= sizeof(host))
                return -EINVAL;
        memcpy(host, s, n);
        host[n] = 0;
        if (is_v6) {
                a.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
                a.size = sizeof(a.in6);
                ok = inet_pton(AF_INET6, host, &a.in6.sin6_addr);
        } else {
                a.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
                a.size = sizeof(a.in);
                ok = inet_pton(AF_INET, streq(host, "localhost") ? "127.0.0.1" : host, &a.in.sin_addr);
        }
        if (ok != 1)
                return -EINVAL;
        *ret = a;
        return 0;
}

int address_parse(const char *text, Address *ret) {
        const char *colon = strrchr(text, ':');
        bool is_v6 = text[0] == '[';
        in_port_t port;
        int r;

        if (text[0] == '/')
                return parse_path(text, ret);
        if (!colon || (is_v6 && (colon < text + 2 || colon[-1] != ']')))
                return -EINVAL;
        r = parse_port(colon + 1, &port);
        if (r < 0)
                return r;
        return is_v6 ? parse_host(text + 1, (size_t) (colon - text) - 2, true, port, ret)
                     : parse_host(text, (size_t) (colon - text), false, port, ret);
}

char *address_format(const Address *a, char buf[static ADDRESS_TEXT_MAX]) {
        char host[INET6_ADDRSTRLEN] = "";

        switch (a->sa.sa_family) {
        case AF_UNIX:
                (void) snprintf(buf, ADDRESS_TEXT_MAX, "%s", a->un.sun_path);
                break;
        case AF_INET6:
                (void) inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
                (void) snprintf(buf, ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(a->in6.sin6_port));
                break;
        default:
                (void) inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
                (void) snprintf(buf, ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(a->in.sin_port));
        }
        return buf;
}

static bool is_every_host(const Address *a) {
        return a->sa.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr)
                                           : a->in.sin_addr.s_addr == htonl(INADDR_ANY);
}

bool address_overlaps(const Address *a, const Address *b) {
        sa_family_t x = a->sa.sa_family, y = b->sa.sa_family;

        if (x == AF_UNIX || y == AF_UNIX)
                return x == y && streq(a->un.sun_path, b->un.sun_path);
        if ((x == AF_INET6 ? a->in6.sin6_port : a->in.sin_port) != (y == AF_INET6 ? b->in6.sin6_port : b->in.sin_port))
                return false;
        if (x == y)
                return is_every_host(a) || is_every_host(b) ||
                       (x == AF_INET6 ? memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0
                                      : a->in.sin_addr.s_addr == b->in.sin_addr.s_addr);
        return is_every_host(x == AF_INET6 ? a : b);
}
