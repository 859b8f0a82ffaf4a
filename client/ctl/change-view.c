/* change-view.c - rows of plan and apply. */
#include "ctl/change-view.h"

#include "ctl/ctl.h"

const TableColumn change_columns[CHANGE_COLUMNS] = {{"POOL"}, {"KIND"}, {"CLASS"}, {"KEYS"}, {"REASON"}};

/* What costs a worker its life is red, what waits for its next start is yellow. */
static Tint tint_of_class(const char *class) {
        return streq(class, "restart") ? TINT_BAD : streq(class, "next-start") ? TINT_MOVING : TINT_GOOD;
}

static Tint tint_of_kind(const char *kind) {
        return streq(kind, "add") ? TINT_GOOD : streq(kind, "remove") ? TINT_BAD : TINT_NONE;
}

/* A value on one line; one that is not there is "(none)". */
static void put_value(Text *out, const json_t *v) {
        if (!v || json_is_null(v)) {
                text_append(out, "(none)");
                return;
        }
        json_append(out, v, false);
        if (out->length && out->data[out->length - 1] == '\n')
                text_truncate(out, out->length - 1);
}

static void put_row(Table *t, const json_t *change, const char *class, const char *key, const char *reason,
                    Tint tint) {
        const char *kind = member_text(change, "kind", "?");

        table_cell(t, TINT_NONE, member_text(change, "pool", "?"));
        table_cell(t, tint_of_kind(kind), kind);
        table_cell(t, *class ? tint_of_class(class) : TINT_NONE, *class ? class : "-");
        table_cell(t, TINT_NONE, key);
        table_cell(t, tint, reason);
}

static void put_key(Table *t, const json_t *change, const json_t *key, const char *reason) {
        const char *class = member_text(key, "class", member_text(change, "class", ""));
        _cleanup_text_ Text text = {};

        put_value(&text, json_object_get(key, "from"));
        text_append(&text, " → ");
        put_value(&text, json_object_get(key, "to"));
        if (*reason)
                text_appendf(&text, "; %s", reason);
        put_row(t, change, class, member_text(key, "key", "?"), text.data, TINT_NONE);
}

void change_view_rows(Table *t, const json_t *change) {
        const char *error = member_text(change, "error", ""), *reason = member_text(change, "reason", "");
        const json_t *keys = json_object_get(change, "keys"), *key;
        _cleanup_text_ Text failed = {};
        size_t i;

        if (*error)
                text_appendf(&failed, "failed: %s", error);
        else if (!json_array_size(keys))
                text_append(&failed, reason);
        if (*error || !json_array_size(keys))
                put_row(t, change, member_text(change, "class", ""), "-", failed.data, *error ? TINT_BAD : TINT_NONE);
        json_array_foreach(keys, i, key)
                put_key(t, change, key, i == 0 && !*error ? reason : "");
}
