/* usage-book.c - a uthash by name; an entry belongs to one process, so a new pid begins anew. */
#define HASH_NONFATAL_OOM 1
#include "ctl/usage-book.h"

#include "base/alloc.h"
#include "ctl/ctl.h"
#include <uthash.h>

/* Two samples nearer than this say little: the kernel counts CPU in ticks of 10 ms. */
#define APART_MIN (300 * USEC_PER_MSEC)

struct UsageEntry {
        double pid, cpu, percent; /* cpu: seconds */
        usec_t at;                /* of the sample, CLOCK_MONOTONIC */
        unsigned round;
        UT_hash_handle hh;
        char name[];
};

static UsageEntry *entry_of(UsageBook *b, const char *name) {
        size_t n = strlen(name);
        UsageEntry *e = NULL;

        HASH_FIND(hh, b->entries, name, n, e);
        if (e)
                return e;
        e = alloc_zero(1, sizeof(*e) + n + 1);
        if (!e)
                return NULL;
        memcpy(e->name, name, n + 1);
        HASH_ADD_KEYPTR(hh, b->entries, e->name, n, e);
        if (!e->hh.tbl) { /* uthash found no memory */
                free(e);
                return NULL;
        }
        return e;
}

static void add_worker(UsageBook *b, json_t *w, usec_t now) {
        const char *name = member_text(w, "name", NULL);
        double cpu = member_number(w, "cpu", -1), pid = member_number(w, "pid", 0), uptime = member_number(w, "uptime", 0);
        double age = member_number(w, "usage_age", 0);
        UsageEntry *e = name && cpu >= 0 ? entry_of(b, name) : NULL;

        if (!e)
                return;
        usec_t at = age >= 0 && age < 1e6 ? usec_sub(now, (usec_t) (age * (double) USEC_PER_SEC)) : now;
        if (e->pid != pid || cpu < e->cpu) {
                e->percent = uptime > age ? 100 * cpu / (uptime - age) : 0;
                e->pid = pid;
                e->cpu = cpu;
                e->at = at;
        } else if (at >= usec_add(e->at, APART_MIN)) {
                e->percent = 100 * (cpu - e->cpu) * (double) USEC_PER_SEC / (double) (at - e->at);
                e->cpu = cpu;
                e->at = at;
        }
        e->round = b->round;
        (void) json_object_set_new(w, "cpu_percent", json_real(e->percent));
}

void usage_book_add(UsageBook *b, json_t *result, usec_t now) {
        UsageEntry *e, *next;
        json_t *p, *w;
        size_t i, k;

        b->round++;
        json_array_foreach(json_object_get(result, "pools"), i, p)
                json_array_foreach(json_object_get(p, "workers"), k, w)
                        add_worker(b, w, now);
        HASH_ITER(hh, b->entries, e, next) {
                if (e->round == b->round)
                        continue;
                HASH_DEL(b->entries, e);
                free(e);
        }
}

void usage_book_done(UsageBook *b) {
        UsageEntry *e, *next;

        HASH_ITER(hh, b->entries, e, next) {
                HASH_DEL(b->entries, e);
                free(e);
        }
}
