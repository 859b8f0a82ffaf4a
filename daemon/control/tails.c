/* tails.c - see tails.h. */
#include "control/tails.h"

#include "base/alloc.h"
#include "control/control-room.h"
#include "pool/last-words.h"

typedef struct Tail {
        Tails *all;
        LastWords *ask; /* NULL: it is answered */
        char *worker, *json;
} Tail;

struct Tails {
        Call *call;
        json_t *select;
        tails_done done;
        size_t n, n_open;
        Tail items[TAILS_MAX];
};

static Tails *tails_free(Tails *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < t->n; i++) {
                last_words_free(t->items[i].ask);
                free(t->items[i].worker);
                free(t->items[i].json);
        }
        (void) uid_book_charge(t->call->connection->book, UID_READS, t->n_open, 0);
        json_decref(t->select);
        free(t);
        return NULL;
}
DEFINE_CLEANUP(Tails, tails_free);

static void tails_free_state(void *state) {
        tails_free(state);
}

static const CallOps tails_ops = {.free_state = tails_free_state};

static void on_words(LastWords *l, const char *json, void *userdata) {
        Tail *tail = userdata;
        Tails *t = tail->all;

        tail->ask = last_words_free(l);
        tail->json = alloc_strdup(json);
        (void) uid_book_charge(t->call->connection->book, UID_READS, 1, 0);
        if (--t->n_open == 0)
                t->done(t->call, t->select, t);
}

/* Short of memory, of reads, or with a log that others write, too: shown without. */
static void ask_about(Tails *t, Worker *w) {
        const ControlWorld *world = &call_control(t->call)->world;
        Tail *tail = &t->items[t->n];
        WorkerMetrics m;
        LogSpec spec;

        worker_metrics(w, &m);
        if (!m.is_alive || worker_log_spec(w, &spec) < 0)
                return;
        *tail = (Tail){.all = t, .worker = alloc_strdup(worker_name(w))};
        if (!tail->worker)
                return;
        t->n++;
        if (uid_book_charge(t->call->connection->book, UID_READS, 0, 1) < 0)
                return;
        if (last_words_ask(&tail->ask, world->logger, world->event, &spec, m.started_usec, on_words, tail) >= 0)
                t->n_open++;
        else
                (void) uid_book_charge(t->call->connection->book, UID_READS, 1, 0);
}

bool tails_ask(Call *c, json_t *select, const Selection *s, tails_done done) {
        _cleanup_(tails_freep) Tails *t = s->n > 0 && s->n <= TAILS_MAX ? NEW0(Tails) : NULL;

        if (!t)
                return false;
        t->call = c;
        t->select = json_incref(select);
        t->done = done;
        for (size_t i = 0; i < s->n; i++)
                ask_about(t, s->workers[i]);
        if (t->n_open == 0)
                return false;
        call_keep(c, &tails_ops, t);
        t = NULL;
        return true;
}

const char *tails_find(const Worker *w, void *userdata) {
        const Tails *t = userdata;

        for (size_t i = 0; t && i < t->n; i++)
                if (streq(t->items[i].worker, worker_name(w)))
                        return t->items[i].json;
        return NULL;
}
