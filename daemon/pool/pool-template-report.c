/* pool-template-report.c - templates for others to see. */
#include "pool/pool-template-internal.h"

#include "base/parse.h"
#include <stdio.h>

static const char *const method_names[] = {[START_SPAWN] = "spawn", [START_FORK] = "fork", [START_FORKSERVER] = "forkserver"};

bool template_describe(const Worker *w, char *buf, size_t size) {
        const Template *t;
        const PoolConfig *c = worker_next_config(w);
        char span[SPAN_TEXT_MAX];
        usec_t left;

        if (w->state != WORKER_LAUNCHING || w->child || w->template_hash == 0 || !config_uses_template(c))
                return false;
        t = template_find(w->pool->set, w->pool, w->template_hash);
        if (!t || t->state == TEMPLATE_READY)
                return false;
        left = t->state == TEMPLATE_RESTING && t->due != USEC_INFINITY ? usec_sub(t->due, clock_now()) : 0;
        if (left > 0)
                (void) snprintf(buf, size, "waits for its template: %s, next try in %s", t->fault ? t->fault : "it ended",
                                span_format(span, left > USEC_PER_SEC ? left / USEC_PER_SEC * USEC_PER_SEC : left));
        else
                (void) snprintf(buf, size, "waits for its template");
        return true;
}

static void put_template(const Template *t, Text *out) {
        char time[TIME_TEXT_MAX];

        json_put_object(out, "template");
        json_put_string(out, "state", template_state_to_string(t->state));
        if (t->pid > 0)
                json_put_i64(out, "pid", t->pid);
        else
                json_put_null(out, "pid");
        json_put_u64(out, "restarts", t->n_restarts);
        json_put_string(out, "started_at", t->started_at > 0 ? time_format(time, t->started_at) : NULL);
        json_put_string(out, "note", t->fault ? t->fault : "");
        json_end_object(out);
}

void template_put_json(Pool *p, Text *out) {
        Template *t = NULL;

        json_put_string(out, "start_method", method_names[p->config->start_method]);
        if (config_uses_template(p->config))
                t = template_find(p->set, p, template_hash_of(p->set, p->config));
        if (t)
                put_template(t, out);
}
