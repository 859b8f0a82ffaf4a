/* address.h - where a socket is: numeric addresses as text, and as the kernel takes them.
 *
 * Text has one form for each address: "127.0.0.1:80", "[::1]:80", "/run/x.sock". No name but "localhost" (127.0.0.1)
 * is known, since looking one up may block. Values only, no state. */
#ifndef DROVER_CONFIG_ADDRESS_H
#define DROVER_CONFIG_ADDRESS_H

#include "base/macro.h"
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct Address {
        union {
                struct sockaddr sa;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
                struct sockaddr_un un;
        };
        socklen_t size;
} Address;
#define ADDRESS_TEXT_MAX 128

/**
 * address_parse() - "127.0.0.1:80", "[::1]:80", "localhost:80", "/run/x.sock"
 * Return: 0; -EINVAL (no such form), -ERANGE (a port not within 1..65535), -ENAMETOOLONG (a path beyond 107 bytes).
 */
int address_parse(const char *text, Address *ret);
/** address_format() - the one form of it, in @buf. */
char *address_format(const Address *a, char buf[static ADDRESS_TEXT_MAX]);
/** address_overlaps() - pure; whether two sockets of one kind could not both be bound: the same port, and the same host
 *  or one of them every host. [::] is every host of both families. */
bool address_overlaps(const Address *a, const Address *b);

#endif
