/* config-identity.c - user, group, groups: resolved to numbers, and permitted to be what they are.
 *
 * The kernel lets an ordinary user be nobody else, so in user mode only the own user and group may stand here, and then
 * nothing is changed at the launch. As root, a user brings the account's group and supplementary groups along. */
#include "base/alloc.h"
#include "config/config-validate.h"
#include "config/resolve.h"
#include <stdio.h>
#include <unistd.h>

/* The text of a name or number; NULL after a fault. */
static const char *identity_text(ConfigCheck *c, const Spot *at, json_t *v, const char *what, char buf[static 24]) {
        if (json_is_string(v))
                return json_string_value(v);
        if (json_is_integer(v)) {
                snprintf(buf, 24, "%lld", (long long) json_integer_value(v));
                return buf;
        }
        config_fault_value(c, at, "expected the name or number of a %s", what);
        return NULL;
}

static void fault_lookup(ConfigCheck *c, const Spot *at, const char *what, const char *text, int error) {
        if (error == -ENOMEM)
                c->error = -ENOMEM;
        else if (error == -EINVAL)
                config_fault_value(c, at, "\"%.64s\" is not the name or number of a %s", text, what);
        else if (error == -ESRCH)
                config_fault_value(c, at, "there is no such %s: \"%.64s\"", what, text);
        else
                config_fault_value(c, at, "cannot look up this %s: %s", what, strerror(-error));
}

static bool read_group(ConfigCheck *c, const Spot *at, json_t *v, gid_t *ret) {
        char buf[24];
        const char *text = identity_text(c, at, v, "group", buf);
        int r;

        if (!text)
                return false;
        r = resolve_group(text, ret);
        if (r < 0)
                fault_lookup(c, at, "group", text, r);
        return r == 0;
}

bool config_read_group(ConfigCheck *c, const Spot *at, json_t *v, gid_t *ret) {
        return read_group(c, at, v, ret);
}

bool config_read_user(ConfigCheck *c, const Spot *at, json_t *v, uid_t *ret) {
        _cleanup_account_ Account account = { 0 };
        char buf[24];
        const char *text = identity_text(c, at, v, "user", buf);
        int r = text ? resolve_user(text, &account) : 0;

        if (r < 0)
                fault_lookup(c, at, "user", text, r);
        else if (text && !c->ctx->is_system && account.uid != c->ctx->uid) {
                config_fault_value(c, at, "only root can give a file to another user; droverd runs as uid %u", (unsigned) c->ctx->uid);
                return false;
        }
        if (!text || r < 0)
                return false;
        *ret = account.uid;
        return true;
}

static void user_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        _cleanup_account_ Account account = { 0 };
        PoolConfig *p = object;
        char buf[24];
        const char *text = identity_text(c, at, v, "user", buf);
        int r;

        if (!text)
                return;
        r = resolve_user(text, &account);
        if (r < 0) {
                fault_lookup(c, at, "user", text, r);
                return;
        }
        if (!c->ctx->is_system && account.uid != c->ctx->uid) {
                config_fault_value(c, at, "only root can run a pool as another user; droverd runs as uid %u",
                                   (unsigned) c->ctx->uid);
                return;
        }
        p->uid = account.uid;
        p->gid = account.gid;
        free(p->user_name);
        p->user_name = TAKE_PTR(account.name);
}

static void group_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        gid_t gid;

        if (!read_group(c, at, v, &gid))
                return;
        if (!c->ctx->is_system && gid != getegid())
                config_fault_value(c, at, "only root can run a pool with another group; droverd's is %u",
                                   (unsigned) getegid());
        /* stored when the user, whose own group would overwrite it, has been read */
}

static void groups_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        PoolConfig *p = object;
        size_t i, n = json_array_size(v);
        bool good = true;
        json_t *item;

        if (!json_is_array(v) || n > RESOLVE_GROUPS_MAX) {
                config_fault_value(c, at, "expected an array of at most %d groups", RESOLVE_GROUPS_MAX);
                return;
        }
        if (!c->ctx->is_system) {
                config_fault_value(c, at, "only root can set supplementary groups");
                return;
        }
        _cleanup_free_ gid_t *groups = NEW0_ARRAY(gid_t, n + 1);
        if (!groups) {
                c->error = -ENOMEM;
                return;
        }
        json_array_foreach(v, i, item) {
                Spot here = { .up = at, .index = i };
                good = read_group(c, &here, item, &groups[i]) && good;
        }
        if (!good)
                return;
        free(p->groups);
        p->groups = TAKE_PTR(groups);
        p->n_groups = resolve_sort_groups(p->groups, n);
}

static bool user_equal(const ConfigKey *key, const void *a, const void *b) {
        const PoolConfig *x = a, *y = b;
        return x->has_identity == y->has_identity && (!x->has_identity || x->uid == y->uid);
}

static bool group_equal(const ConfigKey *key, const void *a, const void *b) {
        const PoolConfig *x = a, *y = b;
        return x->has_identity != y->has_identity || !x->has_identity || x->gid == y->gid;
}

static bool groups_equal(const ConfigKey *key, const void *a, const void *b) {
        const PoolConfig *x = a, *y = b;
        if (x->has_identity != y->has_identity || !x->has_identity)
                return true; /* shown as a change of the user */
        return x->n_groups == y->n_groups &&
               (x->n_groups == 0 || memcmp(x->groups, y->groups, x->n_groups * sizeof(gid_t)) == 0);
}

static void identity_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "$ref", "#/$defs/identity");
}

static void groups_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "array");
        json_put_i64(t, "maxItems", RESOLVE_GROUPS_MAX);
        json_put_raw(t, "items", "{\"$ref\":\"#/$defs/identity\"}");
}

const ConfigType config_type_user = { "user", user_read, user_equal, identity_schema };
const ConfigType config_type_group = { "group", group_read, group_equal, identity_schema };
const ConfigType config_type_groups = { "array of groups", groups_read, groups_equal, groups_schema };

/* The gid the key group asks for; faults were added by group_read() already. */
static bool given_group(json_t *o, gid_t *ret) {
        json_t *v = json_object_get(o, "group");
        char buf[24];

        if (json_is_integer(v))
                snprintf(buf, sizeof(buf), "%lld", (long long) json_integer_value(v));
        return v && (json_is_string(v) || json_is_integer(v)) &&
               resolve_group(json_is_string(v) ? json_string_value(v) : buf, ret) == 0;
}

/* root without a user but with a group: the own account is what the rest is taken from. */
static int own_identity(ConfigCheck *c, PoolConfig *p) {
        const Account *own;
        int r = resolve_own(c->ctx->uid, &own);

        if (r < 0)
                return r;
        p->user_name = alloc_strdup(own->name);
        if (!p->user_name)
                return -ENOMEM;
        p->uid = own->uid;
        p->gid = own->gid;
        return 0;
}

void config_identity_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        bool wants_user = json_object_get(o, "user"), wants_group = json_object_get(o, "group");
        bool wants_groups = json_object_get(o, "groups");
        Spot here = { .up = at, .key = wants_user ? "user" : "group" };
        int r = 0;

        if ((!wants_user && !wants_group && !wants_groups) || !c->ctx->is_system)
                return; /* in user mode it is the own identity, which needs no change */
        if (!wants_user)
                r = own_identity(c, p);
        if (r == 0 && p->user_name) {
                (void) given_group(o, &p->gid);
                if (!wants_groups)
                        r = resolve_groups(p->user_name, p->gid, &p->groups, &p->n_groups);
                p->has_identity = true;
        }
        if (r == -E2BIG)
                config_fault_value(c, &here, "this user is in more than %d groups; name those it needs in groups",
                                   RESOLVE_GROUPS_MAX);
        else if (r < 0)
                c->error = r;
}
