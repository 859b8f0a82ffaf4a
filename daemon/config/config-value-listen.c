/* config-value-listen.c - sockets of a pool: an object of names, each an address or an object with rows of its own.
 *
 * Stored sorted by name: the order of the descriptors a worker gets. */
#include "base/alloc.h"
#include "base/parse.h"
#include "config/config-validate.h"
#include <stdio.h>

#define EVERY_HOST "[::]" /* both families, where the kernel has IPv6 */

/* tcp, udp, unix: key->detail is the ListenKind. That two are given is found out by listen_finish(). */
static void listen_address_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        ListenConfig *l = object;
        bool wants_path = key->detail == LISTEN_UNIX;
        char text[ADDRESS_TEXT_MAX];
        Address a;

        if (!config_read_address(c, at, v, EVERY_HOST, &a))
                return;
        if (wants_path != (a.sa.sa_family == AF_UNIX)) {
                config_fault_value(c, at, wants_path ? "expected the absolute path of a socket"
                                                     : "expected a port, \"127.0.0.1:8080\" or \"[::1]:8080\"; a path goes with unix");
                return;
        }
        l->kind = (ListenKind) key->detail;
        (void) config_store_string(c, &l->address, address_format(&a, text));
}

static bool listen_address_equal(const ConfigKey *key, const void *a, const void *b) {
        const ListenConfig *x = a, *y = b;
        return x->kind == y->kind && streq(x->address, y->address);
}

static void listen_address_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "$ref", "#/$defs/address");
}

const ConfigType config_type_listen_address = { "address", listen_address_read, listen_address_equal, listen_address_schema };

/* user, group: of a socket's file */

static void listen_user_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        ListenConfig *l = object;

        if (config_read_user(c, at, v, &l->uid))
                l->has_owner = true;
}

static void listen_group_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        ListenConfig *l = object;

        if (config_read_group(c, at, v, &l->gid))
                l->has_owner = true;
}

static bool listen_user_equal(const ConfigKey *key, const void *a, const void *b) {
        return ((const ListenConfig *) a)->uid == ((const ListenConfig *) b)->uid;
}

static bool listen_group_equal(const ConfigKey *key, const void *a, const void *b) {
        return ((const ListenConfig *) a)->gid == ((const ListenConfig *) b)->gid;
}

static void listen_identity_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "$ref", "#/$defs/identity");
}

const ConfigType config_type_listen_user = { "user", listen_user_read, listen_user_equal, listen_identity_schema };
const ConfigType config_type_listen_group = { "group", listen_group_read, listen_group_equal, listen_identity_schema };

/* one socket */

static void fault_member(ConfigCheck *c, const Spot *at, json_t *o, const char *name, const char *text) {
        Spot here = { .up = at, .key = name };

        if (json_object_get(o, name))
                config_fault_key(c, &here, "%s", text);
}

static void listen_finish(ConfigCheck *c, const Spot *at, json_t *o, const ListenConfig *l) {
        size_t n_kinds = !!json_object_get(o, "tcp") + !!json_object_get(o, "udp") + !!json_object_get(o, "unix");

        if (n_kinds != 1)
                config_fault_value(c, at, "a socket needs one of tcp, udp and unix: { \"tcp\": \"0.0.0.0:8080\" }");
        if (n_kinds == 1 && l->kind == LISTEN_UNIX) {
                fault_member(c, at, o, "reuse_port", "only tcp and udp have ports");
                fault_member(c, at, o, "freebind", "only for tcp and udp");
        } else if (n_kinds == 1) {
                fault_member(c, at, o, "mode", "only a socket with a path has a mode");
                fault_member(c, at, o, "user", "only a socket with a path has an owner");
                fault_member(c, at, o, "group", "only a socket with a path has an owner");
        }
        if (n_kinds == 1 && l->kind == LISTEN_UDP)
                fault_member(c, at, o, "backlog", "only tcp and unix queue connections");
}

static void listen_read_one(ConfigCheck *c, const Spot *at, json_t *v, ListenConfig *l) {
        const char *s = json_string_value(v);

        l->uid = (uid_t) -1;
        l->gid = (gid_t) -1;
        if (config_defaults_read(CONFIG_SCOPE_LISTEN, l) < 0)
                c->error = -ENOMEM;
        if (config_store_string(c, &l->name, at->key) < 0)
                return;
        if (json_is_object(v)) {
                config_validate_members(c, at, v, CONFIG_SCOPE_LISTEN, "", l);
                listen_finish(c, at, v, l);
        } else if (s || json_is_integer(v)) {
                const ConfigKey *key = config_key_find(CONFIG_SCOPE_LISTEN, "", s && strchr(s, '/') ? "unix" : "tcp");
                key->type->read(c, at, v, key, l);
        } else
                config_fault_value(c, at, "expected an address or an object: { \"tcp\": \"0.0.0.0:8080\" }");
}

static int compare_listen(const void *a, const void *b) {
        return strcmp(((const ListenConfig *) a)->name, ((const ListenConfig *) b)->name);
}

static void listen_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        PoolConfig *p = object;
        size_t n = json_object_size(v);
        const char *name;
        json_t *item;

        if (n == 0 || n > LISTEN_MAX) {
                config_fault_value(c, at, "expected an object of 1 to %u sockets: { \"http\": \"0.0.0.0:8080\" }", LISTEN_MAX);
                return;
        }
        p->listen = NEW0_ARRAY(ListenConfig, n);
        if (!p->listen) {
                c->error = -ENOMEM;
                return;
        }
        json_object_foreach(v, name, item) {
                Spot here = { .up = at, .key = name };
                if (!name_is_valid(name))
                        config_fault_key(c, &here, "not a name for a socket: it must be like [a-z0-9][a-z0-9_.-]*");
                listen_read_one(c, &here, item, &p->listen[p->n_listen++]);
                if (c->error)
                        return;
        }
        qsort(p->listen, p->n_listen, sizeof(*p->listen), compare_listen);
}

static bool listen_equal_one(const ListenConfig *x, const ListenConfig *y) {
        if (!streq(x->name, y->name))
                return false;
        for (size_t i = 0; i < n_config_keys; i++)
                if (config_keys[i].scope == CONFIG_SCOPE_LISTEN && !config_keys[i].type->equal(&config_keys[i], x, y))
                        return false;
        return true;
}

static bool listen_equal(const ConfigKey *key, const void *a, const void *b) {
        const PoolConfig *x = a, *y = b;

        if (x->n_listen != y->n_listen)
                return false;
        for (size_t i = 0; i < x->n_listen; i++)
                if (!listen_equal_one(&x->listen[i], &y->listen[i]))
                        return false;
        return true;
}

static void listen_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "object");
        json_put_i64(t, "minProperties", 1);
        json_put_i64(t, "maxProperties", LISTEN_MAX);
        json_put_raw(t, "additionalProperties", "{\"anyOf\":[{\"$ref\":\"#/$defs/address\"},{\"$ref\":\"#/$defs/listen\"}]}");
}

const ConfigType config_type_listen = { "object of sockets", listen_read, listen_equal, listen_schema };
