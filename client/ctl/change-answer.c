/* change-answer.c - the answer of plan, apply and set. */
#include "ctl/change-answer.h"

#include "base/alloc.h"
#include "ctl/change-view.h"
#include "ctl/command.h"
#include "ctl/output.h"

static void put_table(const Ctl *c, Text *out, const json_t *changes) {
        _cleanup_table_ Table t = {};
        const json_t *change;
        size_t i;

        table_init(&t, change_columns, CHANGE_COLUMNS);
        json_array_foreach(changes, i, change)
                change_view_rows(&t, change);
        if (t.n_cells)
                table_print(&t, out, c->show == SHOW_WIDE ? 0 : c->width, true, c->use_color);
}

static void put_lines(const Ctl *c, Text *out, const json_t *changes) {
        const json_t *change;
        size_t i;

        json_array_foreach(changes, i, change) {
                if (c->show == SHOW_JSONL)
                        json_append(out, change, false);
                else {
                        escape_append(out, member_text(change, "pool", "?"));
                        text_append_char(out, '\n');
                }
        }
}

/* What was set by hand stands over the files, so whoever compares the two should know of it. */
static void hint_overrides(const Ctl *c, const json_t *overrides) {
        const char *pool, *key;
        json_t *keys, *v;

        json_object_foreach((json_t *) overrides, pool, keys)
                json_object_foreach(keys, key, v) {
                        _cleanup_free_ char *value = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
                        ctl_hint(c, "set over the files: %s %s %s; droverctl set --unset %s %s takes it back", pool, key,
                                 value ? value : "?", pool, key);
                }
}

int change_answer_show(const Ctl *c, const json_t *result, int status) {
        const json_t *changes = json_object_get(result, "changes");
        _cleanup_text_ Text out = {};

        if (c->is_quiet)
                return status;
        if (c->show == SHOW_JSON)
                json_append(&out, result, true);
        else if (c->show == SHOW_JSONL || c->show == SHOW_NAME)
                put_lines(c, &out, changes);
        else
                put_table(c, &out, changes);
        if (!json_array_size(changes) && c->show == SHOW_TABLE && !streq(c->args.command->name, "set"))
                ctl_hint(c, "nothing has changed");
        if (c->show == SHOW_TABLE || c->show == SHOW_WIDE)
                hint_overrides(c, json_object_get(result, "overrides"));
        return ctl_put_text(&out, status);
}
