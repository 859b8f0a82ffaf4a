/* cmd-target.c - targets: what is in a worker module. The file is opened here; no daemon is asked. */
#include "base/alloc.h"
#include "ctl/command.h"
#include "ctl/output.h"
#include "ctl/table.h"
#include "ctl/pool-params.h"
#include "worker/module.h"

static const TableColumn columns[] = {{"TARGET", false, 0}, {"HELP", false, 0}};

static json_t *module_json(const drover_module *m) {
        _cleanup_json_ json_t *targets = json_array();

        for (const drover_target *t = m->targets; targets && t->name; t++)
                if (json_array_append_new(targets, json_pack("{s:s,s:s}", "name", t->name, "help", t->help ? t->help : "")) < 0)
                        return NULL;
        return json_pack("{s:s,s:O}", "name", m->name, "targets", targets);
}

static void put_table(const Ctl *c, const drover_module *m, Text *out) {
        _cleanup_table_ Table t = {};

        table_init(&t, columns, ARRAY_SIZE(columns));
        for (const drover_target *target = m->targets; target->name; target++) {
                table_cell(&t, TINT_NONE, target->name);
                table_cell(&t, TINT_NONE, target->help);
        }
        table_print(&t, out, c->show == SHOW_WIDE ? 0 : c->width, c->show == SHOW_WIDE, c->use_color);
}

static void put_names(const drover_module *m, Text *out) {
        for (const drover_target *t = m->targets; t->name; t++) {
                escape_append(out, t->name);
                text_append_char(out, '\n');
        }
}

static void put_module(const Ctl *c, const drover_module *m, Text *out) {
        _cleanup_json_ json_t *o = NULL;

        if (c->show == SHOW_TABLE || c->show == SHOW_WIDE) {
                put_table(c, m, out);
                return;
        }
        if (c->show == SHOW_NAME) {
                put_names(m, out);
                return;
        }
        o = module_json(m);
        if (o)
                json_append(out, o, c->show == SHOW_JSON);
        else
                out->failed = true;
}

int cmd_targets(Ctl *c) {
        _cleanup_free_ char *path = pool_params_directory(c->args.names[0]);
        _cleanup_text_ Text error = {}, out = {};
        const drover_module *m = NULL;

        if (!path)
                return ctl_usage(c, "the working directory: %s", strerror(errno));
        if (module_open(path, &m, &error) < 0) {
                const char *why = error.data ? error.data : "out of memory", *name = c->args.names[0];
                bool is_named = strncmp(why, path, strlen(path)) == 0; /* dlopen(3) begins with it */
                ctl_say("%s%s%s", is_named ? "" : name, is_named ? "" : ": ", why);
                return CTL_FAILED;
        }
        if (!c->is_quiet)
                put_module(c, m, &out);
        return ctl_put_text(&out, CTL_DONE);
}
