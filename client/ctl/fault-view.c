/* fault-view.c - faults of a configuration as lines. Pure. */
#include "ctl/fault-view.h"

#include "ctl/ctl.h"
#include "ctl/output.h"

static void put_fault(Text *out, const json_t *fault) {
        const char *file = member_text(fault, "file", ""), *key = member_text(fault, "key", "");
        double line = member_number(fault, "line", 0), column = member_number(fault, "column", 0);

        if (json_is_string(fault)) {
                escape_append(out, json_string_value(fault));
                text_append_char(out, '\n');
                return;
        }
        escape_append(out, file);
        if (line > 0)
                text_appendf(out, ":%.0f", line);
        if (line > 0 && column > 0)
                text_appendf(out, ":%.0f", column);
        text_append(out, *file || line > 0 ? ": " : "");
        escape_append(out, key);
        text_append(out, *key ? ": " : "");
        escape_append(out, member_text(fault, "text", member_text(fault, "message", "?")));
        text_append_char(out, '\n');
}

void fault_view_put(Text *out, const json_t *faults) {
        const json_t *fault;
        size_t i;

        json_array_foreach(faults, i, fault)
                put_fault(out, fault);
}
