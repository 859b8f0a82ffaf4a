/* worker-ends.c - the last five ends of a worker, newest first, and the last lines before a bad one.
 *
 * An end is kept as the JSON that is shown, made when it happens: the sentence is about the process as it was set up then.
 * A worker that never ended has nothing here. With an end that was bad the last lines come a moment later, asked of the
 * logger once all is written; until then the child counts as not drained, so that the event, the answer of a waiting call
 * and the record have them. One at a time: a worker that ends again meanwhile has that second end without lines. */
#include "pool/pool-internal.h"

#include "base/alloc.h"

typedef struct End {
        uint64_t generation;
        char *json; /* {"exitcode",...}; without its "}" while open */
} End;

struct WorkerEnds {
        End items[WORKER_ENDS_MAX];
        unsigned n;
};

static void put_end(const Worker *w, Text *t) {
        char cause[KEEPER_TEXT_MAX], at[TIME_TEXT_MAX];
        const char *killer = exit_status_killer(&w->exit);

        worker_describe_exit(w, cause, sizeof cause);
        json_put_object(t, NULL);
        json_put_i64(t, "exitcode", exit_status_exitcode(&w->exit));
        json_put_string(t, "cause", cause);
        json_put_string(t, "at", time_format(at, w->exit.at_usec));
        if (w->exit.is_failure_to_start || w->started_at == 0)
                json_put_null(t, "uptime");
        else
                json_put_seconds(t, "uptime", usec_sub(w->exit.at_usec, w->started_at));
        if (killer)
                json_put_string(t, "by", killer);
        json_end_object(t);
}

static void push(WorkerEnds *ends, uint64_t generation, char *json_take) {
        if (ends->n == WORKER_ENDS_MAX)
                free(ends->items[--ends->n].json);
        memmove(ends->items + 1, ends->items, ends->n * sizeof(End));
        ends->items[0] = (End){.generation = generation, .json = json_take};
        ends->n++;
}

void worker_note_end(Worker *w) {
        Text *t = &w->pool->set->scratch;
        char *copy;

        text_clear(t);
        put_end(w, t);
        copy = text_check(t) < 0 ? NULL : alloc_strdup(t->data);
        if (copy && !w->ends)
                w->ends = NEW0(WorkerEnds);
        if (copy && w->ends)
                push(w->ends, w->generation, copy);
        else
                free(copy); /* short of memory: last_exit has it still */
}

/* {"a":1} and ["x"] give {"a":1,"lines":["x"]}; NULL without memory. */
static char *with_lines(const char *json, const char *lines) {
        size_t n = strlen(json);

        return n < 2 ? NULL : alloc_printf("%.*s%s\"lines\":%s}", (int) n - 1, json, n > 2 ? "," : "", lines);
}

static void replace(char **json, const char *lines) {
        char *more = with_lines(*json, lines);

        if (!more)
                return;
        free(*json);
        *json = more;
}

void worker_put_ends(const Worker *w, Text *t, const char *key) {
        json_put_array(t, key);
        for (unsigned i = 0; w->ends && i < w->ends->n; i++)
                json_put_raw(t, NULL, w->ends->items[i].json);
        json_end_array(t);
}

void worker_read_ends(Worker *w, const json_t *array) {
        size_t n = MIN(json_array_size(array), (size_t) WORKER_ENDS_MAX);

        for (size_t i = n; i-- > 0;) { /* the oldest first */
                const json_t *o = json_array_get(array, i);
                char *json = json_is_object(o) ? json_dumps(o, JSON_COMPACT) : NULL;

                if (json && !w->ends)
                        w->ends = NEW0(WorkerEnds);
                if (json && w->ends)
                        push(w->ends, i == 0 ? w->ended_generation : 0, json);
                else
                        free(json);
        }
}

void worker_put_last_lines(const Worker *w, Text *t, const char *key) {
        const char *at = w->ends && w->ends->n > 0 ? strstr(w->ends->items[0].json, ",\"lines\":[") : NULL;

        _cleanup_free_ char *lines = at ? alloc_strndup(at + 9, strlen(at + 9) - 1) : NULL;

        if (lines)
                json_put_raw(t, key, lines);
}

WorkerEnds *worker_ends_free(WorkerEnds *ends) {
        for (unsigned i = 0; ends && i < ends->n; i++)
                free(ends->items[i].json);
        free(ends);
        return NULL;
}

/* ---- last words ---- */

static bool has_ended_badly(const Worker *w) {
        bool is_asked_for = !w->is_wanted && w->ended_fault.kind == WORKER_FAULT_NONE;

        return w->has_exit && !w->exit.is_failure_to_start && exit_status_exitcode(&w->exit) != 0 && !is_asked_for;
}

static void on_words(LastWords *l, const char *json, void *userdata) {
        Worker *w = userdata;
        const Child *c = w->words_of;
        HeldEvent *e;

        w->words = last_words_free(l);
        w->words_of = NULL;
        tasking_words(w, w->words_generation, json);
        for (e = w->held; json && e; e = e->next)
                if (e->until == c && e->kind == EVENT_WORKER_EXITED)
                        replace(&e->data, json);
        if (json && w->ends && w->ends->n > 0 && w->ends->items[0].generation == w->words_generation)
                replace(&w->ends->items[0].json, json);
        worker_release(w, c);
}

bool worker_ask_last_words(Worker *w, const Child *c) {
        PoolSet *s = w->pool->set;
        LogSpec spec;

        if (w->words || child_generation(c) != w->ended_generation || !has_ended_badly(w))
                return false;
        if (worker_log_spec(w, &spec) < 0 || !last_words_afford(&s->words_budget, clock_now()))
                return false;
        if (last_words_ask(&w->words, s->world.logger, s->world.event, &spec, w->ended_started_at, on_words, w) < 0)
                return false;
        w->words_of = c;
        w->words_generation = w->ended_generation;
        return true;
}
