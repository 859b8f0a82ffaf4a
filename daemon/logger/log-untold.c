/* log-untold.c - see log-untold.h. */
#include "logger/log-untold.h"
#include "base/alloc.h"
#include <utlist.h>

struct LogUntoldItem {
        LogUntoldItem *prev, *next;
        LogMessageDropped d; /* its worker is the text behind it */
        char worker[];
};

static LogUntoldItem *find(const LogUntold *u, const LogMessageDropped *d, bool is_over) {
        LogUntoldItem *i;
        DL_FOREACH(u->items, i)
                if (i->d.stream == d->stream && i->d.is_over == is_over && streq(i->worker, d->worker))
                        return i;
        return NULL;
}

static void drop(LogUntold *u, LogUntoldItem *i) {
        DL_DELETE(u->items, i);
        free(i);
        u->n--;
}

static int append(LogUntold *u, const LogMessageDropped *d) {
        size_t n = strlen(d->worker) + 1;
        LogUntoldItem *i = u->n < LOG_UNTOLD_MAX ? alloc_zero(1, sizeof *i + n) : NULL;
        if (!i)
                return u->n < LOG_UNTOLD_MAX ? -ENOMEM : -ENOSPC;
        i->d = *d;
        memcpy(i->worker, d->worker, n);
        i->d.worker = i->worker;
        DL_APPEND(u->items, i);
        u->n++;
        return 0;
}

int log_untold_add(LogUntold *u, const LogMessageDropped *d) {
        LogUntoldItem *going = find(u, d, false), *over = find(u, d, true);
        if (d->is_over && going)
                drop(u, going);
        if (!d->is_over && going) {
                going->d.n_lines = d->n_lines;
                going->d.n_bytes = d->n_bytes;
                going->d.error = d->error;
                return 0;
        }
        if (!d->is_over || !over)
                return append(u, d);
        over->d.n_lines += d->n_lines;
        over->d.n_bytes += d->n_bytes;
        over->d.error = d->error;
        return 0;
}

bool log_untold_next(const LogUntold *u, LogMessageDropped *ret) {
        if (!u->items)
                return false;
        *ret = u->items->d;
        return true;
}

void log_untold_took(LogUntold *u) {
        if (u->items)
                drop(u, u->items);
}

void log_untold_done(LogUntold *u) {
        while (u->items)
                drop(u, u->items);
}
