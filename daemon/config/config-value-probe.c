/* config-value-probe.c - questions put to a worker: tcp, http, exec. Each key fills the ProbeConfig of its slot.
 *
 * key->detail: 1 for the probe of `ready`, which also makes it the kind of readiness. That two are given, or none, is
 * found out when all keys are read. */
#include "base/alloc.h"
#include "config/address.h"
#include "config/config-key.h"
#include <stdio.h>

#define HTTP_PREFIX "http://"
#define HTTP_PATH_MAX 1023u

static ProbeConfig *probe_slot(const ConfigKey *key, void *object) {
        return config_slot(key, object);
}

static void probe_is(const ConfigKey *key, void *object, ProbeKind kind) {
        probe_slot(key, object)->kind = kind;
        if (key->detail)
                ((PoolConfig *) object)->ready = READY_PROBE;
}

/* "8080", "*:8080" and 8080 are a port on @host. */
bool config_read_address(ConfigCheck *c, const Spot *at, json_t *v, const char *host, Address *ret) {
        const char *s = json_string_value(v), *port = NULL;
        char number[24], text[ADDRESS_TEXT_MAX];
        int r;

        if (json_is_integer(v)) {
                (void) snprintf(number, sizeof(number), "%lld", (long long) json_integer_value(v));
                port = number;
        } else if (s && *s && strspn(s, "0123456789") == strlen(s))
                port = s;
        else if (s && strncmp(s, "*:", 2) == 0)
                port = s + 2;
        if (port && strlen(port) < sizeof(number)) {
                (void) snprintf(text, sizeof(text), "%s:%s", host, port);
                s = text;
        }
        r = s ? address_parse(s, ret) : -EINVAL;
        if (r == -ERANGE)
                config_fault_value(c, at, "there is no such port: it may be 1 to 65535");
        else if (r == -ENAMETOOLONG)
                config_fault_value(c, at, "the path of this socket is too long: at most 107 bytes");
        else if (r < 0)
                config_fault_value(c, at, "expected an address: \"127.0.0.1:8080\", \"[::1]:8080\", a port, or the path of a socket; "
                                          "names are not looked up");
        return r == 0;
}

static void probe_tcp_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        char text[ADDRESS_TEXT_MAX];
        Address a;

        if (config_read_address(c, at, v, "127.0.0.1", &a) &&
            config_store_string(c, &probe_slot(key, object)->address, address_format(&a, text)) == 0)
                probe_is(key, object, PROBE_TCP);
}

static bool same_text(const char *a, const char *b) {
        return a && b ? streq(a, b) : a == b;
}

static bool probe_address_equal(const ConfigKey *key, const void *a, const void *b, ProbeKind kind) {
        const ProbeConfig *x = config_slot_const(key, a), *y = config_slot_const(key, b);

        if ((x->kind == kind) != (y->kind == kind))
                return false;
        return x->kind != kind ||
               (same_text(x->address, y->address) && same_text(x->path, y->path) && same_text(x->host, y->host));
}

static bool probe_tcp_equal(const ConfigKey *key, const void *a, const void *b) {
        return probe_address_equal(key, a, b, PROBE_TCP);
}

static void probe_tcp_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "$ref", "#/$defs/address");
}

const ConfigType config_type_probe_tcp = { "address", probe_tcp_read, probe_tcp_equal, probe_tcp_schema };

/* What is wrong with a URL, or NULL with its three parts. */
static const char *url_split(const char *url, char host[static ADDRESS_TEXT_MAX], Address *ret_address, const char **ret_path) {
        const char *slash;
        size_t n;

        if (strncmp(url, "https://", 8) == 0)
                return "the probe speaks no TLS; expected \"http://HOST:PORT/PATH\", or use exec with a client of your own";
        if (strncmp(url, HTTP_PREFIX, strlen(HTTP_PREFIX)) != 0)
                return "expected \"http://HOST:PORT/PATH\"";
        url += strlen(HTTP_PREFIX);
        slash = strchr(url, '/');
        n = slash ? (size_t) (slash - url) : strlen(url);
        if (n == 0 || n >= ADDRESS_TEXT_MAX)
                return "expected \"http://HOST:PORT/PATH\"";
        memcpy(host, url, n);
        host[n] = 0;
        if (address_parse(host, ret_address) < 0)
                return "expected \"http://HOST:PORT/PATH\" with a port, and a host that is localhost or a number such as 127.0.0.1 or "
                       "[::1]; names are not looked up";
        *ret_path = slash ? slash : "/";
        for (const char *p = *ret_path; *p; p++)
                if ((unsigned char) *p <= ' ' || *p == 0x7f || *p == '#')
                        return "a blank, control character or # in the path; write it as %20 or the like";
        return strlen(*ret_path) > HTTP_PATH_MAX ? "the path is too long: at most 1023 bytes" : NULL;
}

static void probe_http_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        ProbeConfig *probe = probe_slot(key, object);
        char host[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX];
        const char *path, *fault = "expected \"http://HOST:PORT/PATH\"";
        Address a;

        if (json_is_string(v))
                fault = url_split(json_string_value(v), host, &a, &path);
        if (fault) {
                config_fault_value(c, at, "%s", fault);
                return;
        }
        if (config_store_string(c, &probe->address, address_format(&a, text)) == 0 &&
            config_store_string(c, &probe->host, host) == 0 && config_store_string(c, &probe->path, path) == 0)
                probe_is(key, object, PROBE_HTTP);
}

static bool probe_http_equal(const ConfigKey *key, const void *a, const void *b) {
        return probe_address_equal(key, a, b, PROBE_HTTP);
}

static void probe_http_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "string");
        json_put_string(t, "pattern", "^http://(localhost|[0-9.]+|\\[[0-9a-fA-F:.]+\\]):[0-9]+(/.*)?$");
}

const ConfigType config_type_probe_http = { "http:// URL", probe_http_read, probe_http_equal, probe_http_schema };

static void probe_exec_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        ProbeConfig *probe = probe_slot(key, object);
        char **argv = config_read_argv(c, at, v);

        if (!argv)
                return;
        strv_free(probe->command);
        probe->command = argv;
        probe_is(key, object, PROBE_EXEC);
}

static bool probe_exec_equal(const ConfigKey *key, const void *a, const void *b) {
        const ProbeConfig *x = config_slot_const(key, a), *y = config_slot_const(key, b);
        size_t i = 0;

        if (x->kind != PROBE_EXEC || y->kind != PROBE_EXEC)
                return (x->kind == PROBE_EXEC) == (y->kind == PROBE_EXEC);
        for (; x->command[i] && y->command[i]; i++)
                if (!streq(x->command[i], y->command[i]))
                        return false;
        return !x->command[i] && !y->command[i];
}

static void probe_exec_schema(const ConfigKey *key, Text *t) {
        config_type_argv.schema(key, t);
}

const ConfigType config_type_probe_exec = { "array of strings", probe_exec_read, probe_exec_equal, probe_exec_schema };
