/* fault-answer.c - the shape of faults on the wire. */
#include "control/fault-answer.h"

#include <stdio.h>

void faults_put_json(const ConfigFaults *faults, Text *t, const char *key) {
        json_put_array(t, key);
        for (size_t i = 0; i < faults->n; i++) {
                const ConfigFault *f = &faults->items[i];

                json_put_object(t, NULL);
                json_put_string(t, "file", f->file);
                if (f->line > 0) {
                        json_put_i64(t, "line", f->line);
                        json_put_i64(t, "column", f->column);
                }
                json_put_string(t, "key", f->key);
                json_put_string(t, "text", f->text);
                json_end_object(t);
        }
        json_end_array(t);
}

void call_fail_faults(Call *c, ProtocolError code, int error, const ConfigFaults *faults) {
        _cleanup_free_ char *first = faults->n > 0 ? config_fault_format(&faults->items[0]) : NULL;
        char message[1024], more[40] = "";
        Text *t;

        if (!first) {
                call_errno(c, error, "the configuration could not be made");
                return;
        }
        if (faults->n > 1)
                (void) snprintf(more, sizeof(more), " (and %zu more)", faults->n - 1);
        (void) snprintf(message, sizeof(message), "%.900s%s", first, more);
        t = call_fail_begin(c, code, message);
        faults_put_json(faults, t, "faults");
        call_fail_end(c, code);
}
