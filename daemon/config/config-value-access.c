/* config-value-access.c - who may do what: accounts with a role at the control socket, capabilities of a worker. */
#include "base/alloc.h"
#include "base/parse.h"
#include "config/capability.h"
#include "config/config-key.h"
#include "config/resolve.h"

#define ACCESS_MAX 256u

/* access: an array of "user:NAME", "group:NAME", "uid:N", "gid:N", "*" */

static int entry_number(const char *s, uint32_t *ret) {
        uint64_t n;

        if (parse_u64(s, &n) < 0 || n >= UINT32_MAX)
                return -EINVAL;
        *ret = (uint32_t) n;
        return 0;
}

static int entry_user(const char *name, uid_t *ret) {
        _cleanup_account_ Account account = { 0 };
        int r = resolve_user(name, &account);

        if (r == 0)
                *ret = account.uid;
        return r;
}

static int entry_add(AccessList *l, const char *s) {
        uint32_t id = 0;
        int r;

        if (streq(s, "*")) {
                l->everybody = true;
                return 0;
        }
        bool is_user = strncmp(s, "user:", 5) == 0, is_uid = strncmp(s, "uid:", 4) == 0;
        if (is_user)
                r = entry_user(s + 5, &id);
        else if (strncmp(s, "group:", 6) == 0)
                r = resolve_group(s + 6, &id);
        else if (is_uid || strncmp(s, "gid:", 4) == 0)
                r = entry_number(s + 4, &id);
        else
                return -EINVAL;
        if (r < 0)
                return r;
        if (is_user || is_uid)
                l->uids[l->n_uids++] = id;
        else
                l->gids[l->n_gids++] = id;
        return 0;
}

static int compare_ids(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
        return x < y ? -1 : x > y;
}

static size_t sort_ids(uint32_t *ids, size_t n) {
        size_t kept = 0;

        qsort(ids, n, sizeof(*ids), compare_ids);
        for (size_t i = 0; i < n; i++)
                if (i == 0 || ids[i] != ids[i - 1])
                        ids[kept++] = ids[i];
        return kept;
}

void access_list_done(AccessList *l) {
        free(l->uids);
        free(l->gids);
        *l = (AccessList){ 0 };
}

static void access_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        size_t i, n = json_array_size(v), n_before = c->faults->n;
        AccessList *slot = config_slot(key, object);
        _cleanup_(access_list_done) AccessList list = { 0 };
        json_t *item;

        if (!json_is_array(v) || n > ACCESS_MAX) {
                config_fault_value(c, at, "expected an array of at most %u: [\"user:bob\", \"group:ops\", \"uid:1000\", \"*\"]", ACCESS_MAX);
                return;
        }
        list.uids = NEW0_ARRAY(uid_t, n + 1);
        list.gids = NEW0_ARRAY(gid_t, n + 1);
        if (!list.uids || !list.gids) {
                c->error = -ENOMEM;
                return;
        }
        json_array_foreach(v, i, item) {
                Spot here = { .up = at, .index = i };
                int r = json_is_string(item) ? entry_add(&list, json_string_value(item)) : -EINVAL;
                if (r == -ESRCH)
                        config_fault_value(c, &here, "there is no such %s", json_string_value(item)[0] == 'u' ? "user" : "group");
                else if (r == -ENOMEM)
                        c->error = r;
                else if (r < 0)
                        config_fault_value(c, &here, "expected \"user:NAME\", \"group:NAME\", \"uid:N\", \"gid:N\", or \"*\" for everybody");
        }
        if (c->error || c->faults->n > n_before)
                return;
        list.n_uids = sort_ids(list.uids, list.n_uids);
        list.n_gids = sort_ids(list.gids, list.n_gids);
        list.is_given = true;
        access_list_done(slot);
        *slot = list;
        list = (AccessList){ 0 };
}

static bool access_equal(const ConfigKey *key, const void *a, const void *b) {
        const AccessList *x = config_slot_const(key, a), *y = config_slot_const(key, b);

        return x->is_given == y->is_given && x->everybody == y->everybody && x->n_uids == y->n_uids && x->n_gids == y->n_gids &&
               (x->n_uids == 0 || memcmp(x->uids, y->uids, x->n_uids * sizeof(*x->uids)) == 0) &&
               (x->n_gids == 0 || memcmp(x->gids, y->gids, x->n_gids * sizeof(*x->gids)) == 0);
}

static void access_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "array");
        json_put_i64(t, "maxItems", ACCESS_MAX);
        json_put_raw(t, "items", "{\"type\":\"string\",\"pattern\":\"^((user|group):.+|[ug]id:[0-9]+|[*])$\"}");
}

const ConfigType config_type_access = { "array of accounts", access_read, access_equal, access_schema };

/* capabilities */

static void capabilities_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        uint64_t set = 0;
        bool good = true;
        json_t *item;
        size_t i;

        if (!json_is_array(v)) {
                config_fault_value(c, at, "expected an array of capabilities: [\"cap_net_bind_service\"], or [] for none");
                return;
        }
        json_array_foreach(v, i, item) {
                Spot here = { .up = at, .index = i };
                const char *s = json_string_value(item), *near = NULL;
                int bit = s ? capability_from_string(s, &near) : -EINVAL;

                if (bit >= 0)
                        set |= UINT64_C(1) << bit;
                else if (near)
                        config_fault_value(c, &here, "there is no such capability; did you mean \"%s\"?", near);
                else
                        config_fault_value(c, &here, "there is no such capability; expected one of capabilities(7), such as \"cap_net_bind_service\"");
                good = good && bit >= 0;
        }
        if (!good)
                return;
        *(uint64_t *) config_slot(key, object) = set;
        *(bool *) ((char *) object + key->offset_has) = true;
}

static bool capabilities_equal(const ConfigKey *key, const void *a, const void *b) {
        bool has_a = *(const bool *) ((const char *) a + key->offset_has), has_b = *(const bool *) ((const char *) b + key->offset_has);
        return has_a == has_b && (!has_a || *(const uint64_t *) config_slot_const(key, a) == *(const uint64_t *) config_slot_const(key, b));
}

static void capabilities_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "array");
        json_put_raw(t, "items", "{\"type\":\"string\",\"pattern\":\"^([Cc][Aa][Pp]_)?[A-Za-z0-9_]+$\"}");
}

const ConfigType config_type_capabilities = { "array of capabilities", capabilities_read, capabilities_equal, capabilities_schema };

/* socket_group */

static void socket_group_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        Config *config = object;

        if (!json_is_string(v))
                config_fault_value(c, at, "expected the name of a group");
        else if (config_read_group(c, at, v, &config->socket_gid))
                (void) config_store_string(c, &config->socket_group, json_string_value(v));
}

static bool socket_group_equal(const ConfigKey *key, const void *a, const void *b) {
        const Config *x = a, *y = b;
        return !x->socket_group == !y->socket_group && (!x->socket_group || x->socket_gid == y->socket_gid);
}

static void socket_group_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "string");
}

const ConfigType config_type_socket_group = { "group", socket_group_read, socket_group_equal, socket_group_schema };
