/* config-value-list.c - arrays of strings: argv, paths, names of pools, patterns, kinds of events.
 *
 * Lists whose order means nothing are stored sorted, so that another order is no change. Each is a NULL-terminated
 * array in its slot, NULL when empty. */
#include "base/alloc.h"
#include "base/glob.h"
#include "base/parse.h"
#include "config/config-key.h"

#define LIST_MAX 256u
#define SLOT(key, object) ((char ***) config_slot((key), (object)))

int config_store_string(ConfigCheck *c, char **slot, const char *s) {
        char *copy = alloc_strdup(s);

        if (s && !copy) {
                c->error = -ENOMEM;
                return -ENOMEM;
        }
        free(*slot);
        *slot = copy;
        return 0;
}

static bool strv_equal(char *const *a, char *const *b) {
        for (; a && b && *a && *b; a++, b++)
                if (!streq(*a, *b))
                        return false;
        return !(a && *a) && !(b && *b);
}

static bool list_equal(const ConfigKey *key, const void *a, const void *b) {
        return strv_equal(*(char **const *) config_slot_const(key, a), *(char **const *) config_slot_const(key, b));
}

/* argv */

static bool argv_check_item(ConfigCheck *c, const Spot *at, json_t *item, size_t index) {
        Spot here = { .up = at, .index = index };

        if (!json_is_string(item))
                config_fault_value(c, &here, "expected a string; numbers, too, are written in \"double quotes\"");
        else if (index == 0 && json_string_length(item) == 0)
                config_fault_value(c, &here, "the program's name is empty");
        else if (json_string_length(item) > CONFIG_STRING_MAX)
                config_fault_value(c, &here, "too long: the kernel takes at most %u bytes in one argument", CONFIG_STRING_MAX);
        else
                return true;
        return false;
}

char **config_read_argv(ConfigCheck *c, const Spot *at, json_t *v) {
        _cleanup_(strv_freep) char **argv = NULL;
        size_t i, n = json_array_size(v);
        json_t *item;
        bool good = true;

        if (json_is_string(v)) {
                config_fault_value(c, at, "expected an array of strings: write an array: "
                                          "[\"/bin/sh\", \"-c\", \"...\"] if you want a shell");
                return NULL;
        }
        if (n == 0) {
                config_fault_value(c, at, "expected a non-empty array of strings: [\"/usr/bin/program\", \"argument\"]");
                return NULL;
        }
        argv = NEW0_ARRAY(char *, n + 1);
        if (!argv) {
                c->error = -ENOMEM;
                return NULL;
        }
        json_array_foreach(v, i, item) {
                if (!argv_check_item(c, at, item, i))
                        good = false;
                argv[i] = alloc_strdup(json_is_string(item) ? json_string_value(item) : "");
                if (!argv[i]) {
                        c->error = -ENOMEM;
                        return NULL;
                }
        }
        return good ? TAKE_PTR(argv) : NULL;
}

static void argv_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        char **argv = config_read_argv(c, at, v), ***slot = SLOT(key, object);

        if (!argv)
                return;
        strv_free(*slot);
        *slot = argv;
}

/* Of a module pool it is made here, and the module, the target and their arguments tell the difference. */
static bool command_equal(const ConfigKey *key, const void *a, const void *b) {
        const PoolConfig *x = a, *y = b;

        return (x->module && y->module) || list_equal(key, a, b);
}

static void argv_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "array");
        json_put_i64(t, "minItems", 1);
        json_put_raw(t, "items", "{\"type\":\"string\"}");
}

const ConfigType config_type_command = { "array of strings", argv_read, command_equal, argv_schema };
const ConfigType config_type_argv = { "array of strings", argv_read, list_equal, argv_schema };

/* Lists without an order: each item is looked at by .check, which adds a fault of its own and says false. */

struct ConfigList {
        bool (*check)(ConfigCheck *c, const Spot *at, const char *s);
        const char *example, *item_schema;
        bool is_never_empty;
};

static int compare_items(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool is_twice(ConfigCheck *c, const Spot *at, char *const *list, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (streq(list[i], list[n])) {
                        Spot here = { .up = at, .index = n };
                        config_fault_value(c, &here, "\"%.64s\" stands here twice", list[n]);
                        return true;
                }
        return false;
}

static bool item_read(ConfigCheck *c, const Spot *at, json_t *item, const struct ConfigList *list, char **ret) {
        if (!json_is_string(item)) {
                config_fault_value(c, at, "expected a string");
                return false;
        }
        *ret = alloc_strdup(json_string_value(item));
        if (!*ret)
                c->error = -ENOMEM;
        return *ret && list->check(c, at, *ret);
}

static void list_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        const struct ConfigList *kind = key->type->list;
        size_t i, n = json_array_size(v);
        _cleanup_(strv_freep) char **list = NULL;
        char ***slot = SLOT(key, object);
        bool good = true;
        json_t *item;

        if (!json_is_array(v) || n > LIST_MAX) {
                config_fault_value(c, at, "expected an array of at most %u strings: %s", LIST_MAX, kind->example);
                return;
        }
        if (n == 0 && kind->is_never_empty) {
                config_fault_value(c, at, "expected a non-empty array: %s", kind->example);
                return;
        }
        list = NEW0_ARRAY(char *, n + 1);
        if (!list) {
                c->error = -ENOMEM;
                return;
        }
        json_array_foreach(v, i, item) {
                Spot here = { .up = at, .index = i };
                good = item_read(c, &here, item, kind, &list[i]) && good;
                if (!list[i] && !(list[i] = alloc_strdup("")))
                        c->error = -ENOMEM;
                if (c->error)
                        return;
                good = good && !is_twice(c, at, list, i);
        }
        if (!good)
                return;
        if (n > 0)
                qsort(list, n, sizeof(*list), compare_items);
        strv_free(*slot);
        *slot = n > 0 ? TAKE_PTR(list) : NULL;
}

static void list_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "array");
        json_put_i64(t, "maxItems", LIST_MAX);
        json_put_raw(t, "items", key->type->list->item_schema);
}

/* names of pools; that they exist is found out when all are known */

static bool check_pool_name(ConfigCheck *c, const Spot *at, const char *s) {
        if (name_is_valid(s))
                return true;
        config_fault_value(c, at, "not the name of a pool: \"%.64s\"", s);
        return false;
}

static const struct ConfigList list_of_names = { .check = check_pool_name, .example = "[\"db\", \"cache\"]",
                                              .item_schema = "{\"type\":\"string\",\"pattern\":\"^[a-z0-9][a-z0-9_.-]{0,62}$\"}" };

const ConfigType config_type_names = { "array of pools", list_read, list_equal, list_schema, .list = &list_of_names };

/* paths */

static bool check_path(ConfigCheck *c, const Spot *at, const char *s) {
        _cleanup_json_ json_t *v = json_string_nocheck(s);

        if (!v)
                c->error = -ENOMEM;
        return v && config_read_path(c, at, v, CONFIG_PATH_MAX);
}

static const struct ConfigList list_of_paths = { .check = check_path, .example = "[\"/srv\", \"/etc\"]",
                                              .item_schema = "{\"$ref\":\"#/$defs/path\"}" };

const ConfigType config_type_paths = { "array of absolute paths", list_read, list_equal, list_schema, .list = &list_of_paths };

/* patterns of names */

static bool check_glob(ConfigCheck *c, const Spot *at, const char *s) {
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-*?[]!";

        if (*s && strspn(s, allowed) == strlen(s))
                return true;
        config_fault_value(c, at, "expected the name of a pool, or a pattern such as \"web-*\"");
        return false;
}

static const struct ConfigList list_of_globs = { .check = check_glob, .example = "[\"web\", \"db-*\"]",
                                              .item_schema = "{\"type\":\"string\"}" };

const ConfigType config_type_globs = { "array of names and patterns", list_read, list_equal, list_schema, .list = &list_of_globs };

/* kinds of events: those the context knows; without such a list any is taken */

static bool check_event(ConfigCheck *c, const Spot *at, const char *s) {
        const char *const *known = c->ctx->event_types, *near;

        if (!*s)
                config_fault_value(c, at, "expected the type of an event, such as \"worker.failed\" or \"worker.*\"");
        if (!*s || !known)
                return *s;
        for (size_t i = 0; known[i]; i++)
                if (glob_match(s, known[i], 0))
                        return true;
        near = name_nearest(s, known);
        if (near)
                config_fault_value(c, at, "there is no event of this type; did you mean \"%s\"?", near);
        else
                config_fault_value(c, at, "there is no event of this type; drover-protocol(7) lists them");
        return false;
}

static const struct ConfigList list_of_events = { .check = check_event, .example = "[\"worker.failed\"]",
                                              .item_schema = "{\"type\":\"string\"}", .is_never_empty = true };

const ConfigType config_type_events = { "array of event types", list_read, list_equal, list_schema, .list = &list_of_events };
