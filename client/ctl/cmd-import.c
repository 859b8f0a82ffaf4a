/* cmd-import.c - import: another supervisor's configuration as one of drover. Needs no daemon. */
#include "base/alloc.h"
#include "base/file.h"
#include "ctl/command.h"
#include "ctl/import.h"
#include "ctl/output.h"
#include <unistd.h>

const CliImportKind cli_import_kinds[] = {
        {"supervisord", "supervisord.conf, with what it includes", import_supervisord},
        {"pm2", "an ecosystem file as JSON", import_pm2},
        {NULL},
};

static int put_result(const Ctl *c, const Text *out) {
        const char *path = c->args.text[OPT_OUT];

        if (text_check(out) < 0 || !path)
                return ctl_put_text(out, CTL_DONE);
        int r = file_write_atomic(path, out->data, out->length, 0644);
        if (r >= 0)
                return CTL_DONE;
        ctl_say("cannot write %s: %s", path, strerror(-r));
        return CTL_FAILED;
}

int cmd_import(Ctl *c) {
        const char *kind = c->args.names[0], *path = c->args.names[1];
        const CliImportKind *k = cli_import_kinds;
        _cleanup_import_ Import im = {};
        _cleanup_text_ Text out = {};

        while (k->name && !streq(k->name, kind))
                k++;
        if (!k->name)
                return ctl_usage(c, "nothing is known of \"%s\"; there is supervisord and pm2", kind);
        import_init(&im);
        int r = k->read(&im, path);
        if (r < 0 && r != -EBADMSG)
                ctl_say("cannot read %s: %s", path, strerror(-r));
        if (im.notes.length && (r < 0 || !c->is_quiet))
                (void) output_write(STDERR_FILENO, &im.notes);
        if (r < 0)
                return CTL_FAILED;
        import_put(&im, &out, path);
        int status = put_result(c, &out);
        if (status == CTL_DONE && im.n_notes)
                ctl_hint(c, "%zu pools; %zu things are different in drover or have no equivalent: the lines above", im.n_pools,
                         im.n_notes);
        return status;
}
